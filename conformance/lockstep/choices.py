"""Where the choices of a generator come from: a seeded random number generator, hypothesis, or whatever gives numbers.

What is chosen with the number 0 is the simplest, for that is what hypothesis shrinks to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Choices, each made by `below`, which gives a number 0 <= number < n for n >= 1."""

    __slots__ = ("below",)

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    @classmethod
    def seeded(cls, *seed: int | str) -> Choices:
        """Choices that follow from a seed."""
        return cls(Random(":".join(map(str, seed))).randrange)  # noqa: S311 (repeatable, not secret)

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases; False is the simplest."""
        return self.below(100) >= 100 - percent

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items; the first is the simplest."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[int, T]]) -> T:
        """One of the items, each as often as its weight says; the first is the simplest."""
        left = self.below(sum(weight for weight, _ in items))
        for weight, item in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][1]

    def bits(self, N: int) -> int:
        """A number of N bits."""
        return self.below(1 << N)
