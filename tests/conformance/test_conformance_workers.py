"""Scripts run in real worker processes, which may hang or die without harm to the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

from conformance.report import FileReport
from conformance.runner import Outcome, RunOptions
from conformance.schedule import slow
from conformance.workers import Pool

ENDLESS = '(module (func (export "f") (loop (br 0))))\n(assert_return (invoke "f"))\n(assert_return (invoke "f"))'
GOOD = '(module (func (export "f") (result i32) (i32.const 1)))\n(assert_return (invoke "f") (i32.const 1))'


@pytest.fixture
def scripts(tmp_path: Path) -> dict[Path, str]:
    texts = {"a.wast": GOOD, "b.wast": ENDLESS, "c.wast": "(module", "d.wast": GOOD}
    paths = {}
    for name, text in texts.items():
        path = tmp_path / name
        path.write_text(text)
        paths[path] = name
    return paths


def outcomes(report: FileReport) -> list[Outcome]:
    return [result.outcome for result in report.results]


def test_a_script_that_does_not_end_is_stopped(scripts: dict[Path, str]) -> None:
    pool = Pool("reference", RunOptions(), 2, timeout=3.0)
    reports = {report.file: report for report in pool.run(list(scripts), scripts)}
    assert sorted(reports) == ["a.wast", "b.wast", "c.wast", "d.wast"]
    for name in ("a.wast", "d.wast"):
        assert (outcomes(reports[name]), reports[name].error) == ([Outcome.PASSED] * 2, "")
    assert reports["b.wast"].error == "time-out after 3 s in the command at line 2"
    assert outcomes(reports["b.wast"]) == [Outcome.PASSED]
    assert "cannot be converted" in reports["c.wast"].error
    assert outcomes(reports["c.wast"]) == []
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_is_replaced(scripts: dict[Path, str]) -> None:
    pool = Pool("reference", RunOptions(), 1, timeout=60.0)
    endless = next(path for path, name in scripts.items() if name == "b.wast")
    others = [path for path in scripts if path != endless]
    reports = []
    for report in pool.run([others[0], others[1], endless, others[2]], scripts):
        reports.append(report)
        if len(reports) == 2:  # the worker is idle, and gets the endless script next
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            child.join()
    assert [report.file for report in reports] == ["a.wast", "c.wast", "b.wast", "d.wast"]
    assert reports[2].error == f"the engine's process ended with exit code {-signal.SIGKILL} before its first command"
    assert outcomes(reports[3]) == [Outcome.PASSED] * 2


def test_leaving_early_ends_the_workers(scripts: dict[Path, str]) -> None:
    run = Pool("reference", RunOptions(), 2, timeout=60.0).run(list(scripts), scripts)
    assert next(run).file == "a.wast"
    run.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory that a process can write is limited on Linux only")
@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_a_script_that_takes_too_much_memory_ends_alone(tmp_path: Path, engine: str) -> None:
    hungry = '(module (memory 12000) (func (export "f")))\n(assert_return (invoke "f"))'
    paths = {}
    for name, text in {"a.wast": GOOD, "b.wast": hungry, "c.wast": GOOD}.items():
        (tmp_path / name).write_text(text)
        paths[tmp_path / name] = name
    pool = Pool(engine, RunOptions(), 1, timeout=60.0, memory=600 << 20)
    reports = {report.file: report for report in pool.run(list(paths), paths)}
    assert [outcomes(reports[name]) for name in ("a.wast", "c.wast")] == [[Outcome.PASSED] * 2] * 2
    assert outcomes(reports["b.wast"]) == [Outcome.FAILED] * 2
    assert "memory" in reports["b.wast"].results[0].reason.lower()


def test_the_slowest_scripts_run_first(tmp_path: Path) -> None:
    slowest = slow()[:2]
    paths = {}
    for name in ("a.wast", *reversed(slowest), "b.wast"):
        (tmp_path / name).write_text(GOOD)
        paths[tmp_path / name] = name
    pool = Pool("reference", RunOptions(), 1, timeout=60.0)
    assert [report.file for report in pool.run(list(paths), paths)] == [*slowest, "a.wast", "b.wast"]


def test_each_script_tells_the_rules_it_applied(scripts: dict[Path, str]) -> None:
    wanted = [path for path, name in scripts.items() if name in ("a.wast", "d.wast")]
    for report in Pool("reference", RunOptions(coverage=True), 1, timeout=60.0).run(wanted, scripts):
        assert report.applied.reduction["Step_read/call_ref-func"] == (1, 2)
        assert report.applied.validation == {"Instr_ok/const": (1, 1)}
