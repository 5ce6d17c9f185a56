"""Newer suggestions on records that nobody has answered yet, be it as a draft. What people said is never touched.

    refresh(board, {"41d0c7a2b6e95f13": Newer("debt", 0.83, {}, "student-3f2a9c")})    -> {"41d0c7a2b6e95f13"}

A suggestion is written over the one before; one that has no successor (a field the newer answer leaves out) is taken
away. The confidence in the record's metadata follows; what was expected of the older one does not stay, nor does the
teacher's reason for it, where the newer one says something else.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from records.progress import Progress, silent
from records.types import Answer, DeskRecord
from review.about import FIELD, without_reason
from review.board import EXPECTED, Board
from review.suggesting import TEACHER, suggestions

_BATCH = 250


class Newer(NamedTuple):
    """A newer answer: how sure (0..1), of each field where they differ, and by whom, as the desk shows it."""

    value: Answer
    score: float | None
    by_field: Mapping[str, float] = {}
    agent: str = TEACHER


def refresh(board: Board, newer: Mapping[str, Newer], progress: Progress = silent) -> set[str]:
    """Show newer answers; the documents on which that was done. `newer`: by document id. Raises ServiceError."""
    ids = {q["name"]: q["id"] for q in board.questions}
    done: set[str] = set()
    wanted = list(newer)
    for start in range(0, len(wanted), _BATCH):
        batch = [*_unanswered(board, wanted[start : start + _BATCH])]
        items = [_item(board, ids, record, newer[record["external_id"]]) for record in batch]
        if items:
            board.desk.call("PUT", f"/datasets/{board.id}/records/bulk", {"items": items})
        for record, item in zip(batch, items, strict=True):
            _take_away(board, record, {one["question_id"] for one in item["suggestions"]})
        done |= {record["external_id"] for record in batch}
        progress("refreshing", min(start + _BATCH, len(wanted)), len(wanted), f"{len(done)} suggestions")
    return done


def _unanswered(board: Board, ids: list[str]) -> Iterator[dict[str, Any]]:
    mine = {"type": "terms", "scope": {"entity": "record", "property": "external_id"}, "values": ids}
    params = {"limit": len(ids), "offset": 0, "include": ["responses", "suggestions"]}
    query = {"filters": {"and": [mine]}}
    found = board.desk.call("POST", f"/datasets/{board.id}/records/search", query, params)
    return (item["record"] for item in found["items"] if not item["record"].get("responses"))


def _item(board: Board, ids: Mapping[str, str], record: dict[str, Any], new: Newer) -> dict[str, Any]:
    id_, kept = record["external_id"], {k: v for k, v in (record["metadata"] or {}).items() if k != EXPECTED}
    shown = DeskRecord(
        task=board.task, document_id=id_, round=0, reason="", blind=False, suggestion=new.value, score=new.score
    )
    sure = {} if new.score is None else {"confidence": new.score}
    given = suggestions(board.form, ids, shown, record["fields"]["document"], new.by_field, new.agent)
    item = {"external_id": id_, "metadata": {**kept, **sure}, "suggestions": given}
    told = record["fields"].get(FIELD) or ""
    if without_reason(told) == told or _values(given) == _values(record.get("suggestions") or ()):
        return item
    fields = {**record["fields"], FIELD: without_reason(told)}
    return {**item, "fields": {name: text for name, text in fields.items() if text}}


def _values(shown: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {one["question_id"]: one["value"] for one in shown}


def _take_away(board: Board, record: dict[str, Any], given: set[str]) -> None:
    left = [one["id"] for one in record.get("suggestions") or () if one["question_id"] not in given]
    if left:
        board.desk.call("DELETE", f"/records/{record['id']}/suggestions", params={"ids": ",".join(left)})
