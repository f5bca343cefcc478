"""Subjects in processes of their own: every one runs every kernel it can, and says why it cannot run another."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import workers
from benchmarks.errors import BenchmarkError, WrongOutputError
from benchmarks.gaps import Gaps
from benchmarks.kernels import Kernel
from benchmarks.limited import ALL, LIMITS, UNLIMITED, measure_limits
from benchmarks.long_calls import measure_long_calls
from benchmarks.new_processes import measure_start
from benchmarks.plan import ALL_KERNELS, Subjects
from benchmarks.recording import CALLS, Recorder, counter_programs, record
from benchmarks.report import Skipped
from benchmarks.start_results import ProgramStart, Start
from benchmarks.starting import measure_imports, measure_starts
from benchmarks.steady import kernel_program, measure_kernels
from benchmarks.subjects.program import GuestCall, HostCall, Program, answer_text
from benchmarks.subjects.registry import (
    BY_HAND,
    HAND_WRITTEN,
    PEERS,
    Peer,
    PeerMissingError,
    Subject,
    cached_name,
    engine_subject,
    find_engines,
    find_peers,
)
from benchmarks.timing import Effort
from benchmarks.workers import SubjectFailedError, Worker, working
from interp.engine import DEFAULT_ENGINE, ENGINES, load_engine
from tests_support import parse

ROOT = Path(__file__).parents[2]
TINY = Effort(2, 0.02)
REFERENCE = engine_subject("reference")
PWASM = PEERS["pwasm"].subject
EVERYONE = (*find_engines(ENGINES)[0], *find_peers(PEERS)[0], HAND_WRITTEN)
SIMD = {"dot", "count", "julia"}
CANNOT = {"pwasm": SIMD, "pywasm3": SIMD, "ppci": SIMD | {"bulk", "matrix"}}
"""What peers cannot run, or get wrong: ppci does not round sums of f32 to f32."""

RUN = '(module (func (export "run") (param i32) (result i32) {}))'


def kernel(name: str) -> Kernel:
    return next(each for each in ALL_KERNELS if each.name == name)


def program(body: str, *answers: str) -> Program:
    return Program("it", parse(RUN.format(body)), "run", (3,), answers=answers)


@pytest.mark.parametrize("subject", EVERYONE, ids=lambda subject: subject.name)
def test_every_kernel_runs_on_every_subject_or_there_is_a_reason(subject: Subject) -> None:
    with working([subject]) as running:
        worker = running[subject.name]
        reasons = {}
        for each in ALL_KERNELS:
            worker.prepare(kernel_program(each, each.short_argument))
            try:
                assert worker.ask("open", name=each.name)["seconds"] > 0
            except SubjectFailedError as error:
                reasons[each.name] = str(error)
    assert set(reasons) == CANNOT.get(subject.name, set())
    assert all(reasons.values())


@pytest.mark.parametrize("subject", [each for each in EVERYONE if each.name != BY_HAND], ids=lambda each: each.name)
def test_the_counter_actor_runs_on_every_subject_that_runs_webassembly(subject: Subject) -> None:
    programs = counter_programs(load_engine(DEFAULT_ENGINE))
    for each in programs:
        with working([subject]) as running:
            worker = running[subject.name]
            worker.prepare(replace(each, patience=60.0))
            answer = worker.ask("start", calls=3)
            assert len(answer["call_seconds"]) == 3


@pytest.fixture(scope="module")
def pwasm() -> Iterator[Worker]:
    with working([PWASM]) as running:
        yield running["pwasm"]


def test_what_a_worker_is_asked_for(pwasm: Worker) -> None:
    assert pwasm.ask("ready")["seconds"] > 0
    pwasm.prepare(program("(i32.add (local.get 0) (i32.const 4))", "7"))
    pwasm.ask("open", name="seven")
    loops = pwasm.ask("calibrate", name="seven", seconds=0.001)["loops"]
    assert loops > 1
    assert 0 < pwasm.ask("time", name="seven", loops=loops)["seconds"] < 0.1
    pwasm.ask("collect")


def test_wrong_answers_are_found_out(pwasm: Worker) -> None:
    pwasm.prepare(program("(i32.add (local.get 0) (i32.const 4))", "8"))
    with pytest.raises(SubjectFailedError, match="call 1 of it: expected '8', got '7'"):
        pwasm.ask("open", name="eight")
    with pytest.raises(SubjectFailedError, match="expected '8', got '7'"):
        pwasm.ask("start", calls=2)


def test_each_call_of_a_program_has_its_answer() -> None:
    count = parse(
        '(module (global $g (mut i32) (i32.const 0)) (func (export "run") (result i32)'
        " (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"
    )
    counting = Program("counting", count, "run", answers=("1", "2"), patience=60.0)
    with working([REFERENCE]) as running:
        worker = running["reference"]
        worker.prepare(counting)
        assert len(worker.ask("start", calls=2)["call_seconds"]) == 2
        with pytest.raises(SubjectFailedError, match="call 3 of counting: expected '2', got '3'"):
            worker.ask("start", calls=3)


@pytest.mark.parametrize(
    ("body", "reason"),
    [("unreachable", "TrapError: "), ("(i32.div_s (local.get 0) (i32.const 0))", "ZeroDivision|Trap")],
)
def test_a_subject_that_fails_says_why_and_goes_on(pwasm: Worker, body: str, reason: str) -> None:
    pwasm.prepare(program(body, "1"))
    with pytest.raises(SubjectFailedError, match=reason):
        pwasm.ask("open", name="failing")
    assert pwasm.ask("ready")


def test_requests_that_cannot_be_carried_out(pwasm: Worker) -> None:
    with pytest.raises(SubjectFailedError, match="dance"):
        pwasm.ask("dance")
    pwasm.prepare(replace(program("(i32.const 1)"), export=""))
    with pytest.raises(SubjectFailedError, match="nothing is called"):
        pwasm.ask("open", name="nothing")
    assert pwasm.ask("start", calls=5)["call_seconds"] == []
    with working([REFERENCE]) as running, pytest.raises(SubjectFailedError, match="no program was prepared"):
        running["reference"].ask("open", name="nothing")


def test_a_process_that_ends_or_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with working([REFERENCE]) as running:
        worker = running["reference"]
        assert worker.ask("ready")
        worker.popen.kill()
        with pytest.raises(SubjectFailedError, match="its process ended"):
            worker.ask("ready")
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 1.5)
    with working([REFERENCE]) as running:
        worker = running["reference"]
        worker.prepare(program("(loop (br 0)) unreachable"))
        with pytest.raises(SubjectFailedError, match=r"longer than 1\.5 seconds"):
            worker.ask("open", name="endless")


def test_a_subject_that_cannot_be_imported_says_so() -> None:
    missing = replace(PWASM, modules=("no_such_module",))
    with working([missing]) as running, pytest.raises(SubjectFailedError, match="no_such_module"):
        running["pwasm"].ask("ready")
    assert [each.subject for each in measure_imports([missing, REFERENCE], 1).series] == ["reference"]


def test_what_is_written_by_hand_is_the_kernels_only() -> None:
    with working([HAND_WRITTEN]) as running:
        running[BY_HAND].prepare(program("(i32.const 1)"))
        with pytest.raises(SubjectFailedError, match="nobody wrote it by hand"):
            running[BY_HAND].ask("open", name="it")


def test_programs_come_through_json() -> None:
    for each in (*counter_programs(load_engine(DEFAULT_ENGINE)), kernel_program(kernel("fib"), 5)):
        assert Program.from_json(each.to_json()) == each
    failing = HostCall("b", "n", "o", b"p", None, "no such key")
    guest = GuestCall(b"op", b"\x00", (("wapc", "__host_call"),), ("_start",), (failing,))
    assert Program.from_json(Program("g", b"", guest=guest).to_json()).guest == guest


def test_equal_texts_are_equal_values() -> None:
    assert answer_text(-0.0) != answer_text(0.0)
    assert answer_text(0.1 + 0.2) != answer_text(0.3)
    assert answer_text(1) != answer_text(1.0)
    assert answer_text(b"\x01") == "01"


def test_a_guest_that_asks_for_something_else_is_found_out() -> None:
    (handling, _) = counter_programs(load_engine(DEFAULT_ENGINE))
    assert handling.guest is not None
    calls = handling.guest.host_calls
    assert len(calls) == len(handling.answers) == CALLS
    wrong = replace(calls[0], operation="Subtract")
    strange = replace(handling, guest=replace(handling.guest, host_calls=(wrong, *calls[1:])))
    foreign = replace(handling, guest=replace(handling.guest, imports=(("env", "launch"),)))
    with working([REFERENCE]) as running:
        running["reference"].prepare(strange)
        with pytest.raises(SubjectFailedError, match="calls Add on wascc:keyvalue, which is not what is recorded"):
            running["reference"].ask("start", calls=1)
        running["reference"].prepare(foreign)
        with pytest.raises(SubjectFailedError, match=r"does not serve the import env\.launch"):
            running["reference"].ask("start", calls=1)


def test_failed_host_calls_are_recorded_and_failed_again() -> None:
    def refuse(*_: object) -> bytes:
        raise OSError("disk full")

    recorder = Recorder(refuse)
    with pytest.raises(OSError, match="disk full"):
        recorder("default", "wascc:keyvalue", "Add", b"")
    assert recorder.calls == [HostCall("default", "wascc:keyvalue", "Add", b"", None, "disk full")]


def test_starters_of_a_guest_are_called() -> None:
    wasm = parse("""(module
      (import "wapc" "__guest_response" (func $answer (param i32 i32)))
      (memory (export "memory") 1)
      (func (export "wapc_init") (i32.store8 (i32.const 0) (i32.const 65)))
      (func (export "__guest_call") (param i32 i32) (result i32)
        (call $answer (i32.const 0) (i32.const 1)) (i32.const 1)))""")
    made = record("starter", wasm, ("op", b""), lambda *_: b"", load_engine(DEFAULT_ENGINE), calls=2)
    assert made.answers == ("41", "41")
    with working(EVERYONE[:-1]) as running:
        for worker in running.values():
            worker.prepare(made)
            worker.ask("start", calls=2)


def test_the_steady_state_of_kernels() -> None:
    few = [kernel("fib"), kernel("dot")]
    small = [replace(each, argument=5) for each in few]
    result, skipped = measure_kernels(
        [REFERENCE, PWASM, HAND_WRITTEN], TINY, kernels=small, ratios=[("reference", "pwasm"), ("reference", "abacus")]
    )
    fib, dot = result.kernels
    assert (fib.name, fib.argument) == ("fib", 5)
    assert [series.subject for series in fib.call.series] == ["reference", "pwasm", BY_HAND]
    assert [series.subject for series in dot.call.series] == ["reference", BY_HAND]
    for series in (*fib.call.series, *dot.call.series):
        assert len(series.samples) == 2
        assert min(series.samples) > 0
    assert result.ratios == (("reference", "pwasm"),)
    assert [(each.what, "0x7b" in each.reason) for each in skipped] == [("kernel dot on pwasm", True)]


def test_an_engine_that_is_wrong_ends_the_run() -> None:
    wrong = replace(kernel("fib"), expected=lambda n: n + 1)
    with pytest.raises(BenchmarkError, match=r"kernel fib on reference: call 1 of fib\(5\): expected '6', got '5'"):
        measure_kernels([REFERENCE], TINY, kernels=[replace(wrong, argument=5)])
    with pytest.raises(BenchmarkError, match=r"on reference: call 1 of fib\(5\): expected '6'"):
        measure_starts([REFERENCE], [kernel_program(wrong, 5)], TINY)


def test_slow_subjects_take_part_in_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.steady.SLOW_SECONDS", 0.0)
    monkeypatch.setattr("benchmarks.steady.SLOW_ROUNDS", 2)
    result, _ = measure_kernels([REFERENCE], Effort(3, 0.001), kernels=[replace(kernel("fib"), argument=3)])
    assert len(result.kernels[0].call.series[0].samples) == 2


def test_starts_in_new_processes() -> None:
    programs = [
        kernel_program(kernel("fib"), 5),
        Program("loaded", parse("(module)")),
        kernel_program(kernel("dot"), 5),
    ]
    started, skipped = measure_starts([REFERENCE, PWASM], programs, TINY, calls=3)
    assert [each.program for each in started] == ["fib(5)", "loaded", "dot(5)"]
    fib, loaded, dot = started
    names = ["reference", "pwasm", cached_name("pwasm")]
    assert [start.subject for start in fib.starts] == names == [start.subject for start in loaded.starts]
    assert [start.subject for start in dot.starts] == ["reference"]
    assert {(each.what, each.reason[:11]) for each in skipped} == {("kernel dot on pwasm", "DecodeError")}
    for start in fib.starts:
        assert [len(calls) for calls in start.call_seconds] == [3, 3]
        assert len(start.load_seconds) == len(start.peak_bytes) == 2
        assert start.cold_seconds[0] == pytest.approx(
            start.compile_seconds[0] + start.instantiate_seconds[0] + start.call_seconds[0][0]
        )
    assert (fib.called, loaded.called) == (True, False)
    assert loaded.comparison(lambda start: start.first_seconds).series == ()


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a big actor is that is not big."""
    path = tmp_path / "big.wasm"

    def build() -> bytes:
        path.write_bytes(parse(RUN.format("(i32.mul (local.get 0) (i32.const 7))")))
        return path.read_bytes()

    monkeypatch.setattr("benchmarks.new_processes.big_actor", build)
    monkeypatch.setattr("benchmarks.new_processes.kept_as", lambda: path)
    return path


