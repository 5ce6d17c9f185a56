"""Documents come in: JSONL, CSV, Parquet, a folder of .txt, .md and .pdf files, or a data set of a hub, by name.

Rows are streamed through `datasets`. What cannot be read (a broken line, an empty text, a corrupt PDF) is a fault with
its place and reason, and the rest goes on; exact duplicates are dropped and counted. Which column holds the text and
which the sender's own id is guessed from its name, or given.

    loaded = read_documents("mails.jsonl", "legal_intake")
    loaded.documents, loaded.duplicates, loaded.faults
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from prompts.readers import FOLDER_TYPES, Fault, Row, read_rows
from records.errors import InputError
from records.library import document
from records.progress import Progress, silent
from records.types import Document

TEXT_COLUMNS = ("text", "document", "content", "body", "message", "description", "question", "prompt", "sentence")
ID_COLUMNS = ("id", "external_id", "document_id", "doc_id", "uuid", "key", "name")
MAX_CHARACTERS = 5_000_000
_EVERY = 200


@dataclass
class Loaded:
    """What a source held: documents in its order, how many exact duplicates, and what could not be read, with why."""

    documents: list[Document] = field(default_factory=list)
    duplicates: int = 0
    faults: list[Fault] = field(default_factory=list)


def read_documents(
    source: str,
    task: str,
    text_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    limit: int | None = None,
    progress: Progress = silent,
) -> Loaded:
    """All documents of a source for the task of this name. `keep`: columns to keep as metadata.

    Raises InputError when the source does not exist, its text column cannot be told, or nothing in it can be read.
    """
    loaded, seen = Loaded(), set[str]()
    for n, row in enumerate(_named(read_rows(source), source, text_column, id_column)):
        if limit is not None and len(loaded.documents) >= limit:
            break
        if n % _EVERY == 0:
            progress("reading", n, 0, f"{len(loaded.faults)} unreadable")
        found = row if isinstance(row, Fault) else _document(row, task, source, keep)
        if isinstance(found, Fault):
            loaded.faults.append(found)
        elif found.id in seen:
            loaded.duplicates += 1
        else:
            seen.add(found.id)
            loaded.documents.append(found)
    if not loaded.documents:
        raise InputError(_nothing(source, loaded.faults))
    progress("reading", len(loaded.documents), len(loaded.documents), f"{len(loaded.faults)} unreadable")
    return loaded


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
    raise InputError(
        f"{source}: which column holds the text? It has {', '.join(values) or 'none'}. "
        f"Name it (--text-column), or call it `text`."
    )


def _document(row: Row, task: str, source: str, keep: Sequence[str]) -> Document | Fault:
    text = row.values["text"].replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    if not text.strip():
        return Fault(row.place, "the text is empty")
    if len(text) > MAX_CHARACTERS:
        return Fault(row.place, f"{len(text)} characters; at most {MAX_CHARACTERS} are taken")
    kept = {c: v for c in keep if isinstance(v := row.values.get(c), str | int | float)}
    return document(task, text, source=f"{source}#{row.place}", external_id=row.values["id"], metadata=kept)


def _nothing(source: str, faults: list[Fault]) -> str:
    if not faults:
        return f"{source}: no documents in it. A folder is read for {', '.join(sorted(FOLDER_TYPES))} files."
    first = "; ".join(f"{f.place}: {f.reason}" for f in faults[:3])
    return f"{source}: none of its {len(faults)} documents can be read ({first}). Correct the source."
