"""Reports for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.grids import Grid, confidence_line, grids, ratio_grids
from benchmarks.report import Report

GAP, EDGES = 2, 2
"""Characters between the columns of a table, and around it."""


def show(report: Report, console: Console) -> None:
    """Print the tables, what was left out, and the machine."""
    for made in [*[each for each in grids(report) if not each.detailed], *ratio_grids(report)]:
        console.print(made.title, style="bold", markup=False, highlight=False)
        for part in parts(made, console.width):
            console.print(part)
    console.print(confidence_line(report), markup=False)
    for skipped in report.skipped:
        console.print(f"Left out: {skipped.what}: {skipped.reason}", markup=False)
    if report.fingerprint.busy:
        console.print("Other programs were running: the numbers are worse than they could be, and less certain.")
    console.print(report.fingerprint.line(), markup=False)
    console.print(report.fingerprint.packages_line(), markup=False)


def parts(made: Grid, width: int) -> list[Table]:
    """The table, with intervals if there is room for them. Without room for all columns, several tables."""
    interval = made.width(True, GAP) + EDGES <= width
    texts = made.texts(interval)
    columns = [list(column) for column in zip(made.header, *texts, strict=True)]
    first, *rest = columns
    if made.whole:
        return [_table(columns, wrap=True)]
    groups: list[list[list[str]]] = [[first]]
    room = width - EDGES - _breadth(first)
    for column in rest:
        if room < _breadth(column) and len(groups[-1]) > 1:
            groups.append([first])
            room = width - EDGES - _breadth(first)
        groups[-1].append(column)
        room -= _breadth(column)
    return [_table(group) for group in groups]


def _breadth(column: list[str]) -> int:
    """The characters that a column needs, of whose header only single words."""
    header, *cells = column
    return max(map(len, [*header.split(" "), *cells])) + GAP


def _table(columns: list[list[str]], wrap: bool = False) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, (name, *_) in enumerate(columns):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold", no_wrap=not (index or wrap))
    for line in list(zip(*columns, strict=True))[1:]:
        table.add_row(*line)
    return table
