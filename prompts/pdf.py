"""PDFs are read by another process (`prompts.pdf_text`), which may crash, hang or eat memory without harm to this one.

One process reads many files (it takes a tenth of a second to start); it is started again after a crash.

    with PdfReader() as pdfs:
        text = pdfs.text(Path("letters/a.pdf"))        # ValueError: encrypted, corrupt, no text, too long, too slow
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

MAX_PAGES = 2_000
MAX_CHARACTERS = 5_000_000
SECONDS = 30
"""For one file. 500 pages of plain text take a fifth of a second."""
MEMORY = 2 * 2**30
_SCRIPT = Path(__file__).with_name("pdf_text.py")
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG")


class PdfReader:
    """Texts of PDFs. `seconds` and `memory` (bytes): what one file may take. Started at the first file."""

    def __init__(self, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        """Use it as a context: the process ends with it."""
        self._limits = [str(limit) for limit in (memory, seconds, MAX_PAGES, MAX_CHARACTERS)]
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._end()

    @property
    def process_id(self) -> int | None:
        """The id of the process that reads; None before the first file."""
        return self._process.pid if self._process else None

    def text(self, path: Path) -> str:
        """The text of all pages. Raises ValueError with the reason why there is none."""
        process = self._process = self._process or self._start()
        line = ""
        if process.stdin and process.stdout:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(str(path.absolute())) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
        if not line.endswith("\n"):
            raise ValueError(self._why_it_ended())
        answer: dict[str, str] = json.loads(line)
        if "fault" in answer:
            raise ValueError(answer["fault"])
        return answer["text"]

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-I", str(_SCRIPT), *self._limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # ctrl-C is for us; it ends when its input does
        )

    def _why_it_ended(self) -> str:
        code = self._end()
        if code == -signal.SIGALRM:
            return f"the PDF takes more than {self._seconds} s to read"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the PDF crashes its reader, or needs too much memory ({how})"

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with process, contextlib.suppress(BrokenPipeError):  # its pipes are closed, it is waited for
            if process.stdin:
                process.stdin.close()
        return process.returncode
