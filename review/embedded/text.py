"""Text queries as Argilla's search box sends them, matched against a record's text fields.

The language is the part of Elasticsearch's `simple_query_string` that people use: words are joined by AND, `a | b` is
OR, `-word` excludes, `"a phrase"`, `pre*`. Words are whole words, as in Elasticsearch's standard analyzer, except in
scripts that do not separate words. A scan, not an index: under a second for 50,000 records (see `engine`).
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_TOKEN = re.compile(r'-?"[^"]*"|\||[^\s|+]+')
_UNSPACED = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]")  # kana, Chinese characters, hangul


class Option(NamedTuple):
    """One word or phrase: `probe` is a quick substring test before the pattern is tried."""

    probe: str
    pattern: re.Pattern[str]


class Clause(NamedTuple):
    """Options of which one must occur (or, negated, of which none may)."""

    negated: bool
    options: tuple[Option, ...]


@lru_cache(maxsize=256)
def parse(query: str) -> tuple[Clause, ...]:
    """A query's clauses, all of which must hold. A query without any word gives none, and matches everything."""
    clauses: list[Clause] = []
    alternative = False
    for token in _TOKEN.findall(query):
        if token == "|":
            alternative = bool(clauses)
            continue
        negated = token.startswith("-") and len(token) > 1
        option = _option(token[1:] if negated else token)
        if option is None:
            continue
        if alternative and not negated:
            clauses[-1] = Clause(clauses[-1].negated, (*clauses[-1].options, option))
        else:
            clauses.append(Clause(negated, (option,)))
        alternative = False
    return tuple(clauses)


def _option(token: str) -> Option | None:
    is_prefix = token.endswith("*") and not token.startswith('"')
    words = re.findall(r"\w+", token.casefold())
    if not words:
        return None
    pattern = r"\W+".join(map(re.escape, words))
    if not _UNSPACED.search(pattern):
        pattern = r"(?<!\w)" + pattern + ("" if is_prefix else r"(?!\w)")
    return Option(words[0], re.compile(pattern))


def score(fields: str | None, query: str, names: str) -> float:
    """How well a record matches: 0.0 not at all, else more for more hits in less text. An SQL function.

    `fields` is the record's JSON object of fields, `names` a JSON array of the fields to look in.
    """
    clauses = parse(query)
    if not clauses:
        return 1.0
    values = json.loads(fields) if fields else {}
    text = "\n".join(_strings([values.get(name) for name in json.loads(names)])).casefold()
    total = 0.0
    for clause in clauses:
        hits = _hits(clause.options, text)
        if clause.negated == bool(hits):
            return 0.0
        total += math.log1p(hits)
    return max(total / math.log(10 + len(text)), 1e-6)


def _hits(options: Sequence[Option], text: str) -> int:
    return sum(len(option.pattern.findall(text)) for option in options if option.probe in text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
