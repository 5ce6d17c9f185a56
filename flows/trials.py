"""The sweep: every combination of `training.sweep` trained, measured on the validation split, the best one chosen.

A step of `train`; each trial is a run of its own, so the same command goes on where a kill stopped it.
"""

from collections.abc import Sequence
from pathlib import Path

from flows.context import Context
from flows.training import Plan, check_base, measure_run, plan, train_run
from prompts.task import Task
from records.errors import InputError
from records.types import DatasetVersion
from training import recipe as recipes
from training import sweep
from training.sweep import Trial, Tried


def trials_of(task: Task) -> list[Trial]:
    """The trials that task.yaml asks for. Raises InputError where there are none, or too many."""
    spec = task.training.sweep
    if spec is None:
        raise InputError(
            f"{task.name} has no training.sweep in task.yaml: give values to try, for example "
            "sweep: {learning_rate: [0.0005, 0.001], lora_r: [8, 16]}."
        )
    choices: dict[str, Sequence[float]] = {
        "learning_rate": spec.learning_rate,
        "lora_r": spec.lora_r,
        "num_epochs": spec.num_epochs,
    }
    return sweep.trials(choices, spec.base_model or [task.student.base_model], spec.most_trials)


def planned_trials(
    context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe, ready: bool
) -> list[tuple[Trial, Plan]]:
    """Each trial with its plan."""
    found = trials_of(task)
    for trial in found:
        check_base(task, trial.base_model)
    dataset = Path(version.path)
    return [
        (trial, plan(context, task, dataset, sweep.recipe_of(recipe, trial), trial.base_model, ready))
        for trial in found
    ]


def try_all(
    context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe
) -> tuple[Trial, Plan, list[Tried]]:
    """Train and measure every trial; the best one, its plan, and all, best first."""
    if not version.rows.get("validation"):
        raise InputError(
            f"dataset {version.version} of {task.name} has no validation rows, and a sweep chooses by nothing else: "
            "have more documents corrected first."
        )
    planned = planned_trials(context, task, version, recipe, ready=True)
    found = []
    for n, (trial, made) in enumerate(planned):
        context.progress("sweep", n, len(planned), ", ".join(f"{k} {v:g}" for k, v in trial.settings.items()))
        result = train_run(context, task, made)
        rows = measure_run(context, task, result, made.dataset)
        found.append((sweep.tried(trial, result.run, result.seconds, rows), rows))
    context.progress("sweep", len(planned), len(planned), "all tried")
    ranking = sweep.ranked(found)
    best = next(n for n, (one, _) in enumerate(found) if one.run == ranking[0].run)
    return *planned[best], ranking
