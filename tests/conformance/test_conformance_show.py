"""The report on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from conformance.expectations import Expectations
from conformance.report import FileReport, RunReport
from conformance.runner import CommandResult, Outcome
from conformance.show import MAX_ROWS, show

PASSED = CommandResult(1, "module", Outcome.PASSED, executed=True)


def failed(line: int, reason: str = "wrong") -> CommandResult:
    return CommandResult(line, "assert_return", Outcome.FAILED, reason, executed=True)


def shown(*results: CommandResult, error: str = "", expected: tuple[int, ...] = ()) -> str:
    expectations = Expectations({"a.wast": dict.fromkeys(expected, "because")})
    file = FileReport("a.wast", results, error, 0.1)
    output = io.StringIO()
    show(RunReport("reference", None, True, None, (file,), expectations), Console(file=output, width=100))
    return output.getvalue()


def test_a_run_without_failures_shows_no_file() -> None:
    text = shown(PASSED)
    assert "a.wast" not in text
    assert "1 files: no unexpected result, 0 failures expected" in text


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
