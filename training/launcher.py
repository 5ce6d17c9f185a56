"""How Axolotl is started: one process, one a GPU by torchrun, or Ray over several machines. The recipe decides.

    a plain recipe                            one process; of several GPUs it sees the first
    a plain recipe, RETORT_GPUS=4             torchrun, four processes: each holds the model, they share the rows (DDP)
    fsdp_config or deepspeed in the recipe    torchrun, one process for every GPU of the machine (or RETORT_GPUS)
    use_ray in the recipe                     one driver; Ray starts its workers on the cluster it belongs to

Always with Axolotl's `--launcher`, never its default: accelerate leaves its child behind on SIGTERM. torchrun gives
each worker a session of its own, so each watches the pipe of the process that started all (`training.plugin`) and ends
with it. Seen by us: one process on a CPU, killed and resumed. torchrun and Ray are Axolotl's documented lines, not run
here.
"""

from pathlib import Path
from typing import Any

_SHARDED = ("fsdp_config", "fsdp", "fsdp_version", "deepspeed")


def is_sharded(settings: dict[str, Any]) -> bool:
    """Whether the recipe lays one model over several GPUs (FSDP, DeepSpeed)."""
    return any(settings.get(key) for key in _SHARDED)


def gpus_used(settings: dict[str, Any], wanted: int, found: int) -> int:
    """How many GPUs a run uses: those wanted, else all for a sharded recipe, else one; 0 on a machine without."""
    if settings.get("use_ray"):
        return int(settings.get("ray_num_workers") or 1)
    return min(found, wanted or (found if is_sharded(settings) else 1))


def command(training_python: Path, config: Path, settings: dict[str, Any], gpus: int) -> list[str]:
    """The command line of the training process."""
    start = [str(training_python), "-m", "axolotl.cli.main", "train", str(config), "--launcher"]
    if gpus > 1 and not settings.get("use_ray"):
        return [*start, "torchrun", "--", f"--nproc_per_node={gpus}"]
    return [*start, "python"]


def environment(training_python: Path, settings: dict[str, Any], gpus: int, outer: dict[str, str]) -> dict[str, str]:
    """What the launcher needs of the environment: torchrun on the path; one visible GPU where one process runs.

    Left to itself, a single process would split each batch over all GPUs it sees, slower than one GPU alone.
    """
    path = {"PATH": f"{training_python.parent}:{outer.get('PATH', '')}"}
    if gpus == 1 and not settings.get("use_ray") and "CUDA_VISIBLE_DEVICES" not in outer:
        return path | {"CUDA_VISIBLE_DEVICES": "0"}
    return path
