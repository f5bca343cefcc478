"""The stepper: over and out of functions, breakpoints forward and backward, interrupts."""

import threading

import pytest
from step_support import lines, watched

from interp.reference.fill import fill
from interp.reference.stepper import Breakpoint, Reason, Stepper, rules_like

GCD = """(module
  (func $gcd (export "gcd") (param $a i32) (param $b i32) (result i32) (local $t i32)
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $b)))
        (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $t))
        (br $again)))
    (local.get $a))
  (func $inner (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $outer (export "outer") (result i32)
    (i32.mul (call $inner (i32.const 3)) (call $inner (i32.const 4))))
  (memory 1)
  (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 5)) nop)
  (func (export "spin") (loop (br 0))))"""


def gcd(*breakpoints: Breakpoint) -> Stepper:
    stepper = watched(GCD).stepper("gcd", 12, 18)
    stepper.breakpoints.extend(breakpoints)
    return stepper


def rule(pattern: str) -> Breakpoint:
    return Breakpoint(pattern, rules=rules_like(pattern))


def test_steps_end_with_the_values() -> None:
    stepper = gcd()
    records = list(stepper.trace(1000))
    assert lines(records)[-1].endswith("(i32.const 6)) ↪ (i32.const 6)")
    assert stepper.outcome is not None
    assert stepper.outcome.values == ("(i32.const 6)",)
    assert stepper.step() is None
    assert stepper.run(10) is Reason.END


def test_over_takes_a_call_as_one_and_out_returns() -> None:
    stepper = watched(GCD).stepper("outer")
    stepper.step()
    assert stepper.over(1000) is Reason.BREAKPOINT
    record = stepper.last()
    assert record is not None
    assert record.rule == "Step_pure/frame-vals"
    assert record.result == "(i32.const 4)"
    assert stepper.depth == 1
    while stepper.depth == 1:
        stepper.step()
    assert stepper.out(1000) is Reason.BREAKPOINT
    assert stepper.depth == 1
    assert stepper.out(1000) is Reason.BREAKPOINT
    assert stepper.depth == 0
    assert stepper.over(1000) is Reason.END


def test_over_takes_an_instruction_that_reduces_to_many_as_one() -> None:
    stepper = watched(GCD).stepper("fill")
    stepper.step()
    stepper.over(1000)
    record = stepper.last()
    assert record is not None
    assert record.rule == "Step_read/memory.fill-zero"
    assert bytes(stepper.config.store.mems[0].bytes[:6]) == b"\1\1\1\1\1\0"
    stepper.step()
    assert str(stepper.last()) == "nop ↪ ε"


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("Step_pure/binop-val", 3), ("binop-val", 3), ("br_if-*", 4), ("Step_pure/br-*", 5), ("*", None), ("no such", 0)],
)
def test_rules_are_found_by_name_or_pattern(pattern: str, count: int | None) -> None:
    if count == 0:
        assert rules_like(pattern) == frozenset()
        return
    stepper = gcd(rule(pattern))
    every = [record.index for record in gcd().trace(1000) if record.rule in rules_like(pattern)]
    met = []
    while stepper.run(1000) is Reason.BREAKPOINT:
        met.append(stepper.index)
    assert met == every[: len(met)]
    assert count is None or len(every) == count


def test_a_function_is_met_when_it_was_called() -> None:
    made = watched(GCD)
    stepper = made.stepper("outer")
    stepper.breakpoints.append(Breakpoint("inner", funcs=(made.inst.funcs[1],)))
    depths = []
    while stepper.run(1000) is Reason.BREAKPOINT:
        depths.append((stepper.depth, stepper.config.frame.locals))
    assert depths == [(2, [3]), (2, [4])]


def test_a_host_function_is_met_when_it_has_answered() -> None:
    made = watched(
        """(module (import "m" "h" (func $h (result i32))) (import "m" "g" (func $g))
          (func (export "f") (result i32) (call $g) (call $h)))""",
        h=lambda _: lambda: 5,
        g=lambda _: lambda: None,
    )
    stepper = made.stepper("f")
    stepper.breakpoints.append(Breakpoint("h", funcs=(made.inst.funcs[0],)))
    assert stepper.run(100) is Reason.BREAKPOINT
    assert stepper.config.vals == [5]
    assert stepper.reverse() is Reason.START
    assert stepper.run(100) is Reason.BREAKPOINT
    assert stepper.run(100) is Reason.END
    assert made.calls == ["g", "h"]


