"""What the key-value semantics need of a storage: transactions over strings, lists and sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import IntEnum
from typing import Protocol


class Kind(IntEnum):
    """What a key holds. The numbers are those in the database."""

    STRING = 0
    LIST = 1
    SET = 2

    @property
    def noun(self) -> str:
        return self.name.lower()


class Transaction(Protocol):
    """A consistent view of the store; what a writing one changes happens altogether or not at all.

    A key whose time is over is not there. Methods for a kind are called only for keys of that kind, or, where they
    add something, for keys that are not there. Values that are asked for must be used up within the transaction.
    """

    def kind(self, key: str) -> Kind | None:
        """What the key holds; None if it is not there."""

    def remove(self, key: str) -> None:
        """Take the key away, whatever it holds, if anything."""

    def string(self, key: str) -> str: ...

    def set_string(self, key: str, value: str, lifetime: int) -> None:
        """Make the key hold this string and nothing else, for `lifetime` seconds; 0 is for ever."""

    def replace_string(self, key: str, value: str) -> None:
        """Put another string in the place of the key's, for the time that is left of that one's."""

    def push(self, key: str, value: str) -> int:
        """Insert an item before the first; the new length."""

    def size(self, key: str) -> int:
        """How many items the list, or members the set, has."""

    def items(self, key: str, start: int, count: int) -> Iterator[str]:
        """`count` items of the list from index `start` on, all of which exist."""

    def remove_items(self, key: str, value: str) -> int:
        """Remove all items equal to `value`; how many there were. An empty list may remain."""

    def add_member(self, key: str, value: str) -> bool:
        """Add to the set; whether it is new."""

    def remove_member(self, key: str, value: str) -> bool:
        """Remove from the set; whether it was there. An empty set may remain."""

    def members(self, key: str) -> Iterator[str]:
        """The members of the set, in no order."""


class Storage(Protocol):
    """A store. Thread-safe; every method raises ProviderError for what goes wrong."""

    def reading(self) -> AbstractContextManager[Transaction]: ...
    def writing(self) -> AbstractContextManager[Transaction]: ...
    def close(self) -> None: ...