def test_new_processes_of_everything(big: Path) -> None:
    subjects = Subjects(find_engines(["reference", "compiled"])[0], (PWASM,), by_hand=True)
    few = [replace(kernel("fib"), argument=5)]
    result, skipped = measure_start(subjects, few, load_engine(DEFAULT_ENGINE), TINY)
    assert skipped == ()
    counter = ["counter: HandleRequest", "counter: HealthRequest"]
    assert [each.program for each in result.programs] == ["fib(5)", *counter, "big actor, only loaded", "big actor"]
    fib, *_, loaded, called = result.programs
    ordinary = [
        *("compiled", "pwasm", "pwasm, mode compile", "reference"),
        *("compiled, cached", "pwasm, cached"),
    ]
    assert [start.subject for start in fib.starts] == ordinary
    assert {start.subject for start in loaded.starts} == {*ordinary, "compiled, lazy validation"}
    assert [each.apart for each in result.programs] == [False, False, False, True, True]
    assert (loaded.called, called.called) == (False, True)
    assert ("compiled, lazy validation", "pwasm") in result.ratios
    assert ("compiled", "wasmtime") not in result.ratios
    assert result.break_even == (("compiled", "pwasm"), ("compiled", "reference"))
    assert [series.subject for series in result.ready.series] == ordinary[:4]


