"""Files that are a document each: .txt, .md, .pdf, .docx. One of them, or a folder of them with all that lies below.

What is of a kind that ought to be read and is not (.doc, .rtf, .odt) is a fault with the cure. Files of any other kind
are left out and counted, so that nobody takes a folder of spreadsheets for a folder that was read.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from prompts.pdf import PdfReader
from prompts.rows import MAX_FILE_BYTES, Fault, LeftOut, Row
from prompts.word import word_text

FILE_TYPES = {".txt", ".md", ".pdf", ".docx", ".docm"}
_CURES = {
    **dict.fromkeys((".doc", ".dot"), "an old Word file is not read; save it as .docx"),
    **dict.fromkeys((".rtf", ".odt", ".wpd", ".pages"), "this kind of text file is not read; save it as .docx or .pdf"),
}


def read_files(path: Path) -> Iterator[Row | Fault | LeftOut]:
    """The document of a file, or those of a folder: sorted by name, a folder's own files before its folders'."""
    with PdfReader() as pdfs:
        if path.is_file():
            yield _read(path, path.name, pdfs)
            return
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = Path(folder, name)
                yield _read(file, str(file.relative_to(path)), pdfs)


def _read(path: Path, place: str, pdfs: PdfReader) -> Row | Fault | LeftOut:
    kind = path.suffix.lower()
    if path.name.startswith((".", "~$")):
        return LeftOut("hidden files")
    if kind in _CURES:
        return Fault(place, _CURES[kind])
    if kind not in FILE_TYPES:
        return LeftOut(kind or "without a type")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Fault(place, f"{path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are read")
        return Row(place, {"text": _text(path, kind, pdfs), "id": place})
    except UnicodeDecodeError as fault:
        return Fault(place, f"byte {fault.start} is not UTF-8")
    except (OSError, ValueError) as fault:
        return Fault(place, str(fault))


def _text(path: Path, kind: str, pdfs: PdfReader) -> str:
    if kind == ".pdf":
        return pdfs.text(path)
    return word_text(path) if kind in (".docx", ".docm") else path.read_text(encoding="utf-8-sig")
