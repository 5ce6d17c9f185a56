"""A trial from labels to page: what is right counts, what is unreadable does not, and a hostile document stays text."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import baseline, report
from evaluation.aggregate import NO_ANSWER
from evaluation.gate import Rule
from evaluation.judge import Judgement, judge
from evaluation.score import Candidate, candidate, same, score
from records.errors import InputError
from records.types import Answer, Correction, Decision, Label, Outcome, Role

HOSTILE = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror=alert(2)> {{ 7 * 7 }} & "quoted"'
GOLD: dict[str, Answer] = {f"{i:016x}": ("lease", "debt", "nda")[i % 3] for i in range(120)}
LINEAGE = report.Lineage(
    task="legal_intake",
    title="Legal intake <b>",
    student_hash="41d0" * 16,
    dataset_version=3,
    versions={"axolotl": "0.19.0"},
    made_at=datetime(2026, 11, 23, tzinfo=UTC),
)


def label(role: Role, document_id: str, value: Answer | None, outcome: Outcome = Outcome.answered, cost: float = 0.0):
    return Label(
        key=f"{role}{document_id}",
        task="legal_intake",
        document_id=document_id,
        role=role,
        model=role,
        prompt="p",
        outcome=outcome,
        value=value,
        cost_usd=cost,
        latency_s=0.05 if role is Role.student else 0.8,
    )


def answering(role: Role, name: str, wrong_every: int, cost: float = 0.0, **more: float) -> Candidate:
    rows = [
        label(role, i, "debt <i>" if n % wrong_every == 0 else value, cost=cost)
        for n, (i, value) in enumerate(GOLD.items())
    ]
    return candidate(name, role, rows, **more)


def trial(**more: Any) -> Judgement:
    teacher = answering(Role.teacher, "anthropic/large <x>", 3, cost=0.004)
    student = answering(Role.student, "student-41d0", 10, price_per_hour=0.36)
    people = [
        Correction(task="legal_intake", document_id=i, reviewer=who, value=value, answered_at=datetime.now(UTC))
        for i, value in GOLD.items()
        for who in ("ana", "ben")
    ]
    rule = Rule(margin=0.02, p95_latency_ms=100, max_cost_ratio=0.5)
    return judge(GOLD, teacher, student, rule, corrections=people, **more)


def test_an_unreadable_answer_is_never_right_even_where_it_holds_the_gold_value():
    for outcome in (Outcome.unreadable, Outcome.refused, Outcome.failed):
        scored = score("1", outcome, "lease", "lease")
        assert (scored.right, scored.answer, scored.outcome) == (False, None, outcome)
    assert not score("1", Outcome.unreadable, None, {}).right
    assert not score("1", Outcome.answered, None, "").right


def test_json_is_right_field_by_field():
    scored = score("1", Outcome.answered, {"a": 1.0, "b": [1, 2], "d": None}, {"a": 1, "b": [2, 1], "c": "x"})
    assert scored.fields == {"a": True, "b": False, "c": False, "d": False}
    assert not scored.right
    assert score("1", Outcome.answered, {"b": 2, "a": True}, {"a": True, "b": 2}).right


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
json_values = st.recursive(
    scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3)
)


@settings(deadline=None)
@given(json_values, json_values)
def test_json_equality_is_reflexive_symmetric_and_keeps_truth_from_one(one: Any, other: Any):
    assert same(one, one)
    assert same(one, other) == same(other, one)
    assert not same(True, 1) and not same(0, False) and same(1, 1.0)


def test_unreadable_refused_failed_and_missing_are_counted_apart_and_shown_in_the_confusion():
    ids = list(GOLD)
    rows = [label(Role.student, i, GOLD[i]) for i in ids[6:]]
    rows += [label(Role.student, ids[0], None, Outcome.unreadable), label(Role.student, ids[1], None, Outcome.refused)]
    rows += [label(Role.student, ids[2], None, Outcome.failed)]
    teacher = answering(Role.teacher, "teacher", 3)
    student = judge(GOLD, teacher, candidate("student", "student", rows), Rule()).student
    assert student.accuracy.value == pytest.approx(114 / 120)
    rates = (student.unreadable.value, student.refused.value, student.failed.value, student.no_answer.value)
    assert rates == pytest.approx((1 / 120, 1 / 120, 4 / 120, 6 / 120))
    assert sum(row.get(NO_ANSWER, 0) for row in student.confusion.values()) == 6
    assert sum(sum(row.values()) for row in student.confusion.values()) == 120


def test_cost_follows_from_the_calls_or_from_the_price_of_the_machine():
    found = trial()
    assert found.teacher.cost_per_1000_usd.value == pytest.approx(4.0)
    assert found.student.cost_per_1000_usd.value == pytest.approx(0.05 / 3600 * 0.36 * 1000)
    measured = answering(Role.student, "student-41d0", 10, price_per_hour=0.36, documents_per_second=10)
    under_load = judge(GOLD, answering(Role.teacher, "t", 3), measured, Rule())
    assert under_load.student.cost_per_1000_usd.value == pytest.approx(0.01)
    assert under_load.teacher.cost_per_1000_usd is None


def test_the_newest_label_of_a_document_counts():
    one, other = label(Role.student, "1", "a"), label(Role.student, "1", "b")
    assert candidate("s", "student", [one, other]).labels["1"].value == "b"


def test_a_good_student_is_approved_and_what_a_release_would_break_comes_first():
    found = trial()
    assert found.ruling.decision is Decision.approved
    assert found.reviewers == 2
    order = [(d.teacher_right, d.student_right) for d in found.differences]
    assert order == sorted(order, key=lambda pair: (not pair[0], not pair[1]))
    assert found.differences[0].people == [(found.differences[0].gold, 2)]


def test_a_judgement_survives_the_store():
    found = trial(baseline=GOLD)
    assert Judgement.model_validate(found.model_dump(mode="json")) == found


def test_gold_must_be_there_and_names_must_differ():
    with pytest.raises(InputError, match="people agree"):
        judge({}, answering(Role.teacher, "t", 3), answering(Role.student, "s", 3), Rule())
    with pytest.raises(InputError, match="share a name"):
        judge(GOLD, answering(Role.teacher, "t", 3), answering(Role.student, "t", 3), Rule())


def test_a_student_that_loses_to_a_baseline_says_so_first():
    found = trial(baseline=GOLD)
    page = report.html(found, LINEAGE, {})
    assert page.index("is right more often than the student") < page.index("axis by axis")
    said = report.summary_markdown(found, LINEAGE).splitlines()
    assert "right more often" in said[4]
    assert not report.warnings(trial(baseline=dict.fromkeys(GOLD, "lease")))


class Page(HTMLParser):
    """Collects tags and whatever would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data", "xlink:href", "action")]
        assert not [k for k, _ in attrs if k.startswith("on")], "an event handler"


