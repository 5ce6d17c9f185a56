"""Similar records by cosine, over the vectors that Argilla keeps in its own table. A scan."""

import heapq
import json
import math
from collections.abc import Iterable, Sequence


def most_similar(
    target: Sequence[float], rows: Iterable[tuple[str, str]], sign: float, threshold: float | None, limit: int
) -> list[tuple[float, str]]:
    """(similarity in 0..1, record id), best first. `rows`: (record id, JSON vector); sign -1.0 asks for the unlike."""
    scored = ((0.5 + 0.5 * sign * cosine(target, json.loads(vector)), record) for record, vector in rows)
    return heapq.nlargest(limit, (hit for hit in scored if threshold is None or hit[0] >= threshold))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of one length; 0.0 where one has no direction."""
    norms = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0
