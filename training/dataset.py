"""A training set, frozen: rows become a folder of JSON lines with a manifest, or an error in one sentence.

    datasets/legal_intake/3/
        train.jsonl, validation.jsonl   one row per document
        manifest.json                   counts, hashes, sources, the prompt's fingerprint
        README.md                       the card (`training.card`)

One real row (grain: one per document; `messages` is what Axolotl's `type: chat_template` reads, the rest is lineage):

    {"messages": [{"role": "system", "content": "Sort the message."}, {"role": "user", "content": "The van ..."},
                  {"role": "assistant", "content": "debt"}], "document_id": "41d0c7a2b6e95f13", "source": "correction"}

The folder is written beside its place and moved there whole, so a crash leaves nothing that looks like a dataset. Test
documents are refused here once more, whatever the caller believes: this is the last door before training.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from records.errors import InputError
from records.split import split_of
from records.types import Record, Split, now

MANIFEST = "manifest.json"
_ROLES = {"system", "user", "assistant"}


class Row(Record):
    """One document as it is trained. `messages` ends with the assistant's turn: the answer to learn."""

    document_id: str
    cluster: str
    split: Split
    messages: list[dict[str, str]]
    source: Literal["correction", "trusted label"]


def build(task: str, rows: Iterable[Row], folder: Path, prompt: str, card: str = "") -> dict[str, Any]:
    """Freeze `rows` as the dataset `folder`; the manifest as written. The same rows again change nothing.

    `prompt` is the fingerprint of the prompt that rendered the messages; `card` the text beside the rows. Raises
    InputError for a test document, an empty answer, a document given twice, no training row, or a folder that already
    holds another dataset.
    """
    ordered = sorted(rows, key=lambda row: row.document_id)
    _check(task, ordered)
    digest = content_hash(ordered)
    if folder.exists():
        return _known(folder, digest)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    files = {split: _write(partial, split, ordered) for split in (Split.train, Split.validation)}
    if card:
        (partial / "README.md").write_text(card, encoding="utf-8")
    manifest = _manifest(task, ordered, prompt, digest) | {"files": {f"{s}.jsonl": f for s, f in files.items()}}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, folder)
    return manifest


def content_hash(rows: Iterable[Row]) -> str:
    """SHA-256 of what is trained and in which split, whatever the order of the rows."""
    digests = sorted(hashlib.sha256(f"{row.split}\n{_line(row)}".encode()).digest() for row in rows)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset whose files are still those that were frozen; InputError where they are not."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no dataset: it has no {MANIFEST}. Build it with training.dataset.build.")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, facts in manifest["files"].items():
        found = _sha256(folder / name) if (folder / name).is_file() else "no file"
        if found != facts["sha256"]:
            raise InputError(
                f"{folder / name} was changed after the dataset was frozen (hash {found[:12]}, frozen "
                f"{facts['sha256'][:12]}): build a new version instead of editing one."
            )
    return manifest


def load(folder: Path) -> Any:
    """The dataset as a `datasets.DatasetDict` of its non-empty splits, for notebooks and analyses."""
    from datasets import Dataset, DatasetDict

    read_manifest(folder)
    splits = {}
    for split in (Split.train, Split.validation):
        text = (folder / f"{split}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]
        if rows:
            splits[split.value] = Dataset.from_list(rows)
    return DatasetDict(splits)


def _check(task: str, rows: Sequence[Row]) -> None:
    for row in rows:
        _check_split(row)
        _check_messages(row)
    twice = [key for key, n in Counter(row.document_id for row in rows).items() if n > 1]
    if twice:
        raise InputError(f"Document {twice[0]} is in the training set twice ({len(twice)} such): give one answer each.")
    if not any(row.split is Split.train for row in rows):
        raise InputError(
            f"There is no row to train on for task {task!r} ({len(rows)} rows, none in the train split): "
            "collect corrections or lower review.trust_above first."
        )


def _check_split(row: Row) -> None:
    belongs = split_of(row.cluster)
    if row.split is Split.withheld:
        raise InputError(f"Document {row.document_id} is withheld: it is too like two splits. Leave it out.")
    if Split.test in (row.split, belongs):
        raise InputError(f"Document {row.document_id} is a test document: it is never trained on. Leave it out.")
    if row.split is not belongs:
        raise InputError(
            f"Document {row.document_id} is given as {row.split}, but its content says {belongs} "
            f"(cluster {row.cluster}): take the split from records.split."
        )


def _check_messages(row: Row) -> None:
    where = f"Document {row.document_id}"
    for message in row.messages:
        if set(message) != {"role", "content"} or message["role"] not in _ROLES:
            raise InputError(
                f"{where} has a message that is no {{role, content}} of system, user or assistant: {message!r:.120}"
            )
    if not row.messages or row.messages[-1]["role"] != "assistant":
        raise InputError(f"{where} has no answer to learn: its last message must be the assistant's.")
    if not row.messages[-1]["content"].strip():
        raise InputError(f"{where} has an empty answer: leave it out or give it one.")
    try:
        _line(row).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where} holds a broken character (half a surrogate pair, {error.reason}): "
            "clean the text before it is labelled."
        ) from error


def _line(row: Row) -> str:
    shown = {"messages": row.messages, "document_id": row.document_id, "source": row.source}
    return json.dumps(shown, ensure_ascii=False, sort_keys=True)


def _write(folder: Path, split: Split, rows: Sequence[Row]) -> dict[str, Any]:
    lines = [_line(row) + "\n" for row in rows if row.split is split]
    path = folder / f"{split}.jsonl"
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return {"rows": len(lines), "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(task: str, rows: Sequence[Row], prompt: str, digest: str) -> dict[str, Any]:
    return {
        "task": task,
        "hash": digest,
        "prompt": prompt,
        "created_at": now().isoformat(timespec="seconds"),
        "rows": {s.value: sum(row.split is s for row in rows) for s in (Split.train, Split.validation)},
        "sources": dict(sorted(Counter(row.source for row in rows).items())),
    }


def _known(folder: Path, digest: str) -> dict[str, Any]:
    manifest = read_manifest(folder)
    if manifest["hash"] != digest:
        raise InputError(
            f"{folder} already holds another dataset (hash {manifest['hash'][:12]}, yours {digest[:12]}): "
            "a version is frozen, build the next one."
        )
    return manifest
