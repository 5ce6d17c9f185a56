"""Disputes before a lead: which documents, what the lead reads of them, and the board where they wait.

Pure but for `send` and `take_back`, which speak to the board. One real case (grain: one per document):

    Case(document_id="41d0c7a2b6e95f13", reason="reviewers differ", said=["debt", "lease"])
    told(case)      ->  "1 reviewer: debt\\n1 reviewer: lease"

By default every difference goes to the lead, also two against one: a majority that is wrong together is what a lead is
for. With `review.majority: true` only what no majority settles does (`records.votes`). Who said what is not shown, so
that nobody's word weighs more. Of an object, only the fields that differ are told, and those that all gave alike are
filled in.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from records.second_looks import SecondLook
from records.types import Answer, Correction, Record
from review import parts, plain
from review.about import About, tell
from review.board import Board

DIFFER, DOUBTED = "reviewers differ", "answer is doubted"
_BATCH = 250
_NOTHING = "(nothing)"


class Case(Record):
    """One document that a lead should decide. `said`: each person's answer, in the order of their JSON."""

    document_id: str
    reason: str
    said: list[Answer] = Field(default_factory=list)


def disputes(disputed: Mapping[str, Sequence[Correction]]) -> dict[str, Case]:
    """The cases that reviewers' differences make, by document."""
    return {i: Case(document_id=i, reason=DIFFER, said=_in_order(rows)) for i, rows in sorted(disputed.items())}


def doubted(document_id: str, rows: Sequence[Correction]) -> Case:
    """A case that nobody differs on, but whose answer is doubted."""
    return Case(document_id=document_id, reason=DOUBTED, said=_in_order(rows))


def _in_order(rows: Sequence[Correction]) -> list[Answer]:
    said = [row.value for row in rows if row.value is not None and not row.discarded]
    return sorted(said, key=_text)


def plan(
    cases: Mapping[str, Case], sent: Mapping[str, SecondLook], decided: Collection[str]
) -> tuple[list[Case], list[str]]:
    """What is to be sent, and what is to be taken back: disputes that ended, and those whose answers changed since.

    What changed is taken back and sent anew. What a lead decided stays where it is, and so does what was doubted.
    """
    waiting = {i: look for i, look in sent.items() if i not in decided}
    stale = [i for i, look in waiting.items() if look.reason == DIFFER and not _as_sent(cases.get(i), look)]
    fresh = [case for i, case in cases.items() if i not in decided and (i not in sent or i in stale)]
    return fresh, stale


def _as_sent(case: Case | None, look: SecondLook) -> bool:
    return case is not None and case.said == look.said


def told(case: Case) -> str:
    """What the lead reads above the document."""
    if len(case.said) > 1 and all(isinstance(one, dict) for one in case.said):
        return _told_by_field([one for one in case.said if isinstance(one, dict)])
    return _votes([_text(one) for one in case.said])


def _told_by_field(said: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for one in said for name in one))
    differing = [name for name in names if name not in alike(said)]
    blocks = [f"{name}\n{_votes([_field(one, name) for one in said])}" for name in differing]
    return "\n\n".join(blocks) if blocks else "All fields were answered alike."


def alike(said: Sequence[Answer]) -> dict[str, Any]:
    """The fields that everybody answered alike; empty for choices."""
    objects = [one for one in said if isinstance(one, dict)]
    if not objects or len(objects) < len(said):
        return {}
    first = objects[0]
    return {name: first[name] for name in first if len({_field(one, name) for one in objects}) == 1}


def _votes(said: Sequence[str]) -> str:
    counts = sorted(Counter(said).items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"{n} {'reviewer' if n == 1 else 'reviewers'}: {text}" for text, n in counts)


def _field(answer: dict[str, Any], name: str) -> str:
    return _text(answer[name]) if answer.get(name) is not None else _NOTHING


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def send(
    board: Board, cases: Sequence[Case], texts: Mapping[str, str], about: Mapping[str, About] | None = None
) -> None:
    """Put cases on the lead's board (`Desk.ensure(..., part=ADJUDICATION, above={SAID: ...})`). Raises ServiceError.

    `about`: document id -> what is told beside it.
    """
    for start in range(0, len(cases), _BATCH):
        items = [_item(board, case, texts[case.document_id]) for case in cases[start : start + _BATCH]]
        tell(items, about or {}, board.fields, board.properties)
        board.desk.call("PUT", f"/datasets/{board.id}/records/bulk", {"items": items})


def _item(board: Board, case: Case, text: str) -> dict[str, Any]:
    ids = {q["name"]: q["id"] for q in board.questions}
    settled = alike(case.said)
    known = {q.name for q in board.form.questions if q.key in settled}
    values = {name: value for name, value in (board.form.write(settled) if known else {}).items() if name in known}
    return {
        "external_id": case.document_id,
        "fields": {parts.SAID: plain.shown(told(case)) or _NOTHING, "document": plain.shown(text)},
        "metadata": {"round": 1, "reason": case.reason},
        "suggestions": [
            {"question_id": ids[name], "value": value, "agent": "reviewers", "type": "human"}
            for name, value in values.items()
        ],
    }


def take_back(board: Board, ids: Collection[str]) -> list[str]:
    """Take cases from the board that nobody has begun to answer; those that are not on it now. Raises ServiceError."""
    wanted, begun = sorted(ids), set[str]()
    for start in range(0, len(wanted), _BATCH):
        scope = {"entity": "record", "property": "external_id"}
        query = {"filters": {"and": [{"type": "terms", "scope": scope, "values": wanted[start : start + _BATCH]}]}}
        params = {"limit": _BATCH, "include": ["responses"]}
        found = board.desk.call("POST", f"/datasets/{board.id}/records/search", query, params)["items"]
        for record in (item["record"] for item in found):
            if record.get("responses"):
                begun.add(record["external_id"])
            else:
                board.desk.call("DELETE", f"/records/{record['id']}")
    return [one for one in wanted if one not in begun]
