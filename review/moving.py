"""A board whose task has other labels or fields now: everything on it moves to a new board, and nothing is lost.

Argilla takes no other questions or options for a board that is in use. So a new one is made beside it, each record is
copied with its suggestions and with every person's answers under that person's name, and only when all are there do
the two change names; then what was answered meanwhile is brought after, and the old board goes.

What becomes of each answer is told in `review.carrying`.

Any step may be cut off: the names tell how far it was (`task-moving` is a copy, `task-before` the old board), and the
next call goes on from there. The moments of answering become those of the move; the store has the true ones.

    moving.finish(desk, "legal_intake", became)
    if moving.is_due(desk, "legal_intake", form):
        moving.copy(desk, "legal_intake", form, became, guidelines, 1, about, progress)
        moving.finish(desk, "legal_intake", became, about)
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from records.errors import ServiceError
from records.progress import Progress, silent
from review.about import About
from review.board import Board
from review.carrying import Carrier
from review.desk import Desk, asked_for, asked_of
from review.form import Form

_PAGE = 250
_OVERLAP = timedelta(minutes=1)
_TOLD = {"include": ["responses", "suggestions"]}


def names(task: str) -> set[str]:
    """The names by which a board of this name can stand on the desk, also in the middle of a move."""
    return {task, _moving(task), _before(task)}


def is_due(desk: Desk, task: str, form: Form) -> bool:
    """Whether the task's board was made for other questions or labels than the form has."""
    dataset = desk.dataset(task)
    if dataset is None or dataset["status"] != "ready":
        return False
    return asked_of(Board(desk, task, form, dataset["id"]).questions) != asked_for(form)


def copy(
    desk: Desk,
    task: str,
    form: Form,
    became: Mapping[str, str | None],
    guidelines: str,
    reviewers: int,
    about: Mapping[str, About] | None = None,
    progress: Progress = silent,
    above: Mapping[str, str] | None = None,
) -> int:
    """Copy the board, and put the old one out of the way; how many records. `finish` does the rest of the move.

    `became`: old labels to new ones, None: split; `guidelines`: the whole of them; `about`: told beside documents from
    now on; `above`: as in `Desk.ensure`. Raises ServiceError where the desk fails: the old board is then still the
    task's.
    """
    old = desk.dataset(task)
    assert old is not None
    began = datetime.now(UTC) - _OVERLAP
    if left := desk.dataset(_moving(task)):
        desk.call("DELETE", f"/datasets/{left['id']}")
    desk.make(_moving(task), form, guidelines, reviewers, above)
    new = desk.dataset(_moving(task))
    assert new is not None
    _same_metadata(desk, old["id"], new["id"])
    copied = _Copy(desk, became, old["id"], new["id"], about or {}).all(progress)
    desk.call("PATCH", f"/datasets/{new['id']}", {"guidelines": f"{guidelines}{_since(began)}"})
    desk.call("PATCH", f"/datasets/{old['id']}", {"name": _before(task)})
    return copied


def finish(
    desk: Desk,
    task: str,
    became: Mapping[str, str | None],
    about: Mapping[str, About] | None = None,
) -> None:
    """End a move that has made its copy, whether just now or before a kill; without one, do nothing."""
    old = desk.dataset(_before(task))
    if old is None:
        return
    new = desk.dataset(task)
    if new is None:
        new = desk.dataset(_moving(task))
        if new is None:  # nothing was copied that is still there: the old board is the task's again
            desk.call("PATCH", f"/datasets/{old['id']}", {"name": task})
            return
        desk.call("PATCH", f"/datasets/{new['id']}", {"name": task})
    guidelines, _, since = new["guidelines"].partition(_MARK)
    copy = _Copy(desk, became, old["id"], new["id"], about or {})
    copy.late(datetime.fromisoformat(since.removesuffix(_END)) if since else datetime.min.replace(tzinfo=UTC))
    desk.call("PATCH", f"/datasets/{new['id']}", {"guidelines": guidelines})
    desk.call("DELETE", f"/datasets/{old['id']}")


_MARK, _END = "\n<!-- moved since ", " -->\n"  # when a copy was begun stands in its guidelines until the old board goes


