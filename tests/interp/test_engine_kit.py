"""The engine kit, part 1: types, values and calls, host functions, re-entrancy. Runs on every engine."""

from __future__ import annotations

import gc
import math
import struct
import threading
import weakref

import pytest

from interp.engine import Func
from interp.errors import Trap, TrapKind
from interp.execution.values import F32NaN, fbits, inv_fbits
from interp.syntax.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    AddrType,
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemType,
    TableType,
)

IDENTITIES = """(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "funcref") (param funcref) (result funcref) (local.get 0))
  (func (export "externref") (param externref) (result externref) (local.get 0))
  (func (export "none"))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
)"""

CALLER = """(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (func $call (export "call") (param i32) (result i32) (call $f (local.get 0)))
  (func (export "inc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
)"""

I32_TO_I32 = FuncType((I32,), (I32,))


class TestTypes:
    def test_imports(self, engine, wasm):
        module = engine.compile(
            wasm("""(module
              (import "a" "f" (func (param i32 f64) (result i64)))
              (import "a" "m" (memory 1 5))
              (import "a" "t" (table 2 funcref))
              (import "b" "t" (table 0 7 externref))
              (import "ü" "" (global (mut f32))))""")
        )
        assert module.imports == (
            ImportType("a", "f", FuncType((I32, F64), (I64,))),
            ImportType("a", "m", MemType(AddrType.I32, Limits(1, 5))),
            ImportType("a", "t", TableType(AddrType.I32, Limits(2, None), FUNCREF)),
            ImportType("b", "t", TableType(AddrType.I32, Limits(0, 7), EXTERNREF)),
            ImportType("ü", "", GlobalType(True, F32)),
        )
        assert module.exports == ()

    def test_exports(self, engine, wasm):
        module = engine.compile(
            wasm("""(module
              (import "a" "t" (table 3 4 externref))
              (table $own 1 funcref)
              (func (export "f") (param externref) (result i32 i32) (i32.const 1) (i32.const 2))
              (memory (export "m") 2)
              (export "own" (table $own))
              (global (export "g") i64 (i64.const 1))
              (export "imported" (table 0)))""")
        )
        assert module.exports == (
            ExportType("f", FuncType((EXTERNREF,), (I32, I32))),
            ExportType("m", MemType(AddrType.I32, Limits(2, None))),
            ExportType("own", TableType(AddrType.I32, Limits(1, None), FUNCREF)),
            ExportType("g", GlobalType(False, I64)),
            ExportType("imported", TableType(AddrType.I32, Limits(3, 4), EXTERNREF)),
        )

    def test_exports_of_an_instance(self, instantiate):
        exports = instantiate(IDENTITIES)
        assert list(exports)[:3] == ["i32", "i64", "f32"]
        assert isinstance(exports["swap"], Func)
        assert exports["swap"].type == FuncType((I32, I64), (I64, I32))
        assert "missing" not in exports
        with pytest.raises(KeyError):
            exports["missing"]


class TestNumbers:
    @pytest.mark.parametrize("name", ["i32", "i64"])
    def test_integers_of_either_sign_come_back_signed(self, instantiate, name):
        f, N = instantiate(IDENTITIES)[name], int(name[1:])
        half = 1 << (N - 1)
        for i in (0, 1, -1, half - 1, -half, half, 2 * half - 1):
            assert f(i) == (i + half) % (2 * half) - half

    @pytest.mark.parametrize("name", ["i32", "i64"])
    def test_integers_out_of_range(self, instantiate, name):
        f, N = instantiate(IDENTITIES)[name], int(name[1:])
        for i in (1 << N, -(1 << (N - 1)) - 1, 10**40):
            with pytest.raises(TypeError):
                f(i)

    @pytest.mark.parametrize("name", ["i32", "i64"])
    @pytest.mark.parametrize("value", [True, 1.0, "1", None, b"1"])
    def test_no_integers(self, instantiate, name, value):
        with pytest.raises(TypeError):
            instantiate(IDENTITIES)[name](value)

    @pytest.mark.parametrize("name", ["f32", "f64"])
    def test_floats(self, instantiate, name):
        f = instantiate(IDENTITIES)[name]
        for value in (0.0, -0.0, 1.5, -2.25, math.inf, -math.inf, 2.0**-126):
            result = f(value)
            assert struct.pack("d", result) == struct.pack("d", value)
        assert f(3) == 3.0
        assert type(f(3)) is float

    @pytest.mark.parametrize("name", ["f32", "f64"])
    @pytest.mark.parametrize("value", [True, "1.0", None, 1j, 10**400])
    def test_no_floats(self, instantiate, name, value):
        with pytest.raises(TypeError):
            instantiate(IDENTITIES)[name](value)

    def test_f32_is_rounded(self, instantiate):
        f = instantiate(IDENTITIES)["f32"]
        assert f(0.1) == struct.unpack("f", struct.pack("f", 0.1))[0]
        assert f(1e39) == math.inf
        assert f(-1e39) == -math.inf
        assert f(1e-50) == 0.0

    @pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFA5A5A5, 0x7FFFFFFF, 0x7F812345])
    def test_f32_nan_keeps_its_bits(self, instantiate, bits):
        result = instantiate(IDENTITIES)["f32"](F32NaN(bits))
        assert math.isnan(result)
        assert fbits(32, result) == bits

    @pytest.mark.parametrize("bits", [0x7FF8 << 48, 0xFFF8 << 48, (0x7FF0 << 48) + 1, 0xFFF4_5678_9ABC_DEF0])
    def test_f64_nan_keeps_its_bits(self, instantiate, bits):
        result = instantiate(IDENTITIES)["f64"](inv_fbits(64, bits))
        assert math.isnan(result)
        assert fbits(64, result) == bits

    def test_nan_bits_inside(self, instantiate):
        exports = instantiate("""(module
          (func (export "bits") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
          (func (export "float") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0))))""")
        assert exports["bits"](F32NaN(0x7F800123)) == 0x7F800123
        assert fbits(32, exports["float"](0x7FA00001)) == 0x7FA00001


