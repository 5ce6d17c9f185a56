"""How long work tells of itself: one function that the caller hands in and shows as it likes.

`progress("labelling", 120, 600, "3 failed, $0.02")`: stage, done, total (0 = unknown), a short note.
The command line draws a bar from it, a flow a Prefect progress artifact.
"""

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]


def silent(stage: str, done: int, total: int, note: str) -> None:
    """Say nothing: the default where nobody watches."""
