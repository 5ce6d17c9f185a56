"""The folder in which an embedded Argilla lives: its database, its signing secret, its lock and its scratch files.

argilla/argilla.db        Argilla's own SQLite database, in WAL mode: safe against kill -9
argilla/auth_secret       what sessions are signed with; without it every restart would sign everyone out
argilla/lock              held while a server runs: two on one database would disagree (`review.folder`)
argilla/scratch/          Argilla unpacks its UI into the temporary folder at each start and never removes it
"""

import os
import secrets
import shutil
import sqlite3
import tempfile
from pathlib import Path

from review.folder import DATABASE, SECRET


def prepare(home: Path) -> None:
    """Database in WAL mode, empty scratch folder, and that folder as working and temporary directory."""
    connection = sqlite3.connect(home / DATABASE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    scratch = home / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    os.chdir(scratch)  # Argilla reads `.oauth.yaml` from where it is started


def auth_secret(home: Path) -> str:
    """The secret that sessions are signed with: made once, readable by the user only."""
    file = home / SECRET
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
        os.replace(draft, file)
    return file.read_text()
