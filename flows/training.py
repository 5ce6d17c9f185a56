"""How a run of a task is made: which recipe, base model, options and machine; trained here, measured on validation.

What `train`, the sweep and the learning curve have in common. Knows no Prefect, defines no flow.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from flows.context import Context
from prompts.definition import ChoiceAnswer
from prompts.privacy import check_hub, check_url, is_closed
from prompts.task import Task
from records.errors import InputError
from training import balance, base, estimate, launcher, machine, options, run
from training import recipe as recipes
from training.dataset import read_manifest
from training.measure import Validated, validated
from training.shape import shape_of


@dataclass(frozen=True)
class Plan:
    """A run that is about to start: all that it needs, and what it will cost."""

    dataset: Path
    recipe: recipes.Recipe
    base: str
    options: options.Options
    threads: int
    need: estimate.Need
    here: machine.Machine


def load_recipe(task: Task, name: str) -> recipes.Recipe:
    """The recipe of that name, or the task's own; refused where the task's privacy forbids what it says."""
    chosen = recipes.load(name or task.student.recipe, folder=task.folder)
    if is_closed(task):
        recipes.check_sealed(chosen)
    return chosen


def check_base(task: Task, base_model: str) -> None:
    """Refuse a base model that would come from a hub outside of the task's allow-list. Raises InputError."""
    if base.is_hub_name(base_model):
        check_hub(task, f"the base model {base_model!r}")


def plan(context: Context, task: Task, dataset: Path, recipe: recipes.Recipe, base_model: str, ready: bool) -> Plan:
    """What a run will be. `ready`: fetch or unpack the base model where that is needed (not in a dry run).

    Raises InputError for settings that do not go together.
    """
    settings, python = context.settings, context.settings.training_python
    models = settings.folder("models")
    local = models.absolute() / "base" / base.PACKAGED
    found = base.ensure_base(base_model, models, python, context.progress) if ready else base_model
    most = _most_repeats(task)
    lengths = _lengths(dataset / "train.jsonl", most)
    here = machine.this_machine()
    gpus = launcher.gpus_used(recipe.settings, settings.gpus, len(here.gpus))
    stopping = recipes.stopping_early(recipe, len(lengths), task.training.patience, gpus)
    threads = settings.threads or os.cpu_count() or 1
    size = shape_of(str(local) if base_model == base.PACKAGED else found)
    need = estimate.estimate(stopping.settings, size, lengths, here, gpus, threads)
    chosen = options.Options(most_repeats=most, revision=_revision(task, base_model), gpus=max(1, gpus))
    return Plan(dataset, stopping, found, chosen, threads, need, here)


def train_run(context: Context, task: Task, planned: Plan) -> run.TrainResult:
    """Train as planned, or find the same run finished. Raises EnvironmentFault where it cannot fit this machine."""
    runs, python = context.settings.folder("runs", task.name), context.settings.training_python
    folder = run.run_folder(
        runs, read_manifest(planned.dataset)["hash"], planned.recipe, planned.base, planned.options.mark
    )
    if not (folder / "finished.json").is_file():
        estimate.check_fits(planned.need, planned.recipe.settings, planned.recipe.name, planned.here)
    watched = planned.options.model_copy(update=_tracking(task, folder.name))
    only = list(task.allowed_hosts) if is_closed(task) else None
    told = context.progress
    return run.train(planned.dataset, planned.recipe, planned.base, runs, python, planned.threads, told, only, watched)


def measure_run(context: Context, task: Task, result: run.TrainResult, dataset: Path) -> list[Validated]:
    """A finished run on the dataset's validation split."""
    said = list(task.said.values()) if isinstance(task.answer, ChoiceAnswer) else []
    return validated(result, dataset, context.settings.training_python, said, context.progress)


def _lengths(rows: Path, most: int) -> list[int]:
    """Characters of each row that is trained, repeats included."""
    answers = balance.answers_of(rows)
    times = balance.repeats_of(answers, most)
    lengths = estimate.row_lengths(rows)
    return [n for n, said in zip(lengths, answers, strict=True) for _ in range(times[said])]


def _most_repeats(task: Task) -> int:
    if task.training.balance == "none":
        return 1
    if not isinstance(task.answer, ChoiceAnswer):
        raise InputError(f"{task.name} answers with objects, which have no label to balance: training.balance: none.")
    return task.training.most_repeats


def _revision(task: Task, base_model: str) -> str | None:
    """The pinned revision, for the task's own hub model: another one of a sweep has commits of its own."""
    own = base_model == task.student.base_model and base.is_hub_name(base_model)
    return task.student.base_revision if own else None


def _tracking(task: Task, run_name: str) -> dict[str, dict[str, str]]:
    """What the run's options say of a tracker. Raises InputError where privacy forbids it or its key is missing."""
    spec = task.training.tracking
    if spec is None:
        return {}
    if spec.kind == "wandb" and spec.address is None and is_closed(task):
        raise InputError(
            f"{task.name}: privacy: self_hosted, but training.tracking: wandb without an address tells wandb.ai. Give "
            "the address of a W&B server of your own, or use tensorboard, which only writes files."
        )
    if spec.address:
        check_url(task, spec.address, "tracker")
    name = spec.api_key_env
    key = os.environ.get(name) if name else None
    if name and not key:
        raise InputError(f"the environment variable {name} (training.tracking.api_key_env in task.yaml) is not set.")
    settings, secrets = options.tracking(spec.kind, spec.address, spec.project, f"{task.name} {run_name}", key)
    return {"tracking": settings, "environment": secrets}
