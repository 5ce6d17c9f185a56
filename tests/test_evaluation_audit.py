"""How good accepted labels are: bounds that hold at every look, exact intervals, the stop rule, the threshold."""

import math
from random import Random

import numpy as np
import pytest
from scipy.stats import beta, hypergeom

from evaluation.audit import Accepted, audit, row
from evaluation.drawn import Bounds, Cohort, bounds, exact_share, more_needed, rate
from evaluation.risk import accept_from


def accepted(count: int, wrong: set[int], answered: int, round: int = 0, label: str = "lease") -> list[Accepted]:
    """Labels in the order of their draws; the first `answered` were looked at, those numbered in `wrong` are wrong."""
    return [
        Accepted(f"{round}-{n}", label, (n + 0.5) / count, round, 0.95, n not in wrong if n < answered else None)
        for n in range(count)
    ]


def a_campaign(random: np.random.Generator, sizes: list[int], error: float, looks: int) -> bool:
    """Whether the truth was within the bounds at all looks, while the cohorts are drawn from in turns."""
    truth = [random.permutation(np.arange(size) < round(size * error)) for size in sizes]
    total, drawn = int(sum(t.sum() for t in truth)), [0] * len(sizes)
    for look in range(looks):
        which = look % len(sizes)
        drawn[which] = min(sizes[which], drawn[which] + 10)
        found = bounds([Cohort(s, n, int(t[:n].sum())) for s, n, t in zip(sizes, drawn, truth, strict=True)])
        if not found.low <= total <= found.high:
            return False
    return True


@pytest.mark.parametrize("error", [0.0, 0.01, 0.03, 0.1, 0.4])
def test_the_bounds_hold_at_every_look_in_at_least_95_of_100_campaigns(error: float):
    random = np.random.default_rng(7)
    held = sum(a_campaign(random, [600, 250] if n % 2 else [800], error, 30) for n in range(200))
    assert held >= 190


def test_a_fixed_size_interval_would_not_survive_the_looking():
    random = np.random.default_rng(7)
    broken = 0
    for _ in range(50):
        seen = np.cumsum(random.permutation(np.arange(800) < 80))
        looks = [exact_share(800, n, int(seen[n - 1])) for n in range(10, 310, 20)]
        broken += any(one.high < 0.1 or one.low > 0.1 for one in looks)
    assert broken > 5


def test_where_all_were_drawn_nothing_is_unsure_and_where_none_was_nothing_is_known():
    assert bounds([Cohort(100, 100, 7)]) == Bounds(7, 7, 7)
    assert bounds([Cohort(100, 0, 0)]).high == 100 and bounds([Cohort(100, 0, 0)]).low == 0
    assert bounds([]) == Bounds(0, 0, 0)


def test_labels_of_which_none_was_checked_count_as_wrong_in_the_bound():
    alone, with_new = bounds([Cohort(3000, 200, 2)]).high, bounds([Cohort(3000, 200, 2), Cohort(400, 0, 0)]).high
    assert with_new == alone + 400


def test_cohorts_drawn_alike_say_about_what_one_would():
    together, apart = bounds([Cohort(4000, 200, 2)]), bounds([Cohort(3000, 150, 1), Cohort(1000, 50, 1)])
    assert apart.high == pytest.approx(together.high, rel=0.05)


def test_the_estimate_weighs_each_cohort_by_its_share_drawn():
    assert rate([Cohort(1000, 100, 10), Cohort(3000, 100, 2)]) == pytest.approx((100 + 60) / 4000)
    assert rate([Cohort(1000, 100, 10), Cohort(500, 0, 0)]) == pytest.approx(0.1)
    assert rate([Cohort(10, 0, 0)]) is None


def test_the_estimate_is_unbiased_when_shares_change_between_rounds():
    random, found = np.random.default_rng(3), []
    first, second = np.arange(900) < 18, np.arange(300) < 60  # 2 % and 20 % wrong
    for _ in range(2000):
        a, b = random.choice(first, 90, replace=False), random.choice(second, 60, replace=False)
        found.append(rate([Cohort(900, 90, int(a.sum())), Cohort(300, 60, int(b.sum()))]))
    assert np.mean(found) == pytest.approx(78 / 1200, abs=0.001)


