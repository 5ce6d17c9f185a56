"""Boards that change: labels renamed, split and added, fields added, on the real Argilla, cut off at each step."""

from typing import Any

import pytest
from fixtures_argilla import RunningArgilla
from test_review_desk import TEXTS, answer, everything_on, record, said

from records.types import Answer
from review import moving
from review.about import About
from review.board import Board
from review.desk import Desk
from review.form import Form, choice_form, json_form

pytestmark = pytest.mark.real

BEFORE = choice_form({"lease": "", "nda": "", "claim": ""})
AFTER = choice_form({"premises": "", "secret": "", "damages": "", "unpaid": "", "other": ""})
BECAME = {"lease": "premises", "nda": "secret", "claim": None}


def old_board(desk: Desk, argilla: RunningArgilla, task: str) -> Board:
    """A board on which both reviewers answered, one drafted, one discarded."""
    board = desk.ensure(task, BEFORE, "Read it.", {}, reviewers_per_document=2)
    board.send([record(task, id_, "nda", 0.5) for id_ in TEXTS], TEXTS)
    answer(argilla, board, 0, {"d0": {"answer": "lease"}, "d1": {"answer": "nda"}, "d2": {"answer": "claim"}})
    answer(argilla, board, 1, {"d0": {"answer": "claim"}, "d1": {"answer": "nda"}})
    answer(argilla, board, 1, {"d2": {"answer": "lease"}}, status="draft")
    answer(argilla, board, 1, {"d3": None}, status="discarded")
    return board


def move(desk: Desk, task: str, form: Form = AFTER, became: dict[str, str | None] = BECAME, **more: Any) -> int:
    copied = moving.copy(desk, task, form, became, "Read it anew.", 2, **more)
    moving.finish(desk, task, became, **more)
    return copied


def on(board: Board) -> dict[str, Any]:
    """What is on a board, less what Argilla makes anew: fields, metadata, suggestions, responses, status."""
    return {
        r["external_id"]: (
            r["fields"],
            r["metadata"],
            [(s["value"], s["score"], s["agent"]) for s in r["suggestions"]],
            sorted((x["user_id"], x["status"], str(x["values"])) for x in r["responses"]),
            r["status"],
        )
        for r in everything_on(board)
    }


def names(desk: Desk, task: str) -> set[str]:
    found = desk.call("GET", "/me/datasets")["items"]
    return {d["name"] for d in found if d["name"].startswith(task)}


def check_moved(desk: Desk, task: str) -> Board:
    """What must be so after a move, however often it was cut off."""
    board = desk.find(task, AFTER)
    assert board is not None and names(desk, task) == {task}
    assert desk.call("GET", f"/datasets/{board.id}")["guidelines"] == "Read it anew."
    fetched = board.fetch()
    assert fetched.faults == []
    assert said(fetched.corrections) == {
        ("d0", "reviewer-1"): "premises",
        ("d1", "reviewer-1"): "secret",
        ("d1", "reviewer-2"): "secret",
        ("d3", "reviewer-2"): None,
    }
    now = on(board)
    assert len(now) == 5 and now["d1"][4] == "completed" and now["d2"][4] == "pending"
    assert [status for _, status, _ in now["d2"][3]] == ["draft"]  # the other's answer was split: it waits again
    assert now["d3"][2] == [("secret", 0.5, "teacher")] and now["d0"][2] == []
    return board


def test_a_board_moves_to_other_labels_with_every_answer_under_its_persons_name(desk: Desk, argilla: RunningArgilla):
    board = old_board(desk, argilla, "moved")
    before = on(board)
    assert moving.is_due(desk, "moved", AFTER) and not moving.is_due(desk, "moved", BEFORE)
    told = {"d2": About("", {}, ("claim, by <b>ann</b>",))}
    assert move(desk, "moved", about=told) == 5
    now = on(check_moved(desk, "moved"))
    assert {i: r[1] for i, r in now.items()} == {i: r[1] for i, r in before.items()}
    assert now["d2"][0]["About"] == "Answered before: claim, by <\u2060b>ann<\u2060/b>"
    assert not moving.is_due(desk, "moved", AFTER)


