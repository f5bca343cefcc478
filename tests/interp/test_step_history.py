"""Going back: whatever was done, each step is the same the second time, and so is everything that can be seen."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_support import Watched, snapshot, watched

from interp.engine import Limits
from interp.reference import history
from interp.reference.stepper import Stepper

MODULE = """(module
  (import "m" "host" (func $host (param i32) (result i32)))
  (import "m" "visit" (func $visit (param i64)))
  (type $s (struct (field (mut i32)) (field (mut (ref null $s))))) (type $a (array (mut i16)))
  (tag $t (param i32 f64))
  (memory (export "mem") 1 4) (table $tab (export "tab") 4 20 funcref) (elem $e (table $tab) (i32.const 1) func $leaf)
  (elem $p func $leaf $fib) (data $d "some bytes")
  (global $n (export "n") (mut i64) (i64.const 5)) (global $r (mut (ref null $s)) (ref.null $s))
  (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $count (export "count") (param i64) (global.set $n (i64.add (global.get $n) (local.get 0)))
    (i64.store (i32.const 32) (global.get $n)) (drop (struct.new_default $s)))
  (func $tail (param i32) (result i32)
    (if (result i32) (local.get 0) (then (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 3))))
  (func (export "f") (param $x i32) (result i32) (local $i i32) (local $s (ref null $s)) BODY (local.get $x)))"""

SNIPPETS = (
    "(local.set $x (i32.mul (local.get $x) (i32.const 7)))",
    "(local.set $x (call $fib (i32.and (local.get $x) (i32.const 3))))",
    "(i32.store (i32.and (local.get $x) (i32.const 0xfff)) (local.get $x))",
    "(local.set $x (i32.load8_u (i32.const 33)))",
    "(global.set $n (i64.mul (global.get $n) (i64.const 3)))",
    "(local.set $i (i32.const 3)) (loop (local.set $x (i32.add (local.get $x) (local.get $i)))"
    " (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))",
    "(memory.fill (i32.const 20) (local.get $x) (i32.const 3))",
    "(memory.copy (i32.const 21) (i32.const 20) (i32.const 4))",
    "(memory.init $d (i32.const 40) (i32.const 1) (i32.const 3)) (data.drop $d)",
    "(drop (memory.grow (i32.const 1))) (i32.store8 (i32.const 65540) (local.get $x))",
    "(table.set (i32.const 0) (ref.func $leaf)) (local.set $x (call_indirect (param i32) (result i32)"
    " (local.get $x) (i32.const 0)))",
    "(drop (table.grow $tab (ref.func $fib) (i32.const 2)))",
    "(table.init $tab $p (i32.const 2) (i32.const 0) (i32.const 2)) (elem.drop $p)",
    "(local.set $s (struct.new $s (local.get $x) (global.get $r))) (global.set $r (local.get $s))",
    "(if (ref.is_null (global.get $r)) (then) (else (struct.set $s 0 (global.get $r) (i32.const 99))))",
    "(local.set $x (array.get_s $a (array.new $a (local.get $x) (i32.const 3)) (i32.const 1)))",
    "(block $h (result i32 f64) (try_table (catch $t $h) (f32.const 1) (throw $t (local.get $x) (f64.const -0)))"
    " (unreachable)) (drop) (local.set $x)",
    "(local.set $x (call $host (local.get $x)))",
    "(call $visit (i64.extend_i32_s (local.get $x)))",
    "(local.set $x (call $tail (i32.const 3)))",
    "(block (block (f32.const 1) (br_table 0 1 (local.get $x))) )",
    "(drop (i8x16.splat (local.get $x)))",
    "(local.set $x (i32.div_u (i32.const 100) (local.get $x)))",
    "(local.set $x (i32.load (local.get $x)))",
    "(if (i32.eq (local.get $x) (i32.const 13)) (then (throw $t (local.get $x) (f64.const 1))))",
)

HOSTS: dict[str, Callable[[Watched], Callable[..., Any]]] = {}


def host(made: Watched) -> Callable[[int], int]:
    """Changes everything that a host can change; what it answers depends on how often it was called."""

    def function(x: int) -> int:
        made.export("mem").write(10, bytes([len(made.calls)]) * 5)
        made.export("tab").grow(1, None)
        made.export("tab").set(1, None)
        made.export("n").value = x
        made.export("mem").grow(1)
        return x + len(made.calls)

    return function


def visit(made: Watched) -> Callable[[int], None]:
    """Calls into the store again."""

    def function(x: int) -> None:
        made.export("count")(x)
        made.export("count")(2)

    return function


HOSTS = {"host": host, "visit": visit}

PROGRAMS = st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=6).map("\n".join)
MOVES = st.lists(st.tuples(st.booleans(), st.integers(0, 60)), min_size=1, max_size=8)


def start(body: str, x: int, limits: Limits = Limits()) -> tuple[Stepper, Watched]:  # noqa: B008
    made = watched(MODULE.replace("BODY", body), limits, **HOSTS)
    return made.stepper("f", x), made


@settings(max_examples=30, deadline=None)
@given(PROGRAMS, st.integers(0, 70000), MOVES, st.sampled_from([1, 7, 2000]))
def test_every_step_is_the_same_again(body: str, x: int, moves: list[tuple[bool, int]], interval: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "INTERVAL", interval)
        patch.setattr(history, "STEPS_PER_CELL", 0)
        stepper, made = start(body, x)
        seen = [snapshot(stepper)]
        records = []
        while (record := stepper.step()) is not None:
            records.append(record)
            seen.append(snapshot(stepper))
        seen[-1] = snapshot(stepper)
        calls = list(made.calls)
        for forward, count in [*moves, (False, 10_000), (True, 10_000)]:
            index = stepper.index
            if forward and count % 2:
                assert list(stepper.trace(count)) == records[index : index + count]
            elif forward:
                stepper.run(count)
            else:
                assert stepper.back(count) == min(count, index)
            assert snapshot(stepper) == seen[stepper.index]
        assert stepper.index == len(records)
        assert made.calls == calls
        assert stepper.floor == 0
