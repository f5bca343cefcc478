"""Step records: each rule in the notation of the specification, with the right types, changes and addresses."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from step_support import lines, steps_of, watched

from interp.engine import Limits
from interp.reference.anchors import SITE, address
from interp.reference.configuration import HOST_CALL, NAMES
from interp.reference.machine import RULE_NAMES
from interp.reference.writes import ALLOCATE, WRITES, changes_state

ANCHORS = Path(__file__).parents[1] / "data" / "spec-anchors.txt"

TYPES = "(type $s (struct (field (mut i32)) (field i8))) (type $a (array (mut i16)))"
ONES = "i32x4 0x00000001 0x00000001 0x00000001 0x00000001"

REDUCTIONS = """
(drop (i32.add (i32.const 2) (i32.const 3)))
  binop-val: (i32.const 2) (i32.const 3) i32.add ↪ (i32.const 5)
(drop (i64.add (i64.const 5) (i64.const -6)))
  binop-val: (i64.const 5) (i64.const -6) i64.add ↪ (i64.const -1)
(drop (f32.neg (f32.const 0.5)))
  unop-val: (f32.const 0.5) f32.neg ↪ (f32.const -0.5)
(drop (f64.sqrt (f64.const -1)))
  unop-val: (f64.const -1.0) f64.sqrt ↪ (f64.const nan:0x8000000000000)
(drop (i64.extend_i32_s (i32.const -5)))
  cvtop-val: (i32.const -5) i64.extend_i32_s ↪ (i64.const -5)
(drop (i32.eqz (i32.const 0)))
  testop: (i32.const 0) i32.eqz ↪ (i32.const 1)
(drop (v128.not (v128.const i32x4 -2 -2 -2 -2)))
  vvunop: (v128.const i32x4 0xfffffffe 0xfffffffe 0xfffffffe 0xfffffffe) v128.not ↪ (v128.const ONES)
nop
  nop: nop ↪ ε
(block)
  block: block ↪ (label_0{ε} ε)
(block (br 0) nop)
  block: (block …) ↪ (label_0{ε} (br 0) nop)
(loop (br_if 0 (i32.const 0)))
  loop: (loop …) ↪ (label_0{(loop …)} (i32.const 0) (br_if 0))
(br_if 0 (i32.const 0))
  br_if-false: (i32.const 0) (br_if 0) ↪ ε
(if (i32.const 1) (then nop))
  if-true: (i32.const 1) (if …) ↪ (block …)
(drop (select (i64.const 1) (i64.const 2) (i32.const 0)))
  select-false: (i64.const 1) (i64.const 2) (i32.const 0) select ↪ (i64.const 2)
(drop (ref.is_null (ref.null func)))
  ref.null: (ref.null func) ↪ ref.null
  ref.is_null-true: ref.null ref.is_null ↪ (i32.const 1)
(drop (i31.get_s (ref.i31 (i32.const 5))))
  ref.i31: (i32.const 5) ref.i31 ↪ (ref.i31 5)
  i31.get-num: (ref.i31 5) i31.get_s ↪ (i32.const 5)
(drop (struct.new_default $s))
  struct.new_default: (struct.new_default 0) ↪ (i32.const 0) (i32.const 0) (struct.new 0)
  struct.new: (i32.const 0) (i32.const 0) (struct.new 0) ↪ (ref.struct 0)
(drop (extern.convert_any (struct.new_default $s)))
  struct.new_default: (struct.new_default 0) ↪ (i32.const 0) (i32.const 0) (struct.new 0)
  struct.new: (i32.const 0) (i32.const 0) (struct.new 0) ↪ (ref.struct 0)
  extern.convert_any-addr: (ref.struct 0) extern.convert_any ↪ (ref.extern (ref.struct 0))
(drop (array.len (array.new $a (i32.const 9) (i32.const 2))))
  array.new: (i32.const 9) (i32.const 2) (array.new 1) ↪ (i32.const 9) (i32.const 9) (array.new_fixed 1 2)
  array.new_fixed: (i32.const 9) (i32.const 9) (array.new_fixed 1 2) ↪ (ref.array 0)
  array.len-array: (ref.array 0) array.len ↪ (i32.const 2)
