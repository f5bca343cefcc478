"""Shows reports on a terminal: a table for each file with failures, what was counted per proposal, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.record import NAMES, Coverage, FileRecord, Report, RuleRecord, Totals
from interp.errors import escaped

MAX_ROWS = 20
"""Failures shown of one file; the JSON form has all of them."""


def show(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Print `report` on `console`; `verbose` adds the counts per kind of command and per file."""
    for file in report.files:
        if file.failures or file.error or file.unexpected:
            _show_file(file, console)
    if verbose:
        console.print(_files_table(report.files))
        console.print(_counts_table("by kind of command", "command", report.kinds, report.totals))
    console.print(_proposals_table(report))
    if report.coverage is not None:
        _show_coverage(report.coverage, console)
    _show_verdict(report, console)


def show_together(reports: Sequence[Report], console: Console) -> None:
    """Print several reports side by side: for each proposal how many of its commands passed."""
    engines = [report.engine for report in reports]
    table = _table("passed of all commands that are not about the text format", "proposal", *engines)
    for name, title in titles(reports).items():
        found = [next((p.totals for p in report.proposals if p.name == name), None) for report in reports]
        table.add_row(title, *map(share, found))
    table.add_section()
    table.add_row("all", *(share(report.totals) for report in reports))
    console.print(table)
    for report in reports:
        if report.coverage is not None:
            _show_coverage(report.coverage, console)
        _show_verdict(report, console)


def plain(text: str, style: str = "") -> Text:
    """Text of a script or a report that neither a terminal nor the library that draws the table obeys."""
    return Text(escaped(text), style)


def titles(reports: Sequence[Report]) -> dict[str, str]:
    """Name and title of every proposal that one of the reports has, in the order of the longest report."""
    longest = sorted(reports, key=lambda report: len(report.proposals), reverse=True)
    return {proposal.name: proposal.title for report in longest for proposal in report.proposals}


def share(totals: Totals | None) -> str:
    """How many commands passed, and of how many if not all; the text format apart. "–" for none."""
    if totals is None or totals.commands == totals.text:
        return "–"
    if totals.complete:
        return f"{totals.passed:,}"
    return f"{totals.passed:,} of {totals.commands - totals.text:,}"


def _show_file(file: FileRecord, console: Console) -> None:
    """The failures of one file, the unexpected first; if all of them are expected, only how many there are."""
    counts = file.totals
    title = f"{file.file}: {counts.failed} failed, {counts.passed} passed, {counts.skipped} skipped, {counts.text} text"
    if not file.unexpected:
        console.print(plain(f"{title}; all expected"))
        return
    kinds = {failure.line: failure.kind for failure in file.failures}
    rows = [(str(u.line or "-"), kinds.get(u.line or 0, ""), "no", u.reason) for u in file.unexpected]
    rows += [(str(f.line), f.kind, "yes", f.reason) for f in file.failures if f.expected]
    table = Table(title=plain(title), title_justify="left", expand=False)
    for heading in ("line", "command", "expected", "reason"):
        table.add_column(heading, justify="right" if heading == "line" else "left", overflow="fold")
    for line, kind, known, reason in rows[:MAX_ROWS]:
        table.add_row(line, plain(kind), known, plain(reason))
    console.print(table)
    if len(rows) > MAX_ROWS:
        console.print(Text(f"… and {len(rows) - MAX_ROWS} more"))


def _proposals_table(report: Report) -> Table:
    table = _table(f"{report.engine}, features {report.features or 'all'}", "proposal", "files", *NAMES)
    for proposal in report.proposals:
        if proposal.files:
            table.add_row(plain(proposal.title), str(proposal.files), *_cells(proposal.totals))
    table.add_section()
    table.add_row("all", str(len(report.files)), *_cells(report.totals))
    return table


def _counts_table(title: str, heading: str, counts: Mapping[str, Totals], everything: Totals) -> Table:
    table = _table(title, heading, *NAMES)
    for label, totals in counts.items():
        table.add_row(plain(label), *_cells(totals))
    table.add_section()
    table.add_row("all", *_cells(everything))
    return table


def _files_table(files: Sequence[FileRecord]) -> Table:
    table = _table("by file", "file", *NAMES, "seconds")
    for file in files:
        table.add_row(plain(file.file), *_cells(file.totals), f"{file.seconds:.2f}")
    return table


def _table(title: str, heading: str, *numbers: str) -> Table:
    """An empty table: one column of names, which are never cut off, and columns of numbers."""
    table = Table(title=plain(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(heading, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right")
    return table


def _cells(totals: Totals) -> list[str]:
    return [str(getattr(totals, name)) for name in NAMES]


def _show_coverage(coverage: Coverage, console: Console) -> None:
    for what, rules in (("rules", coverage.reduction), ("typing rules", coverage.validation)):
        console.print(plain(coverage_line(what, rules)))
        for rule in rules:
            if not rule.count:
                console.print(plain(f"  {rule.rule}: {rule.reason or 'not applied in this run'}"))


def coverage_line(what: str, rules: Sequence[RuleRecord]) -> str:
    """How many of the rules were applied, and what is known of the others."""
    missing = [rule for rule in rules if not rule.count]
    never = sum(1 for rule in missing if not rule.reachable)
    ours = sum(1 for rule in missing if rule.reachable and rule.test)
    counts = {"fire in our own tests only": ours, "in no module": never, "did not fire": len(missing) - never - ours}
    others = "".join(f", {count} {text}" for text, count in counts.items() if count)
    return f"{what}: {len(rules) - len(missing)} of {len(rules)} fired{others}"


def _show_verdict(report: Report, console: Console) -> None:
    files = [file for file in report.files if file.unexpected]
    if not report.totals.commands:
        verdict = "no command was run"
    elif files:
        verdict = f"{sum(len(file.unexpected) for file in files)} unexpected results in {len(files)} files"
    else:
        verdict = f"no unexpected result, {report.totals.failed} failures expected"
    if report.interrupted:
        verdict += "; interrupted"
    line = f"{report.engine}: {len(report.files)} files in {report.seconds:.0f} s: {verdict}"
    console.print(plain(line, style="bold green" if report.ok else "bold red"))
