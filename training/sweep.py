"""A small sweep: a handful of settings tried, one chosen, on the validation split alone. The test split plays no part.

Every trial is an ordinary run in a folder of its own, so a sweep that was killed goes on at the trial, and at the step,
where it stopped. Chosen is the lowest mean of nats an answer (`training.validate`); next to it stands, for every other
trial, the paired difference to it with its interval, so that a winner by chance is seen as one.

    Tried(settings={"learning_rate": 0.001}, base_model="smollm2-135m-instruct", nats=0.412, accuracy=0.85, ...)
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

from records.errors import InputError
from records.types import Record
from training import recipe as recipes
from training.measure import Validated

_Z = NormalDist().inv_cdf(0.975)


class Trial(Record):
    """What one trial trains with: settings in the place of the recipe's, and a base model."""

    settings: dict[str, float | int]
    base_model: str


class Tried(Record):
    """A trial as it came out on the validation split. `behind`: nats more than the best one, paired by document.

    `low`, `high`: its 95 % interval, by the normal approximation; 0 in it means that the two cannot be told apart.
    """

    settings: dict[str, float | int]
    base_model: str
    run: Path
    documents: int
    nats: float
    accuracy: float
    seconds: float
    behind: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """The trial in words."""
        told = ", ".join(f"{key} {value:g}" for key, value in self.settings.items())
        return f"{self.base_model}{': ' + told if told else ''}"


def trials(choices: Mapping[str, Sequence[Any]], base_models: Sequence[str], most: int) -> list[Trial]:
    """Every combination, in order. Raises InputError where there are more than `most`, or nothing to choose between."""
    used = {key: list(dict.fromkeys(values)) for key, values in choices.items() if values}
    found = [
        Trial(settings=dict(zip(used, values, strict=True)), base_model=base)
        for base in dict.fromkeys(base_models)
        for values in itertools.product(*used.values())
    ]
    if len(found) < 2:
        raise InputError(
            "There is nothing to choose between: give training.sweep in task.yaml several values for learning_rate, "
            "lora_r, num_epochs or base_model."
        )
    if len(found) > most:
        raise InputError(
            f"The sweep has {len(found)} trials, more than training.sweep.most_trials ({most}): give fewer values, or "
            "raise it. Each trial is a whole training."
        )
    return found


def recipe_of(recipe: recipes.Recipe, trial: Trial) -> recipes.Recipe:
    """The recipe with a trial's settings. Another rank keeps alpha / rank, or it would be another learning rate too."""
    changes: dict[str, Any] = dict(trial.settings)
    if "lora_r" in changes and "lora_alpha" in recipe.settings:
        scale = recipe.settings["lora_alpha"] / recipe.settings.get("lora_r", changes["lora_r"])
        changes["lora_alpha"] = max(1, round(scale * changes["lora_r"]))
    return recipes.varied(recipe, **changes)


def tried(trial: Trial, run: Path, seconds: float, rows: Sequence[Validated]) -> Tried:
    """One trial's figures."""
    return Tried(
        settings=trial.settings,
        base_model=trial.base_model,
        run=run,
        documents=len(rows),
        nats=fmean(row.nats for row in rows),
        accuracy=fmean(row.right for row in rows),
        seconds=seconds,
    )


def ranked(found: Sequence[tuple[Tried, Sequence[Validated]]]) -> list[Tried]:
    """The trials, best first, each with how far it is behind the best. Equal ones: the earlier."""
    ordered = sorted(found, key=lambda pair: pair[0].nats)
    best = {row.document_id: row.nats for row in ordered[0][1]}
    return [_behind(one, [row.nats - best[row.document_id] for row in rows]) for one, rows in ordered]


def _behind(one: Tried, differences: Sequence[float]) -> Tried:
    mean = fmean(differences)
    if len(differences) < 2:
        return one.model_copy(update={"behind": mean})
    half = _Z * stdev(differences) / math.sqrt(len(differences))
    return one.model_copy(update={"behind": mean, "low": mean - half, "high": mean + half})


def table(ranking: Sequence[Tried]) -> str:
    """The sweep for people (Markdown)."""
    best = ranking[0]
    lines = [
        f"{len(ranking)} trials on {best.documents} validation documents, best first:",
        "| trial | nats an answer | behind the best (95 %) | right | seconds |",
        "|---|---|---|---|---|",
    ]
    for one in ranking:
        behind = "" if one is best else _interval(one)
        lines.append(f"| {one.name} | {one.nats:.3f} | {behind} | {one.accuracy:.1%} | {one.seconds:.0f} |")
    close = sum(one.low is not None and one.low <= 0 for one in ranking[1:])
    if close:
        lines.append(f"{close} of the others cannot be told apart from the best on so few documents.")
    return "\n".join(lines)


def _interval(one: Tried) -> str:
    between = f" ({one.low:+.3f} to {one.high:+.3f})" if one.low is not None and one.high is not None else ""
    return f"{one.behind:+.3f}{between}"
