"""The queue of a round: what is added to it beside doubt, what it is worth, in which order, within which budget."""

from collections import Counter

import pytest

from records.types import Document, Label, Outcome, Role, Split
from review.routing import Known, Reason, Rules, Shortlist, accepted
from review.worth import Opinion, draw_of, worth_of


def document(id_: str, split: Split = Split.train, cluster: str = "") -> Document:
    return Document(task="t", id=id_, text=f"text {id_}", source="s", split=split, cluster=cluster or id_)


def label(id_: str, confidence: float | None, value: str | None = "lease") -> Label:
    outcome = Outcome.answered if value else Outcome.unreadable
    names = {"key": id_, "task": "t", "document_id": id_, "model": "m", "prompt": "p"}
    return Label(**names, role=Role.teacher, outcome=outcome, value=value, confidence=confidence)


def queue(
    labels: list[Label],
    rules: Rules,
    places: int | None = None,
    tests: int = 0,
    opinions: dict[str, Opinion] | None = None,
    known: Known = Known(),  # noqa: B008  # immutable
    clusters: dict[str, str] | None = None,
) -> Shortlist:
    documents = [document(x.document_id, cluster=(clusters or {}).get(x.document_id, "")) for x in labels]
    documents += [document(f"test{n}", Split.test) for n in range(tests)]
    chosen = Shortlist(rules, 1, places, known)
    chosen.add(documents, {x.document_id: x for x in labels}, opinions)
    return chosen


def sure(count: int, confidence: float = 0.99, value: str = "lease", name: str = "sure") -> list[Label]:
    return [label(f"{name}{n}", confidence, value) for n in range(count)]


AUDITING = Rules(0.9, audit_share=0.1)


def test_random_checks_are_the_lowest_draws_of_what_is_accepted_and_blind():
    records = queue([*sure(200), label("low", 0.2)], AUDITING, 100).records
    checks = [r for r in records if r.reason == Reason.audit]
    lowest = sorted((f"sure{n}" for n in range(200)), key=lambda i: draw_of(i, "audit"))[:10]
    assert {r.document_id for r in checks} == set(lowest)
    assert {(r.blind, r.suggestion, r.score, r.inclusion) for r in checks} == {(True, None, None, 0.05)}


def test_the_next_round_goes_on_in_the_same_row_so_that_all_together_are_one_sample():
    labels, sent, row = (
        sure(300),
        set[str](),
        sorted((f"sure{n}" for n in range(300)), key=lambda i: draw_of(i, "audit")),
    )
    for _ in range(4):
        sent |= {r.document_id for r in queue(labels, AUDITING, 80, known=Known(sent)).records}
    assert sent == set(row[:32])


def test_draws_are_even_and_one_purpose_knows_nothing_of_another():
    draws = [(draw_of(f"{n:016x}", "audit"), draw_of(f"{n:016x}", "unprompted")) for n in range(4000)]
    assert Counter(int(10 * a) for a, _ in draws).most_common()[-1][1] > 340
    both = sum(a < 0.1 and b < 0.1 for a, b in draws)
    assert 20 < both < 60


def test_random_checks_are_no_more_than_their_share_of_what_is_accepted():
    assert len(queue(sure(30), AUDITING, 500).records) == 3
    assert queue(sure(30), Rules(0.9), 500).records == []


def test_where_the_student_differs_people_look_however_sure_the_teacher_is():
    opinions = {"sure0": Opinion(agrees=False, support=0.01), "sure1": Opinion(agrees=True, support=0.99)}
    [record] = queue(sure(3), Rules(0.9), opinions=opinions).records
    assert (record.document_id, record.reason, record.suggestion) == ("sure0", Reason.differs, "lease")


def test_worth_is_how_likely_the_answer_is_wrong():
    assert worth_of(label("a", None, None)) == worth_of(label("a", None)) == 1.0
    assert worth_of(label("a", 0.7)) == pytest.approx(0.3)
    against, for_it = Opinion(False, 0.1), Opinion(True, 0.9)
    assert worth_of(label("a", 0.7), for_it) < worth_of(label("a", 0.7)) < worth_of(label("a", 0.7), against)
    assert worth_of(label("a", 0.5), against) == pytest.approx(0.9)
    assert worth_of(label("a", None), for_it) == pytest.approx(0.1)
    assert 0 < worth_of(label("a", 1.0), Opinion(False, 0.0)) < 1


def test_a_label_that_hardly_any_document_has_is_checked_whatever_its_confidence():
    labels = [*sure(8), *sure(3, 0.95, "debt", "debt")]
    records = queue(labels, Rules(0.9, rare_below=5)).records
    assert {(r.document_id, r.reason) for r in records} == {(f"debt{n}", Reason.rare) for n in range(3)}
    assert queue(labels, Rules(0.9, rare_below=5), known=Known(by_label={"debt": 2})).records == []
    assert queue(labels, Rules(0.9, rare_below=3)).records == []


