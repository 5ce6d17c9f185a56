"""The command line: `retort COMMAND`. What the flows do, from a shell; the stack; questions to the gateway.

Results go to stdout (`--json`: one object), progress and errors to stderr. Exit codes: 0 done, 1 a fault of ours,
2 wrong input, 3 the machine lacks something, 4 a service failed, 5 the store refuses, 6 not approved, 130 interrupted.
Slow vendors are imported by the command that needs them, so that `--help` answers at once.
"""

import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from records.errors import RetortError
from retort import desk
from retort.console import bars, err, show
from retort.session import Json, prepared

_INTERRUPTED = 130

app = typer.Typer(
    name="retort",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Distil a large prompted model into a small fine-tuned one, with people in the loop and numbers at the gate.",
    epilog="The circle: label -> (people answer at the desk) -> collect -> train -> release -> harvest -> label.",
)


app.add_typer(desk.app, name="desk")


@app.command()
def up(json: Json = False) -> None:
    """Start the stack and leave it running: Prefect, its worker, Argilla, the model server, the gateway."""
    from retort import running

    chosen = prepared()
    with bars() as progress:
        result = running.start(chosen, progress)
    show(result, json, result.text)


@app.command()
def down(json: Json = False) -> None:
    """Stop the stack. Nothing is lost: `up` starts it again with all its data."""
    from retort import running

    result = running.stop(prepared())
    show(result, json, result.text)


@app.command()
def status(json: Json = False) -> None:
    """Show the services, and of every task its documents, answers, corrections, students and what is live."""
    from retort.overview import overview

    result = overview(prepared())
    show(result, json, result.text)


@app.command()
def demo(
    json: Json = False,
    documents: Annotated[
        int | None, typer.Option(min=200, help="Documents to label at most. Default: 330 of 630.")
    ] = None,
) -> None:
    """Run the whole circle on the sample task, with a scripted reviewer in the place of people."""
    from retort.demo import ASKED, run

    chosen = prepared()
    with bars() as progress:
        result = run(chosen, progress, documents or ASKED)
    show(result, json, result.text)


def main() -> int:
    """Run a command; the exit code."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        from retort import steps

        steps.add_to(app)
        app()
    except RetortError as fault:
        err.print(f"retort: {fault}", markup=False, highlight=False, soft_wrap=True)
        return fault.exit_code
    except KeyboardInterrupt:  # outside a command; within one, Typer makes it SystemExit(130)
        return _interrupted()
    except SystemExit as ended:
        return _interrupted() if ended.code == _INTERRUPTED else _code(ended.code)
    return 0


def _interrupted() -> int:
    err.print("retort: interrupted. What was done is kept; the same command goes on from there.", markup=False)
    return _INTERRUPTED


def _interrupt(_: int, __: FrameType | None) -> None:
    """SIGTERM ends a command as ctrl-C does, so that whatever it holds is closed in order."""
    raise KeyboardInterrupt


def _code(given: Any) -> int:
    return given if isinstance(given, int) else 0 if given is None else 1


if __name__ == "__main__":
    sys.exit(main())
