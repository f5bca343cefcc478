"""What a run has measured, and how it is shown: a table for each part, with what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.cells import cell
from benchmarks.estimates import Estimate, estimate
from benchmarks.fingerprint import Fingerprint
from benchmarks.operation.calls import EXTISM, LIMIT
from benchmarks.operation.changes import ChangeResult
from benchmarks.operation.churn import ChurnResult
from benchmarks.operation.starting import LIMIT_SECONDS, StartResult
from benchmarks.results import Comparison, HttpResult
from benchmarks.summary import Unit

TAIL = 0.99
FINE, FAULT = "yes", "NO"


@dataclass(frozen=True, slots=True)
class TamperingResult:
    """What the host's checks said of so many `cases` of one kind of signed thing that had been changed: `same` ones
    still mean what was signed; `accepted` ones do not, and `crashed` ones ended in an unexpected error."""

    kind: str
    cases: int
    refused: int
    same: int
    accepted: int
    crashed: int


@dataclass(frozen=True, slots=True)
class OperationReport:
    """The parts that were measured; what was not is None or empty."""

    fingerprint: Fingerprint
    serving: HttpResult | None
    echo: Comparison | None
    changes: tuple[ChangeResult, ...]
    starts: tuple[StartResult, ...]
    trouble: tuple[ChurnResult, ...]
    tampering: tuple[TamperingResult, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as was asked, a line each."""
        found = []
        if self.echo is not None:
            for subject, times in echo_ratios(self.echo):
                if subject.endswith("wasmtime") and times.median > LIMIT:
                    found.append(f"{subject} takes {times.median:.2f} times as long as {EXTISM}, more than {LIMIT:g}")
        for start in self.starts:
            seconds = estimate(start.warm_seconds).median
            if seconds > LIMIT_SECONDS:
                found.append(f"{start.actors} actors on {start.engine} take {seconds:.1f} s, over {LIMIT_SECONDS:g}")
        found += [f"{each.engine} on {each.store}: {fault}" for each in self.trouble for fault in each.faults]
        for case in self.tampering:
            if case.accepted or case.crashed:
                found.append(
                    f"{case.kind}: {case.accepted} accepted, {case.crashed} crashed; see conformance.tampering"
                )
        return tuple(found)


def echo_ratios(echo: Comparison) -> Iterator[tuple[str, Estimate]]:
    """How many times a call of Extism each other subject takes."""
    for series in echo.series:
        times = echo.time_ratio(series.subject, EXTISM)
        if series.subject != EXTISM and times is not None:
            yield series.subject, times


def show(report: OperationReport, console: Console) -> None:
    """Print the tables."""
    makers = (_serving, _echo, _changes, _starts, _trouble, _tampering)
    tables = [table for make in makers if (table := make(report)) is not None]
    for table in tables:
        console.print(table)
        console.print()
    console.print(report.fingerprint.line(), highlight=False, style="dim")


def _serving(report: OperationReport) -> Table | None:
    if report.serving is None:
        return None
    table = _table("Requests to the counter over HTTP", "server", "connections", "requests", "p50", "p99")
    for case in report.serving.cases:
        latencies = (cell(case.latency(part), Unit.SECONDS) for part in (0.5, TAIL))
        table.add_row(case.server, str(case.connections), cell(case.rate(), Unit.PER_SECOND), *latencies)
    return table


def _echo(report: OperationReport) -> Table | None:
    if report.echo is None:
        return None
    table = _table(f"A call: {report.echo.operation}", "subject", "time", f"times {EXTISM}", "asked")
    ratios = dict(echo_ratios(report.echo))
    for series in report.echo.series:
        times = ratios.get(series.subject)
        asked = f"≤ {LIMIT:g}" if series.subject.endswith("wasmtime") else ""
        shown = cell(times, Unit.FACTOR) if times is not None else ""
        table.add_row(series.subject, cell(series.estimate, Unit.SECONDS), shown, asked)
    return table


def _changes(report: OperationReport) -> Table | None:
    if not report.changes:
        return None
    calls = len(report.changes[0].seconds)
    table = _table(f"Changes of a store, {calls:,} one after another", "store", "operation", "p50", "p99")
    for each in report.changes:
        latencies = (f"{each.latency(part) * 1000:.3f} ms" for part in (0.5, TAIL))
        table.add_row(each.store, each.operation, *latencies)
    return table


def _starts(report: OperationReport) -> Table | None:
    if not report.starts:
        return None
    table = _table("From the start of a host to its first answer", "engine", "actors", "cold", "warm", "asked")
    for start in report.starts:
        warm = cell(estimate(start.warm_seconds), Unit.SECONDS)
        table.add_row(start.engine, str(start.actors), f"{start.cold_seconds:.2f} s", warm, f"< {LIMIT_SECONDS:g} s")
    return table


def _trouble(report: OperationReport) -> Table | None:
    if not report.trouble:
        return None
    trouble = report.trouble[0].trouble
    table = _table(
        f"Trouble: {trouble.connections} connections, {trouble.updates} live updates, a trap every "
        f"{trouble.trap_seconds:g} s, Redis killed",
        *("host", "acknowledged", "other answers", "traps", "p99", "memory", "as asked"),
    )
    for each in report.trouble:
        others = ", ".join(f"{count} × {status}" for status, count in sorted(each.others.items())) or "none"
        table.add_row(
            f"{each.engine}, {each.store}",
            f"{each.acknowledged:,}",
            others,
            str(each.traps),
            f"{each.p99 * 1000:.0f} ms",
            f"{each.growth - 1:+.1%}",
            FAULT if each.faults else FINE,
        )
    return table


def _tampering(report: OperationReport) -> Table | None:
    if not report.tampering:
        return None
    table = _table(
        "Tampering: nothing accepted", "what was changed", "cases", "refused", "same meaning", "accepted", "crashed"
    )
    for each in report.tampering:
        numbers = (each.cases, each.refused, each.same, each.accepted, each.crashed)
        table.add_row(each.kind, *(f"{number:,}" for number in numbers))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table