def _since(began: datetime) -> str:
    return f"{_MARK}{began.isoformat()}{_END}"


def _moving(task: str) -> str:
    return f"{task}-moving"  # no task has a dash in its name


def _before(task: str) -> str:
    return f"{task}-before"


def _same_metadata(desk: Desk, old: str, new: str) -> None:
    """Give the new board each kind of metadata that the old one has."""
    there = {one["name"] for one in desk.call("GET", f"/me/datasets/{new}/metadata-properties")["items"]}
    for one in desk.call("GET", f"/me/datasets/{old}/metadata-properties")["items"]:
        if one["name"] not in there:
            body = {key: one[key] for key in ("name", "title", "settings", "visible_for_annotators")}
            desk.call("POST", f"/datasets/{new}/metadata-properties", body)


class _Copy:
    """Records of one board, written onto another that asks other questions."""

    def __init__(
        self,
        desk: Desk,
        became: Mapping[str, str | None],
        old: str,
        new: str,
        about: Mapping[str, About],
    ) -> None:
        self._desk, self._old, self._new = desk, old, new
        asked, asks = (desk.call("GET", f"/datasets/{board}/questions")["items"] for board in (old, new))
        fields = {one["name"] for one in desk.call("GET", f"/datasets/{new}/fields")["items"]}
        self._carrier = Carrier(asked, asks, fields, became, about)

    def all(self, progress: Progress) -> int:
        """Copy every record. Raises ServiceError when not all arrived."""
        done = 0
        for page, total in self._pages():
            self._put(page)
            done += len(page)
            progress("moving", done, total, "to a board with today's labels")
        there = self._desk.call("GET", f"/datasets/{self._new}/progress")["total"]
        if there != done:
            raise ServiceError(f"{there} of {done} records reached the new board; the old one stays. Run it again.")
        return done

    def late(self, since: datetime) -> None:
        """Bring after what came to the old board, or was answered there, since then; what was answered later on the new
        board stands.
        """
        for page, _ in self._pages():
            late = [record for record in page if _newest(record) >= since]
            there = {one["external_id"]: one for one in self._on_new([record["external_id"] for record in late])}
            self._put([record for record in late if record["external_id"] not in there])
            later = [
                _only_later(record, there[record["external_id"]]) for record in late if record["external_id"] in there
            ]
            items = [self._carrier.record(record) for record in later]
            self._upsert([{k: item[k] for k in ("external_id", "responses")} for item in items if item["responses"]])

    def _on_new(self, ids: list[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        mine = {"type": "terms", "scope": {"entity": "record", "property": "external_id"}, "values": ids}
        params = {"limit": len(ids), "offset": 0, **_TOLD}
        query = {"filters": {"and": [mine]}}
        found = self._desk.call("POST", f"/datasets/{self._new}/records/search", query, params)
        return [item["record"] for item in found["items"]]

    def _pages(self) -> Iterator[tuple[list[dict[str, Any]], int]]:
        order = [{"scope": {"entity": "record", "property": "inserted_at"}, "order": "asc"}]
        offset, total = 0, 1
        while offset < total:
            params = {"limit": _PAGE, "offset": offset, **_TOLD}
            found = self._desk.call("POST", f"/datasets/{self._old}/records/search", {"sort": order}, params)
            offset, total = offset + _PAGE, found["total"]
            if found["items"]:
                yield [item["record"] for item in found["items"]], total

    def _put(self, records: list[dict[str, Any]]) -> None:
        self._upsert([self._carrier.record(record) for record in records])

    def _upsert(self, items: list[dict[str, Any]]) -> None:
        if items:
            self._desk.call("PUT", f"/datasets/{self._new}/records/bulk", {"items": items})


def _only_later(record: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """The record with those answers only that are newer than the same person's on the new board."""
    known = {one["user_id"]: one["updated_at"] for one in there.get("responses") or ()}
    newer = [one for one in record.get("responses") or () if one["updated_at"] > known.get(one["user_id"], "")]
    return {**record, "responses": newer}


def _newest(record: dict[str, Any]) -> datetime:
    moments = [record["inserted_at"], record["updated_at"]]
    moments += [one["updated_at"] for one in record.get("responses") or ()]
    return max(datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC) for text in moments)
