"""The report of a run, and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.errors import BenchmarkError
from benchmarks.fingerprint import Fingerprint
from benchmarks.results import (
    BusResult,
    CallsResult,
    HttpResult,
    InterpretersResult,
    KernelsResult,
    LoadResult,
    LongsResult,
)
from benchmarks.start_results import StartResult

FORMAT = 2
"""Version of the JSON form."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not measured, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. Ratios are to the first of the `engines`. What was not asked for, or skipped, is None or empty."""

    fingerprint: Fingerprint
    engines: tuple[str, ...]
    rounds: int
    seconds: float
    skipped: tuple[Skipped, ...] = ()
    load: tuple[LoadResult, ...] = ()
    calls: CallsResult | None = None
    http: HttpResult | None = None
    bus: BusResult | None = None
    kernels: KernelsResult | None = None
    start: StartResult | None = None
    longs: LongsResult | None = None
    limits: KernelsResult | None = None
    interpreters: InterpretersResult | None = None
    format: int = FORMAT

    @property
    def baseline(self) -> str:
        """The engine that the others are compared with."""
        return self.engines[0]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data, with every sample."""
        data: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """The report that a JSON text holds. Raises BenchmarkError."""
        try:
            report = _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the text"
            raise BenchmarkError(f"this is no report of a benchmark: {where}: {first['msg']}") from error
        if report.format != FORMAT:
            raise BenchmarkError(f"the report has format {report.format}, and only {FORMAT} can be read")
        if not report.engines:
            raise BenchmarkError("the report names no engine")
        return report


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
