"""label: new documents -> the teacher's answers -> what needs a person goes to the review desk.

Three steps, each of which can be repeated: what is in the store is not read, asked or sent again. A kill in the middle
loses what was in flight and nothing else. Started by a person, or by the event of `harvest`.

Run as:  retort label --task legal_intake --documents mails.jsonl        or from the Prefect UI: deployment `label`
"""

from collections.abc import Sequence
from typing import Annotated

from prefect import flow
from pydantic import BaseModel, Field

from flows.arrivals import Arrived, read_source
from flows.asking import Asked, ask_teacher
from flows.batches import InBatches, ask_in_batches
from flows.context import Context, Runner, TaskName, call, find_task
from flows.desk import OnDesk, send_to_desk
from flows.examples import freeze_examples, shown_with
from flows.reporting import as_task, publish, reported_workplace
from flows.second_opinion import ask_student as ask_the_student
from flows.unanswered import Unanswered, unanswered
from records.types import Outcome


class Labelled(BaseModel):
    """A whole run of `label`."""

    task: str
    arrived: Arrived
    asked: Asked | InBatches
    desk: OnDesk
    examples: str = ""
    student: Asked | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a person stopped it; what was answered until then is kept and on the desk."""
        return self.asked.interrupted or bool(self.student and self.student.interrupted)

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        came = self.arrived
        return "\n".join(
            [
                f"**{self.task}**",
                f"- documents: {came.text}",
                *self.asked.lines,
                *([f"- examples: {self.examples}"] if self.examples else []),
                *(line.replace("teacher", "student", 1) for line in (self.student.lines if self.student else [])),
                f"- desk: {self.desk.text}",
                *([f"- links: {self.desk.links}"] if self.desk.links else []),
                *([f"- reasons: {self.desk.rationales.line}"] if self.desk.rationales else []),
                *([f"- {self.desk.confidence}"] if self.desk.confidence else []),
                *([f"- suggestions: {self.desk.refreshed} on the desk are newer now"] if self.desk.refreshed else []),
                *([f"- suggestions are the teacher's: {self.desk.note}"] if self.desk.note else []),
                *(f"- unreadable: {fault}" for fault in came.faults),
                *self.asked.table,
            ]
        )


@flow(name="label")
def label(
    task: TaskName,
    documents: str = "",
    text_column: str = "",
    limit: Annotated[int, Field(ge=0, le=10_000_000)] = 0,
    budget_usd: Annotated[float, Field(ge=0)] = 0.0,
    workers: Annotated[int, Field(ge=1, le=64)] = 1,
    refresh_examples: bool = False,
    retry: list[Unanswered] = [],  # noqa: B006  # Prefect makes its form from it; never changed
    batch: bool = False,
    reviews: Annotated[int, Field(ge=0, le=100_000)] = 0,
    ask_student: bool = False,
    recalibrate: bool = False,
) -> Labelled:
    """Let the teacher label documents, and send to people what needs them.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        documents: A JSONL, JSON, CSV or Parquet file, a folder of txt, md, pdf and docx files, a log, or a hub
            data set. Empty: what is in the store.
        text_column: The column that holds the text. Empty: found by its name.
        limit: How many documents the teacher is asked about at most; all are kept. 0: no limit.
        budget_usd: US dollars that this run may cost, a hard stop beside the task's own in task.yaml. 0: none.
        batch: Ask through the provider's batch API, at half the price and within a day; run again to collect.
        workers: Processes that ask side by side, for a teacher faster than one process.
        refresh_examples: From now on choose examples from what people corrected until now (`retrieval` in
            task.yaml). What was answered with other examples is asked again.
        reviews: How many documents people are sent this time at most, those first that are worth most. 0: as in
            task.yaml (review.max_per_round).
        ask_student: Ask the newest student too, so that documents on which it differs from the teacher go to people.
        recalibrate: From now on read the teacher's confidence by today's answers to test documents. Where other labels
            are accepted then, the random checks begin a new count.
        retry: Ask again only about documents that have no answer, by how asking them ended. Empty: all that is open.
    """
    with reported_workplace() as context:
        result = label_documents(
            context,
            task,
            documents,
            text_column,
            limit,
            budget_usd,
            workers,
            refresh_examples,
            batch,
            retry=retry,
            reviews=reviews,
            ask_student=ask_student,
            recalibrate=recalibrate,
            run=as_task,
        )
    publish("label", result.task, result.text)
    return result


def label_documents(
    context: Context,
    task: str,
    documents: str = "",
    text_column: str = "",
    limit: int = 0,
    budget_usd: float = 0.0,
    workers: int = 1,
    refresh_examples: bool = False,
    batch: bool = False,
    retry: Sequence[Unanswered] = (),
    reviews: int = 0,
    ask_student: bool = False,
    recalibrate: bool = False,
    run: Runner = call,
) -> Labelled:
    """The flow's work, step by step; `run` says how a step is run (see `flows.context.call`)."""
    found = find_task(context, task)
    arrived = run(read_source)(context, found, documents, text_column) if documents else Arrived()
    if refresh_examples:
        run(freeze_examples)(context, found)
    again = tuple(Outcome(name) for name in retry)
    ids = unanswered(context, found, again) if again else arrived.ids if documents else None
    again = again or (Outcome.failed,)
    if batch:
        asked: Asked | InBatches = run(ask_in_batches)(context, found, ids, limit, budget_usd, again)
    else:
        asked = run(ask_teacher)(context, found, ids, limit, budget_usd, workers, again)
    second = run(ask_the_student)(context, found) if ask_student else None
    explain = not (asked.interrupted or (second and second.interrupted))
    desk = run(send_to_desk)(context, found, reviews, explain, _left(budget_usd, asked), recalibrate)
    shown = shown_with(context, found)
    return Labelled(task=found.name, arrived=arrived, asked=asked, desk=desk, examples=shown, student=second)


def _left(budget_usd: float, asked: Asked | InBatches) -> float | None:
    """What is left of a run's budget for the teacher's reasons, in US dollars; None without one."""
    waiting = asked.waiting_usd if isinstance(asked, InBatches) else 0.0
    return max(0.0, budget_usd - asked.cost_usd - waiting) if budget_usd else None
