"""Reports as data, as a page, and as Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conformance.coverage import Applied
from conformance.expectations import Expectations
from conformance.markdown import markdown
from conformance.markup import Markup, element, joined
from conformance.page import MAX_FAILURES, page
from conformance.record import FORMAT, Report, ReportError, Totals, load_report
from conformance.report import FileReport, RunReport
from conformance.runner import CommandResult, Outcome

EVIL = '<script>alert("1")</script>'
PASSED = CommandResult(1, "module", Outcome.PASSED, executed=True)
TEXT = CommandResult(2, "assert_malformed", Outcome.TEXT)
VOID = {"meta", "br"}


def failed(line: int) -> CommandResult:
    return CommandResult(line, "assert_return", Outcome.FAILED, f"expected {EVIL}", executed=True)


def report(*files: FileReport, engine: str = "reference", observed: bool = False) -> Report:
    expectations = Expectations({"struct.wast": {9: "known"}})
    return RunReport(engine, None, True, None, files, expectations, seconds=3.0, observed=observed).record()


REPORT = report(
    FileReport("i32.wast", (PASSED, TEXT), "", 0.1, Applied({"Step_pure/nop": (7, 1)}, {"Instr_ok/nop": (3, 1)})),
    FileReport("struct.wast", (PASSED, failed(8), failed(9)), "", 0.2),
    FileReport(f"{EVIL}.wast", (PASSED,), f"time-out {EVIL}", 0.3),
    observed=True,
)
OTHER_ENGINE = report(FileReport("i32.wast", (PASSED,), "", 0.1), engine="wasmtime")


class Checker(HTMLParser):
    """Checks that elements are closed, and collects what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        found = dict(attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if "href" in found:
            self.targets.append(str(found["href"]))
        assert "src" not in found
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(REPORT.to_json())
    assert load_report(path) == REPORT


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', "\0", '{"format": "x"}'])
def test_what_is_no_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=f"not a report of format {FORMAT}"):
        load_report(path)


def test_a_report_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(REPORT.to_json().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    with pytest.raises(ReportError, match=f"format {FORMAT + 1}, not {FORMAT}"):
        load_report(path)


def test_totals_say_when_all_is_well() -> None:
    assert Totals(2, 2, 0, 0, 5).complete
    assert Totals(2, 2, 0, 0, 5).commands == 7
    assert not Totals(2, 1, 1, 0, 0).complete
    assert not Totals(1, 1, 0, 1, 0).complete


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    html = page([REPORT, OTHER_ENGINE])
    found = checked(html)
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert "script" not in found.names
    assert len(found.ids) == len(set(found.ids))
    assert all(target.startswith("#") and target[1:] in found.ids for target in found.targets)
    assert not re.search(r"url\(|@import|https?:", html)


def test_the_page_says_what_was_found() -> None:
    html = page([REPORT, OTHER_ENGINE])
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in html
    assert EVIL not in html
    for text in ("◐ in part<small>1 of 3</small>", "✓ all<small>1</small>", "not run", "✗ no", "Garbage collection"):
        assert text in html
    assert "reference: 2 failed in <code>struct.wast</code>" in html
    assert '<code>Step_pure/nop</code></th><td class="number">7</td><td><code>i32.wast:1</code>' in html
    assert "Rules of the specification (reference)" in html
    assert "Rules of the specification (wasmtime)" not in html
    assert "tested in i32.wast, i64.wast" in html


def test_a_script_with_very_many_failures_does_not_fill_the_page() -> None:
    html = page([report(FileReport("array.wast", tuple(map(failed, range(100, 1100))), "", 0.1))])
    assert html.count("<code>assert_return</code>") == MAX_FAILURES
    assert f"… and {1000 - MAX_FAILURES} more" in html


def test_markup_escapes_what_is_not_markup_yet() -> None:
    inner = element("b", "a < b", title='"x" & y')
    assert inner == '<b title="&quot;x&quot; &amp; y">a &lt; b</b>'
    assert element("p", inner, class_="c", aria_label="l") == f'<p class="c" aria-label="l">{inner}</p>'
    assert joined([Markup("<br>"), "<br>"]) == "<br>\n&lt;br&gt;"


def test_markdown_has_a_column_for_each_engine() -> None:
    lines = markdown([REPORT, OTHER_ENGINE]).splitlines()
    assert lines[:3] == [
        "| proposal | commands | reference | wasmtime |",
        "| --- | ---: | ---: | ---: |",
        "| WebAssembly 1.0 | 1 | 1 | 1 |",
    ]
    assert "| Sign extension (tested in i32.wast, i64.wast) |  |  |  |" in lines
    assert "| Garbage collection | 3 | 1 of 3 | – |" in lines
    assert "| **all** | 5 | 3 of 5 | 1 of 1 |" in lines
    assert "3 scripts; 1 commands about the text format apart. On reference, reduction rules: 1 of" in lines[-1]
