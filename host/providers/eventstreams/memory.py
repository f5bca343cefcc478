"""Event streams in memory: gone with the process."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from host.providers.eventstreams.store import BEGINNING, EventId, Span, StoredEvent, bounded
from host.providers.room import Room, text_bytes

_OVERHEAD_BYTES = 500
"""About what a stream or an event costs beside its text."""
_VALUE_BYTES = 250
"""About what a value costs beside its text."""


@dataclass(slots=True)
class _Stream:
    """The events of one stream; those before `start` are removed, and go when there are enough of them."""

    last: EventId = BEGINNING
    start: int = 0
    ids: list[EventId] = field(default_factory=list)
    values: list[Mapping[str, str]] = field(default_factory=list)


class MemoryEvents:
    """Streams in lists that hold about `max_bytes` altogether; `clock` tells the seconds since 1970."""

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        self._room = Room("the store of event streams", max_bytes)

    def write(self, stream: str, values: Mapping[str, str], keep: int) -> str:
        with self._lock:
            found = self._streams.get(stream)
            kept = _Stream() if found is None else found
            removed = max(len(kept.ids) - kept.start - keep + 1, 0) if keep else 0
            cost = _cost(values) + (text_bytes(stream) + _OVERHEAD_BYTES if found is None else 0)
            cost -= sum(map(_cost, kept.values[kept.start : kept.start + removed]))
            self._room.take(cost)
            self._streams[stream] = kept
            _remove(kept, removed)
            kept.last = kept.last.next(self._clock())
            kept.ids.append(kept.last)
            kept.values.append(dict(values))
            return str(kept.last)

    def query(self, stream: str, span: Span) -> list[StoredEvent]:
        with self._lock:
            found = self._streams.get(stream)
            if found is None:
                return []
            first = bisect_left(found.ids, EventId(span.first, 0), found.start)
            last = bisect_right(found.ids, span.last, found.start, key=lambda each: each.milliseconds)
            where = range(first, last)[: span.count or None]
            return bounded(stream, (StoredEvent(str(found.ids[index]), found.values[index]) for index in where))

    def close(self) -> None:
        with self._lock:
            self._streams.clear()
            self._room.clear()


def _remove(stream: _Stream, count: int) -> None:
    end = stream.start + count
    stream.values[stream.start : end] = [{}] * count
    stream.start = end
    if end * 2 > len(stream.ids):
        del stream.ids[:end], stream.values[:end]
        stream.start = 0


def _cost(values: Mapping[str, str]) -> int:
    return _OVERHEAD_BYTES + sum(_VALUE_BYTES + text_bytes(name) + text_bytes(text) for name, text in values.items())
