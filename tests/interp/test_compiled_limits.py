"""Limits of the compiled engine: fuel runs out at the very place where it does on the reference machine, whatever the
code looks like in Python; deadlines end whatever goes on; nested calls are counted exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from compiled_support import assert_same, compiled, exports_of, outcome, store_of

from interp.engine import Limits
from interp.errors import Exhaustion, ExhaustionKind
from interp.syntax.types import FuncType

NOTHING = FuncType((), ())
STEP = "(global.set $g (i32.add (i32.mul (global.get $g) (i32.const 3)) (i32.const {})))"
SPENT = '(module (global $g (export "g") (mut i32) (i32.const 1)) (tag $e) (type $v (func)) {} )'

DEEP_LOOPS = "".join([f"(loop {STEP.format(k)} " for k in range(25)])
DEEP_LOOPS += "(local.set 0 (i32.add (local.get 0) (i32.const 1)))"
DEEP_LOOPS += "".join(
    [
        f"(br_if {7 * k % (25 - k)} (i32.eq (i32.rem_u (local.get 0) (i32.const {k + 5})) (i32.const 2))))"
        for k in range(25)
    ]
)

BODIES = {
    "a loop": f"(loop {STEP.format(1)} (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))"
    " (i32.const 30))))",
    "a counted loop": f"(loop {STEP.format(1)} (local.set 0 (i32.add (local.get 0) (i32.const 1)))"
    " (br_if 0 (i32.ne (local.get 0) (i32.const 30))))",
    "a while loop": f"(block (loop (br_if 1 (i32.ge_u (local.get 0) (i32.const 20))) {STEP.format(2)}"
    " (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))",
    "loops in loops": f"(loop (local.set 1 (i32.const 0)) (loop {STEP.format(1)}"
    " (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 5))))"
    f" {STEP.format(2)} (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 6))))",
    "loops that are not repeated": f"(loop {STEP.format(1)} (loop {STEP.format(2)})) (loop (br_if 0 (i32.const 0)))"
    f" (loop {STEP.format(3)})",
    "a loop with two branches back": f"(loop {STEP.format(1)} (local.set 0 (i32.add (local.get 0) (i32.const 1)))"
    f" (br_if 0 (i32.and (local.get 0) (i32.const 1))) {STEP.format(2)}"
    " (br_if 0 (i32.lt_u (local.get 0) (i32.const 20))))",
    "branches to an outer loop": f"(loop {STEP.format(1)} (loop {STEP.format(2)}"
    " (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 1 (i32.eq (i32.and (local.get 0) (i32.const 3))"
    " (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 20)))))",
    "a table": f"(block $out (loop $l (block $a (block $b {STEP.format(1)}"
    " (local.set 0 (i32.add (local.get 0) (i32.const 1)))"
    " (br_if $out (i32.gt_u (local.get 0) (i32.const 30)))"
    f" (br_table $l $a $b (i32.rem_u (local.get 0) (i32.const 3)))) {STEP.format(2)}) (br_if $l (i32.const 1))))",
    "a state machine": DEEP_LOOPS,
    "calls": f"{'(call $f)' * 5} (loop (call $f) (call $g) (br_if 0 (i32.lt_u"
    " (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 5))))",
    "recursion": "(call $down (i32.const 12))",
    "recursion through a table": "(call $indirect (i32.const 6))",
    "tail calls": "(call $tail (i32.const 12))",
    "handlers": f"(loop (block (try_table (catch_all 0) {STEP.format(1)} (call $throw (local.get 0)) {STEP.format(2)}))"
    f" {STEP.format(3)} (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))))",
    "branches out of handlers": "(loop $l (block $b (try_table (catch_all $b) (br_if $l (i32.lt_u"
    f" (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))) (throw $e)))  {STEP.format(3)})",
}
FUNCTIONS = f"""
  (table funcref (elem $f $g)) (table $t 1 funcref) (elem (table $t) (i32.const 0) func $indirect)
  (type $p (func (param i32)))
  (func $f {STEP.format(5)}) (func $g {STEP.format(6)} (call $f) (call_indirect (type $v) (i32.const 0)))
  (func $down (param i32) {STEP.format(7)} (if (local.get 0) (then
    (call $down (i32.sub (local.get 0) (i32.const 1))) {STEP.format(8)})))
  (func $indirect (param i32) {STEP.format(9)} (if (local.get 0) (then
    (call_indirect $t (type $p) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)) (call $f))))
  (func $tail (param i32) {STEP.format(4)} (if (local.get 0) (then
    (return_call $tail (i32.sub (local.get 0) (i32.const 1))))))
  (func $throw (param i32) (if (i32.and (local.get 0) (i32.const 1)) (then (throw $e))))"""
EXPORTS = [f'(func (export "{name}") (local i32 i32) {body} {STEP.format(0)})' for name, body in BODIES.items()]
TEXT = SPENT.format(" ".join([FUNCTIONS, *EXPORTS]))


def spent(exports: Any, name: str) -> tuple[Any, int]:
    """How a call ends, and how far it came."""
    exports["g"].value = 1
    return outcome(exports[name]), exports["g"].value


@pytest.mark.parametrize("name", BODIES)
def test_fuel_runs_out_at_the_same_place(name: str) -> None:
    """With every amount of fuel up to what is enough."""
    fuel, found = -1, (None, 0)
    while found[0] != ():
        fuel += 1
        found, ours = (spent(exports_of(engine, TEXT, Limits(fuel=fuel)), name) for engine in ("reference", "compiled"))
        assert ours == found, fuel
        assert fuel < 300
        assert fuel or found == (ExhaustionKind.FUEL, 1)


@pytest.mark.parametrize("name", BODIES)
def test_limits_change_nothing_else(name: str) -> None:
    wanted = spent(exports_of("reference", TEXT), name)
    for limits in (Limits(), Limits(fuel=5000), Limits(deadline_seconds=1000), Limits(max_call_depth=40)):
        assert spent(exports_of("compiled", TEXT, limits), name) == wanted
    assert (
        spent(exports_of("compiled", TEXT, Limits(fuel=999, deadline_seconds=1000, max_call_depth=40)), name) == wanted
    )


def test_fuel_is_there_anew_for_each_call_and_is_counted_in_slices() -> None:
    """Between slices of ticks the clock is read."""
    text = SPENT.format(
        f'(func (export "run") (param i32) (loop {STEP.format(1)}'
        " (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
    )
    for fuel in (499, 500, 501, 999, 1000, 1001, 1500):
        assert_same(text, [("run", n) for n in (498, 499, 500, 501, 998, 999, 1000, 1001, 1, 1500)], Limits(fuel=fuel))


# ---- Errors that a host function catches.

HOSTED = SPENT.replace("(module", '(module (import "h" "f" (func $h))').format(f"""
  (func $spin (export "spin") (loop {STEP.format(1)} (br 0)))
  (func $deep (export "deep") {STEP.format(1)} (call $deep))
  (func (export "count") (local i32) (loop {STEP.format(2)}
    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9)))))
  (func (export "throw") (throw $e))
  (func (export "nothing"))
  (func $once (export "once") (call $h) {STEP.format(3)})
  (func (export "enter") (call $h) (loop {STEP.format(4)}) {STEP.format(5)})
  (func (export "go on") (local i32) (call $h) (loop {STEP.format(6)}
    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3)))))
  (func (export "call") (call $h) (call $once) {STEP.format(7)})
  (func (export "often") (local i32) (loop (call $h) {STEP.format(8)}
    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 5)))))
  (func (export "caught") (block (try_table (catch_all 0) (call $h))) (loop {STEP.format(9)}
    (br_if 0 (i32.lt_u (global.get $g) (i32.const 100)))))""")


def hosted(engine: str, limits: Limits, act: Callable[[Any, Any], None]) -> Any:
    """An instance whose import does something with the store and the exports."""
    store, found = store_of(engine, limits), {}
    host = store.func_alloc(NOTHING, lambda: act(store, found))
    found |= store.instantiate(compiled(engine, HOSTED), [host]).exports
    return found


def swallowing(name: str) -> Callable[[Any, Any], None]:
    """Calls an export, and lets nobody know how it ended."""

    def act(_: Any, exports: Any) -> None:
        with pytest.raises(Exhaustion):
            exports[name]()

    return act


def counting(_: Any, exports: Any) -> None:
    """Uses some of the fuel."""
    exports["count"]()


def instantiating(store: Any, exports: Any) -> None:
    """Makes an instance, whose start function uses fuel."""
    text = "(module (func $f (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
    text += " (func $s (call $f (i32.const 4))) (start $s))"
    engine = "compiled" if "Compiled" in type(store.runner).__name__ else "reference"
    store.instantiate(compiled(engine, text), [])


@pytest.mark.parametrize("fuel", [0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 20, 30, 31, 32, 33, 45, 60, 499, 500, 510, 520])
def test_fuel_with_a_host_in_between(fuel: int) -> None:
    for act in (counting, instantiating, *map(swallowing, ("spin", "deep"))):
        for depth in (6, 100):
            limits = Limits(fuel=fuel, max_call_depth=depth)
            reference, ours = (hosted(engine, limits, act) for engine in ("reference", "compiled"))
            for name in ("once", "enter", "go on", "call", "often", "caught", "nothing"):
                assert spent(ours, name) == spent(reference, name), (act, depth, name)


def test_fuel_and_depth_used_up_by_the_same_call() -> None:
    text = SPENT.format(f'(func $f (export "f") {STEP.format(1)} (call $f))')
    for fuel in range(10):
        for depth in range(1, 8):
            limits = Limits(fuel=fuel, max_call_depth=depth)
            reference, ours = (exports_of(engine, text, limits) for engine in ("reference", "compiled"))
            assert spent(ours, "f") == spent(reference, "f"), limits


# ---- Deadlines.

ENDLESS = """(module (tag $e) (type $v (func)) (table funcref (elem $tail)) (memory 1)
  (func (export "loop") (loop (br 0)))
  (func (export "loops") (local i32) (loop (loop (br_if 0 (i32.and (local.tee 0 (i32.add (local.get 0) (i32.const 1)))
    (i32.const 7)))) (br 0)))
  (func (export "counted loop") (local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (br_if 0 (i32.ne (local.get 0) (i32.const -2)))))
  (func $tail (export "tail") (return_call $tail))
  (func (export "indirect") (return_call_indirect (type $v) (i32.const 0)))
  (func $f (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.add (call $f (i32.sub (local.get 0)
    (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 1))))
  (func (export "recursion") (drop (call $f (i32.const 60))))
  (func (export "handlers") (loop (block (try_table (catch_all 0) (throw $e))) (br 0)))
  (func (export "handler around a loop") (try_table (catch_all 0) (loop (br 0))))
  (func (export "fill") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)))
  (func (export "table") (loop $l (br_table $l $l $l (i32.const 1)))))"""
NAMES = (
    "loop",
    "loops",
    "counted loop",
    "tail",
    "indirect",
    "recursion",
    "handlers",
    "handler around a loop",
    "fill",
    "table",
)


@pytest.mark.parametrize("name", NAMES)
def test_deadlines_end_what_is_endless(name: str) -> None:
    exports = exports_of("compiled", ENDLESS, Limits(deadline_seconds=0.03))
    for _ in range(2):
        assert outcome(exports[name]) is ExhaustionKind.DEADLINE


def test_a_deadline_ends_a_state_machine() -> None:
    text = f'(module (func (export "f") (local i32) {"(loop " * 30} (br 29) {")" * 30}))'
    assert outcome(exports_of("compiled", text, Limits(deadline_seconds=0.03))["f"]) is ExhaustionKind.DEADLINE


def test_a_deadline_holds_in_whatever_a_host_function_calls() -> None:
    found = hosted("compiled", Limits(deadline_seconds=0.03), swallowing("spin"))
    assert outcome(found["often"]) is ExhaustionKind.DEADLINE
    assert outcome(found["nothing"]) == ()


# ---- Nested calls.

NESTED = """(module (type $p (func (param i32) (result i32))) (import "h" "f" (func $h (type $p)))
  (table funcref (elem $indirect)) (elem declare func $ref) (tag $e)
  (func $f (export "call") (type $p) (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
  (func $indirect (export "indirect") (type $p) (if (result i32) (local.get 0) (then (i32.add (i32.const 1)
    (call_indirect (type $p) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))) (else (i32.const 0))))
  (func $ref (export "ref") (type $p) (if (result i32) (local.get 0) (then (i32.add (i32.const 1)
    (call_ref $p (i32.sub (local.get 0) (i32.const 1)) (ref.func $ref)))) (else (i32.const 0))))
  (func $tail (type $p) (return_call $mixed (local.get 0)))
  (func $mixed (export "mixed") (type $p) (if (result i32) (local.get 0) (then (i32.add (i32.const 1)
    (call $tail (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
  (func (export "host") (type $p) (if (result i32) (local.get 0) (then (i32.add (i32.const 1)
    (call $h (i32.sub (local.get 0) (i32.const 1))))) (else (call $f (i32.const 3)))))
  (func $catching (export "catching") (type $p) (if (result i32) (local.get 0) (then
    (block $h (try_table (catch_all $h) (drop (call $catching (i32.sub (local.get 0) (i32.const 1)))) (throw $e)))
    (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (throw $e)))))"""


def nested(engine: str, limits: Limits) -> Any:
    """An instance that calls itself by way of the host, too."""
    store, found = store_of(engine, limits), {}
    module = compiled(engine, NESTED)

    def again(n: int) -> Any:
        return found["host"](n)

    host = store.func_alloc(module.imports[0].type, again)
    found |= store.instantiate(module, [host]).exports
    return found


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 8, 13, 30, 150])
def test_calls_are_counted_exactly(depth: int) -> None:
    reference, ours = (nested(engine, Limits(max_call_depth=depth)) for engine in ("reference", "compiled"))
    for name in ("call", "indirect", "ref", "mixed", "host", "catching", "call"):
        for n in {0, 1, 2, depth // 2, depth - 2, depth - 1, depth, depth + 1, 3 * depth} - {-1}:
            if name != "host" or n < 12:
                assert outcome(ours[name], n) == outcome(reference[name], n), (name, n)


def test_usual_limit() -> None:
    """That of 10,000 calls is Python's own, which is exact to some frames."""
    exports = nested("compiled", Limits())
    for name in ("call", "indirect", "ref", "call"):
        assert outcome(exports[name], 9_500) == (9_500,)
        assert outcome(exports[name], 11_000) is ExhaustionKind.CALL_STACK
        assert outcome(exports[name], 9_500) == (9_500,)


def test_depth_is_right_again_after_errors_of_the_host() -> None:
    store, found = store_of("compiled", Limits(max_call_depth=20)), {}
    module = compiled("compiled", NESTED)

    def interrupted(n: int) -> int:
        raise KeyboardInterrupt(n)

    found |= store.instantiate(module, [store.func_alloc(module.imports[0].type, interrupted)]).exports
    for _ in range(30):
        with pytest.raises(KeyboardInterrupt):
            found["host"](3)
    assert outcome(found["call"], 19) == (19,)
    assert outcome(found["call"], 20) is ExhaustionKind.CALL_STACK


def test_what_is_dropped_is_gone_at_once() -> None:
    dropped = "(drop (array.new_default $a (i32.const 900)))" * 5
    text = f'(module (type $a (array i8)) (func (export "f") (result i32) {dropped} (i32.const 7)))'
    for engine in ("reference", "compiled"):
        assert outcome(exports_of(engine, text, Limits(max_heap_fields=1000))["f"]) == (7,)


@pytest.mark.parametrize("limits", [Limits(fuel=5), Limits(deadline_seconds=0.05)], ids=["fuel", "deadline"])
def test_a_limit_that_ends_a_loop_says_which(limits: Limits) -> None:
    """The function is entered, then turns of the loop take fuel, which all end at the same place."""
    text = """(module (memory 1) (func (export "f")
      (loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (br 0))))"""
    found = []
    for engine in ("reference", "compiled"):
        with pytest.raises(Exhaustion) as caught:
            exports_of(engine, text, limits)["f"]()
        found.append(caught.value.backtrace)
    assert found[0] == found[1]
    assert found[0][0].offset is not None


@pytest.mark.parametrize(
    "body",
    [
        "(call $f (local.get 0))",
        "(return_call $f (local.get 0))",
        "(return (i32.add (call $f (local.get 0)) (call $f (local.get 0))))",
        "(call_indirect (type $t) (local.get 0) (i32.const 0))",
        "(loop (result i32) (br 0))",
        "(loop (result i32) (drop (call $leaf (local.get 0))) (br 0))",
        "(if (result i32) (i32.eqz (local.get 0)) (then (call $f (local.get 0))) (else (i32.const 1)))",
        "(block (br_if 0 (i32.eqz (local.get 0))) (return (i32.const 1))) (call $f (local.get 0))",
        "(block $e (return (try_table (result i32) (catch_all $e) (call $f (local.get 0))))) (i32.const 1)",
    ],
)
def test_a_deadline_ends_calls_and_loops_without_end(body: str) -> None:
    text = f"""(module (type $t (func (param i32) (result i32))) (table funcref (elem $f))
      (func $leaf (type $t) (local.get 0))
      (func $f (export "f") (type $t) {body}))"""
    for options in ({}, {"fuel": True}):
        store = store_of("compiled", Limits(deadline_seconds=0.05, max_call_depth=20_000), **options)
        instance = store.instantiate(compiled("compiled", text), [])
        func: Any = instance.exports["f"]
        with pytest.raises(Exhaustion) as caught:
            func(0)
        # Python may have no room for so many frames before the time is over.
        assert caught.value.what in (ExhaustionKind.DEADLINE, ExhaustionKind.CALL_STACK)


def test_a_deadline_ends_what_calls_ever_more_often() -> None:
    text = """(module (func $f (export "f") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1)))
          (call $f (i32.sub (local.get 0) (i32.const 1))))))))"""
    with pytest.raises(Exhaustion) as caught:
        exports_of("compiled", text, Limits(deadline_seconds=0.1))["f"](200)
    assert caught.value.what is ExhaustionKind.DEADLINE
