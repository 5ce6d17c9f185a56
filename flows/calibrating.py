"""By what a task's labels are accepted: its rules of review, with the teacher's confidence as people's answers read it.

`review.trust_above` is compared with how often answers so sure were right on test documents: those people answered
blind, and whatever the teacher's confidence, so that they tell of all labels. `label` and `collect` fit the curve once
there are enough; then it stays for this teacher and prompt, and the set of accepted labels with it (the audit's
guarantee is for one such set). Every step takes its rules from here, and asks `review.reasons.accepted`.
"""

from pydantic import BaseModel

from evaluation import calibration, wording
from evaluation.reliability import sure_and_right
from evaluation.score import candidate, score_candidate
from flows.comparing import compared
from flows.context import Context
from prompts.pool import teacher_prompt
from prompts.review_rules import Review
from prompts.task import Task
from records import calibrations, corrections, ledger, library
from records.calibrations import Calibration
from records.types import Role, Split
from review.reasons import Rules


class Read(BaseModel):
    """How a task's confidences are read; `curve` None: as they are stated, `why` says why."""

    trust_above: float
    curve: Calibration | None = None
    why: str = ""

    def of(self, stated: float) -> float:
        """The stated confidence as `review.trust_above` takes it."""
        return self.curve.of(stated) if self.curve else stated

    @property
    def sentence(self) -> str:
        """For people: what a stated confidence means, and from which on labels are accepted."""
        if self.curve is None:
            return f"confidence counts as the teacher states it: {self.why}"
        one, above = self.curve, f"review.trust_above is {self.trust_above:g}"
        opening = f"confidence calibrated on {one.answers:,} test answers on {one.made_at:%-d %B %Y}"
        stated = one.reaches(self.trust_above)
        if stated is None:
            most = f"the surest answers ({one.high:.4g}) are {wording.percent(one.of(one.high))} right"
            return f"{opening}: {most}; {above}, so no label is accepted unseen"
        means = f"{stated:.4g} means {wording.percent(one.of(stated))} right"
        return f"{opening}: {means}, and is accepted, as is all that is surer ({above})"


def rules_of(context: Context, task: Task) -> Rules:
    """The task's rules of review, with the confidence as it is read now. Reads only."""
    said = {name: getattr(task.review, name) for name in Rules._fields if name in Review.model_fields}
    curve = kept(context, task)
    return Rules(**said, calibrated=curve.of) if curve else Rules(**said)


def reading(context: Context, task: Task) -> Read:
    """How this teacher's confidence to this prompt is read now. Reads only."""
    found = kept(context, task)
    return _read(task, found, on_test(context, task) if task.review.calibrate and not found else [])


def calibrate(context: Context, task: Task, again: bool = False) -> Read:
    """Fit and keep the curve where there is none and answers are enough; `again`: a new one, by today's answers."""
    found = kept(context, task)
    if not task.review.calibrate or (found and not again):
        return _read(task, found, [])
    pairs = on_test(context, task)
    curve = calibration.fit(pairs)
    if curve and (found is None or curve != _curve(found)):
        prompt, number = teacher_prompt(context.store, task), found.number + 1 if found else 1
        new = Calibration(task=task.name, model=task.teacher.model, prompt=prompt, number=number, **curve.model_dump())
        calibrations.add(context.store, new)
    return _read(task, kept(context, task), pairs)  # that of another process, where it was quicker


def kept(context: Context, task: Task) -> Calibration | None:
    """The curve that counts for this teacher and prompt; None before the first, or where the task wants none."""
    if not task.review.calibrate:
        return None
    prompt = teacher_prompt(context.store, task)
    return calibrations.newest(context.store, task.name, task.teacher.model, prompt)


def _read(task: Task, curve: Calibration | None, pairs: list[tuple[float, bool]]) -> Read:
    above = task.review.trust_above
    if curve:
        return Read(trust_above=above, curve=curve)
    return Read(trust_above=above, why=_too_few(pairs) if task.review.calibrate else "review.calibrate is off")


def on_test(context: Context, task: Task) -> list[tuple[float, bool]]:
    """Stated confidence and rightness of the teacher's answers to the human-checked test documents."""
    settled = corrections.settled(context.store, task.name).gold
    test = {i for i, d in library.get(context.store, task.name, settled).items() if d.split is Split.test}
    prompt = teacher_prompt(context.store, task)
    said = ledger.newest(context.store, task.name, Role.teacher, task.teacher.model, prompt, test)
    teacher = candidate(task.teacher.model, Role.teacher, said.values())
    return sure_and_right(teacher, score_candidate(teacher, {i: settled[i] for i in test}, compared(task)))


def _curve(found: Calibration) -> calibrations.Curve:
    return calibrations.Curve(**found.model_dump(include=set(calibrations.Curve.model_fields)))


def _too_few(pairs: list[tuple[float, bool]]) -> str:
    if len(pairs) >= calibration.ENOUGH and len({ok for _, ok in pairs}) < 2:
        return f"of {len(pairs):,} test answers it was {'right' if pairs[0][1] else 'wrong'} on all"
    had = f"{wording.count(len(pairs), 'test document')} {'has' if len(pairs) == 1 else 'have'}"
    return f"{had} both its confidence and people's answer, and calibration takes {calibration.ENOUGH}"