(drop (call_indirect (type $g) (i64.const 7) (i32.const 1)))
  call_indirect: (call_indirect (type 2)) ↪ (table.get 0) (ref.cast (ref null 2)) (call_ref 2)
  table.get-val: (i32.const 1) (table.get 0) ↪ (ref.func 0)
  ref.cast-succeed: (ref.func 0) (ref.cast (ref null 2)) ↪ (ref.func 0)
  call_ref-func: (i64.const 7) (ref.func 0) (call_ref 2) ↪ (frame_1{locals (i64.const 7)} (label_1{ε} (local.get 0)))
(drop (call $g (i64.const 7)))
  call: (call 0) ↪ (ref.func 0) (call_ref 2)
  call_ref-func: (i64.const 7) (ref.func 0) (call_ref 2) ↪ (frame_1{locals (i64.const 7)} (label_1{ε} (local.get 0)))
  local.get: (local.get 0) ↪ (i64.const 7)
  label-vals: (label_1{ε} (i64.const 7)) ↪ (i64.const 7)
  frame-vals: (frame_1{locals (i64.const 7)} (i64.const 7)) ↪ (i64.const 7)
(drop (block (result f64) (i64.const 1) (block (i32.const 2) (br 1 (f64.const 3))) (unreachable)))
  block: (block (result f64) …) ↪ (label_1{ε} (i64.const 1) (block …) unreachable)
  block: (block …) ↪ (label_0{ε} (i32.const 2) (f64.const 3.0) (br 1))
  br-label-succ: (label_0{ε} (i32.const 2) (f64.const 3.0) (br 1)) ↪ (i32.const 2) (f64.const 3.0) (br 0)
  br-label-zero: (label_1{ε} (i64.const 1) (i32.const 2) (f64.const 3.0) (br 0) unreachable) ↪ (f64.const 3.0)
(f32.const 1) (memory.fill (i32.const 3) (i32.const 170) (i32.const 1)) (drop)
  memory.fill-succ: (i32.const 3) (i32.const 170) (i32.const 1) memory.fill ↪ \
(i32.const 3) (i32.const 170) i32.store8 (i32.const 4) (i32.const 170) (i32.const 0) memory.fill
  store-pack-val: (i32.const 3) (i32.const 170) i32.store8 ↪ ε
  memory.fill-zero: (i32.const 4) (i32.const 170) (i32.const 0) memory.fill ↪ ε
(table.copy (i32.const 2) (i32.const 1) (i32.const 1))
  table.copy-gt: (i32.const 2) (i32.const 1) (i32.const 1) (table.copy 0 0) ↪ \
(i32.const 2) (i32.const 1) (table.get 0) (table.set 0) (i32.const 2) (i32.const 1) (i32.const 0) (table.copy 0 0)
  table.get-val: (i32.const 1) (table.get 0) ↪ (ref.func 0)
  table.set-val: (i32.const 2) (ref.func 0) (table.set 0) ↪ ε
(block $h (result i64) (try_table (catch $t $h) (f32.const 1) (throw $t (i64.const 4))) (i64.const 5)) (drop)
  block: (block (result i64) …) ↪ (label_1{ε} (try_table (catch 0 0) …) (i64.const 5))
  try_table: (try_table (catch 0 0) …) ↪ (handler_0{(catch 0 0)} (label_0{ε} (f32.const 1.0) (i64.const 4) (throw 0)))
  throw: (i64.const 4) (throw 0) ↪ (ref.exn 0) throw_ref
  throw_ref-instrs: (f32.const 1.0) (ref.exn 0) throw_ref ↪ (ref.exn 0) throw_ref
  throw_ref-label: (label_0{ε} (ref.exn 0) throw_ref) ↪ (ref.exn 0) throw_ref
  throw_ref-handler-catch: (handler_0{(catch 0 0)} (ref.exn 0) throw_ref) ↪ (i64.const 4) (br 0)
  br-label-zero: (label_1{ε} (i64.const 4) (br 0) (i64.const 5)) ↪ (i64.const 4)
