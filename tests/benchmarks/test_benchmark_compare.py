"""Two reports compared: what has changed, and what is noise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.compare import MIN_CONTROLS, MIN_NOISE, UNCONTROLLED_NOISE, Changes, Control, compare, control_of
from benchmarks.fingerprint import Fingerprint
from benchmarks.report import Report
from benchmarks.results import BusResult, CallsResult, Comparison, KernelResult, KernelsResult, Series
from benchmarks.start_results import ProgramStart, Start, StartResult
from benchmarks.subjects.registry import BY_HAND

MACHINE = Fingerprint(
    date="2026-01-02T03:04:05+00:00",
    cpu="Abacus 9000",
    architecture="x86_64",
    cores=4,
    usable_cores=2,
    memory_bytes=None,
    system="Linux",
    python="CPython 3.11.0",
    packages={"wascc": "1.0", "pwasm": "0.2a0"},
    load_average=None,
)
NAMES = [f"kernel{index}" for index in range(10)]
JITTER = (0.99, 1.0, 1.01, 1.0, 1.0, 1.0)


def report(
    ours: dict[str, float] | None = None, *, machine: float = 1.0, by_hand: float = 1.0, pwasm: str = "0.2a0"
) -> Report:
    """Ten kernels on an engine, by hand and on pwasm, each of about a second; some of ours take a multiple."""
    kernels = []
    for name in NAMES:
        times = {"reference": (ours or {}).get(name, 1.0), BY_HAND: by_hand, "pwasm": 1.0}
        series = tuple(Series(who, tuple(machine * time * each for each in JITTER)) for who, time in times.items())
        kernels.append(KernelResult(name, 1, Comparison(name, series)))
    fingerprint = replace(MACHINE, packages={"wascc": "1.0", "pwasm": pwasm})
    return Report(fingerprint, ("reference",), 6, 1.0, kernels=KernelsResult(tuple(kernels), (("reference", "pwasm"),)))


def ours(changes: Changes) -> tuple[list[str], list[str]]:
    return [change.key[2] for change in changes.faster], [change.key[2] for change in changes.slower]


def test_a_report_has_not_changed_from_itself() -> None:
    changes = compare(report(), report())
    assert ours(changes) == ([], [])
    assert (changes.unchanged, changes.new, changes.gone, changes.machines) == (10, 0, 0, "")
    assert changes.controls == {"kernels": Control(20, 1.0, MIN_NOISE), "others": Control(20, 1.0, MIN_NOISE)}


def test_what_is_faster_and_slower_is_named_with_its_ratio_the_greatest_first() -> None:
    changes = compare(report(), report({"kernel1": 2.0, "kernel2": 0.5, "kernel3": 1.2}))
    assert ours(changes) == (["kernel2(1)"], ["kernel1(1)", "kernel3(1)"])
    assert changes.unchanged == 7
    slower = changes.slower[0]
    assert slower.ratio == pytest.approx(2)
    assert slower.low < 2 < slower.high


def test_a_slower_machine_is_not_a_slower_engine() -> None:
    changes = compare(report(), report({"kernel1": 2.0}, machine=1.5))
    assert ours(changes) == ([], ["kernel1(1)"])
    assert changes.controls["kernels"].drift == pytest.approx(1.5)
    assert changes.slower[0].ratio == pytest.approx(2)
    # An engine that became slower is found out on a machine that became faster.
    assert ours(compare(report(), report(dict.fromkeys(NAMES, 1.5), machine=1 / 1.5)))[1] != []


def test_what_the_controls_differ_by_is_noise() -> None:
    noisy = report({"kernel1": 1.15}, by_hand=1.2)
    assert compare(report(), noisy).controls["kernels"].noise > 1.05
    assert ours(compare(report(), noisy)) == ([], [])


def test_overlapping_intervals_are_no_change() -> None:
    before, after = report(), report()
    assert after.kernels is not None
    wide = Series("reference", (0.9, 0.95, 1.3, 1.3, 1.4, 1.4))
    first = replace(after.kernels.kernels[0], call=Comparison("kernel0", (wide,)))
    changes = compare(before, replace(after, kernels=KernelsResult((first,))))
    assert ours(changes) == ([], [])
    assert (changes.unchanged, changes.gone) == (1, 29)


def test_rates_are_better_when_they_are_higher() -> None:
    def calls(seconds: float) -> Report:
        made = CallsResult((Comparison("HandleRequest", (Series("reference", (seconds,) * 6),)),))
        return Report(MACHINE, ("reference",), 6, 1.0, calls=made)

    changes = compare(calls(1.0), calls(0.5))
    assert ours(changes) == (["HandleRequest"], [])
    assert changes.controls == {"others": Control(0, 1.0, UNCONTROLLED_NOISE)}


def test_each_benchmark_has_its_own_drift() -> None:
    def with_start(load: float, machine: float) -> Report:
        subjects = [("reference", load), ("pwasm", 1.0), ("pwasm, cached", 1.0), ("wasmtime", 1.0)]
        starts = tuple(
            Start(name, (machine * seconds,) * 6, (0.0,) * 6, ((),) * 6, (1,) * 6, (2 * 2**20,) * 6)
            for name, seconds in subjects
        )
        result = StartResult(
            (ProgramStart("it", 1, starts), ProgramStart("other", 1, starts)), Comparison("import", ())
        )
        return replace(report(), start=result)

    changes = compare(with_start(1.0, 1.0), with_start(1.0, 4.0))
    assert (changes.faster, changes.slower) == ((), ())
    assert changes.controls["start"].drift == pytest.approx(4)
    assert changes.controls["kernels"].drift == 1
    changes = compare(with_start(1.0, 1.0), with_start(0.5, 4.0))
    assert {change.key[3] for change in changes.faster} == {"reference"}


def test_memory_does_not_drift() -> None:
    def with_memory(growth: int, machine: float) -> Report:
        start = Start("reference", (1.0,) * 6, (0.0,) * 6, ((),) * 6, (2**20,) * 6, (2**20 + growth,) * 6)
        result = StartResult((ProgramStart("it", 1, (start,)),), Comparison("import", ()))
        return replace(report(machine=machine), start=result)

    changes = compare(with_memory(1000, 1.0), with_memory(1000, 2.0))
    assert not [change for change in (*changes.faster, *changes.slower) if change.key[1] == "memory"]
    changes = compare(with_memory(1000, 1.0), with_memory(1500, 2.0))
    (change,) = [change for change in changes.slower if change.key[1] == "memory"]
    assert change.ratio == 1.5


def test_rows_that_only_one_report_has_are_counted() -> None:
    bus = BusResult("Add", "handler", Comparison("Add", (Series("handler", (1e-6,) * 6),)))
    changes = compare(report(), replace(report(), kernels=None, bus=bus))
    assert (changes.new, changes.gone, changes.unchanged) == (1, 30, 0)


def test_a_peer_of_another_version_is_no_control() -> None:
    changes = compare(report(), report(pwasm="0.3"))
    assert changes.controls["kernels"].count == 10
    assert changes.unchanged == 20
    other = replace(report(), fingerprint=replace(MACHINE, python="CPython 3.14.0", cpu="Slide rule"))
    changes = compare(report(), other)
    assert changes.controls["others"].count == 0
    assert changes.machines == "Abacus 9000 then, Slide rule now; CPython 3.11.0 then, CPython 3.14.0 now"


@given(st.lists(st.floats(0.1, 10), min_size=MIN_CONTROLS, max_size=40), st.floats(0.1, 10))
def test_drift_scales_and_noise_does_not(ratios: list[float], factor: float) -> None:
    before, after = control_of(ratios), control_of([factor * ratio for ratio in ratios])
    assert after.drift == pytest.approx(factor * before.drift)
    assert after.noise == pytest.approx(before.noise)
    assert before.noise >= MIN_NOISE
    assert min(ratios) <= before.drift * (1 + 1e-9)
    assert before.drift <= max(ratios) * (1 + 1e-9)
