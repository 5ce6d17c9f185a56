"""Documents come in: JSONL, JSON, CSV, Parquet, files and folders of .txt, .md, .pdf and .docx, production logs, or a
data set of a hub, by name.

Rows are streamed: 100,000 documents need no more memory than their ids. What cannot be read (a broken line, an empty
text, a corrupt PDF) is a fault with its place and reason, and the rest goes on; exact duplicates are dropped, files of
other types left out, and both counted. Which column holds the text and which the sender's own id is guessed from its
name, or given.

    counts = Counts()
    for found in stream_documents("mails.jsonl", "legal_intake", counts=counts):
        ...                                         # a Taken (document, logged answer), or a Fault
    counts.documents, counts.duplicates, counts.unreadable, counts.left_out

    loaded = read_documents("mails.jsonl", "legal_intake")          # the same, as lists
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from prompts.document_rules import Logs
from prompts.folders import FILE_TYPES
from prompts.logs import Logged, LogReader
from prompts.readers import read_rows
from prompts.rows import Fault, LeftOut, Row
from records.errors import InputError
from records.library import document
from records.progress import Progress, silent
from records.types import Document

TEXT_COLUMNS = ("text", "document", "content", "body", "message", "description", "question", "prompt", "sentence")
ID_COLUMNS = ("id", "external_id", "document_id", "doc_id", "uuid", "key", "name")
MAX_CHARACTERS = 5_000_000
_EVERY = 200
_SHOWN = 3
_LOGGED = "\0logged"
"""Where a row carries the answer that stands beside it in a log; no column can have this name."""


class Taken(NamedTuple):
    """A document, and what a log says that a model answered to it."""

    document: Document
    logged: Logged | None = None


@dataclass
class Counts:
    """What a source held so far. `left_out`: files and rows that are no documents, by their kind."""

    documents: int = 0
    duplicates: int = 0
    unreadable: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def others(self) -> str:
        """`others_told` of what was left out."""
        return others_told(self.left_out)


def others_told(left_out: Mapping[str, int]) -> str:
    """`12 of other kinds left out: 7 .xlsx, 5 .jpg`; empty when there are none."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in left_out.items())
    return f"{sum(left_out.values())} of other kinds left out: {kinds}" if kinds else ""


@dataclass
class Loaded:
    """What a source held: documents in its order, how many exact duplicates, and what could not be read, with why."""

    documents: list[Document] = field(default_factory=list)
    duplicates: int = 0
    faults: list[Fault] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def stream_documents(
    source: str,
    task: str,
    text_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    logs: Logs | None = None,
    counts: Counts | None = None,
) -> Iterator[Taken | Fault]:
    """A source's documents for the task of this name, one by one, and its faults in between; `counts` counts along.

    `keep`: columns to keep as metadata. `logs`: how documents are cut out of logged prompts (the task's section);
    rows that are no log entries are read as ever. Raises InputError when the source does not exist, its text column
    cannot be told, or (at the end) nothing in it could be read.
    """
    counts = counts if counts is not None else Counts()
    seen, first = set[int](), list[Fault]()
    rows = read_rows(source)
    if logs and not text_column:
        rows = _from_logs(rows, LogReader(logs))
    for row in _named(_documents_only(rows, counts), source, text_column, id_column):
        found = row if isinstance(row, Fault) else _document(row, task, source, keep)
        if isinstance(found, Fault):
            counts.unreadable += 1
            first += [found] if len(first) < _SHOWN else []
            yield found
        elif (key := int(found.document.id, 16)) in seen:
            counts.duplicates += 1
        else:
            seen.add(key)
            counts.documents += 1
            yield found
    if not counts.documents:
        raise InputError(_nothing(source, first, counts))


def read_documents(
    source: str,
    task: str,
    text_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    limit: int | None = None,
    progress: Progress = silent,
    logs: Logs | None = None,
) -> Loaded:
    """All documents of a source, or the first `limit`, in memory; otherwise as `stream_documents`."""
    loaded, counts = Loaded(), Counts()
    stream = stream_documents(source, task, text_column, id_column, keep, logs, counts)
    for n, found in enumerate(stream):
        if n % _EVERY == 0:
            progress("reading", n, 0, f"{counts.unreadable} unreadable")
        if isinstance(found, Fault):
            loaded.faults.append(found)
            continue
        loaded.documents.append(found.document)
        if limit is not None and len(loaded.documents) >= limit:
            break
    loaded.duplicates, loaded.left_out = counts.duplicates, counts.left_out
    progress("reading", len(loaded.documents), len(loaded.documents), f"{len(loaded.faults)} unreadable")
    return loaded


