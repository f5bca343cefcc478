"""The README's tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.cells import NO_CELL, cell
from benchmarks.estimates import CONFIDENCE
from benchmarks.grids import TITLES, grid, ratio_grids
from benchmarks.report import Report
from benchmarks.results import Phase
from benchmarks.summary import (
    ADDED,
    BREAK_EVEN,
    GENERATOR,
    LOADING,
    MEAN,
    SPEEDS,
    Name,
    Row,
    rows,
)


def markdown(report: Report) -> str:
    """Ratios of times, kernels, the most telling rows of the engines, interpreters, and what was measured on what."""
    fingerprint = report.fingerprint
    measured = f"Medians of up to {report.rounds} rounds, measured on {fingerprint.line()}."
    paragraphs = [
        _ratios_table(report),
        _kernels_table(report),
        _engines_table(report),
        _interpreters_sentence(report),
        _bus_sentence(report),
        "\n".join(f"- Left out: {skipped.what}: {skipped.reason}." for skipped in report.skipped),
        f"{measured} {fingerprint.packages_line()}.",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _ratios_table(report: Report) -> str:
    """The geometric means of ratios with intervals, and the ends; empty if none were measured."""
    made = ratio_grids(report)
    if not made:
        return ""
    mean = f"{MEAN} [{CONFIDENCE:.0%} interval]"
    header = ["times", *[mean if name == MEAN else name for name in made[0].header[1:]]]
    lines = [
        [f"{each.title.partition(': ')[2]}: {line[0]}", *line[1:]]
        for each in made
        for line in each.texts(interval=False)
    ]
    return _table(header, lines)


def _kernels_table(report: Report) -> str:
    """The times of all subjects; empty if kernels were not measured."""
    found = [row for row in rows(report) if row.benchmark is Name.KERNELS and not row.group]
    made = grid("kernel", found)
    return _table([made.title, *made.header[1:]], made.texts(interval=False)) if found else ""


def _engines_table(report: Report) -> str:
    """Loading, actors and HTTP; empty if none of it was measured."""
    found = headline(report)
    engines = report.engines
    lines = []
    for label in dict.fromkeys(label for label, _ in found):
        cells = {row.subject: row for text, row in found if text == label}
        texts = [cell(cells[e].estimate, cells[e].unit, interval=False) if e in cells else NO_CELL for e in engines]
        lines.append([label, *texts])
    return _table(["", *engines], lines) if lines else ""


def _interpreters_sentence(report: Report) -> str:
    """The geometric means of the ratios of interpreters' speeds; empty if not measured."""
    found = [row for row in rows(report) if row.benchmark is Name.INTERPRETERS and row.quantity == MEAN]
    texts = [f"{row.subject} {cell(row.estimate, row.unit)}" for row in found]
    return f"{TITLES[Name.INTERPRETERS]}, {SPEEDS}, {MEAN}s: {', '.join(texts)}." if texts else ""


def _bus_sentence(report: Report) -> str:
    """What the ways over the bus add to calling a provider directly; empty if that was not measured."""
    added = [row for row in rows(report) if row.benchmark is Name.BUS and row.subject == ADDED]
    texts = [f"{cell(row.estimate, row.unit, interval=False)} ({row.quantity})" for row in added]
    return f"A call of a provider takes longer than its handler by {', '.join(texts)}." if texts else ""


def headline(report: Report) -> list[tuple[str, Row]]:
    """The rows of the engines' table, each with its label; the subjects are engines."""
    found: list[tuple[str, Row]] = []
    everything = rows(report)
    for load in report.load:
        of_load = [row for row in everything if row.benchmark is Name.LOAD and row.group == load.module]
        for quantity in (*Phase, LOADING, BREAK_EVEN):
            found += [(f"{load.module}: {quantity}", row) for row in of_load if row.quantity == quantity]
    found += [(f"counter actor: {row.quantity}", row) for row in everything if row.benchmark is Name.CALLS]
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


def _table(header: list[str], lines: list[list[str]]) -> str:
    """A table; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(map(_line, [header, rule, *lines]))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
