"""Second readings: documents on which people are settled, shown to every reviewer once more. Pure.

They are gold questions made of one's own documents: who has not met a document is compared with the settled answer,
who has, with their own first one. Which ones is drawn by a hash of the document's id, so it is a random sample, the
same at each run; only answers that are a day old are drawn, so that nobody simply remembers.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

REST = timedelta(days=1)
EVERYBODY = 20
"""So many answers complete a record in Argilla, which hides what is complete: more than there are reviewers."""


def chosen(settled: Mapping[str, datetime], sent: Collection[str], wanted: int, now: datetime) -> list[str]:
    """The documents to send. `settled`: train documents with an answer that stands -> when it was last answered."""
    rested = [i for i, at in settled.items() if i not in sent and now - at >= REST]
    return sorted(rested, key=_lot)[: max(0, wanted - len(sent))]


def _lot(document_id: str) -> str:
    return hashlib.blake2b(f"second reading/{document_id}".encode(), digest_size=8).hexdigest()
