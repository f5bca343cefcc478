"""The kernels: right on every engine and on the peer, and timed there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks import peer
from benchmarks.engines import load_engines
from benchmarks.errors import BenchmarkError, WrongOutputError
from benchmarks.execution import load_kernel, measure_kernels
from benchmarks.interpreters import DESCRIBED, MACHINE, RECORDED, interpreters, measure_interpreters
from benchmarks.kernels import KERNELS, Kernel, assemble, expected
from benchmarks.machine import count_instructions, describe_steps, load_recorded
from benchmarks.peer import PEER, VERSION, PeerMissingError, check_peer, load_on_peer
from benchmarks.timing import Effort
from interp.engine import ENGINES, Engine, load_engine
from tests_support import parse

ROOT = Path(__file__).parents[2]
TINY = Effort(2, 0.02)
SMALL = [Kernel(kernel.name, 5, 5, kernel.expected) for kernel in KERNELS]


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    return load_engines(ENGINES)[0]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_are_of_version_1_and_give_what_python_gives(kernel: Kernel) -> None:
    names = [MACHINE, *(["wasmtime"] if "wasmtime" in load_engines(ENGINES)[0] else [])]
    wasm = kernel.wasm()
    functions = {name: load_kernel(load_engine(name, "1.0"), wasm) for name in names}
    # The last are less than those before: what an instance has done must not matter to what it does next.
    for argument in (1, 2, 3, 10, kernel.argument, 4, kernel.short_argument):
        for name, function in functions.items():
            if name != MACHINE or argument != kernel.argument:
                assert function(argument) == kernel.expected(argument), (name, argument)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_are_about_as_long_as_they_should_be(kernel: Kernel) -> None:
    wasm = kernel.wasm()
    assert 5_000 <= count_instructions(wasm, kernel.short_argument) <= 20_000
    assert 70_000 <= count_instructions(wasm, kernel.argument) <= 120_000


def test_expectations_agree_with_what_is_known() -> None:
    # The energy that the Benchmarks Game publishes for a thousand steps, and the one that they begin with.
    assert f"{expected.nbody(1000):.9f}" == "-0.169087605"
    assert [expected.ackermann(n) for n in range(1, 5)] == [_ackermann(2, n) for n in range(1, 5)]
    assert expected.sieve(1000) == 168
    assert expected.interpreter(3) == 0 + 1 + 7
    assert expected.fib(47) == 2971215073 - 2**32
    assert expected.trees(1) == expected.signed(64, (1 + 2 + 3) * expected.GOLDEN)
    assert expected.f32(0.1) == 0.100000001490116119384765625


def _ackermann(m: int, n: int) -> int:
    if m == 0:
        return n + 1
    return _ackermann(m - 1, 1 if n == 0 else _ackermann(m, n - 1))


def test_kernels_are_timed_on_every_engine(engines: dict[str, Engine]) -> None:
    result = measure_kernels(engines, TINY, kernels=SMALL)
    assert [kernel.name for kernel in result.kernels] == [kernel.name for kernel in KERNELS]
    for kernel in result.kernels:
        for part in (kernel.call, kernel.load):
            assert [series.subject for series in part.series] == list(engines)
            assert all(len(series.samples) == 2 and min(series.samples) > 0 for series in part.series)


def test_a_kernel_that_gives_something_else_is_not_timed(engines: dict[str, Engine]) -> None:
    wrong = [Kernel("fib", 5, 4, lambda n: n + 1)]
    with pytest.raises(WrongOutputError, match="fib on reference: expected 6, got 5"):
        measure_kernels(engines, TINY, kernels=wrong)
    with pytest.raises(WrongOutputError, match="fib on reference: expected 5, got 3"):
        measure_interpreters(interpreters()[0], TINY, kernels=wrong)


def test_a_kernel_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wat").write_text("(module (nonsense))")
    with pytest.raises(BenchmarkError, match=r"bad\.wat"):
        assemble(tmp_path / "bad.wat")


def test_interpreters_execute_the_same_instructions() -> None:
    subjects, skipped = interpreters()
    assert skipped == ()
    few = SMALL[:4]
    result = measure_interpreters(subjects, TINY, kernels=few)
    assert [kernel.name for kernel in result.kernels] == [kernel.name for kernel in few]
    assert result.ratios == ((MACHINE, PEER), (RECORDED, MACHINE))
    for kernel, small in zip(result.kernels, few, strict=True):
        assert kernel.instructions == count_instructions(small.wasm(), small.short_argument)
        assert [series.subject for series in kernel.call.series] == list(subjects)
        for series in kernel.call.series:
            assert len(series.samples) == 2
            speed = kernel.per_second(series).median
            assert speed == pytest.approx(kernel.instructions / series.estimate.median)
        assert len(kernel.description.samples) == 2
        assert kernel.description.loops % min(DESCRIBED, describe_steps(small.wasm(), 5, 10_000)()) == 0


def test_records_are_made_of_every_step() -> None:
    for kernel in KERNELS:
        assert load_recorded(kernel.wasm())(kernel.short_argument) == kernel.expected(kernel.short_argument)
    wasm = parse('(module (func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))')
    assert load_recorded(wasm)(-1 % 2**32) == 0
    assert describe_steps(wasm, 1, 100)() == describe_steps(wasm, 1, 1000)() > 3
    assert describe_steps(wasm, 1, 2)() == 2
    with pytest.raises(BenchmarkError, match="trapped: unreachable"):
        load_recorded(parse('(module (func (export "run") (param i32) (result i32) unreachable))'))(1)


def test_kernels_on_the_peer() -> None:
    check_peer()
    for kernel in KERNELS:
        run = load_on_peer(kernel.wasm())
        for argument in (1, 2, kernel.short_argument, 3):
            assert run(argument) == kernel.expected(argument)


def test_a_peer_that_fails_is_an_error() -> None:
    run = load_on_peer(parse('(module (func (export "run") (param i32) (result i32) unreachable))'))
    with pytest.raises(BenchmarkError, match=f"{PEER}: "):
        run(1)


def test_the_peer_is_the_version_that_the_extra_brings() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"pywasm=={VERSION}" in project["optional-dependencies"]["bench"]


def test_another_version_of_the_peer_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "VERSION", "0.0.1")
    with pytest.raises(PeerMissingError, match=f"{VERSION} is installed"):
        check_peer()


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("(i32.const 7)", 1),
        ("(drop (i32.const 7)) (nop) (local.get 0)", 4),
        ("(block (result i32) (br 0 (i32.const 1)))", 3),
        ("(if (result i32) (local.get 0) (then (i32.const 1)) (else (nop) (i32.const 2)))", 3),
        ("(block (br_if 0 (i32.const 0))) (i32.const 1)", 4),
        ("(block (br_table 0 0 (i32.const 9))) (i32.const 1)", 4),
        ("(local.tee 0 (i32.const 5))", 2),
        ("(select (i32.const 1) (i32.const 2) (local.get 0))", 4),
        ("(return (i32.const 1))", 2),
        ("(call 1)", 3),
        ("(call_indirect (result i32) (i32.const 0))", 4),
        # Three times round: the loop, and four instructions for each time; then one more.
        ("(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)", 3 * 6 + 1),
    ],
)
def test_instructions_are_counted_as_they_are_executed(body: str, count: int) -> None:
    wasm = parse(
        f'(module (func (export "run") (param i32) (result i32) {body}) (func (result i32) (nop) (i32.const 4))'
        " (table funcref (elem 1)))"
    )
    assert count_instructions(wasm, 3) == count


def test_a_kernel_that_traps_is_not_counted() -> None:
    with pytest.raises(BenchmarkError, match="unreachable"):
        count_instructions(parse('(module (func (export "run") (param i32) unreachable))'), 1)