def offsets(stepper: Stepper, mnemonic: str) -> list[int]:
    """Where instructions stand whose redex ends so."""
    found = {record.offset for record in stepper.trace(1000) if record.redex.endswith(mnemonic)}
    return sorted(offset for offset in found if offset is not None)


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_an_offset_is_met_before_its_instruction_whatever_the_limit(limit: int) -> None:
    (offset,) = offsets(gcd(), "i32.rem_u")
    expected = [record.index - 1 for record in gcd().trace(1000) if record.offset == offset]
    stepper = gcd(Breakpoint("rem", offset=offset))
    met = []
    while (reason := stepper.run(limit)) is not Reason.END:
        if reason is Reason.BREAKPOINT:
            met.append(stepper.index)
    assert met == expected
    assert len(met) == 3
    while stepper.reverse() is Reason.BREAKPOINT:
        assert stepper.index == met.pop()
    assert not met
    assert stepper.index == 0


def test_an_offset_of_a_constant_is_met_too() -> None:
    made = watched(GCD)
    stepper = made.stepper("outer")
    code = made.inst.module.funcs[2].body
    stepper.breakpoints.append(Breakpoint("const", offset=code[0].offset))
    assert stepper.run(1000) is Reason.BREAKPOINT
    assert stepper.index == 1
    assert stepper.run(1000) is Reason.END
    assert stepper.reverse() is Reason.BREAKPOINT
    assert stepper.index == 1


def test_going_back_meets_every_breakpoint_that_going_forward_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interp.reference.history.INTERVAL", 4)
    stepper = gcd(rule("local.set"), rule("testop"))
    met = []
    while stepper.run(1000) is Reason.BREAKPOINT:
        met.append(stepper.index)
    while stepper.reverse() is Reason.BREAKPOINT:
        assert stepper.index == met.pop()
    assert not met
    assert stepper.reverse() is Reason.START


def test_an_interrupt_stops_a_run_that_would_never_end() -> None:
    stepper = watched(GCD).stepper("spin")
    timer = threading.Timer(0.05, stepper.interrupt)
    timer.start()
    assert stepper.run(10**15) is Reason.INTERRUPTED
    timer.join()
    index = stepper.index
    assert index > 0
    assert stepper.back(1) == 1
    assert stepper.step() is not None
    assert stepper.index == index


def test_the_configuration_is_one_nested_term() -> None:
    made = watched(GCD)
    stepper = made.stepper("outer")
    stepper.run(6)
    filled = fill(stepper.config, stepper.describer)
    assert str(filled).splitlines() == [
        "store: funcs 5, mems 1, bytes 65536",
        "(frame_1{locals ε}",
        "  (label_1{ε}",
        "    (frame_1{locals (i32.const 3)}",
        "      (i32.const 4))",
        "    (i32.const 4) (call 1) i32.mul))",
    ]
    contexts = filled.to_json()["contexts"]
    assert [(context["kind"], context["name"]) for context in contexts] == [
        ("top", None), ("frame", "outer"), ("label", "outer"), ("frame", "inner"),
    ]  # fmt: skip


def test_a_configuration_of_many_contexts_is_shown_in_bounded_length() -> None:
    made = watched('(module (func $f (export "f") (param i64) (call $f (i64.add (local.get 0) (i64.const 1)))))')
    stepper = made.stepper("f", 0)
    stepper.run(5000)
    filled = fill(stepper.config, stepper.describer)
    assert len(filled.contexts) > 2000
    assert len(str(filled).splitlines()) < 60
    assert "contexts …" in str(filled)
    assert all(context.more == 0 for context in filled.contexts)
    assert not any("(… " in operand for context in filled.contexts for operand in context.operands)


def test_what_is_left_at_the_end_of_a_trap_is_shown() -> None:
    stepper = watched('(module (func (export "f") unreachable))').stepper("f")
    stepper.run(100)
    assert str(fill(stepper.config, stepper.describer)).endswith("trap")
