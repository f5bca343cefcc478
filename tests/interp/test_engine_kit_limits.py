"""The engine kit, part 3: traps, limits, rejected modules. Runs on every engine."""

from __future__ import annotations

import time

import pytest

from interp.engine import Limits
from interp.errors import (
    BacktraceFrame,
    Exhaustion,
    ExhaustionKind,
    Invalid,
    Malformed,
    Rejected,
    Trap,
    TrapKind,
)
from interp.syntax.types import EXTERNREF, I32, AddrType, FuncType, MemType, TableType
from interp.syntax.types import Limits as Size

TRAPS = """(module
  (type $v (func))
  (table $t 3 funcref) (table $e 1 externref) (memory 1)
  (func $nothing) (func $other (param i32))
  (elem (table $t) (i32.const 0) func $nothing $other) (elem $passive func $nothing) (data $data "ab")
  (func $unreachable (export "unreachable") (result i32) unreachable)
  (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $remainder (export "remainder") (param i64 i64) (result i64) (i64.rem_u (local.get 0) (local.get 1)))
  (func $truncate (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func $load (export "load") (param i32) (result i64) (i64.load (local.get 0)))
  (func $store (export "store") (param i32) (i32.store offset=4294967295 (local.get 0) (i32.const 1)))
  (func $fill (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
  (func $init (export "init") (param i32) (memory.init $data (i32.const 0) (local.get 0) (i32.const 2)))
  (func $indirect (export "indirect") (param i32) (call_indirect $t (type $v) (local.get 0)))
  (func $get (export "get") (param i32) (drop (table.get $e (local.get 0))))
  (func $set (export "set") (param i32) (table.set $e (local.get 0) (ref.null extern)))
  (func $copy (export "copy") (param i32) (table.copy $t $t (i32.const 0) (local.get 0) (i32.const 2)))
  (func $tinit (export "tinit") (param i32) (table.init $t $passive (local.get 0) (i32.const 0) (i32.const 1)))
  (func $deeper (export "deeper") (drop (call $unreachable)))
  (func $deepest (export "deepest") (call $deeper))
)"""

TRAP_CASES = [
    ("unreachable", (), TrapKind.UNREACHABLE),
    ("divide", (1, 0), TrapKind.INTEGER_DIVIDE_BY_ZERO),
    ("divide", (-(2**31), -1), TrapKind.INTEGER_OVERFLOW),
    ("remainder", (1, 0), TrapKind.INTEGER_DIVIDE_BY_ZERO),
    ("truncate", (float("nan"),), TrapKind.INVALID_CONVERSION),
    ("truncate", (2.0**31,), TrapKind.INTEGER_OVERFLOW),
    ("load", (65529,), TrapKind.MEMORY_OUT_OF_BOUNDS),
    ("load", (-1,), TrapKind.MEMORY_OUT_OF_BOUNDS),
    ("store", (-1,), TrapKind.MEMORY_OUT_OF_BOUNDS),
    ("fill", (65536, 1), TrapKind.MEMORY_OUT_OF_BOUNDS),
    ("init", (1,), TrapKind.MEMORY_OUT_OF_BOUNDS),
    ("indirect", (3,), TrapKind.UNDEFINED_ELEMENT),
    ("indirect", (-1,), TrapKind.UNDEFINED_ELEMENT),
    ("indirect", (2,), TrapKind.UNINITIALIZED_ELEMENT),
    ("indirect", (1,), TrapKind.INDIRECT_CALL_TYPE_MISMATCH),
    ("get", (1,), TrapKind.TABLE_OUT_OF_BOUNDS),
    ("set", (1,), TrapKind.TABLE_OUT_OF_BOUNDS),
    ("copy", (2,), TrapKind.TABLE_OUT_OF_BOUNDS),
    ("tinit", (3,), TrapKind.TABLE_OUT_OF_BOUNDS),
]

RUNAWAYS = """(module
  (func $loop (export "loop") (loop $l (br $l)))
  (func $count (export "count") (param i32) (result i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 0))))
  (func $recurse (export "recurse") (call $recurse) (drop (memory.size)))
  (func $ping (export "ping") (call $pong) (drop (memory.size)))
  (func $pong (call $ping) (drop (memory.size)))
  (func $nop (export "nop"))
  (memory (export "m") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
)"""


def exhausted(call, *args):
    """Which resource a call runs out of."""
    with pytest.raises(Exhaustion) as caught:
        call(*args)
    return caught.value.what


