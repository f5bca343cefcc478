"""What becomes of a report: files, JSON, Markdown, tables, and what has changed since an earlier one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.cells import number
from benchmarks.compare import MIN_CONTROLS, Change, Changes, compare
from benchmarks.errors import BenchmarkError
from benchmarks.html import html
from benchmarks.markdown import markdown
from benchmarks.plots import write_plot
from benchmarks.report import Report
from benchmarks.show import show
from benchmarks.summary import json_text


@dataclass(frozen=True, slots=True)
class Wanted:
    """The forms in which a report is wanted; None and False are not."""

    output: Path | None
    plot: Path | None
    as_json: bool
    as_markdown: bool


def read_report(path: Path) -> Report:
    """The report in a file. Raises BenchmarkError, OSError."""
    try:
        return Report.from_json(path.read_bytes())
    except BenchmarkError as error:
        raise BenchmarkError(f"{path}: {error}") from error


def present(report: Report, before: Report | None, wanted: Wanted) -> Changes | None:
    """Write and print the report, and what has changed since the one before. Raises BenchmarkError, OSError."""
    if wanted.output is not None:
        text = json_text(report) + "\n" if wanted.output.suffix == ".json" else html(report)
        wanted.output.write_text(text, encoding="utf-8")
    if wanted.plot is not None:
        write_plot(report, wanted.plot)
    out = Console()
    if wanted.as_json:
        sys.stdout.write(json_text(report) + "\n")
    elif wanted.as_markdown:
        sys.stdout.write(markdown(report) + "\n")
    else:
        show(report, out)
    if before is None:
        return None
    changes = compare(before, report)
    show_changes(changes, Console(stderr=True) if wanted.as_json or wanted.as_markdown else out)
    return changes


def show_changes(changes: Changes, console: Console) -> None:
    """Print what has changed."""
    if changes.machines:
        console.print(f"Not the same machine: {changes.machines}", markup=False, style="bold")
    for title, found in (("Slower", changes.slower), ("Faster", changes.faster)):
        if found:
            console.print(title, style="bold")
            console.print(_table(found))
    for name, control in changes.controls.items():
        if control.count:
            console.print(
                f"{name}: what cannot have changed ({control.count} rows of Python by hand and peers) took "
                f"{number(control.drift)}× as long, which is taken out; up to {number(control.noise)}× is noise",
                markup=False,
            )
        else:
            missing = f"it takes {MIN_CONTROLS} rows that cannot have changed, as of kernels with --peers python"
            noise = f"up to {number(control.noise)}× is noise"
            console.print(f"{name}: nothing tells the machine's drift ({missing}); {noise}, or more if it was busy")
    parts = [
        f"{len(changes.faster)} faster", f"{len(changes.slower)} slower", f"{changes.unchanged} unchanged",
        *([f"{changes.new} new"] if changes.new else []),
        *([f"{changes.gone} not measured again"] if changes.gone else []),
    ]  # fmt: skip
    console.print(", ".join(parts), style="bold", highlight=False)


def _table(changes: tuple[Change, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    for justify in ("left", "left", "right"):
        table.add_column(justify=justify, overflow="fold")
    for change in changes:
        benchmark, group, quantity, subject = change.key
        what = ": ".join(filter(None, (benchmark.value, group, quantity)))
        table.add_row(what, subject, f"{number(change.ratio)}× [{number(change.low)}–{number(change.high)}]")
    return table
