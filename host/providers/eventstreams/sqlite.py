"""Event streams in a SQLite file; the tables are described in `docs/providers/eventstreams.md`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping

from host.providers.eventstreams.store import BEGINNING, EventId, Span, StoredEvent, bounded
from host.providers.sqlite_files import FileForm, FileSettings, SqliteFile

FORM = FileForm(
    noun="store of event streams",
    application_id=0x77617365,
    schema_version=1,
    tables=(
        """CREATE TABLE streams (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, milliseconds INTEGER NOT NULL, sequence INTEGER NOT NULL,
            size INTEGER NOT NULL)""",
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES streams ON DELETE CASCADE,
            milliseconds INTEGER NOT NULL, sequence INTEGER NOT NULL, data TEXT NOT NULL)""",
        "CREATE UNIQUE INDEX events_in_order ON events (stream, milliseconds, sequence)",
    ),
)


class SqliteEvents:
    """Streams in a file; `busy_seconds` is how long to wait for other processes, `clock` the seconds since 1970."""

    def __init__(self, settings: FileSettings, busy_seconds: float, clock: Callable[[], float]) -> None:
        self._file = SqliteFile(settings, FORM, busy_seconds)
        self._clock = clock

    def write(self, stream: str, values: Mapping[str, str], keep: int) -> str:
        data = json.dumps(dict(values), ensure_ascii=False, separators=(",", ":"))
        with self._file.writing() as connection:
            number, last, size = _found_or_added(connection, stream)
            if keep and size >= keep:
                size -= _remove_first(connection, number, size - keep + 1)
            event_id = last.next(self._clock())
            connection.execute(
                "INSERT INTO events (stream, milliseconds, sequence, data) VALUES (?, ?, ?, ?)",
                (number, *event_id, data),
            )
            connection.execute(
                "UPDATE streams SET milliseconds = ?, sequence = ?, size = ? WHERE id = ?",
                (*event_id, size + 1, number),
            )
            return str(event_id)

    def query(self, stream: str, span: Span) -> list[StoredEvent]:
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT milliseconds, sequence, data FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?)"
                " AND milliseconds BETWEEN ? AND ? ORDER BY milliseconds, sequence LIMIT ?",
                (stream, span.first, span.last, span.count or -1),
            )
            return bounded(stream, (StoredEvent(str(EventId(*id_)), json.loads(data)) for *id_, data in rows))

    def close(self) -> None:
        self._file.close()


def _found_or_added(connection: sqlite3.Connection, stream: str) -> tuple[int, EventId, int]:
    """A stream's number, the last id it gave, and how many events it has."""
    row = connection.execute(
        "SELECT id, milliseconds, sequence, size FROM streams WHERE name = ?", (stream,)
    ).fetchone()
    if row is not None:
        return row[0], EventId(row[1], row[2]), row[3]
    added = connection.execute("INSERT INTO streams VALUES (NULL, ?, ?, ?, 0)", (stream, *BEGINNING))
    return int(added.lastrowid or 0), BEGINNING, 0


def _remove_first(connection: sqlite3.Connection, number: int, count: int) -> int:
    return connection.execute(
        "DELETE FROM events WHERE id IN"
        " (SELECT id FROM events WHERE stream = ? ORDER BY milliseconds, sequence LIMIT ?)",
        (number, count),
    ).rowcount
