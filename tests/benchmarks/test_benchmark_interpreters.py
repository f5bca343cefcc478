"""Interpreters in Python: they execute the same instructions, and these are counted right."""

from __future__ import annotations

import pytest

from benchmarks.errors import BenchmarkError, WrongOutputError
from benchmarks.interpreters import (
    DESCRIBED,
    MACHINE,
    PEER,
    RECORDED,
    interpreters,
    load_on_peer,
    measure_interpreters,
)
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.machine import count_instructions, describe_steps, load_recorded
from benchmarks.timing import Effort
from tests_support import parse

TINY = Effort(2, 0.02)
SMALL = [Kernel(kernel.name, 5, 5, kernel.expected) for kernel in KERNELS]


def test_a_kernel_that_gives_something_else_is_not_timed() -> None:
    wrong = [Kernel("fib", 5, 4, lambda n: n + 1)]
    with pytest.raises(WrongOutputError, match="fib on reference: expected 5, got 3"):
        measure_interpreters(interpreters()[0], TINY, kernels=wrong)


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
    for kernel in KERNELS:
        run = load_on_peer(kernel.wasm())
        for argument in (1, 2, kernel.short_argument, 3):
            assert run(argument) == kernel.expected(argument)


def test_a_peer_that_fails_is_an_error() -> None:
    run = load_on_peer(parse('(module (func (export "run") (param i32) (result i32) unreachable))'))
    with pytest.raises(BenchmarkError, match=f"{PEER}: "):
        run(1)


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
