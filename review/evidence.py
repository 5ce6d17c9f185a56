"""Where in the document an extracted value stands: marks for Argilla's span question, so that nobody need search.

    marks(form, {"law": "Nevada", "signed": "2014-05-08"}, "Dated: May 8, 2014 ... the laws of  Nevada ...")
        -> [Mark("signed", 7, 18), Mark("law", 36, 42)]

A value is found where its words stand in the document in their order, whatever the white space and the case; a date in
the usual ways of writing it too; a number with or without separators. Each value is marked once, at its first place
that is not taken; longer values choose first. What is not found is not marked: nothing is guessed. Marks are shown,
and are no part of the answer. Offsets count UTF-16 units, as the browser does.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from records.types import Answer
from review.fields import Kind
from review.form import Form

NAME = "Evidence"  # no property's question begins with a capital
TITLE = "Where the document says so"
HINT = "Suggested values, where they stand word for word. To help you read: marks are not part of the answer."
_SHORTEST = 3  # characters, or digits: anything less is found everywhere
_SEPARATORS = r"[,.'\u2019\u00a0 ]?"


class Mark(NamedTuple):
    """`name`: of the question whose value stands from `start` to before `end`, in UTF-16 units."""

    name: str
    start: int
    end: int


def fields(form: Form) -> dict[str, str]:
    """What can be marked: the names of an object's text questions, with their titles. Empty for a choice."""
    return {q.name: q.title for q in form.questions if q.key is not None and q.wording.kind is Kind.text}


def marks(form: Form, answer: Answer, text: str) -> list[Mark]:
    """The marks for an answer, in the order of the text."""
    if not isinstance(answer, dict):
        return []
    names = fields(form)
    values = [(q.name, leaf) for q in form.questions if q.name in names for leaf in _leaves(answer.get(q.key or ""))]
    values.sort(key=lambda value: -len(value[1]))
    taken: list[tuple[int, int]] = []
    found: list[Mark] = []
    for name, value in values:
        place = _place(value, text, taken)
        if place:
            taken.append(place)
            found.append(Mark(name, _units(text, place[0]), _units(text, place[1])))
    return sorted(found, key=lambda mark: mark.start)


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers within a value, each once."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        yield from dict.fromkeys(leaf for one in inner for leaf in _leaves(one))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        words = str(value).strip()
        if len(words) >= _SHORTEST:
            yield words


def _place(value: str, text: str, taken: list[tuple[int, int]]) -> tuple[int, int] | None:
    for pattern in _patterns(value):
        for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE):
            if all(found.end() <= start or end <= found.start() for start, end in taken):
                return found.span()
    return None


def _patterns(value: str) -> list[str]:
    """How a value may stand in a document, the most exact first."""
    words = r"\s+".join(re.escape(word) for word in value.split())
    if re.fullmatch(r"\d{4,}(\.\d+)?", value):
        whole, _, rest = value.partition(".")
        return [words, _SEPARATORS.join(whole) + (rf"[.,]{rest}" if rest else "")]
    try:
        return [words, *_dates(date.fromisoformat(value))]
    except ValueError:
        return [words]


def _dates(day: date) -> list[str]:
    name, short, d, m = f"{day:%B}", f"{day:%b}", day.day, day.month
    month, number = rf"(?:{name}|{short}\.?)", rf"0?{d}(?:st|nd|rd|th)?"
    return [
        rf"{month}\s+{number}\s*,?\s+{day.year}",
        rf"{number}\.?\s+(?:day\s+of\s+)?{month},?\s+{day.year}",
        rf"0?{d}\.\s?0?{m}\.\s?{day.year}",
        rf"0?{m}/0?{d}/(?:{day.year}|{day:%y})",
    ]


def _units(text: str, position: int) -> int:
    return len(text[:position].encode("utf-16-le")) // 2
