"""How far the teacher's confidence can be trusted, by people's answers to test documents. Asks and changes nothing.

Three ways to read the scores that its answers keep: as it stated them, at a temperature fitted on gold (which changes
no answer), and after batch calibration too (which may). What is fitted is fitted on one half of the documents and
measured on the other, both ways round, so that no document is measured with what was fitted on it.

Run as:  retort confidence --task legal_intake
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from evaluation import wording
from evaluation.interval import Estimate, wilson
from evaluation.reliability import Reliability, reliability, sure_and_right
from evaluation.score import candidate, score_candidate
from flows.calibrating import Read, reading
from flows.comparing import compared
from flows.context import Context, find_task
from prompts.calibration import batch_baseline, fit_temperature, logits
from prompts.pool import teacher_prompt
from prompts.scoring import choose
from prompts.task import Task
from records import corrections, ledger, library
from records.errors import InputError
from records.types import Answer, Label, Role, Split


class Reading(BaseModel):
    """One way to read the scores. `temperatures`: of the two halves, where one was fitted."""

    name: str
    right: Estimate
    reliability: Reliability
    temperatures: list[float] = []


class Confidence(BaseModel):
    """All ways, on the same documents."""

    task: str
    documents: int
    wanted_precision: float
    trust_above: float
    read: Read
    readings: list[Reading]

    @property
    def text(self) -> str:
        """For people (Markdown): the first reading's table, then each reading in two sentences."""
        lines = [f"**{self.task}: the teacher on {wording.count(self.documents, 'human-checked test document')}**", ""]
        lines += ["| confidence | answers | stated, mean | right | counts as |", "|---|---|---|---|---|"]
        for b in self.readings[0].reliability.bins:
            cells = [f"{b.low:.1f} to {b.high:.1f}", str(b.count), wording.percent(b.confidence)]
            lines.append(
                f"| {' | '.join([*cells, wording.share(b.accuracy), wording.percent(self.read.of(b.confidence))])} |"
            )
        for one in self.readings:
            fitted = f" ({', '.join(f'{t:.2f}' for t in one.temperatures)})" if one.temperatures else ""
            lines += ["", f"- **{one.name}**{fitted}: right on {wording.share(one.right)}."]
            lines += [f"  {wording.calibration(one.reliability)}"]
            lines += [f"  {wording.coverage(one.reliability, self.wanted_precision)}"]
        lines += [
            "",
            f"review.trust_above is {self.trust_above:g} now, and is compared with what a confidence counts as.",
        ]
        return "\n".join([*lines, f"The {self.read.sentence}."])


def measure_confidence(context: Context, task: str) -> Confidence:
    """The step. Raises InputError where no test document has gold and a confidence."""
    found = find_task(context, task)
    test = {d.id for d in library.documents(context.store, found.name, Split.test)}
    gold = {i: a for i, a in corrections.settled(context.store, found.name).gold.items() if i in test}
    prompt = teacher_prompt(context.store, found)
    labels = ledger.newest(context.store, found.name, Role.teacher, found.teacher.model, prompt)
    teacher = candidate(found.teacher.model, Role.teacher, labels.values())
    stated = sure_and_right(teacher, score_candidate(teacher, gold, compared(found)))
    if not stated:
        raise InputError(
            f"{found.name}: no test document has both people's answer and a confidence of the teacher: label, have the "
            "records marked `test set` answered on the desk, and collect. `teacher.samples` gives a confidence to any."
        )
    readings = [_reading(found, "as stated", stated, len(gold))]
    readings += _again(found, labels, gold) if found.labels else []
    return Confidence(
        task=found.name,
        documents=len(gold),
        wanted_precision=found.review.wanted_precision,
        trust_above=found.review.trust_above,
        read=reading(context, found),
        readings=readings,
    )


def _again(task: Task, labels: Mapping[str, Label], gold: Mapping[str, Answer]) -> list[Reading]:
    """The readings that are had from stored scores; none where answers keep no scores."""
    scores = {i: row for i, label in labels.items() if (row := logits(label)) and set(row) == set(task.labels)}
    known = sorted(gold.keys() & scores.keys())
    if len(known) < 2:
        return []
    baseline = batch_baseline(list(scores.values()))
    ways = (("at a fitted temperature", None), ("batch calibration, then a fitted temperature", baseline))
    found = []
    for name, shift in ways:
        pairs, temperatures = [], []
        for fit, measure in ((known[::2], known[1::2]), (known[1::2], known[::2])):
            warmth = fit_temperature([scores[i] for i in fit], [str(gold[i]) for i in fit], shift)
            temperatures.append(warmth)
            for i in measure:
                value, confidence = choose(scores[i], shift, warmth)
                pairs.append((confidence, value == gold[i]))
        found.append(_reading(task, name, pairs, len(gold), temperatures))
    return found


def _reading(
    task: Task, name: str, pairs: Sequence[tuple[float, bool]], documents: int, temperatures: Sequence[float] = ()
) -> Reading:
    measured = reliability(pairs, documents, task.review.wanted_precision)
    assert measured is not None
    right = wilson(sum(ok for _, ok in pairs), len(pairs))
    return Reading(name=name, right=right, reliability=measured, temperatures=list(temperatures))
