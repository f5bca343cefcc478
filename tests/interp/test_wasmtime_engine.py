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
from interp.engines.wasmtime_stack import BYTES_PER_CALL, MIN_STACK, native_stack
from interp.engines.wasmtime_ticker import LINGER, TICK, ticks
from interp.errors import (
    Exhaustion,
    ExhaustionKind,
)
from interp.syntax.types import (
    EXTERNREF,
    I32,
    FuncType,
)

SPIN = """(module (import "h" "f" (func $f (result i32)))
  (func $spin (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "run") (param i32) (result i32) (local i32)
    (loop $l (call $spin (local.get 0)) (br_if $l (i32.eqz (local.tee 1 (call $f))))) (local.get 1))
  (func (export "ok") (result i32) (i32.const 1)))"""

OBJECTS = """(module
  (type $s (struct (field i32)))
  (func (export "new") (param i32) (result (ref $s)) (struct.new $s (local.get 0)))
  (func (export "extern") (param anyref) (result externref) (extern.convert_any (local.get 0))))"""


@pytest.fixture(scope="module")
def engine():
    return load_engine("wasmtime")


class TestInterrupt:
    def test_an_interrupt_during_webassembly_is_not_lost(self, engine, instantiate):
        store = engine.store(Limits(deadline_seconds=20))
        exports = instantiate(SPIN, [store.func_alloc(FuncType((), (I32,)), lambda: 0)], into=store)

        def run_and_interrupt():
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
            exports["run"](2_000_000)

        for _ in range(5):
            with pytest.raises(KeyboardInterrupt):
                run_and_interrupt()
            assert exports["ok"]() == 1

    def test_a_recursion_error_of_its_own_passes(self, store, instantiate):
        def host():
            return host()

        exports = instantiate(SPIN, [store.func_alloc(FuncType((), (I32,)), host)])
        with pytest.raises(RecursionError):
            exports["run"](1)
        assert exports["ok"]() == 1

    @pytest.mark.parametrize("free", [20, 40, 60, 100, 300])
    def test_recursion_through_the_host_from_deep_python(self, store, instantiate, free):
        f = store.func_alloc(FuncType((), (I32,)), lambda: exports["run"](1))
        exports = instantiate(SPIN, [f])

        def deep(frames):
            return deep(frames - 1) if frames else exports["run"](1)

        used, frame = 0, sys._getframe()
        while frame is not None:
            used, frame = used + 1, frame.f_back
        with pytest.raises(Exhaustion) as caught:
            deep(sys.getrecursionlimit() - used - free)
        assert caught.value.what is ExhaustionKind.CALL_STACK
        assert store.depth == 0


class TestHostReferences:
    def test_they_need_memory(self, engine, instantiate):
        text = """(module (table $t (export "t") 0 externref)
          (func (export "keep") (param externref) (result i32) (table.grow $t (local.get 0) (i32.const 1))))"""
        few = instantiate(text, into=engine.store(Limits(max_heap_fields=1)))

        def keep_many():
            for i in range(100_000):
                few["keep"](str(i))

        with pytest.raises(Exhaustion) as caught:
            keep_many()
        assert caught.value.what is ExhaustionKind.HEAP
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
