"""What a demo shows at its end: one line a step, the models side by side, and where to look."""

from typing import Any

from pydantic import BaseModel

from evaluation.aggregate import Measured
from evaluation.wording import dollars, seconds, share
from flows.context import Context
from prompts.task import Task
from records import corrections, desk_log, ledger, library, registry
from records.types import Role
from retort.gateway_client import Answered
from review.scripted import Reviewed

SCRIPTED = "(The reviewer was a script with the sample's own labels: no human checked these documents.)"


class Summary(BaseModel):
    """The circle in numbers. `steps`: name, what came of it, seconds; `models`: name, accuracy, p95, cost."""

    steps: list[tuple[str, str, float]]
    headline: str
    models: list[tuple[str, str, str, str]]
    before: Answered
    after: Answered
    report: str
    look: list[str]

    @property
    def text(self) -> str:
        """For people."""
        lines = ["", f"{'step':<11}{'what came of it':<92}{'time':>8}"]
        lines += [f"{name:<11}{what:<92}{_clock(took):>8}" for name, what, took in self.steps]
        lines += ["", f"{'on the test split':<46}{'accuracy (95 % interval)':<28}{'p95':<34}{'per 1,000'}"]
        lines += [f"{name:<46}{accuracy:<28}{p95:<34}{cost}" for name, accuracy, p95, cost in self.models]
        lines += ["", self.headline, SCRIPTED, ""]
        lines += [f"gateway before  {self.before.answer:<14}{self.before.release}"]
        lines += [f"gateway after   {self.after.answer:<14}{self.after.release}", ""]
        return "\n".join([*lines, *self.look])


def summary(
    context: Context, task: Task, reviewed: Reviewed, took: dict[str, float], before: Answered, after: Answered
) -> Summary:
    """Read from the store what the circle left."""
    store, name = context.store, task.name
    verdict, student = registry.task_verdicts(store, name)[-1], registry.task_students(store, name)[-1]
    version = registry.dataset(store, name, student.dataset_version)
    counts, settled = library.counts(store, name), corrections.settled(store, name)
    answers = ledger.newest(store, name, Role.teacher)
    said = {
        "documents": ", ".join([str(sum(counts.values())), *(f"{n} {split}" for split, n in sorted(counts.items()))]),
        "label": f"{len(answers)} answered by {task.teacher.model}, ${ledger.spent(store, name):.2f}",
        "review": f"{len(desk_log.sent(store, name))} sent to Argilla; the scripted reviewer answered "
        f"{reviewed.answered} now, {reviewed.wrong} of them wrong on purpose",
        "collect": f"{len(settled.gold)} documents corrected, {len(settled.disputed)} disputed",
        "train": f"{student.model_name}: {_rows(version)}, {student.training.get('steps')} steps, "
        f"loss {student.training.get('loss')}",
        "release": f"{verdict.decision.value}; {after.release.split()[0]} answers now",
    }
    page = verdict.report_path or ""
    return Summary(
        steps=[(step, what, round(took.get(step, 0.0), 1)) for step, what in said.items()],
        headline=str(verdict.report["headline"]),
        models=_models(verdict.report),
        before=before,
        after=after,
        report=page,
        look=[f"Report:  {page}", *_places(context)],
    )


def _rows(version: Any) -> str:
    return f"{sum(version.rows.values())} rows" if version else "no dataset"


def _models(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    models = [Measured.model_validate(one) for one in (report["student"], report["teacher"], *report["others"])]
    return [
        (f"{m.role}: {m.name}", share(m.accuracy), seconds(m.latency_p95_s), dollars(m.cost_per_1000_usd))
        for m in models
    ]


def _places(context: Context) -> list[str]:
    settings = context.settings
    return [
        "make up  starts it all again and leaves it running:",
        f"         Prefect {settings.prefect_api.removesuffix('/api')}, Argilla {settings.desk}, "
        f"gateway {settings.gateway}",
    ]


def _clock(took: float) -> str:
    return f"{int(took) // 60}:{int(took) % 60:02d}"
