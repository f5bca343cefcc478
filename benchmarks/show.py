"""Reports for people: tables for a terminal, and the README's table in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.estimates import CONFIDENCE, Estimate
from benchmarks.report import Report
from benchmarks.results import Phase
from benchmarks.summary import ADDED, BREAK_EVEN, GENERATOR, LOADING, MEAN_RATIO, SPEEDS, Name, Row, Unit, rows

TITLES = {
    Name.CALLS: "Calls of the counter actor through WapcHost.call",
    Name.BUS: "A call of a provider",
    Name.KERNELS: "Kernels",
    Name.INTERPRETERS: "Interpreters in Python",
    Name.HTTP: "The counter actor over HTTP, in wascc up",
}

NO_CELL = "–"
SCALES = {
    Unit.SECONDS: ((1.0, 1.0, " s"), (1e-3, 1e-3, " ms"), (1e-6, 1e-6, " µs"), (0.0, 1e-9, " ns")),
    Unit.PER_SECOND: ((1e6, 1e6, " M/s"), (1e4, 1e3, " k/s"), (0.0, 1.0, "/s")),
    Unit.FACTOR: ((0.0, 1.0, "×"),),
    Unit.SHARE: ((0.0, 0.01, "%"),),
    Unit.CALLS: ((0.0, 1.0, ""),),
}
"""From which number on which factor is taken, and the symbol behind the number; the largest first."""


def number(value: float) -> str:
    """Three significant digits, thousands with commas."""
    if not math.isfinite(value):
        return "∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")  # 9.999 has the digits of 10
    digits = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{digits}f}"


def scaled(value: float, unit: Unit) -> tuple[float, str]:
    """The factor and the symbol with which a value of this size is shown."""
    return next((scale, symbol) for least, scale, symbol in SCALES[unit] if not abs(value) < least)


def cell(estimate: Estimate, unit: Unit, interval: bool = True) -> str:
    """An estimate as text, with its interval."""
    scale, symbol = scaled(estimate.median, unit)
    median = f"{number(estimate.median / scale)}{symbol}"
    return f"{median} [{number(estimate.low / scale)}–{number(estimate.high / scale)}]" if interval else median


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts: the first column names the rows."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def grid(title: str, found: Sequence[Row], *, transposed: bool = False, interval: bool = True) -> Grid:
    """Quantities down and subjects across, or the other way round; a column of speed-ups where there are some."""
    quantities = list(dict.fromkeys(row.quantity for row in found))
    subjects = list(dict.fromkeys(row.subject for row in found))
    cells = {(row.quantity, row.subject): cell(row.estimate, row.unit, interval) for row in found}
    if transposed:
        lines = [(s, *[cells.get((q, s), NO_CELL) for q in quantities]) for s in subjects]
        return Grid(title, ("", *quantities), tuple(lines))
    faster = list(dict.fromkeys(row.subject for row in found if row.speedup is not None))
    speedups = {(r.quantity, r.subject): cell(r.speedup, Unit.FACTOR, interval) for r in found if r.speedup is not None}
    lines = [
        (q, *[cells.get((q, s), NO_CELL) for s in subjects], *[speedups.get((q, s), NO_CELL) for s in faster])
        for q in quantities
    ]
    return Grid(title, ("", *subjects, *[f"{subject} is faster by" for subject in faster]), tuple(lines))


def grids(report: Report) -> list[Grid]:
    """A table for each benchmark; of loading, one for each module; of HTTP, one for each number of connections."""
    titles = {load.module: f"Loading {load.module} ({load.size:,} bytes); called: {load.call}" for load in report.load}
    groups: dict[tuple[Name, str], list[Row]] = {}
    for row in rows(report):
        groups.setdefault((row.benchmark, row.group), []).append(row)
    return [
        grid(
            titles[group] if name is Name.LOAD else f"{TITLES[name]}{f', {group}' if group else ''}",
            found,
            transposed=name is Name.HTTP,
        )
        for (name, group), found in groups.items()
    ]


def confidence_line(report: Report) -> str:
    """What the brackets mean."""
    intervals = [row.estimate.confidence for row in rows(report)]
    reached = min(intervals, default=CONFIDENCE)
    note = "" if reached >= CONFIDENCE else f"; with so few rounds it is {reached:.0%} in places"
    return f"median [interval of {CONFIDENCE:.0%} confidence{note}]"


def show(report: Report, console: Console) -> None:
    """Print the tables, what was left out, and the machine."""
    for made in grids(report):
        console.print(made.title, style="bold", markup=False, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(made.header):
            table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
        for line in made.lines:
            table.add_row(*line)
        console.print(table)
    console.print(confidence_line(report), markup=False)
    for skipped in report.skipped:
        console.print(f"Left out: {skipped.what}: {skipped.reason}", markup=False)
    if report.fingerprint.busy:
        console.print("Other programs were running: the numbers are worse than they could be, and less certain.")
    console.print(report.fingerprint.line(), markup=False)
    console.print(report.fingerprint.packages_line(), markup=False)


def markdown(report: Report) -> str:
    """The README's tables: the most telling rows, the interpreters, and what they were measured on."""
    engines = report.engines
    lines = [_markdown_line(["", *engines]), _markdown_line(["---", *["---:"] * len(engines)])]
    found = headline(report)
    for label in dict.fromkeys(label for label, _ in found):
        cells = {row.subject: row for text, row in found if text == label}
        texts = [cell(cells[e].estimate, cells[e].unit, interval=False) if e in cells else NO_CELL for e in engines]
        lines.append(_markdown_line([label, *texts]))
    fingerprint = report.fingerprint
    measured = f"Medians of up to {report.rounds} rounds, measured on {fingerprint.line()}."
    left_out = [f"Left out: {skipped.what}: {skipped.reason}." for skipped in report.skipped]
    paragraphs = [
        _interpreters_table(report),
        _bus_sentence(report),
        *left_out,
        f"{measured} {fingerprint.packages_line()}.",
    ]
    return "\n\n".join(["\n".join(lines), *filter(None, paragraphs)])


