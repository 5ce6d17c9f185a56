"""`retort desk ...` from the shell: what it says, what it refuses. A made-up desk's database; no server runs.

What a backup holds and what a move brings is tried on the real thing in test_review_desk_life.
"""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from review.folder import hold

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a desk of three records and one answer."""
    argilla = tmp_path / "home/argilla"
    argilla.mkdir(parents=True)
    with closing(sqlite3.connect(argilla / "argilla.db")) as db:
        db.executescript("CREATE TABLE records (id TEXT); CREATE TABLE responses (id TEXT);")
        db.executescript("INSERT INTO records VALUES ('a'), ('b'), ('c'); INSERT INTO responses VALUES ('x');")
    (argilla / "auth_secret").write_text("s" * 64)
    return tmp_path / "home"


def retort(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RETORT_")}
    command = [sys.executable, "-m", "retort.cli", "desk", *arguments]
    env = {**clean, "RETORT_HOME": str(home), **environ}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, input="")


def records(home: Path) -> int:
    with closing(sqlite3.connect(home / "argilla/argilla.db")) as db:
        return int(db.execute("SELECT count(*) FROM records").fetchone()[0])


def test_a_desk_is_backed_up_lost_and_restored(home: Path):
    said = retort(home, "backup", "--json")
    assert said.returncode == 0, said.stderr
    file = Path(json.loads(said.stdout)["file"])
    assert file.parent == home / "backups" and file.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(home / "argilla/argilla.db")) as db:
        db.execute("DELETE FROM records")
        db.commit()
    with hold(home / "argilla"):
        refused = retort(home, "restore", str(file))
    assert refused.returncode == 3 and "is running in" in refused.stderr and records(home) == 0
    done = retort(home, "restore", str(file))
    assert done.returncode == 0 and "Restored 3 records and 1 answers as of" in done.stdout
    assert "before-restore-" in done.stdout and records(home) == 3


def test_what_cannot_be_done_is_said_in_one_sentence(home: Path, tmp_path: Path):
    elsewhere = retort(home, "backup", RETORT_ARGILLA_URL="http://127.0.0.1:1")
    assert elsewhere.returncode == 2 and "back up its own database" in elsewhere.stderr
    missing = retort(home, "restore", str(tmp_path / "none.zip"))
    assert missing.returncode == 2 and "does not exist" in missing.stderr
    (tmp_path / "key").write_text("secret-of-theirs\n")
    dead = retort(home, "move", "http://127.0.0.1:1", "--key-file", str(tmp_path / "key"), RETORT_ARGILLA_PORT="1")
    assert dead.returncode == 4 and "does not answer" in dead.stderr and "secret-of-theirs" not in dead.stderr
    no_key = retort(home, "move", "http://127.0.0.1:1", "--key-file", str(tmp_path / "no"))
    assert no_key.returncode == 2 and "cannot be read" in no_key.stderr
