"""The text of PDFs, in a process of its own: a script that reads paths (JSON lines) and answers with texts or faults.

PDFs come from strangers and PDFium is a million lines of C++. A file of 2 kB whose forms draw each other ten times
over, six deep, did not end in 10 s, and each level more takes ten times as long (`tests/test_prompts_files.py` has it);
a fault in PDFium would end the process. So this one has a bound on its memory, an alarm for each file, no secrets in
its environment, and nothing to lose.

    "/mail/a.pdf"  ->  {"text": "..."}  or  {"fault": "the PDF is encrypted"}

Run by `prompts.pdf` as python -I prompts/pdf_text.py MEMORY_BYTES SECONDS PAGES CHARACTERS; imports nothing of Retort.
"""

import contextlib
import json
import resource
import signal
import sys
from typing import Any


def main(memory: int, seconds: int, pages: int, characters: int) -> None:
    """Answer until the input ends. The alarm's default is to end the process, in the midst of C++ too."""
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # systems without such a limit
            resource.setrlimit(limit, (value, value))
    for line in sys.stdin:
        signal.alarm(seconds)
        try:
            answer = {"text": read(json.loads(line), pages, characters)}
        except (ValueError, OSError) as fault:
            answer = {"fault": str(fault)}
        except MemoryError:
            answer = {"fault": f"the PDF needs more than {memory // 2**20} MB of memory"}
        signal.alarm(0)
        print(json.dumps(answer), flush=True)


def read(path: str, most_pages: int, most_characters: int) -> str:
    """The text of all pages. Raises ValueError with the reason for what is no readable PDF, or holds no text."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as fault:
        reason = "is encrypted" if "assword" in str(fault) else f"is corrupt ({_first_line(fault)})"
        raise ValueError(f"the PDF {reason}") from fault
    try:
        if len(pdf) > most_pages:
            raise ValueError(f"the PDF has {len(pdf)} pages; at most {most_pages} are read")
        return _text(pdf, most_characters)
    except pypdfium2.PdfiumError as fault:
        raise ValueError(f"the PDF is corrupt ({_first_line(fault)})") from fault
    finally:
        pdf.close()


def _text(pdf: Any, most_characters: int) -> str:
    texts, scanned, length = [], 0, 0
    for n in range(len(pdf)):
        text, is_scan = _page(pdf[n])
        texts.append(text)
        scanned += is_scan
        length += len(text)
        if length > most_characters:
            raise ValueError(f"the PDF holds more than {most_characters} characters; no more are taken")
    if not any(text.strip() for text in texts):
        raise ValueError("the PDF holds no text; is it a scan? Recognise its text (OCR) first")
    if 2 * scanned > len(texts):
        raise ValueError(f"{scanned} of the PDF's {len(texts)} pages are pictures. Recognise their text (OCR) first")
    return "\n".join(texts).strip()


def _page(page: Any) -> tuple[str, bool]:
    """A page's text, and whether it is a picture without any."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    layer = page.get_textpage()
    # pdfium marks a hyphen at a line's end with U+FFFE
    text = layer.get_text_bounded().replace("\ufffe", "-").replace("\r\n", "\n")
    layer.close()
    is_scan = not text.strip() and next(iter(page.get_objects([FPDF_PAGEOBJ_IMAGE])), None) is not None
    page.close()
    return text, is_scan


def _first_line(fault: Exception) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0][:200]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
