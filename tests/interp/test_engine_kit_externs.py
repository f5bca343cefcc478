"""The engine kit, part 2: memories, tables, globals, linking, start functions. Runs on every engine."""

from __future__ import annotations

import math

import pytest

from interp.engine import PAGE, Func, Global, Limits, Memory, Table
from interp.errors import Exhaustion, ExhaustionKind, Rejected, Trap, TrapKind, Unlinkable
from interp.execution.values import F32NaN, fbits
from interp.syntax.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    AddrType,
    FuncType,
    GlobalType,
    MemType,
    TableType,
)
from interp.syntax.types import Limits as Size

MEMORY = """(module
  (memory (export "m") 1 3)
  (data (i32.const 4) "abcd")
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
)"""

TABLE = """(module
  (table $t (export "t") 3 6 funcref)
  (table $e (export "e") 1 externref)
  (type $v (func (result i32)))
  (func $one (export "one") (result i32) (i32.const 1))
  (elem (table $t) (i32.const 1) func $one)
  (func (export "call") (param i32) (result i32) (call_indirect $t (type $v) (local.get 0)))
  (func (export "get") (param i32) (result funcref) (table.get $t (local.get 0)))
  (func (export "set") (param i32 funcref) (table.set $t (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
  (func (export "size") (result i32) (table.size $t))
)"""

GLOBALS = """(module
  (global $i (export "i32") (mut i32) (i32.const -1))
  (global (export "i64") (mut i64) (i64.const -2))
  (global (export "f32") (mut f32) (f32.const 0.5))
  (global (export "f64") (mut f64) (f64.const -0.25))
  (global (export "externref") (mut externref) (ref.null extern))
  (global (export "funcref") (mut funcref) (ref.null func))
  (global (export "constant") i32 (i32.const 9))
  (func (export "get") (result i32) (global.get $i))
  (func (export "set") (param i32) (global.set $i (local.get 0)))
)"""

NO_PARAMS = FuncType((), ())


def kind_of(call, *args):
    """The kind of the trap that a call ends in."""
    with pytest.raises(Trap) as caught:
        call(*args)
    return caught.value.kind


