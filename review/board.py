"""One task's board on the review desk: send records to it, fetch what people answered, see how far they are.

A record on the board is a document: its external id is the document's id, so sending twice changes nothing. Blind
records (the test split) carry neither suggestion nor confidence, so that nobody is led by the model that is measured.

How a record is sent (Argilla's API, one of a batch):

    {"external_id": "41d0c7a2b6e95f13", "fields": {"document": "Dear all, ..."},
     "metadata": {"round": 1, "reason": "unsure", "confidence": 0.41, "expected_accuracy": 0.55},
     "suggestions": [{"question_id": "...", "value": "lease", "score": 0.41, "agent": "teacher", "type": "model"}]}
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from records.errors import InputError
from records.progress import Progress, silent
from records.types import Correction, DeskRecord
from review import plain
from review.about import About, tell
from review.form import Form, Unreadable
from review.suggesting import suggestions

if TYPE_CHECKING:
    from review.desk import Desk

EXPECTED = "expected_accuracy"
WORTH = "worth"
_BATCH = 250  # Argilla takes 250 values in one filter, 500 records in one request
_PAGE = 500
_WITH = ("responses", "suggestions")
_OVERLAP = timedelta(minutes=1)  # an answer can be committed a moment after one that is dated later


class Sent(NamedTuple):
    """How many records were new on the desk, and how many were there already."""

    sent: int
    known: int


class Fault(NamedTuple):
    """A submitted answer that cannot be read; it stays on the desk, where its reviewer can correct it."""

    document_id: str
    reviewer: str
    submitted: dict[str, Any]
    error: str


class Fetched(NamedTuple):
    """What people answered. `cursor`: give it to the next `fetch` as `since`."""

    corrections: list[Correction]
    faults: list[Fault]
    cursor: datetime


class BoardProgress(NamedTuple):
    """Records in all, with enough answers, and without; and submitted answers by reviewer."""

    total: int
    completed: int
    pending: int
    submitted: dict[str, int]


class Board:
    """A task's board. Made by `Desk.find` and `Desk.ensure`."""

    def __init__(self, desk: "Desk", task: str, form: Form, board_id: str) -> None:
        """`board_id` is the id of the Argilla dataset."""
        self.desk = desk
        self.task = task
        self.form = form
        self.id = board_id

    @property
    def url(self) -> str:
        """Where a reviewer works, in the order of the queue: what is worth most comes first."""
        return f"{self.desk.url}/dataset/{self.id}/annotation-mode?sort=metadata.{WORTH}.desc"

    @cached_property
    def questions(self) -> list[dict[str, Any]]:
        """The questions as Argilla has them."""
        found: list[dict[str, Any]] = self.desk.call("GET", f"/datasets/{self.id}/questions")["items"]
        return found

    @cached_property
    def fields(self) -> set[str]:
        """The names of the fields that a record here can have."""
        return {one["name"] for one in self.desk.call("GET", f"/datasets/{self.id}/fields")["items"]}

    @cached_property
    def properties(self) -> set[str]:
        """The names of the metadata that a record here can have."""
        return {one["name"] for one in self.desk.call("GET", f"/me/datasets/{self.id}/metadata-properties")["items"]}

    def send(
        self,
        records: Sequence[DeskRecord],
        texts: Mapping[str, str],
        progress: Progress = silent,
        expected: Mapping[str, float] | None = None,
        by_field: Mapping[str, Mapping[str, float]] | None = None,
        about: Mapping[str, About] | None = None,
    ) -> Sent:
        """Put documents on the board; those that are there stay as they are. `texts`: document id -> text.

        `expected`: document id -> how often suggestions about as sure were right (0..1), where that was measured;
        `by_field`: document id -> how sure each field of its suggestion is (0..1), where fields differ in that;
        `about`: document id -> what is told beside it (see `review.about`), where there is something to tell.
        Raises InputError when a text is missing or empty (nothing is sent then), ServiceError when the desk fails
        (what was sent stays, and sending again sends the rest).
        """
        empty = [r.document_id for r in records if not texts.get(r.document_id, "").strip()]
        if empty:
            raise InputError(f"{len(empty)} documents have no text, the first is {empty[0]}; leave them out.")
        sent = 0
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            known = self._known([r.document_id for r in batch])
            items = [
                self._item(
                    r,
                    texts[r.document_id],
                    (expected or {}).get(r.document_id),
                    (by_field or {}).get(r.document_id) or {},
                )
                for r in batch
                if r.document_id not in known
            ]
            tell(items, about or {}, self.fields, self.properties)
            if items:
                self.desk.call("PUT", f"/datasets/{self.id}/records/bulk", {"items": items})
            sent += len(items)
            progress("sending", start + len(batch), len(records), f"{sent} new")
        return Sent(sent, len(records) - sent)

    def fetch(self, since: datetime | None = None, progress: Progress = silent) -> Fetched:
        """Every answer that was submitted or discarded since then (a minute of overlap), oldest first.

        `since` is the last fetch's `cursor` or the newest answer that is known. When nobody has answered since that
        cursor, this is one small request. An edited answer comes again with its new value. Raises ServiceError.
        """
        cursor = _moment(self.desk.call("GET", f"/datasets/{self.id}")["last_activity_at"])
        if since == cursor:
            return Fetched([], [], cursor)
        answers = sorted(self._answers(since, progress), key=lambda pair: pair[1]["updated_at"])
        fetched = Fetched([], [], cursor)
        reviewers = self._reviewers() if answers else {}
        for record, response in answers:
            one = self._read(record, response, reviewers)
            (fetched.corrections if isinstance(one, Correction) else fetched.faults).append(one)  # type: ignore[arg-type]
        return fetched

    def progress(self) -> BoardProgress:
        """How far the reviewers are."""
        counts = self.desk.call("GET", f"/datasets/{self.id}/progress")
        people = self.desk.call("GET", f"/datasets/{self.id}/users/progress")["users"]
        submitted = {p["username"]: sum(p[s].get("submitted", 0) for s in ("completed", "pending")) for p in people}
        return BoardProgress(counts["total"], counts["completed"], counts["pending"], submitted)

    def _known(self, ids: list[str]) -> set[str]:
        scope = {"entity": "record", "property": "external_id"}
        query = {"filters": {"and": [{"type": "terms", "scope": scope, "values": ids}]}}
        return {r["external_id"] for r in self._search(query, len(ids), 0, ())["records"]}

    def _item(
        self, record: DeskRecord, text: str, expected: float | None, by_field: Mapping[str, float]
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = {"round": record.round, "reason": record.reason}
        if record.worth is not None:
            metadata[WORTH] = record.worth
        fields = {"document": plain.shown(text)}
        item: dict[str, Any] = {"external_id": record.document_id, "fields": fields, "metadata": metadata}
        if record.blind:
            return item
        if record.score is not None:
            metadata["confidence"] = record.score
        if expected is not None:
            metadata[EXPECTED] = expected
        if record.suggestion is not None:
            item["suggestions"] = self._suggestions(record, text, by_field)
        return item

    def _suggestions(self, record: DeskRecord, text: str, by_field: Mapping[str, float]) -> list[dict[str, Any]]:
        ids = {q["name"]: q["id"] for q in self.questions}
        return suggestions(self.form, ids, record, plain.shown(text), by_field)

    def _answers(self, since: datetime | None, progress: Progress) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        scope = {"entity": "response", "property": "status"}
        answered = {"type": "terms", "scope": scope, "values": ["submitted", "discarded"]}
        order = [{"scope": {"entity": "record", "property": "inserted_at"}, "order": "asc"}]
        total, offset = 1, 0
        while offset < total:
            page = self._search({"filters": {"and": [answered]}, "sort": order}, _PAGE, offset, _WITH)
            total, offset = page["total"], offset + _PAGE
            progress("fetching", min(offset, total), total, "")
            for record in page["records"]:
                for response in record.get("responses") or ():
                    fresh = since is None or _moment(response["updated_at"]) > since - _OVERLAP
                    if fresh and response["status"] in ("submitted", "discarded"):
                        yield record, response

    def _search(self, query: dict[str, Any], limit: int, offset: int, include: Sequence[str]) -> dict[str, Any]:
        params = {"limit": limit, "offset": offset, "include": list(include)}
        found = self.desk.call("POST", f"/datasets/{self.id}/records/search", query, params)
        return {"total": found["total"], "records": [item["record"] for item in found["items"]]}

    def _reviewers(self) -> dict[str, str]:
        return {u["id"]: u["username"] for u in self.desk.call("GET", "/users")["items"]}

    def _read(self, record: dict[str, Any], response: dict[str, Any], reviewers: dict[str, str]) -> Correction | Fault:
        reviewer = reviewers.get(response["user_id"], response["user_id"])
        values = {name: given["value"] for name, given in (response["values"] or {}).items()}
        discarded = response["status"] == "discarded"
        try:
            value = None if discarded else self.form.read(values)
        except Unreadable as error:
            return Fault(record["external_id"], reviewer, values, str(error))
        return Correction(
            task=self.task,
            document_id=record["external_id"],
            reviewer=reviewer,
            value=value,
            discarded=discarded,
            suggestion=self._suggested(record),
            answered_at=_moment(response["updated_at"]),
        )

    def _suggested(self, record: dict[str, Any]) -> Any:
        names = {q["id"]: q["name"] for q in self.questions}
        values = {names[s["question_id"]]: s["value"] for s in record.get("suggestions") or ()}
        try:
            return self.form.read(values) if values else None
        except Unreadable:
            return None


def _moment(text: str) -> datetime:
    """Argilla's times are UTC without saying so."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
