"""The commands that run a step of the circle, exactly as its flow does, without Prefect in between."""

from pathlib import Path
from typing import Annotated

import typer

from flows.unanswered import Unanswered
from records.errors import InputError
from retort.advising import advise, measure
from retort.console import show
from retort.history import history
from retort.people_steps import PEOPLE
from retort.session import DEFAULT_TASK, Json, Task, prepared, stepping
from retort.training_steps import curve, dataset, train

Workers = Annotated[int, typer.Option(min=1, max=64, help="Processes that ask side by side.")]


def label(
    task: Task = DEFAULT_TASK,
    documents: Annotated[
        str,
        typer.Option(
            help="JSONL, CSV or Parquet, folder of txt, md, pdf, docx, log, hub data set. Default: the store's."
        ),
    ] = "",
    text_column: Annotated[str, typer.Option(help="Column that holds the text. Default: found by its name.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Documents to ask about at most; all are kept. 0: no limit.")] = 0,
    budget: Annotated[
        float, typer.Option(min=0, help="US dollars this run may cost; the task's own budget holds too.")
    ] = 0.0,
    workers: Workers = 1,
    refresh_examples: Annotated[
        bool, typer.Option("--refresh-examples", help="Choose examples from what people corrected until now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the rendered prompt and the estimated cost; ask nothing.")
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="By the provider's batch API: half the price, up to a day; again: collect.")
    ] = False,
    reviews: Annotated[
        int, typer.Option(min=0, max=100_000, help="Documents to send to people at most. 0: as in task.yaml.")
    ] = 0,
    ask_student: Annotated[
        bool, typer.Option("--ask-student", help="Ask the newest student too: where it differs, people look.")
    ] = False,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Read the teacher's confidence by today's test answers from now on.")
    ] = False,
    json: Json = False,
) -> None:
    """Let the teacher label documents, and send to the review desk what needs a person."""
    from flows.label import label_documents
    from flows.teacher import preview

    with stepping() as context:
        if dry_run:
            told = preview(context, task, documents, text_column, limit, refresh_examples, batch, reviews)
            show(told, json, told.text)
            return
        result = label_documents(
            context,
            task,
            documents,
            text_column,
            limit,
            budget,
            workers,
            refresh_examples,
            batch,
            reviews=reviews,
            ask_student=ask_student,
            recalibrate=recalibrate,
        )
    show(result, json, result.text)
    if result.interrupted:
        raise typer.Exit(130)


