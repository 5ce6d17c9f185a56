"""From a frozen dataset version to a student in the store: trained here, by the best of a sweep, or by a provider.

Steps of `train`. However it was trained, a student names what it came from, and what serves it.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flows.context import Context, find_task
from flows.freezing import freeze
from flows.hosting import train_at_provider
from flows.training import Plan, load_recipe, plan, train_run
from flows.trials import planned_trials, try_all
from prompts.task import Task
from records import registry
from records.errors import InputError
from records.types import DatasetVersion, Student
from training import export, run, sweep
from training import recipe as recipes


class Trained(BaseModel):
    """A student, and what it came from. `loss`: the mean of the last logged steps; `seconds`: of the training."""

    task: str
    student: str
    model: str
    dataset_version: int
    rows: dict[str, int]
    sources: dict[str, int]
    recipe: str
    base_model: str
    steps: int | None
    loss: float | None
    seconds: float
    served_file: str
    validation_loss: float | None = None
    stopped_early: bool = False
    sweep: str = ""
    trained_by: str = "Axolotl"
    cost_usd: float | None = None

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        rows = ", ".join(f"{n} {name}" for name, n in self.rows.items())
        sources = ", ".join(f"{n} {name}s" for name, n in self.sources.items())
        checked = "" if self.validation_loss is None else f", validation loss {self.validation_loss:.3f}"
        early = " (stopped early: no better on the validation split)" if self.stopped_early else ""
        took = f"{self.steps} steps in {self.seconds:.0f} s"
        if self.steps is None:
            cost = "not told" if self.cost_usd is None else f"${self.cost_usd:.2f}"
            took = f"by {self.trained_by} in {self.seconds:.0f} s, cost {cost}"
        lost = "" if self.loss is None else f", loss {self.loss:.3f}"
        told = (
            f"**{self.task}: {self.model}**\n"
            f"- dataset version {self.dataset_version}: {rows} rows ({sources})\n"
            f"- {self.base_model} by recipe {self.recipe}: {took}"
            f"{lost}{checked}{early}\n"
            f"- served from {self.served_file or self.model}"
        )
        return f"{told}\n\n{self.sweep}" if self.sweep else told


class Forecast(BaseModel):
    """What a training would be, without one. `needs`: one entry per run, in words."""

    task: str
    dataset_version: int
    rows: dict[str, int]
    recipe: str
    base_model: str
    revision: str | None
    fits: bool
    needs: dict[str, str]

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        rows = ", ".join(f"{n} {name}" for name, n in self.rows.items())
        runs = "\n".join(f"{name}\n{need}" for name, need in self.needs.items())
        head = f"**{self.task}: dataset version {self.dataset_version}, {rows} rows**\n{runs}"
        fits = "" if self.fits else "\n- does not fit this machine: `train` will refuse it"
        return f"{head}{fits}\n- nothing was trained"


def fit(context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe) -> Trained:
    """Train, export, and note the student; Axolotl's own process does the work."""
    planned = plan(context, task, Path(version.path), recipe, task.student.base_model, ready=True)
    return _fitted(context, task, version, planned, task.student.base_model)


def fit_best(context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe) -> Trained:
    """Try the sweep's settings, and make the best run on the validation split a student."""
    trial, planned, ranking = try_all(context, task, version, recipe)
    tried = [one.model_dump(mode="json") for one in ranking]
    found = _fitted(context, task, version, planned, trial.base_model, {"sweep": tried})
    return found.model_copy(update={"sweep": sweep.table(ranking)})


def fit_hosted(context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe) -> Trained:
    """Have a provider train, wait for it, and note the student that it serves."""
    hosted = task.training.hosted
    if hosted is None:
        raise InputError(f"{task.name} names no training.hosted in task.yaml.")
    job, student = train_at_provider(context, task, hosted, version, recipe)
    registry.add_student(context.store, student)
    return Trained(
        task=task.name,
        student=student.hash,
        model=student.model_name,
        dataset_version=version.version,
        rows=version.rows,
        sources=version.manifest["sources"],
        recipe=recipe.name,
        base_model=task.student.base_model,
        steps=None,
        loss=None,
        seconds=float(student.training["seconds"] or 0),
        served_file="",
        trained_by=job.provider,
        cost_usd=job.cost_usd,
    )


def forecast(context: Context, task: str, recipe: str = "", swept: bool = False) -> Forecast:
    """What `train` would do: the dataset version it would freeze is frozen, nothing is fetched and nothing trained."""
    found = find_task(context, task)
    chosen = load_recipe(found, recipe)
    version = freeze(context, found)
    if swept:
        plans = [made for _, made in planned_trials(context, found, version, chosen, ready=False)]
    else:
        plans = [plan(context, found, Path(version.path), chosen, found.student.base_model, ready=False)]
    pinned = found.student.base_revision
    return Forecast(
        task=found.name,
        dataset_version=version.version,
        rows=version.rows,
        recipe=chosen.name,
        base_model=found.student.base_model,
        revision=pinned,
        fits=all(made.need.fits for made in plans),
        needs={f"{made.base}, {made.recipe.name}": made.need.text for made in plans},
    )


def _fitted(
    context: Context,
    task: Task,
    version: DatasetVersion,
    planned: Plan,
    base_model: str,
    more: dict[str, Any] | None = None,
) -> Trained:
    trained = train_run(context, task, planned)
    settings = context.settings
    exported = export.export(trained, settings.folder("models"), settings.training_python, context.progress)
    student = _student(task, version, planned, trained, exported, base_model, more or {})
    registry.add_student(context.store, student)
    return Trained(
        task=task.name,
        student=student.hash,
        model=student.model_name,
        dataset_version=version.version,
        rows=version.rows,
        sources=version.manifest["sources"],
        recipe=planned.recipe.name,
        base_model=base_model,
        steps=trained.steps,
        loss=trained.loss,
        seconds=trained.seconds,
        served_file=student.served_file,
        validation_loss=trained.validation_loss,
        stopped_early=trained.stopped_early,
    )


def _student(
    task: Task,
    version: DatasetVersion,
    planned: Plan,
    trained: run.TrainResult,
    exported: export.ExportResult,
    base_model: str,
    more: dict[str, Any],
) -> Student:
    facts = {"steps": trained.steps, "epochs": trained.epochs, "loss": trained.loss, "seconds": trained.seconds}
    if trained.validation_loss is not None:
        facts["validation_loss"] = trained.validation_loss
    origin = {"axolotl": trained.axolotl, "recipe_hash": planned.recipe.hash, "dataset_hash": version.hash}
    if trained.revision:
        origin["revision"] = trained.revision
    return Student(
        hash=exported.hash,
        task=task.name,
        dataset_version=version.version,
        base_model=base_model,
        recipe=planned.recipe.name,
        path=str(exported.merged),
        served_file=str(exported.served_file),
        training={**facts, **origin, **more, "prompt": version.manifest["prompt"], "task": task.fingerprint},
    )
