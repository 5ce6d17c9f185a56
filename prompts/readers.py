"""Rows out of files: one reader a format, each row with its place, each broken row a fault with its reason.

JSON lines and CSV are streamed as text and parsed here, line by line: the readers of `datasets` for them give the whole
file up at its first broken line, and turn ids such as 007 into numbers. Nothing is written to a cache.
"""

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from records.errors import InputError

FOLDER_TYPES = {".txt", ".md", ".pdf"}
_MAX_FILE_BYTES = 50_000_000
_MAX_PAGES = 2_000


class Row(NamedTuple):
    """A row and where it stands (`line 7`, `row 12`, `letters/a.pdf`)."""

    place: str
    values: dict[str, Any]


class Fault(NamedTuple):
    """A document that could not be read, and why."""

    place: str
    reason: str


def read_rows(source: str) -> Iterator[Row | Fault]:
    """The rows of a file, a folder, or a hub's data set (`owner/name`, `owner/name:split`).

    Raises InputError when there is no such thing, or its format is not known.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path)
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv, ".parquet": _parquet}
    if path.is_file():
        if path.suffix.lower() in FOLDER_TYPES:
            return iter([_file(path, path.name)])
        if path.suffix.lower() not in readers:
            raise InputError(f"{source}: format {path.suffix or '(none)'!r} is not read. Use {', '.join(readers)}.")
        return readers[path.suffix.lower()](path)
    if path.suffix or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise InputError(f"{source}: no such file or folder. Check the path (from {Path.cwd()}).")
    return _hub(source)


def _stream(builder: str, path: Path, **options: Any) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    rows: Iterator[dict[str, Any]] = iter(
        load_dataset(builder, data_files=str(path), split="train", streaming=True, **options)
    )
    return rows


def _json_lines(path: Path) -> Iterator[Row | Fault]:
    for n, row in enumerate(_stream("text", path, encoding_errors="replace"), 1):
        if not row["text"].strip():
            continue
        try:
            values = json.loads(row["text"])
        except (ValueError, RecursionError) as fault:
            yield Fault(f"line {n}", f"not JSON: {fault}")
            continue
        yield Row(f"line {n}", values) if isinstance(values, dict) else Fault(f"line {n}", "not an object")


def _csv(path: Path) -> Iterator[Row | Fault]:
    """Rows of a CSV file as text, whatever they look like; the delimiter is the header's commonest of , ; tab."""
    lines = (row["text"] for row in _stream("text", path, encoding_errors="replace", keep_linebreaks=True))
    first = next(lines, "").lstrip("\ufeff")
    csv.field_size_limit(_MAX_FILE_BYTES)
    reader = csv.reader(itertools.chain([first], lines), delimiter=max(",;\t", key=first.count))
    header = next(reader, [])
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as fault:
            yield Fault(f"line {begins}", f"not CSV: {fault}")
            continue
        if cells is None:
            return
        if len(cells) == len(header):
            yield Row(f"line {begins}", dict(zip(header, cells, strict=True)))
        elif cells:
            yield Fault(f"line {begins}", f"{len(cells)} cells, the header has {len(header)}")


def _parquet(path: Path) -> Iterator[Row | Fault]:
    """Rows of a Parquet file. A fault of the file as a whole is an InputError, since no row of it can be trusted."""
    try:
        for n, values in enumerate(_stream("parquet", path), 1):
            yield Row(f"row {n}", values)
    except Exception as fault:  # the readers below `datasets` raise errors of many kinds
        raise InputError(f"{path}: cannot be read as Parquet: {_last_line(fault)}. Correct the file.") from fault


def _hub(name: str) -> Iterator[Row | Fault]:
    from datasets import load_dataset

    path, _, split = name.partition(":")
    try:
        for n, values in enumerate(load_dataset(path, split=split or "train", streaming=True), 1):
            yield Row(f"row {n}", values)
    except Exception as fault:  # no network, no such data set, no such split: many kinds
        raise InputError(
            f"{name}: neither a file or folder here, nor a data set of the hub that can be read: {_last_line(fault)}"
        ) from fault


def _folder(folder: Path) -> Iterator[Row | Fault]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in FOLDER_TYPES:
            yield _file(path, str(path.relative_to(folder)))


def _file(path: Path, place: str) -> Row | Fault:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return Fault(place, f"{path.stat().st_size} bytes; at most {_MAX_FILE_BYTES} are read")
        text = _pdf_text(path) if path.suffix.lower() == ".pdf" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        return Fault(place, f"byte {fault.start} is not UTF-8")
    except (OSError, ValueError) as fault:
        return Fault(place, str(fault))
    return Row(place, {"text": text, "id": place})


def _pdf_text(path: Path) -> str:
    """The text of all pages. Raises ValueError for what is not a readable PDF, or holds no text."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as fault:
        reason = "is encrypted" if "assword" in str(fault) else f"is corrupt ({_last_line(fault)})"
        raise ValueError(f"the PDF {reason}") from fault
    try:
        if len(pdf) > _MAX_PAGES:
            raise ValueError(f"the PDF has {len(pdf)} pages; at most {_MAX_PAGES} are read")
        pages = [_page_text(pdf[n]) for n in range(len(pdf))]
    except pypdfium2.PdfiumError as fault:
        raise ValueError(f"the PDF is corrupt ({_last_line(fault)})") from fault
    finally:
        pdf.close()
    text = "\n".join(pages).strip()
    if not text:
        raise ValueError("the PDF holds no text; is it a scan? Recognise its text (OCR) first")
    return text


def _page_text(page: Any) -> str:
    layer = page.get_textpage()
    text: str = layer.get_text_bounded()
    layer.close()
    page.close()
    # pdfium marks a hyphen at a line's end with U+FFFE
    return text.replace("\ufffe", "-").replace("\r\n", "\n")


def _last_line(fault: BaseException) -> str:
    lines = str(fault).strip().splitlines()
    return lines[-1][:200] if lines else type(fault).__name__
