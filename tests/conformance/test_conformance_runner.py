"""Commands are run on real engines: what holds passes, what does not hold fails, what is not checked never passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.record import Totals
from conformance.report import totals
from conformance.runner import ANY_REJECTION, CommandResult, Outcome, RunOptions, ScriptRun
from conformance.script import AssertReturn, AssertTrap, Invoke, Script, Value, load_script
from interp.engine import ENGINES, Engine, EngineUnavailable, load_engine

Run = Callable[..., list[CommandResult]]

SETUP = r"""
(module $M
  (import "spectest" "print_i32" (func (param i32)))
  (global (export "g") i32 (i32.const 666))
  (memory (export "m") 1)
  (table (export "t") 2 funcref)
  (func (export "id32") (param i32) (result i32) (local.get 0))
  (func (export "idf32") (param f32) (result f32) (local.get 0))
  (func (export "idf64") (param f64) (result f64) (local.get 0))
  (func (export "idref") (param externref) (result externref) (local.get 0))
  (func $self (export "self") (result funcref) (ref.func $self))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const -2))
  (func (export "print") (call 0 (i32.const 1)))
  (func (export "div") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "uninit") (call_indirect (i32.const 0)))
  (func $deep (export "deep") (call $deep))
)
(register "M")
"""

HOLDS = r"""
(invoke "print")
(assert_return (invoke "print"))
(assert_return (invoke "id32" (i32.const -1)) (i32.const 0xffffffff))
(assert_return (invoke "idf32" (f32.const nan:0x200000)) (f32.const nan:0x200000))
(assert_return (invoke "idf32" (f32.const nan)) (f32.const nan:canonical))
(assert_return (invoke "idf64" (f64.const -0)) (f64.const -0))
(assert_return (invoke "idf64" (f64.const nan:0xc000000000000)) (f64.const nan:arithmetic))
(assert_return (invoke "idref" (ref.extern 0)) (ref.extern 0))
(assert_return (invoke "idref" (ref.null extern)) (ref.null extern))
(assert_return (invoke "self") (ref.func))
(assert_return (invoke "two") (i32.const 1) (i64.const -2))
(assert_return (get "g") (i32.const 666))
(assert_return (invoke "id32" (i32.const 2)) (either (i32.const 1) (i32.const 2)))
(assert_trap (invoke "div" (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "uninit") "uninitialized element 0")
(assert_exhaustion (invoke "deep") "call stack exhausted")
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed (module binary "\00asm\01\00\00") "unexpected end")
(assert_unlinkable (module (import "M" "none" (func))) "unknown import")
(assert_unlinkable (module (import "none" "none" (func))) "unknown import")
(assert_unlinkable (module (import "M" "g" (func))) "incompatible import type")
(assert_trap (module (func unreachable) (start 0)) "unreachable")
(module definition $D (global (export "g") (mut i32) (i32.const 1)))
(module instance $I $D)
(assert_return (get $I "g") (i32.const 1))
(assert_return (get $M "g") (i32.const 666))
(module (import "M" "id32" (func (param i32) (result i32))) (import "M" "m" (memory 1)) (export "again" (func 0)))
(assert_return (invoke "again" (i32.const 3)) (i32.const 3))
(module (import "spectest" "global_f32" (global f32)) (export "g" (global 0)))
(assert_return (get "g") (f32.const 666.6))
(module (import "spectest" "memory" (memory 1 2)) (import "spectest" "table" (table 10 20 funcref)))
"""

SPECTEST = r"""
(module
  (import "spectest" "print" (func))
  (import "spectest" "print_i64" (func (param i64)))
  (import "spectest" "print_f32" (func (param f32)))
  (import "spectest" "print_f64" (func (param f64)))
  (import "spectest" "print_i32_f32" (func (param i32 f32)))
  (import "spectest" "print_f64_f64" (func (param f64 f64)))
  (import "spectest" "global_i32" (global $i32 i32))
  (import "spectest" "global_i64" (global $i64 i64))
  (import "spectest" "global_f32" (global $f32 f32))
  (import "spectest" "global_f64" (global $f64 f64))
  (func (export "print")
    (call 0) (call 1 (i64.const 1)) (call 2 (f32.const 1)) (call 3 (f64.const 1))
    (call 4 (i32.const 1) (f32.const 1)) (call 5 (f64.const 1) (f64.const 1)))
  (func (export "all") (result i32 i64 f32 f64)
    (global.get $i32) (global.get $i64) (global.get $f32) (global.get $f64))
)
(invoke "print")
(assert_return (invoke "all") (i32.const 666) (i64.const 666) (f32.const 666.6) (f64.const 666.6))
(assert_unlinkable (module (import "spectest" "print_i32" (func (param i64)))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "global_i32" (global (mut i32)))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "table" (table 11 funcref))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "memory" (memory 1 1))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "print_i16" (func))) "unknown import")
"""

DOES_NOT_HOLD = r"""
(invoke "div" (i32.const 0))
(invoke "none")
(invoke "g")
(assert_return (get "two") (i32.const 1))
(assert_return (invoke "print") (i32.const 0))
(assert_return (invoke "id32" (i32.const 1)))
(assert_return (invoke "id32" (i32.const 1)) (i32.const 2))
(assert_return (invoke "id32" (i32.const 1)) (i64.const 1) (i64.const 1))
(assert_return (invoke "id32" (i32.const 1)) (f64.const 1))
(assert_return (invoke "id32" (i32.const 1)) (i64.const 1))
(assert_return (invoke "idf32" (f32.const 1)) (f64.const 1))
(assert_return (invoke "idref" (ref.null extern)) (ref.null func))
(assert_return (invoke "idref" (ref.extern 0)) (ref.host 0))
(assert_return (invoke "idref" (ref.extern 0)) (ref.func))
(assert_return (invoke "self") (ref.extern))
(assert_return (invoke "id32" (i32.const 0)) (ref.null))
(assert_return (invoke "idf32" (f32.const nan:0x200000)) (f32.const nan:canonical))
(assert_return (invoke "idf32" (f32.const nan:0x200000)) (f32.const nan:arithmetic))
(assert_return (invoke "idf32" (f32.const 1)) (f32.const nan:canonical))
(assert_return (invoke "idf64" (f64.const -0)) (f64.const 0))
(assert_return (invoke "idref" (ref.extern 0)) (ref.extern 1))
(assert_return (invoke "idref" (ref.extern 0)) (ref.null extern))
(assert_return (invoke "idref" (ref.null extern)) (ref.extern 0))
(assert_return (invoke "two") (i32.const 1) (i64.const 2))
(assert_return (invoke "id32" (i32.const 3)) (either (i32.const 1) (i32.const 2)))
(assert_return (invoke "div" (i32.const 0)) (i32.const 0))
(assert_trap (invoke "div" (i32.const 1)) "integer divide by zero")
(assert_trap (invoke "div" (i32.const 0)) "integer overflow")
(assert_trap (invoke "deep") "call stack exhausted")
(assert_exhaustion (invoke "div" (i32.const 0)) "integer divide by zero")
(assert_exhaustion (invoke "div" (i32.const 1)) "call stack exhausted")
(assert_exception (invoke "div" (i32.const 0)))
(assert_exception (invoke "div" (i32.const 1)))
(assert_invalid (module) "type mismatch")
(assert_malformed (module binary "\00asm\01\00\00\00") "unexpected end")
(assert_unlinkable (module) "unknown import")
(assert_unlinkable (module (import "M" "g" (func))) "unknown import")
(assert_unlinkable (module (import "M" "none" (func))) "incompatible import type")
(assert_unlinkable (module (func unreachable) (start 0)) "incompatible import type")
(assert_trap (module (func) (start 0)) "unreachable")
(assert_trap (module (func unreachable) (start 0)) "integer overflow")
(assert_return (invoke $none "id32" (i32.const 1)) (i32.const 1))
(register "x" $none)
(module instance $J $none)
(module (import "none" "none" (func)))
(assert_return (invoke "id32" (i32.const 1)) (i32.const 1))
(assert_trap (invoke "id32" (i32.const 1)) "unreachable")
(register "failed")
(module (import "failed" "x" (func)))
(assert_unlinkable (module (import "failed" "x" (func))) "unknown import")
"""

UNCHECKED = r"""
(assert_malformed (module quote "(func") "unexpected")
(assert_invalid (module quote "(func (result i32))") "type mismatch")
(module quote "(func (export \"f\") (result i32) (i32.const 3))")
"""


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return load_engine(request.param)
    except EngineUnavailable as error:
        pytest.skip(str(error))


def run_on(engine: Engine, path: Path, text: str, **options: Any) -> list[CommandResult]:
    """Run a script; lines count from 1 at the first line of `text` after its leading line break."""
    path.write_text(text.lstrip("\n"))
    strict = options.pop("strict_phase", engine.name not in ANY_REJECTION)
    return list(ScriptRun(engine, load_script(path), RunOptions(strict_phase=strict, **options)).results())


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    return lambda text, **options: run_on(engine, tmp_path / "a.wast", text, **options)


def after_setup(results: Sequence[CommandResult]) -> list[CommandResult]:
    assert [result.outcome for result in results[:2]] == [Outcome.PASSED] * 2, results[:2]
    return list(results[2:])


def test_what_holds_passes(run: Run) -> None:
    results = after_setup(run(SETUP + HOLDS))
    assert [r for r in results if r.outcome is not Outcome.PASSED or not r.executed] == []
    assert len(results) == len(HOLDS.strip().splitlines())


def test_the_host_module(run: Run) -> None:
    results = run(SPECTEST)
    assert [r for r in results if r.outcome is not Outcome.PASSED or not r.executed] == []
    assert len(results) == 8


def test_what_does_not_hold_fails(run: Run) -> None:
    results = after_setup(run(SETUP + DOES_NOT_HOLD))
    assert [r for r in results if r.outcome is not Outcome.FAILED] == []
    assert len(results) == len(DOES_NOT_HOLD.strip().splitlines())
    assert all(r.reason for r in results)


def test_commands_after_a_failed_module_fail_without_being_executed(run: Run) -> None:
    text = '(module (import "no" "no" (func)))\n(assert_return (invoke "f"))\n(register "x")\n'
    text += '(module (import "x" "f" (func)))'
    results = run(text)
    assert [(r.outcome, r.executed) for r in results] == [
        (Outcome.FAILED, True),
        (Outcome.FAILED, False),
        (Outcome.FAILED, False),
        (Outcome.FAILED, False),
    ]
    assert results[1].reason == "its module at line 1 failed"


def test_text_modules_are_counted_apart_and_serve_the_commands_after_them(run: Run) -> None:
    results = run(UNCHECKED + '(assert_return (invoke "f") (i32.const 3))\n(assert_return (invoke "f") (i32.const 4))')
    assert [r.outcome for r in results] == [Outcome.TEXT] * 3 + [Outcome.PASSED, Outcome.FAILED]
    assert totals(results) == Totals(executed=2, passed=1, failed=1, skipped=0, text=3)


def test_a_text_module_that_fails_is_no_text(run: Run) -> None:
    (result,) = run(r'(module quote "(func unreachable) (start 0)")')
    assert (result.outcome, result.executed) == (Outcome.FAILED, True)


def test_beyond_the_features(run: Run) -> None:
    text = r"""
