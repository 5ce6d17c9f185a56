"""Which documents a person should look at, and why. Pure: records in, records out.

- Every document of the test split, *blind* (without the teacher's answer): it is what the gate measures with.
- What the teacher could not answer readably, or refused.
- What it answered with less confidence than `trust_above`, or without saying how sure it is; the least sure first.

Nobody is asked about a document that is withheld: it would be neither trained on nor tested with.

The rest is trusted. A failed call is no answer and is asked again, so it goes to nobody; nor does a document that is on
the desk already. Where a round is limited, test documents take half of it at most while others wait.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from records.types import DeskRecord, Document, Label, Outcome, Split


class Reason(StrEnum):
    """Why a document is on the desk, as reviewers and reports read it."""

    test = "test set"
    unreadable = "unreadable answer"
    refused = "model refused"
    unsure = "model unsure"
    no_confidence = "no confidence given"


def route(
    documents: Sequence[Document],
    labels: Mapping[str, Label],
    sent: Collection[str],
    trust_above: float,
    max_records: int | None,
    round: int,
) -> list[DeskRecord]:
    """The records of one round.

    `labels`: document id -> the teacher's newest answer; `sent`: ids that are on the desk; `trust_above`: 0..1, an
    answer this sure is trusted; `max_records`: None sends all. Test documents first, then the least sure.
    """
    waiting = [d for d in documents if d.id not in sent]
    test = [_blind(d, round) for d in waiting if d.split == Split.test]
    trained = (Split.train, Split.validation)
    others = [(d, labels[d.id]) for d in waiting if d.split in trained and d.id in labels]
    doubtful = [
        _with_suggestion(d, label, reason, round) for d, label in others if (reason := doubt(label, trust_above))
    ]
    doubtful.sort(key=_least_sure_first)
    return _limited(test, doubtful, max_records)


class Shortlist:
    """The records of one round out of any number of pages, of which no more are held than the round takes.

    `waiting`: how many records there are in all, for this round and later ones.
    """

    def __init__(self, max_records: int) -> None:
        """`max_records`: of one round."""
        self._most = max_records
        self._test: list[DeskRecord] = []
        self._doubtful: list[DeskRecord] = []
        self.waiting = 0

    def add(self, records: Sequence[DeskRecord]) -> None:
        """Add what `route` found on one page, without a limit there."""
        self.waiting += len(records)
        self._test += [r for r in records if r.blind][: self._most - len(self._test)]
        self._doubtful += [r for r in records if not r.blind]
        self._doubtful.sort(key=_least_sure_first)
        del self._doubtful[self._most :]

    @property
    def records(self) -> list[DeskRecord]:
        """The round's, as `route` would give them for all pages at once."""
        return _limited(self._test, self._doubtful, self._most)


def doubt(label: Label, trust_above: float) -> Reason | None:
    """Why this answer needs a person; None when it is trusted, or when there is no answer yet (failed)."""
    if label.outcome == Outcome.unreadable:
        return Reason.unreadable
    if label.outcome == Outcome.refused:
        return Reason.refused
    if label.outcome == Outcome.failed:
        return None
    if label.confidence is None:
        return Reason.no_confidence
    return Reason.unsure if label.confidence < trust_above else None


def _blind(document: Document, round: int) -> DeskRecord:
    return DeskRecord(task=document.task, document_id=document.id, round=round, reason=Reason.test, blind=True)


def _with_suggestion(document: Document, label: Label, reason: Reason, round: int) -> DeskRecord:
    return DeskRecord(
        task=document.task,
        document_id=document.id,
        round=round,
        reason=reason,
        blind=False,
        suggestion=label.value,
        score=label.confidence if label.value is not None else None,
    )


def _least_sure_first(record: DeskRecord) -> float:
    return -1.0 if record.score is None else record.score


def _limited(test: list[DeskRecord], doubtful: list[DeskRecord], limit: int | None) -> list[DeskRecord]:
    if limit is None:
        return test + doubtful
    for_test = min(len(test), max(limit // 2, limit - len(doubtful)))
    return test[:for_test] + doubtful[: limit - for_test]