class TestMemory:
    def test_read_and_write(self, instantiate):
        exports = instantiate(MEMORY)
        m = exports["m"]
        assert isinstance(m, Memory)
        assert m.read(3, 6) == b"\0abcd\0"
        m.write(5, b"XY")
        assert m.read(4, 4) == b"aXYd"
        assert exports["load"](6) == ord("Y")
        exports["store"](7, 0x1FF)
        assert m.read(7, 1) == b"\xff"
        assert type(m.read(0, 1)) is bytes

    @pytest.mark.parametrize("data", [bytearray(b"xy"), memoryview(b"xy")])
    def test_write_bytes_like(self, instantiate, data):
        m = instantiate(MEMORY)["m"]
        m.write(0, data)
        assert m.read(0, 3) == b"xy\0"

    def test_bounds(self, instantiate):
        m = instantiate(MEMORY)["m"]
        assert m.read(PAGE, 0) == b""
        m.write(PAGE, b"")
        m.write(PAGE - 2, b"zz")
        assert m.read(PAGE - 2, 2) == b"zz"
        outside = [(PAGE, 1), (PAGE - 1, 2), (PAGE + 1, 0), (-1, 1), (-1, 0), (0, -1), (0, PAGE + 1), (2**64, 1),
                   (2**64 - 1, 2), (2**32, 1), (10**30, 10**30), (5, -3)]  # fmt: skip
        for addr, n in outside:
            assert kind_of(m.read, addr, n) is TrapKind.MEMORY_OUT_OF_BOUNDS
        for addr, data in [(PAGE, b"a"), (PAGE - 1, b"ab"), (PAGE + 1, b""), (-1, b"a"), (2**64, b"a")]:
            assert kind_of(m.write, addr, data) is TrapKind.MEMORY_OUT_OF_BOUNDS
        assert m.read(PAGE - 2, 2) == b"zz"

    def test_growth(self, instantiate):
        exports = instantiate(MEMORY)
        m = exports["m"]
        assert (m.size, exports["size"]()) == (1, 1)
        assert m.grow(0) == 1
        assert m.grow(1) == 1
        assert exports["size"]() == 2
        m.write(2 * PAGE - 1, b"!")
        assert exports["load"](2 * PAGE - 1) == ord("!")
        assert exports["grow"](1) == 2
        assert m.size == 3
        assert m.read(3 * PAGE - 1, 1) == b"\0"
        assert m.read(4, 4) == b"abcd"
        assert (m.grow(1), exports["grow"](1), m.size) == (None, -1, 3)

    @pytest.mark.parametrize("n", [-1, 2**16, 2**32, 2**64, 2**70])
    def test_growth_that_cannot_be(self, instantiate, n):
        m = instantiate(MEMORY)["m"]
        assert m.grow(n) is None
        assert m.size == 1

    def test_type_has_the_size_of_now(self, instantiate):
        m = instantiate(MEMORY)["m"]
        assert m.type == MemType(AddrType.I32, Size(1, 3))
        m.grow(1)
        assert m.type == MemType(AddrType.I32, Size(2, 3))

    def test_alloc(self, store, instantiate):
        m = store.mem_alloc(MemType(AddrType.I32, Size(2, 4)))
        assert (m.size, m.read(0, 4)) == (2, b"\0\0\0\0")
        exports = instantiate(
            """(module (import "a" "m" (memory 1 5)) (export "again" (memory 0))
              (func (export "load") (result i32) (i32.load (i32.const 8))))""",
            [m],
        )
        m.write(8, b"\1\2\0\0")
        assert exports["load"]() == 0x201
        assert exports["again"] == m

    def test_bytes_survive_a_failed_instantiation(self, store, instantiate):
        m = store.mem_alloc(MemType(AddrType.I32, Size(1, None)))
        text = """(module (import "a" "m" (memory 1))
          (data (i32.const 0) "first") (data (i32.const 65535) "second"))"""
        with pytest.raises(Trap) as caught:
            instantiate(text, [m])
        assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
        assert m.read(0, 5) == b"first"

    def test_seen_from_a_host_function(self, store, instantiate):
        f = store.func_alloc(FuncType((I32, I32), (I32,)), lambda addr, n: sum(exports["m"].read(addr, n)))
        exports = instantiate(
            """(module (import "h" "f" (func $f (param i32 i32) (result i32))) (memory (export "m") 1)
              (func (export "sum") (result i32)
                (i32.store (i32.const 70000) (i32.const 0)) (i32.const 0))
              (func (export "grown") (result i32)
                (drop (memory.grow (i32.const 1)))
                (i32.store (i32.const 70000) (i32.const 0x01010101))
                (call $f (i32.const 70000) (i32.const 4))))""",
            [f],
        )
        assert exports["grown"]() == 4


