"""Types, values, traps and texts of the engine `wasmtime` that the engine kit does not know yet."""

from __future__ import annotations

import pytest

from interp.engine import Limits, load_engine
from interp.engines.wasmtime_errors import rejection
from interp.errors import (
    Exhaustion,
    ExhaustionKind,
    Invalid,
    Malformed,
    Trap,
    TrapKind,
    UncaughtException,
    Unlinkable,
)
from interp.syntax.types import (
    EXTERNREF,
    FUNCREF,
    I32,
    V128,
    AbsHeapType,
    AddrType,
    FuncType,
    GlobalType,
    MemType,
    RecType,
    RefType,
    SubType,
    TableType,
    TagType,
    functype_deftype,
    roll,
)
from interp.syntax.types import Limits as Size

GC_TRAPS = """(module
  (type $s (struct (field (mut i32)))) (type $a (array i32)) (type $v (func)) (tag $t (param i32))
  (func $struct.get (export "struct.get") (drop (struct.get $s 0 (ref.null $s))))
  (func $struct.set (export "struct.set") (struct.set $s 0 (ref.null $s) (i32.const 1)))
  (func $array.get (export "array.get") (drop (array.get $a (ref.null $a) (i32.const 0))))
  (func $array.len (export "array.len") (drop (array.len (ref.null $a))))
  (func $array.out (export "array.out") (drop (array.get $a (array.new $a (i32.const 1) (i32.const 3)) (i32.const 3))))
  (func $i31.get (export "i31.get") (drop (i31.get_u (ref.null i31))))
  (func $call_ref (export "call_ref") (call_ref $v (ref.null $v)))
  (func $non_null (export "non_null") (drop (ref.as_non_null (ref.null any))))
  (func $throw_ref (export "throw_ref") (throw_ref (ref.null exn)))
  (func $cast (export "cast") (drop (ref.cast (ref $s) (ref.null any))))
)"""

GC_KINDS = {
    "struct.get": TrapKind.NULL_STRUCTURE_REFERENCE,
    "struct.set": TrapKind.NULL_STRUCTURE_REFERENCE,
    "array.get": TrapKind.NULL_ARRAY_REFERENCE,
    "array.len": TrapKind.NULL_ARRAY_REFERENCE,
    "array.out": TrapKind.ARRAY_OUT_OF_BOUNDS,
    "i31.get": TrapKind.NULL_I31_REFERENCE,
    "call_ref": TrapKind.NULL_FUNCTION_REFERENCE,
    "non_null": TrapKind.NULL_REFERENCE,
    "throw_ref": TrapKind.NULL_EXCEPTION_REFERENCE,
    "cast": TrapKind.CAST_FAILURE,
}

OBJECTS = """(module
  (type $s (struct (field i32)))
  (func (export "new") (param i32) (result (ref $s)) (struct.new $s (local.get 0)))
  (func (export "field") (param (ref $s)) (result i32) (struct.get $s 0 (local.get 0)))
  (func (export "any") (param anyref) (result anyref) (local.get 0))
  (func (export "extern") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "back") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "garbage") (param i32) (loop $l
    (drop (struct.new $s (i32.const 1))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
)"""


@pytest.fixture(scope="module")
def engine():
    return load_engine("wasmtime")


