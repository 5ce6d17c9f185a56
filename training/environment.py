"""The way into the training environment: its processes are offline where they can be, silent, and choose their threads.

The two environments cannot share an interpreter, so this room calls its own scripts (`training.dequantise`, `.merge`,
`.check_recipe`, `.gguf_fields`) by the interpreter of the training environment, with files and JSON in between.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from records import cutoff
from records.errors import EnvironmentFault
from records.telemetry import OFF, OFFLINE

ROOT = Path(__file__).parent.parent
_QUIET = {
    **OFF,
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


def child_environment(threads: int, offline: bool, only_hosts: Sequence[str] | None = None) -> dict[str, str]:
    """This process's environment, less its Python, plus what keeps a training process quiet and the root importable.

    `only_hosts`: the process fails rather than speak to any other (`records.cutoff`); None: no such limit, but one
    that this process was started under holds for its children.

    `threads` caps the CPU threads of one process. OpenMP's threads sleep while they wait instead of spinning: on two
    cores with other work on them a step of eight rows took 80 s with spinning threads and 10 s with sleeping ones.
    """
    ours = ("PYTHONHOME", "VIRTUAL_ENV", "PYTHONWARNINGS")
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    quiet = _QUIET | (OFFLINE if offline else {})
    if only_hosts is not None:
        outer = cutoff.listed(kept.get(cutoff.HOSTS, ""))
        kept |= cutoff.environment([host for host in only_hosts if not outer or host in outer])
    return kept | quiet | {"PYTHONPATH": cutoff.python_path(ROOT, kept), "OMP_NUM_THREADS": str(threads)}


def run_in_training(training_python: Path, *arguments: str, given: str = "") -> str:
    """Run `training_python *arguments` with `given` as standard input, offline; its standard output.

    Raises EnvironmentFault with the last line it said where it cannot be started or fails.
    """
    environment = child_environment(threads=min(2, os.cpu_count() or 1), offline=True)
    try:
        done = subprocess.run(
            [str(training_python), *arguments],
            env=environment,
            text=True,
            input=given,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise EnvironmentFault(
            f"{training_python} cannot be started ({error.strerror}): the training environment is "
            "missing or broken, set it up again."
        ) from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EnvironmentFault(
            f"{' '.join(arguments[:2])} ended with exit code {done.returncode} in the training environment: {said:.500}"
        )
    return done.stdout
