"""collect: people's answers on the desk -> corrections in the store; says what is due next.

Incremental and idempotent: only what changed since a board was read last is fetched, and an answer that is known
changes nothing. Where people differ, the document goes to a lead, whose decisions come home too
(`flows.second_looks`). What is due is read from the store, never from events, so that the next poll repairs a lost one:

    train     enough corrections since the last dataset version from which a student came
    release   a student that no verdict has been given on yet

Run as:  retort collect --task legal_intake         or by its schedule, every 10 minutes, for all tasks on the desk
"""

from collections.abc import Set
from typing import Literal

from prefect import flow
from pydantic import BaseModel

from evaluation.agreement import agreement
from evaluation.people_agreement import units
from evaluation.reviewers import kept
from flows import placing
from flows.audit import audit_of
from flows.boards import bring_up_to_date
from flows.calibrating import calibrate
from flows.context import Context, Runner, call, find_task
from flows.desk import form_of, open_desk
from flows.reporting import ENOUGH, STUDENT_READY, announce, as_task, publish, reported_workplace
from flows.second_looks import SecondLooks, look_again
from prompts.task import Task
from records import corrections, library, registry, taskbook
from records.errors import InputError
from records.types import Split
from review import parts

When = Literal["when enough", "always", "never"]


class Collected(BaseModel):
    """What one task's desk gave. `new`: corrections since the last student's dataset; `waiting`: documents on
    which people differ and further people are asked (`review.majority`); `due`: what comes next.
    """

    task: str
    changed: int = 0
    corrected: int = 0
    test_answers: int = 0
    disputed: int = 0
    waiting: int = 0
    new: int = 0
    agreed: float | None = None
    kept: float | None = None
    faults: list[str] = []
    again: SecondLooks = SecondLooks()
    due: Literal["train", "release", "nothing"] = "nothing"
    why: str = ""
    student: str | None = None
    audit: str = ""

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        lines = [
            f"**{self.task}**",
            f"- {self.changed} answers new or changed; {self.corrected} documents corrected in all, and "
            f"{self.test_answers} test documents; {self.disputed} disputed",
        ]
        if self.waiting:
            lines.append(f"- people differ on {self.waiting} more, which wait for further answers")
        if self.agreed is not None:
            lines.append(f"- two reviewers agree on {100 * self.agreed:.0f} %")
        if self.kept is not None:
            lines.append(f"- people kept {100 * self.kept:.0f} % of the teacher's suggestions")
        lines += self.again.lines
        lines += [f"- accepted labels: {self.audit}"] if self.audit else []
        return "\n".join([*lines, f"- next: {self.due} ({self.why})", *(f"- unreadable: {f}" for f in self.faults)])


class AllCollected(BaseModel):
    """One run over all tasks that were asked for."""

    tasks: list[Collected]
    skipped: list[str] = []

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        said = [*(one.text for one in self.tasks), *(f"- skipped {name}" for name in self.skipped)]
        return "\n\n".join(said) or "No task was ever labelled: start with `label`."


@flow(name="collect")
def collect(task: str = "", train: When = "when enough") -> AllCollected:
    """Bring people's answers home, and start what is due.

    Args:
        task: A task by name or folder. Empty: every task that was ever used.
        train: Whether to start `train` afterwards; `always`: even where little is new.
    """
    with reported_workplace() as context:
        result = collect_answers(context, task, train, run=as_task)
    for one in result.tasks:
        if one.due == "train":
            announce(ENOUGH, one.task)
        if one.due == "release" and one.student:
            announce(STUDENT_READY, one.task, student=one.student)
    publish("collect", task or "all", result.text)
    return result


