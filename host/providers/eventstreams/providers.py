"""The providers of event streams: their operations, and where each of them keeps the events."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping

from host.codec.eventstreams import (
    CAPABILITY,
    OP_QUERY_STREAM,
    OP_WRITE_EVENT,
    Event,
    StreamQuery,
    StreamResults,
    WriteResponse,
)
from host.providers.base import Provider, ProviderError
from host.providers.eventstreams.memory import MemoryEvents
from host.providers.eventstreams.sqlite import SqliteEvents
from host.providers.eventstreams.store import MAX_COUNT, MAX_MILLISECONDS, EventStore, Span
from host.providers.opened import OpeningProvider
from host.providers.optional import import_with_extra
from host.providers.redis_settings import REDIS_VALUES, RedisSettings
from host.providers.sqlite_files import BUSY_SECONDS, FILE_VALUES, FileSettings, path_value
from host.providers.values import IntegerValue

MAX_EVENTS = IntegerValue("MAX_EVENTS", 0, 0, 10**9)
MAX_VALUES = 100_000
"""Values of one event: a Redis server would end the connection at five times as many."""

PATH = path_value("wascc-eventstreams.db")
MEMORY_MAX_BYTES = 2**28


class EventStreamsProvider(Provider, ABC):
    """The operations, on the store of the actor that asks; `docs/providers/eventstreams.md`."""

    capability = CAPABILITY

    def __init__(self) -> None:
        super().__init__()
        self.route(OP_WRITE_EVENT, Event, self._write, "Appends an event to a stream")
        self.route(OP_QUERY_STREAM, StreamQuery, self._query, "Reads events of a stream")

    @abstractmethod
    def store(self, actor: str) -> EventStore:
        """Where a bound actor's streams are. Raises ProviderError."""

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Check what all these providers have in common."""
        super().bind(actor, values)
        MAX_EVENTS.of(values)

    def _write(self, actor: str, event: Event) -> WriteResponse:
        if not event.values:
            raise ProviderError("an event needs at least one value")
        if len(event.values) > MAX_VALUES:
            raise ProviderError(f"an event has at most {MAX_VALUES} values")
        return WriteResponse(self.store(actor).write(event.stream, event.values, MAX_EVENTS.of(self.values_of(actor))))

    def _query(self, actor: str, query: StreamQuery) -> StreamResults:
        found = self.store(actor).query(query.stream_id, _span(query))
        return StreamResults(tuple(Event(each.id, query.stream_id, each.values) for each in found))


def _span(query: StreamQuery) -> Span:
    """The milliseconds of the seconds that are asked for, from the first of the first to the last of the last."""
    count = min(query.count, MAX_COUNT)
    if query.range is None:
        return Span(0, MAX_MILLISECONDS, count)
    first, last = query.range.min_time * 1000, query.range.max_time * 1000 + 999
    return Span(min(first, MAX_MILLISECONDS), min(last, MAX_MILLISECONDS), count)


class MemoryEventStreamsProvider(EventStreamsProvider):
    """Streams in memory, shared by all actors that are bound to the provider.

    `max_bytes` bounds what they may hold, about; `clock` tells the seconds since 1970.
    """

    name = "waSCC Event Streams Provider (in memory)"
    long_description = "Streams of events, in memory: gone when the host stops."
    value_names = frozenset({MAX_EVENTS})

    def __init__(self, max_bytes: int = MEMORY_MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._store = MemoryEvents(max_bytes, clock)

    def store(self, actor: str) -> EventStore:
        """The one store."""
        return self._store

    def close(self) -> None:
        """Forget everything."""
        self._store.close()


class SqliteEventStreamsProvider(OpeningProvider[EventStore], EventStreamsProvider):
    """Streams in the file that each binding names; actors that name the same file share them.

    `busy_seconds` is how long a call waits for other processes, `clock` tells the seconds since 1970.
    """

    name = "waSCC Event Streams Provider (SQLite)"
    long_description = "Streams of events, kept in a SQLite file."
    value_names = FILE_VALUES | {PATH, MAX_EVENTS}

    def __init__(self, busy_seconds: float = BUSY_SECONDS, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._busy_seconds = busy_seconds
        self._clock = clock

    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], EventStore]]:
        """The file, which actors with the same settings share."""
        settings = FileSettings.of(values, PATH, "eventstreams_memory")
        return settings, lambda: SqliteEvents(settings, self._busy_seconds, self._clock)


class RedisEventStreamsProvider(OpeningProvider[EventStore], EventStreamsProvider):
    """Streams on the Redis server that each binding names, with connections of its own for each actor.

    Actors share what is there if they name the same server, database and prefix.
    """

    name = "waSCC Event Streams Provider (Redis)"
    long_description = "Streams of events, kept by a Redis server."
    value_names = REDIS_VALUES | {MAX_EVENTS}

    def __init__(self) -> None:
        super().__init__()
        self._open: Callable[[RedisSettings], EventStore]
        self._open = import_with_extra("host.providers.eventstreams.redis_events", "redis").open_store

    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], EventStore]]:
        """The actor's own connections to the server."""
        settings = RedisSettings.of(values)
        return (actor, settings), lambda: self._open(settings)