def test_the_exact_interval_is_clopper_and_pearsons_where_labels_are_many_and_shorter_where_few():
    many, few = exact_share(10**7, 140, 3), exact_share(200, 140, 3)
    assert (many.low, many.high) == pytest.approx((beta.ppf(0.025, 3, 138), beta.ppf(0.975, 4, 137)), abs=1e-5)
    assert many.low < few.low < 3 / 140 < few.high < many.high
    assert exact_share(50, 50, 4).low == exact_share(50, 50, 4).high == 0.08
    assert exact_share(50, 0, 0).value is None


@pytest.mark.parametrize("wrong", [0, 3, 40])
def test_the_exact_interval_covers_whatever_the_truth(wrong: int):
    total, drawn = 120, 30
    covered = sum(
        hypergeom.pmf(k, total, wrong, drawn)
        for k in range(drawn + 1)
        if hypergeom.pmf(k, total, wrong, drawn) > 0
        and exact_share(total, drawn, k).low * total <= wrong + 1e-9
        and exact_share(total, drawn, k).high * total >= wrong - 1e-9
    )
    assert covered >= 0.95


def test_the_forecast_is_about_what_it_takes():
    more = more_needed(4210, 40, 0, 0.03)
    assert more is not None and 60 < more < 120
    assert bounds([Cohort(4210, 40 + more, 0)]).high <= 0.03 * 4210 < bounds([Cohort(4210, 30 + more, 0)]).high
    assert more_needed(4210, 200, 0, 0.03) == 0
    assert more_needed(4210, 100, 20, 0.03) is None


def test_reviewing_can_stop_when_the_bound_is_below_what_is_allowed():
    done = audit(accepted(4210, set(), 140), 0.03)
    assert done.enough and done.more == 0
    assert "at most 2.8 % of the 4,210 accepted labels are wrong: reviewing can stop" in done.sentence
    early = audit(accepted(4210, set(), 40), 0.03)
    assert not early.enough and f"about {early.more} more random checks are needed" in early.sentence
    bad = audit(accepted(4210, set(range(0, 100, 5)), 100), 0.03)
    assert bad.more is None and "review.trust_above" in bad.sentence
    assert "nothing to check" in audit([], 0.03).sentence


def test_before_the_first_check_nothing_is_said_of_the_labels_but_how_many_checks_it_takes():
    many, few = audit(accepted(4210, set(), 0), 0.03), audit(accepted(1, set(), 0), 0.03)
    assert many.sentence.startswith("nothing is known yet of the 4,210 accepted labels: no random check counts so far")
    assert f"; about {many.more} random checks are needed to show that at most 3.0 % are wrong" in many.sentence
    assert few.sentence.startswith("nothing is known yet of the 1 accepted label:") and "most of so few" in few.sentence
    assert "100.0 %" not in many.sentence + few.sentence


def test_the_stop_rule_ends_a_campaign_too_early_in_no_more_than_5_of_100():
    random, early = np.random.default_rng(13), 0
    for _ in range(60):
        bad = random.permutation(np.arange(400) < 32)  # 8 % are wrong, 5 % may be
        for checked in range(40, 400, 40):
            found = audit(accepted(400, set(np.flatnonzero(bad)), checked), 0.05)
            if found.enough:
                early += bad[checked:].sum() > 0.05 * 400
                break
    assert early <= 3


def test_only_the_row_up_to_the_first_open_one_counts():
    labels = accepted(1000, {3}, 50)
    labels[20] = labels[20]._replace(right=None)
    found = audit(labels, 0.05)
    assert (found.drawn, found.wrong, found.blocked, found.corrected) == (20, 1, 29, 1)
    Random(1).shuffle(labels)
    assert audit(labels, 0.05) == found and len(row(labels)) == 20


def test_what_people_corrected_is_wrong_no_more():
    before, after = accepted(400, set(), 60), accepted(400, set(), 60)
    after[300] = after[300]._replace(right=False)
    assert audit(after, 0.1).at_most == pytest.approx(audit(before, 0.1).at_most - 1 / 400)


def test_a_small_cohort_joins_the_one_before_it_and_a_large_one_stands_alone():
    old, new = accepted(2000, set(), 100, 0), accepted(600, set(), 30, 1)
    assert audit(old + new, 0.05).drawn == 130
    few = accepted(40, set(), 0, 1)
    joined = audit(old + few, 0.05)
    assert joined.drawn < 100  # the new ones fall in between by their draws, and the first of them is open
    assert joined.total == 2040


