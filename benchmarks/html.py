"""A report as one HTML file: tables that can be sorted, plots, and every sample; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from benchmarks.grids import Cell, Grid, confidence_line, grids, ratio_grids
from benchmarks.html_parts import SCRIPT, STYLE
from benchmarks.plots import FIGURES, PlotError, svg
from benchmarks.report import Report

TITLE = "WebAssembly in Python: measured"
FILE_NAME = "report.json"
"""What the samples are called when they are saved out of the page."""


def html(report: Report) -> str:
    """The page."""
    machine = report.fingerprint
    tables = grids(report)
    body = [
        f"<h1>{escape(TITLE)}</h1>",
        f"<p>{escape(machine.line())}</p>",
        f"<p>{escape(confidence_line(report))}, of up to {report.rounds} rounds in which all subjects took turns.</p>",
        *(["<p><b>Other programs were running: the numbers are less certain.</b></p>"] if machine.busy else []),
        *map(_section, ratio_grids(report)),
        *_plots(report),
        "<h2>Tables</h2>",
        *[_section(each) for each in tables if not each.detailed],
        *[_folded(each) for each in tables if each.detailed],
        *_left_out(report),
        "<h2>Packages</h2>",
        f"<p>{escape(machine.packages_line())}</p>",
        "<h2>Samples</h2>",
        f'<p><a id="save" download="{FILE_NAME}" href="#">{FILE_NAME}</a> has every sample; <code>wascc bench --from'
        f" {FILE_NAME}</code> shows it again, and <code>--compare {FILE_NAME}</code> compares with it.</p>",
        f'<script type="application/json" id="report">{_embedded(report)}</script>',
        f"<script>{SCRIPT}</script>",
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(TITLE)}</title>'
    return "\n".join(
        ["<!doctype html>", f'<html lang="en"><head>{head}<style>{STYLE}</style></head><body>', *body, "</body></html>"]
    )


def _embedded(report: Report) -> str:
    """The report as JSON that cannot end the element it stands in."""
    return json.dumps(report.to_json(), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plots(report: Report) -> list[str]:
    found: list[str] = []
    try:
        for title, draw in FIGURES.items():
            figure = draw(report)
            if figure is not None:
                found.append(f"<h2>{escape(title)}</h2>\n<figure>{svg(figure, title)}</figure>")
    except PlotError as error:
        return [f"<p>{escape(str(error))}</p>"]
    return found


def _section(grid: Grid) -> str:
    return f"<h3>{escape(grid.title)}</h3>\n{_table(grid)}"


def _folded(grid: Grid) -> str:
    return f"<details><summary>{escape(grid.title)}</summary>\n{_table(grid)}</details>"


def _table(grid: Grid) -> str:
    header = "".join(f'<th scope="col">{escape(name)}</th>' for name in grid.header)
    lines = "\n".join(f"<tr>{''.join(_cells(line))}</tr>" for line in grid.lines)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def _cells(line: tuple[Cell, ...]) -> Iterable[str]:
    first, *rest = line
    yield f'<th scope="row">{escape(first.text)}</th>'
    for cell in rest:
        if cell.value is None:
            yield f"<td>{escape(cell.text)}</td>"
        else:
            yield f'<td data-value="{cell.value!r}">{_muted(cell.text)}</td>'


def _muted(text: str) -> str:
    """The text with its interval in a lesser colour."""
    before, bracket, rest = escape(text).partition(" [")
    if not bracket:
        return before
    interval, _, after = rest.partition("]")
    return f"{before} <small>[{interval}]</small>{after}"


def _left_out(report: Report) -> list[str]:
    if not report.skipped:
        return []
    lines = [f"<li>{escape(skipped.what)}: {escape(skipped.reason)}</li>" for skipped in report.skipped]
    return ["<h2>Left out</h2>", "<ul>", *lines, "</ul>"]
