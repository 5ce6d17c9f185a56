"""Agreement, reviewers, anchoring, worth, ceiling, label noise: worked examples of the literature, and simulations."""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from evaluation import people_page, wording
from evaluation.agreement import agreement, alpha, kappa, key
from evaluation.anchoring import anchoring, risk_difference
from evaluation.ceiling import ceiling
from evaluation.interval import wilson
from evaluation.label_noise import doubted, label_noise
from evaluation.people import Material, people_report
from evaluation.people_agreement import people_agreement
from evaluation.reviewers import pace, reviewers, worse
from evaluation.worth import worth
from records.second_looks import Queue, SecondAnswer
from records.types import Answer, Correction, DeskRecord

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def said(document: str, who: str, value: Answer | None, suggestion: Answer | None = None, at: float = 0) -> Correction:
    return Correction(
        task="t",
        document_id=document,
        reviewer=who,
        value=value,
        discarded=value is None,
        suggestion=suggestion,
        answered_at=START + timedelta(seconds=at),
    )


def second(document: str, who: str, value: Answer, queue: Queue = Queue.reading) -> SecondAnswer:
    return SecondAnswer(task="t", document_id=document, queue=queue, reviewer=who, value=value, answered_at=START)


def pairs_of(table: Sequence[Sequence[int]]) -> list[tuple[str, str]]:
    """A table of counts (first rater's category by row) as pairs of answers."""
    return [(str(i), str(j)) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]


# --- agreement


def test_alpha_is_that_of_krippendorffs_published_examples():
    # "Computing Krippendorff's Alpha-Reliability" (2011), sections A, B and C (nominal; unit 12 of C has one value)
    binary = [list(pair) for pair in zip("0100000010", "1110010000", strict=True)]
    nominal = [list(pair) for pair in zip("aabbdcccedda", "babbbccceddd", strict=True)]
    several = ["111", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"]
    assert alpha(binary) == pytest.approx(0.095, abs=0.0005)
    assert alpha(nominal) == pytest.approx(0.692, abs=0.0005)
    assert alpha([list(unit) for unit in several]) == pytest.approx(0.743, abs=0.0005)
    for units in (binary, nominal, [list(unit) for unit in several]):
        assert agreement(units).alpha.value == pytest.approx(alpha(units))
    assert (agreement([list(u) for u in several]).units, agreement([list(u) for u in several]).answers) == (11, 40)


@pytest.mark.parametrize(
    ("table", "published"),
    [
        ([[25, 13, 12], [12, 2, 16], [3, 15, 2]], -0.092),  # Cohen 1960, table 1
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.492),  # Cohen 1960, table 2
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),  # Fleiss, Levin & Paik 2003, table 18.1: 0.68
    ],
)
def test_kappa_is_that_of_published_examples(table: list[list[int]], published: float):
    assert kappa(pairs_of(table)).value == pytest.approx(published, abs=0.0005)


def test_kappas_interval_is_near_the_published_one_for_a_large_table():
    # statpsych, ci.kappa(.05, 31, 12, 4, 58): 0.676 (0.532 to 0.820), by the large-sample formula
    found = kappa(pairs_of([[31, 12], [4, 58]]))
    assert (found.value, found.low, found.high) == pytest.approx((0.6757, 0.5317, 0.8196), abs=0.02)


def test_alphas_interval_holds_the_true_value_nearly_as_often_as_it_says():
    rng = np.random.default_rng(4)
    names = np.array(["a", "b", "c", "d"])

    def campaign(documents: int) -> list[list[str]]:
        truth = rng.choice(4, documents, p=[0.4, 0.3, 0.2, 0.1])
        slips = rng.random((documents, 2)) < 0.15
        read = np.where(slips, rng.integers(0, 4, (documents, 2)), truth[:, None])
        return names[read].tolist()

    true = alpha(campaign(200_000))
    found = [agreement(campaign(100)).alpha for _ in range(200)]
    assert sum(e.low <= true <= e.high for e in found) >= 180