def test_the_big_actor_is_not_built_in_a_hurry(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = Subjects((REFERENCE,), (), by_hand=False)
    engine = load_engine(DEFAULT_ENGINE)
    _, (skipped,) = measure_start(subjects, [], engine, TINY, quick=True)
    assert (skipped.what, "has not been built" in skipped.reason) == ("start of the big actor", True)
    assert not big.exists()

    def fail() -> bytes:
        raise BenchmarkError("no compiler")

    monkeypatch.setattr("benchmarks.new_processes.big_actor", fail)
    assert measure_start(subjects, [], engine, TINY)[1] == (Skipped("start of the big actor", "no compiler"),)


def test_a_cache_is_warm_and_off_without_its_name(tmp_path: Path) -> None:
    compiled = engine_subject("compiled")
    cached = compiled.cached(str(tmp_path))
    assert cached is not None
    assert cached.name == "compiled, cached"
    assert REFERENCE.cached(str(tmp_path)) is None
    measure_starts([compiled], [kernel_program(kernel("fib"), 5)], TINY)
    with working([replace(compiled, environment={**compiled.environment, **cached.environment})]) as running:
        running["compiled"].prepare(kernel_program(kernel("fib"), 5))
        running["compiled"].ask("start", calls=5)
        running["compiled"].finish()
    assert [path for path in tmp_path.rglob("*") if path.is_file()]
    other = tmp_path / "other"
    off = {"WASCC_CACHE_DIR": str(other), **compiled.environment}
    with working([replace(compiled, environment=off)]) as running:
        running["compiled"].prepare(kernel_program(kernel("fib"), 5))
        running["compiled"].ask("start", calls=5)
        running["compiled"].finish()
    assert not other.exists()


def test_memory_is_what_the_program_takes() -> None:
    pages = 512
    large = Program("large", parse(f"(module (memory {pages}))"))
    fill = parse(
        f'(module (memory {pages}) (func (export "run") (param i32) (result i32)'
        f" (memory.fill (i32.const 0) (i32.const 1) (i32.const {pages * 65536})) (i32.const 1)))"
    )
    filled = Program("filled", fill, "run", (1,))
    (start,), _ = measure_starts([REFERENCE], [filled], Effort(1, 0.1), calls=1)
    growth = start.starts[0].growth_bytes
    if not growth:
        pytest.skip("this system does not tell how much memory a process has")
    assert pages * 65536 * 0.9 < growth[0] < pages * 65536 * 3
    assert large.most_calls == 0


def start(subject: str, load: float, *calls: float) -> Start:
    return Start(subject, (load,), (0.0,), (calls,), (0,), (0,))


@pytest.mark.parametrize(
    ("slow", "fast", "calls"),
    [
        ((1.0, 1.0, 1.0), (2.5, 0.5, 0.5), 3),
        ((1.0, 1.0, 1.0, 1.0), (1.5, 0.5, 0.5, 0.5), 1),
        ((1.0, 1.0), (0.5, 0.5), 1),
        ((1.0, 1.0, 1.0), (1.5, 1.0, 1.0), float("inf")),
        # The first call of the slow one is long, which the other one never makes up for later.
        ((0.0, 9.0, 1.0, 1.0), (1.0, 2.0, 2.0, 2.0), 1),
        ((0.0, 1.0, 1.0), (100.0, 0.5, 0.5), 200),
    ],
)
def test_when_one_subject_has_made_up_for_loading_longer(
    slow: tuple[float, ...], fast: tuple[float, ...], calls: float
) -> None:
    result = ProgramStart("it", 1, (start("slow", *slow), start("fast", *fast)))
    found = result.break_even("fast", "slow")
    assert found is not None
    assert found.median == calls
    assert result.break_even("fast", "nobody") is None
    assert ProgramStart("it", 1, (start("slow", 1.0), start("fast", 2.0))).break_even("fast", "slow") is None


def test_long_calls() -> None:
    kernels = [kernel("fib"), kernel("dot")]
    result, skipped = measure_long_calls(
        find_engines(ENGINES)[0][-1], Effort(1, 0.1), kernels=kernels, work_seconds=0.02
    )
    for each in result.kernels:
        first, second = each.calls.series
        assert (first.subject, second.subject) == ("first call", "second call")
        assert second.samples[0] > 0.01
    assert len(result.kernels) + len(skipped) == 2
    assert all("its work takes no longer than" in each.reason for each in skipped)


def test_limits_are_on_and_not_reached() -> None:
    result, skipped = measure_limits(REFERENCE, TINY, kernels=[replace(kernel("fib"), argument=5)])
    assert skipped == ()
    assert [series.subject for series in result.kernels[0].call.series] == list(LIMITS)
    assert result.ratios[-1] == (ALL, UNLIMITED)
    scarce = REFERENCE.variant("scarce", limits={"fuel": 3})
    with pytest.raises(BenchmarkError, match="fuel"):
        measure_kernels([scarce], TINY, kernels=[replace(kernel("fib"), argument=5)])


def test_the_peers_are_the_versions_that_the_extra_brings() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(each.split("==") for each in project["optional-dependencies"]["bench"] if "==" in each)
    for peer in PEERS.values():
        if peer.version:
            assert pinned[peer.distribution] == peer.version
        else:
            assert any(each.startswith(peer.distribution) for each in project["dependencies"])


def test_other_versions_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = PEERS["pwasm"]
    with pytest.raises(PeerMissingError, match=r"0\.2a0 is installed instead: pip install pwasm==0\.0\.1"):
        replace(peer, version="0.0.1").check()
    with pytest.raises(PeerMissingError, match="it is not installed: pip install no-such-peer"):
        Peer("no-such-peer", "", PWASM).check()
    monkeypatch.setitem(PEERS, "pwasm", replace(peer, version="0.0.1"))  # type: ignore[arg-type]
    found, skipped = find_peers(["pwasm"])
    assert (found, [each.what for each in skipped]) == ((), ["pwasm 0.0.1"])


def test_gaps_are_put_together() -> None:
    gaps = Gaps()
    for name in ("a", "b"):
        for what in ("x", "y"):
            gaps.add(replace(PWASM, name=name), what, BenchmarkError("no"))
    gaps.add(replace(PWASM, name="a"), "z", WrongOutputError("wrong"))
    assert gaps.skipped() == (Skipped("x, y on a and b", "no"), Skipped("z on a", "wrong"))
