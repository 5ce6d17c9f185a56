"""The text of Word files (.docx): the body's paragraphs and tables, in their order, as a reader sees them.

Streamed from the file's one XML part, with bounds, so a zip bomb costs some seconds and no memory. Read here and not
by python-docx, which goes over a paragraph's plain runs: it leaves out what was inserted with tracked changes and
what stands in content controls (a form's filled-in fields), silently, and it holds the whole tree.

In the text: insertions, fields, hyperlinks, text boxes. Not in it: deletions, headers, footers, footnotes, comments,
the numbers of numbered paragraphs. A table's row is one line, its cells set apart by tabs.

    text = word_text(Path("letters/a.docx"))        # ValueError: encrypted, corrupt, no text, too long
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.parsers import expat

MAX_CHARACTERS = 5_000_000
MAX_XML_BYTES = 64_000_000
MAX_ELEMENTS = 1_000_000
"""A run of text with its properties has about five."""
_MAX_DIRECTORY_BYTES = 1_000_000
_CHUNK = 1 << 25
"""Expat reads a token that is not whole yet again with every chunk: in small ones, a long comment takes minutes."""
_OLE = b"\xd0\xcf\x11\xe0"
_LEFT_OUT = {"del", "moveFrom", "Fallback", "pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "sdtPr"}
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def word_text(path: Path) -> str:
    """The body's text. Raises ValueError with the reason for what is no readable Word file, or holds no text."""
    with path.open("rb") as file:
        if file.read(4) == _OLE:
            raise ValueError("the Word file is encrypted, or an old .doc by another name; save it as .docx")
        _check_directory(file)
        try:
            with zipfile.ZipFile(file) as archive:
                body = _Body()
                _parse(archive, _main_part(archive), body.handlers())
        except (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, EOFError, NotImplementedError) as fault:
            raise ValueError(f"the Word file is corrupt ({str(fault)[:200]})") from fault
        except RuntimeError as fault:  # zipfile's word for a part with a password
            raise ValueError("the Word file is encrypted") from fault
    text = "\n".join(body.lines).strip()
    if not text:
        raise ValueError("the Word file holds no text")
    return text


class _Body:
    """What a body's elements amount to. `lines` grows; paragraphs and cells that are open lie on stacks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._open: list[list[str]] = []  # the pieces of each open paragraph
        self._tables: list[list[str]] = []  # for each open row and cell: what it holds so far
        self._skipped = self._length = self._elements = 0
        self._in_text = False

    def handlers(self) -> dict[str, object]:
        """For `_parse`."""
        return {
            "StartElementHandler": self._start,
            "EndElementHandler": self._end,
            "CharacterDataHandler": self._said,
        }

    def _start(self, name: str, _: object) -> None:
        name = name.rpartition(" ")[2]
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"the Word file has more than {MAX_ELEMENTS} elements; no more are read")
        if self._skipped or name in _LEFT_OUT:
            self._skipped += 1
        elif name == "p":
            self._open.append([])
        elif name in ("tr", "tc"):
            self._tables.append([])
        elif name in _SIGNS and self._open:
            self._open[-1].append(_SIGNS[name])
        self._in_text = name == "t" and not self._skipped

    def _said(self, text: str) -> None:
        if self._in_text and self._open:
            self._length += len(text)
            if self._length > MAX_CHARACTERS:
                raise ValueError(f"the Word file holds more than {MAX_CHARACTERS} characters; no more are taken")
            self._open[-1].append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        self._in_text = False
        if self._skipped:
            self._skipped -= 1
        elif name == "p" and self._open:
            self._keep("".join(self._open.pop()))
        elif name == "tc" and self._tables:
            self._keep(" ".join(" ".join(part.split()) for part in self._tables.pop() if part.strip()))
        elif name == "tr" and self._tables:
            self._keep("\t".join(self._tables.pop()))

    def _keep(self, text: str) -> None:
        (self._tables[-1] if self._tables else self.lines).append(text)


def _main_part(archive: zipfile.ZipFile) -> str:
    found: list[str] = []

    def relationship(_: str, attributes: dict[str, str]) -> None:
        if attributes.get("Type", "").endswith("/officeDocument"):
            found.append(attributes.get("Target", "").lstrip("/"))

    _parse(archive, "_rels/.rels", {"StartElementHandler": relationship})
    if not found:
        raise ValueError("not a Word file: it names no document part")
    return found[0]


def _parse(archive: zipfile.ZipFile, part: str, handlers: dict[str, object]) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    for name, handler in handlers.items():
        setattr(parser, name, handler)
    with archive.open(part) as stream:
        for chunk in _bounded(stream):
            parser.Parse(chunk, False)
    parser.Parse(b"", True)


def _bounded(stream: IO[bytes]) -> Iterator[bytes]:
    total = 0
    while chunk := stream.read(_CHUNK):
        total += len(chunk)
        if total > MAX_XML_BYTES:
            raise ValueError(f"the Word file unpacks to more than {MAX_XML_BYTES} bytes; no more are read")
        yield chunk


def _refuse_doctype(*_: object) -> None:
    raise ValueError("the Word file declares a document type, which none does that Word writes")


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a zip directory of a million entries, each of which would become an object."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 66_000))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ValueError("the Word file is corrupt (File is not a zip file)")
    length: int = struct.unpack_from("<I", tail, at + 12)[0]
    if length > _MAX_DIRECTORY_BYTES or b"PK\x06\x07" in tail[:at][-20:]:
        raise ValueError("the Word file is a zip of too many parts")
    file.seek(0)
