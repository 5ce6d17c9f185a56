"""What a training will need, told before it starts: memory and time, by a formula whose terms are shown.

Memory of one device, in bytes, of P parameters of which T are trained:

    weights      P x 4 (float32), 2 (bfloat16), or 0.57 for linear layers in NF4 with their scales (Dettmers et al.
                 2023, QLoRA, section 3: 4 bits + 0.127 with double quantisation; embeddings stay at 2 bytes)
    training     T x (gradient + optimizer): float32 Adam 4 + 8; 8-bit Adam 4 + 2; a full fine-tuning in bfloat16 2 + 8
                 (Rajbhandari et al. 2020, ZeRO, section 3.1), 2 + 2 with 8-bit Adam
    activations  tokens in flight x layers x width x 34 bytes at 16 bits (Korthikanti et al. 2022, equation 2,
                 without the attention matrix, which SDPA never stores), twice that in float32; with gradient
                 checkpointing 2 bytes a layer and width, and one layer whole
    logits       tokens x vocabulary x 6 bytes: of an evaluation, of all tokens; of training, of the answers' (plugin)
    process      1.1 GB of main memory on a CPU, 1.5 GB of a GPU for CUDA and its kernels

FSDP and ZeRO-3 share weights and training state evenly. On a CPU, for rows of 100 tokens, the formula gives
2.8 GB where 2.4 were measured (LoRA, batch of 8) and 4.3 where 3.5 were (full): high on purpose. For GPUs it is
arithmetic, not a measurement of ours.

Time: floating-point operations (2 x P forward, 2 x P back through, 2 x T for the weights; Kaplan et al. 2020, section
2.1) over the machine's speed: 30 GFLOP/s a CPU core as measured, a fourth of a GPU's peak as assumed.
"""

import json
from pathlib import Path
from typing import Any

from records.errors import EnvironmentFault
from records.types import Record
from training.launcher import is_sharded
from training.machine import Machine
from training.shape import Shape

_CHARACTERS_A_TOKEN = 3.5
_START_S = 40.0
_CPU_FLOPS = 30e9
_GPU_SHARE = 0.25
_PEAK = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L40": 181e12,
    "A40": 150e12,
    "A10": 125e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}
"""Dense bfloat16 peak by NVIDIA's data sheets, operations a second."""


class Need(Record):
    """The estimate. GB are 10**9 bytes; `parts`: of one device, by term; `seconds`: None where the speed is not known.

    `device`: `CPU` or `GPU`; `here_gb`: what one has, None where that is not known.
    """

    device: str
    devices: int
    tokens: int
    steps: int
    memory_gb: float | None
    parts: dict[str, float]
    here_gb: float | None
    seconds: float | None
    note: str = ""

    @property
    def fits(self) -> bool:
        """Whether it fits, as far as that can be told."""
        return self.memory_gb is None or self.here_gb is None or self.memory_gb <= self.here_gb

    @property
    def text(self) -> str:
        """For people, one line a figure."""
        need = "not known" if self.memory_gb is None else f"about {self.memory_gb:.1f} GB"
        here = "not known" if self.here_gb is None else f"{self.here_gb:.1f} GB"
        terms = ", ".join(f"{name} {size:.1f}" for name, size in self.parts.items())
        took = "not known" if self.seconds is None else f"about {max(1, round(self.seconds / 60))} minutes"
        lines = [
            f"- {self.steps} steps, {self.tokens} tokens, on {self.devices} {self.device}{'s' * (self.devices > 1)}",
            f"- memory of each: {need} ({terms}); there is {here}",
            f"- time: {took}",
        ]
        return "\n".join([*lines, *([f"- {self.note}"] if self.note else [])])


def needs_gpu(settings: dict[str, Any]) -> bool:
    """Whether a recipe cannot run without a GPU."""
    keys = ("load_in_4bit", "load_in_8bit", "bf16", "fp16", "tf32", "use_ray")
    return is_sharded(settings) or any(settings.get(key) for key in keys)


