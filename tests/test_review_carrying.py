"""One record of a board in the words of another, for every kind of question. Pure."""

import pytest

from review.carrying import Carrier

LABELS = {"type": "label_selection", "options": [{"value": "office"}, {"value": "other"}]}
SEVERAL = {"type": "multi_label_selection", "options": [{"value": "a"}, {"value": "b"}]}
TEXT = {"type": "text"}
MARKS = {"type": "span", "options": [{"value": "law"}]}
BECAME = {"premises": "office", "lease": None}


def question(name, settings, required=True):
    return {"id": f"new-{name}", "name": name, "required": required, "settings": settings}


def carrier(*asks):
    asked = [{"id": f"old-{name}", "name": name} for name in ("answer", "tags", "law", "Evidence", "gone")]
    return Carrier(asked, asks, {"document"}, BECAME, {})


def carried(to, values, status="submitted"):
    """The one response of a carried record: (status, values); None where there is none."""
    said = {name: {"value": value} for name, value in values.items()}
    response = {"user_id": "u", "status": status, "values": said or None}
    record = {"external_id": "d", "fields": {"document": "x", "old": "y"}, "metadata": {"round": 1}}
    found = to.record({**record, "responses": [response], "suggestions": []})
    assert found["fields"] == {"document": "x"} and found["metadata"] == {"round": 1}
    if not found["responses"]:
        return None
    [one] = found["responses"]
    return one["status"], {name: v["value"] for name, v in (one["values"] or {}).items()}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("premises", ("submitted", {"answer": "office"})),
        ("other", ("submitted", {"answer": "other"})),
        ("lease", None),  # split
        ("unheard of", None),
    ],
)
def test_a_label_is_carried_under_its_name_of_today_or_asked_for_again(label, expected):
    assert carried(carrier(question("answer", LABELS)), {"answer": label}) == expected


def test_what_was_discarded_stays_discarded_and_a_draft_a_draft():
    to = carrier(question("answer", LABELS))
    assert carried(to, {"answer": "lease"}, "discarded") == ("discarded", {})
    assert carried(to, {}, "discarded") == ("discarded", {})
    assert carried(to, {"answer": "premises"}, "draft") == ("draft", {"answer": "office"})


def test_an_answer_that_lost_a_part_or_lacks_one_is_a_draft_with_the_rest():
    to = carrier(question("tags", SEVERAL, required=False), question("law", TEXT))
    assert carried(to, {"tags": ["a", "c"], "law": "x"}) == ("draft", {"tags": ["a"], "law": "x"})
    assert carried(to, {"tags": ["c"], "law": "x"}) == ("draft", {"law": "x"})
    assert carried(to, {"tags": ["a"]}) == ("draft", {"tags": ["a"]})
    assert carried(to, {"law": "x"}) == ("submitted", {"law": "x"})


def test_a_field_that_is_not_asked_for_any_more_and_a_mark_that_is_lost_leave_an_answer_whole():
    to = carrier(question("law", TEXT), question("Evidence", MARKS, required=False))
    mark = {"label": "law", "start": 0, "end": 1}
    gone = {**mark, "label": "gone"}
    assert carried(to, {"law": "x", "gone": "y", "Evidence": [mark, gone]}) == (
        "submitted",
        {"law": "x", "Evidence": [mark]},
    )
    assert carried(to, {"law": "x", "Evidence": [gone]}) == ("submitted", {"law": "x"})


def test_a_field_that_became_one_of_labels_takes_no_text_but_what_is_a_label():
    to = carrier(question("law", LABELS))
    assert carried(to, {"law": "free text"}) is None
    assert carried(to, {"law": "other"}) == ("submitted", {"law": "other"})


def test_a_suggestion_is_carried_whole_or_not_at_all():
    to = carrier(question("answer", LABELS), question("tags", SEVERAL))
    kept = {"score": 0.5, "agent": "teacher", "type": "model"}
    given = [
        {"question_id": "old-answer", "value": "premises", **kept},
        {"question_id": "old-tags", "value": ["a", "c"], **kept, "score": [0.5, 0.5]},
        {"question_id": "old-gone", "value": "y", **kept},
    ]
    record = {"external_id": "d", "fields": {}, "metadata": {}, "responses": [], "suggestions": given}
    assert to.record(record)["suggestions"] == [{"question_id": "new-answer", "value": "office", **kept}]
