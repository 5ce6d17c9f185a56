"""Install one environment with pip, tell how far it is, and say in a sentence why it failed.

pip writes to a log file; a thread reads the log as it grows and counts the packages fetched, then the packages unpacked
(pip itself says nothing while it unpacks). What an interrupted pip left half unpacked is found by its missing INSTALLER
file, which pip writes last, and is installed again. Standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from retort.environments import Layer, Step, make_importable, steps, write_stamp

Tell = Callable[[str, str], None]  # environment, how far it is
_POLL_SECONDS = 0.3
_HASH = (
    "a package is not the one that the lock names, so it was not installed: see which one in the log, "
    "and ask whether the package index is one to trust"
)
_NETWORK = "the package index did not give a package: look at the network, the proxy and pip's configuration"
_NO_NETWORK = (
    r"Connection(?!Pool)|Temporary failure|timed out|Name or service|Max retries|ProxyError|SSLError|"
    r"Network is unreachable|No matching distribution"
)
_CAUSES = (
    (r"No space left on device", "the disk is full: free some space"),
    (r"DO NOT MATCH THE HASHES|hashes are required", _HASH),
    (r"Failed building wheel|error: command .*(gcc|cc|clang)", "a package could not be compiled: see the log"),
    (_NO_NETWORK, _NETWORK),
)
_DOWNLOAD = re.compile(r"^\s+Downloading (\S+?)-\d\S* \(([\d.]+ [MG]B)\)")


class InstallFault(Exception):
    """An environment could not be installed; the message says why and where the log is."""


class Stopped(Exception):
    """Somebody asked to stop; what is there is kept and used next time."""


def install(layer: Layer, log: Path, tell: Tell, stop: threading.Event) -> None:
    """Bring one layer to its lock. Raises InstallFault, or Stopped when `stop` is set meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", "utf-8")
    _make_venv(layer, log, tell, stop)
    _forget_half_installed(layer.venv)
    for step in steps(layer):
        _pip(layer, step, log, tell, stop)
    if layer.name == "app":
        make_importable()
    write_stamp(layer)
    tell(layer.name, "done")


def fault(text: str) -> str:
    """The cause, in words, of what pip wrote."""
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, text)), "pip failed: see the log")


def how_far(text: str, expected: int, unpacked: int) -> str:
    """What pip's output so far amounts to; `unpacked` counts the packages that appeared since the unpacking began."""
    unpacking = re.findall(r"^Installing collected packages: (.*)$", text, re.MULTILINE)
    if unpacking:
        total = unpacking[-1].count(",") + 1
        return f"unpacking {min(unpacked, total)} of {total}"
    seen = len(re.findall(r"^(?:Collecting|Processing|Requirement already satisfied:) ", text, re.MULTILINE))
    total = max(expected - len(re.findall(r"^Ignoring ", text, re.MULTILINE)), seen)
    large = _DOWNLOAD.match(text.rstrip("\n").rsplit("\n", 1)[-1])
    return f"fetching {seen} of {total}" + (f" ({large[1]}, {large[2]})" if large else "")


def _make_venv(layer: Layer, log: Path, tell: Tell, stop: threading.Event) -> None:
    mine = f"python{sys.version_info.major}.{sys.version_info.minor}"
    pip_is_whole = any((layer.venv / "lib" / mine / "site-packages").glob("pip-*.dist-info/INSTALLER"))
    if pip_is_whole and layer.python.exists():
        return
    tell(layer.name, "making the environment")
    clear = ["--clear"] if layer.venv.exists() else []
    _run([sys.executable, "-m", "venv", *clear, str(layer.venv)], layer, log, lambda: None, stop)


def _forget_half_installed(venv: Path) -> None:
    for info in (venv / "lib").glob("python3.*/site-packages/*.dist-info"):
        if not (info / "INSTALLER").exists():
            shutil.rmtree(info)


def _pip(layer: Layer, step: Step, log: Path, tell: Tell, stop: threading.Event) -> None:
    site = next((layer.venv / "lib").glob("python3.*/site-packages"))
    begun, count = log.stat().st_size, 0

    def look() -> None:
        nonlocal count
        with log.open("rb") as file:
            file.seek(begun)
            text = file.read().decode("utf-8", "replace")
        there = sum(1 for _ in site.glob("*.dist-info"))
        count = count if "\nInstalling collected" in text else there
        tell(layer.name, f"{step.note}: {how_far(text, step.packages, there - count)}")

    quiet = ["--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    _run([str(layer.python), "-m", "pip", "install", *quiet, *step.arguments], layer, log, look, stop)


def _run(command: list[str], layer: Layer, log: Path, look: Callable[[], None], stop: threading.Event) -> None:
    layer.scratch.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(layer.scratch), "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as file:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ, start_new_session=True
        )
    try:
        while child.poll() is None:
            if stop.is_set():
                raise Stopped
            look()
            time.sleep(_POLL_SECONDS)
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    if child.returncode:
        text = log.read_text("utf-8", "replace")
        tail = "\n".join("    " + line for line in text.strip().splitlines()[-12:])
        cause = fault(text)
        raise InstallFault(
            f"The environment {layer.name} could not be installed: {cause}.\n{tail}\n    (all of it: {log})"
        )
