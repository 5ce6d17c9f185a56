"""release: student against teacher on people's answers -> a verdict, a report; live only if the gate approves.

Everybody is asked on the human-checked test split through the endpoint that production uses. A verdict stands for what
was measured: the same student, test set, rule and prompts give the same verdict without a second look (a gate that is
asked again until it says yes decides nothing). Where a measurement of the endpoint is made again for a stated reason
(`flows.load`), the verdict is a new one that tells of all of them. Started by the event of `train`, or by a person.

Run as:  retort release --task legal_intake
"""

from uuid import uuid4

from prefect import flow
from pydantic import BaseModel

from flows.context import Context, Runner, TaskName, call, find_task
from flows.load import measure_again
from flows.reporting import as_task, publish, publish_table, reported_workplace
from flows.trial import measure, rewrite, verdict_of
from prompts.render import prompt_fingerprint
from prompts.task import Task
from records import registry
from records.errors import InputError, StoreError
from records.overrides import Override, overrides
from records.types import Decision, Student, Verdict
from serving.release import Move, promote


class Judged(BaseModel):
    """A verdict, and what became of the live pointer. `moved`: the pointer in a sentence; `override`: who released it
    against the verdict, and why; `models`: the table of all that were asked, as it is read.
    """

    task: str
    student: str
    verdict: str
    decision: Decision
    headline: str
    reasons: list[str]
    summary: str
    report: str
    released: str | None
    moved: str
    override: str | None = None
    models: list[dict[str, str]] = []

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        return "\n".join([self.summary, *([self.override] if self.override else []), self.moved, ""])


@flow(name="release")
def release(
    task: TaskName,
    student: str = "",
    when_approved: bool = True,
    override: str = "",
    by: str = "",
    remeasure: str = "",
) -> Judged:
    """Measure a student against the teacher, and release it if the gate approves.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        student: (The beginning of) a student's hash. Empty: the newest of the task.
        when_approved: Go live when the gate approves. Off: only measure.
        override: A reason to go live although the gate does not approve; it is kept with the name, and shown.
        by: The name of the person who decides so, or wants it measured again.
        remeasure: A reason to measure the endpoint again (a busy machine); all measurements are kept and shown.
    """
    with reported_workplace() as context:
        result = release_student(context, task, student, when_approved, override, by, remeasure, as_task)
    publish("release", result.task, result.text)
    publish_table("models", result.task, result.models, result.headline)
    return result


def release_student(
    context: Context,
    task: str,
    student: str = "",
    when_approved: bool = True,
    override: str = "",
    by: str = "",
    remeasure: str = "",
    run: Runner = call,
) -> Judged:
    """The flow's work. Raises InputError where there is no student, or no human-checked test document.

    `override` releases also against the verdict, for this reason, in the name of `by`; `remeasure` measures the
    endpoint once more first, for this one.
    """
    found = find_task(context, task)
    chosen = _chosen(context, found, student)
    _check_reasons(override, remeasure, by, when_approved)
    if remeasure:
        run(measure_again)(context, found, chosen, remeasure, by)
    verdict = verdict_of(context, found, chosen) or run(measure)(context, found, chosen)
    move = _move(context, verdict, override, by) if when_approved else None
    said = verdict.report
    against = [one.sentence for one in overrides(context.store, found.name) if one.verdict_id == verdict.id]
    return Judged(
        task=found.name,
        student=chosen.hash,
        verdict=verdict.id,
        decision=verdict.decision,
        headline=said["headline"],
        reasons=verdict.reasons,
        summary=said["summary"],
        report=verdict.report_path or "",
        released=move.after.name if move and move.after else None,
        moved=move.sentence if move else f"{found.name}: what answers in production stays as it is.",
        override=against[-1] if against else None,
        models=said.get("table", []),
    )


def _check_reasons(override: str, remeasure: str, by: str, when_approved: bool) -> None:
    if override and not when_approved:
        raise InputError("an override releases, and only measuring does not: give one of the two.")
    given = [reason for reason in (override, remeasure) if reason]
    if bool(given) != bool(by.strip()) or not all(reason.strip() for reason in given):
        raise InputError(
            "an override or a repeated measurement needs a reason (--override, --remeasure) and the name of the person "
            "who decides (--by): both are kept."
        )


def _move(context: Context, verdict: Verdict, reason: str, by: str) -> Move | None:
    """Move the live pointer, if the gate approves or a person decides; None: it stays. An override that is not needed
    is refused: a reason would be kept that decided nothing.
    """
    store, about = context.store, (verdict.task, verdict.student_hash, verdict.id)
    if verdict.decision is Decision.approved:
        if reason:
            raise InputError(f"verdict {verdict.id} is approved: release without an override.")
        return promote(store, *about)
    if not reason:
        return None
    new = Override(
        id=f"override-{uuid4().hex}",
        task=verdict.task,
        verdict_id=verdict.id,
        student_hash=verdict.student_hash,
        by=by.strip(),
        reason=reason.strip(),
    )
    move = promote(store, *about, new)
    rewrite(context, verdict, [one for one in overrides(store, verdict.task) if one.verdict_id == verdict.id])
    return move


def _chosen(context: Context, task: Task, student: str) -> Student:
    students = registry.task_students(context.store, task.name)
    if not students:
        raise InputError(f"{task.name} has no student yet: run `retort train --task {task.name}` first.")
    try:
        chosen = registry.student(context.store, student) if student else students[-1]
    except StoreError as fault:  # here it is what a person gave that is wrong
        raise InputError(str(fault)) from None
    if chosen.task != task.name:
        raise InputError(f"student {chosen.hash[:12]} was trained for {chosen.task}, not for {task.name}.")
    if chosen.training.get("prompt") != prompt_fingerprint(task, teaching=False):
        raise InputError(
            f"the prompt of {task.name} was changed since student {chosen.hash[:12]} was trained on it: "
            "train again, or put task.yaml back."
        )
    return chosen