(block $h (try_table (catch $u $h) (catch_all $h) (throw $t (i64.const 4))))
  block: (block …) ↪ (label_0{ε} (try_table (catch 1 0) (catch_all 0) …))
  try_table: (try_table (catch 1 0) (catch_all 0) …) ↪ \
(handler_0{(catch 1 0) (catch_all 0)} (label_0{ε} (i64.const 4) (throw 0)))
  throw: (i64.const 4) (throw 0) ↪ (ref.exn 0) throw_ref
  throw_ref-label: (label_0{ε} (ref.exn 0) throw_ref) ↪ (ref.exn 0) throw_ref
  throw_ref-handler-next: (handler_0{(catch 1 0) (catch_all 0)} (ref.exn 0) throw_ref) ↪ \
(handler_0{(catch_all 0)} (ref.exn 0) throw_ref)
  throw_ref-handler-catch_all: (handler_0{(catch_all 0)} (ref.exn 0) throw_ref) ↪ (br 0)
(f32.const 2) (drop (i32.div_u (i32.const 1) (i32.const 0))) (drop)
  binop-trap: (i32.const 1) (i32.const 0) i32.div_u ↪ trap
  trap-instrs: (f32.const 2.0) trap drop drop ↪ trap
"""

MODULE = f"""{TYPES} (type $g (func (param i64) (result i64))) (tag $t (param i64)) (tag $u)
  (memory 1) (table 3 funcref) (elem (i32.const 1) $g) (func $g (type $g) (local.get 0))"""


def cases() -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in REDUCTIONS.replace("\\\n", "").replace("ONES", ONES).strip().splitlines():
        if line.startswith("  "):
            found[-1][1].append(line.strip())
        else:
            found.append((line, []))
    return found


@pytest.mark.parametrize(("body", "expected"), cases())
def test_rules_as_the_specification_writes_them(body: str, expected: list[str]) -> None:
    assert lines(steps_of(body, module=MODULE))[: len(expected)] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("(local f32) (local.set 0 (f32.const 2))", ("local", None, 0, 1, "(f32.const 0.0)", "(f32.const 2.0)")),
        ("(i64.store16 offset=4 (i32.const 1) (i64.const 0x10203))", ("memory", 0, 5, 2, "00 00", "03 02")),
        (
            "(v128.store (i32.const 0) (v128.const i64x2 1 2))",
            ("memory", 0, 0, 16, "00 " * 15 + "00", "01" + " 00" * 7 + " 02" + " 00" * 7),
        ),
        (
            "(v128.store16_lane 1 (i32.const 8) (v128.const i16x8 0 7 0 0 0 0 0 0))",
            ("memory", 0, 8, 2, "00 00", "07 00"),
        ),
        ("(drop (memory.grow (i32.const 1)))", ("memory", 0, 65536, 65536, "ε", "00 " * 53 + "…")),
        ("(global.set $n (i64.const -1))", ("global", 0, None, 1, "(i64.const 5)", "(i64.const -1)")),
        ("(table.set (i32.const 2) (ref.func $g))", ("table", 0, 2, 1, "ref.null", "(ref.func 0)")),
        (
            "(drop (table.grow (ref.null func) (i32.const 2)))",
            ("table", 0, 3, 2, "ε", "ref.null ref.null"),
        ),
        ("(elem.drop $e)", ("elem", 1, None, 1, "(ref.func 0)", "ε")),
        ("(data.drop $d)", ("data", 0, None, 1, "61 62", "ε")),
        (
            "(struct.set $s 0 (struct.new $s (i32.const 7) (i32.const 1)) (i32.const 9))",
            ("struct", 0, 0, 1, "(i32.const 7)", "(i32.const 9)"),
        ),
        (
            "(drop (struct.new $s (i32.const 7) (i32.const 1)))",
            ("struct", 0, None, 2, "ε", "(i32.const 7) (i8.pack 1)"),
        ),
        ("(drop (array.new $a (i32.const 9) (i32.const 2)))", ("array", 0, None, 2, "ε", "(i16.pack 9) (i16.pack 9)")),
        (
            "(array.set $a (array.new_default $a (i32.const 3)) (i32.const 1) (i32.const 65537))",
            ("array", 0, 1, 1, "(i16.pack 0)", "(i16.pack 1)"),
        ),
    ],
)
def test_what_a_step_changes(body: str, expected: tuple[Any, ...]) -> None:
    module = f'{MODULE} (global $n (mut i64) (i64.const 5)) (elem $e func $g) (data $d "ab")'
    change = [change for record in steps_of(body, module=module) for change in record.changes][-1]
    what, number, index, count, old, new = expected
    assert (change.what, change.address, change.index, change.count) == (what, number, index, count)
    assert (change.old, change.new) == (old, new)


def test_a_rule_that_traps_changes_nothing() -> None:
    records = steps_of("(i32.store (i32.const -1) (i32.const 5))", module=MODULE)
    assert records[0].rule == "Step/store-num-oob"
    assert not any(record.changes for record in records)


def test_a_host_call_and_what_the_host_changed() -> None:
    made = watched(
        """(module (import "m" "h" (func $h (param i64) (result f32))) (memory (export "mem") 1)
          (func (export "f") (result f32) (call $h (i64.const 3))))""",
        h=lambda made: lambda n: made.export("mem").write(n, b"xyz") or 0.5,
    )
    record = next(record for record in made.stepper("f").trace(10) if record.rule == HOST_CALL)
    assert str(record) == "(i64.const 3) (ref.func 0) (call_ref 0) ↪ (f32.const 0.5)"
    (change,) = record.changes
    assert (change.what, change.index, change.count, change.old, change.new) == ("memory", 3, 3, "00 00 00", "78 79 7a")
    assert record.address.endswith("#exec-invoke-host")


def test_a_record_says_where_it_happened() -> None:
    made = watched('(module (func $inner nop) (func $outer (export "f") (call $inner)))')
    records = list(made.stepper("f").trace(100))
    assert [(record.function, record.name, record.depth) for record in records] == [
        (None, None, 0), (1, "outer", 1), (1, "outer", 1), (0, "inner", 2), (0, "inner", 2), (0, "inner", 2),
        (1, "outer", 1), (1, "outer", 1),
    ]  # fmt: skip
    assert [record.index for record in records] == list(range(1, 9))
    assert records[1].offset is not None
    assert records[-1].offset is None


def test_a_record_is_data() -> None:
    record = steps_of("(drop (i32.add (i32.const 2) (i32.const 3)))")[0]
    assert record.to_json() == {
        "index": 2, "rule": "Step_pure/binop-val", "redex": "(i32.const 2) (i32.const 3) i32.add",
        "result": "(i32.const 5)", "address": f"{SITE}/exec/instructions.html#exec-binop", "function": 0, "name": None,
        "offset": record.offset, "depth": 1, "popped": ("(i32.const 2)", "(i32.const 3)"), "pushed": ("(i32.const 5)",),
        "changes": (),
    }  # fmt: skip
    with pytest.raises(FrozenInstanceError):
        record.rule = "another"  # type: ignore[misc]


def test_terms_are_bounded() -> None:
    params = "(param" + " i64" * 500 + ")"
    body = "(call $g " + "(i64.const 7) " * 500 + ")"
    record = next(r for r in steps_of(body, module=f"(func $g {params})") if r.rule == "Step_read/call_ref-func")
    assert len(str(record)) < 1000
    assert "…" in record.redex
    assert record.redex.endswith("(ref.func 0) (call_ref 0)")


def test_every_rule_has_an_address_that_the_specification_has() -> None:
    published = set(ANCHORS.read_text().split())
    for rule in {*RULE_NAMES, HOST_CALL}:
        page = address(rule).removeprefix(f"{SITE}/")
        assert page in published, rule


def test_it_is_known_what_every_rule_overwrites() -> None:
    changing = {kind for kind in NAMES if changes_state(kind)}
    assert changing == WRITES.keys() | ALLOCATE
    assert not WRITES.keys() & ALLOCATE


def test_exhaustion_is_no_step() -> None:
    made = watched('(module (func $f (export "f") (call $f)))', Limits(max_call_depth=3))
    stepper = made.stepper("f")
    records = list(stepper.trace(100))
    assert len(records) == 6
    assert stepper.outcome is not None
    assert str(stepper.outcome.error).startswith("call stack exhausted in")