def test_people_who_always_agreed_are_not_certain_to_agree_always():
    few, many = (agreement([["a", "a"], ["b", "b"]] * n) for n in (4, 100))
    assert few.alpha.value == many.alpha.value == 1
    assert few.alpha.low < 0.5 < 0.9 < many.alpha.low and few.pairwise.low < many.pairwise.low
    assert kappa([("a", "a"), ("b", "b")] * 4).low < 0.5
    same = agreement([["a", "a"]] * 9)
    assert same.alpha.value is None and same.pairwise.value == 1
    assert agreement([["a"]]).units == 0 and kappa([]).value is None


def test_of_objects_each_field_is_compared_by_itself():
    rows = [said(d, who, {"party": "A", "days": n}) for d, who, n in (("1", "x", 3), ("1", "y", 3.0), ("2", "x", 5))]
    rows += [said("2", "y", {"party": "A", "days": 6}), said("3", "x", {"party": "B"}), said("3", "y", None)]
    found = people_agreement(rows)
    assert (found.answered, found.discarded, found.whole.units, found.whole.agreed) == (3, 1, 2, 1)
    assert {name: one.agreed for name, one in found.fields.items()} == {"days": 1, "party": 2}
    assert [(m.one, m.other, m.documents) for m in found.mixed_up] == [("days", "days", 1)]
    assert found.labels == [] and key({"b": 1.0, "a": [2.0]}) == key({"a": [2], "b": 1})


def test_agreement_is_told_by_label_and_by_pair_of_reviewers():
    rows = [said(f"{n}", who, "xyz"[n % 3]) for n in range(30) for who in ("ann", "ben", "eve")]
    rows = [r.model_copy(update={"value": "x"}) if (r.reviewer, r.value) == ("eve", "y") else r for r in rows]
    found = people_agreement(rows)
    assert {(p.first, p.second): (p.documents, p.agreed.value) for p in found.pairs} == {
        ("ann", "ben"): (30, 1.0),
        ("ann", "eve"): (30, pytest.approx(2 / 3)),
        ("ben", "eve"): (30, pytest.approx(2 / 3)),
    }
    by_label = {one.label: one.alpha.value for one in found.labels}
    assert by_label["z"] == 1 and by_label["y"] < 0.6 and by_label["x"] < 0.7
    assert [(m.one, m.other, m.documents) for m in found.mixed_up] == [("x", "y", 10)]


# --- reviewers


def test_pace_is_the_median_within_sittings_without_pauses_and_what_was_given_in_bulk():
    at, moments = 0.0, [0.0]
    for gap in (10, 12, 14, 5000, 11, 13, 0.2, 0.2, 90_000, 12):
        at += gap
        moments.append(at)
    found = pace(START + timedelta(seconds=moment) for moment in reversed(moments))
    assert (found.answers, found.sittings, found.timed, found.seconds.value) == (11, 3, 6, 12)
    assert found.hours == pytest.approx((72.4 + 3 * 12) / 3600)
    assert pace([]).seconds.value is None and pace([START]).sittings == 1


def test_a_reviewer_is_measured_by_suggestions_others_lead_and_second_readings():
    rows = [said("1", "ann", "x", "x"), said("2", "ann", "y", "x"), said("3", "ann", "y"), said("4", "ann", None)]
    rows += [said("2", "ben", "x"), said("3", "ben", "y")]
    lead = {"2": second("2", "owner", "x", Queue.adjudication)}
    again = [second("1", "ann", "y"), second("1", "ann", "x"), second("1", "ben", "x"), second("3", "ben", "x")]
    gold = {"1": "x", "2": "x", "3": "y"}
    ann, ben = reviewers(rows, lead, again, gold)
    assert (ann.answered, ann.discarded, ann.kept.value, ann.kept.n) == (3, 1, 0.5, 2)
    assert [(c.label, c.shown, c.changed) for c in ann.changes] == [("x", 2, 1)]
    assert (ann.with_others.value, ann.with_others.n) == (0.5, 2)
    assert (ann.with_lead.value, ben.with_lead.value) == (0.0, 1.0)
    assert (ann.reading_same.value, ann.reading_right.n) == (1.0, 0), "the newest reading counts"
    assert (ben.reading_right.value, ben.reading_same.value) == (1.0, 0.0)


