"""The command, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from conformance import cli
from conformance.cli import app
from conformance.report import FileReport
from conformance.schedule import slow
from conformance.selection import SelectionError, select
from conformance.workers import Pool

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
    (proposal,) = report["proposals"]
    assert (proposal["name"], proposal["files"], proposal["totals"]) == ("other", 1, report["totals"])
    assert proposal["kinds"] == report["kinds"]
    (file,) = report["files"]
    assert (file["proposal"], file["totals"], file["kinds"]) == ("other", report["totals"], report["kinds"])
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
        (["--output", "report.pdf"], "ends in .json or .html"),
        (["--output", "."], "ends in"),
        (["--json", "--markdown"], "exclude each other"),
        (["--suite", ".", "--features", "4.0"], "no feature is called '4.0'; there are 1.0, 2.0, 3.0, 2.0-no-simd"),
        (["--suite", ".", "--features", "2.0,gz"], "no feature is called 'gz'"),
        (["--suite", ".", "--engine", "wasmtime", "--coverage"], "only the engine reference can count rules"),
        (["no.json"], "no.json"),
        (["no.json", "no.wast"], "reports are shown and scripts are run"),
        (["a.json", "b.json", "--output", "c.json"], "several reports make a page"),
        (["--output", "no/such/folder/report.json"], "no such folder"),
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
    assert list(select([], suite, without=["bad.wast", "absent.wast"]).values()) == ["beyond.wast", "good.wast"]
    with pytest.raises(SelectionError, match="no script matches"):
        select([], suite, "good.wast", without=["good.wast"])


def test_the_smoke_run_leaves_out_what_takes_long(suite: Path) -> None:
    assert slow()
    assert len(slow()) == len(set(slow()))
    (suite / slow()[0]).write_text(GOOD)
    whole, short = (command("--suite", suite, "--jobs", "1", "--json", *options) for options in ([], ["--smoke"]))
    files = [[file["file"] for file in json.loads(result.stdout)["files"]] for result in (whole, short)]
    assert files == [["bad.wast", "beyond.wast", "good.wast", slow()[0]], ["bad.wast", "beyond.wast", "good.wast"]]


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


def test_a_page_and_reports_that_are_shown_again(suite: Path) -> None:
    one, two, page = suite / "one.json", suite / "two.json", suite / "page.html"
    assert command("--suite", suite, "--file", "good*", "--jobs", "1", "--output", one).exit_code == 0
    assert command("--suite", suite, "--file", "bad*", "--jobs", "1", "--output", two, "--json").exit_code == 1
    assert command("--suite", suite, "--file", "good*", "--jobs", "1", "--output", page).exit_code == 0
    assert "<h1>WebAssembly conformance</h1>" in page.read_text()
    assert command(one).exit_code == 0
    assert "expected i32 2, got 1" in command(two).stdout
    together = command(one, two, "--output", page)
    assert together.exit_code == 1
    assert "Scripts outside of the suite" in together.stdout
    assert page.read_text().count(">reference</th>") == 4
    assert json.loads(command(one, "--json").stdout) == json.loads(one.read_text())
    assert json.loads(command(one, two, "--json").stdout) == [json.loads(each.read_text()) for each in (one, two)]
    assert command(one, two, "--markdown").stdout.startswith("| proposal | commands | reference | reference |\n")
    one.write_text('{"format": 1}')
    broken = command(one)
    assert (broken.exit_code, len(broken.stderr.splitlines())) == (2, 1)
    assert "not a report of format 2" in broken.stderr


def test_line_and_file_together(suite: Path) -> None:
    result = command("--suite", suite, "--file", "?[ao]*d.wast", "--line", "2", "--jobs", "1", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert [(file["file"], file["totals"]["executed"]) for file in report["files"]] == [
        ("bad.wast", 1),
        ("good.wast", 1),
    ]
    assert report["line"] == 2


def test_coverage_is_counted_on_demand(suite: Path) -> None:
    arguments = ("--suite", suite, "--file", "good*", "--jobs", "1", "--json")
    assert json.loads(command(*arguments).stdout)["coverage"] is None
    coverage = json.loads(command(*arguments, "--coverage").stdout)["coverage"]
    applied = {rule["rule"]: (rule["count"], rule["first"]) for rule in coverage["reduction"] if rule["count"]}
    assert applied == dict.fromkeys(
        ("Step_read/call_ref-func", "Step_pure/frame-vals", "Step_pure/label-vals"), (1, "good.wast:2")
    )
    typed = {rule["rule"]: (rule["count"], rule["first"]) for rule in coverage["validation"] if rule["count"]}
    assert typed == {"Instr_ok/const": (1, "good.wast:1")}
    shown = command("--suite", suite, "--file", "good*", "--jobs", "1", "--coverage").stdout
    assert "rules: 3 of " in shown


def test_an_interrupt_reports_what_was_done(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Pool):
        """Is interrupted after its first script."""

        def run(self, paths: Sequence[Path], names: Mapping[Path, str]) -> Iterator[FileReport]:
            yield next(iter(super().run(paths, names)))
            raise KeyboardInterrupt

    monkeypatch.setattr(cli, "Pool", Interrupted)
    result = command("--suite", suite, "--file", "?[ao]*d.wast", "--jobs", "1", "--output", suite / "report.json")
    assert (result.exit_code, result.stderr) == (130, "conformance: interrupted\n")
    assert "reference: 1 files in" in result.stdout
    report = json.loads((suite / "report.json").read_text())
    assert (report["interrupted"], report["ok"], len(report["files"])) == (True, False, 1)
