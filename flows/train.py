"""train: corrections and trusted labels -> a frozen dataset version -> a student that can be served.

The same rows are the same version, the same version and recipe the same run: what a kill interrupted goes on from its
last checkpoint, and what was finished is recognised. Started by the event of `collect`, or by a person.

Run as:  retort train --task legal_intake
"""

import os
from pathlib import Path
from typing import Any

from prefect import flow
from pydantic import BaseModel

from flows.context import Context, Runner, TaskName, call, find_task
from flows.reporting import STUDENT_READY, announce, as_task, publish, reported_workplace
from prompts.pool import teacher_prompt
from prompts.privacy import check_hub, is_closed
from prompts.render import answer_text, prompt_fingerprint, render
from prompts.task import Task
from records import corrections, ledger, library, registry
from records.errors import InputError
from records.types import Answer, DatasetVersion, Document, Outcome, Role, Split, Student
from training import base, dataset, export, run
from training import recipe as recipes
from training.dataset import Row


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
    steps: int
    loss: float
    seconds: float
    served_file: str

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        rows = ", ".join(f"{n} {name}" for name, n in self.rows.items())
        sources = ", ".join(f"{n} {name}s" for name, n in self.sources.items())
        return (
            f"**{self.task}: {self.model}**\n"
            f"- dataset version {self.dataset_version}: {rows} rows ({sources})\n"
            f"- {self.base_model} by recipe {self.recipe}: {self.steps} steps in {self.seconds:.0f} s, "
            f"loss {self.loss:.3f}\n"
            f"- served from {self.served_file}"
        )


@flow(name="train")
def train(task: TaskName, recipe: str = "") -> Trained:
    """Train a student on what people corrected.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        recipe: A recipe by name (training/recipes) or the path of a YAML file. Empty: as in task.yaml.
    """
    with reported_workplace() as context:
        result = train_student(context, task, recipe, run=as_task)
    publish("train", result.task, result.text)
    announce(STUDENT_READY, result.task, student=result.student)
    return result


def train_student(context: Context, task: str, recipe: str = "", run: Runner = call) -> Trained:
    """The flow's work. Raises InputError for a recipe that Axolotl refuses or where there is nothing to train on."""
    found = find_task(context, task)
    chosen = recipes.load(recipe or found.student.recipe, folder=found.folder)
    if is_closed(found):
        recipes.check_sealed(chosen)
    if base.is_hub_name(found.student.base_model):
        check_hub(found, f"the base model {found.student.base_model!r}")
    version = run(freeze)(context, found)
    return run(fit)(context, found, version, chosen)


def freeze(context: Context, task: Task) -> DatasetVersion:
    """Freeze all corrections and trusted labels as a dataset version; the same rows again are the same version."""
    gold = corrections.settled(context.store, task.name).gold
    trained = (Split.train, Split.validation)
    documents = [d for d in library.documents(context.store, task.name) if d.split in trained]
    rows = [_row(task, d, gold[d.id], "correction") for d in documents if d.id in gold]
    trusted = _trusted(context, task)
    rows += [_row(task, d, trusted[d.id], "trusted label") for d in documents if d.id in trusted]
    digest, known = dataset.content_hash(rows), registry.dataset_versions(context.store, task.name)
    same = next((version for version in known if version.hash == digest), None)
    if same:
        return same
    folder = _free_folder(context, task, 1 + max((v.version for v in known), default=0), digest)
    manifest = dataset.build(task.name, rows, folder, prompt_fingerprint(task, teaching=False))
    learnt = {d.id: gold[d.id] for d in documents if d.id in gold}
    version = DatasetVersion(
        task=task.name,
        version=int(folder.name),
        hash=digest,
        path=str(folder),
        rows=manifest["rows"],
        manifest={**manifest, "corrected": corrections.digests(learnt)},
    )
    registry.add_dataset(context.store, version)
    return version


def fit(context: Context, task: Task, version: DatasetVersion, recipe: recipes.Recipe) -> Trained:
    """Train, export, and note the student; Axolotl's own process does the work."""
    settings, python = context.settings, context.settings.training_python
    only_hosts = list(task.allowed_hosts) if is_closed(task) else None
    models, runs = settings.folder("models"), settings.folder("runs", task.name)
    model = base.ensure_base(task.student.base_model, models, python, context.progress)
    threads = settings.threads or os.cpu_count() or 1
    trained = run.train(Path(version.path), recipe, model, runs, python, threads, context.progress, only_hosts)
    exported = export.export(trained, models, python, context.progress)
    student = _student(task, version, recipe, trained, exported)
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
        steps=trained.steps,
        loss=trained.loss,
        seconds=trained.seconds,
        served_file=student.served_file,
    )


def _trusted(context: Context, task: Task) -> dict[str, Answer]:
    """The teacher's answers that nobody needs to check: sure enough, and seen by no person."""
    prompt = teacher_prompt(context.store, task)
    labels = ledger.newest(context.store, task.name, Role.teacher, task.teacher.model, prompt)
    seen = {correction.document_id for correction in corrections.all(context.store, task.name)}
    return {
        i: label.value
        for i, label in labels.items()
        if label.outcome is Outcome.answered
        and label.value is not None
        and (label.confidence or 0.0) >= task.review.trust_above
        and i not in seen
    }


def _row(task: Task, document: Document, answer: Answer, source: Any) -> Row:
    try:
        said = {"role": "assistant", "content": answer_text(task, answer)}
    except KeyError:
        raise InputError(
            f"document {document.id} was answered {answer!r}, which is no label of {task.name} any more: "
            f"say in task.yaml what became of it: `was: [{answer}]` at the label (or the labels) that took its place."
        ) from None
    return Row(
        document_id=document.id,
        cluster=document.cluster,
        split=document.split,
        messages=[*render(task, document.text), said],
        source=source,
    )


def _free_folder(context: Context, task: Task, number: int, digest: str) -> Path:
    """The next version's folder. One that a kill left unregistered is taken over if it holds these rows."""
    root = context.settings.folder("datasets", task.name).absolute()
    while (root / str(number)).exists() and dataset.read_manifest(root / str(number))["hash"] != digest:
        number += 1
    return root / str(number)


def _student(
    task: Task,
    version: DatasetVersion,
    recipe: recipes.Recipe,
    trained: run.TrainResult,
    exported: export.ExportResult,
) -> Student:
    facts = {"steps": trained.steps, "epochs": trained.epochs, "loss": trained.loss, "seconds": trained.seconds}
    origin = {"axolotl": trained.axolotl, "recipe_hash": recipe.hash, "dataset_hash": version.hash}
    return Student(
        hash=exported.hash,
        task=task.name,
        dataset_version=version.version,
        base_model=task.student.base_model,
        recipe=recipe.name,
        path=str(exported.merged),
        served_file=str(exported.served_file),
        training={**facts, **origin, "prompt": version.manifest["prompt"], "task": task.fingerprint},
    )
