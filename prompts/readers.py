"""Rows out of files: one reader a format, each row with its place, each broken row a fault with its reason.

JSON lines and CSV are streamed as text and parsed here, line by line: the readers of `datasets` for them give the whole
file up at its first broken line, turn ids such as 007 into numbers, and hold 10 MB of text as 60 MB of lines at a time.
Parquet and a hub's data sets are streamed by `datasets`. Nothing is written to a cache.
"""

import csv
import itertools
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prompts.folders import FILE_TYPES, read_files
from prompts.rows import MAX_FILE_BYTES, Fault, LeftOut, Row
from records.errors import InputError

Rows = Iterator[Row | Fault | LeftOut]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(:[\w.-]+)?")


def read_rows(source: str) -> Rows:
    """The rows of a file, a folder, or a hub's data set (`owner/name`, `owner/name:split`).

    Raises InputError when there is no such thing, or its format is not known.
    """
    path = Path(source).expanduser()
    readers: dict[str, Callable[[Path], Rows]] = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".json": _json,
        ".csv": _csv,
        ".parquet": _parquet,
    }
    kind = path.suffix.lower()
    if path.is_dir() or (path.is_file() and kind in FILE_TYPES):
        return read_files(path)
    if path.is_file():
        if kind not in readers:
            known = ", ".join([*readers, *sorted(FILE_TYPES)])
            raise InputError(f"{source}: format {path.suffix or '(none)'!r} is not read. Use one of {known}.")
        return readers[kind](path)
    if path.suffix or not _HUB_NAME.fullmatch(source):
        raise InputError(f"{source}: no such file or folder. Check the path (from {Path.cwd()}).")
    if path.parent.is_dir():
        raise InputError(f"{source}: no such file or folder: {path.parent} is a folder here, without {path.name!r}.")
    return _hub(source)


def _lines(path: Path, newline: str) -> Iterator[str]:
    """A text's lines with their ends (`newline` as `open` takes it); one that is too long comes in pieces."""
    with path.open(encoding="utf-8", errors="replace", newline=newline) as file:
        yield from iter(lambda: file.readline(MAX_FILE_BYTES), "")


def _json_lines(path: Path) -> Rows:
    for n, line in enumerate(_lines(path, "\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line.lstrip("\ufeff") if n == 1 else line)
        except (ValueError, RecursionError) as fault:
            yield Fault(f"line {n}", f"not JSON: {fault}")
            continue
        yield Row(f"line {n}", values) if isinstance(values, dict) else Fault(f"line {n}", "not an object")


def _csv(path: Path) -> Rows:
    """Rows of a CSV file as text, whatever they look like; the delimiter is the header's commonest of , ; tab."""
    lines = _lines(path, "")
    first = next(lines, "").lstrip("\ufeff")
    csv.field_size_limit(MAX_FILE_BYTES)
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


def _parquet(path: Path) -> Rows:
    """Rows of a Parquet file. A fault of the file as a whole is an InputError, since no row of it can be trusted."""
    from datasets import load_dataset

    try:
        rows = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        for n, values in enumerate(rows, 1):
            yield Row(f"row {n}", values)
    except Exception as fault:  # the readers below `datasets` raise errors of many kinds
        raise InputError(f"{path}: cannot be read as Parquet: {_last_line(fault)}. Correct the file.") from fault


def _json(path: Path) -> Rows:
    """Rows of a JSON file: an array of objects, or the `data` of one object, as lists of an API are."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are read. Use JSON lines.")
    try:
        held = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise InputError(f"{path}: not JSON: {fault}. Correct the file.") from fault
    rows = held.get("data") if isinstance(held, dict) else held
    if not isinstance(rows, list):
        raise InputError(f"{path}: neither an array nor an object with an array `data`. Use JSON lines.")
    for n, values in enumerate(rows, 1):
        yield Row(f"row {n}", values) if isinstance(values, dict) else Fault(f"row {n}", "not an object")


def _hub(name: str) -> Rows:
    from datasets import load_dataset

    path, _, split = name.partition(":")
    try:
        with _quiet():
            rows = iter(load_dataset(path, split=split or "train", streaming=True))
        for n, values in enumerate(rows, 1):
            yield Row(f"row {n}", values)
    except Exception as fault:  # no network, no such data set, no such split: many kinds
        raise InputError(
            f"{name}: no such file or folder (from {Path.cwd()}), and no data set of the hub that can be read: "
            f"{_last_line(fault)}"
        ) from fault


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the hub client's warnings and retries off the terminal: what they come to is told in one sentence."""
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub", "fsspec", "urllib3", "httpx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _last_line(fault: BaseException) -> str:
    lines = str(fault).strip().splitlines()
    return lines[-1][:200] if lines else type(fault).__name__
