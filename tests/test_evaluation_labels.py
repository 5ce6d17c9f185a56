"""A lost label is found, and seldom where none is lost; the gate errs by simulation as rarely as it promises."""

from functools import cache

import numpy as np
import pytest
from test_evaluation_gate import RULE, STUDENT, TEACHER, paired

from evaluation.compare import Paired
from evaluation.gate import Rule, decide, further_documents
from evaluation.interval import normal_quantile, paired_difference, probability_of_no_worse
from evaluation.labels import LEAST, LabelLoss, label_losses
from evaluation.power import POWER_Z
from evaluation.resample import macro_f1_difference
from evaluation.rule import State
from evaluation.score import Scored
from records.types import Decision, Outcome


def rows(gold: str, right: int, wrong: int, outcome: Outcome = Outcome.answered) -> list[Scored]:
    def one(ok: bool) -> Scored:
        return Scored(document_id="d", outcome=outcome, gold=gold, answer=gold if ok else "z", right=ok)

    return [one(True)] * right + [one(False)] * wrong


def losses(**by_label: tuple[int, int, int]) -> list[LabelLoss]:
    """Documents, and how many of them student and teacher get right; what the student has right, the teacher has."""
    student = [s for k, (n, ours, _) in by_label.items() for s in rows(k, ours, n - ours)]
    teacher = [s for k, (n, _, theirs) in by_label.items() for s in rows(k, theirs, n - theirs)]
    return label_losses(student, teacher, 0.1, 0.95)


def test_a_student_that_loses_one_label_is_rejected_however_good_it_is_elsewhere():
    found = losses(seldom=(30, 10, 29), often=(170, 170, 90))
    worst = found[0]
    assert (worst.label, worst.documents, worst.student_right, worst.teacher_right) == ("seldom", 30, 10, 29)
    assert worst.worse and not found[1].worse
    rule = RULE.model_copy(update={"label_margin": 0.1})
    ruling = decide(rule, TEACHER, STUDENT, paired(80, 19, 200), labels=found)
    assert ruling.decision is Decision.rejected and "seldom −63.3 points" in ruling.reasons[0]
    assert decide(RULE, TEACHER, STUDENT, paired(80, 19, 200), labels=found).decision is Decision.approved


def test_a_label_with_few_documents_is_said_not_to_be_judged():
    [loss] = losses(seldom=(LEAST - 1, 0, LEAST - 1))
    assert loss.p is None and loss.p_holm is None and not loss.worse
    rule = RULE.model_copy(update={"label_margin": 0.1})
    ruling = decide(rule, TEACHER, STUDENT, paired(30, 5, 200), labels=[loss])
    [axis] = [a for a in ruling.axes if a.name == "labels"]
    assert axis.state is State.not_applicable and "1 label with fewer than 10" in axis.sentence
    assert ruling.decision is Decision.approved


def test_documents_on_which_the_teachers_service_failed_condemn_no_label():
    teacher = rows("a", 20, 0, Outcome.failed)
    assert label_losses(rows("a", 0, 20), teacher, 0.1, 0.95) == []


def test_the_p_values_are_holms():
    found = losses(a=(20, 10, 20), b=(20, 12, 20), c=(20, 20, 20))
    single = [one.p for one in found]
    assert single == sorted(single)
    expected = np.maximum.accumulate([min(1.0, p * (3 - n)) for n, p in enumerate(single)])
    assert [one.p_holm for one in found] == pytest.approx(list(expected))


def tables(source: np.random.Generator, n: int, gain: float, loss: float, rounds: int) -> np.ndarray:
    """Drawn test sets of n documents: how often only the first, and only the second was right."""
    return source.multinomial(n, [gain, loss, 1 - gain - loss], size=rounds)[:, :2]


@pytest.mark.parametrize(("n", "labels", "discordant"), [(12, 7, 0.1), (30, 7, 0.3), (40, 20, 0.2)])
def test_where_every_label_sits_on_its_margin_any_is_called_lost_in_at_most_4_percent(n, labels, discordant):
    """By Bonferroni the promise is 2.5 %; the score test is a little liberal on few documents."""
    source, rounds, margin = np.random.default_rng(11), 4_000, 0.1
    drawn = tables(source, n, (discordant - margin) / 2, (discordant + margin) / 2, rounds * labels)
    p_of = cache(lambda first, second: probability_of_no_worse(first, second, n, -margin))
    p = np.array([p_of(int(a), int(b)) for a, b in drawn]).reshape(rounds, labels)
    assert (p.min(axis=1) * labels <= 0.025).mean() < 0.04


