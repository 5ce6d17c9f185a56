"""Text queries as Argilla's search box sends them: Elasticsearch's `simple_query_string`, read into a tree.

Words are joined by AND; `a | b` is OR, `-word` excludes, `"a phrase"`, `pre*`, brackets, and a backslash before a sign
that is meant as itself. Operators bind from left to right (`a b | c` is `(a b) | c`), as in Lucene's SimpleQueryParser.
A sign that does not fit (a bracket or quote without its other half) is passed over, as there. A word with signs inside
(`e-mail`, `12.5`) is a phrase of its parts. Not offered, and refused rather than misread: `word~` and `"phrase"~2`.

    parse("lease (claim | -draft)")  ->  Every((Words("lease"), Some((Words("claim"), Not(Words("draft"))))))
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

MOST_WORDS = 100
_TOKEN = re.compile(
    r"""(?P<phrase>"(?:\\.|[^"\\])*")(?P<slop>~\d*)?|(?P<sign>[-+|()])|(?P<space>\s+)|(?P<word>(?:\\.|[^\s"+|()\\])+)|.""",
    re.S,
)
_FUZZY = re.compile(r".*[^\\]~\d*", re.S)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7a3]")  # Thai, Lao, kana, Chinese characters, hangul


class Words(NamedTuple):
    """A word, or words in this order next to each other; `prefix`: the last may go on."""

    text: str
    prefix: bool = False

    @property
    def is_unspaced(self) -> bool:
        """Written in a script that puts no spaces between words: only a look at the text itself can find it."""
        return bool(_UNSPACED.search(self.text))


class Not(NamedTuple):
    """What must not hold."""

    part: "Node"


class Every(NamedTuple):
    """All of which must hold."""

    parts: tuple["Node", ...]


class Some(NamedTuple):
    """One of which must hold."""

    parts: tuple["Node", ...]


Node = Words | Not | Every | Some
Token = tuple[str, str]


@lru_cache(maxsize=256)
def parse(query: str) -> Node | None:
    """The query as a tree; None when it has no word, which finds nothing.

    Raises ValueError for what is not offered, and for more than 100 words.
    """
    tokens = [_token(match) for match in _TOKEN.finditer(query)]
    if sum(kind in ("phrase", "word") for kind, _ in tokens) > MOST_WORDS:
        raise ValueError(f"a text query may have {MOST_WORDS} words, this one has more: ask for fewer.")
    return _tree(_paired(tokens))


def leaves(node: Node) -> Iterator[Words]:
    """The words that a match can have; not those that it must not have."""
    if isinstance(node, Words):
        yield node
    elif not isinstance(node, Not):
        for part in node.parts:
            yield from leaves(part)


def occurs(fields: str | None, words: str, names: str) -> int:
    """Whether one of these fields of a record has these words in it, anywhere. An SQL function.

    `fields` is the record's JSON object of fields, `names` a JSON array of the fields to look in.
    """
    values = json.loads(fields) if fields else {}
    return int(any(words in text.lower() for name in json.loads(names) for text in _strings(values.get(name))))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def _token(match: re.Match[str]) -> Token:
    kind, text = match.lastgroup or "space", match.group()
    if kind == "slop" or (kind == "word" and _FUZZY.fullmatch(text)):
        raise ValueError(f"searching for what is nearly {text!r} is not offered here: leave out the ~.")
    return kind, text


def _paired(tokens: list[Token]) -> list[Token]:
    """Without the brackets that have no other half."""
    opened: list[int] = []
    single: set[int] = set()
    for place, token in enumerate(tokens):
        if token == ("sign", "("):
            opened.append(place)
        elif token == ("sign", ")"):
            single.update(() if opened else {place})
            del opened[-1:]
    single.update(opened)
    return [token for place, token in enumerate(tokens) if place not in single]


def _tree(tokens: list[Token]) -> Node | None:
    """Folds tokens from left to right; a bracket starts a level of its own."""
    levels = [_Level()]
    for kind, text in tokens:
        level = levels[-1]
        if text == "(" and kind == "sign":
            levels.append(_Level())
        elif text == ")" and kind == "sign":
            levels.pop()
            levels[-1].add(level.top)
        elif kind == "sign":
            level.sign(text)
        else:
            level.add(None if kind == "space" else _words(kind, text))
    return levels[0].top


class _Level:
    """What has been read between two brackets, and the signs that wait for their word."""

    def __init__(self) -> None:
        self.top: Node | None = None
        self._join: type[Every] | type[Some] | None = None
        self._made: Node | None = None  # by a join of this level, hence open for one more
        self._negated = False

    def sign(self, sign: str) -> None:
        if sign == "-":
            self._negated = not self._negated
        elif self._join is None and self.top is not None:
            self._join = Every if sign == "+" else Some
            self._negated = False

    def add(self, part: Node | None) -> None:
        negated, self._negated = self._negated, False
        if part is None:
            return
        part = Not(part) if negated else part
        join, self._join = self._join or Every, None
        if self.top is None:
            self.top = part
            return
        goes_on = self.top is self._made and isinstance(self.top, join)
        parts = self.top.parts if goes_on and not isinstance(self.top, Words | Not) else (self.top,)
        self.top = self._made = join((*parts, part))


def _words(kind: str, token: str) -> Words | None:
    prefix = kind == "word" and token.endswith("*") and not token.endswith("\\*")
    text = re.sub(r"\\(.)", r"\1", token.strip('"') if kind == "phrase" else token).rstrip("*" if prefix else "")
    return Words(text.lower(), prefix) if any(map(str.isalnum, text)) else None
