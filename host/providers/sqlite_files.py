"""SQLite files of providers: checked before they are touched, durable, and shared by threads and processes.

A file is in WAL mode. One connection writes and one reads, each for one thread at a time, so that nobody who reads
waits for the disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from host.logs import printable
from host.providers.base import ProviderError, reason
from host.providers.values import ChoiceValue, IntegerValue, TextValue

SYNCHRONOUS = ChoiceValue("SYNCHRONOUS", "full", "normal")
MAX_BYTES = IntegerValue("MAX_BYTES", 2**30, 2**20, 2**50)
FILE_VALUES = frozenset({SYNCHRONOUS, MAX_BYTES})
"""The values that every provider with a file has, beside the one that `path_value` makes."""
BUSY_SECONDS = 5.0
"""How long a call waits for other processes, unless the program says otherwise."""

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


class FileSettings(NamedTuple):
    """Which file, how durable (a choice of SYNCHRONOUS), and the size in bytes that it may grow to."""

    path: Path
    synchronous: str
    max_bytes: int

    @classmethod
    def of(cls, values: Mapping[str, str], path: TextValue, in_memory: str = "") -> FileSettings:
        """The settings in a binding's values; `in_memory` is the provider for who wants no file. Raises
        ProviderError."""
        text = path.of(values)
        if not text or text == ":memory:":
            hint = f"; for a store in memory use the provider {in_memory}" if in_memory else ""
            raise ProviderError(f"{path} must name a file{hint}")
        try:
            file = Path(text).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise ProviderError(f"{path} '{printable(text)}' is no path: {reason(error)}") from error
        return cls(file, SYNCHRONOUS.of(values), MAX_BYTES.of(values))


FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class FileForm:
    """What a kind of file is called in errors, how it is marked, and the statements that make its tables."""

    noun: str
    application_id: int
    schema_version: int
    tables: tuple[str, ...]


def path_value(default: str) -> TextValue:
    """The value PATH of a provider, which names its file."""
    return TextValue("PATH", default)


class _Guarded:
    """A connection and the lock of whoever uses it."""

    __slots__ = ("connection", "lock")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.lock = threading.Lock()

    def close(self) -> None:
        with self.lock:
            self.connection.close()


class SqliteConnector(ABC):
    """Opens connections to a file, which is made if it is not there; `noun` is what errors call it.

    `busy_seconds` is how long to wait for the lock of another process.
    """

    def __init__(self, settings: FileSettings, noun: str, busy_seconds: float) -> None:
        self._settings = settings
        self._noun = noun
        self._busy_seconds = busy_seconds

    @abstractmethod
    def claim(self, connection: sqlite3.Connection) -> None:
        """Refuse, with an `error`, a database that is not for this. Must change nothing in it then."""

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of SQLite and of the file system become ProviderErrors inside."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.error(_REASONS.get(primary_code(error), f"failed: {printable(str(error))}")) from error
        except OSError as error:
            raise self.error(f"cannot be opened: {reason(error)}") from error

    def error(self, what: str) -> ProviderError:
        """What is wrong with the file, as an error."""
        return ProviderError(f"the {self._noun} {printable(str(self._settings.path))} {what}")

    def open(self, cached_statements: int = 128) -> sqlite3.Connection:
        """A connection to the file, durable and bounded in size as the settings say. Raises sqlite3.Error."""
        settings = self._settings
        # Its owner's alone; SQLite would leave that to the umask, and say what is wrong if it cannot be made.
        with suppress(OSError):
            os.close(os.open(settings.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        connection = sqlite3.connect(
            settings.path,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=cached_statements,
        )
        try:
            self._patiently(lambda: self.claim(connection))
            self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall())
            connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {settings.max_bytes // page_bytes}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def check_path(self) -> None:
        """Refuse, with a reason, what SQLite would refuse without one."""
        path = self._settings.path
        if path.is_dir():
            raise self.error("is a folder, not a file")
        if path.exists() and not path.is_file():
            raise self.error("is not a regular file")
        if path.exists() and not os.access(path, os.W_OK):
            raise self.error("is not writable")
        if not path.parent.is_dir():
            raise self.error(f"has no folder to be in: {printable(str(path.parent))} is not one")

    def _patiently(self, action: Callable[[], object]) -> None:
        # SQLite does not wait for a lock by itself where processes change the journal mode at the same time.
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                action()
            except sqlite3.Error as error:
                if primary_code(error) not in _RETRIED or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return


class SqliteFile(SqliteConnector):
    """A file of one form; nothing that is no such file is touched. Raises ProviderError, as all its methods do."""

    def __init__(self, settings: FileSettings, form: FileForm, busy_seconds: float) -> None:
        super().__init__(settings, form.noun, busy_seconds)
        self._form = form
        with self.translated():
            self.check_path()
            self._writer = _Guarded(self.open())
            try:
                self._reader = _Guarded(self.open())
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that changes the file, on disk when it ends, and undone if it raises."""
        with self._transaction(self._writer, "BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that only reads; it sees the file as it was at its first read."""
        with self._transaction(self._reader, "BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Wait for the transactions under way and close the file."""
        self._reader.close()
        self._writer.close()

    def claim(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file; refuse a database that is not of this form or of a later version.

        Changes nothing else.
        """
        form = self._form
        connection.execute("BEGIN IMMEDIATE")
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (schema_version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if (application, schema_version, tables) == (0, 0, 0):
                for statement in form.tables:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {form.application_id}")
                connection.execute(f"PRAGMA user_version = {form.schema_version}")
            elif application != form.application_id:
                raise self.error("is a database of something else")
            elif schema_version != form.schema_version:
                raise self.error(f"has schema version {schema_version}; known is {form.schema_version}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    @contextmanager
    def _transaction(self, guarded: _Guarded, begin: str) -> Iterator[sqlite3.Connection]:
        connection = guarded.connection
        with guarded.lock, self.translated():
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's code of an error, without what only some errors have; 0 if there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
