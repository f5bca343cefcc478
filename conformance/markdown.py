"""The README's table: one row per proposal, one column per engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.record import Report, Totals
from conformance.show import coverage_line, share, titles


def markdown(reports: Sequence[Report]) -> str:
    """A table in Markdown: how many commands of each proposal there are, and passed on each engine."""
    engines = [report.engine for report in reports]
    lines = [_line(["proposal", "commands", *engines]), _line(["---", *["---:"] * (1 + len(engines))])]
    for name, title in titles(reports).items():
        records = [next((p for p in report.proposals if p.name == name), None) for report in reports]
        found = [record for record in records if record is not None]
        if not any(record.files for record in found):
            lines.append(_line([f"{title} (tested in {', '.join(found[0].within)})", "", *["" for _ in records]]))
            continue
        most = max(record.totals.commands - record.totals.text for record in found)
        cells = [_cell(record.totals if record else None, most) for record in records]
        lines.append(_line([title, f"{most:,}", *cells]))
    most = max(report.totals.commands - report.totals.text for report in reports)
    lines.append(_line(["**all**", f"{most:,}", *(_cell(report.totals, most) for report in reports)]))
    text = max(report.totals.text for report in reports)
    notes = [f"{max(len(report.files) for report in reports)} scripts; {text:,} commands about the text format apart."]
    for report in reports:
        if report.coverage is not None:
            notes.append(f"On {report.engine}, {coverage_line('reduction rules', report.coverage.reduction)};")
            notes.append(f"{coverage_line('typing rules', report.coverage.validation)}.")
    return "\n".join([*lines, "", " ".join(notes)])


def _cell(totals: Totals | None, commands: int) -> str:
    """What passed; also of how many, where an engine did not get all of the commands."""
    if totals is None or totals.commands - totals.text == commands:
        return share(totals)
    return f"{totals.passed:,} of {totals.commands - totals.text:,}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
