"""Start an embedded Argilla: the real server and UI as one process on one SQLite file.

Run as (in the argilla environment, with the project's root on PYTHONPATH):

    RETORT_DESK_OWNER=owner RETORT_DESK_PASSWORD=... RETORT_DESK_API_KEY=... RETORT_DESK_WORKSPACE=retort \\
        python -m review.embedded.launch --home .retort/argilla --port 6900

It listens on 127.0.0.1 only. Ready when `GET /api/v1/status` answers 200, about 8 s of CPU after the start; the second
start is as fast as the first. SIGTERM stops it; kill -9 loses nothing that was answered. Exit code 3 and one sentence
when the machine lacks something: another release of argilla-server, a port in use, credentials missing, home taken.

Importing anything of argilla_server creates its whole application from the environment, so the order here matters:
environment, in-process jobs, search engine, migrations, owner, server.
"""

import argparse
import asyncio
import importlib.metadata
import json
import os
import socket
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from records.errors import EnvironmentFault, RetortError
from records.telemetry import OFF
from review.embedded import home as home_folder
from review.embedded.accounts import Owner, ensure_owner
from review.folder import ARGILLA, DATABASE, hold

HOST = "127.0.0.1"
CREDENTIALS = ("RETORT_DESK_OWNER", "RETORT_DESK_PASSWORD", "RETORT_DESK_API_KEY", "RETORT_DESK_WORKSPACE")


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped; the exit code."""
    parser = argparse.ArgumentParser(prog="review.embedded.launch", description="Argilla as one process on SQLite.")
    parser.add_argument("--home", type=Path, required=True, help="folder for the database; made when missing")
    parser.add_argument("--port", type=int, default=6900, help="port on 127.0.0.1 (default 6900)")
    options = parser.parse_args(arguments)
    try:
        serve(options.home.expanduser().resolve(), options.port, owner_from(os.environ))
    except RetortError as error:
        print(f"argilla: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        pass
    return 0


def serve(home: Path, port: int, owner: Owner) -> None:
    """Prepare the folder and the database, then serve until a signal comes. Raises EnvironmentFault."""
    check_release()
    with hold(home), listening(port) as listener:
        home_folder.prepare(home)
        os.environ.update(environment(home, port, os.environ))
        _install_parts()
        _migrate()
        _index(home)
        asyncio.run(ensure_owner(owner))
        _run_server(listener)


def check_release() -> None:
    """Raises EnvironmentFault unless the installed server is the one that the engine was written for."""
    try:
        found = importlib.metadata.version("argilla-server")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != ARGILLA:
        raise EnvironmentFault(
            f"the embedded Argilla needs argilla-server {ARGILLA} exactly, found {found}: "
            f"install argilla-server=={ARGILLA} in the argilla environment (`make setup`)."
        )


def owner_from(environ: Mapping[str, str]) -> Owner:
    """The owner that the environment names. Raises EnvironmentFault that lists what is missing."""
    missing = [name for name in CREDENTIALS if not environ.get(name)]
    if missing:
        raise EnvironmentFault(f"set {', '.join(missing)} (see review/embedded/launch.py), then start Argilla again.")
    owner = Owner(*(environ[name] for name in CREDENTIALS))
    if len(owner.password) < 8:
        raise EnvironmentFault("RETORT_DESK_PASSWORD has fewer than the 8 characters that Argilla asks for.")
    return owner


def listening(port: int) -> socket.socket:
    """A socket on the port, taken before anything else is done. Raises EnvironmentFault when it is in use."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise EnvironmentFault(
            f"port {port} on {HOST} cannot be used ({reason}); choose another with --port."
        ) from None
    return listener


def environment(home: Path, port: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Argilla's settings. Raises EnvironmentFault for a database that the embedded engine cannot read."""
    if environ.get("ARGILLA_DATABASE_URL"):
        raise EnvironmentFault(
            "ARGILLA_DATABASE_URL is set, but the embedded Argilla keeps its own SQLite file: unset it, "
            "or run Argilla's own server with Elasticsearch (docker-compose.yml)."
        )
    return {
        "ARGILLA_HOME_PATH": str(home),
        "ARGILLA_SEARCH_ENGINE": "embedded",
        "ARGILLA_AUTH_SECRET_KEY": home_folder.auth_secret(home),
        "ARGILLA_CORS_ORIGINS": json.dumps([f"http://{name}:{port}" for name in (HOST, "localhost")]),
        **OFF,
        "HF_HUB_OFFLINE": environ.get("HF_HUB_OFFLINE", "1"),
    }


def _install_parts() -> None:
    from review.embedded import jobs

    jobs.install()
    from review.embedded import engine, shortcuts  # noqa: F401 - importing the engine registers it

    shortcuts.install()


def _migrate() -> None:
    from alembic import command, config
    from argilla_server.database import ALEMBIC_CONFIG_FILE

    command.upgrade(config.Config(ALEMBIC_CONFIG_FILE), "head")


def _index(home: Path) -> None:
    from review.embedded import index

    said = "argilla: building the index of its records, once"
    try:
        index.ensure(home / DATABASE, lambda: print(said, file=sys.stderr, flush=True))
    except sqlite3.Error as error:
        raise EnvironmentFault(
            f"the records of {home / DATABASE} cannot be indexed ({error}): free disk space, or `retort desk restore`."
        ) from None


def _run_server(listener: socket.socket) -> None:
    import uvicorn
    from argilla_server import app

    settings = uvicorn.Config(app, log_level="info", access_log=False, timeout_graceful_shutdown=5)
    uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
