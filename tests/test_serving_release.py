"""Promote and roll back: no release without an approved verdict that names this student. And harvest, which is pure."""

import pytest
from fixtures_serving import student, verdict

from records import registry
from records.errors import NotApproved, StoreError
from records.store import Store
from records.types import Decision, Outcome, Request
from serving.harvest import documents_of
from serving.release import promote, roll_back

OTHER = "0d" * 32


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path}/retort.db")
    for hash_ in (student("mail").hash, OTHER):
        registry.add_student(opened, student("mail", hash_))
    yield opened
    opened.close()


def test_an_approved_student_goes_live_and_the_move_says_so(store):
    registry.add_verdict(store, verdict("mail", "v1"))
    move = promote(store, "mail", student("mail").hash, "v1")
    assert move.after == registry.live(store, "mail")
    assert move.sentence == "mail: the teacher -> mail@1 (student-5e5e5e5e5e5e), from the next request on."


def test_a_student_may_be_named_by_the_beginning_of_its_hash(store):
    registry.add_verdict(store, verdict("mail", "v1"))
    assert promote(store, "mail", "5e5e", "v1").after.student_hash == student("mail").hash


@pytest.mark.parametrize("decision", [Decision.rejected, Decision.inconclusive])
def test_a_verdict_that_does_not_approve_releases_nothing(store, decision):
    registry.add_verdict(store, verdict("mail", "v1", decision))
    with pytest.raises(NotApproved, match=decision.value):
        promote(store, "mail", student("mail").hash, "v1")
    assert registry.live(store, "mail") is None


def test_a_verdict_about_another_student_releases_nothing(store):
    registry.add_verdict(store, verdict("mail", "v1"))
    with pytest.raises(NotApproved, match="0d0d0d0d0d0d"):
        promote(store, "mail", OTHER, "v1")


def test_without_a_verdict_nothing_is_released(store):
    with pytest.raises(NotApproved, match="no verdict"):
        promote(store, "mail", OTHER, "none")


def test_a_student_of_another_task_is_refused(store):
    with pytest.raises(StoreError, match="was trained for mail"):
        promote(store, "letters", OTHER, "v1")


def test_an_unknown_student_is_refused(store):
    with pytest.raises(StoreError, match="0 students"):
        promote(store, "mail", "ffff", "v1")


def test_promoting_what_is_live_changes_nothing(store):
    registry.add_verdict(store, verdict("mail", "v1"))
    first = promote(store, "mail", student("mail").hash, "v1")
    again = promote(store, "mail", student("mail").hash, "v1")
    assert again.after == first.after
    assert len(registry.releases(store, "mail")) == 1


def test_rolling_back_goes_release_by_release_to_the_teacher(store):
    registry.add_verdict(store, verdict("mail", "v1"))
    registry.add_verdict(store, verdict("mail", "v2", hash_=OTHER))
    promote(store, "mail", student("mail").hash, "v1")
    promote(store, "mail", OTHER, "v2")
    assert roll_back(store, "mail").after.number == 1
    move = roll_back(store, "mail")
    assert move.after is None
    assert move.sentence.startswith("mail: mail@1 (student-5e5e5e5e5e5e) -> the teacher")
    with pytest.raises(StoreError, match="nothing to roll back"):
        roll_back(store, "mail")


def request(id_: str, text: str, confidence: float | None = None) -> Request:
    return Request(
        id=id_,
        task="mail",
        text=text,
        value="lease",
        outcome=Outcome.answered,
        confidence=confidence,
        model="m",
        release=1,
    )


def test_a_harvest_merges_equal_texts_and_leaves_empty_ones_out():
    rows = [request("1", "Rent!", 0.9), request("2", "Debt."), request("3", " Rent! ", 0.4), request("4", " ")]
    found = documents_of(rows)
    assert [(h.text, h.request_id, h.asked, h.least_confidence) for h in found] == [
        ("Rent!", "1", 2, 0.4),
        ("Debt.", "2", 1, None),
    ]
