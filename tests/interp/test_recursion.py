"""Recursion without end is Exhaustion, whatever it goes through, and leaves a store that can be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interp.engine import Engine, Limits, Store, load_engine
from interp.errors import Exhaustion, ExhaustionKind
from interp.syntax.types import FuncType
from tests_support import parse

ROOT = Path(__file__).parents[2]
NOTHING = FuncType((), ())

MODULES = {
    "call": '(func $f (export "f") (call $f))',
    "call-with-result": '(func $f (export "f") (result i32) (call $f))',
    "call-with-operands": """
        (func $g (param i64 f64) (result f64) (call $g (local.get 0) (call $g (local.get 0) (local.get 1))))
        (func (export "f") (drop (call $g (i64.const 1) (f64.const 2))))""",
    "mutual": '(func $f (export "f") (call $g)) (func $g (call $h)) (func $h (call $f))',
    "call_indirect": """
        (type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
        (func $f (export "f") (call_indirect (type $t) (i32.const 0)))""",
    "call_ref": """
        (type $t (func)) (elem declare func $f)
        (func $f (export "f") (type $t) (call_ref $t (ref.func $f)))""",
    "in-blocks": '(func $f (export "f") (block (loop (if (i32.const 1) (then (call $f))))))',
    "in-a-handler": '(func $f (export "f") (block (try_table (catch_all 0) (call $f))))',
    "from-a-handler": """
        (tag $e)
        (func $f (export "f") (block (try_table (catch $e 0) (throw $e)) (return)) (call $f))""",
    "before-a-tail-call": '(func $f (export "f") (call $f) (return_call $f))',
    "through-a-tail-call": '(func $f (export "f") (call $g)) (func $g (return_call $f))',
    "many-locals": f'(func $f (export "f") (local {"i64 " * 10_000}) (call $f))',
    "many-operands": f'(func $f (export "f") {"(i32.const 1) " * 300} (call $f) {"drop " * 300})',
    "many-parameters": f"""
        (func $g (param {"i64 " * 500}) (call $g {"(i64.const 1) " * 500}))
        (func (export "f") (call $g {"(i64.const 1) " * 500}))""",
    "objects": """
        (type $s (struct (field (ref null $s))))
        (func $g (param (ref null $s)) (call $g (struct.new $s (local.get 0))))
        (func (export "f") (call $g (ref.null $s)))""",
}
"""Functions "f" that never return."""


@pytest.mark.parametrize("name", MODULES)
def test_recursion_is_exhaustion_again_and_again(name: str, engine: Engine) -> None:
    store = engine.store(Limits(max_call_depth=1000))
    text = f'(module {MODULES[name]} (func (export "alive") (result i32) (i32.const 7)))'
    exports: Any = store.instantiate(engine.compile(parse(text)), []).exports
    for _ in range(2):
        with pytest.raises(Exhaustion) as caught:
            exports["f"]()
        assert caught.value.what is ExhaustionKind.CALL_STACK
        assert exports["alive"]() == 7


@pytest.mark.parametrize("depth", [0, 1, 10, 30_000])
def test_recursion_within_any_limit_is_exhaustion(depth: int, engine: Engine) -> None:
    store = engine.store(Limits(max_call_depth=depth))
    exports: Any = store.instantiate(engine.compile(parse(f"(module {MODULES['call']})")), []).exports
    with pytest.raises(Exhaustion) as caught:
        exports["f"]()
    assert caught.value.what is ExhaustionKind.CALL_STACK


@pytest.mark.parametrize(
    "body", ["(return_call $f)", "(block (loop (return_call $f)))", "(return_call_indirect (type $t) (i32.const 0))"]
)
def test_tail_calls_take_no_stack_but_fuel(body: str, engine: Engine) -> None:
    text = f'(module (type $t (func)) (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") {body}))'
    store = engine.store(Limits(fuel=20_000, max_call_depth=50))
    exports: Any = store.instantiate(engine.compile(parse(text)), []).exports
    with pytest.raises(Exhaustion) as caught:
        exports["f"]()
    assert caught.value.what is ExhaustionKind.FUEL


def test_a_start_function_that_calls_itself(engine: Engine) -> None:
    store = engine.store()
    module = engine.compile(parse("(module (func $f (call $f)) (start $f))"))
    for _ in range(2):
        with pytest.raises(Exhaustion) as caught:
            store.instantiate(module, [])
        assert caught.value.what is ExhaustionKind.CALL_STACK


FIRST = """(module (type $t (func)) (table (export "t") 1 funcref)
  (func (export "f") (call_indirect (type $t) (i32.const 0))))"""
SECOND = """(module (import "m" "t" (table 1 funcref)) (import "m" "f" (func $f))
  (elem (i32.const 0) $g) (func $g (export "g") (call $f)))"""


def test_two_instances_that_call_each_other(engine: Engine) -> None:
    store = engine.store()
    first: Any = store.instantiate(engine.compile(parse(FIRST)), []).exports
    other: Any = store.instantiate(engine.compile(parse(SECOND)), [first["t"], first["f"]]).exports
    for func in (first["f"], other["g"], first["f"]):
        with pytest.raises(Exhaustion) as caught:
            func()
        assert caught.value.what is ExhaustionKind.CALL_STACK


IMPORTING = '(module (import "h" "f" (func $h)) (func (export "g") (call $h)))'
STARTING = '(module (import "h" "f" (func $h)) (start $h))'


def test_guest_and_host_that_call_each_other(engine: Engine) -> None:
    store = engine.store()
    found: list[Any] = []

    def call() -> None:
        found[0]()

    module = engine.compile(parse(IMPORTING))
    found.append(store.instantiate(module, [store.func_alloc(NOTHING, call)]).exports["g"])
    for _ in range(3):
        with pytest.raises(Exhaustion) as caught:
            found[0]()
        assert caught.value.what is ExhaustionKind.CALL_STACK


def test_guests_of_two_stores_that_call_each_other(engine: Engine) -> None:
    module = engine.compile(parse(IMPORTING))
    stores = [engine.store(), engine.store()]
    guests: list[Any] = []
    for index, store in enumerate(stores):
        host = store.func_alloc(NOTHING, lambda other=1 - index: guests[other]())
        guests.append(store.instantiate(module, [host]).exports["g"])
    for guest in (*guests, *guests):
        with pytest.raises(Exhaustion) as caught:
            guest()
        assert caught.value.what is ExhaustionKind.CALL_STACK


def chain(engine: Engine, text: str, call: Callable[[Any], None]) -> Callable[[], None]:
    """A function that makes a store whose guest calls a host function that does the same, without end."""
    module = engine.compile(parse(text))

    def go() -> None:
        store: Store = engine.store()
        call(store.instantiate(module, [store.func_alloc(NOTHING, go)]).exports)

    return go


@pytest.mark.parametrize("text", [IMPORTING, STARTING], ids=["call", "start"])
def test_stores_in_stores(text: str, engine: Engine) -> None:
    go = chain(engine, text, lambda exports: exports["g"]() if exports else None)
    for _ in range(2):
        with pytest.raises(Exhaustion) as caught:
            go()
        assert caught.value.what is ExhaustionKind.CALL_STACK


@pytest.mark.parametrize("text", [STARTING, IMPORTING], ids=["start", "call"])
def test_instances_in_instances_of_one_store(text: str, engine: Engine) -> None:
    store, module = engine.store(), engine.compile(parse(text))
    calls: list[int] = []

    def go() -> None:
        calls.append(1)
        instance: Any = store.instantiate(module, [host])
        if "g" in instance.exports:
            instance.exports["g"]()

    host = store.func_alloc(NOTHING, go)
    for _ in range(2):
        with pytest.raises(Exhaustion) as caught:
            go()
        assert caught.value.what is ExhaustionKind.CALL_STACK
    assert len(calls) > 4


SCRIPT = """
import sys, threading
from interp.engine import Limits, load_engine
from interp.errors import Exhaustion
from interp.syntax.types import FuncType
from tests_support import parse

def run():
    engine = load_engine("{engine}")
    for text in {texts!r}:
        store = engine.store(Limits(max_call_depth={depth}))
        found = []
        host = store.func_alloc(FuncType((), ()), lambda: found[0]())
        module = engine.compile(parse(text))
        found.append(store.instantiate(module, [host] * len(module.imports)).exports["f"])
        for _ in range(2):
            try:
                found[0]()
            except Exhaustion as error:
                done.append(error.what.name)

done = []
threading.stack_size({stack})
sys.setrecursionlimit({recursion})
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(*done)
"""

DEEP = [f"(module {MODULES[name]})" for name in ("call", "in-a-handler", "many-locals", "many-parameters")]
DEEP.append('(module (import "h" "h" (func $h)) (func $f (export "f") (call $h)))')
DEEP.append('(module (import "h" "h" (func $h)) (func $f (export "f") (call $g)) (func $g (call $h) (call $f)))')


# Stack of the thread in bytes (0: as usual), Python's limit of recursion, the limit of calls.
SURROUNDINGS = [
    ("reference", 512 << 10, 1000, 2_000),
    ("reference", 0, 20_000, 2_000),
    ("wasmtime", 512 << 10, 1000, 10_000),
    ("wasmtime", 0, 20_000, 10_000),
    ("wasmtime", 0, 1000, 1_000_000),
    ("wasmtime", 1 << 20, 5000, 10**9),
]


@pytest.mark.parametrize(("engine_name", "stack", "recursion", "depth"), SURROUNDINGS)
def test_no_stack_is_too_small(engine_name: str, stack: int, recursion: int, depth: int) -> None:
    script = SCRIPT.format(engine=engine_name, texts=DEEP, stack=stack, recursion=recursion, depth=depth)
    done = subprocess.run(
        [sys.executable, "-"],
        input=script,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["CALL_STACK"] * (2 * len(DEEP))


@pytest.mark.parametrize(
    "body",
    [
        "(block " * 1000 + "(call $f)" + ")" * 1000,
        "(i32.const 7) " * 5000 + "(call $f)" + " drop" * 5000,
    ],
    ids=["blocks", "operands"],
)
def test_what_waits_for_a_call_counts_as_its_locals_do(body: str) -> None:
    wasm = parse(
        '(module (global $calls (export "calls") (mut i32) (i32.const 0)) (func $f (export "f")'
        f" (global.set $calls (i32.add (global.get $calls) (i32.const 1))) {body}))"
    )
    engine = load_engine("reference")
    instance = engine.store(Limits(max_call_depth=2000)).instantiate(engine.compile(wasm), [])
    with pytest.raises(Exhaustion) as caught:
        instance.exports["f"]()
    assert caught.value.what is ExhaustionKind.CALL_STACK
    assert instance.exports["calls"].value < 100
