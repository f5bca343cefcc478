"""A session on a PostgreSQL database: SQLAlchemy's engine connects, and libpq carries out the statements.

Statements go to the server as they are, each as a message of its own with its parameters beside it, which the server
parses (the extended query protocol). Rows are taken one by one, so that what is not wanted is not gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from host.codec.sqldb import SqlValue
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.sqldb.postgresql_statements import check_statement
from host.providers.sqldb.session import (
    MAX_SQL_BYTES,
    Allowance,
    ConnectionLost,
    Limits,
    Outcome,
    OutcomeUnknown,
    TooLate,
)
from host.providers.sqldb.settings import PostgresqlSettings

CONNECT_SECONDS = 5

_PASSED_OVER = 100
"""How many rows that are not wanted are passed over before the statement is cancelled, which takes a new connection."""

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_OPTIONS = (
    "-c client_encoding=UTF8 -c standard_conforming_strings=on -c DateStyle=ISO -c IntervalStyle=iso_8601 "
    "-c TimeZone=UTC -c bytea_output=hex -c extra_float_digits=1"
)
"""How the server writes values, whatever its own settings are."""
_KEEP_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3}
_RIGHTS = """SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles
    WHERE (rolsuper OR rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
    AND pg_catalog.pg_has_role(oid, 'MEMBER'))"""
"""Whether the role is, or can make itself, one that reaches beyond its database."""
_QUERY_CANCELED = "57014"
_INTEGERS = (20, 21, 23, 26)
_READERS: Mapping[int, Callable[[bytes], SqlValue]] = {
    16: lambda text: text == b"t",
    17: lambda text: bytes.fromhex(text[2:].decode("ascii")),
    **dict.fromkeys(_INTEGERS, int),
    700: float,
    701: float,
}
"""What becomes of the types boolean, bytea, int8, int2, int4, oid, float4, float8; all others are text."""

_ROWS = (pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK)
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_COPYING = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH)


class PostgresqlSession:
    """The session. Raises ProviderError for a database that cannot be reached, or whose role has too many rights."""

    def __init__(self, settings: PostgresqlSettings, limits: Limits) -> None:
        self._limits = limits
        try:
            url = make_url(settings.url)
        except (ArgumentError, ValueError) as error:
            raise ProviderError("URL is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from error
        if url.drivername not in _SCHEMES:
            raise ProviderError(f"URL must begin with postgresql://, not {printable(url.drivername)}://")
        self._shown = printable(f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}")
        given = url.query.get("options", "")
        self._engine = create_engine(
            url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
            pool_size=1,
            max_overflow=0,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
            use_native_hstore=False,
            connect_args={
                "options": f"{given if isinstance(given, str) else ' '.join(given)} {_OPTIONS}".strip(),
                "connect_timeout": url.query.get("connect_timeout", CONNECT_SECONDS),
                "application_name": url.query.get("application_name", "wascc"),
                "prepare_threshold": None,
                **{name: url.query.get(name, value) for name, value in _KEEP_ALIVE.items()},
            },
        )
        self._pooled: Any = None
        self._connect()
        if not settings.superuser and self._command(_RIGHTS).get_value(0, 0) != b"f":
            self.close()
            raise ProviderError(
                "the role of URL is a superuser, or may use the server's files or programs, and so might any actor "
                "then: make a role with CREATE ROLE … LOGIN, or set SUPERUSER to allow"
            )

    def begin(self, read_only: bool, allowance: Allowance) -> None:
        """Begin a transaction; a connection that was lost while nothing was under way is made anew."""
        command = f"BEGIN {'READ ONLY' if read_only else 'READ WRITE'}"
        if self._pooled is not None:
            with suppress(ConnectionLost):
                self._command(command)
                return
        self._connect()
        self._command(command)

    def run(self, sql: str, parameters: Sequence[SqlValue], allowance: Allowance) -> Outcome:
        """Carry out one statement, if it is one that is allowed. Raises ProviderError."""
        check_statement(sql)
        encoded = sql.encode()
        if len(encoded) > MAX_SQL_BYTES or "\0" in sql:
            raise ProviderError("the statement is too long, or has a NUL in it")
        values, types = _packed(parameters)
        milliseconds = max(1, int(allowance.seconds_left() * 1000))
        self._command(f"SET LOCAL statement_timeout = {milliseconds}")
        with self._errors():
            self._pgconn.send_query_params(encoded, values, types)
            self._pgconn.set_single_row_mode()
            outcome = self._fetch(allowance)
        if outcome.complete and self._pgconn.transaction_status != pq.TransactionStatus.INTRANS:
            self._drop()
            raise ProviderError("the statement ended the transaction")
        return outcome

    def commit(self) -> None:
        """Commit. A transaction whose commit is not answered may have taken effect or not."""
        try:
            result = self._command("COMMIT")
        except ConnectionLost as error:
            raise OutcomeUnknown(f"the connection to the database {self._shown} was lost") from error
        if result.command_status != b"COMMIT":
            raise ProviderError("the transaction was rolled back")

    def rollback(self) -> None:
        """Roll back if there is something to roll back; then forget settings, locks, temporary tables and the like."""
        if self._pooled is None:
            return
        try:
            if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
                self._command("ROLLBACK")
            self._command("DISCARD ALL")
        except ProviderError:
            self._drop()

    def close(self) -> None:
        """Close the connection."""
        self._drop()
        self._engine.dispose()

    @property
    def _pgconn(self) -> pq.abc.PGconn:
        pgconn: pq.abc.PGconn = self._pooled.driver_connection.pgconn
        return pgconn

    def _connect(self) -> None:
        try:
            self._pooled = self._engine.raw_connection()
        except (SQLAlchemyError, psycopg.Error, ValueError) as error:
            cause = getattr(error, "orig", None) or error
            raise ProviderError(f"the database {self._shown} cannot be reached: {_one_line(str(cause))}") from None

    def _drop(self) -> None:
        pooled, self._pooled = self._pooled, None
        if pooled is not None:
            with suppress(SQLAlchemyError, psycopg.Error):
                pooled.invalidate()

    def _command(self, command: str) -> pq.abc.PGresult:
        with self._errors():
            result = self._pgconn.exec_(command.encode())
            self._check(result)
        return result

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Tells a lost connection from a statement that failed."""
        try:
            yield
        except (psycopg.Error, ProviderError) as error:
            if self._pooled is not None and self._pgconn.status != pq.ConnStatus.OK:
                out_of_memory = "memory" in self._pgconn.get_error_message()
                self._drop()
                if out_of_memory:
                    raise MemoryError from error
                raise ConnectionLost(
                    f"the connection to the database {self._shown} was lost; nothing has changed"
                ) from error
            if isinstance(error, ProviderError):
                raise
            raise ProviderError(_one_line(str(error))) from error

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in _DONE:
            return
        state = _field(result, pq.DiagnosticField.SQLSTATE)
        if state == _QUERY_CANCELED:
            raise TooLate(self._limits.seconds)
        text = _field(result, pq.DiagnosticField.MESSAGE_PRIMARY) or result.get_error_message()
        raise ProviderError(f"{_one_line(text)} ({state})" if state else _one_line(text))

    def _fetch(self, allowance: Allowance) -> Outcome:
        outcome = Outcome()
        readers: list[Callable[[bytes], SqlValue]] = []
        last = None
        passed_over = 0
        while (result := self._pgconn.get_result()) is not None:
            if result.status in _COPYING:
                self._drop()
                raise ProviderError("COPY is not allowed")
            if result.status in _ROWS and not readers and result.nfields:
                outcome.columns, readers = _columns(result)
                allowance.take_columns(outcome.columns)
            if result.status != pq.ExecStatus.SINGLE_TUPLE:
                last = last or result
            elif outcome.complete and allowance.take_row(row := _row(result, readers)):
                outcome.rows.append(row)
            else:
                outcome.complete = False
                passed_over += 1
                if passed_over == _PASSED_OVER:
                    self._pgconn.get_cancel().cancel()
        # All results are read first, after which it is known whether the connection is still there. After a cancel of
        # our own the error is what was wanted.
        if outcome.complete and last is not None:
            self._check(last)
            if not (last.command_status or b"").startswith(b"SELECT"):
                outcome.affected_rows = last.command_tuples or 0
        return outcome


