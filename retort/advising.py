"""The commands of advice: what production logs say, and whether a task is worth a model of one's own."""

from typing import Annotated

import typer

from records.errors import InputError
from retort.console import show
from retort.session import Json, stepping


def measure(
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            help="JSONL, JSON, CSV, Parquet, or folders of such: OpenAI-style chats, LiteLLM's spend logs, Langfuse. "
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


def mapping_of(given: list[str]) -> dict[str, str]:
    """`cost=billing.usd` as {"cost": "billing.usd"}. Raises InputError for anything else."""
    pairs = [one.partition("=") for one in given]
    for field, sign, path in pairs:
        if not (field and sign and path):
            raise InputError(f"--map {field}{sign}{path}: wanted FIELD=PATH, such as cost=billing.usd.")
    return {field: path for field, _, path in pairs}
