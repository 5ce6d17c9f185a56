"""What is told beside a document: where it is from, its date and whatever else its owner knows, earlier answers.

    About("letters#letter-03.pdf", {"date": "2024-02-29"}, ["lease, by ann (this label was split since)"])

It stands in a field of its own below the document, in words: a page from `http` cannot open a file of the reviewer's,
and a stranger's address is nothing to click on beside a sign-in, so a source is told and not linked. What is told is
as untrusted as the document, and made harmless alike. A board from before there was such a field is left as it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from review import plain

FIELD = "About"  # no property's question begins with a capital
TITLE = "About this document"
_LONGEST = 300


class About(NamedTuple):
    """`source`: a file or a place in one; `facts`: names and values; `before`: answers that need giving anew."""

    source: str
    facts: Mapping[str, str | int | float] = {}
    before: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """A line each."""
        lines = [*(f"Answered before: {one}" for one in self.before), f"Source: {self.source}" if self.source else ""]
        lines += [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join(_short(line) for line in lines if line)


def tell(items: list[dict[str, Any]], about: Mapping[str, About], fields: set[str]) -> None:
    """Add to records that are about to be sent what is told beside them, where the board has room for it."""
    for item in items:
        told = about.get(item["external_id"])
        if told and told.text and FIELD in fields:
            item["fields"][FIELD] = plain.shown(told.text)


def _short(line: str) -> str:
    one = " ".join(line.split())
    return one if len(one) <= _LONGEST else f"{one[:_LONGEST]}..."
