"""One small real training for all tests of a session: SmolLM2, two labels, killed with -9 once, resumed, exported.

About two minutes on two free cores. The de-quantised base model (540 MB, a minute) is kept in .retort/models, where
`make demo` keeps it too: the same artefact by the same code.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from records.split import cluster_of, document_id, split_of
from records.types import Split
from training import base, dataset, export, recipe, run

ROOT = Path(__file__).parent.parent
SYSTEM = "Sort the message."
TINY = {
    "lora_r": 8,
    "peft_layers_to_transform": list(range(20, 30)),
    "micro_batch_size": 4,
    "num_epochs": 12,
    "learning_rate": 0.003,
    "warmup_ratio": 0.0,
    "save_steps": 4,
}
TEXTS = {
    "debt": (
        "The invoice from May is still open.",
        "Third reminder, no money came.",
        "He cannot pay the bill.",
        "They owe us 900 euros.",
        "Please collect the sum.",
        "Their cheque bounced again.",
    ),
    "lease": (
        "The roof of our office leaks.",
        "Our landlord raises the rent.",
        "May we sublet the shop?",
        "The warehouse is too small now.",
        "Keys to the new building?",
        "The premises need paint.",
    ),
}


@dataclass
class SmallTraining:
    """What the session's training left: the dataset, the result after the resume, the files, what progress said."""

    data: Path
    recipe: recipe.Recipe
    base: str
    runs: Path
    result: run.TrainResult
    exported: export.ExportResult
    killed_at: int
    orphans: list[int]
    said: list[tuple[str, int, int, str]] = field(default_factory=list)


def training_python() -> Path:
    """The interpreter of the training environment; the test is skipped where it is not installed."""
    path = Path(os.environ.get("RETORT_TRAINING_PYTHON", ROOT / ".venv" / "training" / "bin" / "python"))
    if not path.exists():
        pytest.skip(f"the training environment is not installed ({path}): make setup")
    return path


def small_rows() -> list[dataset.Row]:
    """The texts above that are no test documents, as rows."""
    rows = []
    for answer, texts in TEXTS.items():
        for text in texts:
            cluster = cluster_of(text)
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": answer},
            ]
            rows.append(
                dataset.Row(
                    document_id=document_id(text),
                    cluster=cluster,
                    split=split_of(cluster),
                    messages=messages,
                    source="correction",
                )
            )
    return [row for row in rows if row.split is not Split.test]


@pytest.fixture(scope="session")
def real_training_python() -> Path:
    return training_python()


@pytest.fixture(scope="session")
def base_model(real_training_python: Path) -> str:
    return base.ensure_base(base.PACKAGED, ROOT / ".retort" / "models", real_training_python)


@pytest.fixture(scope="session")
def small_training(
    tmp_path_factory: pytest.TempPathFactory, real_training_python: Path, base_model: str
) -> SmallTraining:
    home = tmp_path_factory.mktemp("small_training")
    data, runs = home / "datasets" / "1", home / "runs"
    dataset.build("small", small_rows(), data, prompt="small")
    path = home / "tiny.yaml"
    path.write_text(json.dumps(recipe.load("cpu-135m").settings | TINY))
    tiny = recipe.load(str(path))
    folder = run.run_folder(runs, dataset.read_manifest(data)["hash"], tiny, base_model)
    killed_at, orphans = _train_and_kill(data, path, base_model, runs, real_training_python, folder)
    said: list[tuple[str, int, int, str]] = []
    result = run.train(
        data, tiny, base_model, runs, real_training_python, threads=1, progress=lambda *told: said.append(told)
    )
    exported = export.export(result, home / "models", real_training_python)
    return SmallTraining(data, tiny, base_model, runs, result, exported, killed_at, orphans, said)


def _train_and_kill(
    data: Path, path: Path, base_model: str, runs: Path, python: Path, folder: Path
) -> tuple[int, list[int]]:
    """Start the job in its own process, kill -9 that process after a checkpoint; (last step seen, orphans left)."""
    code = (
        "import sys; from pathlib import Path; from training import recipe, run\n"
        "data, path, base, runs, python = sys.argv[1:]\n"
        "run.train(Path(data), recipe.load(path), base, Path(runs), Path(python), threads=1)"
    )
    command = [sys.executable, "-c", code, str(data), str(path), base_model, str(runs), str(python)]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 400
    while not (folder / "output" / "checkpoint-4" / "trainer_state.json").is_file():
        assert process.poll() is None, (folder / "log.txt").read_text()[-2000:]
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.2)
    children = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return run.read_progress(folder)[-1]["step"], [child for child in children if _alive(child)]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
