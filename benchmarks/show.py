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
        console.print(_table(made, console.width))
    console.print(confidence_line(report), markup=False)
    for skipped in report.skipped:
        console.print(f"Left out: {skipped.what}: {skipped.reason}", markup=False)
    if report.fingerprint.busy:
        console.print("Other programs were running: the numbers are worse than they could be, and less certain.")
    console.print(report.fingerprint.line(), markup=False)
    console.print(report.fingerprint.packages_line(), markup=False)


def _table(made: Grid, width: int) -> Table:
    """The table with intervals if there is room for them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(made.header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold", no_wrap=index == 0)
    for line in made.texts(interval=made.width(True, GAP) + EDGES <= width):
        table.add_row(*line)
    return table