def _documents_only(rows: Iterable[Row | Fault | LeftOut], counts: Counts) -> Iterator[Row | Fault]:
    for row in rows:
        if isinstance(row, LeftOut):
            counts.left_out[row.kind] += 1
        else:
            yield row


def _from_logs(rows: Iterable[Row | Fault | LeftOut], reader: LogReader) -> Iterator[Row | Fault | LeftOut]:
    """Log entries as rows of text; other rows pass."""
    for row in rows:
        found = reader.read(row.values) if isinstance(row, Row) else None
        if not isinstance(row, Row) or found is None:
            yield row
        elif isinstance(found, str):
            yield Fault(row.place, found)
        elif isinstance(found, LeftOut):
            yield found
        else:
            yield Row(row.place, {"text": found.text, "id": found.id, _LOGGED: found})


def _named(
    rows: Iterable[Row | Fault], source: str, text_column: str | None, id_column: str | None
) -> Iterator[Row | Fault]:
    """The rows with their text under `text` and their id under `id`. Columns are settled at the first row."""
    text, own_id = text_column, id_column
    for n, row in enumerate(rows):
        if isinstance(row, Fault):
            yield row
            continue
        if text is None:
            text = _text_column(row.values, source)
        if own_id is None:
            own_id = next((c for c in ID_COLUMNS if c in row.values), "")
        if n == 0 and text not in row.values:
            raise InputError(f"{source}: no column {text!r}; it has {', '.join(row.values)}. Give one of these.")
        value = row.values.get(text)
        if not isinstance(value, str):
            what = f"holds {type(value).__name__}, not text" if text in row.values else "is missing"
            yield Fault(row.place, f"the column {text!r} {what}")
            continue
        name = row.values.get(own_id)
        yield Row(row.place, {**row.values, "text": value, "id": None if name is None else str(name)})


def _text_column(values: dict[str, Any], source: str) -> str:
    folded = {name.casefold(): name for name in values}
    for wanted in TEXT_COLUMNS:
        if wanted in folded:
            return folded[wanted]
    texts = [name for name, value in values.items() if isinstance(value, str) and name.casefold() not in ID_COLUMNS]
    if len(texts) == 1:
        return texts[0]
    log = (
        " For production logs, give the task a section `logs`."
        if {"messages", "input", "request"} & set(values)
        else ""
    )
    raise InputError(
        f"{source}: which column holds the text? It has {', '.join(values) or 'none'}. "
        f"Name it (--text-column), or call it `text`.{log}"
    )


def _document(row: Row, task: str, source: str, keep: Sequence[str]) -> Taken | Fault:
    text = _storable(row.values["text"])
    if not text.strip():
        return Fault(row.place, "the text is empty")
    if len(text) > MAX_CHARACTERS:
        return Fault(row.place, f"{len(text)} characters; at most {MAX_CHARACTERS} are taken")
    found = {c: v for c in keep if isinstance(v := row.values.get(c), str | int | float)}
    kept = {c: _storable(v) if isinstance(v, str) else v for c, v in found.items()}
    own = document(task, text, source=f"{source}#{row.place}", external_id=row.values["id"], metadata=kept)
    return Taken(own, row.values.get(_LOGGED))


def _storable(text: str) -> str:
    """Without what a database or UTF-8 does not take: NUL, halves of characters."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")


def _nothing(source: str, faults: list[Fault], counts: Counts) -> str:
    if faults:
        first = "; ".join(f"{f.place}: {f.reason}" for f in faults)
        return f"{source}: none of its {counts.unreadable} documents can be read ({first}). Correct the source."
    others = f" ({counts.others})" if counts.others else ""
    if Path(source).expanduser().is_dir():
        return f"{source}: no documents in it{others}. A folder is read for {', '.join(sorted(FILE_TYPES))} files."
    return f"{source}: no documents in it{others}. Give a source that holds some."