def collect_answers(context: Context, task: str = "", train: When = "when enough", run: Runner = call) -> AllCollected:
    """The flow's work. With a task, its faults are raised; over all tasks, one with faults is skipped and named."""
    if task:
        return AllCollected(tasks=[run(fetch_answers)(context, find_task(context, task), train)])
    result = AllCollected(tasks=[])
    for name in taskbook.names(context.store):
        try:
            found = find_task(context, name)
        except InputError as fault:
            result.skipped.append(f"{name}: {fault}")
            continue
        result.tasks.append(run(fetch_answers)(context, found, train))
    return result


def fetch_answers(context: Context, task: Task, train: When = "when enough") -> Collected:
    """Fetch what people answered since the newest known answer, keep it, and say what is due."""
    before = max((c.answered_at for c in corrections.all(context.store, task.name)), default=None)
    with open_desk(context) as desk:
        bring_up_to_date(context, desk, task, form_of(task))
        board = desk.find(task.name, form_of(task))
        test = parts.find(desk, task.name, form_of(task), parts.TEST)
        if board is None:
            return Collected(task=task.name, why="nothing of it is on the desk: run `label` first")
        read = placing.read(context, {board: before, **({test: None} if test else {})})
    changed = corrections.save(context.store, read.corrections)
    placing.keep(context, task, read)
    again = look_again(context, task)
    return _counted(context, task, train, changed, read.faults + again.faults, again)


def _counted(
    context: Context, task: Task, train: When, changed: int, faults: list[str], again: SecondLooks | None = None
) -> Collected:
    rows = corrections.all(context.store, task.name)
    settled = corrections.settled(context.store, task.name)
    gold = settled.gold
    test = {d.id for d in library.documents(context.store, task.name, Split.test)}
    corrected = corrections.digests({i: answer for i, answer in gold.items() if i not in test})
    new = len(corrected.items() - _trained_on(context, task))
    due, why, student = _due(context, task, train, len(corrected), new, gold_test=len(set(gold) & test))
    return Collected(
        task=task.name,
        changed=changed,
        corrected=len(corrected),
        test_answers=len(set(gold) & test),
        disputed=len(settled.disputed),
        waiting=len(settled.waiting),
        new=new,
        agreed=agreement(units(rows)).pairwise.value,
        kept=kept(rows).value,
        faults=faults,
        again=again or SecondLooks(),
        due=due,
        why=why,
        student=student,
        audit=_stop_rule(context, task) if changed else "",
    )


def _stop_rule(context: Context, task: Task) -> str:
    """With new answers the teacher's confidence may be read by people's for the first time: then by that."""
    calibrate(context, task)
    return audit_of(context, task).sentence


def _trained_on(context: Context, task: Task) -> Set[tuple[str, str]]:
    """The corrections in the newest dataset version from which a student came, as (document, digest of the answer)."""
    trained = {student.dataset_version for student in registry.task_students(context.store, task.name)}
    versions = [v for v in registry.dataset_versions(context.store, task.name) if v.version in trained]
    return versions[-1].manifest["corrected"].items() if versions else set()


def _due(
    context: Context, task: Task, train: When, corrected: int, new: int, gold_test: int
) -> tuple[Literal["train", "release", "nothing"], str, str | None]:
    rule = task.training
    enough = corrected >= rule.min_corrections and new >= max(1, rule.min_new_corrections)
    count = f"{new} of {corrected} corrected documents are new"
    if train == "always" and corrected:
        return "train", f"asked for; {count}", None
    if train == "when enough" and enough:
        return "train", count, None
    waiting = _unjudged(context, task)
    if waiting and gold_test and train != "never":
        return "release", f"student {waiting[:12]} has no verdict yet", waiting
    return "nothing", f"{count}; training needs {rule.min_corrections} and {rule.min_new_corrections} new", None


def _unjudged(context: Context, task: Task) -> str | None:
    """The newest student, if no verdict names it."""
    students = registry.task_students(context.store, task.name)
    judged = {verdict.student_hash for verdict in registry.task_verdicts(context.store, task.name)}
    return students[-1].hash if students and students[-1].hash not in judged else None
