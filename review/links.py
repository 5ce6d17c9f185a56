"""The way from a record to the file itself: an address of the task's owner, filled with the document's own name. Pure.

    address("https://files.example/letters/{path}", "2024/a b.pdf", None)   ->  .../letters/2024/a%20b.pdf

The name is a stranger's, so all of it is quoted, and one that could lead elsewhere (`..`) gives no address. Argilla 2.8
puts a text field into the page as HTML (`review.plain`), so a link is an element there, on every board there is.
"""

import html
from urllib.parse import quote

TEXT = "Open the file"


def address(template: str | None, path: str, id_: str | None) -> str:
    """The document's address; empty where it has no such name, or none that is safe. `template`: `document.link`."""
    if not template:
        return ""
    mark, steps = ("{path}", path.split("/")) if "{path}" in template else ("{id}", [id_ or ""])
    if not all(_safe(step) for step in steps):
        return ""
    return template.replace(mark, "/".join(quote(step, safe="") for step in steps))


def anchor(url: str) -> str:
    """The link as HTML. It opens a page of its own, which is not told where it was opened."""
    if not url:
        return ""
    # `</A>`: what closes with the letters that it opened with, Argilla shows in a frame of its own, without line breaks
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener noreferrer">{TEXT}</A>'


def _safe(step: str) -> bool:
    """Whether this is a name: a server or browser that takes `.` or `..` for a folder would go up by it."""
    return step not in ("", ".", "..") and all(c.isprintable() for c in step)