def retry(
    task: Task = DEFAULT_TASK,
    failed: Annotated[
        bool, typer.Option("--failed", help="Calls that gave nothing. What you get without a flag.")
    ] = False,
    unreadable: Annotated[bool, typer.Option("--unreadable", help="Answers that could not be read.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="What the model or its provider declined.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Documents to ask about at most. 0: no limit.")] = 0,
    budget: Annotated[float, typer.Option(min=0, help="US dollars this run may cost.")] = 0.0,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Ask the teacher again about documents that it gave no answer to, by how asking ended."""
    from flows.label import label_documents

    chosen: dict[Unanswered, bool] = {"failed": failed, "unreadable": unreadable, "refused": refused}
    again = [name for name, wanted in chosen.items() if wanted] or ["failed"]
    with stepping() as context:
        result = label_documents(context, task, "", "", limit, budget, workers, retry=again)
    show(result, json, result.text)
    if result.interrupted:
        raise typer.Exit(130)


def collect(
    task: Annotated[str, typer.Option(help="Name or folder of a task. Default: every task that was used.")] = "",
    json: Json = False,
) -> None:
    """Bring people's answers from the review desk into the store, and say what is due next."""
    from flows.collect import collect_answers

    with stepping() as context:
        result = collect_answers(context, task)
    show(result, json, result.text)


def release(
    task: Task = DEFAULT_TASK,
    student: Annotated[str, typer.Option(help="(Beginning of) a student's hash. Default: the newest.")] = "",
    only_measure: Annotated[bool, typer.Option("--only-measure", help="Do not go live, even if approved.")] = False,
    override: Annotated[
        str, typer.Option(help="Go live although the gate does not approve, for this reason; it is kept and shown.")
    ] = "",
    remeasure: Annotated[
        str, typer.Option(help="Measure the endpoint again (a busy machine), for this reason; all are kept and shown.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who decides so. Default: who is signed in.")] = "",
    json: Json = False,
) -> None:
    """Measure a student against the teacher on people's answers; it goes live only if the gate approves.

    Exit code 0: approved, or released by --override; 6: rejected or inconclusive.
    """
    from flows.release import release_student
    from records.types import Decision

    with stepping() as context:
        named = by or _who(override or remeasure)
        result = release_student(context, task, student, not only_measure, override, named, remeasure)
    show(result, json, result.text)
    if result.decision is not Decision.approved and not (override and result.released):
        raise typer.Exit(6)


def _who(reason: str) -> str:
    """The name of who is signed in, where something is decided."""
    import getpass

    return getpass.getuser() if reason else ""


def confidence(task: Task = DEFAULT_TASK, json: Json = False) -> None:
    """Show how far the teacher's confidence can be trusted, by people's answers; asks nothing."""
    from flows.confidence import measure_confidence

    with stepping() as context:
        result = measure_confidence(context, task)
    show(result, json, result.text)


def audit(
    task: Task = DEFAULT_TASK,
    wanted: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of accepted labels that may be wrong. 0: as in task.yaml.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """Show how good the labels are that nobody checks, and whether reviewing can stop; asks nothing."""
    from flows.audit import audit_labels

    with stepping() as context:
        result = audit_labels(context, task, wanted)
    show(result, json, result.text)


def rollback(task: Task = DEFAULT_TASK, json: Json = False) -> None:
    """Go back to the release before the live one, or to the teacher, from the next request on."""
    from retort.moves import roll_back_task

    with stepping() as context:
        result = roll_back_task(context, task)
    show(result, json, result.text)


def retrain(task: Task = DEFAULT_TASK, json: Json = False) -> None:
    """Collect, train and release in one go, even if little is new."""
    from retort.moves import retrain_task

    with stepping() as context:
        result = retrain_task(context, task)
    show(result, json, result.text)


def harvest(
    task: Annotated[str, typer.Option(help="Name of a task. Default: every task that was used.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Requests per task at most, the oldest first.")] = 10_000,
    json: Json = False,
) -> None:
    """Bring production requests back as documents; `label` sends them on."""
    from flows.harvest import harvest_traffic

    with stepping() as context:
        result = harvest_traffic(context, task, limit)
    show(result, json, result.text)


def ask(
    text: Annotated[str, typer.Argument(help="The document. `-`: read it from standard input.")],
    task: Task = DEFAULT_TASK,
    json: Json = False,
) -> None:
    """Ask the gateway, as the application does; shows which release answered."""
    from prompts.task import load_task
    from retort.gateway_client import ask as ask_gateway
    from retort.overview import override_behind

    document = typer.get_text_stream("stdin").read() if text == "-" else text
    if not document.strip():
        raise InputError("the document is empty: give its text, or `-` and pipe it in.")
    named = load_task(Path(task).expanduser()).name if "/" in task else task
    result = ask_gateway(prepared(), named, document)
    decided = override_behind(prepared(), result.task, result.release)
    show(result, json, f"{result.answer}   ({result.release}, {1000 * result.seconds:.0f} ms){decided}")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line, in the order of the circle."""
    for step in (
        measure,
        advise,
        label,
        retry,
        collect,
        *PEOPLE,
        confidence,
        audit,
        train,
        dataset,
        curve,
        release,
        rollback,
        retrain,
        harvest,
        ask,
        history,
    ):
        app.command()(step)
