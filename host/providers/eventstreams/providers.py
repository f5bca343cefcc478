"""The providers of event streams: their operations, and where each of them keeps the events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from host.codec.eventstreams import (
    CAPABILITY,
    OP_QUERY_STREAM,
    OP_WRITE_EVENT,
    Event,
    StreamQuery,
    StreamResults,
    WriteResponse,
)
from host.providers.backends import MemoryProvider, RedisProvider, SqliteProvider
from host.providers.base import Provider, ProviderError
from host.providers.eventstreams.memory import MemoryEvents
from host.providers.eventstreams.sqlite import SqliteEvents
from host.providers.eventstreams.store import MAX_COUNT, MAX_MILLISECONDS, EventStore, Span
from host.providers.redis_settings import REDIS_VALUES
from host.providers.sqlite_files import FILE_VALUES, FileSettings, path_value
from host.providers.values import IntegerValue

MAX_EVENTS = IntegerValue("MAX_EVENTS", 0, 0, 10**9)
MAX_VALUES = 100_000
"""Values of one event: a Redis server would end the connection at five times as many."""


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


class MemoryEventStreamsProvider(MemoryProvider[MemoryEvents], EventStreamsProvider):
    """Streams in memory, shared by all actors that are bound to the provider."""

    name = "waSCC Event Streams Provider (in memory)"
    long_description = "Streams of events, in memory: gone when the host stops."
    value_names = frozenset({MAX_EVENTS})

    def made(self, max_bytes: int, clock: Callable[[], float]) -> MemoryEvents:
        """No streams yet."""
        return MemoryEvents(max_bytes, clock)


class SqliteEventStreamsProvider(SqliteProvider[EventStore], EventStreamsProvider):
    """Streams in the file that each binding names; actors that name the same file share them."""

    name = "waSCC Event Streams Provider (SQLite)"
    long_description = "Streams of events, kept in a SQLite file."
    path = path_value("wascc-eventstreams.db")
    in_memory = "eventstreams_memory"
    value_names = FILE_VALUES | {path, MAX_EVENTS}

    def in_file(self, settings: FileSettings, busy_seconds: float, clock: Callable[[], float]) -> EventStore:
        """The streams in a file."""
        return SqliteEvents(settings, busy_seconds, clock)


class RedisEventStreamsProvider(RedisProvider[EventStore], EventStreamsProvider):
    """Streams on the Redis server that each binding names, with connections of its own for each actor."""

    name = "waSCC Event Streams Provider (Redis)"
    long_description = "Streams of events, kept by a Redis server."
    value_names = REDIS_VALUES | {MAX_EVENTS}
    store_module = "host.providers.eventstreams.redis_events"
