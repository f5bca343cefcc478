"""The command, as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks.actor import COUNTER
from benchmarks.cli import bench
from benchmarks.report import Report
from tests_support import parse

ROOT = Path(__file__).parents[2]
SHORT = ("--rounds", "2", "--seconds", "0.2")


def command(
    *arguments: str | Path, program: tuple[str, ...] = ("-m", "benchmarks"), cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def here(*arguments: str) -> Result:
    """The command in this process, which is faster."""
    app = typer.Typer(rich_markup_mode=None)
    app.command()(bench)
    return CliRunner().invoke(app, list(arguments))


def test_a_report_as_json_and_in_a_file(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = command("--only", "bus", "--only", "load", "--engines", "reference", *SHORT, "--output", target, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == target.read_text()
    report = Report.from_json(done.stdout)
    assert report.bus is not None
    assert [load.module for load in report.load] == ["counter actor"]
    assert (report.calls, report.http, report.kernels) == (None, None, None)
    assert (report.engines, report.rounds, report.seconds) == (("reference",), 2, 0.2)


def test_tables_and_a_module_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "id.wasm"
    path.write_bytes(parse('(module (func (export "id") (param i32) (result i32) (local.get 0)))'))
    done = command("--only", "load", *SHORT, "--module", path, "--call", "id 7")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Loading {path} ({path.stat().st_size} bytes); called: id 7" in done.stdout
    assert "counter actor" in done.stdout
    assert "cores" in done.stdout


def test_markdown_alone() -> None:
    done = here("--only", "calls", "--engines", "reference", *SHORT, "--markdown")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("|  | reference |\n| --- | ---: |\n| counter actor: HandleRequest | ")


def without(package: str) -> tuple[str, ...]:
    """How to run the command as if a package were not installed."""
    program = (
        "import sys, runpy\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "runpy.run_module('benchmarks', run_name='__main__')\n"
    )
    return ("-c", program)


def test_an_engine_that_is_not_installed_is_left_out() -> None:
    program = without("wasmtime")
    done = command("--only", "calls", *SHORT, program=program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Left out: engine wasmtime: engine 'wasmtime' needs an extra: pip install 'wascc[wasmtime]'" in done.stdout
    done = command("--only", "calls", "--engines", "wasmtime", *SHORT, program=program)
    assert done.returncode == 1
    assert done.stderr == "error: engine 'wasmtime' needs an extra: pip install 'wascc[wasmtime]'\n"


def test_a_peer_that_is_not_installed_is_left_out() -> None:
    arguments = ("--only", "interpreters", "--kernels", "fib,mandelbrot", "--rounds", "1", "--seconds", "0.1")
    done = command(*arguments, program=without("pywasm"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Left out: pywasm 2.2.3: it is not installed: pip install pywasm==2.2.3\n" in done.stdout
    assert "mandelbrot(" in done.stdout
    assert "reference" in done.stdout


def test_without_the_reference_machine_no_interpreters_are_measured() -> None:
    done = here("--only", "interpreters", "--engines", "wasmtime", *SHORT)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Left out: interpreters: the engine reference is not one of this run" in done.stdout.replace("\n", " ")


def test_outside_a_checkout_the_counter_actor_is_left_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "id.wasm"
    path.write_bytes(parse('(module (func (export "id") (param i32) (result i32) (local.get 0)))'))
    arguments = ["--only", "load", "--only", "calls", "--only", "http", "--engines", "reference", *SHORT]
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Left out: load, calls, http: the counter actor comes with a checkout of wascc" in done.stdout
    assert done.stdout.count("Left out") == 1
    done = command(*arguments, "--module", path, "--markdown", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "id.wasm: compile |" in done.stdout
    assert "\n\n- Left out: load of the counter actor, calls, http: the counter actor comes with" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--module", "missing.wasm"], "missing.wasm"),
        (["--module", __file__], "magic header"),
        (["--module", str(COUNTER), "--call", "Nonsense"], "Nonsense"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(arguments: list[str], error: str) -> None:
    done = here("--only", "load", "--engines", "reference", *SHORT, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert error in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--json", "--markdown"], "exclude"),
        (["--call", "f"], "--module"),
        (["--output", "report.txt"], ".json or .html"),
        (["--plot", "plot.gif"], ".svg or .png"),
        (["--output", "missing/report.json"], "no such folder"),
        (["--fail-on-slower"], "--compare"),
        (["--engines", "abacus"], "no engine is called 'abacus'"),
        (["--peers", "pwasm,abacus"], "no peer is called 'abacus'"),
        (["--kernels", "abacus"], "no kernel is called 'abacus'; there are fib"),
        (["--kernels", ","], "no kernel is named"),
        (["--only", "nonsense"], "nonsense"),
        (["--rounds", "0"], "rounds"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments: list[str], error: str) -> None:
    done = here(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert error in done.stderr


def children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see the processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--only", "http", "--engines", "reference"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        end = time.monotonic() + 30
        while len(started := children(process.pid)) < 4 and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert len(started) == 4
    assert not any(map(is_alive, started))
    assert list(tmp_path.iterdir()) == []
