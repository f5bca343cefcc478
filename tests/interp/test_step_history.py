"""Going back: whatever was done, each step is the same the second time, and so is everything that can be seen."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_support import Watched, snapshot, watched

from interp.engine import Limits
from interp.errors import Exhaustion, ExhaustionKind, UncaughtException
from interp.reference import history
from interp.reference.stepper import Ending, Reason, Stepper

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


LOOP = """(module (memory 1) (func (export "f") (param $n i32)
  (loop (i32.store (i32.and (i32.mul (local.get $n) (i32.const 256)) (i32.const 0xff00)) (local.get $n))
    (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""


def test_few_checkpoints_are_kept_however_many_steps_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "INTERVAL", 50)
    monkeypatch.setattr(history, "MAX_CHECKPOINTS", 9)
    stepper = watched(LOOP).stepper("f", 3000)
    seen = {}
    while stepper.run(997) is Reason.LIMIT:
        seen[stepper.index] = snapshot(stepper)
        assert len(stepper.history.checkpoints) <= 9
    assert stepper.floor == 0
    for index in sorted(seen, reverse=True):
        stepper.back(stepper.index - index)
        assert snapshot(stepper) == seen[index]


def test_what_costs_too_much_is_forgotten_and_going_back_ends_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "INTERVAL", 100)
    monkeypatch.setattr(history, "MAX_COST", 60_000)
    stepper = watched(LOOP).stepper("f", 60_000)
    stepper.run(50_000)
    assert stepper.history.cost() <= 60_000
    index = stepper.index
    assert 0 < stepper.floor < index
    assert stepper.reverse() is Reason.START
    assert stepper.index == stepper.floor
    assert stepper.back(1) == 0
    stepper.run(index - stepper.index)
    assert stepper.index == index


def test_recorded_answers_of_the_host_are_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "INTERVAL", 10)
    monkeypatch.setattr(history, "MAX_COST", 500_000)
    wat = """(module (import "m" "h" (func $h)) (memory (export "mem") 2)
      (func (export "f") (param i32) (loop (call $h) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    made = watched(wat, h=lambda made: lambda: made.export("mem").write(0, bytes([len(made.calls)]) * 100_000))
    stepper = made.stepper("f", 30)
    assert stepper.run(10_000) is Reason.END
    assert sum(event.cost for event in stepper.history.events) <= 500_000
    before = snapshot(stepper)
    assert 0 < stepper.back(10_000) < stepper.index + 10_000
    stepper.run(10_000)
    assert snapshot(stepper) == before
    assert len(made.calls) == 30


def test_what_the_host_gives_of_the_heap_cannot_be_gone_back_over() -> None:
    wat = """(module (import "m" "h" (func $h (param anyref) (result anyref))) (type $s (struct (field (mut i32))))
      (func (export "f") (result i32)
        (struct.get $s 0 (ref.cast (ref $s) (call $h (struct.new $s (i32.const 7)))))))"""
    stepper = watched(wat, h=lambda _: lambda ref: ref).stepper("f")
    records = list(stepper.trace(100))
    called = next(record.index for record in records if record.rule == "host-call")
    assert stepper.outcome is not None
    assert stepper.outcome.values == ("(i32.const 7)",)
    assert stepper.floor == called
    stepper.back(100)
    assert stepper.index == called
    assert list(stepper.trace(100)) == records[called:]


ENDLESS = """(module (import "m" "h" (func $h)) (memory 1) (func $f (export "f") (param i32)
    (i32.store (i32.const 0) (local.get 0)) (call $f (i32.add (local.get 0) (i32.const 1))))
  (func (export "spin") (loop (br 0))) (func (export "fail") (i32.store (i32.const 0) (i32.const 1)) (call $h))
  (tag $t) (func (export "throw") (throw $t))
  (func (export "trap") (i32.store (i32.const 9) (i32.const 1)) unreachable))
"""


@pytest.mark.parametrize(
    ("limits", "name", "what"),
    [
        (Limits(max_call_depth=20), "f", ExhaustionKind.CALL_STACK),
        (Limits(fuel=1000), "spin", ExhaustionKind.FUEL),
        (Limits(deadline_seconds=0.3), "spin", ExhaustionKind.DEADLINE),
    ],
)
def test_limits_hold_and_one_can_go_back_from_them(limits: Limits, name: str, what: ExhaustionKind) -> None:
    made = watched(ENDLESS, limits, h=lambda _: lambda: None)
    stepper = made.stepper(name, *([0] if name == "f" else []))
    assert stepper.run(10**9) is Reason.END
    outcome, index = stepper.outcome, stepper.index
    assert outcome is not None
    assert outcome.ending is Ending.EXHAUSTION
    assert isinstance(outcome.error, Exhaustion)
    assert outcome.error.what is what
    assert outcome.error.backtrace
    assert stepper.back(30) == 30
    assert stepper.outcome is None
    assert len(list(stepper.trace(100))) == 30
    assert (stepper.index, stepper.outcome) == (index, outcome)


@pytest.mark.parametrize(("name", "ending"), [("trap", Ending.TRAP), ("throw", Ending.EXCEPTION)])
def test_one_can_go_back_from_a_trap_and_from_an_exception(name: str, ending: Ending) -> None:
    stepper = watched(ENDLESS, h=lambda _: lambda: None).stepper(name)
    records = list(stepper.trace(100))
    outcome, end = stepper.outcome, snapshot(stepper)
    assert outcome is not None
    assert outcome.ending is ending
    assert stepper.back(2) == 2
    assert stepper.outcome is None
    assert list(stepper.trace(100)) == records[-2:]
    assert snapshot(stepper) == end
    assert str(stepper.outcome.error) == str(outcome.error)  # type: ignore[union-attr]
    stepper.back(100)
    assert not any(any(mem.bytes) for mem in stepper.config.store.mems)


class HostError(Exception):
    """What the host of this test raises."""


def test_what_a_host_function_raises_ends_the_computation_where_it_was_called() -> None:
    def failing(made: Watched) -> Callable[[], None]:
        def function() -> None:
            made.store.wrap(made.store.inst.mems[0]).write(100, b"half")
            raise HostError("no")

        return function

    made = watched(ENDLESS, h=failing)
    stepper = made.stepper("fail")
    records = list(stepper.trace(100))
    assert stepper.outcome is not None
    assert stepper.outcome.ending is Ending.HOST
    assert isinstance(stepper.outcome.error, HostError)
    assert bytes(made.store.inst.mems[0].bytes[100:104]) == bytes(4)
    assert records[-1].rule == "Step_read/call"
    stepper.back(2)
    assert list(stepper.trace(100)) == records[-2:]
    assert made.calls == ["h"]


def test_an_exception_that_the_host_lets_through_is_thrown_in_the_store() -> None:
    wat = """(module (import "m" "h" (func $h)) (tag $t (param i32)) (func (export "throw") (throw $t (i32.const 5)))
      (func (export "f") (result i32) (block $c (result i32)
        (try_table (catch $t $c) (call $h)) (i32.const 0))))"""
    made = watched(wat, h=lambda made: lambda: made.export("throw")())  # noqa: PLW0108 — there is no export yet
    stepper = made.stepper("f")
    records = list(stepper.trace(100))
    assert stepper.outcome is not None
    assert stepper.outcome.values == ("(i32.const 5)",)
    assert any(record.rule == "Step_read/throw_ref-handler-catch" for record in records)
    with pytest.raises(UncaughtException):
        made.export("throw")()


def test_an_interrupt_in_a_host_function_leaves_the_computation_before_the_call() -> None:
    def interrupted(made: Watched) -> Callable[[], None]:
        def function() -> None:
            if len(made.calls) == 1:
                raise KeyboardInterrupt

        return function

    made = watched(ENDLESS, h=interrupted)
    stepper = made.stepper("fail")
    with pytest.raises(KeyboardInterrupt):
        stepper.run(100)
    assert stepper.outcome is None
    before = stepper.index
    assert stepper.run(100) is Reason.END
    assert stepper.index > before
    assert made.calls == ["h", "h"]


def test_the_store_can_be_used_afterwards_and_counts_anew() -> None:
    made = watched(MODULE.replace("BODY", SNIPPETS[13]), Limits(fuel=50), **HOSTS)
    stepper = made.stepper("f", 1)
    stepper.run(1000)
    meter = made.store.inst.meter
    assert (meter.depth, meter.slots, meter.reentry) == (0, 0, 0)
    assert made.export("f")(1) == 1
    assert made.store.inst.globals[1].value.addr == 1


def test_what_is_kept_to_go_back_does_not_exhaust_the_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "INTERVAL", 8)
    monkeypatch.setattr(history, "STEPS_PER_CELL", 0)
    wat = """(module (type $a (array (mut i8))) (global $last (mut (ref null $a)) (ref.null $a))
      (func (export "f") (param i32) (loop (global.set $last (array.new_fixed $a 10 ELEMENTS))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    made = watched(wat.replace("ELEMENTS", "(i32.const 1) " * 10), Limits(max_heap_fields=100))
    stepper = made.stepper("f", 100)
    assert stepper.run(10_000) is Reason.END
    assert stepper.outcome is not None
    assert stepper.outcome.ending is Ending.VALUES
    assert stepper.floor > 0
    assert stepper.back(5) == 5
