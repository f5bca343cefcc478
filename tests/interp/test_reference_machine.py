"""The reference machine: each rule under its name, the same result observed and unobserved, the limits."""

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import Exhaustion, ExhaustionKind, Trap, TrapKind
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, ModuleInst, Store
from interp.reference.call import CALL_REF
from interp.reference.configuration import HOST_CALL, Config, Frame
from interp.reference.machine import FINISHED, NO_MODULE, RULE_NAMES, Machine, step
from interp.syntax.types import FuncType, functype_deftype
from interp.validation.modules import validate
from tests_support import parse

RULES = Path(__file__).parents[1] / "data" / "spectec-rules.csv"


def build(wat: str, limits: Limits = Limits(), externs: tuple[Any, ...] = ()) -> tuple[Machine, ModuleInst]:  # noqa: B008
    store = Store(Meter(limits))
    machine = Machine(store)
    valid = validate(decode(parse(wat)))
    return machine, instantiate(store, valid, externs, machine)


def steps(machine: Machine, func: Any, *args: Any) -> tuple[list[str], Config]:
    """The names of all rules applied, and the last configuration."""
    config = machine.start(Frame([], NO_MODULE), (CALL_REF,), (*args, func), observed=True)
    names: list[str] = []
    while (name := step(config)) is not FINISHED:
        names.append(name)
    return names, config


def rules_of(body: str, *args: Any, module: str = "") -> list[str]:
    """The rules that a function body takes, without those of the call itself."""
    machine, inst = build(f'(module {module} (func (export "f") {body}))')
    names, _ = steps(machine, inst.exports["f"], *args)
    return names[1:]


END = ["Step_pure/label-vals", "Step_pure/frame-vals"]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("nop", ["Step_pure/nop", *END]),
        ("(drop (i32.const 1))", ["Step_pure/drop", *END]),
        ("(drop (i32.add (i32.const 1) (i32.const 2)))", ["Step_pure/binop-val", "Step_pure/drop", *END]),
        ("(drop (i32.eqz (i32.const 1)))", ["Step_pure/testop", "Step_pure/drop", *END]),
        ("(block)", ["Step_read/block", "Step_pure/label-vals", *END]),
        ("(loop)", ["Step_read/loop", "Step_pure/label-vals", *END]),
        ("(block (br 0))", ["Step_read/block", "Step_pure/br-label-zero", *END]),
        (
            "(block (block (br 1)))",
            ["Step_read/block"] * 2 + ["Step_pure/br-label-succ", "Step_pure/br-label-zero", *END],
        ),
        (
            "(if (i32.const 1) (then nop))",
            ["Step_pure/if-true", "Step_read/block", "Step_pure/nop", "Step_pure/label-vals", *END],
        ),
        ("(if (i32.const 0) (then nop))", ["Step_pure/if-false", "Step_read/block", "Step_pure/label-vals", *END]),
        ("(br_if 0 (i32.const 0))", ["Step_pure/br_if-false", *END]),
        ("(br_if 0 (i32.const 1))", ["Step_pure/br_if-true", "Step_pure/br-label-zero", "Step_pure/frame-vals"]),
        ("(br_table 0 0 (i32.const 0))", ["Step_pure/br_table-lt", "Step_pure/br-label-zero", "Step_pure/frame-vals"]),
        ("(br_table 0 0 (i32.const 9))", ["Step_pure/br_table-ge", "Step_pure/br-label-zero", "Step_pure/frame-vals"]),
        ("(block (return))", ["Step_read/block"] + ["Step_pure/return-label"] * 2 + ["Step_pure/return-frame"]),
        (
            "(drop (select (i32.const 1) (i32.const 2) (i32.const 0)))",
            ["Step_pure/select-false", "Step_pure/drop", *END],
        ),
        ("(local i32) (local.set 0 (i32.const 1))", ["Step/local.set", *END]),
        (
            "(local i32) (drop (local.tee 0 (i32.const 1)))",
            ["Step_pure/local.tee", "Step/local.set", "Step_pure/drop", *END],
        ),
        (
            "(drop (ref.is_null (ref.null func)))",
            ["Step_read/ref.null", "Step_pure/ref.is_null-true", "Step_pure/drop", *END],
        ),
    ],
)
def test_which_rules_a_body_takes(body: str, rules: list[str]) -> None:
    assert rules_of(body) == rules


def test_a_call_is_a_reference_and_its_call() -> None:
    names = rules_of("(call $g)", module="(func $g)")
    assert names == ["Step_read/call", "Step_read/call_ref-func", *END, *END]


def test_call_indirect_is_table_get_cast_and_call() -> None:
    names = rules_of("(call_indirect (i32.const 0))", module="(table 1 funcref) (elem (i32.const 0) $g) (func $g)")
    assert names[:4] == [
        "Step_pure/call_indirect", "Step_read/table.get-val", "Step_read/ref.cast-succeed", "Step_read/call_ref-func",
    ]  # fmt: skip


def test_a_trap_consumes_its_contexts_one_by_one() -> None:
    names = rules_of("(i32.const 7) (block (unreachable) (nop)) (drop)")
    assert names == [
        "Step_read/block",
        "Step_pure/unreachable",
        "Step_pure/trap-instrs",
        "Step_pure/trap-label",
        "Step_pure/trap-instrs",
        "Step_pure/trap-label",
        "Step_pure/trap-frame",
    ]


