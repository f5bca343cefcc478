"""A report as one HTML file: tables that can be sorted, plots, and every sample; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable

from benchmarks.grids import Cell, Grid, confidence_line, grids, ratio_grids
from benchmarks.html_parts import SCRIPT, STYLE
from benchmarks.plots import FIGURES, PlotError, svg
from benchmarks.report import Report
from conformance.markup import Markup, element, joined
from conformance.page_style import STYLE as HOUSE_STYLE

TITLE = "WebAssembly in Python: measured"
FILE_NAME = "report.json"
"""What the samples are called when they are saved out of the page."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Nothing is loaded from anywhere."""


def html(report: Report) -> str:
    """The page."""
    tables = grids(report)
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", TITLE),
        element("style", Markup(HOUSE_STYLE + STYLE)),
    )
    main = element(
        "main",
        *map(_section, ratio_grids(report)),
        *_plots(report),
        element("h2", "Tables"),
        *[_section(each) for each in tables if not each.detailed],
        *[_folded(each) for each in tables if each.detailed],
        *_left_out(report),
        element("h2", "Packages"),
        element("p", report.fingerprint.packages_line()),
        *_samples(report),
        id="content",
    )
    skip = element("a", "To the tables", class_="skip", href="#content")
    body = element("body", skip, _header(report), main, element("script", Markup(SCRIPT)))
    return f'<!doctype html>\n<html lang="en">\n{joined([head, body])}\n</html>\n'


def _header(report: Report) -> Markup:
    machine = report.fingerprint
    rounds = f"{confidence_line(report)}, of up to {report.rounds} rounds in which all subjects took turns."
    warning = "Other programs were running: the numbers are worse than they could be, and less certain."
    lines = [machine.line(), rounds, *([warning] if machine.busy else [])]
    return element("header", element("h1", TITLE), *[element("p", line) for line in lines])


def _plots(report: Report) -> list[Markup]:
    found: list[Markup] = []
    try:
        for title, draw in FIGURES.items():
            figure = draw(report)
            if figure is not None:
                found += [element("h2", title), element("figure", Markup(svg(figure, title)))]
    except PlotError as error:
        return [element("p", str(error))]
    return found


def _section(grid: Grid) -> Markup:
    return joined([element("h3", grid.title), _table(grid)])


def _folded(grid: Grid) -> Markup:
    return element("details", element("summary", grid.title), _table(grid))


def _table(grid: Grid) -> Markup:
    header = [element("th", element("button", name or "name"), scope="col", class_="number") for name in grid.header]
    head = element("thead", element("tr", *header))
    lines = [element("tr", *_cells(line)) for line in grid.lines]
    table = element("table", head, element("tbody", joined(lines)))
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label=grid.title)


def _cells(line: tuple[Cell, ...]) -> Iterable[Markup]:
    first, *rest = line
    yield element("th", first.text, scope="row")
    for cell in rest:
        value = {} if cell.value is None else {"data_value": repr(cell.value)}
        yield element("td", *_with_interval(cell.text), class_="number", **value)


def _with_interval(text: str) -> Iterable[str]:
    """The text, its interval in a lesser colour."""
    before, bracket, rest = text.partition(" [")
    yield before
    if bracket:
        interval, _, after = rest.partition("]")
        yield element("small", f" [{interval}]")
        yield after


def _left_out(report: Report) -> list[Markup]:
    lines = [element("li", f"{skipped.what}: {skipped.reason}") for skipped in report.skipped]
    return [element("h2", "Left out"), element("ul", *lines)] if lines else []


def _samples(report: Report) -> list[Markup]:
    """Every sample, as JSON that cannot end the element it stands in, and how to get it out again."""
    data = json.dumps(report.to_json(), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    link = element("a", FILE_NAME, id="save", download=FILE_NAME, href="#")
    show, compare = (element("code", f"wascc bench {option} {FILE_NAME}") for option in ("--from", "--compare"))
    return [
        element("h2", "Samples"),
        element("p", link, " has every sample; ", show, " shows it again, and ", compare, " compares with it."),
        Markup(f'<script type="application/json" id="report">{data}</script>'),
    ]
