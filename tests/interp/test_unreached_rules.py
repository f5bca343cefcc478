"""Rules that the specification's test suite does not apply: applied here, or shown to be out of reach of any module."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import TrapKind
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import Store
from interp.execution.values import inv_fbits
from interp.reference.call import CALL_REF
from interp.reference.configuration import Frame
from interp.reference.machine import FINISHED, NO_MODULE, Machine, step
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import NumType, ValType
from interp.validation.modules import validate
from tests_support import parse

CASES: dict[str, tuple[str, TrapKind | list[Any]]] = {
    "Step/vstore_lane-oob": (
        "(func (v128.store8_lane 3 (i32.const 65536) (v128.const i64x2 0 0)))",
        TrapKind.MEMORY_OUT_OF_BOUNDS,
    ),
    "Step_read/vload_lane-oob": (
        "(func (drop (v128.load16_lane 3 (i32.const 65535) (v128.const i64x2 0 0))))",
        TrapKind.MEMORY_OUT_OF_BOUNDS,
    ),
    "Step_pure/br-handler": (
        "(func (result i32) (block (result i32) (block (try_table (catch_all 0) (br 2 (i32.const 7)))) (i32.const 8)))",
        [7],
    ),
    "Step_pure/return-handler": (
        "(func (result i32) (block (try_table (catch_all 0) (return (i32.const 7)))) (i32.const 8))",
        [7],
    ),
    "Step_read/throw_ref-null": ("(func (throw_ref (ref.null exn)))", TrapKind.NULL_EXCEPTION_REFERENCE),
}


@pytest.mark.parametrize("rule", CASES)
def test_the_rule_is_applied(rule: str) -> None:
    func, outcome = CASES[rule]
    machine = Machine(Store(Meter(Limits())))
    wasm = parse(f'(module (memory 1) (export "f" (func 0)) {func})')
    instance = instantiate(machine.store, validate(decode(wasm)), (), machine)
    config = machine.start(Frame([], NO_MODULE), (CALL_REF,), (instance.exports["f"],), observed=True)
    names: list[str] = []
    while (name := step(config)) is not FINISHED:
        names.append(name)
    assert names.count(rule) == 1
    if isinstance(outcome, TrapKind):
        assert getattr(config.ended, "kind", None) is outcome
    else:
        assert (config.ended, config.vals) == (None, outcome)


TOTAL_KINDS = ("unop", "vunop", "vbinop", "vternop")


def operands(op: Op) -> st.SearchStrategy[tuple[Any, ...]]:
    """Any operands of an operator."""
    assert op.type is not None
    return st.tuples(*map(numbers, op.type.params))


def numbers(t: ValType) -> st.SearchStrategy[Any]:
    if t in (NumType.F32, NumType.F64):
        N = int(t.value[1:])
        return st.integers(0, 2**N - 1).map(lambda bits: inv_fbits(N, bits))
    width = {NumType.I32: 32, NumType.I64: 64}.get(t, 128)  # type: ignore[call-overload]
    return st.integers(0, 2**width - 1)


@pytest.mark.parametrize("kind", TOTAL_KINDS)
@given(data=st.data())
def test_operators_of_these_kinds_are_defined_everywhere(kind: str, data: st.DataObject) -> None:
    op = data.draw(st.sampled_from([op for op in OPS if op.kind == kind]))
    assert op.sem is not None
    result = op.sem(*op.params, *data.draw(operands(op)))
    assert result is not None
