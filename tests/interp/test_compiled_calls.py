"""Calls as operands of the compiled engine's code: the order of what they do, and where a trap says it happened."""

from __future__ import annotations

from typing import Any

import pytest
from compiled_support import exports_of, outcome

from interp.binary.modules import decode
from interp.compiled.units import Options, source_of
from interp.errors import Trap
from interp.validation.modules import validate
from tests_support import parse

MODULE = """(module
  (memory (export "memory") 1)
  (global $g (mut i32) (i32.const 0))
  (table funcref (elem $note $note64))
  (type $t (func (param i32) (result i32)))
  (func $note (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 13)) (then unreachable))
    (global.set $g (i32.add (i32.mul (global.get $g) (i32.const 10)) (local.get 0)))
    (i32.store (i32.const 8) (local.get 0))
    (global.get $g))
  (func $note64 (param i64) (result i64) (i64.extend_i32_u (call $note (i32.wrap_i64 (local.get 0)))))
  (func $half (param f64) (result f64)
    (f64.mul (f64.convert_i32_u (call $note (i32.trunc_f64_u (local.get 0)))) (f64.const 0.5)))
  (func (export "reset") (global.set $g (i32.const 0)))
  FUNCTIONS)"""

BODIES = {
    "sum": "(i32.add NOTE(A) NOTE(B))",
    "difference": "(i32.sub NOTE(A) NOTE((i32.add B (i32.const 1))))",
    "nested": "NOTE((i32.rem_u NOTE(A) (i32.const 7)))",
    "argument": "(call $three NOTE(A) NOTE(B) NOTE((i32.const 5)))",
    "global before": "(i32.add (global.get $g) NOTE(A))",
    "global behind": "(i32.add NOTE(A) (global.get $g))",
    "global between": "(i32.add (i32.add NOTE(A) (global.get $g)) NOTE(B))",
    "global of a call": "(i32.add NOTE(A) NOTE((global.get $g)))",
    "memory between": "(i32.add (i32.add NOTE(A) (i32.load (i32.const 8))) NOTE(B))",
    "division": "(i32.div_u NOTE(A) NOTE(B))",
    "comparison": "(i32.lt_s NOTE(A) NOTE(B))",
    "mirrored": "(i32.gt_u (i32.const 50) NOTE(A))",
    "chosen": "(select NOTE(A) NOTE(B) NOTE((i32.const 2)))",
    "indirect": "(i32.xor (call_indirect (type $t) A (i32.const 0)) NOTE(B))",
    "of another type": "(i32.xor NOTE(A) (call_indirect (type $t) B (i32.const 1)))",
    "beyond the table": "(i32.xor NOTE(A) (call_indirect (type $t) B A))",
    "of 64 bits": "(i32.wrap_i64 (i64.mul (call $note64 (i64.const 3)) (call $note64 (i64.extend_i32_u B))))",
    "of floats": "(i32.trunc_f64_u (f64.mul (call $half (f64.const 9)) (call $half (f64.convert_i32_u A))))",
    "kept": "(local.set 2 (i32.mul NOTE(A) NOTE(B))) (i32.add (local.get 2) (local.get 2))",
    "twice": "(local.set 2 NOTE(A)) (i32.add (i32.add (local.get 2) (local.get 2)) NOTE((i32.const 1)))",
    "two results": "(call $pair NOTE(A) NOTE(B)) i32.sub",
    "dropped": "(drop NOTE(A)) NOTE(B)",
    "condition": "(if (result i32) (i32.and NOTE(A) NOTE(B)) (then (i32.const 1)) (else (i32.const 2)))",
}
"""Functions of two i32, with a third local."""


def text() -> str:
    """The module with all of them."""
    three = (
        "(func $three (param i32 i32 i32) (result i32) (i32.sub (i32.sub (local.get 0) (local.get 1)) (local.get 2)))"
    )
    pair = "(func $pair (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))"
    functions = [
        f'(func (export "{name}") (param i32 i32) (result i32) (local i32) {body})' for name, body in BODIES.items()
    ]
    whole = MODULE.replace("FUNCTIONS", " ".join([three, pair, *functions])).replace("NOTE(", "(call $note ")
    return whole.replace(" A", " (local.get 0)").replace(" B", " (local.get 1)")


def places(func: Any, *args: int) -> list[tuple[int, int | None]]:
    """Function and offset of each call that was active when a call trapped; none if it did not."""
    try:
        func(*args)
    except Trap as trap:
        return [(frame.function, frame.offset) for frame in trap.backtrace or ()]
    return []


@pytest.mark.parametrize("name", BODIES)
def test_each_call_happens_once_and_in_its_turn(name: str) -> None:
    reference, ours = (exports_of(engine, text()) for engine in ("reference", "compiled"))
    for args in ((1, 2), (2, 1), (0, 0), (3, 13), (13, 3), (13, 13), (7, 4)):
        results, traces, memories = [], [], []
        for exports in (reference, ours):
            exports["reset"]()
            results.append(outcome(exports[name], *args))
            memories.append(exports["memory"].read(0, 16))
            exports["reset"]()
            traces.append(places(exports[name], *args))
        assert results[0] == results[1], args
        assert traces[0] == traces[1], args
        assert memories[0] == memories[1], args


def test_calls_stand_where_their_results_are_used() -> None:
    valid = validate(decode(parse(text())))
    index = {export.name: export.index for export in valid.module.exports}
    source = source_of(valid, index["sum"], Options()).text
    assert "= f" not in source
    assert source.count("f0(") == 2
