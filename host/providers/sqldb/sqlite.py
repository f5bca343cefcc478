"""A session on a SQLite file: one connection that reads and one that writes."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from host.codec.sqldb import SqlValue
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.sqldb.session import MAX_SQL_BYTES, Allowance, Limits, Outcome, TooLate
from host.providers.sqldb.settings import SqliteSettings
from host.providers.sqldb.sqlite_guard import PRAGMAS, Guard
from host.providers.sqlite_files import SqliteConnector, primary_code

NOUN = "database"
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
_NOTHING = re.compile(r"(?>[\s;]|--[^\n]*|/\*(?>(?!\*/).)*(?:\*/|\Z))*", re.DOTALL)
"""What SQLite takes for no statement: blanks and comments."""
_TABLES_OF_FUNCTIONS = ("json_each", "json_tree", *(f"pragma_{name}" for name in sorted(PRAGMAS)))
_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR,
    }
)
"""Codes of errors that are not the statement's."""
_TEXTS: Mapping[str, str] = {
    "You can only execute one statement at a time": "only one statement is allowed at a time",
    "Binding ": "parameters are written $1, $2…",
    "Could not decode to UTF-8": "a text in the answer is not UTF-8",
}
"""What Python's errors mean here, by how they begin."""


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
        if _NOTHING.fullmatch(sql):
            raise ProviderError("there is no statement")
        given = _Parameters(parameters)
        self._guard.watch()
        try:
            with self._errors_of_statements():
                cursor = self._connection.execute(sql, given)
                outcome = _fetched(cursor, allowance)
        finally:
            self._guard.trusted = True
        given.check_all_used()
        if not self._connection.in_transaction:
            raise ProviderError("the statement ended the transaction")
        if self._guard.changes_rows and not self._guard.changes_tables:
            self._count(outcome)
        return outcome

    def commit(self) -> None:
        """Commit; a constraint that is checked only now may refuse it."""
        with self._errors_of_statements():
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
        for table in _TABLES_OF_FUNCTIONS:
            # SQLite declares such a table when it is first used, which the authorizer would have to allow.
            connection.execute(f"SELECT 1 FROM {table} LIMIT 0")  # noqa: S608
        guard = Guard(read_only)
        connection.set_authorizer(guard.authorize)
        connection.set_progress_handler(self._is_late, _STEPS)
        return connection, guard

    def _is_late(self) -> bool:
        return 0.0 < self._deadline <= time.monotonic()

    @contextmanager
    def _errors_of_statements(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning) as error:
            if self._guard.refused:
                raise ProviderError(printable(self._guard.refused)) from error
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_INTERRUPT:
                raise TooLate(self._limits.seconds) from error
            if code == sqlite3.SQLITE_TOOBIG:
                raise ProviderError("a statement or value is too long") from error
            if isinstance(error, sqlite3.Error) and primary_code(error) in _OF_THE_FILE:
                with self.translated():
                    raise
            text = next((ours for theirs, ours in _TEXTS.items() if str(error).startswith(theirs)), str(error))
            raise ProviderError(printable(text)) from error

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


class _Parameters(dict[str, SqlValue]):
    """The parameters under the names `1`, `2`…, which remembers those that were asked for."""

    def __init__(self, values: Sequence[SqlValue]) -> None:
        super().__init__((str(number), value) for number, value in enumerate(values, 1))
        self._unused = set(self)
        for name, value in self.items():
            if value != value:  # noqa: PLR0124
                raise ProviderError(f"parameter ${name} is NaN, which SQLite does not have")

    def __getitem__(self, name: str) -> SqlValue:
        if name not in self:
            raise ProviderError(f"the statement asks for parameter ${printable(name)}; there are {len(self)}")
        self._unused.discard(name)
        return super().__getitem__(name)

    def check_all_used(self) -> None:
        """Raises ProviderError for parameters that the statement does not have."""
        if self._unused:
            raise ProviderError(f"the statement has no parameter ${min(self._unused, key=int)}")


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