class TestCalls:
    def test_no_one_and_several_results(self, instantiate):
        exports = instantiate(IDENTITIES)
        assert exports["none"]() is None
        assert exports["i32"](7) == 7
        assert exports["swap"](1, -2) == (-2, 1)

    @pytest.mark.parametrize("args", [(), (1,), (1, 2, 3)])
    def test_number_of_arguments(self, instantiate, args):
        with pytest.raises(TypeError):
            instantiate(IDENTITIES)["add"](*args)

    def test_an_instance_serves_again_after_wrong_arguments(self, instantiate):
        add = instantiate(IDENTITIES)["add"]
        with pytest.raises(TypeError):
            add(1, "2")
        assert add(1, 2) == 3

    def test_externref_is_the_same_object(self, instantiate):
        f = instantiate(IDENTITIES)["externref"]
        for value in (object(), "text", 0, False, [], f, lambda: None):
            assert f(value) is value
        assert f(None) is None

    def test_funcref_is_the_same_function(self, instantiate):
        exports = instantiate(IDENTITIES)
        same = exports["funcref"](exports["add"])
        assert same == exports["add"]
        assert hash(same) == hash(exports["add"])
        assert same != exports["swap"]
        assert same(1, 2) == 3
        assert same.type == FuncType((I32, I32), (I32,))
        assert exports["funcref"](None) is None

    @pytest.mark.parametrize("value", [1, "f", len, object()])
    def test_no_funcref(self, instantiate, value):
        with pytest.raises(TypeError):
            instantiate(IDENTITIES)["funcref"](value)

    def test_funcref_of_another_store(self, engine, instantiate):
        exports, other = instantiate(IDENTITIES), instantiate(IDENTITIES, into=engine.store())
        with pytest.raises(ValueError, match="another store"):
            exports["funcref"](other["add"])
        assert exports["add"](1, 1) == 2


class TestHostFunctions:
    def test_arguments_and_results(self, store, instantiate):
        types, seen = (I32, I64, F32, F64, EXTERNREF, FUNCREF), []

        def host(*args):
            seen.append(args)
            return args

        f = store.func_alloc(FuncType(types, types), host)
        assert f.type == FuncType(types, types)
        letters = " ".join(map(str, types))
        exports = instantiate(
            f"""(module (import "host" "f" (func $f (param {letters}) (result {letters})))
              (func (export "f") (param {letters}) (result {letters})
                (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5))))""",
            [f],
        )
        thing = object()
        args = (2**32 - 1, 2**64 - 2, 1.5, -0.0, thing, f)
        assert exports["f"](*args) == (-1, -2, 1.5, -0.0, thing, f)
        assert seen == [(-1, -2, 1.5, -0.0, thing, f)]
        assert [type(arg) for arg in seen[0][:4]] == [int, int, float, float]

    def test_nan_bits(self, store, instantiate):
        seen = []
        f = store.func_alloc(FuncType((F32,), (F32,)), lambda z: seen.append(fbits(32, z)) or F32NaN(0xFF800042))
        exports = instantiate(
            """(module (import "host" "f" (func $f (param f32) (result f32)))
              (func (export "f") (param i32) (result i32)
                (i32.reinterpret_f32 (call $f (f32.reinterpret_i32 (local.get 0))))))""",
            [f],
        )
        assert exports["f"](0x7F800001) == 0xFF800042 - 2**32
        assert seen == [0x7F800001]

    def test_called_from_python(self, store):
        assert store.func_alloc(I32_TO_I32, lambda i: i + 1)(2**32 - 1) == 0
        assert store.func_alloc(FuncType((), ()), lambda: None)() is None

    @pytest.mark.parametrize("bad", [None, "1", 1.5, True, 2**32, (1,), [1, 2]])
    def test_wrong_result(self, store, instantiate, bad):
        results = [bad, 5]
        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, lambda _: results.pop(0))])
        with pytest.raises(TypeError):
            exports["call"](0)
        assert exports["call"](0) == 5

    @pytest.mark.parametrize(
        ("types", "bad"), [((), 1), ((), ()), ((I32, I32), 1), ((I32, I32), (1,)), ((I32, I32), (1, 2, 3))]
    )
    def test_wrong_number_of_results(self, store, types, bad):
        with pytest.raises(TypeError):
            store.func_alloc(FuncType((), types), lambda: bad)()

    def test_list_as_results(self, store):
        assert store.func_alloc(FuncType((), (I32, I32)), lambda: [1, 2])() == (1, 2)

    def test_wrong_arguments_of_the_callable(self, store):
        with pytest.raises(TypeError, match="positional"):
            store.func_alloc(I32_TO_I32, lambda: 1)(1)

    @pytest.mark.parametrize(
        "raised",
        [ValueError("x"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(), MemoryError(),
         type("Own", (BaseException,), {})(), Trap(TrapKind.UNREACHABLE)],
        ids=lambda raised: type(raised).__name__,
    )  # fmt: skip
    def test_whatever_is_raised_passes_unchanged(self, store, instantiate, raised):
        calls = [raised, None]

        def host(i):
            error = calls.pop(0)
            if error is not None:
                raise error
            return i * 2

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        with pytest.raises(BaseException) as caught:  # noqa: PT011 — compared by identity
            exports["call"](1)
        assert caught.value is raised
        assert exports["call"](21) == 42

    def test_the_traceback_shows_the_host_function(self, store, instantiate):
        def culprit(_):
            raise ValueError("found")

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, culprit)])
        with pytest.raises(ValueError, match="found") as caught:
            exports["call"](1)
        assert "culprit" in [entry.name for entry in caught.traceback]


