"""What is told beside a document: where it is from, its date and whatever else its owner knows, earlier answers, and
why the teacher answers as it does, where it was asked that.

    About("letters#letter-03.pdf", {"date": "2024-02-29"}, ["lease, by ann (this label was split since)"])

It stands in a field of its own below the document, in words: a page from `http` cannot open a file of the reviewer's,
and a stranger's address is nothing to click on beside a sign-in, so a source is told. The one link is to where the
task's owner serves the files (`review.links`). What is told is as untrusted as the document, and made harmless alike.
What reviewers filter and sort by is metadata (`review.kept`). A board without the field, or a property, goes without.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from review import links, plain

FIELD = "About"  # no property's question begins with a capital
TITLE = "About this document"
REASON = "The teacher's reason (may be wrong):"
_LONGEST = 300
_LONGEST_REASON = 600


class About(NamedTuple):
    """`source`: a file or a place in one; `facts`: names and values; `before`: answers that need giving anew; `link`:
    where the file can be opened (`review.links`); `metadata`: what to filter and sort by (`review.kept`); `reason`:
    the teacher's for its suggestion.
    """

    source: str
    facts: Mapping[str, str | int | float] = {}
    before: tuple[str, ...] = ()
    link: str = ""
    metadata: Mapping[str, str | int | float] = {}
    reason: str = ""

    @property
    def text(self) -> str:
        """A line each, the reason in a paragraph of its own."""
        lines = [*(f"Answered before: {one}" for one in self.before), f"Source: {self.source}" if self.source else ""]
        lines += [f"{name}: {value}" for name, value in self.facts.items()]
        reason = [_short(f"{REASON} {self.reason}", _LONGEST_REASON)] if self.reason else []
        known = "\n".join(_short(line) for line in lines if line)
        return "\n\n".join(part for part in (*reason, known) if part)

    @property
    def shown(self) -> str:
        """The text, made harmless, below the link: as it may be sent to the desk."""
        return "\n".join(part for part in (links.anchor(self.link), plain.shown(self.text)) if part)


def tell(
    items: list[dict[str, Any]], about: Mapping[str, About], fields: Collection[str], properties: Collection[str] = ()
) -> None:
    """Add to records that are about to be sent what is told beside them, where the board has room for it. A reason is
    told beside its suggestion only: a record without one is to be answered by nobody else's lead.
    """
    for item in items:
        told = about.get(item["external_id"], About(""))
        if not item.get("suggestions"):
            told = told._replace(reason="")
        if told.shown and FIELD in fields:
            item["fields"][FIELD] = told.shown
        known = {name: value for name, value in told.metadata.items() if name in properties}
        if known:
            item["metadata"] = {**known, **(item.get("metadata") or {})}


def without_reason(told: str) -> str:
    """What is told beside a record, when its suggestion is another one now."""
    return "\n".join(line for line in told.split("\n") if line and not line.startswith(REASON))


def _short(line: str, longest: int = _LONGEST) -> str:
    one = " ".join(line.split())
    return one if len(one) <= longest else f"{one[:longest]}..."
