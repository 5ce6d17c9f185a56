"""One record of a board in the words of another that asks other questions: fields, suggestions, answers. Pure.

| an answer on the old board                | on the new one                                            |
|-------------------------------------------|-----------------------------------------------------------|
| its label is there, or is under another name | the same answer                                           |
| its label was split, or is gone           | none: it waits for this person again, the old answer told |
| an object that lacks a field asked for now| a draft with all the rest                                 |

A suggestion is carried where all of it can be said; marks (`review.evidence`) as far as they can.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from review import evidence
from review.about import FIELD, About


class Carrier:
    """Says records of one board in the words of another."""

    def __init__(
        self,
        asked: Sequence[dict[str, Any]],
        asks: Sequence[dict[str, Any]],
        fields: Collection[str],
        became: Mapping[str, str | None],
        about: Mapping[str, About],
    ) -> None:
        """`asked`, `asks`: the questions of the old and of the new board, as Argilla has them; `fields`: what records
        of the new one can have; `became`: old labels to new ones; `about`: told beside documents from now on.
        """
        self._asked = {q["id"]: q["name"] for q in asked}
        self._asks = {q["name"]: q for q in asks}
        self._fields, self._became, self._about = fields, became, about

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with its suggestions and responses, to be upserted on the new board."""
        fields = {name: value for name, value in record["fields"].items() if name in self._fields}
        told = self._about.get(record["external_id"])
        if told and told.shown and FIELD in self._fields:
            fields[FIELD] = told.shown
        responses = [self._response(one) for one in record.get("responses") or ()]
        return {
            "external_id": record["external_id"],
            "fields": fields,
            "metadata": record["metadata"],
            "suggestions": [s for one in record.get("suggestions") or () for s in self._suggestion(one)],
            "responses": [one for one in responses if one],
        }

    def _suggestion(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        name = self._asked[one["question_id"]]
        value = self._value(name, one["value"])
        if value is None or (isinstance(value, list) and len(value) != len(one["value"])):
            return []
        kept = {key: one[key] for key in ("score", "agent", "type")}
        return [{"question_id": self._asks[name]["id"], "value": value, **kept}]

    def _response(self, one: dict[str, Any]) -> dict[str, Any] | None:
        """A person's answer in today's words; None where nothing of it is left to say."""
        said = {name: given["value"] for name, given in (one["values"] or {}).items()}
        kept = {name: value for name in said if (value := self._value(name, said[name])) is not None}
        status = one["status"]
        if status == "submitted" and not self._whole(said, kept):
            status = "draft"
        if not kept and status != "discarded":
            return None
        values = {name: {"value": value} for name, value in kept.items()}
        return {"user_id": one["user_id"], "values": values or None, "status": status}

    def _whole(self, said: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
        """Whether what is kept is still an answer, and all of one: nothing that is asked for now was lost."""
        asked = [n for n in said if n in self._asks and n != evidence.NAME]
        lost = [n for n in asked if n not in kept]
        shorter = [n for n in asked if isinstance(said[n], list) and len(kept.get(n, ())) != len(said[n])]
        missing = [n for n, q in self._asks.items() if q["required"] and n not in kept]
        return not (lost or shorter or missing)

    def _value(self, name: str, value: Any) -> Any:
        """A value as the new board takes it; None where it has no such question, or not this option any more."""
        settings = self._asks[name]["settings"] if name in self._asks else None
        if settings is None:
            return None
        options = {option["value"] for option in settings.get("options", ())}
        if settings["type"] == "text":
            return value if isinstance(value, str) else None
        if settings["type"] == "span":
            return [mark for mark in value if mark["label"] in options] or None if _is_marks(value) else None
        if settings["type"] == "multi_label_selection" and isinstance(value, list):
            return list(dict.fromkeys(n for v in value if (n := self._label(v)) in options)) or None
        label = self._label(value)
        return label if settings["type"] == "label_selection" and label in options else None

    def _label(self, value: Any) -> Any:
        return self._became.get(value, value) if isinstance(value, str) else None


def _is_marks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(mark, dict) and "label" in mark for mark in value)
