"""A real embedded Argilla for tests: one server for the whole session, which a test may kill and start again."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from review import people
from review.desk import Desk

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv/argilla/bin/python"
WORKSPACE = "retort"
REVIEWERS = ("reviewer-1", "reviewer-2")


class RunningArgilla:
    """The server's process, its address and everyone's credentials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.people = people.credentials(folder / "credentials.json", REVIEWERS)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> str:
        assert self.people.owner.api_key
        return self.people.owner.api_key

    def start(self) -> None:
        command = [str(PYTHON), "-m", "review.embedded.launch"]
        command += ["--home", str(self.folder / "argilla"), "--port", str(self.port)]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **people.owner_environment(self.people.owner, WORKSPACE)}
        with (self.folder / "argilla.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self._wait()

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def _wait(self, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/api/v1/status", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError("Argilla did not start:\n" + (self.folder / "argilla.log").read_text()[-3000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def argilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArgilla]:
    """The server, both reviewers seated."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: `make test` sets it up")
    server = RunningArgilla(tmp_path_factory.mktemp("argilla"))
    server.start()
    owner = Desk.connect(server.url, server.key, WORKSPACE)
    people.ensure(owner, server.people.reviewers)
    owner.close()
    yield server
    server.stop()


@pytest.fixture
def desk(argilla: RunningArgilla) -> Iterator[Desk]:
    """The desk as its owner sees it."""
    connected = Desk.connect(argilla.url, argilla.key, WORKSPACE)
    yield connected
    connected.close()