def estimate(
    settings: dict[str, Any], shape: Shape | None, lengths: list[int], machine: Machine, gpus: int, threads: int
) -> Need:
    """What a recipe's settings need. `lengths`: characters of each row that is trained; `gpus`: how many it uses."""
    on_gpu = gpus > 0
    longest = int(settings.get("sequence_len", 2048))
    tokens = [min(longest, max(1, round(n / _CHARACTERS_A_TOKEN))) for n in lengths]
    devices = max(1, gpus)
    batch = int(settings.get("micro_batch_size", 1))
    at_once = batch * int(settings.get("gradient_accumulation_steps", 1)) * devices
    epochs = float(settings.get("num_epochs", 1))
    steps = max(1, round(-(-len(tokens) // at_once) * epochs))
    if settings.get("max_steps"):
        steps = min(steps, int(settings["max_steps"]))
    total = round(sum(tokens) * epochs)
    here = (min(g.memory_gb for g in machine.gpus[:gpus]) if machine.gpus else None) if on_gpu else machine.memory_gb
    facts: dict[str, Any] = {"device": "GPU" if on_gpu else "CPU", "devices": devices}
    facts |= {"tokens": total, "steps": steps, "here_gb": here}
    if shape is None:
        note = "the base model's size is not known before it is fetched"
        return Need(**facts, memory_gb=None, parts={}, seconds=None, note=note)
    parts = _memory(settings, shape, max(tokens, default=1), batch, devices, on_gpu)
    note = "" if shape.stated else f"the base model's size is read from its name ({shape.parameters / 1e9:.1f} billion)"
    seconds = _seconds(settings, shape, total, machine, gpus, threads)
    return Need(**facts, memory_gb=round(sum(parts.values()), 2), parts=parts, seconds=seconds, note=note)


def check_fits(need: Need, settings: dict[str, Any], name: str, machine: Machine) -> None:
    """Refuse a training that cannot fit this machine. Raises EnvironmentFault with both figures and the cure."""
    if needs_gpu(settings) and not machine.gpus and not settings.get("use_ray"):
        raise EnvironmentFault(
            f"Recipe {name} needs a GPU and none is here (nvidia-smi lists none): train on a machine with one, or set "
            "student.recipe to cpu-135m."
        )
    if not need.fits:
        terms = ", ".join(f"{part} {size:.1f}" for part, size in need.parts.items())
        raise EnvironmentFault(
            f"Recipe {name} needs about {need.memory_gb:.1f} GB on each {need.device} ({terms}), and there are "
            f"{need.here_gb:.1f} GB: halve micro_batch_size or sequence_len, take a smaller base model, "
            "or a larger machine."
        )


def row_lengths(path: Path) -> list[int]:
    """Characters of each row of a training file, all turns together."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [sum(len(turn["content"]) + 12 for turn in json.loads(line)["messages"]) for line in lines]


def trained_parameters(settings: dict[str, Any], shape: Shape) -> float:
    """How many parameters are trained: all, or an adapter's r x (in + out) of every linear layer, for its layers."""
    if settings.get("adapter") not in ("lora", "qlora"):
        return shape.parameters
    chosen = settings.get("peft_layers_to_transform")
    layers = len(chosen) if isinstance(chosen, list) else shape.layers
    rank = int(settings.get("lora_r", 8))
    attention, gated = 4 * 2 * shape.hidden, 3 * (shape.hidden + shape.intermediate)
    return float(layers * rank * (attention + gated))


def _memory(
    settings: dict[str, Any], shape: Shape, longest: int, batch: int, devices: int, on_gpu: bool
) -> dict[str, float]:
    """GB of one device by term."""
    wide = not (settings.get("bf16") or settings.get("fp16"))
    four_bit = bool(settings.get("load_in_4bit"))
    weights = shape.linear * 0.57 + shape.embeddings * 2 if four_bit else shape.parameters * (4 if wide else 2)
    trained = trained_parameters(settings, shape)
    small = "8bit" in str(settings.get("optimizer", ""))
    gradient = 4 if wide or settings.get("adapter") else 2
    state = trained * (gradient + (2 if small else 8))
    shares = devices if is_sharded(settings) else 1
    tokens, width = float(batch * longest), 2 if wide else 1
    layers: float = shape.layers if not isinstance(settings.get("peft_layers_to_transform"), list) else shape.layers / 2
    if settings.get("gradient_checkpointing"):
        kept = tokens * shape.hidden * width * (2 * shape.layers + 34)
    else:
        kept = tokens * shape.hidden * width * 34 * layers
    evaluates = any(settings.get(key) for key in ("evals_per_epoch", "eval_steps"))
    logits = (
        (int(settings.get("eval_batch_size") or batch) * longest if evaluates else batch * 64) * shape.vocabulary * 6
    )
    sizes = {"weights": weights / shares, "training": state / shares, "activations": kept, "logits": logits}
    found = {name: round(size / 1e9, 2) for name, size in sizes.items()}
    return found | {"process": 1.5 if on_gpu else 1.1}


def _seconds(
    settings: dict[str, Any], shape: Shape, tokens: int, machine: Machine, gpus: int, threads: int
) -> float | None:
    chosen = settings.get("peft_layers_to_transform")
    back = len(chosen) / shape.layers if isinstance(chosen, list) and shape.layers else 1.0
    again = 2.0 if settings.get("gradient_checkpointing") else 0.0
    work = tokens * ((2 + again + 2 * back) * shape.parameters + 2 * trained_parameters(settings, shape))
    if gpus == 0:
        return _START_S + work / (_CPU_FLOPS * max(1, min(threads, machine.cores)))
    peaks = [peak for name, peak in _PEAK.items() if machine.gpus and name in machine.gpus[0].name]
    return _START_S + work / (gpus * _GPU_SHARE * peaks[0]) if peaks else None
