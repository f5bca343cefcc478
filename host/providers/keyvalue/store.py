"""What the operations need of a store, and what a store refuses, in words that are the same for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from host.providers.answers import gathered
from host.providers.base import ProviderError
from host.providers.keys import shown

I32_MIN, I32_MAX = -(2**31), 2**31 - 1


class Store(Protocol):
    """Strings, lists and sets under keys, as `docs/providers/keyvalue.md` describes them.

    Thread-safe; each method happens altogether or not at all, and raises ProviderError for what goes wrong. A key whose
    time is over is not there.
    """

    def add(self, key: str, amount: int) -> int:
        """Add to the number; the sum."""

    def get(self, key: str) -> str | None:
        """The string; None if the key is not there."""

    def set(self, key: str, value: str, lifetime: int) -> None:
        """Make the key hold this string and nothing else, for `lifetime` seconds; 0 is for ever."""

    def remove(self, key: str) -> None:
        """Take the key away, whatever it holds, if anything."""

    def exists(self, key: str) -> bool: ...

    def push(self, key: str, item: str) -> int:
        """Insert an item before the first; the new length."""

    def items(self, key: str, start: int, stop: int) -> Sequence[str]:
        """The items from index `start` to `stop`, both included; negative ones count from the end."""

    def remove_items(self, key: str, item: str) -> int:
        """Remove all items equal to this one; how many there were."""

    def add_member(self, key: str, member: str) -> bool:
        """Add to the set; whether that changed it."""

    def remove_member(self, key: str, member: str) -> bool:
        """Remove from the set; whether that changed it."""

    def union(self, keys: Sequence[str]) -> Iterable[str]:
        """The members of all these sets, which are one or more, in any order."""

    def intersection(self, keys: Sequence[str]) -> Iterable[str]:
        """The members that all these sets have, which are one or more, in any order."""

    def close(self) -> None:
        """Release everything."""


def not_an_integer(key: str) -> ProviderError:
    """The error of Add where there is other text than a number."""
    return ProviderError(f"{shown(key)} holds a string that is not an integer")


def out_of_range(key: str) -> ProviderError:
    """The error of Add where the sum is no i32."""
    return ProviderError(f"the number under {shown(key)} would leave the range of an i32")


def bounded(values: Iterable[str]) -> list[str]:
    """The values, if they fit into an answer. Raises ProviderError."""
    return gathered(values, lambda value: len(value) + 1)
