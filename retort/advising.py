"""The commands of advice: what production logs say, and whether a task is worth a model of one's own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from records.errors import InputError
from retort.console import show
from retort.questions import ask_all
from retort.session import DEFAULT_TASK, Json, Task, stepping

if TYPE_CHECKING:
    from advice.form import Answers


def measure(
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            help="JSONL, JSON, CSV, Parquet, or folders of such: OpenAI's chats, LiteLLM's spend logs, Langfuse. "
            "Default: what the gateway recorded."
        ),
    ] = None,
    task: Annotated[
        str, typer.Option(help="The one task to look at; lines that name none are taken for its own.")
    ] = "",
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="Where a field lies: cost=billing.usd. Fields: task, time, cost, latency, input..."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the prompted phase: volume, tokens, cost, latency, errors, repeated inputs, by task."""
    from flows.measuring import measure_logs

    with stepping() as context:
        result = measure_logs(context, logs or [], task, mapping_of(map_ or []))
    show(result, json, result.text)


def advise(
    task: Task = DEFAULT_TASK,
    answers: Annotated[
        str, typer.Option(help="YAML with what nobody measured; `advice/form.py` lists it. Default: the last time's.")
    ] = "",
    ask_: Annotated[bool, typer.Option("--ask", help="Ask for the most important numbers, one by one.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every task that was ever advised on.")] = False,
    json: Json = False,
) -> None:
    """Say whether the task should be prompted or fine-tuned, what it costs, and what would change the answer."""
    from advice.form import Answers
    from flows.advise import advise_all

    if all_ and (answers or ask_):
        raise InputError("--all goes with what was said of each task the last time: leave --answers and --ask out.")
    if ask_ and not sys.stdin.isatty():
        raise InputError("--ask needs a terminal; write a YAML file and give it by --answers.")
    with stepping() as context:
        said = Answers() if not answers else answers_of(Path(answers).expanduser())
        said = ask_all(said) if ask_ else said
        result = advise_all(context, "" if all_ else task, said)
    show(result, json, result.text)


def answers_of(path: Path) -> "Answers":
    """The form in a YAML file. Raises InputError with every fault."""
    from advice.form import Answers
    from prompts.strict_yaml import read_yaml

    try:
        return Answers.model_validate(read_yaml(path))
    except ValidationError as fault:
        told = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (given: {str(e['input'])[:60]!r})" for e in fault.errors()]
        raise InputError(f"{path}: {'; '.join(told)}. `advice/form.py` lists what can be said.") from None


def mapping_of(given: list[str]) -> dict[str, str]:
    """`cost=billing.usd` as {"cost": "billing.usd"}. Raises InputError for anything else."""
    pairs = [one.partition("=") for one in given]
    for field, sign, path in pairs:
        if not (field and sign and path):
            raise InputError(f"--map {field}{sign}{path}: wanted FIELD=PATH, such as cost=billing.usd.")
    return {field: path for field, _, path in pairs}