def test_who_clicks_without_reading_is_watched_and_who_reads_is_not():
    rng = np.random.default_rng(7)
    labels, gold = np.array(["x", "y", "z"]), {}
    truth = {f"d{n}": str(labels[n % 3]) for n in range(30)}
    gold = dict(truth)
    alarms = Counter()
    for _ in range(100):
        again = []
        for who, right in (("ann", 0.93), ("ben", 0.93), ("careless", 0.4)):
            for document, answer in truth.items():
                heard = answer if rng.random() < right else str(rng.choice(labels[labels != answer]))
                again.append(second(document, who, heard))
        alarms.update(one.name for one in reviewers([], {}, again, gold) if one.watch)
    assert alarms["careless"] >= 95 and alarms["ann"] <= 3 and alarms["ben"] <= 3
    # Fisher's own table of tea (1935): 3 of 4 right; being right on 1 or fewer has the mirrored p of 17/70
    assert worse([wilson(1, 4)], [wilson(3, 4)]) == pytest.approx(17 / 70)


def test_who_answers_three_times_as_fast_as_everybody_is_watched():
    rows = [said(f"{n}", who, "x", at=n * seconds) for n in range(40) for who, seconds in (("ann", 2), ("ben", 9))]
    ann, ben = reviewers(rows, {}, [], {})
    assert ann.watch == ["2 s an answer, where the next fastest takes 9 s"] and ben.watch == []


# --- anchoring


def test_a_risk_difference_of_one_stratum_is_the_plain_one():
    found = risk_difference([(45, 50, 40, 50)])
    assert (found.value, found.n) == (pytest.approx(0.1), 100)
    assert found.low < 0 < found.high
    assert risk_difference([(3, 5, 0, 0)]).value is None


def test_anchorings_interval_holds_the_true_difference_though_the_groups_differ_in_difficulty():
    rng = np.random.default_rng(11)
    held, plain = 0, []
    for _ in range(400):
        strata = []
        for shown, hidden, likely in ((300, 10, 0.6), (80, 25, 0.75), (20, 40, 0.9)):
            strata.append((rng.binomial(shown, likely + 0.08), shown, rng.binomial(hidden, likely), hidden))
        found = risk_difference(strata)
        held += found.low <= 0.08 <= found.high
        plain.append(sum(s[0] for s in strata) / 400 - sum(s[2] for s in strata) / 75)
    assert held >= 0.92 * 400
    assert np.mean(plain) < 0, "without like confidence, the sign would be wrong"


def test_documents_without_a_suggestion_are_compared_with_shown_ones_and_the_test_split_is_left_out():
    sent = {
        i: DeskRecord(
            task="t", document_id=i, round=1, reason="r", blind=i in "bc", suggestion=None if i in "bc" else "x"
        )
        for i in "abcd"
    }
    rows = [said("a", "ann", "x", at=1), said("a", "ben", "y", at=2), said("b", "ann", "y"), said("c", "ann", "x")]
    teacher: dict[str, tuple[Answer, float | None]] = {i: ("x", 0.55) for i in "abcd"}
    found = anchoring(sent, [*rows, said("d", "ann", "x")], teacher, {"c"})
    assert (found.shown.value, found.shown.n, found.unprompted.value, found.unprompted.n) == (1.0, 2, 0.0, 1)
    assert "at like confidence +100.0 points" in found.text
    assert anchoring(sent, rows, teacher, {"b", "c"}) is None
    checked = {**sent, "b": sent["b"].model_copy(update={"reason": "random check"})}
    assert anchoring(checked, rows, teacher, {"c"}) is None, "random checks are drawn from what the teacher is sure of"


