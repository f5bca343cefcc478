"""The report as one static page: proposals as rows and engines as columns, then each proposal with its scripts and
failures, then the coverage of the specification's rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from conformance.markup import Child, Markup, element, joined
from conformance.page_style import STYLE
from conformance.proposals import OTHER, Proposal, proposals
from conformance.record import NAMES, FileRecord, ProposalRecord, Report, RuleRecord, Totals
from conformance.show import coverage_line, share

TITLE = "WebAssembly conformance"
MAX_FAILURES = 200
"""Failures shown of one script; the JSON form has all of them."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded from anywhere."""


def page(reports: Sequence[Report]) -> str:
    """The page, as HTML."""
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", f"{TITLE}: {', '.join(report.engine for report in reports)}"),
        element("style", Markup(STYLE)),
    )
    shown = [proposal for proposal in proposals() if any(_of(proposal, report) for report in reports)]
    main = element(
        "main",
        _features(shown, reports),
        element("h2", "Scripts", id="scripts"),
        *(_section(proposal, reports) for proposal in shown if _files(proposal, reports)),
        *_rules(reports),
        id="content",
    )
    body = element("body", element("a", "To the table", class_="skip", href="#content"), _header(reports), main)
    return f'<!doctype html>\n<html lang="en">\n{joined([head, body])}\n</html>\n'


def _of(proposal: Proposal, report: Report) -> ProposalRecord | None:
    return next((record for record in report.proposals if record.name == proposal.name), None)


def _header(reports: Sequence[Report]) -> Markup:
    rows: list[Markup] = []
    for report in reports:
        totals, unexpected = report.totals, sum(len(file.unexpected) for file in report.files)
        verdict = "as expected" if report.ok else f"{unexpected} unexpected results"
        counts = ", ".join(f"{getattr(totals, name):,} {name}" for name in NAMES)
        features = f"Features {report.features}" if report.features else "All features"
        run = f"{len(report.files)} scripts, {totals.commands:,} commands: {counts}. {features}, {verdict}"
        run += "; interrupted before the end" if report.interrupted else ""
        rows += [element("dt", report.engine), element("dd", f"{run}. {report.seconds:,.0f} s.")]
    intro = (
        "What the scripts of the WebAssembly test suite found, command by command. Floats are compared bit by bit. "
        "Commands about the text format are counted apart."
    )
    return element("header", element("h1", TITLE), element("p", intro), element("dl", *rows, class_="runs"))


def _features(shown: Sequence[Proposal], reports: Sequence[Report]) -> Markup:
    columns = [element("th", report.engine, scope="col", class_="cell") for report in reports]
    caption = "Commands that passed, for each feature of WebAssembly and the version of the specification it came with"
    groups: list[Markup] = []
    for version, members in groupby(shown, key=lambda proposal: proposal.version):
        title = f"Version {version}" if version else "Not part of a version"
        span = str(1 + len(reports))
        rows = [element("tr", element("th", title, scope="rowgroup", colspan=span))]
        rows += [_feature_row(proposal, reports) for proposal in members]
        groups.append(element("tbody", *rows))
    head = element("thead", element("tr", element("th", "Feature", scope="col"), *columns))
    total = [_cell(report.totals, report.files) for report in reports]
    foot = element("tfoot", element("tr", element("th", "All", scope="row"), *total))
    table = element("table", element("caption", caption), head, *groups, foot)
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label="Features")


def _feature_row(proposal: Proposal, reports: Sequence[Report]) -> Markup:
    named = element("a", proposal.title, href=f"#{proposal.name}") if _files(proposal, reports) else proposal.title
    if not proposal.files and proposal is not OTHER:
        within = element("span", f"tested in {', '.join(proposal.within)}", class_="quiet")
        cells = [element("td", within, colspan=str(len(reports)))]
    else:
        cells = [
            _cell(record.totals, _own(proposal, report)) if record else element("td", "not run", class_="cell quiet")
            for report in reports
            for record in [_of(proposal, report)]
        ]
    return element("tr", element("th", named, scope="row"), *cells)


def _own(proposal: Proposal, report: Report) -> list[FileRecord]:
    return [file for file in report.files if file.proposal == proposal.name]