class TestTable:
    def test_get_and_set(self, instantiate):
        exports = instantiate(TABLE)
        t = exports["t"]
        assert isinstance(t, Table)
        assert [t.get(i) for i in range(3)] == [None, exports["one"], None]
        assert t.get(1)() == 1
        t.set(2, exports["one"])
        assert exports["call"](2) == 1
        t.set(1, None)
        assert exports["get"](1) is None
        exports["set"](0, exports["one"])
        assert t.get(0) == exports["one"]

    def test_a_host_function_as_element(self, store, instantiate):
        exports = instantiate(TABLE)
        f = store.func_alloc(FuncType((), (I32,)), lambda: 77)
        exports["t"].set(0, f)
        assert exports["call"](0) == 77
        assert exports["t"].get(0) == f

    def test_bounds(self, instantiate):
        t = instantiate(TABLE)["t"]
        for i in (3, -1, 2**32, 2**64, 10**30):
            assert kind_of(t.get, i) is TrapKind.TABLE_OUT_OF_BOUNDS
            assert kind_of(t.set, i, None) is TrapKind.TABLE_OUT_OF_BOUNDS

    @pytest.mark.parametrize("ref", [1, "f", print])
    def test_wrong_reference(self, instantiate, ref):
        t = instantiate(TABLE)["t"]
        with pytest.raises(TypeError):
            t.set(0, ref)
        with pytest.raises(TypeError):
            t.grow(1, ref)
        assert t.size == 3

    def test_reference_of_another_store(self, engine, instantiate):
        t, other = instantiate(TABLE)["t"], instantiate(TABLE, into=engine.store())
        with pytest.raises(ValueError, match="another store"):
            t.set(0, other["one"])

    def test_growth(self, instantiate):
        exports = instantiate(TABLE)
        t = exports["t"]
        assert t.grow(0, None) == 3
        assert t.grow(2, exports["one"]) == 3
        assert (t.size, exports["size"]()) == (5, 5)
        assert exports["call"](4) == 1
        assert exports["grow"](1) == 5
        assert t.get(5) is None
        assert (t.grow(1, None), exports["grow"](1), t.size) == (None, -1, 6)
        assert [t.grow(n, None) for n in (-1, 2**32, 2**64, 2**70)] == [None] * 4
        assert t.type == TableType(AddrType.I32, Size(6, 6), FUNCREF)

    def test_externref_keeps_identity(self, instantiate):
        e = instantiate(TABLE)["e"]
        things = [object(), 0, "", [1], instantiate]
        for thing in things:
            e.set(0, thing)
            assert e.get(0) is thing
        assert e.grow(3, things) == 1
        assert e.get(3) is things
        e.set(0, None)
        assert e.get(0) is None

    def test_alloc(self, store, instantiate):
        f = store.func_alloc(FuncType((), (I32,)), lambda: 5)
        t = store.table_alloc(TableType(AddrType.I32, Size(2, 7), FUNCREF), f)
        assert (t.size, t.get(1)) == (2, f)
        exports = instantiate(
            """(module (import "a" "t" (table 2 8 funcref)) (export "again" (table 0)) (type $v (func (result i32)))
              (func (export "call") (param i32) (result i32) (call_indirect (type $v) (local.get 0))))""",
            [t],
        )
        assert exports["call"](1) == 5
        assert exports["again"] == t
        with pytest.raises(TypeError):
            store.table_alloc(TableType(AddrType.I32, Size(1, None), FUNCREF), 1)

    @pytest.mark.parametrize("size", [Size(2, 1), Size(2, 0)])
    def test_alloc_of_impossible_types(self, store, size):
        with pytest.raises(Rejected):
            store.table_alloc(TableType(AddrType.I32, size, EXTERNREF), None)
        with pytest.raises(Rejected):
            store.mem_alloc(MemType(AddrType.I32, size))


class TestGlobal:
    def test_values(self, instantiate):
        exports = instantiate(GLOBALS)
        assert isinstance(exports["i32"], Global)
        assert [exports[name].value for name in ("i32", "i64", "f32", "f64")] == [-1, -2, 0.5, -0.25]
        assert exports["externref"].value is None
        assert exports["i64"].type == GlobalType(True, I64)
        assert exports["constant"].type == GlobalType(False, I32)

    def test_set(self, instantiate):
        exports = instantiate(GLOBALS)
        exports["i32"].value = 2**32 - 3
        assert (exports["i32"].value, exports["get"]()) == (-3, -3)
        exports["set"](8)
        assert exports["i32"].value == 8
        exports["i64"].value = 2**64 - 1
        assert exports["i64"].value == -1
        exports["f64"].value = -math.inf
        assert exports["f64"].value == -math.inf
        exports["f32"].value = F32NaN(0x7F800007)
        assert fbits(32, exports["f32"].value) == 0x7F800007
        thing = object()
        exports["externref"].value = thing
        assert exports["externref"].value is thing
        exports["funcref"].value = exports["get"]
        assert exports["funcref"].value == exports["get"]

    @pytest.mark.parametrize(("name", "value"), [("i32", 2**32), ("i32", 1.0), ("f32", "1"), ("funcref", 1)])
    def test_wrong_values(self, instantiate, name, value):
        global_ = instantiate(GLOBALS)[name]
        before = global_.value
        with pytest.raises(TypeError):
            global_.value = value
        assert global_.value == before

    def test_constant(self, instantiate):
        constant = instantiate(GLOBALS)["constant"]
        with pytest.raises(TypeError):
            constant.value = 1
        assert constant.value == 9

    @pytest.mark.parametrize(
        ("valtype", "value"), [(I32, -1), (I64, 2**63 - 1), (F32, 0.5), (F64, 0.1), (EXTERNREF, "x")]
    )
    def test_alloc(self, store, instantiate, valtype, value):
        global_ = store.global_alloc(GlobalType(False, valtype), value)
        assert global_.value == value
        exports = instantiate(
            f"""(module (import "a" "g" (global $g {valtype})) (export "again" (global $g))
              (func (export "get") (result {valtype}) (global.get $g)))""",
            [global_],
        )
        assert exports["get"]() == value
        assert exports["again"] == global_
        with pytest.raises(TypeError):
            store.global_alloc(GlobalType(False, I32), "1")


