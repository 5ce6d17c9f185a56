"""The stack of local services: start, stop, how it stands, wait until it is ready.

    started = start(settings)                      # names; [] when all of them were up already
    wait_ready(settings, progress, timeout=300)    # raises ServiceError with the end of a crashed service's log
    for service in status(settings): ...
    stop(settings)                                 # names; [] when nothing ran

What was left behind by a kill -9 (socket, process ids, services without a supervisor) is recognised and cleared.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from flows.settings import PROJECT, Settings
from records.errors import EnvironmentFault, InputError, ServiceError
from records.progress import Progress, silent
from retort import ports
from retort.credentials import load_or_create
from retort.services import Program, as_environment, programs
from retort.supervision import Supervisor

_TAIL_LINES = 15
_TAIL_BYTES = 16_000


class Service(BaseModel, frozen=True):
    """How one service stands. state: stopped, starting, running, restarting, stopping, exited, failed."""

    name: str
    title: str
    state: str
    pid: int
    url: str
    ready: bool
    log: Path
    log_tail: str


def start(
    settings: Settings, names: Sequence[str] | None = None, services: Sequence[Program] | None = None
) -> list[str]:
    """Start these services (by default all) unless they are up; the names of those started, without waiting for them.

    Raises EnvironmentFault when a port is in use or the stack runs with other settings, InputError for an unknown name.
    """
    known = list(programs(settings) if services is None else services)
    chosen = [program.name for program in known] if names is None else list(names)
    _check_names(chosen, known)
    supervisor = Supervisor(settings.home)
    if supervisor.is_up():
        _check_same(settings)
        running = {name for name, state, _ in supervisor.states() if state in ("starting", "running", "restarting")}
        _check_ports([one for one in known if one.name in chosen and one.name not in running])
        return supervisor.start(chosen)
    supervisor.clear_leftovers()
    _check_ports([one for one in known if one.name in chosen])
    load_or_create(settings.home)
    mine = {"PYTHONPATH": str(PROJECT), **as_environment(settings)}
    supervisor.begin(known, {**os.environ, **mine})
    _note(settings).write_text(json.dumps(as_environment(settings, with_secrets=False)), "utf-8")
    return supervisor.start(chosen)


def stop(settings: Settings) -> list[str]:
    """Stop all services and the supervisor; the names of those that ran."""
    supervisor = Supervisor(settings.home)
    if not supervisor.is_up():
        return supervisor.clear_leftovers()
    running = [name for name, state, _ in supervisor.states() if state not in ("stopped", "exited", "failed")]
    supervisor.end()
    supervisor.clear_leftovers()
    return running


def status(settings: Settings, services: Sequence[Program] | None = None) -> list[Service]:
    """How every service stands now; asks each running one whether it is ready (at most two seconds each)."""
    supervisor = Supervisor(settings.home)
    states = {name: (state, pid) for name, state, pid in supervisor.states()} if supervisor.is_up() else {}
    found = []
    for one in programs(settings) if services is None else services:
        state, pid = states.get(one.name, ("stopped", 0))
        log = settings.home / "logs" / f"{one.name}.log"
        ready = state in ("starting", "running") and one.ready()
        shown = "running" if ready else state  # the supervisor calls the first minute "starting"
        found.append(
            Service(
                name=one.name,
                title=one.title,
                state=shown,
                pid=pid,
                url=one.url,
                ready=ready,
                log=log,
                log_tail=_tail(log),
            )
        )
    return found


def wait_ready(
    settings: Settings,
    progress: Progress = silent,
    timeout: float = 300,
    services: Sequence[Program] | None = None,
) -> list[Service]:
    """Wait until every started service is ready. Raises ServiceError, with the end of its log, for one that crashed."""
    until = time.monotonic() + timeout
    while True:
        begun = [service for service in status(settings, services) if service.state != "stopped"]
        waiting = [service for service in begun if not service.ready]
        progress("starting", len(begun) - len(waiting), len(begun), ", ".join(one.name for one in waiting))
        if not waiting:
            return begun
        crashed = next((one for one in waiting if one.state in ("failed", "exited")), None)
        if crashed:
            raise ServiceError(f"{crashed.title} crashed. The end of {crashed.log}:\n{crashed.log_tail}")
        if time.monotonic() > until:
            slow = waiting[0]
            raise ServiceError(
                f"{slow.title} was not ready within {timeout:.0f} s (it is {slow.state}). "
                f"The end of {slow.log}:\n{slow.log_tail}"
            )
        time.sleep(0.5)


def _note(settings: Settings) -> Path:
    return settings.home / "run" / "settings.json"


def _check_names(chosen: Sequence[str], known: Sequence[Program]) -> None:
    names = [program.name for program in known]
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise InputError(f"No service here is called {', '.join(unknown)}: there are {', '.join(names)}.")


def _check_same(settings: Settings) -> None:
    """The services read their settings when they started: other ones now would ask at the wrong door."""
    if not _note(settings).is_file():
        return
    then, now = json.loads(_note(settings).read_text("utf-8")), as_environment(settings, with_secrets=False)
    changed = [
        f"{key} ({then.get(key)}, now {now.get(key)})" for key in sorted({*then, *now}) if then.get(key) != now.get(key)
    ]
    if changed:
        raise EnvironmentFault(f"The stack runs with other settings: {', '.join(changed)}. Run `retort down` first.")


def _check_ports(starting: Sequence[Program]) -> None:
    meeting = ports.met([(one.title, one.port, one.variable) for one in starting if one.port is not None])
    if meeting:
        raise EnvironmentFault(meeting[0])
    for one in starting:
        if one.port is not None and not ports.is_free(one.port):
            raise EnvironmentFault(ports.taken(one.title, one.port, one.variable))


def _tail(log: Path) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
