"""Shows a report on a terminal: a table for each file with failures, and the totals."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.report import FileReport, RunReport, Totals, totals, totals_by_kind

MAX_ROWS = 20
"""Failures shown of one file; the JSON form has all of them."""


def show(report: RunReport, console: Console) -> None:
    """Print `report` on `console`."""
    for file in report.files:
        if file.failures or file.error or report.unexpected(file):
            _show_file(report, file, console)
    console.print(_totals_table(report))
    _show_verdict(report, console)


def _show_file(report: RunReport, file: FileReport, console: Console) -> None:
    """The failures of one file, the unexpected first; if all of them are expected, only how many there are."""
    counts = totals(file.results)
    title = f"{file.file}: {counts.failed} failed, {counts.passed} passed, {counts.skipped} skipped, {counts.text} text"
    unexpected = report.unexpected(file)
    if not unexpected:
        console.print(Text(f"{title}; all expected"))
        return
    kinds = {failure.line: failure.kind for failure in file.failures}
    rows = [(str(u.line or "-"), kinds.get(u.line or 0, ""), "no", u.reason) for u in unexpected]
    expected = report.expectations.lines(file.file)
    rows += [(str(f.line), f.kind, "yes", f.reason) for f in file.failures if f.line in expected]
    table = Table(title=Text(title), title_justify="left", expand=False)
    for heading in ("line", "command", "expected", "reason"):
        table.add_column(heading, justify="right" if heading == "line" else "left", overflow="fold")
    for line, kind, known, reason in rows[:MAX_ROWS]:
        table.add_row(line, kind, known, Text(reason))
    console.print(table)
    if len(rows) > MAX_ROWS:
        console.print(Text(f"… and {len(rows) - MAX_ROWS} more"))


def _totals_table(report: RunReport) -> Table:
    features = report.features or "all"
    table = Table(title=Text(f"{report.engine}, features {features}"), title_justify="left")
    table.add_column("command")
    for name in Totals.__slots__:
        table.add_column(name, justify="right")
    for kind, counts in totals_by_kind(report.results).items():
        table.add_row(kind, *map(str, counts.to_json().values()))
    table.add_section()
    table.add_row("all", *map(str, totals(report.results).to_json().values()))
    return table


def _show_verdict(report: RunReport, console: Console) -> None:
    unexpected = sum(len(report.unexpected(file)) for file in report.files)
    if not report.results:
        verdict = "no command was run"
    elif unexpected:
        verdict = f"{unexpected} unexpected results in {sum(bool(report.unexpected(f)) for f in report.files)} files"
    else:
        verdict = f"no unexpected result, {totals(report.results).failed} failures expected"
    console.print(Text(f"{len(report.files)} files: {verdict}", style="bold green" if report.ok else "bold red"))
