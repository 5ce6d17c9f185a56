"""What reviewers read: guidelines and keys, what is told beside a document, where a value stands. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.types import DeskRecord
from review import evidence, plain
from review.about import FIELD, REASON, About, tell, without_reason
from review.evidence import Mark, marks
from review.form import choice_form, json_form
from review.guidelines import whole_guidelines
from review.suggesting import suggestions

TEXT = {"type": ["string", "null"]}


def form(**properties):
    return json_form({"type": "object", "properties": properties})


def found(value, text, **schema):
    """The words that are marked for one value."""
    return [text[m.start : m.end] for m in marks(form(x=schema or TEXT), {"x": value}, text)]


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        ("Nevada", "the laws of\nNEVADA shall", ["NEVADA"]),
        ("New York", "of New\n   York,", ["New\n   York"]),
        ("York", "Yorkshire", []),
        ("a.b", "axb a.b", ["a.b"]),
        ("no", "no and no", []),
        (None, "none", []),
        (12500, "EUR 12,500.00 or 12500", ["12500"]),
        (12500, "EUR 12,500", ["12,500"]),
        ("2014-05-08", "Dated: May 8, 2014.", ["May 8, 2014"]),
        ("2014-05-08", "this 8th day of May 2014", ["8th day of May 2014"]),
        ("2014-05-08", "am 8.5.2014 in", ["8.5.2014"]),
        ("2014-05-08", "5/8/14", ["5/8/14"]),
        ("2014-05-08", "May 18, 2014", []),
        (["Acme Inc.", "Bolt"], "Bolt and Acme Inc. and Bolt", ["Bolt", "Acme Inc."]),
        ([{"name": "Acme", "role": None}], "by Acme", ["Acme"]),
    ],
)
def test_a_value_is_marked_where_its_words_stand(value, text, words):
    assert found(value, text) == words


def test_marks_do_not_overlap_and_longer_values_choose_first():
    asked = form(short=TEXT, long=TEXT)
    assert marks(asked, {"short": "Acme", "long": "Acme Holding"}, "Acme Holding, Acme") == [
        Mark("long", 0, 12),
        Mark("short", 14, 18),
    ]


def test_offsets_count_as_the_browser_does():
    assert marks(form(x=TEXT), {"x": "Acme"}, "\U0001f600 Acme") == [Mark("x", 3, 7)]


@given(st.text(max_size=30), st.text(max_size=60))
def test_a_mark_always_lies_within_the_text(value, text):
    for mark in marks(form(x=TEXT), {"x": value}, text):
        assert 0 <= mark.start < mark.end <= len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_a_choice_and_closed_values_have_no_marks():
    assert marks(choice_form({"lease": "", "nda": ""}), "lease", "the lease") == []
    assert evidence.fields(form(x={"enum": ["yes", "no"]}, y=TEXT)) == {"y": "y"}


def test_each_fields_suggestion_and_mark_is_as_sure_as_its_field():
    asked = form(law=TEXT, who=TEXT)
    record = DeskRecord(
        task="t", document_id="d", round=1, reason="r", blind=False, suggestion={"law": "Texas", "who": "Bo"}, score=0.4
    )
    ids = {"law": "1", "who": "2", "Evidence": "3"}
    given = suggestions(asked, ids, record, "laws of Texas", {"law": 0.9})
    assert [(s["question_id"], s["value"], s["score"]) for s in given] == [
        ("1", "Texas", 0.9),
        ("2", "Bo", 0.4),
        ("3", [{"label": "law", "start": 8, "end": 13}], [0.9]),
    ]
    assert len(suggestions(asked, {"law": "1", "who": "2"}, record, "laws of Texas", {})) == 2  # a board from before


def test_what_is_told_beside_a_document_is_harmless_and_left_out_where_a_board_has_no_room():
    told = About("letters/a.pdf", {"date": "2024-02-29", "from": "<img src=x>\nBo"}, ("lease, by ann",))
    items = [{"external_id": "d", "fields": {}}, {"external_id": "e", "fields": {}}]
    tell(items, {"d": told, "e": About("")}, {"document", "About"})
    assert items[0]["fields"]["About"].splitlines() == [
        "Answered before: lease, by ann",
        "Source: letters/a.pdf",
        "date: 2024-02-29",
        plain.shown("from: <img src=x> Bo"),
    ]
    assert items[1]["fields"] == {}
    tell(items, {"e": told}, {"document"})
    assert items[1]["fields"] == {}


def test_a_reason_is_told_beside_a_suggestion_only_short_on_one_line_and_harmless():
    told = About("a.pdf", reason="It says\n<b>rent</b>. " + "so " * 400)
    with_one, without = ({"external_id": "d", "fields": {}, "suggestions": given} for given in ([{"value": 1}], []))
    tell([with_one, without], {"d": told}, {"document", "About"})
    reason, blank, source = with_one["fields"]["About"].splitlines()
    assert reason.startswith(plain.shown(f"{REASON} It says <b>rent</b>. so so")) and reason.endswith("...")
    assert len(plain.original(reason)) == 603 and (blank, source) == ("", "Source: a.pdf")
    assert without["fields"]["About"] == without_reason(with_one["fields"]["About"]) == source


def test_the_guidelines_tell_what_labels_mean_and_what_keys_do():
    text = whole_guidelines("Be kind.", {"non_compete": "not to work elsewhere"})
    assert text.startswith("Be kind.\n\n## Labels\n\n- **non compete**: not to work elsewhere\n\n## Keys")
    assert "`Backspace` | discard" in text
    assert "## Labels" not in whole_guidelines("Be kind.", {"a": "", "b": ""})


def test_no_field_of_a_task_has_the_name_of_something_of_the_desks_own():
    names = {q.name for q in form(Evidence=TEXT, About=TEXT, document=TEXT).questions}
    assert not names & {evidence.NAME, FIELD, "document"}
