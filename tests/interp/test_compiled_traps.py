"""Where it happened: traps, exceptions and exhaustion name the same functions and instructions as on the reference
machine, tracebacks show generated source, and what is no trap passes through.
"""

from __future__ import annotations

import linecache
import traceback
from typing import Any

import pytest
from compiled_support import compiled, exports_of, store_of

from interp.engine import Limits
from interp.errors import ExecutionError, Trap
from interp.syntax.types import FuncType

TRAPS = {
    "unreachable": "unreachable",
    "unreachable behind a condition": "(if (local.get $x) (then unreachable))",
    "load": "(drop (i32.load offset=1 (i32.const 65535)))",
    "load of a variable": "(drop (i64.load (i32.mul (local.get $x) (i32.const 65536))))",
    "load in an expression": "(local.set $y (i32.mul (i32.add (local.get $y) (i32.load8_u (i32.sub (local.get $y)"
    " (local.get $x)))) (i32.const 3)))",
    "load of an index": "(drop (array.get $a (array.new_default $a (i32.const 3)) (i32.load (i32.const -4))))",
    "load of an element's index": "(call_indirect (type $v) (i32.load8_u (i32.const -4)))",
    "load of a divisor": "(drop (i32.div_u (i32.const 5) (i32.load (i32.const -4))))",
    "loaded divisor": "(drop (i32.rem_u (i32.const 5) (i32.load (i32.const 16))))",
    "load behind a null": "(local.set $y (i32.add (struct.get $s 0 (local.get $s)) (i32.load8_u (i32.const -1))))",
    "load before a null": "(local.set $y (i32.add (i32.load8_u (i32.const -1)) (struct.get $s 0 (local.get $s))))",
    "load that is not used": "(i32.load8_u (i32.const -1)) (global.set $g (i32.const 1)) drop",
    "second of two loads": "(local.set $y (i32.add (i32.load (local.get $x)) (i32.load offset=65533 (local.get $x))))",
    "store": "(i32.store16 offset=0xffffffff (local.get $x) (i32.const 1))",
    "store of a load": "(f64.store (i32.const -1) (f64.load (i32.const 0)))",
    "store of a load that traps": "(i32.store (i32.const 0) (i32.load (i32.const -1)))",
    "misaligned store": "(i64.store (i32.add (local.get $x) (i32.const 65530)) (i64.const 1))",
    "float": "(drop (f32.load (i32.const 65533)))",
    "vector": "(drop (v128.load (i32.const 65521)))",
    "lane": "(v128.store16_lane 3 (i32.const 65535) (v128.const i64x2 1 2))",
    "fill": "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))",
    "copy": "(memory.copy (i32.const 0) (i32.const 65530) (i32.const 7))",
    "init": "(memory.init $d (i32.const 0) (i32.const 1) (i32.const 9))",
    "div_s": "(drop (i32.div_s (i32.const 1) (i32.sub (local.get $x) (i32.const 1))))",
    "overflow": "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.sub (i64.const -2) (i64.extend_i32_s"
    " (i32.sub (i32.const 0) (local.get $x))))))",
    "rem_u": "(local.set $y (i32.rem_u (local.get $x) (local.get $y)))",
    "trunc of a NaN": "(drop (i32.trunc_f64_s (f64.div (f64.const 0) (f64.const 0))))",
    "trunc": "(drop (i64.trunc_f32_u (f32.const -1)))",
    "undefined element": "(call_indirect (type $v) (i32.const 17))",
    "uninitialized element": "(call_indirect (type $v) (i32.const 2))",
    "indirect call type mismatch": "(call_indirect (type $v) (local.get $x))",
    "call_ref": "(call_ref $v (ref.null $v))",
    "return_call_ref": "(return_call_ref $v (ref.null $v))",
    "return_call_indirect": "(return_call_indirect (type $v) (i32.const 3))",
    "struct.get": "(drop (struct.get $s 0 (local.get $s)))",
    "struct.set": "(struct.set $s 0 (local.get $s) (i32.const 1))",
    "array.get of null": "(drop (array.get $a (local.get $a) (i32.const 0)))",
    "array.get": "(drop (array.get $a (array.new_default $a (i32.const 3)) (i32.const 3)))",
    "array.set": "(array.set $a (array.new_default $a (i32.const 3)) (i32.const -1) (i32.const 3))",
    "array.len": "(drop (array.len (local.get $a)))",
    "array.fill": "(array.fill $a (array.new_default $a (i32.const 3)) (i32.const 1) (i32.const 3) (i32.const 3))",
    "array.copy": "(array.copy $a $a (local.get $a) (i32.const 1) (local.get $a) (i32.const 3) (i32.const 3))",
    "i31.get": "(drop (i31.get_s (ref.null i31)))",
    "ref.as_non_null": "(drop (ref.as_non_null (local.get $s)))",
    "ref.cast": "(drop (ref.cast (ref $s) (ref.i31 (local.get $x))))",
    "table.get": "(drop (table.get $t (i32.const 9)))",
    "table.set": "(table.set $t (i32.const 9) (ref.null func))",
    "table.fill": "(table.fill $t (i32.const 1) (ref.null func) (i32.const 9))",
    "throw": "(throw $e)",
    "throw_ref": "(throw_ref (ref.null exn))",
    "callee": "(call $callee (i32.const 5))",
    "callee, two results": "(call $pair (i32.const 0)) drop drop",
    "callee in a table": "(call_indirect (type $p) (i32.const 7) (i32.const 1))",
    "in a loop": "(loop (local.set $y (i32.add (local.get $y) (i32.const 1))) (i32.store8 (i32.mul (local.get $y)"
    " (i32.const 1000)) (i32.const 1)) (br 0))",
    "in a counted loop": "(loop (local.set $y (i32.add (local.get $y) (i32.const 4096))) (i32.store8 (local.get $y)"
    " (i32.const 1)) (br_if 0 (i32.ne (local.get $y) (i32.const 0x100000))))",
    "in a handler": "(block (try_table (catch_all 0) (throw $e))) (drop (i32.load (i32.const -1)))",
    "under a handler": "(block (try_table (catch_all 0) (drop (i32.load (i32.const -1)))))",
    "in a state machine": f"{'(loop ' * 30} (drop (i32.div_u (local.get $x) (local.get $y))) (br 12) {')' * 30}",
    "in a table's arm": "(block (block (br_table 0 1 (local.get $x))) unreachable) (drop (i32.div_u (i32.const 1)"
    " (local.get $y)))",
}
OTHERS = {
    "tail call": "(return_call $v (i32.const 9))",
    "tail call in a table": "(return_call_indirect (type $p) (i32.const 9) (i32.const 1))",
    "loop": "(loop (local.set $y (i32.add (local.get $y) (i32.const 1))) (br_if 0 (local.get $x)))",
    "recursion": "(call $deep)",
}
"""Where the engines agree on functions only: the callers of tail calls, and the turn or call for which a limit left no
room, which the reference machine has not begun, and the compiled engine has."""

