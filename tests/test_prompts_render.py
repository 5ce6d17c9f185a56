"""One render for all; strict reading of answers; keys that cover everything that shapes an answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_folders import CHOICE, FIELDS, make_task

from prompts.endpoint import teacher_endpoint
from prompts.fingerprint import answer_key
from prompts.parse import parse
from prompts.render import answer_text, prompt_fingerprint, render
from prompts.scoring import choose, score_labels
from records.types import Outcome


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path)


def test_the_student_sees_instructions_and_document_only(task):
    assert render(task, " My rent! \n") == [
        {"role": "system", "content": "Sort the mail. Answer with one word."},
        {"role": "user", "content": "My rent!"},
    ]


def test_the_teacher_sees_the_students_messages_with_teaching_turns_between(task):
    taught, plain = render(task, "My rent!", teaching=True), render(task, "My rent!")
    assert [taught[0], taught[-1]] == plain
    turns = taught[1:-1]
    assert [t["role"] for t in turns] == ["user", "assistant"] * 4
    assert "- lease: premises and rent" in turns[0]["content"]
    assert turns[-1]["content"] == "data"


def test_the_list_of_labels_can_be_left_out(tmp_path):
    task = make_task(tmp_path, teacher={"list_labels": False})
    assert len(render(task, "x", teaching=True)) == 2 + 2 * 3


def test_a_long_document_is_cut_alike_for_all(tmp_path):
    task = make_task(tmp_path, document={"max_characters": 50})
    for teaching in (False, True):
        assert render(task, "x" * 80, teaching)[-1]["content"] == "x" * 50


def test_the_fingerprint_changes_with_all_that_shapes_the_prompt(tmp_path):
    labels = [*CHOICE["answer"]["labels"][:2], {"name": "privacy", "answer": "secret"}]
    changes = [
        {},
        {"instructions": "Sort."},
        {"answer": {"labels": labels}},
        {"document": {"max_characters": 99}},
        {"examples": CHOICE["examples"][:1]},
        {"teacher": {"list_labels": False}},
    ]
    tasks = [make_task(tmp_path / str(n), **change) for n, change in enumerate(changes)]
    assert len({prompt_fingerprint(t, True) for t in tasks}) == len(changes)
    assert len({prompt_fingerprint(t, False) for t in tasks}) == 4  # examples and lists are the teacher's alone


def test_the_answer_key_covers_what_shapes_an_answer_and_nothing_else(task):
    own = teacher_endpoint(task, "http://127.0.0.1:1", {})
    key = answer_key("mail", "p", own, "d")
    same = [{"api_base": "http://127.0.0.1:2/v1"}, {"timeout_s": 1.0}, {"input_price": 3.0}, {"api_key": "k"}]
    other = [{"model": "openai/big"}, {"api_base": "http://far/v1"}, {"calibrate": True}, {"mode": "generate"}]
    assert {answer_key("mail", "p", replace(own, **change), "d") for change in same} == {key}
    assert len({answer_key("mail", "p", replace(own, **change), "d") for change in other} | {key}) == 5
    assert len({answer_key(*a) for a in [("x", "p", own, "d"), ("mail", "q", own, "d"), ("mail", "p", own, "e")]}) == 3


@pytest.mark.parametrize("said", ["lease", " Lease.\n", '"lease"', "**lease**"])
def test_a_label_is_read_despite_dress(task, said):
    assert parse(task, said).value == "lease"


def test_a_label_is_read_by_answer_and_by_name(task):
    assert parse(task, "data").value == parse(task, "privacy").value == "privacy"


@pytest.mark.parametrize("said", ["", " ", "It is a lease", "lease, debt", "leases"])
def test_anything_else_is_unreadable_with_a_reason(task, said):
    found = parse(task, said)
    assert (found.outcome, found.value) == (Outcome.unreadable, None)
    assert found.error


@pytest.mark.parametrize("said", ['{"party": "A"}', ' ```json\n{"party": "A"}\n``` '])
def test_an_object_is_read(tmp_path, said):
    assert parse(make_task(tmp_path, FIELDS), said).value == {"party": "A"}


@pytest.mark.parametrize(
    "said",
    ['{"party": ', '{"party": 3}', "{}", '{"party":"A","x":1}', '{"party":"A","party":"B"}', "[1]", "null",
     '{"party":"A","amount":NaN}', 'Sure: {"party": "A"}', "[" * 100_000],
)  # fmt: skip
def test_an_object_that_does_not_fit_is_unreadable(tmp_path, said):
    assert parse(make_task(tmp_path, FIELDS), said).outcome is Outcome.unreadable


def test_the_answer_text_reads_back_as_the_value(tmp_path, task):
    fields = make_task(tmp_path / "f", FIELDS)
    assert all(parse(task, answer_text(task, name)).value == name for name in task.labels)
    assert parse(fields, answer_text(fields, {"party": "Ä", "amount": 2})).value == {"party": "Ä", "amount": 2}
    assert answer_text(fields, {"b": 1, "a": 2}) == '{"a": 2, "b": 1}'


def test_a_score_is_the_mass_of_all_tokens_that_begin_one_label_only():
    said = {"customer": "customer", "corporate": "corporate", "debt": "debt"}
    tokens = [("customer", -1.0), ("cust", -1.0), (" debt", -2.0), ("c", -0.1), ("corp", -5.0), ("the", -0.5)]
    scored = score_labels(tokens, said)
    assert scored.scores["customer"] == pytest.approx(-1.0 + 0.6931, abs=1e-3)
    assert scored.scores["debt"] == -2.0
    assert scored.shared == {"c": ["customer", "corporate"]}
    exact = score_labels(tokens, said, {"customer": "customer", "corporate": "c", "debt": "debt"})
    assert exact.scores == {"customer": -1.0, "corporate": -0.1, "debt": -2.0}


def test_calibration_takes_away_what_the_prompt_alone_says():
    scores = {"a": -1.0, "b": -2.0}
    assert choose(scores, None)[0] == "a"
    value, confidence = choose(scores, {"a": -1.0, "b": -4.0})
    assert (value, confidence) == ("b", pytest.approx(0.8808, abs=1e-4))


@given(st.dictionaries(st.text(min_size=1), st.floats(-700, 0), min_size=1))
def test_confidence_is_a_probability(scores):
    value, confidence = choose(scores, None)
    assert 1 / len(scores) - 1e-9 <= confidence <= 1 + 1e-9
    assert scores[value] == max(scores.values())
