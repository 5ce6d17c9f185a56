"""How far the reviewers agree with each other, and with what was suggested to them. Numbers over corrections.

Krippendorff's alpha for nominal answers (Krippendorff, Content Analysis, 2004, ch. 11): 1 is perfect agreement, 0 what
chance would give; it takes any number of reviewers a document. Discarded answers count for neither number.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from records.types import Answer, Correction


class Agreement(NamedTuple):
    """`answered`: documents with an answer; `compared`: with two or more. A share is None where nothing compares."""

    answered: int
    compared: int
    agreed: int
    pairwise: float | None
    alpha: float | None
    suggested: int
    suggestion_kept: float | None
    discarded: int


def agreement(corrections: Iterable[Correction]) -> Agreement:
    """All numbers at once."""
    rows = list(corrections)
    said = [r for r in rows if not r.discarded and r.value is not None]
    by_document: dict[str, list[str]] = defaultdict(list)
    for row in said:
        by_document[row.document_id].append(_key(row.value))
    several = [values for values in by_document.values() if len(values) > 1]
    kept = [r.value == r.suggestion for r in said if r.suggestion is not None]
    return Agreement(
        answered=len(by_document),
        compared=len(several),
        agreed=sum(len(set(values)) == 1 for values in several),
        pairwise=_share([a == b for values in several for a, b in combinations(values, 2)]),
        alpha=alpha(several),
        suggested=len(kept),
        suggestion_kept=_share(kept),
        discarded=sum(r.discarded for r in rows),
    )


def alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's nominal alpha over units of two or more values each; None where all values are the same."""
    totals: Counter[str] = Counter()
    observed = 0.0
    for values in units:
        counts = Counter(values)
        totals.update(counts)
        observed += sum(n * (len(values) - n) for n in counts.values()) / (len(values) - 1)
    n = totals.total()
    expected = sum(count * (n - count) for count in totals.values()) / (n - 1) if n > 1 else 0.0
    return 1 - observed / expected if expected else None


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _key(value: Answer | None) -> str:
    return json.dumps(value, sort_keys=True)
