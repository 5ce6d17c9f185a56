"""The commands of advice: what production logs say, and whether a task is worth a model of one's own."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One field of the form: machine_price=0.5, data_may_not_leave=yes."),
    ] = None,
    ask_: Annotated[bool, typer.Option("--ask", help="Ask for the most important numbers, one by one.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every task that was ever advised on.")] = False,
    json: Json = False,
) -> None:
    """Say whether the task should be prompted or fine-tuned, what it costs, and what would change the answer."""
    from flows.advise import advise_all

    if all_ and (answers or set_ or ask_):
        raise InputError("--all goes with what was said of each task before: leave --answers, --set and --ask out.")
    if ask_ and not sys.stdin.isatty():
        raise InputError("--ask needs a terminal; write a YAML file and give it by --answers.")
    with stepping() as context:
        said = answers_of(Path(answers).expanduser() if answers else None, set_ or [])
        said = ask_all(said) if ask_ else said
        result = advise_all(context, "" if all_ else task, said)
    show(result, json, result.text)


def answers_of(path: Path | None, fields: Sequence[str] = ()) -> "Answers":
    """The form in a YAML file, with single fields (`machine_price=0.5`) put in. Raises InputError with every fault."""
    from advice.form import Answers
    from prompts.strict_yaml import read_yaml

    held = read_yaml(path) if path else {}
    for field, value in pairs(fields, "--set", "machine_price=0.5").items():
        section = next((n for n, f in Answers.model_fields.items() if field in _fields_of(f.annotation)), None)
        if section is None:
            raise InputError(f"--set {field}: no such field. `advice/form.py` lists what can be said.")
        held[section] = {**(held.get(section) or {}), field: value}
    try:
        return Answers.model_validate(held)
    except ValidationError as fault:
        told = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (given: {str(e['input'])[:60]!r})" for e in fault.errors()]
        where = path or "--set"
        raise InputError(f"{where}: {'; '.join(told)}. `advice/form.py` lists what can be said.") from None


def _fields_of(section: Any) -> set[str]:
    return set(section.model_fields)


def pairs(given: Sequence[str], option: str, example: str) -> dict[str, str]:
    """`cost=billing.usd` as {"cost": "billing.usd"}. Raises InputError for anything else."""
    found = [one.partition("=") for one in given]
    for field, sign, value in found:
        if not (field and sign and value):
            raise InputError(f"{option} {field}{sign}{value}: wanted NAME=VALUE, such as {example}.")
    return {field: value for field, _, value in found}


def mapping_of(given: Sequence[str]) -> dict[str, str]:
    """Where fields lie in a log."""
    return pairs(given, "--map", "cost=billing.usd")
