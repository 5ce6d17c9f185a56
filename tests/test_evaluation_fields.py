"""A field is right by what it is: words, a number, a date, a set; and what is no such value is never taken for one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.aggregate import measure
from evaluation.fields import EXACT, Comparison, by_schema, comparisons, is_right, set_f1
from evaluation.score import score
from records.types import Outcome

DATE = Comparison(how="date")
WORDS = Comparison(how="normalised")


@pytest.mark.parametrize(
    ("by", "answer", "gold", "right"),
    [
        (EXACT, "Acme", "acme", False),
        (WORDS, "  ACME  Corp. ", "Acme Corp", True),
        (WORDS, "Acme", "Acme Ltd", False),
        (WORDS, None, "", False),
        (Comparison(how="number"), 1250, 1250.0, True),
        (Comparison(how="number"), "1,250.00", 1250, True),
        (Comparison(how="number"), 1251, 1250, False),
        (Comparison(how="number", relative=0.01), 1260, 1250, True),
        (Comparison(how="number", tolerance=5), 1256, 1250, False),
        (Comparison(how="number"), True, 1, False),
        (Comparison(how="number"), "nan", "1", False),
        (Comparison(how="number"), "about ten", "about  TEN", True),
        (DATE, "4 March 2026", "2026-03-04", True),
        (DATE, "March 4, 2026", "2026-03-04T00:00:00", True),
        (DATE, "2026-03-05", "2026-03-04", False),
        (Comparison(how="date", days=1), "2026-03-05", "2026-03-04", True),
        (DATE, "03/04/2026", "2026-03-04", False),  # of two dates it says neither
        (DATE, "soon", "2026-03-04", False),
        (Comparison(how="set"), ["b", "A "], ["a", "b"], True),
        (Comparison(how="set"), ["a"], ["a", "b"], False),
        (Comparison(how="set"), "a", ["a"], False),
        (EXACT, ["b", "a"], ["a", "b"], False),
    ],
)
def test_a_field_is_right_by_what_it_is(by: Comparison, answer: Any, gold: Any, right: bool):
    assert is_right(by, answer, gold) is right


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [(["a", "b"], ["b", "c"], 0.5), ([], [], 1.0), ([], ["a"], 0.0), (["a"], ["a", "a"], 1.0), (None, ["a"], 0.0)],
)
def test_sets_that_share_members_are_partly_right(answer: Any, gold: Any, f1: float):
    assert set_f1(answer, gold) == f1


def test_a_schema_says_how_its_fields_are_compared_and_a_task_may_say_otherwise():
    schema = {
        "properties": {
            "party": {"type": "string"},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "day": {"type": ["string", "null"], "format": "date"},
            "amount": {"type": "number"},
            "tags": {"type": "array", "uniqueItems": True},
            "steps": {"type": "array"},
            "odd": True,
        }
    }
    found = comparisons(schema, {"amount": {"how": "number", "relative": 0.01}})
    said = {name: one.how for name, one in found.items()}
    assert said == {
        "party": "normalised",
        "kind": "exact",
        "day": "date",
        "amount": "number",
        "tags": "set",
        "steps": "exact",
    }
    assert found["amount"].relative == 0.01
    assert by_schema({}) == EXACT


def test_an_object_is_right_when_all_its_fields_are_and_sets_have_an_f1_of_their_own():
    fields = {"party": WORDS, "tags": Comparison(how="set")}
    gold = {"party": "Acme", "tags": ["x", "y"]}
    answers = [{"party": "ACME.", "tags": ["y", "x"]}, {"party": "acme", "tags": ["x"]}, {"party": "acme"}, None]
    outcomes = [Outcome.answered] * 3 + [Outcome.unreadable]
    scored = [score(str(n), o, a, gold, fields) for n, (o, a) in enumerate(zip(outcomes, answers, strict=True))]
    assert [s.right for s in scored] == [True, False, False, False]
    found = measure("m", "student", scored)
    assert (found.fields["party"].value, found.fields["tags"].value) == (0.75, 0.25)
    assert found.set_f1["tags"].value == pytest.approx((1 + 2 / 3) / 4) and found.set_f1["tags"].high <= 1


def test_an_empty_object_is_right_only_where_gold_is_empty_too():
    assert score("1", Outcome.answered, {}, {}).right
    assert not score("1", Outcome.answered, {}, {"a": 1}).right
    assert not score("1", Outcome.answered, "text", {}).right


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.sampled_from(["exact", "normalised", "number", "date", "set"]), json_values, json_values)
def test_any_two_values_can_be_compared_and_each_is_its_own_equal(how: Any, one: Any, other: Any):
    by = Comparison(how=how)
    assert isinstance(is_right(by, one, other), bool)
    assert is_right(by, one, one)
