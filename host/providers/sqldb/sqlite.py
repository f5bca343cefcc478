"""A session on a SQLite file: one connection that reads and one that writes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from host.codec.sqldb import SqlValue
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.sqldb.session import Allowance, Limits, Outcome, OutcomeUnknown, TooLate
from host.providers.sqldb.settings import SqliteSettings
from host.providers.sqldb.sqlite_guard import Guard
from host.providers.sqlite_files import SqliteConnector, primary_code

NOUN = "database"
MAX_SQL_BYTES = 2**20
"""The longest statement."""

_STEPS = 1000
"""How many instructions of SQLite's machine are done between two looks at the clock."""
_LIMITS: Mapping[int, int] = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL_BYTES,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 100,
}
_JOURNAL_BYTES = 2**26


class SqliteSession(SqliteConnector):
    """The session; raises ProviderError for a file that cannot be used."""

    def __init__(self, settings: SqliteSettings, limits: Limits) -> None:
        super().__init__(settings.file, NOUN, float(limits.seconds))
        self._limits = limits
        self._deadline = 0.0
        with self.translated():
            self.check_path()
            self._writer, self._writer_guard = self._guarded(settings, read_only=False)
            self._reader, self._reader_guard = self._guarded(settings, read_only=True)
        self._connection, self._guard = self._reader, self._reader_guard

    def begin(self, read_only: bool, allowance: Allowance) -> None:
        """Begin a transaction; a writing one waits for the lock of others."""
        reading, writing = (self._reader, self._reader_guard), (self._writer, self._writer_guard)
        self._connection, self._guard = reading if read_only else writing
        self._deadline = allowance.deadline
        with self.translated():
            self._connection.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")

    def run(self, sql: str, parameters: Sequence[SqlValue], allowance: Allowance) -> Outcome:
        """Carry out one statement. Raises ProviderError."""
        given = _Parameters(parameters)
        self._guard.watch()
        try:
            with _errors_of_statements(self._guard, self._limits):
                cursor = self._connection.execute(sql, given)
                outcome = _fetched(cursor, allowance)
        finally:
            self._guard.trusted = True
        given.check_all_used()
        if not self._connection.in_transaction:
            raise ProviderError("the statement ended the transaction")
        if self._guard.changes_rows:
            self._count(outcome)
        return outcome

    def commit(self) -> None:
        """Commit."""
        with self.translated():
            self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back, if there is something to roll back."""
        self._deadline = 0.0
        if self._connection.in_transaction:
            with self.translated():
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close both connections; the writer last, which tidies up the files beside the database."""
        with suppress(sqlite3.Error):
            self._reader.close()
        with suppress(sqlite3.Error):
            self._writer.close()

    def claim(self, connection: sqlite3.Connection) -> None:
        """Refuse the database of another program. Any other is used as it is."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application:
            raise self.error("is a database of something else")

    def _guarded(self, settings: SqliteSettings, read_only: bool) -> tuple[sqlite3.Connection, Guard]:
        # A statement from the cache would not be asked of the authorizer.
        connection = self.open(cached_statements=0)
        for pragma in (
            "trusted_schema = OFF",
            "temp_store = MEMORY",
            "cell_size_check = ON",
            f"journal_size_limit = {_JOURNAL_BYTES}",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, settings.max_value_bytes)
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        guard = Guard(read_only)
        connection.set_authorizer(guard.authorize)
        connection.set_progress_handler(self._is_late, _STEPS)
        return connection, guard

    def _is_late(self) -> bool:
        return 0.0 < self._deadline <= time.monotonic()

    def _count(self, outcome: Outcome) -> None:
        with self.translated():
            (outcome.affected_rows,) = self._connection.execute("SELECT changes()").fetchone()
            table = self._guard.inserted_into
            if table is None or not outcome.affected_rows:
                return
            # Neither a view nor a table without row ids tells SQLite which row was the last.
            found = self._connection.execute(
                "SELECT last_insert_rowid() FROM pragma_table_list "
                "WHERE schema = 'main' AND name = ? COLLATE NOCASE AND type = 'table' AND NOT wr",
                (table,),
            ).fetchone()
        outcome.last_insert_id = None if found is None else found[0]


class _Parameters(Mapping[str, SqlValue]):
    """The parameters under the names `1`, `2`…, which remembers those that were asked for."""

    def __init__(self, values: Sequence[SqlValue]) -> None:
        self._values = values
        self._used: set[str] = set()
        for number, value in enumerate(values, 1):
            if value != value:  # noqa: PLR0124
                raise ProviderError(f"parameter ${number} is NaN, which SQLite does not have")

    def __getitem__(self, name: str) -> SqlValue:
        number = int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else 0
        if not 1 <= number <= len(self._values):
            raise ProviderError(f"the statement asks for parameter {printable(name)} of {len(self._values)}")
        self._used.add(str(number))
        return self._values[number - 1]

    def __iter__(self) -> Iterator[str]:
        return iter(str(number) for number in range(1, len(self) + 1))

    def __len__(self) -> int:
        return len(self._values)

    def check_all_used(self) -> None:
        """Raises ProviderError for a parameter that the statement does not have."""
        for name in self:
            if name not in self._used:
                raise ProviderError(f"the statement has no parameter ${name}")


def _fetched(cursor: sqlite3.Cursor, allowance: Allowance) -> Outcome:
    if cursor.description is None:
        return Outcome()
    outcome = Outcome(tuple(column[0] for column in cursor.description))
    allowance.take_columns(outcome.columns)
    for row in cursor:
        if not allowance.take_row(row):
            outcome.complete = False
            break
        outcome.rows.append(row)
    cursor.close()
    return outcome