def _cell(totals: Totals, files: Sequence[FileRecord]) -> Markup:
    """Whether all passed, in a word as well as in a colour."""
    tested = totals.commands - totals.text
    if any(file.error for file in files) or (tested and not totals.passed):
        word, look = "✗ no", "bad"
    elif not tested:
        word, look = "– text only", "quiet"
    elif totals.complete:
        word, look = "✓ all", "good"
    else:
        word, look = "◐ in part", "part"
    return element("td", word, element("small", share(totals)), class_=f"cell {look}")


def _files(proposal: Proposal, reports: Sequence[Report]) -> list[str]:
    """The scripts of a feature that one of the reports has."""
    names = [file.file for report in reports for file in _own(proposal, report)]
    return sorted(dict.fromkeys(names))


def _section(proposal: Proposal, reports: Sequence[Report]) -> Markup:
    files = _files(proposal, reports)
    found = {(index, file.file): file for index, report in enumerate(reports) for file in report.files}
    columns = [element("th", report.engine, scope="col", class_="cell") for report in reports]
    rows: list[Markup] = []
    for name in files:
        cells = [
            _cell(file.totals, [file]) if file else element("td", "not run", class_="cell quiet")
            for index in range(len(reports))
            for file in [found.get((index, name))]
        ]
        rows.append(element("tr", element("th", element("code", name), scope="row"), *cells))
    head = element("thead", element("tr", element("th", "Script", scope="col"), *columns))
    table = element("div", element("table", head, element("tbody", *rows)), class_="wide", tabindex="0")
    failures = [
        _failures(report.engine, found[index, name])
        for index, report in enumerate(reports)
        for name in files
        if (index, name) in found
    ]
    scripts = element("details", element("summary", f"{len(files)} scripts"), table)
    return element("section", element("h3", proposal.title, id=proposal.name), *filter(None, failures), scripts)


def _failures(engine: str, file: FileRecord) -> Markup:
    """What failed in one script, or nothing."""
    lines = [(str(f.line), f.kind, "yes" if f.expected else "no", f.reason) for f in file.failures]
    known = {f.line for f in file.failures}
    lines += [(str(u.line or "–"), "", "no", u.reason) for u in file.unexpected if u.line not in known]
    lines += [("–", "", "yes", file.error)] if file.error and not any(u.line is None for u in file.unexpected) else []
    if not lines:
        return Markup("")
    rows = [
        element(
            "tr",
            element("td", line, class_="number"),
            element("td", element("code", kind)),
            element("td", expected),
            element("td", reason),
        )
        for line, kind, expected, reason in lines[:MAX_FAILURES]
    ]
    headings = [element("th", name, scope="col") for name in ("Line", "Command", "Expected", "Reason")]
    table = element("table", element("thead", element("tr", *headings)), element("tbody", *rows))
    more = [element("p", f"… and {len(lines) - MAX_FAILURES} more")] if len(lines) > MAX_FAILURES else []
    summary = element("summary", f"{engine}: {len(lines)} failed in ", element("code", file.file))
    return element("details", summary, element("div", table, *more, class_="wide", tabindex="0"))


def _rules(reports: Sequence[Report]) -> Iterator[Markup]:
    for report in reports:
        if report.coverage is None:
            continue
        yield element("h2", f"Rules of the specification ({report.engine})", id=f"rules-{report.engine}")
        yield _rule_section("Reduction rules", report.coverage.reduction)
        yield _rule_section("Typing rules of instructions", report.coverage.validation)


def _first(rule: RuleRecord) -> list[Child]:
    """The command that was the first to apply a rule, or why there is none."""
    if rule.first is not None:
        return [element("code", rule.first)]
    return [rule.reason or "not applied in this run", *([": ", element("code", rule.test)] if rule.test else [])]


def _rule_section(what: str, rules: Sequence[RuleRecord]) -> Markup:
    fired = sum(1 for rule in rules if rule.count)
    rows = [
        element(
            "tr",
            element("th", element("code", rule.rule), scope="row"),
            element("td", f"{rule.count:,}", class_="number" if rule.count else "number part"),
            element("td", *_first(rule)),
        )
        for rule in rules
    ]
    headings = [element("th", name, scope="col") for name in ("Rule", "Times", "First applied by")]
    table = element("table", element("thead", element("tr", *headings)), element("tbody", *rows))
    line = coverage_line(what, rules)
    bar = element("meter", line, min="0", max=str(max(1, len(rules))), value=str(fired), aria_label=line)
    all_rules = element("details", element("summary", "All rules"), element("div", table, class_="wide", tabindex="0"))
    return element("section", element("p", line), bar, all_rules)