class TestNewerFeatures:
    @pytest.mark.parametrize("name", GC_KINDS)
    def test_traps_of_references(self, instantiate, name):
        with pytest.raises(Trap) as caught:
            instantiate(GC_TRAPS)[name]()
        assert caught.value.kind is GC_KINDS[name]
        assert caught.value.backtrace[0].name == name

    def test_uncaught_exception(self, instantiate):
        exports = instantiate(
            """(module (tag $t (param i32)) (func $throw (export "throw") (throw $t (i32.const 1)))
              (func (export "ok") (result i32) (i32.const 1)))"""
        )
        for _ in range(2):
            with pytest.raises(UncaughtException) as caught:
                exports["throw"]()
            assert caught.value.backtrace[0].name == "throw"
        assert exports["ok"]() == 1

    def test_objects_are_opaque_and_can_be_passed_back(self, instantiate):
        exports = instantiate(OBJECTS)
        thing = exports["new"](42)
        exports["garbage"](200_000)
        assert exports["field"](thing) == 42
        assert exports["field"](exports["any"](thing)) == 42
        assert exports["any"](None) is None
        outside = exports["extern"](thing)
        assert exports["field"](exports["back"](outside)) == 42
        assert repr(thing).startswith("<struct ")
        assert repr(outside).startswith("<struct ")

    def test_wrong_objects(self, engine, instantiate):
        exports, other = instantiate(OBJECTS), instantiate(OBJECTS, into=engine.store())
        for value in (None, 1, exports["field"], "x"):
            with pytest.raises(TypeError):
                exports["field"](value)
        with pytest.raises(TypeError):
            exports["field"](exports["back"](object()))
        with pytest.raises(ValueError, match="another store"):
            exports["field"](other["new"](1))

    def test_a_host_object_through_the_internal_hierarchy(self, instantiate):
        exports, thing = instantiate(OBJECTS), object()
        assert exports["extern"](exports["back"](thing)) is thing

    def test_types_are_shown_by_their_abstract_heap_type(self, engine, wasm):
        types = [export.type for export in engine.compile(wasm(OBJECTS)).exports]
        assert types[0] == FuncType((I32,), (RefType(False, AbsHeapType.STRUCT),))
        assert types[2] == FuncType((RefType(True, AbsHeapType.ANY),), (RefType(True, AbsHeapType.ANY),))

    def test_host_function_with_a_defined_type(self, store, instantiate):
        inner = FuncType((), (I32,))
        t = RefType(False, functype_deftype(inner))
        f = store.func_alloc(FuncType((t,), (I32,)), lambda g: g() + 1)
        exports = instantiate(
            """(module (type $i (func (result i32))) (import "h" "f" (func $f (param (ref $i)) (result i32)))
              (func $six (type $i) (i32.const 6)) (elem declare func $six)
              (func (export "run") (result i32) (call $f (ref.func $six))))""",
            [f],
        )
        assert exports["run"]() == 7
        with pytest.raises(TypeError):
            f(None)
        with pytest.raises(TypeError):
            f(f)

    def test_v128(self, store, instantiate):
        f = store.func_alloc(FuncType((V128,), (V128,)), lambda i: i ^ 1)
        exports = instantiate(
            """(module (import "h" "f" (func $f (param v128) (result v128)))
              (func (export "f") (param v128) (result v128) (call $f (local.get 0)))
              (func (export "lane") (param v128) (result i32) (i32x4.extract_lane 3 (local.get 0))))""",
            [f],
        )
        assert exports["f"](2**128 - 1) == 2**128 - 2
        assert exports["lane"](5 << 96) == 5
        for value in (-1, 2**128, 1.0, bytes(16), True):
            with pytest.raises(TypeError):
                exports["f"](value)
        assert store.global_alloc(GlobalType(False, V128), 3 << 64).value == 3 << 64

    def test_64_bit_memory_and_table(self, store, engine, wasm, instantiate):
        module = engine.compile(
            wasm(
                """(module (table $u 1 funcref) (table (export "t") i64 2 0x1000000000000 externref)
                  (memory (export "m") i64 1 0x1000000000))"""
            )
        )
        assert [export.type for export in module.exports] == [
            TableType(AddrType.I64, Size(2, 2**48), EXTERNREF),
            MemType(AddrType.I64, Size(1, 2**36)),
        ]
        exports = store.instantiate(module, ()).exports
        assert exports["t"].grow(1, "x") == 2
        assert exports["t"].get(2) == "x"
        assert exports["m"].grow(1) == 1
        t = store.table_alloc(TableType(AddrType.I64, Size(3, 7), FUNCREF), None)
        assert (t.size, t.type) == (3, TableType(AddrType.I64, Size(3, 7), FUNCREF))
        m = store.mem_alloc(MemType(AddrType.I64, Size(1, 2)))
        assert m.type.addrtype is AddrType.I64
        instantiate('(module (import "a" "t" (table i64 3 8 funcref)) (import "a" "m" (memory i64 1)))', [t, m])
        with pytest.raises(Unlinkable):
            instantiate('(module (import "a" "t" (table 3 funcref)))', [t])

    def test_tables_with_initial_values(self, engine, wasm):
        module = engine.compile(
            wasm(
                """(module (import "a" "f" (func)) (import "a" "t" (table 4 5 (ref null func)))
                  (import "a" "g" (global (ref i31))) (import "a" "m" (memory 1))
                  (type $s (struct (field v128 f32 f64)))
                  (table 1 (ref func) (ref.func 0))
                  (table 2 3 (ref i31) (ref.i31 (i32.add (i32.const -1) (i32.const 300))))
                  (table 3 structref (struct.new $s (v128.const i64x2 11 11) (f32.const 1) (f64.const 1)))
                  (table (export "last") 7 9 externref) (export "first" (table 0)) (start 0))"""
            )
        )
        assert [export.type.limits for export in module.exports] == [Size(7, 9), Size(4, 5)]
        assert module.imports[1].type.limits == Size(4, 5)

    def test_tags_of_defined_types_are_made_by_modules_only(self, store, instantiate):
        types = "(rec (type $s (struct)) (type $f (func (param i32))))"
        tag = instantiate(f'(module {types} (tag (export "t") (type $f)))')["t"]
        assert tag.type == TagType(functype_deftype(FuncType((I32,), ())))
        assert instantiate(f'(module {types} (import "m" "t" (tag (type $f))) (export "t" (tag 0)))', [tag])["t"] is tag
        with pytest.raises(Unlinkable):
            instantiate('(module (import "m" "t" (tag (param i32))))', [tag])
        open_type = roll(RecType((SubType(False, (), FuncType((I32,), ())),)))[0]
        with pytest.raises(ValueError, match="outside of a module"):
            store.tag_alloc(TagType(open_type))

    def test_a_memory_without_maximum_limits_the_heap(self, engine, instantiate):
        text = """(module {memory} (type $a (array i32)) (func (export "new") (param i32) (result i32)
              (array.len (array.new $a (i32.const 1) (local.get 0)))))"""
        store = engine.store(Limits(max_memory_pages=16))
        free, bound = (instantiate(text.format(memory=memory), into=store) for memory in ("", "(memory 1)"))
        for exports in (free, bound):
            for size in (2**20, 2**28, -1):
                with pytest.raises(Exhaustion) as caught:
                    exports["new"](size)
                assert caught.value.what is ExhaustionKind.HEAP
            assert exports["new"](1000) == 1000
        alone = instantiate(text.format(memory=""), into=engine.store(Limits(max_memory_pages=16)))
        assert alone["new"](2**20) == 2**20

    def test_a_raised_limit_while_code_runs(self, engine, instantiate):
        store = engine.store(Limits(max_heap_fields=0, max_memory_pages=4))
        inner = []
        text = '(module (memory (export "m") 1 4))'
        host = store.func_alloc(FuncType((), ()), lambda: inner.append(instantiate(text, into=store)))
        exports = instantiate(
            """(module (type $a (array i64)) (import "h" "f" (func $f))
              (func (export "f") (result i32)
                (call $f) (array.len (array.new_default $a (i32.const 30000)))))""",
            [host],
            store,
        )
        assert exports["f"]() == 30000
        assert inner[0]["m"].grow(3) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "(module (memory 1 1 shared))",
            "(module (memory 1 1 (pagesize 1)))",
            "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
            "(module (func (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) drop drop))",
        ],
    )
    def test_other_proposals_are_malformed(self, engine, wasm, text):
        with pytest.raises(Malformed):
            engine.compile(wasm(text))


class TestRejection:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("failed to parse WebAssembly module\n\nCaused by:\n    unexpected end-of-file (at offset 0x1f)\n",
             Malformed("unexpected end-of-file", 0x1F)),
            ("failed to compile: wasm[0]::function[12]::name\n\nCaused by:\n    0: WebAssembly translation error\n"
             "    1: Invalid input WebAssembly code at offset 30: type mismatch: expected i32, found i64\n",
             Invalid("type mismatch: expected i32, found i64", function=12, offset=30)),
            ("failed to parse WebAssembly module\n\nCaused by:\n    duplicate export name `a` already defined "
             "(at offset 0x20)\n", Invalid("duplicate export name `a` already defined", offset=0x20)),
            ("something new", Invalid("something new")),
        ],
    )  # fmt: skip
    def test_texts(self, text, expected):
        found = rejection(text)
        assert type(found) is type(expected)
        assert vars(found) == vars(expected)

    def test_an_export_name_cannot_disguise_the_phase(self, engine, wasm):
        name = "malformed (at offset 0x0)\\nCaused by:\\n unexpected end"
        with pytest.raises(Invalid):
            engine.compile(wasm(f'(module (func (export "{name}")) (func (export "{name}")))'))