def test_memory_fill_stores_byte_by_byte_when_observed() -> None:
    names = rules_of("(memory.fill (i32.const 1) (i32.const 7) (i32.const 2))", module="(memory 1)")
    byte = ["Step_read/memory.fill-succ", "Step/store-pack-val"]
    assert names == [*byte, *byte, "Step_read/memory.fill-zero", *END]


def test_a_host_call_has_no_rule_of_the_specification() -> None:
    store = Store(Meter(Limits()))
    functype = FuncType((), ())
    host = store.alloc_host_func(functype, functype_deftype(functype), lambda: ())
    assert steps(Machine(store), host)[0] == [HOST_CALL]


def test_every_rule_name_is_one_of_the_specification() -> None:
    with RULES.open() as file:
        names = {
            f"{row['relation']}/{row['rule']}" for row in csv.DictReader(file) if row["relation"].startswith("Step")
        }
    assert names >= RULE_NAMES


BULK = """(module (memory 1) (table 8 funcref) (elem $e func 0 1 0) (data $d "abcdefgh")
 (func $f0) (func $f1)
 (func (export "memory.fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
 (func (export "memory.copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
 (func (export "memory.init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
 (func (export "table.copy") (param i32 i32 i32) (table.copy (local.get 0) (local.get 1) (local.get 2)))
 (func (export "table.init") (param i32 i32 i32) (table.init $e (local.get 0) (local.get 1) (local.get 2)))
 (func (export "table.fill") (param i32 i32 i32)
   (table.fill (local.get 0) (table.get (local.get 1)) (local.get 2))))"""
SMALL = st.integers(0, 9)


def state(inst: ModuleInst) -> tuple[bytes, list[int | None]]:
    refs: list[FuncInst | None] = inst.tables[0].refs
    return bytes(inst.mems[0].bytes), [None if ref is None else ref.funcidx for ref in refs]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([f"{kind}.{op}" for kind in ("memory", "table") for op in ("fill", "copy", "init")]),
            SMALL,
            SMALL,
            SMALL,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_bulk_instructions_at_once_equal_one_by_one(calls: list[tuple[str, int, int, int]]) -> None:
    machine1, inst1 = build(BULK)
    machine2, inst2 = build(BULK)
    for name, *args in calls:
        _, config = steps(machine1, inst1.exports[name], *args)
        trapped: Trap | None = None
        try:
            machine2.invoke(inst2.exports[name], args)  # type: ignore[arg-type]
        except Trap as trap:
            trapped = trap
        assert (config.ended and config.ended.kind) == (trapped and trapped.kind)
        assert state(inst1) == state(inst2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_stepping_ends_as_running(a: int, b: int) -> None:
    machine, inst = build(
        '(module (func (export "f") (param i32 i32) (result i32) (local i32)'
        " (loop $l (result i32) (local.set 2 (i32.add (local.get 2) (local.get 1)))"
        "  (br_if $l (i32.lt_u (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))) (i32.const 0)))"
        "  (i32.rem_u (local.get 2) (i32.and (local.get 0) (i32.const 7))))))"
    )
    func = inst.exports["f"]
    _, config = steps(machine, func, a, b)
    if config.ended is not None:
        with pytest.raises(Trap) as caught:
            machine.invoke(func, (a, b))  # type: ignore[arg-type]
        assert caught.value.kind is config.ended.kind is TrapKind.INTEGER_DIVIDE_BY_ZERO
    else:
        assert machine.invoke(func, (a, b)) == config.vals  # type: ignore[arg-type]


def test_fuel_counts_entries_and_backward_branches() -> None:
    wat = """(module (func $g) (func (export "f") (param i32)
      (loop (call $g) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    machine, inst = build(wat, Limits(fuel=1 + 5 + 4))
    machine.invoke(inst.exports["f"], (5,))  # type: ignore[arg-type]
    with pytest.raises(Exhaustion) as caught:
        machine.invoke(inst.exports["f"], (6,))  # type: ignore[arg-type]
    assert caught.value.what is ExhaustionKind.FUEL
    machine.invoke(inst.exports["f"], (5,))  # type: ignore[arg-type]


def test_the_counters_are_right_after_any_end() -> None:
    machine, inst = build(
        '(module (func $r (export "r") (call $r)) (func (export "t") (call $u)) (func $u unreachable))',
        Limits(max_call_depth=50),
    )
    for name in ("r", "t", "r", "t"):
        with pytest.raises((Exhaustion, Trap)) as caught:
            machine.invoke(inst.exports[name], ())  # type: ignore[arg-type]
        meter = machine.store.meter
        assert (meter.depth, meter.slots, meter.reentry) == (0, 0, 0)
        offsets = [frame.offset or 0 for frame in caught.value.backtrace]
        assert all(frame.function in (0, 1, 2) for frame in caught.value.backtrace)
        assert all(a is not None and b is not None for a, b in pairwise(offsets))


def test_many_locals_cannot_fill_the_memory() -> None:
    machine, inst = build(f'(module (func $r (export "r") (local {"i64 " * 5000}) (call $r)))')
    with pytest.raises(Exhaustion) as caught:
        machine.invoke(inst.exports["r"], ())  # type: ignore[arg-type]
    assert caught.value.what is ExhaustionKind.CALL_STACK
    assert machine.store.meter.depth == 0
