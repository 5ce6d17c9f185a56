"""What a load test found becomes throughput, quantiles and dollars, each with the interval that its answers allow."""

import numpy as np
import pytest

from evaluation.load import HOURS_A_MONTH, load_of, student_cost


def test_throughput_is_answers_by_time_and_its_interval_follows_from_the_mean_latency():
    found = load_of(4, [0.2, 0.3, 0.4, 0.3] * 25, 2, seconds=7.6, confidence=0.95)
    assert (found.answers, found.failed, found.in_flight) == (100, 2, 4)
    assert found.throughput_per_s.value == pytest.approx(100 / 7.6)
    assert found.throughput_per_s.low < found.throughput_per_s.value < found.throughput_per_s.high
    assert found.latency_p50_s.value == 0.3 and found.latency_p99_s.high is None


def test_the_interval_of_the_throughput_covers_the_truth():
    source, hits, rounds = np.random.default_rng(2), 0, 300
    for _ in range(rounds):
        latencies = source.gamma(4.0, 0.025, 150)  # 0.1 s on the mean: 10 a second, one at a time
        found = load_of(1, list(latencies), 0, seconds=float(latencies.sum()), confidence=0.95)
        hits += found.throughput_per_s.low <= 10.0 <= found.throughput_per_s.high
    assert 0.92 < hits / rounds < 0.98


def test_nothing_answered_has_no_throughput_and_no_cost():
    nothing = load_of(1, [], 3, seconds=1.0, confidence=0.95)
    assert nothing.latency_p95_s.value is None and not nothing.throughput_per_s.value
    assert student_cost([nothing], 1.0, None, "") is None
    assert student_cost([], 1.0, None, "") is None


def test_a_student_costs_its_machines_hours_at_the_best_throughput_and_idle_ones_too():
    slow, fast = (load_of(n, [0.1] * 100, 0, seconds=10.0 / n, confidence=0.95) for n in (1, 4))
    full = student_cost([slow, fast], 3.6, None, "")
    assert (full.in_flight, full.throughput_per_s, full.utilisation) == (4, 40.0, None)
    assert full.per_1000_usd.value == full.at_full_use_usd.value == pytest.approx(3.6 / 3600 / 40 * 1000)
    idle = student_cost([slow, fast], 3.6, 10_000, "given")
    assert (idle.machines, idle.volume) == (1, "given")
    assert idle.per_1000_usd.value == pytest.approx(3.6 * HOURS_A_MONTH / 10)
    assert idle.utilisation == pytest.approx(10_000 / (HOURS_A_MONTH * 3600) / 40)
    busy = student_cost([slow, fast], 3.6, 40 * 3600 * HOURS_A_MONTH * 2.5, "traffic")
    assert busy.machines == 3 and busy.utilisation == pytest.approx(2.5 / 3)
    assert busy.per_1000_usd.value == pytest.approx(full.per_1000_usd.value * 3 / 2.5)


def test_a_machine_without_a_price_costs_nothing():
    assert student_cost([load_of(1, [0.1] * 9, 0, 0.9, 0.95)], 0.0, 1_000, "given").per_1000_usd.value == 0
