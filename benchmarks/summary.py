"""What a report says: its samples as medians with intervals, one row for each quantity and subject.

Tables, the JSON summary and the README's table are all made of these rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from benchmarks.estimates import Estimate, estimate, geometric_mean_of_medians, paired_difference
from benchmarks.kernels import PROGRAMS
from benchmarks.report import Report
from benchmarks.results import (
    FIRST_CALL,
    SECOND_CALL,
    BusResult,
    Comparison,
    HttpCase,
    InterpretersResult,
    KernelsResult,
    LoadResult,
    LongsResult,
    Phase,
)
from benchmarks.start_results import Part, StartResult


class Unit(StrEnum):
    """Units of quantities."""

    SECONDS = "s"
    PER_SECOND = "1/s"
    FACTOR = "x"
    SHARE = "1"
    CALLS = "calls"
    BYTES = "B"


class Name(StrEnum):
    """The benchmarks, in the order in which they run."""

    LOAD = "load"
    CALLS = "calls"
    BUS = "bus"
    KERNELS = "kernels"
    START = "start"
    LONG = "long"
    LIMITS = "limits"
    INTERPRETERS = "interpreters"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one subject. `group` is the module that was loaded, the number of connections, or which of the
    tables of a benchmark this belongs to. `speedup` is how many times faster than the baseline the subject is, None for
    the baseline and where that says nothing."""

    benchmark: Name
    group: str
    quantity: str
    subject: str
    unit: Unit
    estimate: Estimate
    speedup: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """The row as JSON data; infinity, which JSON does not have, as null."""
        shown = {name: getattr(self, name) for name in ("benchmark", "group", "quantity", "subject", "unit")}
        numbers = {name: getattr(self.estimate, name) for name in ("median", "low", "high", "confidence", "count")}
        return {**shown, **{name: value if math.isfinite(value) else None for name, value in numbers.items()}}


LOADING = "compile and instantiate"
BREAK_EVEN = "calls to break even"
MEAN = "geometric mean"
SPEEDS, SPEED_RATIOS = "instructions per second", "ratios of the speeds"
RATIOS = "ratios of the times"
COLD, LOADED, FIRST, LATER = "cold start", "load", "first call", "later call"
MEMORY, READY = "memory", "import"
REQUESTS, P50, P99, GENERATOR = "requests", "p50", "p99", "generator's core"
ADDED = "added"

PERCENTILES = {P50: 0.50, P99: 0.99}


def rows(report: Report) -> list[Row]:
    """Every row of a report."""
    found: list[Row] = []
    for load in report.load:
        found += load_rows(load, report.baseline)
    if report.calls is not None:
        for operation in report.calls.operations:
            found += comparison_rows(Name.CALLS, operation, report.baseline, per_second=True)
    if report.bus is not None:
        found += bus_rows(report.bus)
    if report.kernels is not None:
        found += kernel_rows(Name.KERNELS, report.kernels)
    if report.start is not None:
        found += start_rows(report.start)
    if report.longs is not None:
        found += long_rows(report.longs)
    if report.limits is not None:
        found += kernel_rows(Name.LIMITS, report.limits)
    if report.interpreters is not None:
        found += interpreter_rows(report.interpreters)
    if report.http is not None:
        for case in report.http.cases:
            found += http_rows(case)
    return found


def comparison_rows(
    name: Name, comparison: Comparison, baseline: str, *, group: str = "", quantity: str = "", per_second: bool = False
) -> Iterator[Row]:
    """One row for each subject."""
    for series in comparison.series:
        subject, seconds = series.subject, series.estimate
        speedup = None if subject == baseline else comparison.speedup(subject, baseline)
        value, unit = (seconds.map(_inverse), Unit.PER_SECOND) if per_second else (seconds, Unit.SECONDS)
        yield Row(name, group, quantity or comparison.operation, subject, unit, value, speedup)


def load_rows(load: LoadResult, baseline: str) -> Iterator[Row]:
    """The phases, loading as a whole, and when it pays."""
    for phase in Phase:
        yield from comparison_rows(Name.LOAD, load.comparison(phase), baseline, group=load.module)
    loading = load.loading()
    yield from comparison_rows(Name.LOAD, loading, baseline, group=load.module, quantity=LOADING)
    for series in loading.series:
        calls = load.break_even(series.subject, baseline)
        if series.subject != baseline and calls is not None:
            yield Row(Name.LOAD, load.module, BREAK_EVEN, series.subject, Unit.CALLS, calls)


def bus_rows(bus: BusResult) -> Iterator[Row]:
    """Each way of calling, and what it adds to the direct one."""
    direct = bus.calls.of(bus.baseline)
    for series in bus.calls.series:
        yield Row(Name.BUS, "", series.subject, bus.operation, Unit.SECONDS, series.estimate)
        if direct is not None and series is not direct:
            added = paired_difference(series.samples, direct.samples)
            yield Row(Name.BUS, "", series.subject, ADDED, Unit.SECONDS, added)


def kernel_rows(name: Name, result: KernelsResult) -> Iterator[Row]:
    """The times of all subjects, and their ratios; those of larger programs apart."""
    calls = {call_text(kernel.name, kernel.argument): kernel.call for kernel in result.kernels}
    for quantity, call in calls.items():
        for series in call.series:
            yield Row(name, "", quantity, series.subject, Unit.SECONDS, series.estimate)
    larger = {program.name for program in PROGRAMS}
    apart = {call_text(each.name, each.argument) for each in result.kernels if each.name in larger}
    yield from ratios_with_apart(name, RATIOS, calls, apart, result.ratios)