TEXT = """(module
  (type $v (func)) (type $p (func (param i32))) (type $s (struct (field (mut i32)))) (type $a (array (mut i32)))
  (memory 1) (data $d "abc") (table $t 3 funcref) (elem (table $t) (i32.const 0) func $nothing $callee) (tag $e)
  (global $g (mut i32) (i32.const 0))
  (func $nothing)
  (func $callee (type $p) (call $nothing) (drop (i32.div_u (i32.const 1) (i32.shr_u (local.get 0) (i32.const 8)))))
  (func $pair (param i32) (result i32 i32) (local.get 0) (i32.rem_s (i32.const 1) (local.get 0)))
  (func $v (param i32) (drop (i32.load offset=70000 (local.get 0))))
  (func $deep (call $deep) (call $nothing))
  FUNCTIONS)"""
LIMITS = Limits(fuel=300)


def functions() -> str:
    """Each of them two calls down."""
    parts = []
    for k, (name, body) in enumerate((TRAPS | OTHERS).items()):
        parts.append(
            f"(func $inner{k} (param $x i32) (local $y i32) (local $s (ref null $s)) (local $a (ref null $a)) {body})"
            f" (func $middle{k} (param i32) (result i32) (call $inner{k} (local.get 0)) (i32.const 7))"
            f' (func $outer{k} (export "{name}") (call $nothing) (drop (call $middle{k} (i32.const 1))))'
        )
    return " ".join(parts)


@pytest.fixture(scope="module")
def text() -> str:
    return TEXT.replace("FUNCTIONS", functions())


