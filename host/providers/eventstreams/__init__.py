"""Event streams: one set of semantics on three stores, SQLite (durable), memory and Redis."""

from host.providers.eventstreams.providers import (
    MemoryEventStreamsProvider,
    RedisEventStreamsProvider,
    SqliteEventStreamsProvider,
)

__all__ = ["MemoryEventStreamsProvider", "RedisEventStreamsProvider", "SqliteEventStreamsProvider"]
