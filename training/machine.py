"""What this machine has for a training: memory that is free, cores, GPUs. Read from the system, no vendor imported.

    Machine(memory_gb=14.2, cores=2, gpus=[])
    Machine(memory_gb=118.0, cores=32, gpus=[Gpu(name="NVIDIA A100-SXM4-80GB", memory_gb=79.2)])

GB are 10**9 bytes. Where a container limits memory (cgroup v2), the limit counts.
"""

import os
import subprocess
from pathlib import Path

from pydantic import Field

from records.types import Record

_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


class Gpu(Record):
    """One GPU, and all of its memory."""

    name: str
    memory_gb: float


class Machine(Record):
    """`memory_gb`: main memory that is available now; None: not known."""

    memory_gb: float | None
    cores: int
    gpus: list[Gpu] = Field(default_factory=list)


def this_machine() -> Machine:
    """What is here and free now. Asks `nvidia-smi` where there is one (a second)."""
    return Machine(memory_gb=_available_gb(), cores=os.cpu_count() or 1, gpus=_gpus())


def _available_gb() -> float | None:
    found = [_system_bytes(), _container_bytes()]
    known = [one for one in found if one is not None]
    return round(min(known) / 1e9, 2) if known else None


def _system_bytes() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    stated = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return stated[0] if stated else None


def _container_bytes() -> int | None:
    try:
        limit = int((_CONTAINER / "memory.max").read_text(encoding="ascii"))
        used = int((_CONTAINER / "memory.current").read_text(encoding="ascii"))
        stated = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # no cgroup v2, or `max`: no limit
        return None
    return limit - used + int(stated.get("inactive_file", 0))  # files in the cache give way


def _gpus() -> list[Gpu]:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return read_gpus(said)


def read_gpus(said: str) -> list[Gpu]:
    """The GPUs that `nvidia-smi` lists: `name, MiB` a line; a line that is none is left out."""
    found = []
    for line in said.splitlines():
        name, _, mib = line.rpartition(",")
        if name.strip() and mib.strip().isdigit():
            found.append(Gpu(name=name.strip(), memory_gb=round(int(mib) * 2**20 / 1e9, 1)))
    return found
