"""The training process: started in a group of its own, watched line by line, ended with whoever started it.

What it says goes to log.txt; what it reports as data (`training.plugin`) is told on as it comes: the step, the loss,
and the loss on the validation split where the recipe evaluates.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from records.progress import Progress

_POLL_S = 0.5
_GRACE_S = 5.0


def run_process(run: Path, command: Sequence[str], environment: dict[str, str], progress: Progress) -> int:
    """Run the command in `run` until it ends; its exit code. An interrupt ends its whole group, then passes on."""
    environment = environment | {"RETORT_WATCH_PARENT": "1"}
    with (run / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=run,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _watch(process, run, progress)
        finally:
            _end_group(process)
    return process.returncode or 0


def last_error(log: Path) -> str:
    """The last line of a log that reads like an exception's message, for the sentence that reports a failure."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines[-200:] if line.split(":")[0].endswith(("Error", "Exception", "Interrupt"))]
    return f"{(errors or lines or ['it said nothing'])[-1]:.400}"


def _watch(process: "subprocess.Popen[bytes]", run: Path, progress: Progress) -> None:
    progress("training", 0, 0, "starting Axolotl")
    path = run / "progress.jsonl"
    path.touch()
    with path.open(encoding="utf-8") as lines:
        lines.seek(0, os.SEEK_END)
        checked = ""
        while process.poll() is None:
            checked = _tell(lines, progress, checked)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
        _tell(lines, progress, checked)


def _tell(lines: IO[str], progress: Progress, checked: str) -> str:
    """Tell every whole line that is there; `checked`: the words of the last evaluation, told along."""
    while True:
        place = lines.tell()
        line = lines.readline()
        if not line.endswith("\n"):
            lines.seek(place)
            return checked
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if "validation_loss" in entry:
                checked = f", validation loss {entry['validation_loss']:.3f}"
            if "loss" not in entry:
                continue
            note = f"loss {entry['loss']:.2f} epoch {entry['epoch']:.2f}{checked}"
            progress("training", entry["step"], entry["total"], note)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever is left of the process group: politely, then for certain."""
    if process.stdin:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return