class TestTraps:
    @pytest.mark.parametrize(("name", "args", "kind"), TRAP_CASES)
    def test_kind_and_backtrace(self, instantiate, name, args, kind):
        exports = instantiate(TRAPS)
        for _ in range(2):
            with pytest.raises(Trap) as caught:
                exports[name](*args)
            assert caught.value.kind is kind
            assert kind.value in str(caught.value)
            assert [frame.name for frame in caught.value.backtrace] == [name]

    def test_backtrace_of_nested_calls(self, instantiate, wasm):
        with pytest.raises(Trap) as caught:
            instantiate(TRAPS)["deepest"]()
        backtrace = caught.value.backtrace
        assert [(frame.name, frame.function) for frame in backtrace] == [
            ("unreachable", 2),
            ("deeper", 15),
            ("deepest", 16),
        ]
        assert all(isinstance(frame, BacktraceFrame) for frame in backtrace)
        offset = backtrace[0].offset
        assert offset is None or wasm(TRAPS)[offset] == 0

    def test_functions_are_counted_with_imports_and_may_have_no_name(self, store, instantiate):
        f = store.func_alloc(FuncType((), ()), lambda: None)
        exports = instantiate('(module (import "h" "f" (func)) (func) (func (export "trap") unreachable))', [f])
        with pytest.raises(Trap) as caught:
            exports["trap"]()
        assert [(frame.name, frame.function) for frame in caught.value.backtrace] == [(None, 2)]

    def test_which_of_two_modules_it_was(self, instantiate):
        first = instantiate(TRAPS)
        second = instantiate(
            """(module (table 1 externref) (func $f (export "f") (param i32) (drop (table.get (local.get 0))))
              (func $g (export "g") (result i32) (i32.const 1)))"""
        )
        for _ in range(2):
            with pytest.raises(Trap) as caught:
                second["f"](9)
            assert caught.value.kind is TrapKind.TABLE_OUT_OF_BOUNDS
            with pytest.raises(Trap) as caught:
                first["indirect"](9)
            assert caught.value.kind is TrapKind.UNDEFINED_ELEMENT
        assert second["g"]() == 1

    def test_segments_out_of_bounds(self, instantiate):
        for text, kind in [
            ('(module (memory 1) (data (i32.const 65536) "a"))', TrapKind.MEMORY_OUT_OF_BOUNDS),
            ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", TrapKind.TABLE_OUT_OF_BOUNDS),
        ]:
            with pytest.raises(Trap) as caught:
                instantiate(text)
            assert caught.value.kind is kind


class TestFuel:
    @pytest.fixture
    def exports(self, engine, instantiate):
        return instantiate(RUNAWAYS, into=engine.store(Limits(fuel=100_000)))

    def test_runs_out(self, exports):
        assert exhausted(exports["loop"]) is ExhaustionKind.FUEL
        assert exhausted(exports["count"], 10**6) is ExhaustionKind.FUEL

    def test_each_outermost_call_has_it_anew(self, exports):
        for _ in range(50):
            assert exports["count"](5000) == 0
        assert exhausted(exports["loop"]) is ExhaustionKind.FUEL
        assert exports["count"](5000) == 0

    def test_nested_calls_share_it(self, engine, instantiate):
        store = engine.store(Limits(fuel=100_000))
        inner = instantiate(RUNAWAYS, into=store)
        caught = []

        def host():
            for _ in range(10**6):
                try:
                    inner["count"](1000)
                except Exhaustion as error:
                    caught.append(error.what)
                    return

        f = store.func_alloc(FuncType((), ()), host)
        outer = instantiate(
            '(module (import "h" "f" (func $f)) (func (export "run") (call $f) (loop $l (br $l))))', [f], into=store
        )
        assert exhausted(outer["run"]) is ExhaustionKind.FUEL
        assert caught == [ExhaustionKind.FUEL]
        assert inner["count"](1000) == 0

    def test_none_is_not_enough_for_a_loop(self, engine, instantiate):
        exports = instantiate(RUNAWAYS, into=engine.store(Limits(fuel=0)))
        assert exhausted(exports["count"], 10) is ExhaustionKind.FUEL


