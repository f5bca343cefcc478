"""Statistics and timing: what holds for all samples, and values that were worked out elsewhere."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import median
from time import sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.estimates import (
    CONFIDENCE,
    break_even,
    coverage,
    estimate,
    geometric_mean_of_medians,
    median_rank,
    paired_difference,
    paired_ratios,
    percentile,
    settled,
)
from benchmarks.timing import MIN_ROUNDS, Effort, interleaved, loops_for, rotated, shuffled, time_all, time_once

times = st.floats(min_value=1e-9, max_value=1e6)
samples_of_times = st.lists(times, min_size=1, max_size=40)


@given(samples_of_times)
def test_an_estimate_is_the_median_between_two_samples(samples: list[float]) -> None:
    found = estimate(samples)
    assert found.median == median(samples)
    assert found.low <= found.median <= found.high
    assert {found.low, found.high} <= set(samples)
    assert found.count == len(samples)
    assert 0 <= found.confidence <= 1


@given(samples_of_times, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(samples: list[float], source: random.Random) -> None:
    shuffled = list(samples)
    source.shuffle(shuffled)
    assert estimate(samples) == estimate(shuffled)


@given(samples_of_times, st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_an_estimate_scales_with_its_samples(samples: list[float], factor: float) -> None:
    assert estimate([factor * sample for sample in samples]) == estimate(samples).map(lambda value: factor * value)


@given(st.integers(min_value=1, max_value=400))
def test_the_interval_is_the_shortest_that_has_the_confidence(count: int) -> None:
    rank = median_rank(count)
    assert 1 <= rank <= (count + 1) // 2
    if count < 6:
        assert rank == 1
        assert coverage(count, rank) < CONFIDENCE
    else:
        assert coverage(count, rank) >= CONFIDENCE
        next_is_possible = rank + 1 <= (count + 1) // 2
        assert not next_is_possible or coverage(count, rank + 1) < CONFIDENCE


@pytest.mark.parametrize(
    ("count", "rank", "expected"),
    [(1, 1, 0.0), (2, 1, 0.5), (5, 1, 0.9375), (6, 1, 0.96875), (10, 2, 0.978515625), (15, 4, 0.96484375)],
)
def test_coverage_as_tables_of_the_sign_test_have_it(count: int, rank: int, expected: float) -> None:
    assert coverage(count, rank) == expected


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(7)  # noqa: S311
    trials = 2000
    hits = 0
    for _ in range(trials):
        found = estimate([source.lognormvariate(0, 1) for _ in range(11)])
        hits += found.low <= 1 <= found.high
    assert found.confidence - 0.02 < hits / trials < found.confidence + 0.02


@given(samples_of_times, times)
def test_the_ratio_of_a_multiple_is_the_factor(samples: list[float], factor: float) -> None:
    for found in paired_ratios([sample * factor for sample in samples], samples):
        assert found == pytest.approx(factor)


def test_paired_samples_cancel_what_slows_both() -> None:
    slow_rounds = [1.0, 5.0, 2.0, 9.0, 1.0, 3.0]
    fast, slow = slow_rounds, [2 * x for x in slow_rounds]
    assert paired_ratios(slow, fast) == [2.0] * 6
    assert paired_ratios(slow[:2], fast) == [2.0] * 2
    assert paired_difference(slow, fast).median == 2.5


def test_differences_need_as_many_samples_of_both() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 2.0], [1.0])


def test_no_samples_no_estimate() -> None:
    with pytest.raises(ValueError, match="no samples"):
        estimate([])


@given(st.lists(times, min_size=1, max_size=60), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_the_smallest_sample_that_covers_the_fraction(samples: list[float], fraction: float) -> None:
    found = percentile(samples, fraction)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= fraction * len(samples) - 1e-9
    smaller = [sample for sample in samples if sample < found]
    assert not smaller or len(smaller) < fraction * len(samples)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_percentiles_are_of_fractions(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        percentile([1.0], fraction)


quantities_of_times = st.lists(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(quantities_of_times)
def test_a_geometric_mean_lies_between_the_medians_and_in_its_interval(quantities: list[list[float]]) -> None:
    found = geometric_mean_of_medians(quantities)
    medians = [median(samples) for samples in quantities]
    assert min(medians) <= found.median * (1 + 1e-9)
    assert found.median <= max(medians) * (1 + 1e-9)
    assert found.low <= found.median <= found.high
    assert found == geometric_mean_of_medians(quantities)


def test_a_geometric_mean_of_known_medians() -> None:
    found = geometric_mean_of_medians([[2.0, 2.0, 2.0], [8.0, 8.0, 8.0]])
    assert [found.median, found.low, found.high] == pytest.approx([4, 4, 4])


@pytest.mark.parametrize("quantities", [[], [[]], [[1.0], []], [[0.0]], [[1.0, -1.0]]])
def test_a_geometric_mean_needs_positive_samples(quantities: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="positive"):
        geometric_mean_of_medians(quantities)


calls_of_an_instance = st.lists(times, min_size=1, max_size=6)


@given(times, calls_of_an_instance, times, calls_of_an_instance)
def test_at_the_break_even_point_one_has_taken_no_longer(
    slow_load: float, slow: list[float], fast_load: float, fast: list[float]
) -> None:
    def total(load: float, calls: list[float], count: int) -> float:
        made = min(len(slow), len(fast), count)
        return load + sum(calls[:made]) + (count - made) * settled(calls)

    found = break_even(slow_load, slow, fast_load, fast)
    assert found >= 1
    if math.isinf(found):
        assert settled(fast) >= settled(slow)
        return
    count = int(found)
    assert count == found
    assert total(fast_load, fast, count) <= total(slow_load, slow, count) * (1 + 1e-6)
    if 1 < count < 1000:
        assert total(fast_load, fast, count - 1) > total(slow_load, slow, count - 1) * (1 - 1e-6)


def test_break_even_points() -> None:
    assert break_even(1, [3, 3], 5, [1, 1]) == 2
    assert break_even(5, [3], 1, [1]) == 1
    assert break_even(1, [1, 1], 5, [1, 1]) == math.inf
    assert break_even(0, [4, 1, 1, 1], 3, [1, 2, 2, 2]) == 1
    assert settled([9.0, 1.0, 2.0, 3.0]) == 2.5
    assert settled([9.0]) == 9.0


def test_rounds_are_interleaved_and_their_order_rotates() -> None:
    order: list[str] = []
    reached: list[float] = []
    samples = interleaved(
        {name: lambda name=name: order.append(name) or len(order) for name in "abc"},  # type: ignore[func-returns-value,misc]
        Effort(4, 60.0),
        reached.append,
    )
    assert "".join(order) == "abcbcacababc"
    assert samples == {"a": (1, 6, 8, 10), "b": (2, 4, 9, 11), "c": (3, 5, 7, 12)}
    assert reached == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_orders_that_are_drawn_are_fair_and_the_same_again() -> None:
    orders = [tuple(shuffled("abc", seed)) for seed in range(600)]
    assert orders == [tuple(shuffled("abc", seed)) for seed in range(600)]
    counts = Counter(orders)
    assert len(counts) == 6
    assert all(60 < count < 140 for count in counts.values())
    assert rotated([], 3) == shuffled([], 3) == []
    order: list[str] = []
    interleaved(
        {name: lambda name=name: order.append(name) for name in "abc"},  # type: ignore[misc]
        Effort(2, 60.0),
        order=lambda keys, completed: keys[::-1] if completed else keys,
    )
    assert "".join(order) == "abccba"


def test_some_take_part_in_the_first_rounds_only() -> None:
    rounds: list[int] = []
    samples = interleaved(
        {"slow": lambda: 1, "fast": lambda: 2},
        Effort(4, 60.0),
        before_round=lambda: rounds.append(0),
        most={"slow": 2},
    )
    assert samples == {"slow": (1, 1), "fast": (2, 2, 2, 2)}
    assert len(rounds) == 4


def test_rounds_end_with_the_time_but_not_before_a_few_are_whole() -> None:
    samples = interleaved({"slow": lambda: sleep(0.01), "fast": lambda: None}, Effort(1000, 0.001))
    assert {name: len(taken) for name, taken in samples.items()} == {"slow": MIN_ROUNDS, "fast": MIN_ROUNDS}


def test_nothing_to_measure_takes_no_time() -> None:
    assert interleaved({}, Effort(10, 1.0)) == {}
    assert time_all({}, Effort(10, 1.0)) == {}


def test_an_operation_is_repeated_as_often_as_is_said() -> None:
    calls: list[None] = []
    assert time_once(lambda: calls.append(None), 17) > 0
    assert len(calls) == 17


def test_short_operations_are_repeated_and_long_ones_are_not() -> None:
    assert loops_for(lambda: None, 0.002) > 100
    assert loops_for(lambda: sleep(0.02), 0.002) == 1


def test_what_is_timed_keeps_how_often_it_was_repeated() -> None:
    calls = {"a": 0}

    def operation() -> None:
        calls["a"] += 1

    timed = time_all({"a": operation}, Effort(3, 0.003))["a"]
    assert len(timed.samples) == 3
    assert calls["a"] >= 3 * timed.loops
    assert all(0 < sample < 1 for sample in timed.samples)
