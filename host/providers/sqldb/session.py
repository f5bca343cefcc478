"""What the operations need of a database: a session that runs one transaction after another, and the limits of one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from host.codec.sqldb import SqlValue
from host.providers.base import ProviderError

MAX_SQL_BYTES = 2**20
"""The longest statement."""

_VALUE_BYTES = 10
"""What a value takes at most in an answer beside its text or bytes."""


class ConnectionLost(ProviderError):
    """The connection to the database is no more; what was under way is not committed."""


class OutcomeUnknown(ProviderError):
    """The connection to the database was lost while a transaction was being committed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: it is not known whether the transaction took effect; it is not repeated")


class TooLate(ProviderError):
    """A transaction took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one operation: `seconds` from begin to end, `rows` and `result_bytes` of its answer."""

    seconds: int
    rows: int
    result_bytes: int


@dataclass(slots=True)
class Allowance:
    """What is left of the limits while an operation runs; `deadline` is on the monotonic clock."""

    limits: Limits
    rows: int
    result_bytes: int
    deadline: float

    @classmethod
    def of(cls, limits: Limits) -> Allowance:
        """All of it, from now on."""
        return cls(limits, limits.rows, limits.result_bytes, time.monotonic() + limits.seconds)

    def seconds_left(self) -> float:
        """Time that is left. Raises TooLate if there is none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TooLate(self.limits.seconds)
        return left

    def take_columns(self, columns: Sequence[str]) -> None:
        """Take the names of the columns into the answer. Raises ProviderError if there is no room for them."""
        if not self._has_room(columns):
            raise ProviderError(f"the names of the columns are over the limit of {self.limits.result_bytes} bytes")

    def take_row(self, row: Sequence[SqlValue]) -> bool:
        """Take a row into the answer; False if there is no room for it."""
        if self.rows == 0 or not self._has_room(row):
            return False
        self.rows -= 1
        return True

    def over(self) -> ProviderError:
        """The error of an answer that must be given as a whole and has no room."""
        return ProviderError(
            f"the answer is over the limit of {self.limits.rows} rows or {self.limits.result_bytes} bytes"
        )

    def _has_room(self, values: Sequence[SqlValue]) -> bool:
        size = _VALUE_BYTES * (1 + len(values)) + sum(_size(value) for value in values)
        if size > self.result_bytes:
            return False
        self.result_bytes -= size
        return True


@dataclass(slots=True)
class Outcome:
    """What one statement did; `complete` is False if there were more rows than the allowance had room for."""

    columns: tuple[str, ...] = ()
    rows: list[tuple[SqlValue, ...]] = field(default_factory=list)
    complete: bool = True
    affected_rows: int = 0
    last_insert_id: int | None = None


class Session(Protocol):
    """One connection to a database, for one thread. Every method raises ProviderError."""

    def begin(self, read_only: bool, allowance: Allowance) -> None:
        """Begin a transaction, on a new connection if the former one is lost."""

    def run(self, sql: str, parameters: Sequence[SqlValue], allowance: Allowance) -> Outcome:
        """Carry out one statement of the transaction; raises ConnectionLost or ProviderError if it cannot be."""

    def commit(self) -> None:
        """Make the transaction last. Raises ProviderError if it is taken back, OutcomeUnknown if that is not known."""

    def rollback(self) -> None:
        """Take back the transaction, if one is under way, and leave nothing of the session's state behind."""

    def close(self) -> None:
        """Let go of the connection. Must not raise."""


def _size(value: SqlValue) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    return len(value) if isinstance(value, bytes) else 0