class TestDeadline:
    LIMITS = Limits(deadline_seconds=0.2)

    @pytest.fixture
    def exports(self, engine, instantiate):
        return instantiate(RUNAWAYS, into=engine.store(self.LIMITS))

    def test_ends_a_loop(self, exports):
        start = time.monotonic()
        assert exhausted(exports["loop"]) is ExhaustionKind.DEADLINE
        assert time.monotonic() - start >= 0.2

    def test_holds_anew_for_each_call(self, exports):
        assert exhausted(exports["loop"]) is ExhaustionKind.DEADLINE
        assert exports["count"](1000) == 0
        assert exports["nop"]() is None

    def test_includes_host_functions(self, engine, instantiate):
        store = engine.store(self.LIMITS)
        naps = [0.25, 0.0]
        f = store.func_alloc(FuncType((), ()), lambda: time.sleep(naps.pop(0)))
        exports = instantiate('(module (import "h" "f" (func $f)) (func (export "run") (call $f)))', [f], into=store)
        assert exhausted(exports["run"]) is ExhaustionKind.DEADLINE
        assert exports["run"]() is None

    def test_fuel_and_deadline_together(self, engine, instantiate):
        exports = instantiate(RUNAWAYS, into=engine.store(Limits(fuel=1000, deadline_seconds=60)))
        assert exhausted(exports["loop"]) is ExhaustionKind.FUEL
        exports = instantiate(RUNAWAYS, into=engine.store(Limits(fuel=10**15, deadline_seconds=0.05)))
        assert exhausted(exports["loop"]) is ExhaustionKind.DEADLINE

    def test_stores_without_deadline_are_not_touched(self, engine, instantiate, exports):
        free = instantiate(RUNAWAYS, into=engine.store())
        assert exhausted(exports["loop"]) is ExhaustionKind.DEADLINE
        assert free["count"](1000) == 0


class TestSizes:
    LIMITS = Limits(max_memory_pages=3, max_table_elements=10)

    def test_memory_growth(self, engine, instantiate):
        exports = instantiate(RUNAWAYS, into=engine.store(self.LIMITS))
        assert exports["grow"](2) == 1
        assert exports["grow"](1) == -1
        assert exports["m"].grow(1) is None
        assert exports["m"].size == 3

    def test_memory_of_a_module(self, engine, instantiate):
        for text in ("(module (memory 4))", "(module (memory 65536))"):
            assert exhausted(instantiate, text, (), engine.store(self.LIMITS)) is ExhaustionKind.MEMORY

    def test_memory_from_the_host(self, engine):
        store = engine.store(self.LIMITS)
        assert exhausted(store.mem_alloc, MemType(AddrType.I32, Size(4, None))) is ExhaustionKind.MEMORY
        memory = store.mem_alloc(MemType(AddrType.I32, Size(3, None)))
        assert (memory.size, memory.grow(1)) == (3, None)

    def test_table_growth(self, engine, instantiate):
        exports = instantiate(
            """(module (table $t (export "t") 5 externref)
              (func (export "grow") (param i32) (result i32) (table.grow $t (ref.null extern) (local.get 0))))""",
            into=engine.store(self.LIMITS),
        )
        assert exports["grow"](6) == -1
        assert exports["grow"](5) == 5
        assert (exports["t"].grow(1, None), exports["t"].size) == (None, 10)

    def test_table_of_a_module(self, engine, instantiate):
        for text in ("(module (table 11 funcref))", "(module (table 4294967295 externref))"):
            assert exhausted(instantiate, text, (), engine.store(self.LIMITS)) is ExhaustionKind.TABLE

    def test_table_from_the_host(self, engine):
        store = engine.store(self.LIMITS)
        assert (
            exhausted(store.table_alloc, TableType(AddrType.I32, Size(11, None), EXTERNREF), None)
            is ExhaustionKind.TABLE
        )
        assert store.table_alloc(TableType(AddrType.I32, Size(10, None), EXTERNREF), 1).get(9) == 1


class TestCallDepth:
    @pytest.mark.parametrize("name", ["recurse", "ping"])
    def test_infinite_recursion(self, instantiate, name):
        exports = instantiate(RUNAWAYS)
        for _ in range(2):
            assert exhausted(exports[name]) is ExhaustionKind.CALL_STACK
        assert exports["down"](100) == 100

    def test_default_is_deep_enough(self, instantiate):
        assert instantiate(RUNAWAYS)["down"](5000) == 5000

    def test_depth(self, engine, instantiate):
        exports = instantiate(RUNAWAYS, into=engine.store(Limits(max_call_depth=100)))
        assert exports["down"](50) == 50
        assert exhausted(exports["down"], 10**6) is ExhaustionKind.CALL_STACK
        assert exports["down"](50) == 50

    def test_backtrace_has_the_innermost_functions(self, instantiate):
        with pytest.raises(Exhaustion) as caught:
            instantiate(RUNAWAYS)["recurse"]()
        assert [frame.name for frame in caught.value.backtrace[:10]] == ["recurse"] * 10

    def test_host_and_guest_call_each_other_without_end(self, engine, instantiate):
        for limits in (Limits(), Limits(max_call_depth=10), Limits(fuel=10**9, deadline_seconds=60)):
            store = engine.store(limits)
            f = store.func_alloc(FuncType((I32,), (I32,)), lambda i: exports["run"](i))  # noqa: B023, PLW0108
            exports = instantiate(
                """(module (import "h" "f" (func $f (param i32) (result i32)))
                  (func (export "run") (param i32) (result i32) (call $f (i32.add (local.get 0) (i32.const 1))))
                  (func (export "ok") (result i32) (i32.const 1)))""",
                [f],
                into=store,
            )
            for _ in range(2):
                assert exhausted(exports["run"], 0) is ExhaustionKind.CALL_STACK
            assert exports["ok"]() == 1

    def test_host_function_that_calls_itself_without_end(self, store):
        def host():
            return f()

        f = store.func_alloc(FuncType((), ()), host)
        assert exhausted(f) is ExhaustionKind.CALL_STACK


