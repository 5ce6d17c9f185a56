"""`retort desk ...`: the review desk's own housekeeping. Each command is one function here and a module that does it.

retort desk backup            everything people answered, in one file, while they go on
retort desk restore FILE      back again; the desk must be stopped
retort desk move URL          to another Argilla, by its API: users, datasets, records, suggestions, answers
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from flows.settings import Settings
from records.errors import InputError
from retort.console import bars, show
from retort.session import Json, prepared

app = typer.Typer(no_args_is_help=True, help="Look after the review desk: back it up, restore it, move it.")


class Told(BaseModel):
    """What a command did, in a sentence."""

    text: str
    file: Path | None = None


@app.command()
def backup(
    to: Annotated[Path | None, typer.Option(help="The file to write. Default: in the home folder's backups/.")] = None,
    json: Json = False,
) -> None:
    """Back up the desk into one file. It may be running, and people may answer meanwhile."""
    from review import backup as backups

    chosen = prepared()
    file = to or chosen.home / "backups" / f"desk-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"
    made = backups.make(embedded(chosen), file)
    text = f"Backed up {made.records:,} records and {made.responses:,} answers of the desk: {file}"
    show(Told(text=text, file=file), json, text)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup that `retort desk backup` made.")],
    json: Json = False,
) -> None:
    """Restore the desk from a backup. It must be stopped; what was there is kept beside it."""
    from review import backup as backups

    chosen = prepared()
    done = backups.restore(embedded(chosen), file)
    made = done.manifest
    text = f"Restored {made.records:,} records and {made.responses:,} answers as of {made.made_at:%Y-%m-%d %H:%M} UTC."
    if done.before:
        text += f" What was there before: {done.before}"
    show(Told(text=text, file=done.before), json, text)


@app.command()
def move(
    to: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="The Argilla to move to, e.g. https://argilla.example; by https, unless it is on this machine.",
        ),
    ],
    key_file: Annotated[
        Path | None, typer.Option(help="A file with its owner's API key. Default: it is asked for, unseen.")
    ] = None,
    json: Json = False,
) -> None:
    """Move the desk to another Argilla: people, records, suggestions, answers. Again: what is new since."""
    from retort.credentials import load_or_create
    from review.move import Api
    from review.move import move as bring

    chosen = prepared()
    key = _key(key_file)
    known = load_or_create(chosen.home)
    own = chosen.argilla_api_key.get_secret_value() if chosen.argilla_api_key else known.owner.api_key or ""
    with bars() as progress, Api(chosen.desk, own) as source, Api(to, key) as target:
        done = bring(source, target, {one.username: one.password for one in known.reviewers}, progress)
    show(done, json, done.text)


def _key(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("API key of the owner there", hide_input=True, err=True))
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the key file {file} cannot be read: {error}.") from None


def embedded(chosen: Settings) -> Path:
    """The folder of the embedded desk. Raises InputError when the desk is another Argilla."""
    if chosen.argilla_url:
        raise InputError(
            f"the desk is the Argilla at {chosen.argilla_url}, not the embedded one: back up its own database."
        )
    return chosen.home / "argilla"
