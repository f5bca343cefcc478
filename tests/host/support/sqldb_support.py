"""SQL providers in tests: a client that is an actor, and databases of both kinds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from provider_support import bind, remove

from host.codec import decode, encode
from host.codec.sqldb import (
    BatchRequest,
    BatchResult,
    ExecuteResult,
    QueryRequest,
    QueryResult,
    SqlValue,
    Statement,
)
from host.providers.sqldb.providers import SqlProvider

ACTOR = "MACTOR"
Client = Callable[..., "SqlClient"]


class SqlClient:
    """An actor, bound to a provider with some values."""

    def __init__(self, provider: SqlProvider, values: dict[str, str], actor: str = ACTOR) -> None:
        self.provider = provider
        self.values = values
        self.actor = actor

    def bind(self, **values: str) -> SqlClient:
        """Bind it (again), with further values."""
        bind(self.provider, self.actor, **(self.values | values))
        return self

    def remove(self) -> None:
        remove(self.provider, self.actor)

    def query(self, sql: str, *parameters: SqlValue, max_rows: int = 0) -> QueryResult:
        request = QueryRequest(sql, parameters, max_rows)
        return decode(QueryResult, self.provider.handle_call(self.actor, "Query", encode(request)))

    def rows(self, sql: str, *parameters: SqlValue) -> list[tuple[SqlValue, ...]]:
        return list(self.query(sql, *parameters).rows)

    def execute(self, sql: str, *parameters: SqlValue) -> ExecuteResult:
        request = Statement(sql, parameters)
        return decode(ExecuteResult, self.provider.handle_call(self.actor, "Execute", encode(request)))

    def batch(self, *statements: tuple[str, tuple[SqlValue, ...]] | str) -> tuple[ExecuteResult, ...]:
        each = [Statement(part) if isinstance(part, str) else Statement(*part) for part in statements]
        request = BatchRequest(tuple(each))
        return decode(BatchResult, self.provider.handle_call(self.actor, "Batch", encode(request))).results


def worker_processes() -> list[int]:
    """The processes for SQL that this one has."""
    return list(_workers_of(os.getpid()))


def _workers_of(parent: int) -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, ppid = status.read_text().rpartition(")")[2].split()[:2]
            command = (status.parent / "cmdline").read_bytes()
            if int(ppid) == parent and state != "Z" and b"sqldb.worker" in command:
                yield int(status.parent.name)


def memory_of(process: int) -> int:
    """The bytes of memory that a process has now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
