"""A supervisor for one home folder: supervisord with a generated config, spoken to by its private unix socket.

Why supervisord: a small, old, pure-Python program that already does what is easily got wrong by hand: restarts with
limits and back-off, stopping whole process groups, rotating logs, surviving the terminal. The config holds names,
commands and paths; a service that exits within a minute three times in a row is given up and reported.
"""

import http.client
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records.errors import ServiceError
from retort.launch import held
from retort.ports import control_socket, stack_is_up
from retort.services import Program

_STATES = {0: "stopped", 10: "starting", 20: "running", 30: "restarting", 40: "stopping", 100: "exited", 200: "failed"}
_PROGRAM = """
[program:{name}]
command={command}
directory={folder}
autostart=false
autorestart=true
startsecs=60
startretries=2
stopwaitsecs=20
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""
_DAEMON = """[unix_http_server]
file={socket}
chmod=0600

[supervisord]
identifier=retort
directory={folder}
logfile={log}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={pidfile}
childlogdir={folder}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def config(programs: Sequence[Program], home: Path) -> str:
    """The supervisor's config. No secret, no address: services read those themselves (see `retort.launch`)."""
    run, logs = home / "run", home / "logs"
    names = {"socket": control_socket(home), "folder": run, "pidfile": run / "supervisord.pid"}
    parts = [_DAEMON.format(**{key: _value(path) for key, path in names.items()}, log=_value(logs / "supervisord.log"))]
    for program in programs:
        command = _value(shlex.join(program.argv))
        log = _value(logs / f"{program.name}.log")
        parts.append(_PROGRAM.format(name=program.name, command=command, folder=_value(run), log=log))
    return "".join(parts)


class Supervisor:
    """The supervisor of one home, up or not."""

    def __init__(self, home: Path) -> None:
        """`home` is where its config, pid and logs are kept."""
        self._home = home.absolute()

    def is_up(self) -> bool:
        """Whether it answers."""
        return stack_is_up(self._home)

    def begin(self, programs: Sequence[Program], environ: dict[str, str]) -> None:
        """Start the supervisor itself, with no program running yet; services get `environ`. Raises ServiceError."""
        for folder in (self._home / "run", self._home / "logs", control_socket(self._home).parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        control_socket(self._home).unlink(missing_ok=True)  # left behind by kill -9, else it would be there no more
        file = self._home / "run" / "supervisord.conf"
        file.write_text(config(programs, self._home), "utf-8")
        file.chmod(0o600)
        asked = [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]
        done = subprocess.run(asked, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode or not _within(15, self.is_up):
            raise ServiceError(f"The supervisor did not start: {(done.stderr or done.stdout).strip() or 'no answer'}")

    def start(self, names: Sequence[str]) -> list[str]:
        """Start those of `names` that do not run; which they were."""
        idle = [name for name, state, _ in self.states() if name in names and state in ("stopped", "exited", "failed")]
        for name in idle:
            self._call("startProcess", name, False)
        return idle

    def states(self) -> list[tuple[str, str, int]]:
        """(name, state, process id or 0) of every program."""
        return [
            (one["name"], _STATES.get(one["state"], "unknown"), one["pid"]) for one in self._call("getAllProcessInfo")
        ]

    def end(self) -> None:
        """Stop every program and the supervisor. Raises ServiceError when they do not stop within a minute."""
        self._call("shutdown")
        pidfile = self._home / "run" / "supervisord.pid"
        if not _within(60, lambda: not self.is_up() and not pidfile.exists()):
            raise ServiceError(
                f"The services did not stop within a minute; see {self._home / 'logs' / 'supervisord.log'}."
            )

    def clear_leftovers(self) -> list[str]:
        """Stop services whose supervisor was killed from under them; which they were."""
        left = held(self._home)
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for pid in held(self._home).values():
                os.killpg(pid, sent)
            if _within(10, lambda: not held(self._home)):
                break
        return sorted(left)

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{control_socket(self._home)}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (xmlrpc.client.Error, http.client.HTTPException, OSError) as error:
            raise ServiceError(f"The supervisor of {self._home} did not do {method}: {error}") from error


def _value(text: Path | str) -> str:
    return str(text).replace("%", "%%")  # the config expands %


def _within(seconds: float, true: Any) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