def start_rows(result: StartResult) -> Iterator[Row]:
    """Cold starts and their ratios, their parts, when compiling pays, and memory."""
    parts: dict[str, tuple[Part, Unit]] = {
        COLD: (lambda start: start.cold_seconds, Unit.SECONDS),
        LOADED: (lambda start: start.load_seconds, Unit.SECONDS),
        FIRST: (lambda start: start.first_seconds, Unit.SECONDS),
        LATER: (lambda start: start.settled_seconds, Unit.SECONDS),
        MEMORY: (lambda start: start.growth_bytes, Unit.BYTES),
    }
    for group, (part, unit) in parts.items():
        for program in result.programs:
            for series in program.comparison(part).series:
                yield Row(Name.START, group, program.program, series.subject, unit, series.estimate)
    cold = {each.program: each.comparison(parts[COLD][0]) for each in result.programs}
    apart = {each.program for each in result.programs if each.apart}
    yield from ratios_with_apart(Name.START, f"{COLD}: {RATIOS}", cold, apart, result.ratios)
    for program in result.programs:
        for fast, slow in result.break_even:
            calls = program.break_even(fast, slow)
            if calls is not None:
                yield Row(Name.START, BREAK_EVEN, program.program, f"{fast} over {slow}", Unit.CALLS, calls)
    for series in result.ready.series:
        yield Row(Name.START, READY, READY, series.subject, Unit.SECONDS, series.estimate)


def long_rows(result: LongsResult) -> Iterator[Row]:
    """Both calls, and the ratio of the first to the second."""
    calls = {call_text(kernel.name, kernel.argument): kernel.calls for kernel in result.kernels}
    for quantity, call in calls.items():
        for series in call.series:
            yield Row(Name.LONG, "", quantity, series.subject, Unit.SECONDS, series.estimate)
    yield from ratio_rows(Name.LONG, RATIOS, calls, [(FIRST_CALL, SECOND_CALL)])


def interpreter_rows(result: InterpretersResult) -> Iterator[Row]:
    """Instructions and records per second; the ratios of the former, and the geometric means of these."""
    calls = {call_text(kernel.name, kernel.argument): kernel.call for kernel in result.kernels}
    for quantity, kernel in zip(calls, result.kernels, strict=True):
        for series in kernel.call.series:
            yield Row(Name.INTERPRETERS, SPEEDS, quantity, series.subject, Unit.PER_SECOND, kernel.per_second(series))
        described = kernel.description.estimate.map(_inverse)
        yield Row(Name.INTERPRETERS, SPEEDS, quantity, kernel.description.subject, Unit.PER_SECOND, described)
    yield from ratio_rows(Name.INTERPRETERS, SPEED_RATIOS, calls, result.ratios, of_speeds=True)


def ratios_with_apart(
    name: Name,
    group: str,
    comparisons: Mapping[str, Comparison],
    apart: Set[str],
    pairs: Sequence[tuple[str, str]],
) -> Iterator[Row]:
    """The ratios of what is compared together, and then, in groups of their own, of what stands apart."""
    together = {quantity: each for quantity, each in comparisons.items() if quantity not in apart}
    yield from ratio_rows(name, group, together, pairs)
    for quantity, each in comparisons.items():
        if quantity in apart:
            yield from ratio_rows(name, f"{quantity}: {RATIOS}", {quantity: each}, pairs)


def ratio_rows(
    name: Name,
    group: str,
    comparisons: Mapping[str, Comparison],
    pairs: Iterable[tuple[str, str]],
    *,
    of_speeds: bool = False,
) -> Iterator[Row]:
    """The ratio of the times (or speeds) of each pair in each comparison where both are, and their geometric mean."""
    for subject, baseline in pairs:
        label = ratio_name(subject, baseline)
        above, below = (baseline, subject) if of_speeds else (subject, baseline)
        found = {quantity: each.time_ratios(above, below) for quantity, each in comparisons.items()}
        measured = {quantity: ratios for quantity, ratios in found.items() if ratios}
        for quantity, ratios in measured.items():
            yield Row(name, group, quantity, label, Unit.FACTOR, estimate(ratios))
        mean = mean_of(list(measured.values()))
        if mean is not None:
            yield Row(name, group, MEAN, label, Unit.FACTOR, mean)


def mean_of(ratios: Sequence[Sequence[float]]) -> Estimate | None:
    """The geometric mean of several ratios; None if there are none, or if something was too short for the clock."""
    measurable = all(0 < value < math.inf for values in ratios for value in values)
    return geometric_mean_of_medians(ratios) if ratios and measurable else None


def call_text(kernel: str, argument: int) -> str:
    """`fib(18)`."""
    return f"{kernel}({argument})"


def ratio_name(subject: str, baseline: str) -> str:
    """`reference / pywasm`."""
    return f"{subject} / {baseline}"


def http_rows(case: HttpCase) -> Iterator[Row]:
    """Answers per second, latencies, and how busy the generator was."""
    group = connections_text(case.connections)
    yield Row(Name.HTTP, group, REQUESTS, case.server, Unit.PER_SECOND, case.rate())
    for name, fraction in PERCENTILES.items():
        yield Row(Name.HTTP, group, name, case.server, Unit.SECONDS, case.latency(fraction))
    yield Row(Name.HTTP, group, GENERATOR, case.server, Unit.SHARE, case.generator_share())


def connections_text(count: int) -> str:
    """`1 connection`, `32 connections`."""
    return f"{count} connection{'' if count == 1 else 's'}"


def json_text(report: Report) -> str:
    """The report as a JSON text on one line, since most of it are samples, with its rows as `summary`."""
    data = {**report.to_json(), "summary": [row.to_json() for row in rows(report)]}
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf
