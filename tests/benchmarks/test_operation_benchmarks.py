"""The measurements of a host in operation: what they find, and that they find it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.operation import changes, churn
from benchmarks.operation.calls import EXTISM, measure_echo
from benchmarks.operation.changes import measure_changes
from benchmarks.operation.churn import Trouble, measure_churn
from benchmarks.operation.churn_load import HUNG, LOST, Outcome
from benchmarks.operation.plain_counter import adder
from benchmarks.operation.starting import measure_start
from benchmarks.serving import PLAIN, TRIVIAL, measure_http
from benchmarks.stores import MEMORY, REDIS, SQLITE, Store, store_called
from benchmarks.timing import Effort
from host.codec.keyvalue import AddRequest

SMALL = Trouble(requests=400, connections=16, updates=3, trap_seconds=0.2)


@pytest.mark.parametrize("name", [MEMORY, SQLITE, REDIS])
def test_nothing_is_lost_in_trouble(name: str, tmp_path: Path) -> None:
    with store_called(name, tmp_path) as store:
        result = measure_churn("wasmtime", store, SMALL)
    assert result.acknowledged >= 400
    assert (result.lost, result.doubled, result.unexplained, result.hung) == (0, 0, 0, 0)
    assert result.traps > 0
    assert result.replaced > 0
    assert result.restarts == (1 if name == REDIS else 0)


FINE = Outcome(counters=[1, 2, 3], others={}, latencies=[0.1, 0.2, 0.3], traps=0, seconds=1.0)
STATE = {"resident": 100, "replaced": 0}


@pytest.mark.parametrize(
    ("outcome", "total", "faults"),
    [
        (FINE, 3, ()),
        (FINE, 2, ("1 lost",)),
        (replace(FINE, counters=[1, 2, 2]), 3, ("1 doubled",)),
        (FINE, 4, ("1 unexplained",)),
        (replace(FINE, others={LOST: 1}), 4, ()),
        (replace(FINE, traps=2), 5, ()),
        (replace(FINE, others={HUNG: 1}), 4, ("1 hung",)),
        (replace(FINE, counters=[1, 2]), 2, ("1 not acknowledged in time",)),
    ],
)
def test_faults_are_found(outcome: Outcome, total: int, faults: tuple[str, ...], tmp_path: Path) -> None:
    store: Store = store_called(MEMORY, tmp_path)
    result = churn._result("wasmtime", store, Trouble(requests=3), outcome, [STATE, STATE], total)
    assert result.faults == faults
    grown = churn._result("wasmtime", store, Trouble(requests=3), outcome, [STATE, {**STATE, "resident": 120}], total)
    assert grown.faults == (*faults, "memory grew by 20%")


def test_a_host_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "INSTANCES", 0)
    with store_called(MEMORY, tmp_path) as store, pytest.raises(BenchmarkError, match="instances must be"):
        measure_churn("wasmtime", store, SMALL)


def test_calls_beside_extism() -> None:
    echo = measure_echo(("wasmtime", "compiled"), Effort(3, 0.3))
    assert [series.subject for series in echo.series] == ["WapcHost, wasmtime", "WapcHost, compiled", EXTISM]
    assert echo.time_ratio("WapcHost, wasmtime", EXTISM) is not None


def test_changes_of_each_store() -> None:
    results = measure_changes((MEMORY, SQLITE, REDIS), 20)
    titles = ["memory", "SQLite, full", "SQLite, normal", "Redis, always", "Redis, everysec"]
    assert [(each.store, each.operation) for each in results] == [
        (title, operation) for title in titles for operation in ("Add", "WriteEvent")
    ]
    assert all(len(each.seconds) == 20 and 0 < each.latency(0.5) <= each.latency(0.99) for each in results)


def test_a_store_that_fails_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CHANGES", [("keyvalue", "Append", AddRequest("counter", 1))])
    with pytest.raises(BenchmarkError, match=r"^keyvalue_memory: .*bad dispatch"):
        measure_changes((MEMORY,), 1)


def test_the_start_of_many_actors() -> None:
    result = measure_start("wasmtime", 3, 1)
    assert result.actors == 3
    assert len(result.warm_seconds) == 1
    assert result.cold_seconds > 0


@pytest.mark.parametrize("name", [MEMORY, SQLITE, REDIS])
def test_the_plain_counter_counts(name: str, tmp_path: Path) -> None:
    with store_called(name, tmp_path) as store:
        add = adder({MEMORY: MEMORY, SQLITE: str(tmp_path / "plain.db")}.get(name) or store.values["URL"])
        assert [add("a"), add("a"), add("b")] == [1, 2, 1]


def test_the_plain_counter_beside_hosts() -> None:
    """Each server's last counter has been compared with the number of its requests."""
    result = measure_http(("wasmtime",), Effort(1, 0.8), connections=(4,), stores=(MEMORY,), plain=True)
    assert [case.server for case in result.cases] == [TRIVIAL, f"{PLAIN}, memory", "wasmtime, memory"]
    assert all(case.rate().median > 0 for case in result.cases)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.operation", *arguments]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)


def test_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = run("--quick", "--only", "calls", "--seconds", "1", "--output", str(path))
    assert "echo of 64 bytes" in done.stdout
    assert json.loads(path.read_text())["echo"]["series"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--engines", "v8"), "no engine is called 'v8'; there are compiled, wasmtime"),
        (("--stores", "etcd"), "no store is called 'etcd'; there are memory, SQLite, Redis"),
        (("--output", "report.txt"), "a report ends in .json"),
        (("--only", "nothing"), "'nothing' is not one of"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], text: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert text in re.sub(r"[\s│]+", " ", done.stderr)
