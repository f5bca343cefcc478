"""Structures, arrays and i31 through the embedding of the pure engines: how references cross, and what limits them."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from interp.engine import Limits, Reference, Store, load_engine
from interp.errors import Exhaustion, ExhaustionKind, Trap
from interp.execution.values import F32NaN
from interp.syntax.types import AbsHeapType, FuncType, RefType
from tests_support import parse

ENGINE = load_engine("reference")


@cache
def compiled(wat: str) -> Any:
    return ENGINE.compile(parse(wat))


def new_store(limits: Limits = Limits(), observed: bool = False) -> Any:  # noqa: B008
    """A store of the reference machine; if observed, it counts the rules that are applied."""
    store: Any = ENGINE.store(limits)
    if observed:
        store.runner.applied = Counter()
    return store


def exports_of(wat: str, store: Store | None = None, externs: tuple[Any, ...] = ()) -> Any:
    return (store or new_store()).instantiate(compiled(wat), externs).exports


def trap_of(call: Any, *args: Any) -> str:
    with pytest.raises(Trap) as caught:
        call(*args)
    return str(caught.value.kind.value)


CROSSING = """(module
 (type $s (struct (field $n (mut i32)) (field (ref null $s)) (field i8)))
 (type $a (array (mut i16)))
 (import "h" "f" (func $h (param anyref) (result anyref)))
 (func (export "struct") (result (ref $s)) (struct.new $s (i32.const 7) (ref.null $s) (i32.const 9)))
 (func (export "array") (result (ref $a)) (array.new $a (i32.const 3) (i32.const 4)))
 (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
 (func (export "n") (param (ref $s)) (result i32) (struct.get $s $n (local.get 0)))
 (func (export "nn") (param (ref null $s)) (result i32) (struct.get $s $n (local.get 0)))
 (func (export "eq") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))
 (func (export "number") (param i31ref) (result i32) (i31.get_s (local.get 0)))
 (func (export "any") (param anyref) (result anyref) (local.get 0))
 (func (export "extern") (param externref) (result externref) (local.get 0))
 (func (export "outside") (param anyref) (result externref) (extern.convert_any (local.get 0)))
 (func (export "inside") (param externref) (result anyref) (any.convert_extern (local.get 0)))
 (func (export "host") (param anyref) (result anyref) (call $h (local.get 0)))
 (global (export "g") (mut (ref null $s)) (ref.null $s))
 (table (export "t") 2 anyref))"""
ANYREF = RefType(True, AbsHeapType.ANY)


def crossing(host: Any = lambda ref: ref) -> Any:
    store = new_store()
    return exports_of(CROSSING, store, (store.func_alloc(FuncType((ANYREF,), (ANYREF,)), host),))


def test_references_cross_to_the_host_and_back() -> None:
    x = crossing()
    s, a, i = x["struct"](), x["array"](), x["i31"](-5)
    assert [ref.heaptype for ref in (s, a, i)] == [AbsHeapType.STRUCT, AbsHeapType.ARRAY, AbsHeapType.I31]
    assert all(isinstance(ref, Reference) for ref in (s, a, i))
    assert (x["n"](s), x["number"](i)) == (7, -5)
    for name in ("any", "outside", "inside", "host", "extern"):
        for ref in (s, a, i, None):
            assert x[name](ref) is ref
    assert x["eq"](s, s) == x["eq"](i, x["i31"](-5)) == x["eq"](None, None) == 1
    assert x["eq"](s, x["struct"]()) == x["eq"](s, a) == x["eq"](s, None) == x["eq"](i, x["i31"](-6)) == 0


def test_objects_of_the_host_cross_as_they_are() -> None:
    x = crossing()
    for thing in ("text", 5, object(), [1]):
        for name in ("any", "outside", "inside", "host", "extern"):
            assert x[name](thing) is thing


@pytest.mark.parametrize(
    ("name", "arg"),
    [("n", None), ("n", "text"), ("n", 7), ("nn", "text"), ("number", 5), ("number", "text"), ("eq", "text")],
)
def test_the_host_cannot_give_what_the_type_does_not_allow(name: str, arg: Any) -> None:
    x = crossing()
    with pytest.raises(TypeError, match=r"is needed|cannot be null"):
        x[name](*[arg] * len(x[name].type.params))


def test_references_are_checked_wherever_the_host_gives_them() -> None:
    x = crossing()
    for wrong in (x["array"](), x["i31"](0)):
        with pytest.raises(TypeError, match="is needed"):
            x["n"](wrong)
        with pytest.raises(TypeError, match="is needed"):
            x["g"].value = wrong
    x["g"].value = s = x["struct"]()
    x["t"].set(1, s)
    assert x["g"].value is x["t"].get(1) is s
    bad = crossing(lambda ref: x["struct"])
    with pytest.raises(TypeError, match="is needed, not PureFunc"):
        bad["host"](None)


def test_a_reference_belongs_to_its_store() -> None:
    x, y = crossing(), crossing()
    for name in ("n", "nn", "any", "extern", "outside"):
        with pytest.raises(ValueError, match="another store"):
            y[name](x["struct"]())
    assert y["number"](x["i31"](3)) == 3


def test_null_traps_have_the_texts_of_the_suite() -> None:
    x = crossing()
    assert trap_of(x["nn"], None) == "null structure reference"
    assert trap_of(x["number"], None) == "null i31 reference"


# Limits

HEAP = """(module
 (type $n (struct (field (mut (ref null $n))))) (type $a (array (mut i64))) (type $r (array (mut (ref null $r))))
 (type $b (array (mut i8))) (data $d "{data}")
 (global $g (mut (ref null $n)) (ref.null $n))
 (global $keep (mut (ref null $r)) (ref.null $r))
 (func $grow (param (ref null $n)) (result (ref null $n)) {nested})
 (func (export "list") (param i32) (local (ref null $n))
   (loop (local.set 1 (call $grow (local.get 1)))
     (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
   (global.set $g (local.get 1)))
 (func (export "drop") (global.set $g (ref.null $n)) (global.set $keep (ref.null $r)))
 (func (export "cycles") (param i32) (local (ref null $n))
   (loop
     (local.set 1 (struct.new $n (struct.new $n (ref.null $n))))
     (struct.set $n 0 (struct.get $n 0 (local.get 1)) (local.get 1))
     (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
 (func (export "keep") (param i32) (global.set $keep (array.new_default $r (local.get 0))))
 (func (export "new") (param i32) (drop (array.new $a (i64.const 1) (local.get 0))))
 (func (export "new_default") (param i32) (drop (array.new_default $a (local.get 0))))
 (func (export "new_data") (param i32) (drop (array.new_data $b $d (i32.const 0) (local.get 0))))
 (func (export "new_struct") (param i32) (drop (struct.new_default $n))))""".format(
    data="x" * 200, nested="(struct.new $n " * 100 + "(local.get 0)" + ")" * 100
)


def heap_of(store: Any) -> int:
    used: int = store.inst.meter.heap
    return used


def assert_heap_exhausted(call: Any, *args: Any) -> None:
    with pytest.raises(Exhaustion) as caught:
        call(*args)
    assert caught.value.what is ExhaustionKind.HEAP
    del caught
    gc.collect()


@pytest.mark.parametrize("observed", [False, True])
@pytest.mark.parametrize("name", ["new", "new_default", "new_data"])
def test_an_array_over_the_limit_is_not_built(name: str, observed: bool) -> None:
    store = new_store(Limits(max_heap_fields=100), observed)
    call = exports_of(HEAP, store)[name]
    call(99)
    for n in (100, 101, 200):
        assert_heap_exhausted(call, n)
    if name != "new_data":
        assert_heap_exhausted(call, 2**32 - 1)
    call(99)
    assert heap_of(store) == 0


def test_structures_count_too() -> None:
    store = new_store(Limits(max_heap_fields=200))
    exports = exports_of(HEAP, store)
    exports["list"](1)
    assert heap_of(store) == 200
    assert_heap_exhausted(exports["new_struct"], 0)
    exports["drop"]()
    assert heap_of(store) == 0
    exports["new_struct"](0)


@contextmanager
def no_automatic_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_list_of_a_million_structures_is_released() -> None:
    store = new_store()
    exports = exports_of(HEAP, store)
    with no_automatic_collection():
        exports["list"](10_000)
        assert heap_of(store) == 2_000_000
        exports["drop"]()
        assert heap_of(store) == 0


def test_cycles_do_not_use_up_the_limit() -> None:
    store = new_store(Limits(max_heap_fields=1000))
    exports = exports_of(HEAP, store)
    with no_automatic_collection():
        exports["cycles"](2000)
    assert heap_of(store) <= 1000
    del exports
    gc.collect()
    assert heap_of(store) == 0


def test_a_full_heap_is_not_searched_for_dead_objects_again_and_again() -> None:
    store = new_store(Limits(max_heap_fields=1000))
    exports = exports_of(HEAP, store)
    exports["keep"](980)
    with no_automatic_collection():
        assert_heap_exhausted(exports["cycles"], 100)
        exports["drop"]()
        exports["cycles"](100)


def test_the_heap_is_given_back_after_a_trap_and_with_its_store() -> None:
    store = new_store()
    exports = exports_of(
        '(module (type $n (struct (field (ref null $n)))) (func $f (export "f") (param (ref null $n) i32)'
        " (if (i32.eqz (local.get 1)) (then unreachable))"
        " (call $f (struct.new $n (local.get 0)) (i32.sub (local.get 1) (i32.const 1)))))",
        store,
    )
    assert trap_of(exports["f"], None, 100) == "unreachable"
    assert heap_of(store) == 0


def test_floats_in_arrays_keep_their_bits() -> None:
    exports = exports_of(
        '(module (type $a (array f32)) (data $d "\\01\\00\\a0\\7f") (func (export "f") (result f32)'
        " (array.get $a (array.new_data $a $d (i32.const 0) (i32.const 1)) (i32.const 0))))"
    )
    nan = exports["f"]()
    assert isinstance(nan, F32NaN)
    assert nan.bits == 0x7FA00001
