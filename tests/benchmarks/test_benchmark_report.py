"""Reports: to JSON and back, as tables, as Markdown; and the fingerprint of this machine."""

from __future__ import annotations

import io
import json
import math
import os
import platform
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.cells import cell, number
from benchmarks.errors import BenchmarkError
from benchmarks.estimates import Estimate
from benchmarks.fingerprint import Fingerprint, take_fingerprint
from benchmarks.grids import grids, ratio_grids
from benchmarks.html import html
from benchmarks.markdown import markdown
from benchmarks.report import Report, Skipped
from benchmarks.results import (
    BusResult,
    CallsResult,
    Comparison,
    EngineLoad,
    HttpCase,
    HttpResult,
    InterpretersResult,
    KernelResult,
    KernelsResult,
    LoadResult,
    LongResult,
    LongsResult,
    PaceResult,
    Series,
    Window,
)
from benchmarks.show import parts, show
from benchmarks.start_results import ProgramStart, Start, StartResult
from benchmarks.summary import Unit, json_text, rows

MACHINE = Fingerprint(
    date="2026-01-02T03:04:05+00:00",
    cpu="Abacus | 9000",
    architecture="x86_64",
    cores=4,
    usable_cores=2,
    memory_bytes=8 * 2**30,
    system="Linux",
    python="CPython 3.11.0",
    packages={"wascc": "1.0"},
    load_average=(0.1, 0.2, 0.3),
)


def comparison(name: str, reference: float, wasmtime: float) -> Comparison:
    return Comparison(
        name,
        (Series("reference", (reference,) * 6, 3), Series("wasmtime", tuple(wasmtime * k for k in (1, 1, 1, 1, 1, 2)))),
    )


def pace(name: str, reference: float, peer: float, recorded: float) -> Comparison:
    times = {"reference": reference, "recorded": recorded, "pywasm 2.2.3": peer}
    return Comparison(name, tuple(Series(subject, (seconds,) * 6) for subject, seconds in times.items()))


description = Series("records as text", (5e-5,) * 6, 200)


def engine_load(name: str, calls: tuple[float, ...], *phases: tuple[str, float]) -> EngineLoad:
    return EngineLoad(name, tuple(Series(phase, (seconds,) * 6) for phase, seconds in phases), (calls,) * 6)


def start(subject: str, load: float, *calls: float) -> Start:
    return Start(subject, (load / 2,) * 6, (load / 2,) * 6, (calls,) * 6, (10 * 2**20,) * 6, (13 * 2**20,) * 6)


def long_calls(first: float, second: float) -> Comparison:
    return Comparison("fib", (Series("first call", (first,) * 6), Series("second call", (second,) * 6)))


REPORT = Report(
    MACHINE,
    ("reference", "wasmtime"),
    rounds=6,
    seconds=1.5,
    skipped=(Skipped("engine abacus", "it needs [beads]"),),
    load=(
        LoadResult(
            "counter actor",
            12688,
            "HandleRequest",
            (
                engine_load(
                    *("reference", (0.005, 0.005)),
                    *(("decode", 0.01), ("compile", 0.02), ("instantiate", 0.01), ("steady call", 0.005)),
                ),
                engine_load("wasmtime", (0.001, 0.0), ("compile", 0.05), ("instantiate", 0.03), ("steady call", 0.0)),
            ),
        ),
    ),
    calls=CallsResult((comparison("HandleRequest", 0.004, 0.00005),)),
    http=HttpResult(
        (
            HttpCase("uvicorn alone", "", "", 1, (Window(2.0, (100, 200, 300, 400), 0.5),)),
            HttpCase("wasmtime, memory", "wasmtime", "memory", 1, (Window(1.0, (1000, 2000), 0.1),)),
        )
    ),
    bus=BusResult("Add", "handler", Comparison("Add", (Series("handler", (1e-6,) * 6), Series("bus", (2.6e-5,) * 6)))),
    kernels=KernelsResult(
        (
            KernelResult("fib", 18, comparison("fib", 0.1, 0.001)),
            KernelResult("copy", 10, comparison("copy", 0.1, 0.004)),
        ),
        (("reference", "wasmtime"),),
    ),
    start=StartResult(
        (
            ProgramStart("fib(18)", 154, (start("reference", 0.01, 0.1, 0.1), start("wasmtime", 0.22, 0.09, 0.01))),
            ProgramStart("large", 2000, (start("reference", 0.5), start("wasmtime", 0.25)), apart=True),
        ),
        Comparison("import", (Series("reference", (0.2,) * 6),)),
        (("reference", "wasmtime"),),
        (("wasmtime", "reference"),),
    ),
    longs=LongsResult("reference", (LongResult("fib", 30, long_calls(1.05, 1.0)),)),
    limits=KernelsResult((KernelResult("fib", 18, pace("fib", 0.01, 0.02, 0.03)),), (("recorded", "reference"),)),
    interpreters=InterpretersResult(
        (
            PaceResult("fib", 14, 11_000, pace("fib", 0.01, 0.05, 0.04), description),
            PaceResult("copy", 240, 9_000, pace("copy", 0.002, 0.04, 0.008), description),
        ),
        (("reference", "pywasm 2.2.3"), ("recorded", "reference")),
    ),
)


