"""What is particular to the engine `wasmtime`, beyond the engine kit."""

from __future__ import annotations

import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from interp.engine import EngineUnavailable, Limits, load_engine
from interp.engines import wasmtime_library
from interp.engines.wasmtime_errors import rejection
from interp.engines.wasmtime_stack import BYTES_PER_CALL, MIN_STACK, native_stack
from interp.engines.wasmtime_ticker import LINGER, TICK, ticks
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
    ImportType,
    MemType,
    RefType,
    TableType,
    functype_deftype,
)
from interp.syntax.types import Limits as Size

SPIN = """(module (import "h" "f" (func $f (result i32)))
  (func (export "run") (result i32) (local i64)
    (loop $l (br_if $l (i64.ne (i64.const 400000000) (local.tee 0 (i64.add (local.get 0) (i64.const 1))))))
    (call $f))
  (func (export "ok") (result i32) (i32.const 1)))"""

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


class TestInterrupt:
    def test_an_interrupt_during_webassembly_is_not_lost(self, store, instantiate):
        calls = []
        f = store.func_alloc(FuncType((), (I32,)), lambda: calls.append(1) or 7)
        exports = instantiate(SPIN, [f])
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            exports["run"]()
        timer.join()
        assert calls == []
        assert exports["ok"]() == 1

    def test_a_recursion_error_of_its_own_passes(self, store, instantiate):
        def host():
            return host()

        exports = instantiate(SPIN.replace("400000000", "1"), [store.func_alloc(FuncType((), (I32,)), host)])
        with pytest.raises(RecursionError):
            exports["run"]()
        assert exports["ok"]() == 1

    @pytest.mark.parametrize("free", [20, 40, 60, 100, 300])
    def test_recursion_through_the_host_from_deep_python(self, store, instantiate, free):
        f = store.func_alloc(FuncType((), (I32,)), lambda: exports["run"]())  # noqa: PLW0108 — defined below
        exports = instantiate(SPIN.replace("400000000", "1"), [f])

        def deep(frames):
            return deep(frames - 1) if frames else exports["run"]()

        used, frame = 0, sys._getframe()
        while frame is not None:
            used, frame = used + 1, frame.f_back
        with pytest.raises(Exhaustion) as caught:
            deep(sys.getrecursionlimit() - used - free)
        assert caught.value.what is ExhaustionKind.CALL_STACK
        assert store.depth == 0


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
        assert "anyref" in repr(thing)
        assert "externref" in repr(outside)

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

    def test_tags_have_no_extern(self, engine, store, wasm):
        module = engine.compile(wasm('(module (import "a" "t" (tag)) (import "a" "f" (func)))'))
        assert module.imports == (ImportType("a", "f", FuncType((), ())),)
        f = store.func_alloc(FuncType((), ()), lambda: None)
        with pytest.raises(Unlinkable, match="'a' 't': a tag"):
            store.instantiate(module, [f])
        module = engine.compile(wasm('(module (tag (export "t")) (func (export "f")))'))
        assert [export.name for export in module.exports] == ["f"]
        assert list(store.instantiate(module, ()).exports) == ["f"]

    def test_heap_of_objects_is_limited(self, engine, instantiate):
        exports = instantiate(
            """(module (type $a (array i32)) (func (export "new") (param i32) (result i32)
              (array.len (array.new $a (i32.const 1) (local.get 0)))))""",
            into=engine.store(Limits(max_memory_pages=16)),
        )
        for size in (2**20, 2**28, -1):
            with pytest.raises(Exhaustion) as caught:
                exports["new"](size)
            assert caught.value.what is ExhaustionKind.MEMORY
        assert exports["new"](1000) == 1000

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


class TestHostReferences:
    def test_they_need_memory(self, engine, instantiate):
        text = """(module (table $t (export "t") 0 externref)
          (func (export "keep") (param externref) (result i32) (table.grow $t (local.get 0) (i32.const 1))))"""
        none = instantiate(text, into=engine.store(Limits(max_memory_pages=0)))
        few = instantiate(text, into=engine.store(Limits(max_memory_pages=1)))
        with pytest.raises(Exhaustion) as caught:
            none["keep"]("x")
        assert caught.value.what is ExhaustionKind.MEMORY
        with pytest.raises(Exhaustion) as caught:
            for i in range(100_000):
                few["keep"](str(i))
        assert caught.value.what is ExhaustionKind.MEMORY
        assert few["t"].get(7) == "7"