class TestLinking:
    def test_two_instances_share_memory_table_and_global(self, instantiate):
        first = instantiate(
            """(module (memory (export "m") 1 2) (table (export "t") 1 funcref)
              (global (export "g") (mut i32) (i32.const 1))
              (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
        )
        second = instantiate(
            """(module (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref))
              (import "a" "g" (global (mut i32))) (import "a" "peek" (func $peek (param i32) (result i32)))
              (func $own (result i32) (i32.const 11)) (elem (i32.const 0) $own)
              (func (export "poke") (i32.store8 (i32.const 100) (i32.const 7)) (global.set 0 (i32.const 99)))
              (func (export "peek") (result i32) (call $peek (i32.const 100)))
              (func (export "grow") (result i32) (memory.grow (i32.const 1))))""",
            [first["m"], first["t"], first["g"], first["peek"]],
        )
        second["poke"]()
        assert (first["peek"](100), second["peek"](), first["g"].value) == (7, 7, 99)
        assert first["m"].read(100, 1) == b"\x07"
        assert first["t"].get(0)() == 11
        assert second["grow"]() == 1
        first["m"].write(PAGE, b"x")
        assert first["m"].size == 2

    @pytest.mark.parametrize(
        "wanted",
        ["(func (param i32))", "(func (result i32))", "(memory 1)", "(table 1 funcref)", "(global i32)"],
    )
    def test_incompatible_function(self, store, instantiate, wanted):
        f = store.func_alloc(NO_PARAMS, lambda: None)
        with pytest.raises(Unlinkable, match=r"incompatible import type.*mod.*name"):
            instantiate(f'(module (import "mod" "name" {wanted}))', [f])

    @pytest.mark.parametrize("wanted", ["(memory 3)", "(memory 1 1)", "(memory 1 3)", "(func)", "(global i32)"])
    def test_incompatible_memory(self, store, instantiate, wanted):
        m = store.mem_alloc(MemType(AddrType.I32, Size(2, 4)))
        with pytest.raises(Unlinkable, match="incompatible import type"):
            instantiate(f'(module (import "mod" "name" {wanted}))', [m])

    @pytest.mark.parametrize(
        "wanted", ["(table 3 funcref)", "(table 1 3 funcref)", "(table 1 externref)", "(memory 1)"]
    )
    def test_incompatible_table(self, store, instantiate, wanted):
        t = store.table_alloc(TableType(AddrType.I32, Size(2, 4), FUNCREF), None)
        with pytest.raises(Unlinkable, match="incompatible import type"):
            instantiate(f'(module (import "mod" "name" {wanted}))', [t])

    @pytest.mark.parametrize("wanted", ["(global (mut i32))", "(global i64)", "(global f32)", "(func)"])
    def test_incompatible_global(self, store, instantiate, wanted):
        g = store.global_alloc(GlobalType(False, I32), 1)
        with pytest.raises(Unlinkable, match="incompatible import type"):
            instantiate(f'(module (import "mod" "name" {wanted}))', [g])

    def test_a_grown_memory_has_its_size_of_now(self, store, instantiate):
        m = store.mem_alloc(MemType(AddrType.I32, Size(1, 4)))
        m.grow(1)
        assert instantiate('(module (import "a" "m" (memory 2 4)) (export "m" (memory 0)))', [m])["m"].size == 2

    @pytest.mark.parametrize("given", [0, 1, 3])
    def test_number_of_externs(self, store, instantiate, given):
        externs = [store.func_alloc(NO_PARAMS, lambda: None) for _ in range(given)]
        with pytest.raises(Unlinkable):
            instantiate('(module (import "a" "f" (func)) (import "a" "g" (func)))', externs)

    def test_extern_of_another_store(self, engine, instantiate):
        f = engine.store().func_alloc(NO_PARAMS, lambda: None)
        with pytest.raises(ValueError, match="another store"):
            instantiate('(module (import "a" "f" (func)))', [f])

    @pytest.mark.parametrize("extern", [None, 1, print, "f"])
    def test_no_extern(self, instantiate, extern):
        with pytest.raises(TypeError):
            instantiate('(module (import "a" "f" (func)))', [extern])

    def test_one_module_in_two_stores(self, engine, wasm):
        module = engine.compile(wasm(GLOBALS))
        first, second = (engine.store().instantiate(module, ()).exports for _ in range(2))
        first["set"](5)
        assert (first["get"](), second["get"]()) == (5, -1)

    def test_unlinkable_leaves_nothing_behind(self, store, instantiate):
        m = store.mem_alloc(MemType(AddrType.I32, Size(1, None)))
        with pytest.raises(Unlinkable):
            instantiate('(module (import "a" "m" (memory 1)) (import "a" "f" (func)) (data (i32.const 0) "x"))', [m, m])
        assert m.read(0, 1) == b"\0"


class TestStart:
    def test_it_runs_once_with_the_imports(self, store, instantiate):
        seen = []
        f = store.func_alloc(FuncType((I32,), ()), seen.append)
        instantiate(
            """(module (import "h" "f" (func $f (param i32))) (memory 1) (data (i32.const 0) "\\05")
              (func $main (call $f (i32.load (i32.const 0)))) (start $main))""",
            [f],
        )
        assert seen == [5]

    def test_trap(self, instantiate):
        with pytest.raises(Trap) as caught:
            instantiate("(module (func $main unreachable) (start $main))")
        assert caught.value.kind is TrapKind.UNREACHABLE
        assert caught.value.backtrace[0].name == "main"

    def test_whatever_a_host_function_raises_passes(self, store, instantiate):
        raised = KeyboardInterrupt()

        def host():
            raise raised

        f = store.func_alloc(NO_PARAMS, host)
        with pytest.raises(KeyboardInterrupt) as caught:
            instantiate('(module (import "h" "f" (func $f)) (start $f))', [f])
        assert caught.value is raised
        assert isinstance(instantiate('(module (func (export "f")))')["f"], Func)

    def test_limits_hold(self, engine, instantiate):
        text = "(module (func $main (loop $l (br $l))) (start $main))"
        with pytest.raises(Exhaustion) as caught:
            instantiate(text, into=engine.store(Limits(fuel=1000)))
        assert caught.value.what is ExhaustionKind.FUEL