(module $A (table (export "t") 1 (ref func) (ref.func 0)) (func (export "f")))
(assert_return (invoke "f"))
(register "A")
(module (import "A" "f" (func)))
(assert_return (invoke "g"))
(assert_invalid (module (type (struct)) (func (result i32) (struct.new 0))) "type mismatch")
(module (func (export "f")))
(assert_return (invoke "f"))
(assert_return (invoke $A "f"))
(assert_unlinkable (module (import "A" "x" (func))) "unknown import")
"""
    results = run(text, features="2.0-no-simd")
    passing = {7, 8}
    for result in results:
        expected = (Outcome.PASSED, "") if result.line in passing else (Outcome.SKIPPED, "beyond 2.0-no-simd")
        assert (result.outcome, result.reason) == expected, result
        assert result.executed == (result.line in passing)


def test_kinds_of_values_that_are_not_known_are_skipped(tmp_path: Path) -> None:
    engine, path = load_engine("reference"), tmp_path / "a.wast"
    path.write_text('(module (func (export "f") (param i32) (result i32) (local.get 0)))')
    script = load_script(path)
    number, other = Value(type="i32", value="1"), Value(type="f16", value="1")
    commands = (
        *script.commands,
        AssertReturn(line=2, action=Invoke(field="f", args=(number,)), expected=(other,)),
        AssertTrap(line=3, action=Invoke(field="f", args=(other,)), text="unreachable"),
    )
    results = list(ScriptRun(engine, Script(path, commands, script.modules), RunOptions()).results())[1:]
    assert [(r.outcome, r.executed, r.reason) for r in results] == [
        (Outcome.SKIPPED, False, "values of kind f16 are not supported yet")
    ] * 2


def test_one_line(run: Run) -> None:
    text = '(module (global $g (mut i32) (i32.const 0)) (func (export "f") (result i32)\n'
    text += "(global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))\n"
    text += '(assert_return (invoke "f") (i32.const 1))\n' * 3
    results = run(text, line=4)
    assert [(r.line, r.outcome) for r in results] == [(4, Outcome.FAILED)]
    assert results[0].reason == "expected i32 1, got 2"


def test_the_phase_of_a_rejection(tmp_path: Path) -> None:
    text = '(assert_malformed (module (func (result i32))) "x")\n(assert_invalid (module binary "\\00asm") "x")'
    engine = load_engine("reference")
    strict = run_on(engine, tmp_path / "a.wast", text, strict_phase=True)
    assert [r.outcome for r in strict] == [Outcome.FAILED] * 2
    any_rejection = run_on(engine, tmp_path / "a.wast", text, strict_phase=False)
    assert [r.outcome for r in any_rejection] == [Outcome.PASSED] * 2


class PanicError(BaseException):
    """An exception that is no Exception, as some native engines raise, and whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


class FaultyEngine:
    """The real reference engine, but compiling ends in `fault`."""

    name = "reference"

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault
        self.store = load_engine("reference").store

    def compile(self, _: bytes) -> Any:
        raise self.fault


@pytest.mark.parametrize(
    "fault", [RecursionError("deep"), MemoryError(), SystemExit(0), PanicError(), KeyError("x" * 9999), GeneratorExit()]
)
def test_any_other_exception_is_a_failure(tmp_path: Path, fault: BaseException) -> None:
    text = '(module)\n(assert_invalid (module (func (result i32))) "x")\n(assert_malformed (module binary "") "x")\n'
    text += '(assert_unlinkable (module) "x")\n(assert_trap (module) "x")\n(module definition)'
    results = run_on(FaultyEngine(fault), tmp_path / "a.wast", text)
    assert [r.outcome for r in results] == [Outcome.FAILED] * 6
    assert all(type(fault).__name__ in r.reason and len(r.reason) <= 500 for r in results)


def test_an_interrupt_is_not_a_result(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_on(FaultyEngine(KeyboardInterrupt()), tmp_path / "a.wast", "(module)")
