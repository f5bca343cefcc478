"""The report on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from conformance.expectations import Expectations
from conformance.record import Coverage, Report, RuleRecord
from conformance.report import FileReport, RunReport
from conformance.runner import CommandResult, Outcome
from conformance.show import MAX_ROWS, coverage_line, show, show_together

PASSED = CommandResult(1, "module", Outcome.PASSED, executed=True)


def failed(line: int, reason: str = "wrong") -> CommandResult:
    return CommandResult(line, "assert_return", Outcome.FAILED, reason, executed=True)


def made(*results: CommandResult, error: str = "", expected: tuple[int, ...] = (), engine: str = "reference") -> Report:
    expectations = Expectations({"a.wast": dict.fromkeys(expected, "because")})
    file = FileReport("a.wast", results, error, 0.1)
    return RunReport(engine, None, True, None, (file,), expectations).record()


def shown(*results: CommandResult, error: str = "", expected: tuple[int, ...] = (), verbose: bool = False) -> str:
    output = io.StringIO()
    show(made(*results, error=error, expected=expected), Console(file=output, width=100), verbose=verbose)
    return output.getvalue()


def test_a_run_without_failures_shows_no_file() -> None:
    text = shown(PASSED)
    assert "a.wast" not in text
    assert "1 files in 0 s: no unexpected result, 0 failures expected" in text


def test_expected_failures_are_only_counted() -> None:
    text = shown(PASSED, failed(2, "a known thing"), expected=(2,))
    assert "a.wast: 1 failed, 1 passed, 0 skipped, 0 text; all expected" in text
    assert "a known thing" not in text
    assert "no unexpected result, 1 failures expected" in text


def test_unexpected_failures_come_first() -> None:
    known = [failed(line, "a known thing") for line in range(2, 2 + MAX_ROWS)]
    text = shown(PASSED, *known, failed(99, "news [not markup]"), expected=tuple(range(2, 2 + MAX_ROWS)))
    assert text.index("news [not markup]") < text.index("a known thing")
    assert "… and 1 more" in text
    assert "1 unexpected results in 1 files" in text


def test_an_unexpected_pass_and_the_end_of_a_script_are_shown() -> None:
    text = shown(PASSED, error="time-out after 1 s in the command at line 7", expected=(1,))
    assert "passed, but is expected to fail" in text
    assert "time-out after 1 s" in text
    assert "2 unexpected results" in text


def test_nothing_run_is_no_success() -> None:
    assert "no command was run" in shown()


def test_kinds_and_files_are_shown_on_demand() -> None:
    assert "assert_return" not in shown(PASSED, failed(2, "known"), expected=(2,))
    verbose = shown(PASSED, failed(2, "known"), expected=(2,), verbose=True)
    assert [line.split() for line in verbose.splitlines() if "assert_return" in line] == [
        ["assert_return", "1", "0", "1", "0", "0"]
    ]
    assert ["a.wast", "2", "1", "1", "0", "0", "0.10"] in [line.split() for line in verbose.splitlines()]


def test_a_narrow_terminal_cuts_no_number_off() -> None:
    output = io.StringIO()
    file = FileReport("f32.wast", (CommandResult(1, "module", Outcome.PASSED, executed=True),) * 65184, "", 0.1)
    report = RunReport("reference", None, True, None, (file,), Expectations()).record()
    show(report, Console(file=output, width=80))
    assert [line.split() for line in output.getvalue().splitlines() if line.split()[:1] == ["all"]] == [
        ["all", "1", "65184", "65184", "0", "0", "0"]
    ]


def test_reports_side_by_side() -> None:
    output = io.StringIO()
    reports = [made(PASSED, failed(2)), made(PASSED, engine="wasmtime")]
    show_together(reports, Console(file=output, width=100))
    lines = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    assert "proposal reference wasmtime" in lines
    assert "Scripts outside of the suite 1 of 2 1" in lines
    assert "reference: 1 files in 0 s: 1 unexpected results in 1 files" in lines


def test_rules_that_did_not_fire_are_named() -> None:
    rules = (
        RuleRecord("Step/a", 3, "a.wast:1"),
        RuleRecord("Step/b", 0, None, "no script does that", "test_b.py::test_b"),
        RuleRecord("Step/c", 0, None),
        RuleRecord("Step/d", 0, None, "never", "test_d.py::test_d", reachable=False),
    )
    line = "rules: 1 of 4 fired, 1 fire in our own tests only, 1 in no module, 1 did not fire"
    assert coverage_line("rules", rules) == line
    report = made(PASSED)
    output = io.StringIO()
    fields = {name: getattr(report, name) for name in Report.__slots__} | {"coverage": Coverage(rules, rules[:1])}
    show(Report(**fields), Console(file=output, width=100))
    text = output.getvalue()
    assert "Step/b: no script does that" in text
    assert "Step/c: not applied in this run" in text
    assert "typing rules: 1 of 1 fired" in text
