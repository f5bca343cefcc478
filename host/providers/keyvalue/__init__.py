"""The key-value store: one set of semantics over two storages, SQLite (durable) and memory."""

from host.providers.keyvalue.providers import MemoryKeyValueProvider, SqliteKeyValueProvider

__all__ = ["MemoryKeyValueProvider", "SqliteKeyValueProvider"]
