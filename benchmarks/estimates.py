"""Statistics of samples: medians with confidence intervals, paired ratios, geometric means, the break-even point.

Times on a computer are skewed and have outliers, so nothing here assumes a normal distribution. The interval of a
median is made of order statistics and needs no assumption but independent samples; that of a geometric mean over
several medians is found by the bootstrap.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import geometric_mean, median

CONFIDENCE = 0.95
"""The confidence that an interval should have; a few samples cannot give it."""

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median of `count` samples; the true one is between `low` and `high` with this `confidence` (0 to 1)."""

    median: float
    low: float
    high: float
    confidence: float
    count: int

    def map(self, function: Callable[[float], float]) -> Estimate:
        """The estimate of a monotonic function of the quantity."""
        low, high = sorted((function(self.low), function(self.high)))
        return Estimate(function(self.median), low, high, self.confidence, self.count)


def coverage(count: int, rank: int) -> float:
    """How likely the median is between the `rank`-th smallest and the `rank`-th largest of `count` samples.

    1 <= rank <= (count + 1) / 2. The number of samples below the median has a binomial distribution.
    """
    below = sum(math.comb(count, outside) for outside in range(rank))
    return max(0.0, 1 - 2 * below / (1 << count))


def median_rank(count: int) -> int:
    """The greatest rank whose interval still has the wanted confidence; 1, all samples, if none has."""
    tails = accumulate(math.comb(count, outside) for outside in range((count + 1) // 2))
    return max(1, sum(1 - 2 * tail / (1 << count) >= CONFIDENCE for tail in tails))


def estimate(samples: Sequence[float]) -> Estimate:
    """The median of the samples and its interval. Raises ValueError if there are none."""
    if not samples:
        raise ValueError("there are no samples")
    count, ordered = len(samples), sorted(samples)
    rank = median_rank(count)
    return Estimate(median(ordered), ordered[rank - 1], ordered[count - rank], coverage(count, rank), count)


def paired_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """The ratios of two quantities in the rounds in which both were measured, which slow drifts of the machine leave
    alone. A quantity that was measured less often was measured in the first rounds."""
    return [ratio(a, b) for a, b in zip(numerators, denominators, strict=False)]


def ratio(a: float, b: float) -> float:
    """a / b for a, b >= 0: infinity where only b is 0, and 1 where both are, too short for the clock."""
    return a / b if b else math.inf if a else 1.0


def paired_difference(minuends: Sequence[float], subtrahends: Sequence[float]) -> Estimate:
    """The difference of two quantities that were measured in the same rounds. Raises ValueError if there are no
    samples, or not as many of both."""
    return estimate([a - b for a, b in zip(minuends, subtrahends, strict=True)])


def geometric_mean_of_medians(quantities: Sequence[Sequence[float]], seed: int = 0) -> Estimate:
    """The geometric mean of the medians of several quantities, all samples > 0; the interval is a percentile bootstrap.

    The same samples and `seed` give the same interval. Raises ValueError where samples are missing or not positive.
    """
    if not quantities or not all(quantities) or min(map(min, quantities)) <= 0:
        raise ValueError("positive samples of every quantity are needed")
    source = random.Random(seed)  # noqa: S311 (resampling is no secret)
    means = sorted(
        geometric_mean([median(source.choices(samples, k=len(samples))) for samples in quantities])
        for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    middle = geometric_mean([median(samples) for samples in quantities])
    # With few and skewed samples the resampled means may miss the mean itself.
    low, high = min(percentile(means, tail), middle), max(percentile(means, 1 - tail), middle)
    return Estimate(middle, low, high, CONFIDENCE, min(map(len, quantities)))


def percentile(samples: Sequence[float], fraction: float) -> float:
    """The smallest sample that at least this fraction (0 to 1) of all samples do not exceed (nearest rank).

    Raises ValueError if there are no samples or the fraction is out of range.
    """
    if not samples or not 0 <= fraction <= 1:
        raise ValueError("samples and a fraction from 0 to 1 are needed")
    return sorted(samples)[max(0, math.ceil(fraction * len(samples)) - 1)]


def break_even(slow_load: float, slow: Sequence[float], fast_load: float, fast: Sequence[float]) -> float:
    """After how many calls, loading included, one engine has taken no longer than another; at least 1, infinity for
    never. `slow` and `fast` are the seconds of their first calls, at least one each; later ones are `settled`."""
    made = min(len(slow), len(fast))
    behind = fast_load - slow_load
    for count in range(1, made + 1):
        behind += fast[count - 1] - slow[count - 1]
        if behind <= 0:
            return float(count)
    gain = settled(slow) - settled(fast)
    return made + math.ceil(behind / gain) if gain > 0 else math.inf


def settled(calls: Sequence[float]) -> float:
    """Seconds for a call later on: the median of the later half of the first ones."""
    return median(calls[len(calls) // 2 :])
