"""Query, Execute and Batch: what they mean, on a session of any database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from host.codec import Message, decode, encode
from host.codec.sqldb import (
    OP_BATCH,
    OP_EXECUTE,
    OP_QUERY,
    BatchRequest,
    BatchResult,
    ExecuteResult,
    QueryRequest,
    QueryResult,
    Statement,
)
from host.providers.base import ProviderError
from host.providers.sqldb.session import Allowance, Limits, Outcome, Session

REQUESTS: Mapping[str, tuple[type[Message], str]] = {
    OP_QUERY: (QueryRequest, "Reads rows"),
    OP_EXECUTE: (Statement, "Carries out one statement"),
    OP_BATCH: (BatchRequest, "Carries out statements, all of them or none"),
}
"""The message of each operation, and its line in the descriptor."""

MAX_STATEMENTS = 1000
"""How many statements a batch may have."""


class Operations:
    """The operations on one session, within limits. Every transaction has ended when an operation has."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._limits = limits
        self._methods: Mapping[str, Callable[[Any], Message]] = {
            OP_QUERY: self.query,
            OP_EXECUTE: self.execute,
            OP_BATCH: self.batch,
        }

    def perform(self, operation: str, payload: bytes) -> bytes:
        """Carry out an operation, both messages encoded. Raises ProviderError or CodecError."""
        return encode(self._methods[operation](decode(REQUESTS[operation][0], payload)))

    def query(self, request: QueryRequest) -> QueryResult:
        """Read in a transaction that cannot change anything."""
        rows = min(request.max_rows or self._limits.rows, self._limits.rows)
        with self._transaction(True, replace(self._limits, rows=rows)) as allowance:
            outcome = self._session.run(request.sql, request.parameters, allowance)
            if not outcome.complete and not outcome.rows:
                raise allowance.over()
        return QueryResult(outcome.columns, tuple(outcome.rows), not outcome.complete)

    def execute(self, statement: Statement) -> ExecuteResult:
        """Carry out a statement in a transaction of its own."""
        with self._transaction(False, self._limits) as allowance:
            return self._run(statement, allowance)

    def batch(self, request: BatchRequest) -> BatchResult:
        """Carry out all statements in one transaction; the error of one names its index, counted from 0."""
        if len(request.statements) > MAX_STATEMENTS:
            raise ProviderError(
                f"a batch of {len(request.statements)} statements is over the limit of {MAX_STATEMENTS}"
            )
        results = []
        with self._transaction(False, self._limits) as allowance:
            for index, statement in enumerate(request.statements):
                try:
                    results.append(self._run(statement, allowance))
                except ProviderError as error:
                    raise ProviderError(f"statements[{index}]: {error}") from error
        return BatchResult(tuple(results))

    def _run(self, statement: Statement, allowance: Allowance) -> ExecuteResult:
        outcome: Outcome = self._session.run(statement.sql, statement.parameters, allowance)
        if not outcome.complete:
            raise allowance.over()
        return ExecuteResult(outcome.affected_rows, outcome.last_insert_id, outcome.columns, tuple(outcome.rows))

    @contextmanager
    def _transaction(self, read_only: bool, limits: Limits) -> Iterator[Allowance]:
        allowance = Allowance.of(limits)
        try:
            self._session.begin(read_only, allowance)
            yield allowance
            allowance.seconds_left()
            if not read_only:
                self._session.commit()
        finally:
            self._session.rollback()