def shown(report: Report, width: int = 200) -> str:
    out = io.StringIO()
    show(report, Console(file=out, width=width))
    return out.getvalue()


def test_json_and_back() -> None:
    text = json_text(REPORT)
    assert Report.from_json(text) == REPORT
    assert "\n" not in text


def test_json_holds_every_sample_and_a_summary() -> None:
    data = json.loads(json_text(REPORT))
    assert data["calls"]["operations"][0]["series"][0] == {"subject": "reference", "samples": [0.004] * 6, "loops": 3}
    assert data["http"]["cases"][0]["windows"][0]["latencies"] == [100, 200, 300, 400]
    assert len(data["summary"]) == len(rows(REPORT))
    found = [row for row in data["summary"] if (row["benchmark"], row["subject"]) == ("calls", "wasmtime")]
    assert [(row["unit"], row["median"], row["count"]) for row in found] == [("1/s", pytest.approx(20000), 6)]


finite = st.floats(min_value=0, max_value=1e9)


@given(st.lists(finite, min_size=1, max_size=5).map(tuple), st.text(), st.integers(1, 1000), st.none() | finite)
def test_any_samples_come_back_from_json(samples: tuple[float, ...], name: str, loops: int, load: float | None) -> None:
    calls = CallsResult((Comparison(name, (Series(name, samples, loops),)),))
    machine = replace(MACHINE, cpu=name, load_average=None if load is None else (load, load, load))
    report = Report(machine, (name,), loops, 1.0, calls=calls)
    assert Report.from_json(json_text(report)) == report


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "JSON"),
        ("[]", "no report"),
        ("{}", "fingerprint"),
        (json.dumps({**REPORT.to_json(), "format": 99}), "format 99"),
        (json.dumps({**REPORT.to_json(), "engines": []}), "no engine"),
        (json.dumps({**REPORT.to_json(), "rounds": "many"}), "rounds"),
    ],
)
def test_other_texts_are_refused(text: str, error: str) -> None:
    with pytest.raises(BenchmarkError, match=error):
        Report.from_json(text)


def test_the_tables_say_what_was_measured() -> None:
    text = shown(REPORT)
    for wanted in (
        "Loading counter actor (12,688 bytes); called: HandleRequest",
        "250/s [250–250]",
        "20.0 k/s [10.0–20.0]",
        "80.0× [40.0–80.0]",
        "25.0 µs [25.0–25.0]",
        "1.10 M/s [1.10–1.10]",
        "225 k/s [225–225]",
        "reference / pywasm 2.2.3",
        "10.0× [10.0–10.0]",
        "uvicorn alone",
        "Left out: engine abacus: it needs [beads]",
        "reference / wasmtime",
        "25.0× [12.5–25.0] copy",
        "100× [50.0–100] fib",
        "Abacus | 9000, 2 of 4 cores, 8 GiB memory, Linux, CPython 3.11.0, load average 0.10 0.20 0.30",
    ):
        assert wanted in text
    assert "Other programs" not in text


def test_a_busy_machine_is_said_to_be_busy() -> None:
    assert "Other programs" in shown(replace(REPORT, fingerprint=replace(MACHINE, load_average=(0.6, 0, 0))))
    assert "unknown" in shown(replace(REPORT, fingerprint=replace(MACHINE, load_average=None, memory_bytes=None)))