# --- worth and ceiling


def test_what_people_change_is_told_by_pair_of_labels_and_by_label_with_what_nobody_looked_at():
    teacher: dict[str, Answer] = {f"{n}": "debt" if n < 6 else "lease" for n in range(10)}
    gold: dict[str, Answer] = {f"{n}": "law" if n < 3 else "debt" for n in range(9)}
    found = worth(teacher, gold, ["debt"] * 40 + ["data"])
    assert (found.documents, found.changed.value) == (9, pytest.approx(6 / 9))
    assert [(c.teacher, c.people, c.documents, c.share) for c in found.changes] == [
        ("debt", "law", 3, 0.5),
        ("lease", "debt", 3, 0.5),
    ]
    assert [(x.label, x.reviewed, x.wrong.value, x.unreviewed) for x in found.labels] == [
        ("data", 0, None, 1),
        ("debt", 6, 0.5, 40),
        ("lease", 3, 1.0, 0),
    ]
    assert found.confusion == {"law": {"debt": 3}, "debt": {"debt": 3, "lease": 3}}
    objects = worth({"1": {"a": 1, "b": 2}}, {"1": {"a": 1, "b": 3, "c": 4}})
    assert [(c.teacher, c.people) for c in objects.changes] == [("b", "b"), ("c", "c")]


def test_the_ceiling_is_told_from_samples_near_duplicates_and_people():
    rows = [said(f"{n}", who, "x" if n or who == "ann" else "y") for n in range(10) for who in ("ann", "ben")]
    found = ceiling(
        {f"{n}": "x" if n < 8 else "y" for n in range(10)},
        {f"{n}": "x" for n in range(1, 10)},
        rows,
        samples=[["x", "x", "y"], ["x", "x", "x"]],
        near=[["x", "y"], ["z", "z"]],
    )
    assert found.samples.pairwise.value == pytest.approx(4 / 6)
    assert (found.near_duplicates.units, found.near_duplicates.agreed) == (2, 1)
    assert found.with_people.value == pytest.approx(7 / 9) and found.people.pairwise.value == 0.9
    assert len(found.lines) == 4 and "9 test documents" in found.lines[2]
    assert ceiling({}, {}, []).lines == []


# --- label noise


WORDS = {
    "lease": "roof landlord heating rent flat tenant keys deposit",
    "debt": "invoice reminder payment due owed euros interest bank",
    "data": "cookies privacy erase personal camera access consent leak",
}


def letters(count: int, seed: int = 5) -> tuple[dict[str, str], dict[str, str]]:
    """Texts of each label's own words among words of any, and their labels."""
    rng = np.random.default_rng(seed)
    every = " ".join(WORDS.values()).split()
    texts, truth = {}, {}
    for n, label in zip(range(count), itertools.cycle(WORDS)):
        own = rng.choice(WORDS[label].split(), 6)
        texts[f"d{n:03}"] = " ".join([*own, *rng.choice(every, 4)])
        truth[f"d{n:03}"] = label
    return texts, truth


def test_planted_slips_of_people_are_found_first_and_little_else():
    texts, truth = letters(240)
    slips = sorted(truth)[::20]
    wrong = {i: next(label for label in WORDS if label != truth[i]) for i in slips}
    found = label_noise(texts, {**truth, **wrong}, {})
    assert (found.judged, found.left_out, found.why_not) == (240, 0, "")
    hit = {d.document_id for d in found.doubts} & set(slips)
    assert len(hit) >= 11 and len(found.doubts) <= 18
    assert {d.document_id for d in found.doubts[:8]} <= set(slips)
    assert all(d.likelier == truth[d.document_id] for d in found.doubts if d.document_id in hit)


