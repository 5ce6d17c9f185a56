"""Look before anything is half done: Python, compiler, make, disk, network, ports. One sentence for each fault.

Run as `python3 -m retort.preflight [--ports] app training argilla` (what `make` does first): exit code 0, or 3 and
the sentences. Standard library only, in syntax that Python 3.8 parses: an old Python should not meet a SyntaxError.
Disk, compiler and network matter only where one of the named environments must still be installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from retort import ports

OLDEST, NEWEST = (3, 11), (3, 13)
GIGABYTES = {"app": 3, "argilla": 1, "training": 9, "test": 1}  # training: with CUDA; a CPU build takes half
_SMALL_PACKAGE = "certifi==2026.10.18"
_EXIT_FAULT = 3


def python_fault(version: tuple[int, ...], where: str = sys.executable) -> str | None:
    """A sentence when this Python is too old or too new for the locked packages."""
    if OLDEST <= version[:2] <= NEWEST:
        return None
    mine = ".".join(str(part) for part in version[:3])
    others = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = next((name for name in others if shutil.which(name)), None)
    cure = f"run make again with PYTHON={found}" if found else "install one and run make again with PYTHON=python3.11"
    return f"Retort needs Python 3.11, 3.12 or 3.13, and {where} is Python {mine}: {cure}."


def venv_fault() -> str | None:
    """A sentence when this Python cannot make virtual environments (Debian ships that part separately)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as missing:
        return f"{sys.executable} cannot make virtual environments ({missing}): apt-get install python3-venv."
    return None


def tool_faults(environ: Mapping[str, str]) -> list[str]:
    """Sentences about a missing C compiler or make."""
    faults = []
    path = environ.get("PATH", "")
    names = [environ.get("CC", "cc").split()[0], "gcc", "clang"]
    if not any(shutil.which(name, path=path) for name in names):
        faults.append(
            f"No C compiler was found (looked for {', '.join(dict.fromkeys(names))}) for packages that come unbuilt: "
            "apt-get install build-essential, dnf install gcc or xcode-select --install; or name yours with CC=."
        )
    if not shutil.which("make", path=path):
        faults.append("make was not found in PATH: apt-get install make, or dnf install make.")
    return faults


def disk_fault(folder: Path, needed_gb: int) -> str | None:
    """A sentence when less than `needed_gb` GB are free where the environments go."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb >= needed_gb:
        return None
    return (
        f"{folder} has {free_gb:.1f} GB free, and the environments still to be installed take up to {needed_gb} GB: "
        "free some space, or clone the project to a larger disk."
    )


def network_fault() -> str | None:
    """A sentence when pip, configured as it is here, cannot fetch one small package; None without a pip to ask."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        return None
    options = ["--no-deps", "--no-cache-dir", "--retries", "1", "--timeout", "20", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        asked = [*pip, "download", "-q", *options, "-d", folder, _SMALL_PACKAGE]
        done = subprocess.run(asked, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    return (
        f"Packages have to be installed, and pip could not fetch even {_SMALL_PACKAGE} (it said: {said}): "
        "connect to the network, or tell pip your proxy or package index (pip config set), and run again."
    )


def port_faults(environ: Mapping[str, str], home: Path) -> list[str]:
    """Sentences about ports in use; none while our own stack is up in this home."""
    if ports.stack_is_up(home):
        return []
    faults, wanted = [], []
    for who, variable, default, elsewhere in ports.PORTS:
        if elsewhere and environ.get(elsewhere):
            continue
        value = environ.get(variable) or str(default)
        if not (value.isdigit() and 1 <= int(value) <= 65535):
            faults.append(f"{variable} is {value!r}, which is no port: give a number from 1 to 65535.")
            continue
        wanted.append((who, int(value), variable))
        if not ports.is_free(int(value)):
            faults.append(ports.taken(who, int(value), variable))
    return faults + ports.met(wanted)


def faults(names: Sequence[str], with_ports: bool, environ: Mapping[str, str]) -> list[str]:
    """Everything that stands in the way of these environments (and of the services, `with_ports`)."""
    old = python_fault(sys.version_info[:3])
    if old:
        return [old]
    from retort import environments  # needs Python 3.11

    found = []
    missing = [name for name in names if not environments.is_installed(name)]
    if missing:
        checks = [venv_fault(), disk_fault(ports.PROJECT, sum(GIGABYTES[name] for name in missing)), network_fault()]
        found = tool_faults(environ) + [fault for fault in checks if fault]
    if with_ports:
        settings = {**ports.dotenv(ports.PROJECT / ".env"), **environ}
        found += port_faults(settings, Path(settings.get("RETORT_HOME") or ports.PROJECT / ".retort"))
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the faults, if any; 0 when there is none."""
    parser = argparse.ArgumentParser(prog="python3 -m retort.preflight", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="what will be set up: app, training, argilla, test")
    parser.add_argument("--ports", action="store_true", help="also look whether the services' ports are free")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in GIGABYTES]
    if unknown:
        parser.error(f"no such environment: {', '.join(unknown)}")
    found = faults(chosen.names, chosen.ports, os.environ)
    for fault in found:
        print(f"retort: {fault}", file=sys.stderr)
    return _EXIT_FAULT if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
