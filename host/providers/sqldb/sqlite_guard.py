"""What SQL may do in a SQLite file: SQLite asks the authorizer about each action when it prepares a statement.

What is not named here is refused: other files (ATTACH, VACUUM INTO), transactions, temporary and virtual tables, and
all pragmas but those that describe tables.
"""

from __future__ import annotations

import sqlite3

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
_CHANGING = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_REINDEX,
        sqlite3.SQLITE_ANALYZE,
    }
)
_CHANGING_ROWS = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_NAMES = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_TRANSACTION: "transaction control:",
    sqlite3.SQLITE_SAVEPOINT: "SAVEPOINT",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_FUNCTION: "function",
    sqlite3.SQLITE_READ: "table",
    sqlite3.SQLITE_CREATE_VTABLE: "virtual table",
    sqlite3.SQLITE_DROP_VTABLE: "virtual table",
}
PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
)
_NO_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})
_TABLES_OF_SQLITE = frozenset({"sqlite_stmt", "sqlite_dbpage", "sqlite_memstat", "bytecode", "tables_used", "dbstat"})
"""Virtual tables that show what is in the process or in the file beside the data."""


class Guard:
    """The authorizer of one connection. While `trusted`, everything is allowed: for the statements of our own."""

    def __init__(self, read_only: bool) -> None:
        self._allowed = _READING if read_only else _READING | _CHANGING
        self._read_only = read_only
        self.trusted = True
        self.refused = ""
        """What the last statement was refused for."""
        self.changes_tables = False
        self.changes_rows = False
        self.inserted_into: str | None = None
        """The table that the last statement inserts into, by itself and not by a trigger."""

    def watch(self) -> None:
        """Forget the last statement; from now on guests' SQL is prepared."""
        self.trusted = False
        self.refused = ""
        self.changes_tables = False
        self.changes_rows = False
        self.inserted_into = None

    def authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        """SQLite's authorizer callback: whether the action may be done."""
        if self.trusted:
            return sqlite3.SQLITE_OK
        if database == "temp" or not self._may(action, first, second):
            self.refused = self._describe(action, first, second)
            return sqlite3.SQLITE_DENY
        if action in _CHANGING - _CHANGING_ROWS:
            self.changes_tables = True
        elif action in _CHANGING_ROWS and trigger is None and first is not None and not first.startswith("sqlite_"):
            self.changes_rows = True
            if action == sqlite3.SQLITE_INSERT:
                self.inserted_into = first
        return sqlite3.SQLITE_OK

    def _may(self, action: int, first: str | None, second: str | None) -> bool:
        if action == sqlite3.SQLITE_READ:
            return (first or "").lower() not in _TABLES_OF_SQLITE
        if action == sqlite3.SQLITE_FUNCTION:
            return (second or "").lower() not in _NO_FUNCTIONS
        if action == sqlite3.SQLITE_PRAGMA:
            return (first or "").lower() in PRAGMAS
        return action in self._allowed

    def _describe(self, action: int, first: str | None, second: str | None) -> str:
        if self._read_only and action in _CHANGING:
            return "a query only reads; changes are for Execute and Batch"
        if action not in _NAMES:
            return "temporary tables, indexes, views and triggers are not allowed"
        subject = second if action == sqlite3.SQLITE_FUNCTION else first
        return f"{_NAMES[action]} {subject or ''} is not allowed".replace("  ", " ")
