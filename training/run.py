"""The training itself: `axolotl train` as a process of its own, watched, and resumable at any moment.

A job is a dataset, a recipe and a base model; its folder's name follows from the three, so that the same job finds its
checkpoints again after a kill -9, and a finished one is recognised and not trained twice.

    runs/legal_intake/3f9c01d2a4b7-8e21c07b9a10/
        config.yaml      the filled-in recipe      log.txt        all that Axolotl said
        progress.jsonl   one line a step           prepared/      tokenised rows
        output/          adapter, checkpoint-N     finished.json  written last: the TrainResult
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from records.errors import ServiceError
from records.progress import Progress, silent
from records.types import Record
from training import balance, launcher
from training import recipe as recipes
from training.dataset import read_manifest
from training.environment import child_environment
from training.options import Options
from training.process import last_error, run_process


class TrainResult(Record):
    """A finished training. `loss`: mean of the last ten logged steps; `seconds`: wall time of the last call.

    `validation_loss`: the best that was evaluated on the validation split; None where the recipe evaluates nothing.
    """

    run: Path
    dataset_hash: str
    recipe: str
    recipe_hash: str
    base_model: str
    axolotl: str
    steps: int
    epochs: float
    loss: float
    seconds: float
    resumed_from: int = 0
    validation_loss: float | None = None
    stopped_early: bool = False
    revision: str | None = None

    @property
    def output(self) -> Path:
        """The folder with the adapter (or, of a full fine-tuning, the model)."""
        return self.run / "output"


def run_folder(runs_dir: Path, dataset_hash: str, recipe: recipes.Recipe, base: str, mark: str = "") -> Path:
    """Where this job lives, for ever: the same job, the same folder. `mark`: see `training.options`."""
    settings = hashlib.sha256(f"{recipe.hash}\n{base}{mark and chr(10) + mark}".encode()).hexdigest()
    return runs_dir.absolute() / f"{dataset_hash[:12]}-{settings[:12]}"


def train(
    dataset: Path,
    recipe: recipes.Recipe,
    base: str,
    runs_dir: Path,
    training_python: Path,
    threads: int = 2,
    progress: Progress = silent,
    only_hosts: Sequence[str] | None = None,
    options: Options | None = None,
) -> TrainResult:
    """Train `base` on the frozen `dataset`; the result of the earlier run where the same job was finished before.

    `only_hosts`: see `training.environment.child_environment`; the recipe must then name no tracker and no hub.

    Raises InputError for a changed dataset or a recipe that Axolotl refuses, ServiceError where Axolotl fails or the
    same job is being trained by another process. An interrupt (ctrl-C) ends the whole process group, then passes on.
    """
    manifest = read_manifest(dataset)
    options = options or Options()
    run = run_folder(runs_dir, manifest["hash"], recipe, base, options.mark)
    run.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        if (run / "finished.json").is_file():
            return TrainResult.model_validate_json((run / "finished.json").read_text(encoding="utf-8"))
        if only_hosts is not None:
            recipes.check_sealed(recipe)
        progress("training", 0, 0, "checking the recipe")
        version = recipes.check(recipe, training_python, options.tracking)
        resumed = prune_checkpoints(run / "output")
        _write_config(run, recipe, base, dataset.absolute(), options)
        started = time.monotonic()
        environment = child_environment(threads, offline=Path(base).is_dir(), only_hosts=only_hosts)
        environment |= launcher.environment(training_python, recipe.settings, options.gpus, environment)
        command = launcher.command(training_python, run / "config.yaml", recipe.settings, options.gpus)
        code = run_process(run, command, environment | options.environment, progress)
        _check_trained(run, code)
        seconds = round(time.monotonic() - started, 1)
        job = {"dataset_hash": manifest["hash"], "recipe": recipe.name, "recipe_hash": recipe.hash, "base_model": base}
        facts = {"run": run, **job, "axolotl": version, "seconds": seconds, "resumed_from": resumed}
        result = TrainResult.model_validate({**facts, "revision": options.revision, **_last_steps(run)})
        _finish(run, result)
    return result


def _write_config(run: Path, recipe: recipes.Recipe, base: str, dataset: Path, options: Options) -> None:
    """The filled-in recipe, and the training file where rare labels are repeated."""
    rows = None if options.most_repeats == 1 else balance.write(dataset, run, options.most_repeats).path
    config = recipes.fill_in(recipe, base, dataset, run, rows) | options.tracking
    if options.revision:
        config["revision_of_model"] = options.revision
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _check_trained(run: Path, code: int) -> None:
    if code or not any((run / "output").glob("*.safetensors")) or not read_progress(run):
        raise ServiceError(
            f"Axolotl ended with exit code {code}: {last_error(run / 'log.txt')} "
            f"The whole log: {run / 'log.txt'}. The same command again resumes at the last checkpoint."
        )


def _last_steps(run: Path) -> dict[str, Any]:
    """How far the training came, the mean loss of its last ten logged steps, and the best on the validation split."""
    steps, checked = read_progress(run), read_progress(run, "validation_loss")
    last = steps[-10:]
    end = (read_progress(run, "ended") or steps)[-1]
    return {
        "steps": end["step"],
        "epochs": end["epoch"],
        "loss": round(sum(line["loss"] for line in last) / len(last), 4),
        "validation_loss": min((line["validation_loss"] for line in checked if line["step"]), default=None),
        "stopped_early": end["step"] < end["total"],
    }


def prune_checkpoints(output: Path) -> int:
    """Remove checkpoints that a kill left half written; the step of the newest whole one (0 without any).

    `trainer_state.json` is the last file the trainer writes into a checkpoint.
    """
    newest = 0
    for folder in output.glob("checkpoint-*"):
        try:
            step = int(json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
            newest = max(newest, step)
        except (OSError, ValueError, KeyError):
            shutil.rmtree(folder)
    return newest


def read_progress(run: Path, what: str = "loss") -> list[dict[str, Any]]:
    """The logged steps of a run in order, each once: a step repeated after a resume counts with its last line.

    `what`: `loss`, `validation_loss` for the evaluations, or `ended` for the end.
    """
    path = run / "progress.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    steps = {}
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if what in entry:
                steps[entry["step"]] = entry
    return [steps[key] for key in sorted(steps)]


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold the run's lock; the system lets go of it when this process dies."""
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(f"This job is being trained by another process ({run}): wait for it.") from error
        yield


def _finish(run: Path, result: TrainResult) -> None:
    partial = run / ".finished.json"
    partial.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(partial, run / "finished.json")
