"""Expected failures are strict: a failure, a pass, and a line that does not exist are each told."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.expectations import Expectations, ExpectationsError, Unexpected, load_expectations
from conformance.runner import CommandResult, Outcome

FAILED = CommandResult(3, "assert_return", Outcome.FAILED, "wrong", executed=True)
PASSED = CommandResult(4, "assert_return", Outcome.PASSED, executed=True)
SKIPPED = CommandResult(5, "assert_return", Outcome.SKIPPED, "beyond 2.0")
RESULTS = (FAILED, PASSED, SKIPPED)


def expecting(*lines: int | None) -> Expectations:
    return Expectations({"a.wast": dict.fromkeys(lines, "because")})


def test_a_failure_that_is_not_listed() -> None:
    assert Expectations().judge("a.wast", RESULTS) == (Unexpected(3, "wrong"),)
    assert expecting(3).judge("b.wast", RESULTS) == (Unexpected(3, "wrong"),)
    assert expecting(3).judge("a.wast", RESULTS) == ()


def test_a_pass_that_is_listed() -> None:
    assert expecting(3, 4).judge("a.wast", RESULTS) == (Unexpected(4, "passed, but is expected to fail"),)
    both = (PASSED, CommandResult(4, "assert_trap", Outcome.FAILED, "wrong"))
    assert expecting(4).judge("a.wast", both) == ()


def test_a_skipped_command_may_be_listed() -> None:
    assert expecting(3, 5).judge("a.wast", RESULTS) == ()


def test_a_line_without_a_command() -> None:
    assert expecting(3, 9).judge("a.wast", RESULTS) == (Unexpected(9, "expected to fail, but is no command"),)
    assert expecting(3, 9).judge("a.wast", RESULTS, whole=False) == ()


def test_the_script_as_a_whole() -> None:
    assert expecting(3).judge("a.wast", RESULTS, "time-out") == (Unexpected(None, "time-out"),)
    assert expecting(3, None).judge("a.wast", RESULTS, "time-out") == ()
    assert expecting(3, None).judge("a.wast", RESULTS) == (Unexpected(None, "ran to its end, but is expected not to"),)


def test_loading(tmp_path: Path) -> None:
    (tmp_path / "some.toml").write_text(
        '[[failure]]\nfile = "a.wast"\nlines = [3, 4]\nreason = "r"\n[[failure]]\nfile = "a.wast"\nreason = "s"\n'
    )
    loaded = load_expectations("some", tmp_path)
    assert loaded.failures == {"a.wast": {3: "r", 4: "r", None: "s"}}
    assert load_expectations("other", tmp_path).failures == {}


@pytest.mark.parametrize(
    "text", ["[[failure]", '[[failure]]\nfile = "a"\n', '[[failure]]\nfile="a"\nreason="r"\nline=3\n', "x = 1\n"]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "some.toml").write_text(text)
    with pytest.raises(ExpectationsError, match=r"some\.toml"):
        load_expectations("some", tmp_path)


def test_not_even_utf8(tmp_path: Path) -> None:
    (tmp_path / "some.toml").write_bytes(b"\xff")
    with pytest.raises(ExpectationsError):
        load_expectations("some", tmp_path)


@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_our_own_files_can_be_read(engine: str) -> None:
    load_expectations(engine)
