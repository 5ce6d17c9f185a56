"""The whole stack as `retort up` starts it, in a home of its own, and a tiny task whose student trains in seconds.

It runs under RETORT_ALLOWED_HOSTS=127.0.0.1, and the task is self-hosted: whatever tries to reach another host is
refused and noted. Under `make test` the kernel cuts the network off besides, where it lets us (without_network.py).
One stack for all tests of the circle: it takes about a minute to start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from fixtures_serving import free_port
from task_folders import CHOICE, write_task

from flows.settings import Settings
from records.library import document
from records.types import Answer
from retort import running, services, stack

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("office", "shop", "warehouse", "studio", "garage", "kitchen", "cellar", "hall", "barn", "attic")
WORDINGS = {
    "lease": ("The landlord wants the {} back.", "Rent for the {} goes up.", "May we sublet the {}?"),
    "debt": ("The invoice for the {} is unpaid.", "Third reminder about the {}.", "They owe us money for the {}."),
}
RECIPE = {
    "lora_r": 8,
    "peft_layers_to_transform": list(range(20, 30)),
    "num_epochs": 2,
    "learning_rate": 0.003,
    "warmup_ratio": 0.0,
    "save_steps": 50,
}


@dataclass
class Circle:
    """A running stack, and the tiny task: its folder, its documents' file, and the right answers."""

    settings: Settings
    task: Path
    documents: Path
    gold: dict[str, Answer]

    def retort(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line, in this home: its environment alone says so, never this process's."""
        command = [sys.executable, "-m", "retort.cli", *arguments]
        environ = {**os.environ, **services.as_environment(self.settings)}
        environ.pop("PREFECT_HOME", None)
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)


def tiny_task(folder: Path, name: str = "tiny") -> Path:
    """A task of two labels outside the repository, with a recipe beside it that takes seconds."""
    recipe = yaml.safe_load((ROOT / "training/recipes/cpu-135m.yaml").read_text())
    both = [{"name": "lease", "description": "rent"}, {"name": "debt", "description": "money"}]
    labels = {"kind": "choice", "labels": both}
    write_task(
        folder,
        {**CHOICE, "name": name, "title": name.title(), "answer": labels, "examples": CHOICE["examples"][:2]},
        teacher={"model": "openai/smollm2-135m-instruct", "api_base": "local", "max_in_flight": 1},
        student={"recipe": "tiny.yaml"},
        review={"trust_above": 1.0, "unprompted_share": 0.0, "near_duplicates_once": False},
        training={"min_corrections": 10, "min_new_corrections": 5},
        privacy="self_hosted",
        gate={
            "margin": 0.5,
            "label_margin": 0.9,
            "min_test_documents": 5,
            "p95_latency_ms": 60_000,
            "max_unreadable_rate": 1.0,
            "load": {"in_flight": [1, 2], "answers": 10},
        },
    )
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**recipe, **RECIPE}))
    return folder


def sixty_documents(file: Path) -> dict[str, Answer]:
    """Sixty short messages as JSONL; the right answers by document id."""
    texts = {w.format(place): label for label, ws in WORDINGS.items() for w in ws for place in PLACES}
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return {document("tiny", text, "test").id: label for text, label in texts.items()}


@pytest.fixture(scope="session")
def circle(tmp_path_factory: pytest.TempPathFactory, base_model: str) -> Iterator[Circle]:
    """The stack, all five services ready and the deployments registered; Prefect's client speaks to it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    folder = tmp_path_factory.mktemp("circle")
    home = folder / "home"
    (home / "models" / "base").mkdir(parents=True)
    (home / "models" / "base" / Path(base_model).name).symlink_to(base_model)
    ports = {f"{name}_port": free_port() for name in ("prefect", "argilla", "model", "gateway")}
    settings = Settings(home=home, allowed_hosts="127.0.0.1", _env_file=None, **ports)
    documents = folder / "mails.jsonl"
    gold = sixty_documents(documents)
    try:
        running.start(settings, lambda *_: None)
        with temporary_settings({PREFECT_API_URL: settings.prefect_api}):
            yield Circle(settings, tiny_task(folder / "tiny"), documents, gold)
    finally:
        stack.stop(settings)