def _columns(result: pq.abc.PGresult) -> tuple[tuple[str, ...], list[Callable[[bytes], SqlValue]]]:
    names = tuple((result.fname(column) or b"").decode("utf-8", "replace") for column in range(result.nfields))
    return names, [_READERS.get(result.ftype(column), _text) for column in range(result.nfields)]


def _row(result: pq.abc.PGresult, readers: Sequence[Callable[[bytes], SqlValue]]) -> tuple[SqlValue, ...]:
    texts = (result.get_value(0, column) for column in range(len(readers)))
    return tuple(None if text is None else read(text) for text, read in zip(texts, readers, strict=True))


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _packed(parameters: Sequence[SqlValue]) -> tuple[list[bytes | None], list[int]]:
    """The parameters as PostgreSQL's text, and their types; 0 is what the server finds out by itself."""
    values: list[bytes | None] = []
    types = []
    for number, value in enumerate(parameters, 1):
        text, kind = _written(value)
        if text is not None and b"\0" in text:
            raise ProviderError(f"parameter ${number} has a NUL in its text, which PostgreSQL does not have")
        values.append(text)
        types.append(kind)
    return values, types


def _written(value: SqlValue) -> tuple[bytes | None, int]:
    if value is None:
        return None, 0
    if isinstance(value, bool):
        return b"t" if value else b"f", 16
    if isinstance(value, int):
        return str(value).encode(), 23 if -(2**31) <= value < 2**31 else 20
    if isinstance(value, float):
        return repr(value).encode(), 701
    if isinstance(value, bytes):
        return rb"\x" + value.hex().encode(), 17
    return value.encode(), 0


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _one_line(text: str) -> str:
    return printable(" ".join(text.split())) or "failed"
