"""curve: parts of the newest dataset trained and measured on validation -> what more corrections would bring.

Each part is a run of its own that is found again; the whole is the very run of `train`. TF-IDF on the same rows stands
beside it. The curve is kept by the dataset's hash, where the report of the gate finds it (`flows.curves`).

Run as:  retort curve --task legal_intake
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from evaluation import baseline
from evaluation.learning_curve import LearningCurve, Sized, forecasts, points
from evaluation.score import same
from flows.context import Context, Runner, TaskName, call, find_task
from flows.curves import keep_curve
from flows.freezing import freeze
from flows.reporting import as_task, publish, reported_workplace
from flows.training import check_base, load_recipe, measure_run, plan, train_run
from prompts.parse import parse
from prompts.task import Task
from records import library
from records.errors import InputError
from records.split import TEST_SHARE, VALIDATION_SHARE
from records.types import Answer, DatasetVersion
from training import part
from training import recipe as recipes

SHARES = (25, 50, 100)
MORE = (500,)
_TRAINED_ON = 1 - TEST_SHARE - VALIDATION_SHARE
"""Of 100 more corrected documents, 70 come to be trained on."""


@flow(name="curve")
def curve(task: TaskName, recipe: str = "") -> LearningCurve:
    """Train on 25, 50 and 100 % of the rows, and say what more corrections would bring.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        recipe: A recipe by name (training/recipes) or the path of a YAML file. Empty: as in task.yaml.
    """
    with reported_workplace() as context:
        found = learning_curve(context, task, recipe, run=as_task)
    publish("curve", found.task, found.text)
    return found


def learning_curve(
    context: Context,
    task: str,
    recipe: str = "",
    shares: Sequence[int] = SHARES,
    more: Sequence[int] = MORE,
    run: Runner = call,
) -> LearningCurve:
    """The flow's work. `shares`: percent of the train rows. Raises InputError where there is too little to measure."""
    found = find_task(context, task)
    if not (100 in shares and len(set(shares)) > 1 and all(1 <= share <= 100 for share in shares)):
        raise InputError(
            f"the shares are {list(shares)}: give 100 and at least one smaller percentage, such as 25,50,100."
        )
    chosen = load_recipe(found, recipe)
    check_base(found, found.student.base_model)
    version = run(freeze)(context, found)
    return run(measure_curve)(context, found, version, chosen, sorted(set(shares)), more)


def measure_curve(
    context: Context,
    task: Task,
    version: DatasetVersion,
    recipe: recipes.Recipe,
    shares: Sequence[int],
    more: Sequence[int],
) -> LearningCurve:
    """Train and measure each part, fit, and keep the curve."""
    if not version.rows.get("validation"):
        raise InputError(f"dataset {version.version} of {task.name} has no validation rows to measure on.")
    folders = [_part(context, task, version, share) for share in shares]
    sizes, simple = [], []
    for n, folder in enumerate(folders):
        context.progress("learning curve", n, len(folders), f"{shares[n]} % of the rows")
        planned = plan(context, task, folder, recipe, task.student.base_model, ready=True)
        rows = measure_run(context, task, train_run(context, task, planned), folder)
        count = len(_rows(folder / "train.jsonl"))
        sizes.append(Sized(rows=count, right=tuple(row.right for row in rows)))
        simple.append(_baseline(context, task, folder, count))
    context.progress("learning curve", len(folders), len(folders), "fitting")
    found = LearningCurve(
        task=task.name,
        dataset_version=version.version,
        dataset_hash=version.hash,
        recipe=recipe.name,
        base_model=task.student.base_model,
        documents=len(sizes[0].right),
        points=points(sizes),
        forecasts=forecasts(sizes, more, _TRAINED_ON),
        baseline=points(simple),
        baseline_forecasts=forecasts(simple, more, _TRAINED_ON),
    )
    keep_curve(context, found)
    return found


def _part(context: Context, task: Task, version: DatasetVersion, share: int) -> Path:
    folder = context.settings.folder("datasets", task.name, "parts").absolute() / f"{version.version}-{share}"
    return part.part(Path(version.path), share / 100, folder)


def _baseline(context: Context, task: Task, folder: Path, count: int) -> Sized:
    """TF-IDF and logistic regression on the same rows and documents."""
    taught, asked = (
        _answers(context, task, folder / "train.jsonl"),
        _answers(context, task, folder / "validation.jsonl"),
    )
    texts = {i: text for i, (text, _) in asked.items()}
    said = baseline.predict([text for text, _ in taught.values()], [a for _, a in taught.values()], texts)
    return Sized(rows=count, right=tuple(same(said.get(i), asked[i][1]) for i in sorted(asked)))


def _answers(context: Context, task: Task, path: Path) -> dict[str, tuple[str, Answer]]:
    """{document id: (its text, its answer)} of a dataset's file."""
    rows = {row["document_id"]: row["messages"][-1]["content"] for row in _rows(path)}
    documents = library.get(context.store, task.name, rows)
    return {i: (documents[i].text, value) for i, said in rows.items() if (value := parse(task, said).value) is not None}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