def _interpreters_table(report: Report) -> str:
    """Instructions per second, and the geometric means of their ratios with intervals; empty if not measured."""
    found = [row for row in rows(report) if row.benchmark is Name.INTERPRETERS]
    if not found:
        return ""
    kernels = [row for row in found if row.quantity != MEAN_RATIO]
    made = grid(f"{TITLES[Name.INTERPRETERS]}, {SPEEDS}", kernels, interval=False)
    subjects = made.header[1:]
    means = {row.subject: cell(row.estimate, row.unit) for row in found if row.quantity == MEAN_RATIO}
    last = (f"{MEAN_RATIO} [{CONFIDENCE:.0%} interval]", *[means.get(subject, NO_CELL) for subject in subjects])
    lines = ((made.title, *subjects), ("---", *["---:"] * len(subjects)), *made.lines, last)
    return "\n".join(map(_markdown_line, lines))


def _bus_sentence(report: Report) -> str:
    """What the ways over the bus add to calling a provider directly; empty if that was not measured."""
    added = [row for row in rows(report) if row.benchmark is Name.BUS and row.subject == ADDED]
    texts = [f"{cell(row.estimate, row.unit, interval=False)} ({row.quantity})" for row in added]
    return f"A call of a provider takes longer than its handler by {', '.join(texts)}." if texts else ""


def headline(report: Report) -> list[tuple[str, Row]]:
    """The rows of the README's table, each with its label; the subjects are engines."""
    found: list[tuple[str, Row]] = []
    everything = rows(report)
    for load in report.load:
        of_load = [row for row in everything if row.benchmark is Name.LOAD and row.group == load.module]
        for quantity in (*Phase, LOADING, BREAK_EVEN):
            found += [(f"{load.module}: {quantity}", row) for row in of_load if row.quantity == quantity]
    for row in everything:
        if row.benchmark is Name.CALLS:
            found.append((f"counter actor: {row.quantity}", row))
        elif row.benchmark is Name.KERNELS and row.quantity.endswith(")"):
            found.append((f"kernel {row.quantity}", row))
        elif row.benchmark is Name.KERNELS and row.unit is Unit.FACTOR:
            found.append((f"kernels: {row.quantity}", row))
    return found + _http_headline(report, everything)


def _http_headline(report: Report, everything: Iterable[Row]) -> list[tuple[str, Row]]:
    servers = {case.server: case for case in report.http.cases} if report.http is not None else {}
    found: list[tuple[str, Row]] = []
    for row in everything:
        case = servers.get(row.subject) if row.benchmark is Name.HTTP else None
        if case is not None and case.engine and row.quantity != GENERATOR:
            engine_row = Row(row.benchmark, row.group, row.quantity, case.engine, row.unit, row.estimate)
            found.append((f"HTTP, {case.store}, {row.group}: {row.quantity}", engine_row))
    order = list(dict.fromkeys(label for label, _ in found))
    return sorted(found, key=lambda item: order.index(item[0]))


def _markdown_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
