"""The store in memory: gone with the process."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from host.providers.keyvalue.storage import Kind
from host.providers.room import Room, text_bytes

_OVERHEAD_BYTES = 200
"""About what a key, an item or a member costs beside its text."""

_SPARE_EXPIRIES = 1000
"""How many marks of keys that were set anew may be kept, beside two for each key."""


@dataclass(slots=True)
class _Entry:
    """What one key holds. The items of a list stand in reverse order, so that a push is an append."""

    kind: Kind
    text: str = ""
    expires_at: float | None = None
    items: list[str] = field(default_factory=list)
    members: set[str] = field(default_factory=set)

    def cost(self) -> int:
        if self.kind is Kind.STRING:
            return _OVERHEAD_BYTES + _cost(self.text)
        return _OVERHEAD_BYTES + sum(map(_cost, self.items)) + sum(map(_cost, self.members))


def _cost(text: str) -> int:
    return _OVERHEAD_BYTES + text_bytes(text)


class MemoryStorage:
    """Storage in dictionaries. Transactions run one after another, and each is at once its own `Transaction`.

    Every change checks first whether there is room and then cannot fail, so nothing ever needs to be undone.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._expiries: list[tuple[float, str]] = []
        self._room = Room("the key-value store", max_bytes)
        self._now = 0.0

    @contextmanager
    def writing(self) -> Iterator[MemoryStorage]:
        """All transactions are of one sort."""
        with self._lock:
            self._now = self._clock()
            self._forget_expired()
            yield self

    reading = writing

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._expiries.clear()
            self._room.clear()

    def kind(self, key: str) -> Kind | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.kind

    def remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._room.take(-_cost(key) - entry.cost())

    def string(self, key: str) -> str:
        return self._entries[key].text

    def set_string(self, key: str, value: str, lifetime: int) -> None:
        expires_at = self._now + lifetime if lifetime else None
        self._put_string(key, value, expires_at)
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, key))
            if len(self._expiries) > 2 * len(self._entries) + _SPARE_EXPIRIES:
                self._forget_old_expiries()

    def replace_string(self, key: str, value: str) -> None:
        self._put_string(key, value, self._entries[key].expires_at)

    def push(self, key: str, value: str) -> int:
        items = self._grow(key, Kind.LIST, value).items
        items.append(value)
        return len(items)

    def size(self, key: str) -> int:
        entry = self._entries[key]
        return len(entry.items) + len(entry.members)

    def items(self, key: str, start: int, count: int) -> Iterator[str]:
        items = self._entries[key].items
        end = len(items) - start
        return reversed(items[end - count : end])

    def remove_items(self, key: str, value: str) -> int:
        entry = self._entries[key]
        kept = [item for item in entry.items if item != value]
        removed = len(entry.items) - len(kept)
        entry.items = kept
        self._room.take(-removed * _cost(value))
        return removed

    def add_member(self, key: str, value: str) -> bool:
        entry = self._entries.get(key)
        if entry is not None and value in entry.members:
            return False
        self._grow(key, Kind.SET, value).members.add(value)
        return True

    def remove_member(self, key: str, value: str) -> bool:
        members = self._entries[key].members
        if value not in members:
            return False
        members.remove(value)
        self._room.take(-_cost(value))
        return True

    def members(self, key: str) -> Iterator[str]:
        return iter(self._entries[key].members)

    def _put_string(self, key: str, value: str, expires_at: float | None) -> None:
        before = self._entries.get(key)
        entry = _Entry(Kind.STRING, value, expires_at)
        self._room.take(entry.cost() + (_cost(key) if before is None else -before.cost()))
        self._entries[key] = entry

    def _grow(self, key: str, kind: Kind, value: str) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry(kind)
            self._room.take(_cost(key) + _OVERHEAD_BYTES + _cost(value))
            self._entries[key] = entry
        else:
            self._room.take(_cost(value))
        return entry

    def _forget_expired(self) -> None:
        while self._expiries and self._expiries[0][0] <= self._now:
            expires_at, key = heapq.heappop(self._expiries)
            entry = self._entries.get(key)
            # The key may since have been set anew; then another mark stands for it, or none.
            if entry is not None and entry.expires_at == expires_at:
                self.remove(key)

    def _forget_old_expiries(self) -> None:
        live = self._entries.items()
        self._expiries = [(entry.expires_at, key) for key, entry in live if entry.expires_at is not None]
        heapq.heapify(self._expiries)
