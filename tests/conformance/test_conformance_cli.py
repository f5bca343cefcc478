"""The command, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from conformance.cli import app
from conformance.selection import SMOKE_FILE, SelectionError, select, smoke

GOOD = '(module (func (export "f") (result i32) (i32.const 1)))\n(assert_return (invoke "f") (i32.const 1))\n'
BAD = GOOD + '(assert_return (invoke "f") (i32.const 2))\n'
BEYOND = "(module (func (param v128)))\n"
ENDLESS = '(module (func (export "f") (loop (br 0))))\n(assert_return (invoke "f"))\n'


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for name, text in {"bad": BAD, "beyond": BEYOND, "good": GOOD}.items():
        (tmp_path / f"{name}.wast").write_text(text)
    return tmp_path


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"WASM_TESTSUITE": ""})


def test_a_suite_that_passes(suite: Path) -> None:
    result = command("--suite", suite, "--file", "good*", "--jobs", "1", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert (report["engine"], report["features"], report["phase"]) == ("reference", None, "strict")
    assert report["totals"] == {"executed": 2, "passed": 2, "failed": 0, "skipped": 0, "text": 0}
    assert list(report["kinds"]) == ["assert_return", "module"]
    (file,) = report["files"]
    assert (file["file"], file["error"], file["failures"], file["unexpected"]) == ("good.wast", None, [], [])


def test_failures_are_reported(suite: Path) -> None:
    target = suite / "report.json"
    result = command("--suite", suite, "--features", "2.0-no-simd", "--output", target, "--jobs", "1")
    assert result.exit_code == 1
    assert "bad.wast: 1 failed, 2 passed, 0 skipped, 0 text" in result.stdout
    assert "expected i32 2, got 1" in result.stdout
    files = {file["file"]: file for file in json.loads(target.read_text())["files"]}
    assert list(files) == ["bad.wast", "beyond.wast", "good.wast"]
    (failure,) = files["bad.wast"]["failures"]
    assert (failure["line"], failure["expected"], failure["executed"]) == (3, False, True)
    assert files["bad.wast"]["unexpected"] == [{"line": 3, "reason": "expected i32 2, got 1"}]
    assert files["beyond.wast"]["skipped"] == {"beyond 2.0-no-simd": 1}
    assert files["beyond.wast"]["totals"]["executed"] == 0


def test_one_line(suite: Path) -> None:
    assert command(suite / "bad.wast", "--line", "2").exit_code == 0
    assert command(suite / "bad.wast", "--line", "3").exit_code == 1
    nothing = command(suite / "bad.wast", "--line", "77")
    assert nothing.exit_code == 1
    assert "no command was run" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "WASM_TESTSUITE"),
        (["--suite", "no/such/folder"], "no such file or folder"),
        (["no.wast"], "no.wast: no such file or folder"),
        (["--suite", ".", "--file", "no-such-*"], "no script matches"),
        (["--output", "report.pdf"], "ends in .json"),
        (["--output", "no/such/folder/report.json"], "no such folder"),
        (["--suite", ".", "--smoke"], "the suite has no"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_selection(suite: Path) -> None:
    assert list(select([], suite).values()) == ["bad.wast", "beyond.wast", "good.wast"]
    assert list(select([suite / "good.wast", suite], suite).values()) == ["good.wast", "bad.wast", "beyond.wast"]
    assert list(select([suite], None, "*/good*").values()) == [(suite / "good.wast").as_posix()]
    assert list(select([], suite, only=["good.wast"]).values()) == ["good.wast"]
    with pytest.raises(SelectionError, match=r"no absent\.wast"):
        select([], suite, only=["absent.wast"])


def test_the_smoke_list_names_each_script_once() -> None:
    assert SMOKE_FILE.is_file()
    assert smoke().features == "2.0-no-simd"
    assert smoke().files
    assert list(smoke().files) == sorted(set(smoke().files))


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, running a script that does not end in a worker, as the leader of a process group."""
    (tmp_path / "endless.wast").write_text(ENDLESS)
    arguments = [sys.executable, "-m", "conformance", str(tmp_path / "endless.wast"), "--jobs", "1"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=environment
    )
    try:
        _wait_for(lambda: "spawn_main" in _group(process.pid))
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals")
def test_an_interrupt_ends_the_run_and_its_workers(endless: subprocess.Popen[bytes]) -> None:
    os.killpg(endless.pid, signal.SIGINT)  # as a terminal does: the whole group is told
    stdout, stderr = endless.communicate(timeout=60)
    assert (endless.returncode, stdout, stderr) == (130, b"", b"conformance: interrupted\n")
    _wait_for(lambda: _group(endless.pid) == "")


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals")
def test_workers_do_not_outlive_a_run_that_is_killed(endless: subprocess.Popen[bytes]) -> None:
    endless.kill()
    endless.wait(timeout=60)
    _wait_for(lambda: _group(endless.pid) == "")


def test_the_smoke_list_must_be_complete_in_the_suite(suite: Path) -> None:
    result = command("--suite", suite, "--smoke")
    assert result.exit_code == 2
    assert "the suite has no address.wast, align.wast" in result.stderr


def _group(pgid: int) -> str:
    """The command lines of the living processes of a group."""
    command_line = ["ps", "-ww", "-eo", "pgid=,stat=,args="]
    listed = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return "\n".join(row[2] for row in rows if row[0] == str(pgid) and not row[1].startswith("Z"))


def _wait_for(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; that it never does is a failure, how long it takes is not."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