def test_a_move_that_was_cut_off_while_copying_begins_again(desk: Desk, argilla: RunningArgilla):
    old_board(desk, argilla, "cut1")
    desk.make("cut1-moving", AFTER, "half", 1)
    moving.finish(desk, "cut1", BECAME)
    assert moving.is_due(desk, "cut1", AFTER)
    move(desk, "cut1")
    check_moved(desk, "cut1")


@pytest.mark.parametrize("renamed", [False, True])
def test_a_move_that_was_cut_off_between_its_names_is_ended_with_what_was_answered_meanwhile(
    desk: Desk, argilla: RunningArgilla, renamed: bool
):
    task = f"cut2{renamed}".lower()
    board = old_board(desk, argilla, task)
    moving.copy(desk, task, AFTER, BECAME, "Read it anew.", 2)
    if renamed:
        copy = desk.dataset(f"{task}-moving")
        assert copy is not None
        desk.call("PATCH", f"/datasets/{copy['id']}", {"name": task})
        answer(argilla, Board(desk, task, AFTER, copy["id"]), 0, {"d1": {"answer": "other"}})
    answer(argilla, board, 0, {"d4": {"answer": "lease"}})  # on a page that was still open
    moving.finish(desk, task, BECAME)
    new = desk.find(task, AFTER)
    assert new is not None and names(desk, task) == {task}
    now = said(new.fetch().corrections)
    assert now["d4", "reviewer-1"] == now["d0", "reviewer-1"] == "premises"
    assert now["d1", "reviewer-1"] == ("other" if renamed else "secret")  # what was said on the new board stands
    assert len(everything_on(new)) == 5


def test_an_object_that_lacks_a_field_asked_for_now_waits_as_a_draft_with_the_rest(desk: Desk, argilla: RunningArgilla):
    def form(**more: Any) -> Form:
        properties = {"law": {"type": "string"}, "kind": {"enum": ["a", "b"]}, **more}
        return json_form({"type": "object", "properties": properties, "required": list(properties)})

    board = desk.ensure("grown", form(), "Read it.")
    suggested: Answer = {"law": "letter", "kind": "a"}
    board.send([record("grown", id_, suggested, 0.5) for id_ in ("d1", "d3")], TEXTS)
    answer(argilla, board, 0, {"d3": {"law": "French", "kind": "b", "Evidence": []}})
    wider = form(days={"type": "integer"})
    assert moving.is_due(desk, "grown", wider)
    assert move(desk, "grown", wider, {}) == 2
    new = desk.find("grown", wider)
    assert new is not None and new.fetch().corrections == []
    [(_, status, values)] = on(new)["d3"][3]
    assert status == "draft" and "French" in values
    answer(argilla, new, 0, {"d3": {"law": "French", "kind": "b", "days": "30"}})
    assert said(new.fetch().corrections) == {("d3", "reviewer-1"): {"law": "French", "kind": "b", "days": 30}}


def test_values_are_marked_where_the_document_has_them(desk: Desk):
    schema = {"type": "object", "properties": {"who": {"type": "string"}, "what": {"type": "string"}}}
    board = desk.ensure("marked", json_form(schema), "Read it.")
    board.send([record("marked", "d4", {"who": "legal@bolt.example", "what": "agreement"}, 0.5)], TEXTS)
    ids = {q["id"]: q["name"] for q in board.questions}
    [found] = everything_on(board)
    [marks] = [s for s in found["suggestions"] if ids[s["question_id"]] == "Evidence"]
    shown = found["fields"]["document"]
    assert [(m["label"], shown[m["start"] : m["end"]]) for m in marks["value"]] == [
        ("what", "agreement"),
        ("who", "legal@bolt.example"),
    ]
    assert marks["score"] == [0.5, 0.5]