@pytest.mark.parametrize(("gain", "loss"), [(0.03, 0.05), (0.06, 0.08), (0.10, 0.12)])
def test_at_the_margin_at_most_5_percent_of_truly_worse_students_are_approved(gain, loss):
    source, rule, n = np.random.default_rng(5), Rule(margin=0.02), 300
    drawn, counts = np.unique(tables(source, n, gain, loss, 20_000), axis=0, return_counts=True)
    approved = [decide(rule, TEACHER, STUDENT, paired(int(a), int(b), n)).decision for a, b in drawn]
    share = counts[[d is Decision.approved for d in approved]].sum() / 20_000
    assert 0.01 < share < 0.05


@pytest.mark.parametrize(("difference", "discordant", "margin"), [(0.0, 0.06, 0.02), (0.02, 0.10, 0.02)])
def test_the_power_of_the_rule_is_that_of_the_formula(difference, discordant, margin):
    """As many documents as the formula asks for approve 80 % of students that are this good."""
    variance = discordant - difference**2
    n = round(((normal_quantile(0.95) + POWER_Z) / (difference + margin)) ** 2 * variance)
    source = np.random.default_rng(3)
    found = tables(source, n, (discordant + difference) / 2, (discordant - difference) / 2, 2_000)
    drawn, counts = np.unique(found, axis=0, return_counts=True)
    passed = [(paired_difference(int(a), int(b), n).low or -1) > -margin for a, b in drawn]
    assert 0.75 < counts[passed].sum() / 2_000 < 0.85


def test_the_live_student_is_an_axis_of_its_own_and_its_documents_count_in_the_plan():
    lost = decide(RULE, TEACHER, STUDENT, paired(30, 5, 200), live=paired(5, 40, 200))
    assert lost.decision is Decision.rejected and "the live student's" in lost.reasons[0]
    open_ = decide(RULE, TEACHER, STUDENT, paired(30, 5, 200), live=paired(12, 14, 200))
    assert open_.decision is Decision.inconclusive
    assert open_.more_documents == further_documents(RULE, paired(12, 14, 200))
    both = decide(RULE, TEACHER, STUDENT, paired(30, 5, 200), live=paired(30, 5, 200))
    assert both.decision is Decision.approved and [a.name for a in both.axes][:2] == ["accuracy", "live"]


def test_an_outage_of_the_live_student_is_not_held_against_it():
    credited = Paired(**{**paired(0, 40, 200).model_dump(), "credited": 40})
    ruling = decide(RULE, TEACHER, STUDENT, paired(30, 5, 200), live=credited)
    assert ruling.decision is Decision.inconclusive and "Ask the live student again" in ruling.reasons[0]


def test_the_bootstrap_of_the_macro_f1_difference_covers_the_truth():
    source, labels, n, rounds, hits = np.random.default_rng(9), np.array(["a", "b", "c"]), 300, 150, 0
    shares, ours, theirs = [0.5, 0.3, 0.2], 0.9, 0.8

    def draw(size: int) -> list[tuple[str, str, str]]:
        gold = source.choice(labels, size, p=shares)
        other = labels[(np.searchsorted(labels, gold) + source.integers(1, 3, size)) % 3]
        luck = source.random(size)  # shared: what makes a document hard does so for both
        return list(zip(gold, np.where(luck < ours, gold, other), np.where(luck < theirs, gold, other), strict=True))

    truth = macro_f1_difference(draw(400_000)).value
    for _ in range(rounds):
        found = macro_f1_difference(draw(n))
        hits += found.low <= truth <= found.high
    assert truth == pytest.approx(0.1, abs=0.01)
    assert 0.89 < hits / rounds <= 1.0


def test_two_equal_models_differ_by_nothing_and_turning_them_turns_the_sign():
    triples = [("a", "a", "b"), ("a", "a", "a"), ("b", "b", None), ("b", "a", "b")] * 20
    found = macro_f1_difference(triples)
    turned = macro_f1_difference([(g, b, a) for g, a, b in triples])
    assert turned.value == pytest.approx(-found.value) and found.low < found.value < found.high
    assert macro_f1_difference([(g, a, a) for g, a, _ in triples]).value == 0
    assert macro_f1_difference([]).value is None
