"""The key-value store: one set of semantics on three stores, SQLite (durable), memory and Redis."""

from host.providers.keyvalue.providers import MemoryKeyValueProvider, RedisKeyValueProvider, SqliteKeyValueProvider

__all__ = ["MemoryKeyValueProvider", "RedisKeyValueProvider", "SqliteKeyValueProvider"]
