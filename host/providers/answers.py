"""Answers that are lists: an answer that is too large to be sent is not gathered first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from host.codec import MAX_PAYLOAD_BYTES
from host.providers.base import ProviderError

V = TypeVar("V")

MAX_VALUES = 1_000_000
"""How many values an answer may have."""


def answer_limit() -> int:
    """How many bytes the values of an answer may have altogether."""
    return MAX_PAYLOAD_BYTES


def answer_too_large() -> ProviderError:
    """The error of an operation whose answer has more."""
    return ProviderError(
        f"the values are over the limit of {answer_limit()} bytes or {MAX_VALUES} values for an answer"
    )


def gathered(values: Iterable[V], size: Callable[[V], int], count: Callable[[V], int] = lambda value: 1) -> list[V]:
    """The values; each has about `size(value)` bytes in the answer, and counts as so many. Raises ProviderError if that
    is too much: small values take many times as much memory as they have bytes."""
    limit = answer_limit()
    taken: list[V] = []
    total = number = 0
    for value in values:
        total += size(value)
        number += count(value)
        if total > limit or number > MAX_VALUES:
            raise answer_too_large()
        taken.append(value)
    return taken