def test_break_even_and_means_are_of_the_samples() -> None:
    found = {(row.benchmark.value, row.quantity, row.subject): row.estimate.median for row in rows(REPORT)}
    # 0.08 s to load against 0.03 s; the first call saves 0.004 s, each other one 0.005 s.
    assert found["load", "calls to break even", "wasmtime"] == 11
    assert found["kernels", "geometric mean", "reference / wasmtime"] == pytest.approx(math.sqrt(100 * 25))
    assert found["http", "p99", "uvicorn alone"] == pytest.approx(0.0004)
    assert found["http", "requests", "uvicorn alone"] == 2
    assert found["interpreters", "fib(14)", "reference"] == pytest.approx(1_100_000)
    assert found["interpreters", "fib(14)", "pywasm 2.2.3"] == pytest.approx(220_000)
    assert found["interpreters", "fib(14)", "reference / pywasm 2.2.3"] == pytest.approx(5)
    assert found["interpreters", "copy(240)", "recorded / reference"] == pytest.approx(0.25)
    assert found["interpreters", "geometric mean", "reference / pywasm 2.2.3"] == pytest.approx(math.sqrt(5 * 20))


def test_starts_are_told_apart() -> None:
    found = {(row.group, row.quantity, row.subject): row for row in rows(REPORT) if row.benchmark.value == "start"}
    numbers = {key: row.estimate.median for key, row in found.items()}
    assert numbers["cold start", "fib(18)", "wasmtime"] == pytest.approx(0.31)
    assert numbers["load", "fib(18)", "wasmtime"] == pytest.approx(0.22)
    assert numbers["first call", "fib(18)", "wasmtime"] == pytest.approx(0.09)
    assert numbers["later call", "fib(18)", "wasmtime"] == pytest.approx(0.01)
    assert ("first call", "large", "wasmtime") not in numbers
    assert numbers["cold start: ratios of the times", "fib(18)", "reference / wasmtime"] == pytest.approx(0.11 / 0.31)
    assert numbers["large: ratios of the times", "large", "reference / wasmtime"] == pytest.approx(2)
    assert ("cold start: ratios of the times", "large", "reference / wasmtime") not in numbers
    # 0.31 against 0.11 after one call, 0.32 against 0.21 after two; then 0.09 are made up for with each.
    assert numbers["calls to break even", "fib(18)", "wasmtime over reference"] == 4
    assert numbers["import", "import", "reference"] == 0.2
    memory = found["memory", "large", "reference"]
    assert (memory.unit, memory.estimate.median) == (Unit.BYTES, 3 * 2**20)


def test_tables_of_ratios_name_the_ends() -> None:
    made = {grid.title: grid for grid in ratio_grids(REPORT)}
    assert list(made) == [
        f"Ratios of times: {name}"
        for name in ("steady state", "cold start", "large", "calls with much to do", "limits")
    ]
    (line,) = made["Ratios of times: steady state"].texts(interval=False)
    assert [line[0], *line[2:]] == ["reference / wasmtime", "2", "25.0× copy", "100× fib"]
    (line,) = made["Ratios of times: calls with much to do"].texts(interval=False)
    assert line == ["first call / second call", "1.05× [1.05–1.05]", "1", "–", "–"]


def test_tables_have_a_cell_for_everything() -> None:
    for made in (*grids(REPORT), *ratio_grids(REPORT)):
        assert {len(line) for line in made.lines} == {len(made.header)}
        for interval in (True, False):
            longest = max(sum(map(len, line)) for line in made.texts(interval))
            assert made.width(interval, 2) >= longest
    assert any(grid.detailed for grid in grids(REPORT))


def test_intervals_are_left_out_where_there_is_no_room() -> None:
    narrow = shown(REPORT, 70)
    assert max(map(len, narrow.split("\n"))) <= 70
    assert "250/s [250–250]" not in narrow
    assert "250/s" in narrow


def test_columns_without_room_come_in_another_table() -> None:
    (made,) = [grid for grid in grids(REPORT) if grid.title == "Interpreters in Python: instructions per second"]
    assert [len(table.columns) for table in parts(made, 200)] == [5]
    assert [len(table.columns) for table in parts(made, 44)] == [4, 2]
    assert [len(table.columns) for table in parts(made, 10)] == [2, 2, 2, 2]
    assert [cell for table in parts(made, 44) for cell in table.columns[0].cells] == ["fib(14)", "copy(240)"] * 2


def test_ratios_that_nobody_measured_are_not_there() -> None:
    assert REPORT.interpreters is not None
    (first, _) = REPORT.interpreters.kernels
    alone = Comparison("fib", first.call.series[:1])
    result = replace(REPORT.interpreters, kernels=(first, replace(first, name="copy", call=alone)))
    text = shown(replace(REPORT, interpreters=result))
    assert "copy(14)" in text
    names = {
        row.quantity
        for row in rows(replace(REPORT, interpreters=result))
        if (row.benchmark.value, row.subject) == ("interpreters", "recorded / reference")
    }
    assert names == {"fib(14)", "geometric mean"}