class TestRejected:
    @pytest.mark.parametrize(
        ("wasm", "offset"),
        [
            (b"", 0),
            (b"\0as", None),
            (b"(module)", 0),
            (b"\0asm", None),
            (b"\0asm\2\0\0\0", 4),
            (b"\0asm\1\0\0\0\x0e\0", None),
            (b"\0asm\1\0\0\0\1\4\1\x60\0", None),
            (b"\0asm\1\0\0\0\1\4\1\x60\0\0\xff", None),
            (b"\0asm\1\0\0\0\5\3\1\0\1\4\4\1\x70\0\1", None),
            (b"\0asm\1\0\0\0\5\x03\1\x08\0", None),
            (b"\0asm\1\0\0\0\0\3\2\xff\xff", None),
            (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\4\1\2\0\xff", None),
            (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0", None),
            (b"\0asm\1\0\0\0\1\x85\x80\x80\x80\x80\x80\0", None),
        ],
    )  # fmt: skip
    def test_malformed(self, engine, wasm, offset):
        with pytest.raises(Malformed) as caught:
            engine.compile(wasm)
        assert 0 <= caught.value.offset <= len(wasm)
        assert offset is None or caught.value.offset == offset
        assert caught.value.message

    @pytest.mark.parametrize(
        ("text", "function"),
        [
            ("(module (func (result i32)))", 0),
            ('(module (import "a" "f" (func)) (func) (func (i32.add (i32.const 1)) drop))', 2),
            ("(module (func (drop (i32.add (i32.const 1) (i64.const 1)))))", 0),
            ("(module (func (drop (local.get 0))))", 0),
            ("(module (func (br 1)))", 0),
            ("(module (func (call 7)))", 0),
            ("(module (func (drop (i32.load (i32.const 0)))))", 0),
            ("(module (memory 1) (func (drop (i32.load align=8 (i32.const 0)))))", 0),
            ("(module (global i32 (i32.const 0)) (func (global.set 0 (i32.const 1))))", 0),
            ("(module (memory 2 1))", None),
            ("(module (memory 65537))", None),
            ("(module (global i32 (i64.const 0)))", None),
            ('(module (func (export "a")) (func (export "a")))', None),
            ("(module (func $f (param i32)) (start $f))", None),
            ("(module (export \"x\" (func 0)))", None),
            ("(module (data (i32.const 0) \"a\"))", None),
        ],
    )  # fmt: skip
    def test_invalid(self, engine, wasm, text, function):
        with pytest.raises(Invalid) as caught:
            engine.compile(wasm(text))
        assert caught.value.message
        if function is not None:
            assert caught.value.function == function

    def test_text_is_not_accepted(self, engine):
        for text in (b"(module)", b"  (module)", b";; comment\n(module)"):
            with pytest.raises(Malformed):
                engine.compile(text)

    def test_nothing_but_bytes(self, engine):
        for value in ("(module)", None, 7):
            with pytest.raises(TypeError):
                engine.compile(value)

    def test_every_prefix_of_a_module_is_refused_or_a_module(self, engine, wasm):
        whole, accepted = wasm(TRAPS), []
        for end in range(len(whole)):
            try:
                accepted.append(engine.compile(whole[:end]))
            except Rejected:
                continue
        assert all(module.exports == () for module in accepted if module is not accepted[-1])

    def test_every_changed_byte_is_refused_or_a_module(self, engine, wasm):
        whole = wasm('(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))')
        refused = 0
        for i in range(len(whole)):
            for byte in (0, 0x7F, 0x80, 0xFF):
                try:
                    engine.compile(whole[:i] + bytes([byte]) + whole[i + 1 :])
                except Rejected:
                    refused += 1
        assert refused > len(whole)
