"""Production traffic comes back as texts to be labelled. Pure: reading and marking the store is the flow's part.

    texts = documents_of(traffic.unharvested(store, "legal_intake"))

Whether a text is a document that is known already is not decided here but by its content hash, when the library takes
it in; so only what is equal within one harvest is merged, under the first request that brought it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from records.split import document_id
from records.types import Request


@dataclass(frozen=True)
class Harvested:
    """A text from production, the request that first brought it, and how many requests did."""

    text: str
    request_id: str
    asked: int
    least_confidence: float | None


def documents_of(requests: Iterable[Request]) -> list[Harvested]:
    """The different texts of these requests, in the order they first came; empty texts are left out."""
    found: dict[str, Harvested] = {}
    for request in requests:
        if not request.text.strip():
            continue
        key = document_id(request.text)
        first = found.get(key)
        asked = first.asked + 1 if first else 1
        known = [c for c in (first.least_confidence if first else None, request.confidence) if c is not None]
        found[key] = Harvested(
            text=first.text if first else request.text,
            request_id=first.request_id if first else request.id,
            asked=asked,
            least_confidence=min(known, default=None),
        )
    return list(found.values())