def test_what_never_pays_is_infinite_on_screen_and_null_in_json() -> None:
    assert REPORT.start is not None
    slow = ProgramStart("fib(18)", 154, (start("reference", 0.01, 0.1, 0.1), start("wasmtime", 0.22, 0.3, 0.3)))
    report = replace(REPORT, start=replace(REPORT.start, programs=(slow,)))
    assert "∞" in html(report)
    (row,) = [row for row in json.loads(json_text(report))["summary"] if row["group"] == "calls to break even"]
    assert row["median"] is None


def test_markdown_is_a_table_and_the_machine() -> None:
    text = markdown(REPORT)
    ratios, kernels, table, *paragraphs = text.split("\n\n")
    notes = "\n".join(paragraphs)
    lines = ratios.split("\n")
    assert lines[0] == "| times | geometric mean [95% interval] | of | lowest | highest |"
    assert "| limits: recorded / reference | 3.00× [3.00–3.00] | 1 | – | – |" in lines
    assert kernels.split("\n")[2] == "| fib(18) | 100 ms | 1.00 ms |"
    lines = table.split("\n")
    assert lines[0] == "|  | reference | wasmtime |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert {line.count("|") for line in lines} == {4}
    assert "| counter actor: HandleRequest | 250/s | 20.0 k/s |" in lines
    assert "| HTTP, memory, 1 connection: requests | – | 2.00/s |" in lines
    assert "instructions per second, geometric means: reference / pywasm 2.2.3 10.0× [10.0–10.0], recorded / " in notes
    assert "Left out: engine abacus: it needs [beads]." in notes
    assert "A call of a provider takes longer than its handler by 25.0 µs (bus)." in notes
    assert "Medians of up to 6 rounds, measured on Abacus | 9000" in notes
    assert notes.endswith("wascc 1.0.")


def test_a_report_with_nothing_in_it_can_be_shown() -> None:
    empty = Report(MACHINE, ("reference",), 1, 1.0)
    assert rows(empty) == []
    assert "Abacus" in shown(empty)
    assert markdown(empty).startswith("Medians of up to 1 rounds")
    assert "Abacus" in html(empty)
    assert Report.from_json(json_text(empty)) == empty


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1.5, Unit.SECONDS, "1.50 s"),
        (0.0123456, Unit.SECONDS, "12.3 ms"),
        (1e-6, Unit.SECONDS, "1.00 µs"),
        (4.2e-10, Unit.SECONDS, "0.420 ns"),
        (-2e-6, Unit.SECONDS, "-2.00 µs"),
        (0.0, Unit.SECONDS, "0 ns"),
        (1234567.0, Unit.PER_SECOND, "1.23 M/s"),
        (12345.6, Unit.PER_SECOND, "12.3 k/s"),
        (4321.0, Unit.PER_SECOND, "4,321/s"),
        (0.5, Unit.SHARE, "50.0%"),
        (2060.0, Unit.FACTOR, "2,060×"),
        (9.9999, Unit.FACTOR, "10.0×"),
        (math.inf, Unit.CALLS, "∞"),
        (12.0, Unit.CALLS, "12"),
        (0.25, Unit.CALLS, "0.250"),
        (2048.0, Unit.BYTES, "2.00 KiB"),
        (3 * 2**20, Unit.BYTES, "3.00 MiB"),
    ],
)
def test_numbers_as_people_read_them(value: float, unit: Unit, expected: str) -> None:
    assert cell(Estimate(value, value, value, 0.95, 6), unit, interval=False) == expected


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_the_fingerprint_of_this_machine() -> None:
    found = take_fingerprint()
    assert 1 <= found.usable_cores <= found.cores == os.cpu_count()
    assert found.cpu
    assert "\n" not in found.cpu
    assert found.python.endswith(platform.python_version())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.date)
    assert {"wascc", "msgpack", "uvicorn"} <= set(found.packages)
    if platform.system() == "Linux":
        assert found.memory_bytes
        assert found.memory_bytes > 2**26
        assert found.load_average is not None
    assert found.cpu in found.line()
    assert f"msgpack {found.packages['msgpack']}" in found.packages_line()
