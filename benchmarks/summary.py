"""What a report says: its samples as medians with intervals, one row for each quantity and subject.

Tables, the JSON summary and the README's table are all made of these rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from benchmarks.estimates import Estimate, geometric_mean_of_medians, paired_difference, ratio
from benchmarks.report import Report
from benchmarks.results import BusResult, Comparison, HttpCase, InterpretersResult, KernelsResult, LoadResult, Phase


class Unit(StrEnum):
    """Units of quantities."""

    SECONDS = "s"
    PER_SECOND = "1/s"
    FACTOR = "x"
    SHARE = "1"
    CALLS = "calls"


class Name(StrEnum):
    """The benchmarks, in the order in which they run."""

    LOAD = "load"
    CALLS = "calls"
    BUS = "bus"
    KERNELS = "kernels"
    INTERPRETERS = "interpreters"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one subject. `group` is the module that was loaded, the number of connections, or for the
    interpreters SPEEDS or RATIOS. `speedup` is how many times faster than the baseline the subject is, None for the
    baseline and where that says nothing."""

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
GEOMETRIC_MEAN = "geometric mean of the speed-ups"
MEAN_RATIO = "geometric mean"
SPEEDS, RATIOS = "instructions per second", "ratios of the speeds"
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
        found += kernel_rows(report.kernels, report.engines)
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


def kernel_rows(kernels: KernelsResult, engines: tuple[str, ...]) -> Iterator[Row]:
    """The kernels, when compiling pays, and the geometric mean of the ratios."""
    baseline = engines[0]
    for kernel in kernels.kernels:
        yield from comparison_rows(
            Name.KERNELS, kernel.call, baseline, quantity=call_text(kernel.name, kernel.argument)
        )
    for kernel in kernels.kernels:
        for engine in engines[1:]:
            calls = kernel.break_even(engine, baseline)
            if calls is not None:
                yield Row(Name.KERNELS, "", f"{kernel.name}: {BREAK_EVEN}", engine, Unit.CALLS, calls)
    for engine in engines[1:]:
        mean = mean_speedup([kernel.call for kernel in kernels.kernels], engine, baseline)
        if mean is not None:
            yield Row(Name.KERNELS, "", GEOMETRIC_MEAN, engine, Unit.FACTOR, mean)


def interpreter_rows(result: InterpretersResult) -> Iterator[Row]:
    """Instructions and records per second; the ratios of the former, and the geometric means of these."""
    for kernel in result.kernels:
        quantity = call_text(kernel.name, kernel.argument)
        for series in kernel.call.series:
            yield Row(Name.INTERPRETERS, SPEEDS, quantity, series.subject, Unit.PER_SECOND, kernel.per_second(series))
        described = kernel.description.estimate.map(_inverse)
        yield Row(Name.INTERPRETERS, SPEEDS, quantity, kernel.description.subject, Unit.PER_SECOND, described)
    for kernel in result.kernels:
        quantity = call_text(kernel.name, kernel.argument)
        for subject, baseline in result.ratios:
            speedup = kernel.call.speedup(subject, baseline)
            if speedup is not None:
                yield Row(Name.INTERPRETERS, RATIOS, quantity, ratio_name(subject, baseline), Unit.FACTOR, speedup)
    for subject, baseline in result.ratios:
        mean = mean_speedup([kernel.call for kernel in result.kernels], subject, baseline)
        if mean is not None:
            yield Row(Name.INTERPRETERS, RATIOS, MEAN_RATIO, ratio_name(subject, baseline), Unit.FACTOR, mean)


def call_text(kernel: str, argument: int) -> str:
    """`fib(18)`."""
    return f"{kernel}({argument})"


def ratio_name(subject: str, baseline: str) -> str:
    """`reference / pywasm`."""
    return f"{subject} / {baseline}"


def mean_speedup(calls: Iterable[Comparison], subject: str, baseline: str) -> Estimate | None:
    """The geometric mean of the speed-ups of a subject over all calls; None if it did not make all of them, or if one
    was too short for the clock."""
    ratios: list[list[float]] = []
    for call in calls:
        slow, fast = call.of(baseline), call.of(subject)
        if slow is None or fast is None:
            return None
        ratios.append([ratio(a, b) for a, b in zip(slow.samples, fast.samples, strict=True)])
    measurable = all(0 < value < math.inf for values in ratios for value in values)
    return geometric_mean_of_medians(ratios) if ratios and measurable else None


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