def test_of_near_duplicates_one_is_asked_about_and_of_the_test_split_all():
    labels = [label("a", 0.3), label("b", 0.2), label("c", 0.4)]
    alike = {"a": "one", "b": "one", "c": "two"}
    rules = Rules(0.9, near_duplicates_once=True)
    assert {r.document_id for r in queue(labels, rules, clusters=alike).records} == {"a", "c"}
    known = Known(clusters={"two"})
    assert {r.document_id for r in queue(labels, rules, clusters=alike, known=known).records} == {"a"}
    assert len(queue(labels, Rules(0.9), clusters=alike).records) == 3
    chosen = Shortlist(rules, 1, None)
    chosen.add([document("t1", Split.test, "x"), document("t2", Split.test, "x")], {})
    assert len(chosen.records) == 2 and chosen.waiting == 2


def test_a_random_few_of_the_doubtful_are_shown_without_their_suggestion():
    records = queue([label(f"d{n}", 0.3) for n in range(1000)], Rules(0.9, unprompted_share=0.05)).records
    unprompted = [r for r in records if r.reason == Reason.unprompted]
    assert 30 < len(unprompted) < 75
    assert {(r.blind, r.suggestion, r.inclusion) for r in unprompted} == {(True, None, 0.05)}
    assert {r.document_id for r in unprompted} == {
        f"d{n}" for n in range(1000) if draw_of(f"d{n}", "unprompted") < 0.05
    }


def test_the_budget_holds_and_half_of_the_queue_is_half_of_everything():
    labels = [*sure(400), *(label(f"d{n}", n / 200) for n in range(150))]
    chosen = queue(labels, AUDITING, 200, tests=300)
    assert len(chosen.records) == 200 and chosen.waiting == 300 + 150 + 20
    counts = [Counter(r.reason for r in chosen.records[:n]) for n in (100, 200)]
    assert counts[1] == {Reason.test: 90, Reason.unsure: 90, Reason.audit: 20}
    assert counts[0] == {Reason.test: 45, Reason.unsure: 45, Reason.audit: 10}


def test_worth_orders_the_queue_and_the_likeliest_wrong_come_first_among_their_like():
    records = queue([*sure(50), *(label(f"d{n}", n / 100) for n in range(80))], AUDITING, tests=40).records
    worths = [r.worth for r in records]
    assert worths == sorted(worths, reverse=True) and worths[0] == 1.0 and worths[-1] > 0
    doubtful = [r.score for r in records if r.reason == Reason.unsure]
    assert doubtful == sorted(doubtful)


def test_a_tiny_round_is_not_taken_up_by_random_checks():
    assert [r.reason for r in queue([*sure(50), label("d", 0.1)], AUDITING, 1).records] == [Reason.unsure]


def test_the_round_is_the_same_however_the_documents_are_cut_into_pages():
    labels = [*sure(60), *(label(f"d{n}", n / 40) for n in range(36)), *sure(2, 0.95, "nda", "nda")]
    documents = [document(x.document_id) for x in labels] + [document(f"test{n}", Split.test) for n in range(20)]
    opinions = {f"sure{n}": Opinion(False, 0.1 + n / 100) for n in range(9)}
    rules, found = Rules(0.9, 0.2, 0.1, 5, True), []
    for size in (1, 7, 200):
        chosen = Shortlist(rules, 1, 40)
        for start in range(0, len(documents), size):
            chosen.add(documents[start : start + size], {x.document_id: x for x in labels}, opinions)
        found.append([(r.document_id, r.reason, r.worth, r.inclusion) for r in chosen.records])
    assert found[0] == found[1] == found[2]


def test_accepted_is_what_is_trained_on_unseen():
    assert accepted(label("a", 0.9), Rules(0.9)) and not accepted(label("a", 0.89), Rules(0.9))
    assert not accepted(label("a", None), Rules(0.0)) and not accepted(label("a", 1.0, None), Rules(0.0))


def test_a_calibrated_confidence_decides_what_is_doubted_and_what_it_is_worth_and_the_desk_shows_the_stated_one():
    half = Rules(0.9, calibrated=lambda stated: stated / 2)
    assert not accepted(label("a", 1.0), half) and accepted(label("a", 1.0), Rules(0.9))
    [record] = queue([label("a", 0.95)], half).records
    assert (record.reason, record.score) == (Reason.unsure, 0.95)
    assert worth_of(label("a", 0.8), calibrated=half.calibrated) == pytest.approx(0.6)
    for_it = Opinion(True, 0.9)
    assert worth_of(label("a", 0.8), for_it, half.calibrated) == pytest.approx(worth_of(label("a", 0.4), for_it))
