"""Which documents a person should look at, and in which order. Pure: records in, records out.

    route(documents, labels, sent, trust_above=0.9, max_records=200, round=2)       one page, the plain rules

    chosen = Shortlist(Rules(trust_above=0.9, audit_share=0.1), round=2, places=200, known=Known(sent=ids))
    chosen.add(page, labels, opinions)             # for each page; no more is held than the round takes
    chosen.records, chosen.waiting                 # in the order of the queue; how many there are in all

Why a document goes to people, `review.reasons` says; what looking at it is worth, `review.worth`. Where a round is
limited, random checks get their share of it, and test documents half of the rest at most while others wait.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from records.types import DeskRecord, Document, Label, Split
from review.reasons import Reason, Rules, accepted, doubt, why
from review.worth import Opinion, draw_of, in_turn, worth_of

__all__ = ["NOTHING", "Known", "Reason", "Rules", "Shortlist", "accepted", "doubt", "route", "why"]

_RARE_WORTH = 0.5
"""A rare label's least place in the queue: however sure the teacher is, a few examples checked are worth a lot."""
_WITHOUT_ANSWER = {"blind": True, "suggestion": None, "score": None}


class Known(NamedTuple):
    """What earlier rounds left: documents on the desk, their clusters, and how many people gave each label to."""

    sent: Collection[str] = ()
    clusters: Collection[str] = ()
    by_label: Mapping[str, int] = {}


NOTHING = Known()
"""Before the first round."""


class _Candidate(NamedTuple):
    record: DeskRecord
    worth: float
    draw: float


class Shortlist:
    """Pages go in, one round comes out; the same round however the documents are cut into pages."""

    def __init__(self, rules: Rules, round: int, places: int | None, known: Known = NOTHING) -> None:
        """`places`: records of the round at most; None: as many as there are."""
        self._rules, self._round, self._places, self._known = rules, round, places, known
        self._test: list[DeskRecord] = []
        self._doubtful: list[_Candidate] = []
        self._drawn: list[_Candidate] = []
        self._rare: dict[str, list[_Candidate]] = defaultdict(list)
        self._clusters = set(known.clusters)
        self._by_label = Counter(known.by_label)
        self._tests = self._doubts = self._accepted = 0

    def add(
        self, documents: Sequence[Document], labels: Mapping[str, Label], opinions: Mapping[str, Opinion] | None = None
    ) -> None:
        """Look at one page. `labels`: by document id, the teacher's newest; `opinions`: the student's on these."""
        for document in documents:
            if document.id in self._known.sent:
                continue
            if document.split is Split.test:
                self._tests += 1
                self._test.append(self._record(document, Reason.test, blind=True))
            elif document.split in (Split.train, Split.validation) and document.id in labels:
                self._look_at(document, labels[document.id], (opinions or {}).get(document.id))
        self._trim()

    @property
    def records(self) -> list[DeskRecord]:
        """The round's, in the order of the queue, each with its `worth`."""
        checks = self._checks()
        doubtful = self._others({c.record.document_id for c in checks})
        test = self._test
        if self._places is not None:
            left = self._places - len(checks)
            test = test[: max(left // 2, left - len(doubtful))]
            doubtful = doubtful[: left - len(test)]
        audits = [
            c.record.model_copy(
                update={"reason": Reason.audit, "inclusion": len(checks) / self._accepted} | _WITHOUT_ANSWER
            )
            for c in checks
        ]
        return in_turn([[self._prompted(c) for c in doubtful], test, audits])

    @property
    def waiting(self) -> int:
        """How many records there are for this round and later ones; random checks as many as this round takes."""
        checked = {c.record.document_id for c in self._checks()}
        rare = sum(c.record.reason == Reason.rare for c in self._others(checked))
        return self._tests + self._doubts + rare + len(checked - {c.record.document_id for c in self._doubtful})

    def _look_at(self, document: Document, label: Label, opinion: Opinion | None) -> None:
        reason, worth = why(label, self._rules, opinion), worth_of(label, opinion, self._rules.calibrated)
        if accepted(label, self._rules):
            self._accepted += 1
            plain = self._record(document, Reason.audit, label=label)
            self._drawn.append(_Candidate(plain, worth, draw_of(document.id, "audit")))
            if isinstance(label.value, str):
                self._by_label[label.value] += 1
                rare = self._record(document, Reason.rare, label=label)
                self._rare[label.value].append(_Candidate(rare, max(_RARE_WORTH, worth), 0.0))
        if reason is None:
            return
        if self._rules.near_duplicates_once:
            if document.cluster in self._clusters:
                return
            self._clusters.add(document.cluster)
        self._doubts += 1
        candidate = _Candidate(self._record(document, reason, label=label), worth, draw_of(document.id, "unprompted"))
        self._doubtful.append(candidate)

    def _trim(self) -> None:
        """Hold no more than the round can take; a random check may be a doubtful one, so twice that of these."""
        self._doubtful.sort(key=_likeliest_wrong_first)
        self._drawn.sort(key=lambda c: (c.draw, c.record.document_id))
        for label, found in self._rare.items():
            found.sort(key=_likeliest_wrong_first)
            del found[0 if self._by_label[label] >= self._rules.rare_below else self._rules.rare_below :]
        if self._places is not None:
            del self._test[self._places :], self._doubtful[2 * self._places :], self._drawn[self._places :]

    def _checks(self) -> list[_Candidate]:
        """The random checks: their share of the round, and no more than that share of what is accepted."""
        most = math.ceil(self._rules.audit_share * self._accepted)
        if self._places is not None:
            most = min(most, int(self._rules.audit_share * self._places))
        return self._drawn[:most]

    def _others(self, checked: set[str]) -> list[_Candidate]:
        taken = checked | {c.record.document_id for c in self._doubtful}
        rare = [
            c
            for label, found in self._rare.items()
            if self._by_label[label] < self._rules.rare_below
            for c in found
            if c.record.document_id not in taken
        ]
        doubtful = [c for c in self._doubtful if c.record.document_id not in checked]
        return sorted([*doubtful, *rare], key=_likeliest_wrong_first)

    def _prompted(self, one: _Candidate) -> DeskRecord:
        """As it is, or without its suggestion if it was drawn for that."""
        if (
            one.record.suggestion is None
            or one.draw >= self._rules.unprompted_share
            or one.record.reason == Reason.rare
        ):
            return one.record
        without = {"reason": Reason.unprompted, "inclusion": self._rules.unprompted_share} | _WITHOUT_ANSWER
        return one.record.model_copy(update=without)

    def _record(
        self, document: Document, reason: Reason, blind: bool = False, label: Label | None = None
    ) -> DeskRecord:
        value = label.value if label else None
        return DeskRecord(
            task=document.task,
            document_id=document.id,
            round=self._round,
            reason=reason,
            blind=blind,
            suggestion=value,
            score=label.confidence if label and value is not None else None,
        )


def _likeliest_wrong_first(one: _Candidate) -> float:
    return -one.worth


def route(
    documents: Sequence[Document],
    labels: Mapping[str, Label],
    sent: Collection[str],
    trust_above: float,
    max_records: int | None,
    round: int,
) -> list[DeskRecord]:
    """The records of one round, in the order of the queue, by the plain rules; `Shortlist` has them all.

    `labels`: document id -> the teacher's newest answer; `sent`: ids that are on the desk; `trust_above`: 0..1, an
    answer this sure is trusted; `max_records`: None sends all.
    """
    chosen = Shortlist(Rules(trust_above), round, max_records, Known(sent))
    chosen.add(documents, labels)
    return chosen.records
