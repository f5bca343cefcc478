"""The store in a SQLite file; the tables are described in `docs/providers/keyvalue.md`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from host.providers.keyvalue.storage import Kind
from host.providers.sqlite_files import FileForm, FileSettings, SqliteFile

FORM = FileForm(
    noun="key-value store",
    application_id=0x77617363,
    schema_version=1,
    tables=(
        """CREATE TABLE entries (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, value TEXT,
            size INTEGER NOT NULL DEFAULT 0, expires_at REAL)""",
        "CREATE INDEX entries_expires_at ON entries (expires_at) WHERE expires_at IS NOT NULL",
        """CREATE TABLE items (
            entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE, position INTEGER NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (entry, position)) WITHOUT ROWID""",
        """CREATE TABLE members (
            entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE, value TEXT NOT NULL,
            PRIMARY KEY (entry, value)) WITHOUT ROWID""",
    ),
)
_EXPIRED_AT_ONCE = 32
"""How many expired keys a Set with an expiry clears away."""


class SqliteStorage:
    """Storage in a file; `busy_seconds` is how long to wait for other processes, `clock` the seconds since 1970."""

    def __init__(self, settings: FileSettings, busy_seconds: float, clock: Callable[[], float]) -> None:
        self._file = SqliteFile(settings, FORM, busy_seconds)
        self._clock = clock

    @contextmanager
    def writing(self) -> Iterator[SqliteTransaction]:
        """A transaction that changes the store, on disk when it ends."""
        with self._file.writing() as connection:
            yield SqliteTransaction(connection, self._clock())

    @contextmanager
    def reading(self) -> Iterator[SqliteTransaction]:
        """A transaction that only reads; it sees the store as it was at its first read."""
        with self._file.reading() as connection:
            yield SqliteTransaction(connection, self._clock())

    def close(self) -> None:
        """Wait for the transactions under way and close the file."""
        self._file.close()


class SqliteTransaction:
    """One transaction on a connection; `now` is its time."""

    __slots__ = ("_entries", "_execute", "_now")

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._execute = connection.execute
        self._now = now
        self._entries: dict[str, tuple[int, Kind] | None] = {}

    def kind(self, key: str) -> Kind | None:
        entry = self._find(key)
        return None if entry is None else entry[1]

    def remove(self, key: str) -> None:
        self._execute("DELETE FROM entries WHERE key = ?", (key,))
        self._entries[key] = None

    def string(self, key: str) -> str:
        return str(self._value("SELECT value FROM entries WHERE id = ?", self._id(key)))

    def set_string(self, key: str, value: str, lifetime: int) -> None:
        if lifetime:
            self._clear_expired()
        self.remove(key)
        self._execute(
            "INSERT INTO entries (key, kind, value, expires_at) VALUES (?, ?, ?, ?)",
            (key, Kind.STRING, value, self._now + lifetime if lifetime else None),
        )
        del self._entries[key]

    def replace_string(self, key: str, value: str) -> None:
        self._execute("UPDATE entries SET value = ? WHERE id = ?", (value, self._id(key)))

    def push(self, key: str, value: str) -> int:
        entry = self._find_or_add(key, Kind.LIST)
        self._execute(
            "INSERT INTO items SELECT ?, coalesce(min(position), 0) - 1, ? FROM items WHERE entry = ?",
            (entry, value, entry),
        )
        self._resize(entry, 1)
        return self.size(key)

    def size(self, key: str) -> int:
        return int(self._value("SELECT size FROM entries WHERE id = ?", self._id(key)))

    def items(self, key: str, start: int, count: int) -> Iterator[str]:
        statement = "SELECT value FROM items WHERE entry = ? ORDER BY position LIMIT ? OFFSET ?"
        return (value for (value,) in self._execute(statement, (self._id(key), count, start)))

    def remove_items(self, key: str, value: str) -> int:
        return self._delete("DELETE FROM items WHERE entry = ? AND value = ?", self._id(key), value)

    def add_member(self, key: str, value: str) -> bool:
        entry = self._find_or_add(key, Kind.SET)
        added = self._execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (entry, value)).rowcount
        self._resize(entry, added)
        return added > 0

    def remove_member(self, key: str, value: str) -> bool:
        return self._delete("DELETE FROM members WHERE entry = ? AND value = ?", self._id(key), value) > 0

    def members(self, key: str) -> Iterator[str]:
        rows = self._execute("SELECT value FROM members WHERE entry = ?", (self._id(key),))
        return (value for (value,) in rows)

    def _find(self, key: str) -> tuple[int, Kind] | None:
        if key not in self._entries:
            row = self._execute(
                "SELECT id, kind FROM entries WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)",
                (key, self._now),
            ).fetchone()
            self._entries[key] = None if row is None else (row[0], Kind(row[1]))
        return self._entries[key]

    def _id(self, key: str) -> int:
        entry = self._find(key)
        if entry is None:
            raise KeyError(key)
        return entry[0]

    def _find_or_add(self, key: str, kind: Kind) -> int:
        entry = self._find(key)
        if entry is None:
            self.remove(key)
            added = self._execute("INSERT INTO entries (key, kind) VALUES (?, ?)", (key, kind))
            entry = self._entries[key] = (int(added.lastrowid or 0), kind)
        return entry[0]

    def _delete(self, statement: str, entry: int, value: str) -> int:
        removed = self._execute(statement, (entry, value)).rowcount
        self._resize(entry, -removed)
        return removed

    def _resize(self, entry: int, change: int) -> None:
        if change:
            self._execute("UPDATE entries SET size = size + ? WHERE id = ?", (change, entry))

    def _value(self, statement: str, entry: int) -> Any:
        return self._execute(statement, (entry,)).fetchone()[0]

    def _clear_expired(self) -> None:
        self._execute(
            "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires_at <= ? LIMIT ?)",
            (self._now, _EXPIRED_AT_ONCE),
        )
