"""The embedded desk in one file, and back: what people answered, who they are, and what sessions are signed with.

The copy is taken by SQLite's online backup in one read transaction, so the server may run and people may answer
meanwhile: what was committed when it began is in it, nothing after. A backup is a zip of the database, the signing
secret and, last, a manifest with their hashes; it appears under its name only when it is whole. It holds all documents,
all answers and the hashes of all passwords, so only its owner can read it.

    manifest.json   {"argilla": "2.8.0", "made_at": "2026-11-25T10:30:00+00:00", "records": 4210, "responses": 611,
                     "files": {"argilla.db": "9f86d08...", "auth_secret": "60303ae..."}}     (SHA-256)

To restore, the server must be stopped. The database that was there is kept beside the restored one.

    make(home / "argilla", home / "backups" / "desk.zip");  restore(home / "argilla", Path("desk.zip"))
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from records.errors import EnvironmentFault, InputError
from review.folder import ARGILLA, DATABASE, SECRET, hold

_MANIFEST = "manifest.json"
_CHUNK = 1 << 20


class Manifest(BaseModel):
    """What a backup says of itself. One a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    argilla: str
    made_at: datetime
    records: int
    responses: int
    files: dict[str, str]


class Restored(BaseModel):
    """What was restored, and where the database that was there before is now; None: there was none."""

    manifest: Manifest
    before: Path | None


def make(home: Path, to: Path) -> Manifest:
    """Back up the desk in the folder `home` into the file `to`; it may be running.

    Raises InputError when there is no desk or `to` exists.
    """
    if not (home / DATABASE).exists():
        raise InputError(f"there is no desk in {home}: `retort up` makes one.")
    if to.exists():
        raise InputError(f"{to} exists already: give another file, a backup is never written over.")
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".backup-") as folder:
        copy = Path(folder) / DATABASE
        _copy(home / DATABASE, copy)
        parts = {DATABASE: copy, SECRET: home / SECRET}
        hashes = {name: _hash(file) for name, file in parts.items()}
        records, responses = _counts(copy)
        now = datetime.now(UTC).replace(microsecond=0)
        manifest = Manifest(argilla=ARGILLA, made_at=now, records=records, responses=responses, files=hashes)
        draft = Path(folder) / "draft.zip"
        _pack(draft, parts, manifest)
        os.replace(draft, to)
    return manifest


def restore(home: Path, backup: Path) -> Restored:
    """Put a backup's desk into the folder `home`, whose server must be stopped.

    Raises InputError for a file that is no whole backup or of another Argilla, EnvironmentFault when a server runs.
    """
    manifest = read_manifest(backup)
    with hold(home), tempfile.TemporaryDirectory(dir=home, prefix=".restore-") as folder:
        new = {name: Path(folder) / name for name in (DATABASE, SECRET)}
        _unpack(backup, manifest, new)
        _check(new[DATABASE], backup)
        before = _set_aside(home)
        os.replace(new[SECRET], home / SECRET)
        os.replace(new[DATABASE], home / DATABASE)
    return Restored(manifest=manifest, before=before)


def read_manifest(backup: Path) -> Manifest:
    """What a backup says of itself. Raises InputError when it is none, or of another Argilla."""
    try:
        with zipfile.ZipFile(backup) as packed, packed.open(_MANIFEST) as file:
            manifest = Manifest.model_validate_json(file.read(_CHUNK))
    except FileNotFoundError:
        raise InputError(f"{backup} does not exist.") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValidationError):
        raise InputError(f"{backup} is no backup of the desk, or not a whole one.") from None
    if manifest.argilla != ARGILLA:
        raise InputError(
            f"{backup} is of Argilla {manifest.argilla}, here is {ARGILLA}: restore it with the Retort that made it, "
            "then move it by `retort desk move`."
        )
    return manifest


def _copy(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database, timeout=60)) as source, closing(sqlite3.connect(to)) as target:
        source.execute("PRAGMA query_only = 1")
        source.backup(target)  # in one step: one read transaction, which blocks nobody in WAL mode


def _counts(database: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(database)) as copy:
        [(records, responses)] = copy.execute("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM responses)")
        return records, responses


def _pack(file: Path, parts: dict[str, Path], manifest: Manifest) -> None:
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for name, part in parts.items():
                packed.write(part, name)
            packed.writestr(_MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        out.flush()
        os.fsync(out.fileno())


def _unpack(backup: Path, manifest: Manifest, to: dict[str, Path]) -> None:
    with zipfile.ZipFile(backup) as packed:
        if not manifest.files.keys() == to.keys() <= set(packed.namelist()):
            raise InputError(f"{backup} is not a whole backup: it lacks {', '.join(to)}.")
        needed = sum(packed.getinfo(name).file_size for name in to)
        free = shutil.disk_usage(to[DATABASE].parent).free
        if needed > free:
            raise EnvironmentFault(f"restoring {backup} takes {needed:,} bytes of disk, {free:,} are free.")
        for name, file in to.items():
            with packed.open(name) as part, os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
                try:
                    shutil.copyfileobj(part, out, _CHUNK)
                    out.flush()
                    os.fsync(out.fileno())
                except (zipfile.BadZipFile, EOFError, OSError):
                    raise InputError(f"{backup} is damaged: {name} cannot be read.") from None
            if _hash(file) != manifest.files[name]:
                raise InputError(f"{backup} is damaged: {name} is not what was backed up.")


def _check(database: Path, backup: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as copy:
            found = copy.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        found = [(str(error),)]
    if found != [("ok",)]:
        raise InputError(f"{backup} is damaged: {found[0][0]}.")


def _set_aside(home: Path) -> Path | None:
    """Keep the database that is there under another name too, with its write-ahead log in it."""
    database = home / DATABASE
    if not database.exists():
        return None
    with closing(sqlite3.connect(database, timeout=10)) as now:
        [(busy, _, _)] = now.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        raise EnvironmentFault(f"another program reads {database}: end it, then restore again.")
    for left in (f"{DATABASE}-wal", f"{DATABASE}-shm"):  # of the database that goes: empty now
        (home / left).unlink(missing_ok=True)
    kept = home / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.db"
    try:
        os.link(database, kept)
    except OSError:  # a disk without hard links
        shutil.copyfile(database, kept)
    return kept


def _hash(file: Path) -> str:
    with file.open("rb") as part:
        return hashlib.file_digest(part, "sha256").hexdigest()