def ended(exports: Any, name: str) -> ExecutionError:
    """How a call ended."""
    with pytest.raises(ExecutionError) as caught:
        exports[name]()
    return caught.value


@pytest.mark.parametrize("limits", [LIMITS, Limits(fuel=300, max_call_depth=100)], ids=["fuel", "depth"])
@pytest.mark.parametrize("name", TRAPS)
def test_backtraces(text: str, name: str, limits: Limits) -> None:
    reference, ours = (ended(exports_of(engine, text, limits), name) for engine in ("reference", "compiled"))
    assert (type(ours), ours.message) == (type(reference), reference.message)
    assert ours.backtrace == reference.backtrace
    assert "outer" in (ours.backtrace[-1].name or "")
    assert str(ours) == str(reference)


@pytest.mark.parametrize("name", TRAPS)
def test_backtraces_without_limits(text: str, name: str) -> None:
    assert ended(exports_of("compiled", text), name).backtrace == ended(exports_of("reference", text), name).backtrace


@pytest.mark.parametrize("name", OTHERS)
def test_functions_of_other_backtraces(text: str, name: str) -> None:
    reference, ours = (ended(exports_of(engine, text, LIMITS), name) for engine in ("reference", "compiled"))
    assert (type(ours), ours.message) == (type(reference), reference.message)
    names = [[frame.name for frame in error.backtrace if frame.offset is not None] for error in (reference, ours)]
    assert names[1][:60] == names[0][:60]


HOSTED = """(module (import "h" "f" (func $h (param i32) (result i32)))
  (func $g (export "g") (param i32) (result i32) (local i32)
    (local.set 1 (i32.add (local.get 0) (i32.const 1)))
    (i32.mul (call $h (local.get 1)) (i32.const 2)))
  (func $outer (export "outer") (param i32) (result i32) (call $g (local.get 0))))"""


def hosted(host: Any, **options: bool) -> Any:
    """An instance that calls a host function."""
    store, module = store_of("compiled", **options), compiled("compiled", HOSTED)
    assert isinstance(module.imports[0].type, FuncType)
    return store.instantiate(module, [store.func_alloc(module.imports[0].type, host)]).exports


ERRORS = (IndexError, ZeroDivisionError, AttributeError, KeyError, StopIteration, RecursionError, MemoryError,
          OverflowError, KeyboardInterrupt)  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_what_a_host_function_raises_passes_through(error: type[BaseException]) -> None:
    """Also what would be a trap if code raised it."""
    raised = error("of the host")

    def host(_: int) -> int:
        raise raised

    exports = hosted(host)
    for _ in range(2):
        with pytest.raises(error) as caught:
            exports["outer"](1)
        assert caught.value is raised


def test_tracebacks_show_generated_source() -> None:
    def host(n: int) -> int:
        return 1 // (n - 2)

    exports = hosted(host)
    assert exports["outer"](2) == 2
    with pytest.raises(ZeroDivisionError) as caught:
        exports["outer"](1)
    frames = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename.startswith("<wasm ")]
    assert len(frames) == 2
    assert [frame.name for frame in frames] == ["f2", "f1"]
    assert " function 1 g " in frames[1].filename
    assert "f0(" in (frames[1].line or "")
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count(str(frames[1].line)) == 1
    assert linecache.getline(frames[1].filename, 1).startswith("def f1(l0")


def test_traps_show_the_line_that_python_failed_at() -> None:
    exports = exports_of(
        "compiled", '(module (func $divide (export "f") (param i32) (drop (i32.div_u (i32.const 7) (local.get 0)))))'
    )
    with pytest.raises(Trap) as caught:
        exports["f"](0)
    cause = caught.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    last = traceback.extract_tb(cause.__traceback__)[-1]
    assert "7 // l0" in (last.line or "")
    assert " divide " in last.filename


def test_names_that_are_not_printable_do_no_harm() -> None:
    name = "\\1b[31mred\\0a\\22"
    text = (
        f'(module (func $f (export "f") unreachable) (@custom "x" "") (func (@name "{name}") (export "g") unreachable))'
    )
    exports = exports_of("compiled", text)
    for export in ("f", "g"):
        with pytest.raises(Trap) as caught:
            exports[export]()
        frames = traceback.extract_tb(caught.tb)
        assert all(frame.filename.isprintable() for frame in frames)