class TestConfigurations:
    def test_one_compilation_for_each_kind_of_store(self, engine, wasm):
        module = engine.compile(wasm('(module (func (export "f") (result i32) (i32.const 3)))'))
        for limits in (
            Limits(),
            Limits(max_call_depth=300),
            Limits(max_call_depth=10**9),
            Limits(fuel=100),
            Limits(fuel=100, max_call_depth=300),
            Limits(deadline_seconds=1.5),
            Limits(deadline_seconds=float("inf")),
            Limits(fuel=2**64 - 1, deadline_seconds=1e300),
        ):
            assert engine.store(limits).instantiate(module, ()).exports["f"]() == 3

    @pytest.mark.parametrize(
        "limits",
        [
            Limits(fuel=-1),
            Limits(fuel=2**64),
            Limits(deadline_seconds=-0.5),
            Limits(deadline_seconds=float("nan")),
            Limits(max_memory_pages=-1),
            Limits(max_table_elements=-1),
            Limits(max_call_depth=-1),
        ],
    )
    def test_limits_out_of_range(self, engine, limits):
        with pytest.raises(ValueError, match=r"not (in range|a time)"):
            engine.store(limits)

    def test_limits_without_bound(self, engine, instantiate):
        store = engine.store(Limits(max_memory_pages=2**62, max_table_elements=2**70))
        assert instantiate('(module (memory (export "m") 1))', into=store)["m"].grow(1) == 1

    def test_stack(self, engine):
        assert engine.config(Limits(max_call_depth=1)).stack == MIN_STACK
        assert engine.config(Limits(max_call_depth=1000)).stack == 1000 * BYTES_PER_CALL
        assert engine.config(Limits(max_call_depth=10**12)).stack == native_stack() // 2

    def test_small_native_stacks(self, engine, wasm):
        before, outcome = threading.stack_size(512 * 1024), []

        def run():
            module = engine.compile(wasm('(module (func $f (export "f") (call $f) (drop (i32.const 1))))'))
            try:
                engine.store(Limits(max_call_depth=10**6)).instantiate(module, ()).exports["f"]()
            except Exhaustion as error:
                outcome.append(error.what)

        try:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        finally:
            threading.stack_size(before)
        assert outcome == [ExhaustionKind.CALL_STACK]

    def test_chains_of_stores_share_the_native_stack(self, engine, wasm):
        module = engine.compile(
            wasm("""(module (import "h" "f" (func $f))
              (func $down (export "down") (param i32) (result i32)
                (if (result i32) (local.get 0)
                  (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                  (else (call $f) (i32.const 0)))))""")
        )
        reached, chain = [], []

        def host(i):
            reached.append(i)
            if i + 1 < len(chain):
                chain[i + 1](60_000)

        for i in range(20):
            store = engine.store()
            f = store.func_alloc(FuncType((), ()), functools.partial(host, i))
            chain.append(store.instantiate(module, [f]).exports["down"])
        with pytest.raises(Exhaustion) as caught:
            chain[0](60_000)
        assert caught.value.what is ExhaustionKind.CALL_STACK
        assert 2 <= len(reached) < 10
        assert chain[-1](10) == 10
        assert reached[-1] == 19


class TestClock:
    def test_ticks_are_enough(self):
        assert ticks(0) == 1
        assert ticks(TICK) == 2
        assert ticks(1.0) * TICK > 1.0
        assert ticks(float("inf")) < 2**62

    def test_thread_runs_only_when_needed(self, wasm):
        engine = load_engine("wasmtime")
        module = engine.compile(wasm('(module (func (export "f")))'))
        engine.store().instantiate(module, ())
        assert not engine.ticker.running
        exports = engine.store(Limits(deadline_seconds=5)).instantiate(module, ()).exports
        assert engine.ticker.running
        exports["f"]()
        deadline = time.monotonic() + 20 * LINGER
        while engine.ticker.running and time.monotonic() < deadline:
            time.sleep(LINGER / 10)
        assert not engine.ticker.running
        exports["f"]()
        assert engine.ticker.running

    def test_stores_of_several_threads(self, engine, wasm):
        module = engine.compile(wasm('(module (func (export "f") (loop $l (br $l))))'))
        outcome = []

        def run():
            exports = engine.store(Limits(deadline_seconds=0.05)).instantiate(module, ()).exports
            try:
                exports["f"]()
            except Exhaustion as error:
                outcome.append(error.what)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcome == [ExhaustionKind.DEADLINE] * 4


class TestGarbage:
    def test_host_objects_are_freed(self, engine, instantiate):
        class Thing:
            pass

        store = engine.store()
        f = instantiate('(module (func (export "f") (param externref) (result externref) (local.get 0)))', into=store)[
            "f"
        ]
        gone = []
        for _ in range(20_000):
            thing = Thing()
            assert f(thing) is thing
            gone.append(weakref.ref(thing))
        del thing
        assert sum(ref() is None for ref in gone) > 10_000
        del store, f
        gc.collect()
        assert all(ref() is None for ref in gone)

    def test_references_in_a_cycle_with_their_store(self, engine, instantiate):
        for _ in range(20):
            store = engine.store()
            exports = instantiate(OBJECTS, into=store)
            cycle = [exports["new"](1), exports["extern"](exports["new"](2))]
            cycle.append(store.func_alloc(FuncType((), ()), cycle.clear))
            gone = weakref.ref(store)
            del store, exports, cycle
            gc.collect()
            assert gone() is None

    def test_wrong_host_results_leave_no_roots(self, engine):
        store = engine.store()
        things = [type("Thing", (), {})() for _ in range(100)]
        gone = [weakref.ref(thing) for thing in things]
        f = store.func_alloc(FuncType((), (EXTERNREF, I32)), lambda: (things.pop(), "wrong"))
        for _ in range(100):
            with pytest.raises(TypeError):
                f()
        del store, f
        gc.collect()
        assert all(ref() is None for ref in gone)


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(wasmtime_library, "version", lambda _: "49.0.1")
    with pytest.raises(EngineUnavailable, match=r"49\.0\.1 is installed"):
        wasmtime_library.library_path()


def test_without_the_package_the_extra_is_named():
    code = """if True:
        import sys
        sys.modules["wasmtime"] = None
        from interp.engine import EngineUnavailable, load_engine
        try:
            load_engine("wasmtime")
        except EngineUnavailable as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'wascc[wasmtime]'" in run.stdout
