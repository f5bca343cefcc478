"""Messages of the relational database, which the originals did not have."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Annotated

from host.codec.schema import Message
from host.codec.types import BOOLEAN, FLOAT, I64, I64_TYPE, NIL, TEXT, U32, U64, Binary, OneOf

CAPABILITY = "wascc:sqldb"
OP_QUERY = "Query"
OP_EXECUTE = "Execute"
OP_BATCH = "Batch"

SqlValue = Annotated[
    bool | int | float | str | bytes | None,
    OneOf(
        "SqlValue",
        (
            (NoneType, NIL),
            (bool, BOOLEAN),
            (int, I64_TYPE),
            (float, FLOAT),
            (str, TEXT),
            (bytes, Binary()),
        ),
    ),
]
"""A value of SQL: null, boolean, i64, f64, text or bytes."""


@dataclass(frozen=True, slots=True)
class Statement(Message):
    """Execute, and a part of Batch: `$1`, `$2`… in the statement stand for the parameters."""

    sql: str
    parameters: tuple[SqlValue, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryRequest(Message):
    """Query: at most `max_rows` rows are wanted; 0 is as many as the binding allows."""

    sql: str
    parameters: tuple[SqlValue, ...] = ()
    max_rows: U32 = 0


@dataclass(frozen=True, slots=True)
class QueryResult(Message):
    """Reply to Query; `truncated` if there are more rows than these."""

    columns: tuple[str, ...]
    rows: tuple[tuple[SqlValue, ...], ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class ExecuteResult(Message):
    """Reply to Execute, and a part of BatchResult. Columns and rows are those of RETURNING, or of a query."""

    affected_rows: U64
    last_insert_id: I64 | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[SqlValue, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class BatchRequest(Message):
    """Batch: the statements of one transaction."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class BatchResult(Message):
    """Reply to Batch: one result for each statement."""

    results: tuple[ExecuteResult, ...]