def test_a_slip_is_not_hidden_by_its_near_duplicates_with_the_same_slip():
    texts, truth = letters(120)
    copies = {f"copy{n}": texts["d000"] + f" copy {n}" for n in range(6)}
    gold = {**truth, "d000": "debt", **dict.fromkeys(copies, "debt")}
    assert truth["d000"] == "lease"
    clusters = dict.fromkeys(["d000", *copies], "one")
    together = label_noise({**texts, **copies}, gold, clusters)
    apart = label_noise({**texts, **copies}, gold, {})
    assert {"d000", *copies} <= {d.document_id for d in together.doubts}
    assert not {"d000", *copies} <= {d.document_id for d in apart.doubts}


def test_confident_learning_counts_a_label_only_where_it_reaches_its_own_threshold():
    # both labels' thresholds are 0.7: document 2 reaches that of the other label; document 3 none, and is let be
    found = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.48, 0.52], [0.15, 0.85], [0.2, 0.8], [0.45, 0.55]])
    said_ = [0, 0, 0, 0, 1, 1, 1]
    doubts = doubted([f"{n}" for n in range(7)], said_, found, ["x", "y"])
    assert [(d.document_id, d.said, d.likelier, round(d.margin, 2)) for d in doubts] == [("2", "x", "y", 0.6)]


def test_nothing_is_doubted_where_nothing_can_be_judged():
    texts, truth = letters(12)
    assert "fewer than two labels" in label_noise(texts, truth, {}).why_not
    assert "objects" in label_noise(texts, {i: {"a": 1} for i in texts}, {}).why_not
    assert label_noise({}, {}, {}).doubts == []
    texts, truth = letters(30)
    rare = label_noise({**texts, "odd": "one of a kind", "blank": "..."}, {**truth, "odd": "new", "blank": "debt"}, {})
    assert (rare.judged, rare.left_out) == (30, 1)


def test_a_model_that_reads_most_documents_otherwise_doubts_nobody():
    texts, truth = letters(120)
    said_ = dict(zip(texts, np.random.default_rng(5).permutation(list(truth.values())).tolist(), strict=True))
    found = label_noise(texts, said_, {})
    assert found.doubts == [] and found.judged == 0
    assert "agrees with people on only" in found.why_not


# --- all of it


def material(**changes: object) -> Material:
    rows = [
        said(f"{n}", who, "x" if n % 3 else "<b>y|z</b>", "x", at=9 * n) for n in range(12) for who in ("ann", "b*n")
    ]
    rows += [said("t0", "ann", "x"), said("t1", "ann", "x"), said("t1", "b*n", "x")]
    gold = {**{f"{n}": "x" if n % 3 else "<b>y|z</b>" for n in range(12)}, "t0": "x", "t1": "x"}
    whole: dict[str, object] = {
        "corrections": rows,
        "gold": gold,
        "disputed": {},
        "decisions": {},
        "readings": [],
        "teacher": {i: ("x", 0.7) for i in gold},
        "sent": {},
        "test": frozenset({"t0", "t1"}),
        "texts": dict.fromkeys(gold, "text"),
        "clusters": {},
        "wanted": 2,
    }
    return Material(**{**whole, **changes})  # type: ignore[arg-type]


def test_everything_stands_in_one_record_that_is_plain_data():
    report = people_report(material())
    assert (report.settled, report.short, report.test.documents, report.train.documents) == (14, 1, 2, 12)
    assert type(report).model_validate(json.loads(report.model_dump_json())) == report
    assert people_report(material(corrections=[], gold={}, teacher={}, texts={})).reviewers == []


def test_names_and_labels_are_escaped_on_the_page_and_in_the_text():
    report = people_report(material())
    page, text = people_page.section(report), people_page.markdown(report)
    assert "<b>" not in page and "&lt;b&gt;y|z&lt;/b&gt;" in page and page.startswith("<section>")
    assert "<b>" not in text.replace("\\<b\\>", "") and "b\\*n" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") in (3, 4, 5, 6, 9) for line in rows)
    assert wording.share(report.agreement.whole.pairwise) in page