class TestReentrancy:
    def test_host_calls_back(self, store, instantiate):
        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, lambda i: exports["inc"](exports["inc"](i)))])
        assert exports["call"](5) == 7

    def test_recursion_through_the_host(self, store, instantiate):
        def host(i):
            return 0 if i == 0 else exports["call"](i - 1) + i

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        assert exports["call"](10) == 55
        assert exports["call"](10) == 55

    def test_exception_passes_several_levels(self, store, instantiate):
        raised = KeyError("deep")

        def host(i):
            if i == 0:
                raise raised
            return exports["call"](i - 1)

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        with pytest.raises(KeyError) as caught:
            exports["call"](5)
        assert caught.value is raised
        assert exports["inc"](1) == 2

    def test_host_may_catch_what_an_inner_call_raises(self, store, instantiate):
        def host(i):
            if i == 0:
                raise KeyError
            try:
                return exports["call"](i - 1)
            except KeyError:
                return 100

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        assert exports["call"](3) == 100

    def test_host_may_catch_a_trap(self, store, instantiate):
        def host(i):
            with pytest.raises(Trap):
                other["trap"]()
            return i

        other = instantiate('(module (func (export "trap") unreachable))')
        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        assert exports["call"](3) == 3

    def test_instantiation_inside_a_host_function(self, store, instantiate):
        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, lambda i: instantiate(IDENTITIES)["add"](i, 1))])
        assert exports["call"](3) == 4


class TestThreads:
    def test_two_threads_at_once(self, store, instantiate):
        outcome = []

        def other():
            try:
                exports["inc"](1)
            except BaseException as error:
                outcome.append(error)

        def host(i):
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            return i

        exports = instantiate(CALLER, [store.func_alloc(I32_TO_I32, host)])
        assert exports["call"](1) == 1
        assert [type(error) for error in outcome] == [RuntimeError]
        assert exports["inc"](1) == 2

    def test_one_thread_after_the_other(self, instantiate):
        exports, results = instantiate(IDENTITIES), []
        thread = threading.Thread(target=lambda: results.append(exports["add"](1, 2)))
        thread.start()
        thread.join()
        assert [*results, exports["add"](3, 4)] == [3, 7]


class TestGarbage:
    def test_a_store_is_freed_with_its_host_functions(self, engine, wasm):
        class Host:
            def __call__(self, i):
                return i

        host, store = Host(), engine.store()
        exports = store.instantiate(engine.compile(wasm(CALLER)), [store.func_alloc(I32_TO_I32, host)]).exports
        assert exports["call"](4) == 4
        gone = [weakref.ref(host), weakref.ref(store)]
        del host, store, exports
        gc.collect()
        assert [ref() for ref in gone] == [None, None]

    def test_cycles_through_host_functions_and_references(self, engine, wasm):
        class Thing:
            def host(self, i):
                return self.exports["inc"](i)

        store, thing = engine.store(), Thing()
        f = store.func_alloc(I32_TO_I32, thing.host)
        thing.exports = store.instantiate(engine.compile(wasm(CALLER)), [f]).exports
        table = store.table_alloc(TableType(AddrType.I32, Limits(1, None), EXTERNREF), thing)
        assert table.get(0) is thing
        assert thing.exports["call"](1) == 2
        gone = [weakref.ref(thing), weakref.ref(store)]
        del store, thing, f, table
        gc.collect()
        assert [ref() for ref in gone] == [None, None]

    def test_an_extern_keeps_its_store_alive(self, engine, wasm):
        exports = engine.store().instantiate(engine.compile(wasm(IDENTITIES)), ()).exports
        add = exports["add"]
        del exports
        gc.collect()
        assert add(20, 22) == 42
