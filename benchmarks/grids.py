"""A report as tables of texts, for a terminal, for Markdown and for HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cells import NO_CELL, cell
from benchmarks.estimates import CONFIDENCE
from benchmarks.report import Report
from benchmarks.summary import COLD, MEAN, RATIOS, Name, Row, Unit, rows

TITLES = {
    Name.CALLS: "Calls of the counter actor through WapcHost.call",
    Name.BUS: "A call of a provider",
    Name.KERNELS: "Kernels in the steady state",
    Name.START: "New processes",
    Name.LONG: "Calls with much to do, the first of a process and the second",
    Name.LIMITS: "Kernels within limits",
    Name.INTERPRETERS: "Interpreters in Python",
    Name.HTTP: "The counter actor over HTTP, in wascc up",
}

LOWEST, HIGHEST, COUNT = "lowest", "highest", "of"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, the same without its interval, and the number that it is sorted by (None: by its text)."""

    text: str
    short: str
    value: float | None = None


EMPTY = Cell(NO_CELL, NO_CELL)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the first column names the lines. In one that is `detailed` only a thorough reader is interested; one
    that is `whole` is not to be split."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]
    detailed: bool = False
    whole: bool = False

    def texts(self, interval: bool) -> list[list[str]]:
        """The lines, with intervals or without."""
        return [[each.text if interval else each.short for each in line] for line in self.lines]

    def width(self, interval: bool, gap: int) -> int:
        """How many characters a line takes, with so many between columns."""
        columns = zip(self.header, *self.texts(interval), strict=True)
        return sum(max(map(len, column)) + gap for column in columns)


def name_cell(text: str) -> Cell:
    """A cell that is only a text."""
    return Cell(text, text)


def value_cell(row: Row) -> Cell:
    """The cell of a row."""
    return Cell(cell(row.estimate, row.unit), cell(row.estimate, row.unit, interval=False), row.estimate.median)


def grid(title: str, found: Sequence[Row], *, transposed: bool = False, detailed: bool = False) -> Grid:
    """Quantities down and subjects across, or the other way round; a column of speed-ups where there are some."""
    quantities = list(dict.fromkeys(row.quantity for row in found))
    subjects = list(dict.fromkeys(row.subject for row in found))
    cells = {(row.quantity, row.subject): value_cell(row) for row in found}
    if transposed:
        lines = [(name_cell(s), *[cells.get((q, s), EMPTY) for q in quantities]) for s in subjects]
        return Grid(title, ("", *quantities), tuple(lines), detailed)
    faster = {(row.quantity, row.subject): speedup_cell(row) for row in found if row.speedup is not None}
    compared = list(dict.fromkeys(subject for _, subject in faster))
    lines = [
        (
            name_cell(q),
            *[cells.get((q, s), EMPTY) for s in subjects],
            *[faster.get((q, s), EMPTY) for s in compared],
        )
        for q in quantities
    ]
    header = ("", *subjects, *[f"{subject} is faster by" for subject in compared])
    return Grid(title, header, tuple(lines), detailed)


def speedup_cell(row: Row) -> Cell:
    """By how much the subject is faster."""
    if row.speedup is None:
        return EMPTY
    estimate = row.speedup
    return Cell(cell(estimate, Unit.FACTOR), cell(estimate, Unit.FACTOR, interval=False), estimate.median)


def ratio_grid(title: str, found: Sequence[Row]) -> Grid:
    """One line for each ratio: the geometric mean, of how many, and the lowest and the highest of these."""
    pairs = list(dict.fromkeys(row.subject for row in found))
    lines = [ratio_line(pair, [row for row in found if row.subject == pair]) for pair in pairs]
    return Grid(title, ("", MEAN, COUNT, LOWEST, HIGHEST), tuple(lines), whole=True)


def ratio_line(label: str, found: Sequence[Row]) -> tuple[Cell, ...]:
    """The line of one ratio."""
    each = sorted((row for row in found if row.quantity != MEAN), key=lambda row: row.estimate.median)
    mean = next((_whole(value_cell(row)) for row in found if row.quantity == MEAN), EMPTY)
    ends = [_named(row) for row in (each[0], each[-1])] if len(each) > 1 else [EMPTY, EMPTY]
    return (name_cell(label), mean, Cell(str(len(each)), str(len(each)), len(each)), *ends)


def _whole(made: Cell) -> Cell:
    """The cell with its interval in any case."""
    return Cell(made.text, made.text, made.value)


def _named(row: Row) -> Cell:
    made = value_cell(row)
    name = row.quantity.partition("(")[0].rpartition(": ")[2]
    return Cell(f"{made.text} {name}", f"{made.short} {name}", made.value)


def grids(report: Report) -> list[Grid]:
    """All tables in the order of the benchmarks, but for `ratio_grids`."""
    loads = {load.module: f"Loading {load.module} ({load.size:,} bytes); called: {load.call}" for load in report.load}
    found: list[Grid] = []
    for (name, group), of_group in _groups(report).items():
        if name is Name.LOAD:
            found.append(grid(loads[group], of_group))
        elif is_ratio(name, group):
            found.append(grid(f"{ratio_title(name, group)}, one by one", of_group, detailed=True))
        else:
            detailed = name in (Name.LIMITS, Name.LONG) or (name is Name.START and group != COLD)
            title = f"{TITLES[name]}: {group}" if group else TITLES[name]
            found.append(grid(title, of_group, transposed=name is Name.HTTP, detailed=detailed))
    return found


def ratio_grids(report: Report) -> list[Grid]:
    """The ratios of times in short, one table for each benchmark that has some."""
    groups = _groups(report).items()
    return [ratio_grid(ratio_title(*key), found) for key, found in groups if is_ratio(*key)]


def _groups(report: Report) -> dict[tuple[Name, str], list[Row]]:
    groups: dict[tuple[Name, str], list[Row]] = {}
    for row in rows(report):
        groups.setdefault((row.benchmark, row.group), []).append(row)
    return groups


def is_ratio(name: Name, group: str) -> bool:
    """Whether the rows of a group are ratios of times, and their means."""
    return group.endswith(RATIOS) and name is not Name.INTERPRETERS


RATIO_TITLES = {Name.KERNELS: "steady state", Name.LONG: "calls with much to do", Name.LIMITS: "limits"}


def ratio_title(name: Name, group: str) -> str:
    """`Ratios of times: steady state`, with the program that is apart."""
    apart = group.removesuffix(RATIOS).rstrip(": ")
    return f"Ratios of times: {', '.join(filter(None, [RATIO_TITLES.get(name), apart]))}"


def confidence_line(report: Report) -> str:
    """What the brackets mean."""
    intervals = [row.estimate.confidence for row in rows(report)]
    reached = min(intervals, default=CONFIDENCE)
    note = "" if reached >= CONFIDENCE else f"; with so few rounds it is {reached:.0%} in places"
    return f"median [interval of {CONFIDENCE:.0%} confidence{note}]"