def test_a_hostile_document_stays_text_and_the_page_loads_nothing():
    disputed = {
        "f" * 16: [
            Correction(task="t", document_id="f" * 16, reviewer=who, value=value, answered_at=datetime.now(UTC))
            for who, value in (("ana", "lease"), ("ben", "<svg onload=alert(3)>"))
        ]
    }
    page = report.html(trial(disputed=disputed), LINEAGE, dict.fromkeys([*GOLD, "f" * 16], HOSTILE))
    seen = Page(page)
    assert not {"script", "iframe", "object", "link", "svg", "i", "b", "x"} & set(seen.tags)
    assert seen.loads and all(value.startswith("data:image/svg+xml;base64,") for value in seen.loads)
    assert not re.search(r"url\(|@import", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "{{ 7 * 7 }}" in page


def test_what_a_majority_settled_is_told_where_people_do_not_agree():
    heading, told = "Documents on which people do not agree", "1 test document with an answer that most people gave"
    page = report.html(trial(by_majority=1), LINEAGE, {})
    assert page.index(heading) < page.index(told)
    assert heading not in report.html(trial(), LINEAGE, {})


def test_long_documents_are_cut():
    page = report.html(trial(), LINEAGE, dict.fromkeys(GOLD, "word " * 1000))
    assert max(len(cell) for cell in re.findall(r'class="quote small">([^<]*)', page)) < 310


def test_labels_with_dollars_and_foreign_letters_can_be_drawn():
    gold = {"1": "$x^{", "2": "租約", "3": "a|b"}
    rows = [label(Role.student, i, value) for i, value in gold.items()]
    found = judge(gold, candidate("t", "teacher", rows), candidate("s $", "student", rows), Rule())
    assert "租約" in report.html(found, LINEAGE, {})
    assert r"a\|b" not in report.summary_markdown(found, LINEAGE)


def test_the_same_judgement_gives_the_same_page():
    found = trial()
    assert report.html(found, LINEAGE, {}) == report.html(found, LINEAGE, {})


def test_json_answers_have_figures_by_field():
    gold: dict[str, Answer] = {str(i): {"party": "x", "days": i} for i in range(30)}
    rows = [label(Role.student, i, {"party": "x", "days": 1}) for i in gold]
    found = judge(gold, candidate("t", "teacher", rows), candidate("s", "student", rows), Rule(), baseline=gold)
    assert found.student.macro_f1 is None
    assert (found.student.fields["party"].value, found.student.fields["days"].value) == (1.0, pytest.approx(1 / 30))
    assert "By field" in report.html(found, LINEAGE, {}) and "confusion" not in report.html(found, LINEAGE, {})


def test_markdown_cannot_be_broken_by_a_name():
    teacher = answering(Role.teacher, "x | y\n# [z](http://e)", 3)
    text = report.summary_markdown(judge(GOLD, teacher, answering(Role.student, "s", 9), Rule()), LINEAGE, "r.html")
    assert "\n# " not in text and r"x \| y \# \[z\]" in text and "Report: r.html" in text


def test_a_report_is_written_whole(tmp_path: Path):
    path = report.write("page", tmp_path / "reports" / "v.html")
    assert path.read_text() == "page"
    assert list(path.parent.iterdir()) == [path]


def test_the_baseline_learns_is_deterministic_and_copes_with_little():
    texts = ["rent for the flat", "landlord and rent", "pay the bill", "the bill is overdue"] * 3
    answers = ["lease", "lease", "debt", "debt"] * 3
    asked = {"1": "my landlord wants rent", "2": "an overdue bill"}
    assert baseline.predict(texts, answers, asked) == {"1": "lease", "2": "debt"}
    assert baseline.predict(texts, answers, asked) == baseline.predict(texts, answers, asked)
    assert baseline.predict([], [], asked) == {}
    assert baseline.predict(["..."], ["lease"], asked) == {"1": "lease", "2": "lease"}
    amounts: list[Answer] = [{"amount": n} for n in range(len(texts))]  # as many values as rows: no warning of it
    assert set(baseline.predict(texts, amounts, asked)) == {"1", "2"}
    objects: list[Answer] = [{"kind": a, "n": 1, "s": str(i)} for i, a in enumerate(answers)]
    assert baseline.predict(texts, objects, asked)["2"]["kind"] == "debt"
