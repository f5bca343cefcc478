"""How samples are taken: operations repeated until they can be timed, subjects in interleaved rounds.

In each round every subject is sampled once, in an order that changes from round to round, so that whatever slows the
machine down for a while slows all of them and not one. The garbage collector runs before each round and stays on.
Progress is by rounds or by time, whichever is further.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from random import Random
from time import perf_counter
from typing import TypeVar

MIN_ROUNDS = 3
"""So many rounds are made even where the time is over before."""

MIN_SAMPLE_SECONDS = 0.0005
MAX_LOOPS = 10_000_000

Progress = Callable[[float], None]
"""Told the fraction (0 to 1) of a benchmark that is done."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a benchmark may measure: at most `rounds`, about `seconds` in all."""

    rounds: int
    seconds: float

    def sample_seconds(self, samples_per_round: int) -> float:
        """How long one sample should take."""
        return max(MIN_SAMPLE_SECONDS, self.seconds / (self.rounds * samples_per_round))


def time_once(operation: Callable[[], object], loops: int = 1) -> float:
    """Seconds for one operation, the mean of `loops` of them."""
    begin = perf_counter()
    for _ in repeat(None, loops):
        operation()
    return (perf_counter() - begin) / loops


def loops_for(operation: Callable[[], object], seconds: float) -> int:
    """How many operations take about so long. Trying it out warms the operation up."""
    loops = 1
    while True:
        total = time_once(operation, loops) * loops
        if total >= seconds / 4 or loops >= MAX_LOOPS:
            return max(1, min(MAX_LOOPS, round(loops * seconds / total)) if total else MAX_LOOPS)
        loops *= 4


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds for one operation, one sample for each round; a sample is the mean of `loops` operations."""

    samples: tuple[float, ...]
    loops: int


def time_all(
    operations: Mapping[K, Callable[[], object]], effort: Effort, progress: Progress = lambda _: None
) -> dict[K, Timed]:
    """Time operations that may be repeated at will, in interleaved rounds."""
    if not operations:
        return {}
    seconds = effort.sample_seconds(len(operations))
    loops = {key: loops_for(operation, seconds) for key, operation in operations.items()}
    samplers = {key: partial(time_once, operation, loops[key]) for key, operation in operations.items()}
    return {key: Timed(samples, loops[key]) for key, samples in interleaved(samplers, effort, progress).items()}


def rotated(keys: Sequence[K], by: int) -> list[K]:
    """The keys, another one first in each round."""
    first = by % len(keys) if keys else 0
    return [*keys[first:], *keys[:first]]


def shuffled(keys: Sequence[K], seed: int) -> list[K]:
    """The keys in an order that only the seed determines: who comes after whom must not matter."""
    return Random(seed).sample(keys, len(keys))  # noqa: S311 (an order is no secret)


def interleaved(
    samplers: Mapping[K, Callable[[], T]],
    effort: Effort,
    progress: Progress = lambda _: None,
    *,
    before_round: Callable[[], object] = gc.collect,
    most: Mapping[K, int] | None = None,
    order: Callable[[Sequence[K], int], Sequence[K]] | None = None,
) -> dict[K, tuple[T, ...]]:
    """The samples of each sampler, one for each round; ends early, after whole rounds, when the time is over.

    `most` are the samplers that take part in no more than so many of the first rounds: those that take long. `order`
    gives the order of a round, whose number it gets (default: `rotated`).
    """
    taken: dict[K, list[T]] = {key: [] for key in samplers}
    keys = list(samplers)
    begin = perf_counter()
    for completed in range(effort.rounds if keys else 0):
        elapsed = perf_counter() - begin
        if completed >= min(MIN_ROUNDS, effort.rounds) and elapsed > effort.seconds:
            break
        before_round()
        for key in (order or rotated)(keys, completed):
            if most is None or completed < most.get(key, effort.rounds):
                taken[key].append(samplers[key]())
        progress(min(1.0, max((completed + 1) / effort.rounds, (perf_counter() - begin) / effort.seconds)))
    progress(1.0)
    return {key: tuple(samples) for key, samples in taken.items()}