def test_each_labels_share_has_an_interval_and_all_hold_together():
    random, held = np.random.default_rng(5), 0
    wrong = {"a": 0.0, "b": 0.02, "c": 0.1, "d": 0.3}
    for _ in range(100):
        labels = []
        for name, share in wrong.items():
            bad = random.permutation(200) < round(200 * share)
            draws = random.random(200)
            labels += [
                Accepted(f"{name}{n}", name, d, 0, 0.9, not bad[n] if d < 0.15 else None) for n, d in enumerate(draws)
            ]
        found = audit(labels, 0.05)
        held += all(
            one.share.low is None or one.share.low <= wrong[one.name] <= one.share.high + 1e-9 for one in found.labels
        )
    assert held >= 95


def objects(count: int, wrong: dict[str, set[int]], answered: int) -> list[Accepted]:
    """Objects in the order of their draws; `wrong`: by field the numbers of those in which it is wrong."""
    plain = accepted(count, set().union(*wrong.values()), answered, label="")
    return [
        one._replace(fields={name: n not in bad if n < answered else None for name, bad in wrong.items()})
        for n, one in enumerate(plain)
    ]


def test_each_field_of_an_object_has_a_share_of_its_own_and_the_worst_stands_first():
    found = audit(objects(600, {"party": {3}, "day": set(), "amount": {3, 9, 20, 300}}, 100), 0.05)
    assert [(one.name, one.total, one.drawn, one.wrong) for one in found.fields] == [
        ("amount", 600, 100, 3),
        ("party", 600, 100, 1),
        ("day", 600, 100, 0),
    ]
    assert (found.total, found.drawn, found.wrong, found.labels) == (600, 100, 3, [])  # objects, not fields
    alone, each = exact_share(600, 100, 3), exact_share(600, 100, 3, 1 - 0.05 / 3)
    share = found.fields[0].share
    assert (share.low, share.high, share.confidence) == (each.low, each.high, 0.95) and each.high > alone.high
    assert audit(accepted(40, set(), 9), 0.05).fields == []


def test_a_field_counts_in_the_row_of_objects_only():
    many = objects(600, {"amount": {2, 50}}, 60)
    many[20] = many[20]._replace(right=None, fields={"amount": None})
    [amount] = audit(many, 0.05).fields
    assert (amount.drawn, amount.wrong) == (20, 1)


def test_the_intervals_of_all_fields_hold_together_though_they_are_wrong_in_the_same_objects():
    random, held = np.random.default_rng(17), 0
    shares = {"a": 0.01, "b": 0.05, "c": 0.2, "d": 0.5}
    for _ in range(100):
        luck = random.permutation(400)
        found = audit(objects(400, {k: set(np.flatnonzero(luck < 400 * v)) for k, v in shares.items()}, 60), 0.05)
        held += all(one.share.low <= shares[one.name] <= one.share.high for one in found.fields)
    assert held >= 95


def test_of_two_cohorts_each_labels_share_comes_from_draws_that_count_alike():
    one, two = accepted(600, {5}, 300, 0), accepted(600, set(), 60, 1)
    [found] = audit(one + two, 0.05).labels
    assert found.drawn == 120 and found.total == 1200


def calibrated(random: np.random.Generator, count: int) -> list[tuple[float, bool]]:
    sure = random.beta(5, 1, count)
    return [(float(c), bool(r)) for c, r in zip(sure, random.random(count) < sure, strict=True)]


def test_the_derived_threshold_keeps_its_promise_in_at_least_95_of_100_derivations():
    random, kept, found = np.random.default_rng(11), 0, 0
    population = calibrated(random, 200_000)
    sure, right = np.array([c for c, _ in population]), np.array([r for _, r in population])
    for _ in range(200):
        threshold = accept_from(calibrated(random, 400), [], 0.9, 0.1)
        found += threshold is not None
        kept += threshold is None or 1 - right[sure >= threshold.value].mean() <= 0.1
    assert kept >= 190 and found >= 140


def test_random_checks_help_where_they_were_drawn_and_nowhere_else():
    test = [(0.95, True)] * 30 + [(0.5, False)] * 30
    assert accept_from(test, [], 0.9, 0.05) is None  # 30 right ones show nothing at 5 %
    helped = accept_from(test, [(0.95, True)] * 40, 0.9, 0.05)
    assert helped is not None and (helped.value, helped.looked_at, helped.share) == (0.95, 70, 0.5)
    assert accept_from(test, [(0.95, True)] * 40, 0.96, 0.05) is None


def test_a_threshold_is_rounded_down_so_that_it_takes_in_what_was_tested():
    found = accept_from([(0.123456, True)] * 100, [], 0.9, 0.05)
    assert found is not None and found.value == 0.1234 and math.isclose(found.share, 1)
