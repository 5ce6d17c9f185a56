"""A process that can speak to the loopback and to listed hosts only: its own sockets refuse everything else.

`environment` gives the variables for a child process; its Python then loads `records/guard/sitecustomize.py` before
anything else, which calls `install`. Every connection, datagram and look-up of a name passes Python's audit events, and
one that is not allowed raises PermissionError, as a firewall would, and is noted in a log. It is a second line behind
the checks of task and recipe, against what a library does by itself. It needs no rights and works on every system.

What it cannot see: sockets of native code (llama.cpp, a Rust or Go library), and programs that are not Python. Where
that matters, take the network away from the machine as well. Children inherit it unless they drop PYTHONPATH.

    subprocess.run([python, "-m", "axolotl..."], env={**os.environ, **cutoff.environment(["10.1.2.3"], root)})
"""

import contextlib
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from records.errors import EnvironmentFault
from records.hosts import as_address, is_allowed, is_host, is_loopback
from records.telemetry import SEALED

HOSTS = "RETORT_ALLOWED_HOSTS"
"""Names and addresses, separated by commas. Not set or empty: nothing is refused."""
LOG = "RETORT_REFUSED_LOG"
"""A file that gets one JSON line for each refusal."""
GUARD = Path(__file__).parent / "guard"
_CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKING_UP = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
_KNOWN_FOR_S = 60.0


def environment(hosts: Iterable[str], log: Path | None = None) -> dict[str, str]:
    """The variables of a guarded child: the list, the log, trackers sealed. PYTHONPATH comes by `python_path`."""
    told = {LOG: str(log)} if log else {}
    return {**SEALED, HOSTS: ",".join(hosts) or "localhost", **told}


def python_path(root: Path, environ: Mapping[str, str]) -> str:
    """PYTHONPATH of a child: the project, and before it the guard if `environ` wants one."""
    return os.pathsep.join([str(GUARD), str(root)] if environ.get(HOSTS) else [str(root)])


def listed(text: str) -> list[str]:
    """The hosts in a list as it stands in a setting. Raises EnvironmentFault for what is no host."""
    found = [one.strip() for one in text.split(",") if one.strip()]
    wrong = [one for one in found if not is_host(one)]
    if wrong:
        raise EnvironmentFault(
            f"{HOSTS}: {', '.join(map(repr, wrong))}: not a host. Give names or IP addresses, separated by commas, "
            "without scheme, port or wildcard."
        )
    return found


def install(environ: Mapping[str, str]) -> None:
    """Guard this process for the rest of its life, if `environ` wants it (an audit hook cannot be taken back)."""
    allowed = listed(environ.get(HOSTS, ""))
    if not allowed:
        return
    sys.modules.setdefault("uvloop", None)  # type: ignore[arg-type]  # its sockets are libuv's, unseen from here
    sys.addaudithook(_hook(allowed, environ.get(LOG)))


def _hook(allowed: list[str], log: str | None) -> Callable[[str, tuple[Any, ...]], None]:
    may = _Judge(allowed)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTING:
            target = arguments[1] if arguments[0].family in (socket.AF_INET, socket.AF_INET6) else None
            host, refused = (str(target[0]), not may.connect(str(target[0]))) if target else ("", False)
        elif event in _LOOKING_UP:
            host = _text(arguments[0])
            refused = not may.look_up(host)
        else:
            return
        if refused:
            _note(log, event, host)
            raise PermissionError(errno.EACCES, f"{host} is not among the allowed hosts ({', '.join(allowed)})")

    return hook


class _Judge:
    """What the list allows. A name's addresses are looked up when one is connected to, and known for a minute."""

    def __init__(self, allowed: list[str]) -> None:
        self._allowed = allowed
        self._names = [one.lower() for one in allowed if as_address(one) is None and one.lower() != "localhost"]
        self._own = {"", "localhost", "none", socket.gethostname().lower()}
        self._known: dict[str, float] = {}

    def look_up(self, host: str) -> bool:
        """Numbers need no look-up; names of others are not asked for: a look-up leaves the machine too."""
        return host.lower() in self._own or as_address(host) is not None or host.lower() in self._names

    def connect(self, host: str) -> bool:
        if as_address(host) is None:
            return self.look_up(host)
        if is_loopback(host) or is_allowed(host, [one for one in self._allowed if as_address(one)]):
            return True
        if self._known.get(host, 0.0) < time.monotonic():
            self._learn()
        return self._known.get(host, 0.0) >= time.monotonic()

    def _learn(self) -> None:
        for name in self._names:
            with contextlib.suppress(OSError):
                for entry in socket.getaddrinfo(name, None):
                    self._known[str(entry[4][0])] = time.monotonic() + _KNOWN_FOR_S


def _text(host: Any) -> str:
    if isinstance(host, tuple):
        host = host[0]
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")


def _note(log: str | None, event: str, host: str) -> None:
    if not log:
        return
    line = json.dumps({"at": time.time(), "pid": os.getpid(), "program": sys.argv[:3], "event": event, "host": host})
    with contextlib.suppress(OSError):
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)
