"""Which ports the stack takes, whether they are free, and where the supervisor of a running stack listens.

Standard library only and in old syntax: the preflight reads it before anything is installed, on any Python.
The defaults are those of `flows.settings`, which cannot be imported yet; a test holds the two together.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

# What listens, the variable that moves it, its default, and the variable that replaces it by a service elsewhere.
PORTS = (
    ("Prefect", "RETORT_PREFECT_PORT", 4200, ""),
    ("Argilla", "RETORT_ARGILLA_PORT", 6900, "RETORT_ARGILLA_URL"),
    ("the model server", "RETORT_MODEL_PORT", 8081, "RETORT_MODEL_URL"),
    ("the gateway", "RETORT_GATEWAY_PORT", 4000, ""),
)
_LONGEST_SOCKET_PATH = 100  # the kernel allows 104 (BSD) to 108 (Linux) bytes


def is_free(port: int) -> bool:
    """Whether a service could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def taken(who: str, port: int, variable: str) -> str:
    """The sentence about a port in use."""
    return (
        f"Port {port}, where {who} should listen, is in use by another program: stop that program, "
        f"or choose another port with {variable}=NUMBER (in the environment or in .env)."
    )


def met(wanted: list[tuple[str, int, str]]) -> list[str]:
    """Sentences about services that would listen on one port. `wanted`: who, where, and the variable that moves it."""
    faults = []
    for n, (who, port, variable) in enumerate(wanted):
        for other, same, _ in wanted[:n]:
            if same == port:
                cure = (
                    f"choose another port for one of them, as with {variable}=NUMBER (in the environment or in .env)."
                )
                faults.append(f"Port {port} is where both {other} and {who} should listen: {cure}")
    return faults


def control_socket(home: Path) -> Path:
    """The supervisor's unix socket: in the home, or in a private temporary folder where that path is too long."""
    path = home.absolute() / "run" / "supervisor.sock"
    if len(os.fsencode(str(path))) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(str(home.absolute()))).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"retort-{os.getuid()}-{name}" / "supervisor.sock"


def stack_is_up(home: Path) -> bool:
    """Whether a supervisor answers on this home's socket (a socket left behind by kill -9 refuses)."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(control_socket(home)))
        except OSError:
            return False
    return True


def dotenv(path: Path) -> dict[str, str]:
    """The plain NAME=value lines of a .env file; {} where there is none."""
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text("utf-8").splitlines() if "=" in line and line[:1] != "#")
    return {name.replace("export ", "", 1).strip(): value.strip().strip("'\"") for name, value in pairs}
