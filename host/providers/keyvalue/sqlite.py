"""The store in a SQLite file: what a call has answered survives the process, and several processes may share the file.

The file is in WAL mode. One connection writes and one reads, each for one thread at a time, so that nobody who reads
waits for the disk. The tables are described in `docs/providers/keyvalue.md`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.keyvalue.storage import Kind

APPLICATION_ID = 0x77617363
"""Marks the file as ours ("wasc")."""
SCHEMA_VERSION = 1
SYNCHRONOUS = ("full", "normal")
MIN_BYTES = 2**20

_SCHEMA = (
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
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_EXPIRED_AT_ONCE = 32
"""How many expired keys a Set with an expiry clears away."""
_PAUSE_SECONDS = 0.02

_REASONS = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_PROTOCOL: "is locked by another process",
    sqlite3.SQLITE_FULL: "is full, or its disk is",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_PERM: "cannot be accessed",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}
_RETRIED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


class _Guarded:
    """A connection and the lock of whoever uses it."""

    __slots__ = ("connection", "lock")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.lock = threading.Lock()

    def close(self) -> None:
        with self.lock:
            self.connection.close()


class SqliteStorage:
    """Storage in the file `path`, which is made if it is not there; nothing that is no store of ours is touched.

    `synchronous` is one of SYNCHRONOUS, `max_bytes` the size that the database may grow to, `busy_seconds` how long to
    wait for a lock, `clock` the time in seconds since 1970. Raises ProviderError.
    """

    def __init__(
        self, path: Path, synchronous: str, max_bytes: int, busy_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._clock = clock
        self._busy_seconds = busy_seconds
        with self._translated():
            _check_path(path)
            self._writer = _Guarded(self._open(synchronous, max_bytes))
            try:
                self._reader = _Guarded(self._open(synchronous, max_bytes))
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def writing(self) -> Iterator[SqliteTransaction]:
        """A transaction that changes the store, on disk when it ends."""
        with self._transaction(self._writer, "BEGIN IMMEDIATE") as transaction:
            yield transaction

    @contextmanager
    def reading(self) -> Iterator[SqliteTransaction]:
        """A transaction that only reads; it sees the store as it was at its first read."""
        with self._transaction(self._reader, "BEGIN") as transaction:
            yield transaction

    def close(self) -> None:
        """Wait for the transactions under way and close the file."""
        self._reader.close()
        self._writer.close()

    @contextmanager
    def _transaction(self, guarded: _Guarded, begin: str) -> Iterator[SqliteTransaction]:
        connection = guarded.connection
        with guarded.lock, self._translated():
            connection.execute(begin)
            try:
                yield SqliteTransaction(connection, self._clock())
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            reason = _REASONS.get(_primary_code(error), f"failed: {error}")
            raise ProviderError(f"{_shown(self._path)} {reason}") from error
        except OSError as error:
            raise ProviderError(f"{_shown(self._path)} cannot be opened: {error.strerror}") from error

    def _open(self, synchronous: str, max_bytes: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._patiently(lambda: _claim(connection, self._path))
            self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall())
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _patiently(self, action: Callable[[], object]) -> None:
        # SQLite does not wait for a lock by itself where processes change the journal mode at the same time.
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                action()
            except sqlite3.Error as error:
                if _primary_code(error) not in _RETRIED or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return


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


def _check_path(path: Path) -> None:
    """Refuse, with a reason, what SQLite would refuse without one."""
    if path.is_dir():
        raise ProviderError(f"{_shown(path)} is a folder, not a file")
    if path.exists() and not path.is_file():
        raise ProviderError(f"{_shown(path)} is not a regular file")
    if path.exists() and not os.access(path, os.W_OK):
        raise ProviderError(f"{_shown(path)} is not writable")
    if not path.parent.is_dir():
        raise ProviderError(f"{_shown(path)} has no folder to be in: {path.parent} is not one")


def _claim(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file; refuse a database that is not ours or of a later version. Changes nothing else."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (schema_version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application, schema_version, tables) == (0, 0, 0):
            for statement in _SCHEMA:
                connection.execute(statement)
        elif application != APPLICATION_ID:
            raise ProviderError(f"{_shown(path)} is a database of something else")
        elif schema_version != SCHEMA_VERSION:
            raise ProviderError(f"{_shown(path)} has schema version {schema_version}; known is {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _shown(path: Path) -> str:
    return f"the key-value store {printable(str(path))}"
