"""What every command stands on: its common options, the settings, and the workplace of a step with bars."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import ValidationError

from flows.context import Context, workplace
from flows.settings import PROJECT, Settings, settings
from records import cutoff
from records.errors import EnvironmentFault
from retort.console import bars
from retort.ports import dotenv
from retort.services import guard_environment, prefect_environment

DEFAULT_TASK = "legal_intake"
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Task = Annotated[str, typer.Option(help="A task by name (in prompts/, or used before), or the path of its folder.")]


def prepared() -> Settings:
    """The settings, with `.env` and what Prefect's client needs in the environment of this process.

    Raises EnvironmentFault that names every setting that cannot be used.
    """
    for name, value in dotenv(PROJECT / ".env").items():
        os.environ.setdefault(name, value)
    try:
        chosen = settings()
    except ValidationError as fault:
        wrong = [f"RETORT_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in fault.errors()]
        raise EnvironmentFault(f"{'; '.join(wrong)}. Correct it in the environment or in .env.") from None
    direct = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    for name, value in {**direct, **prefect_environment(chosen)}.items():
        os.environ.setdefault(name, value)
    cutoff.install(guard_environment(chosen))
    return chosen


@contextmanager
def stepping() -> Iterator[Context]:
    """A step's workplace in this process, its progress as bars."""
    chosen = prepared()
    with bars() as progress, workplace(progress, chosen) as context:
        yield context
