"""References at the embedding boundary, alike on every engine: what they are, and that they can be given back."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from interp.engine import ENGINES, EngineUnavailable, Reference, load_engine
from interp.syntax.types import AbsHeapType
from tests_support import parse

WAT = """
(module
  (type $s (struct (field i32)))
  (type $a (array i8))
  (tag $t (export "t"))
  (func (export "struct") (param i32) (result anyref) (struct.new $s (local.get 0)))
  (func (export "array") (param i32) (result eqref) (array.new_default $a (local.get 0)))
  (func (export "i31") (param i32) (result anyref) (ref.i31 (local.get 0)))
  (func (export "exn") (result exnref)
    (block $h (result exnref) (try_table (result exnref) (catch_all_ref $h) (throw $t))))
  (func (export "field") (param anyref) (result i32) (struct.get $s 0 (ref.cast (ref $s) (local.get 0))))
  (func (export "number") (param i31ref) (result i32) (i31.get_u (local.get 0)))
  (func (export "length") (param arrayref) (result i32) (array.len (local.get 0)))
  (func (export "equal") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))
  (func (export "is_eq") (param anyref) (result i32) (ref.test (ref eq) (local.get 0)))
  (func (export "same") (param anyref) (result anyref) (local.get 0))
  (func (export "in") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "out") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "throw") (param exnref) (throw_ref (local.get 0)))
)
"""
Call = Callable[..., Any]
KINDS = {
    "struct": AbsHeapType.STRUCT,
    "array": AbsHeapType.ARRAY,
    "i31": AbsHeapType.I31,
}


class Thing:
    """An object of the host."""


def instance(engine: str) -> Call:
    try:
        loaded = load_engine(engine)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    exports = loaded.store().instantiate(loaded.compile(parse(WAT)), []).exports
    return lambda name, *args: exports[name](*args)


@pytest.fixture(params=sorted(ENGINES))
def call(request: pytest.FixtureRequest) -> Call:
    return instance(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_says_what_it_is_and_can_be_given_back(call: Call, kind: str) -> None:
    given = call(kind, 7)
    assert isinstance(given, Reference)
    assert given.heaptype is KINDS[kind]
    again = call("same", given)
    assert isinstance(again, Reference)
    assert again.heaptype is KINDS[kind]
    assert call("equal", given, again) == 1
    assert call("is_eq", again) == 1
    assert call("equal", call("struct", 7), call("struct", 7)) == 0
    read = {"struct": "field", "array": "length", "i31": "number"}[kind]
    assert call(read, given) == 7
    assert call(read, again) == 7


def test_an_exception_is_a_reference_of_its_own(call: Call) -> None:
    given = call("exn")
    assert isinstance(given, Reference)
    assert given.heaptype is AbsHeapType.EXN
    with pytest.raises(TypeError):
        call("same", given)
    with pytest.raises(TypeError):
        call("throw", call("struct", 1))


def test_objects_of_the_host_come_back_as_they_were(call: Call) -> None:
    thing = Thing()
    for path in (["same"], ["in"], ["out"], ["out", "in"], ["in", "out"]):
        value: Any = thing
        for name in path:
            value = call(name, value)
        assert value is thing, path
    assert call("is_eq", thing) == 0
    assert [call(name, None) for name in ("same", "in", "out")] == [None] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaves_as_externref_is_still_the_same(call: Call, kind: str) -> None:
    given = call(kind, 7)
    outside = call("out", given)
    assert isinstance(outside, Reference)
    assert outside.heaptype is KINDS[kind]
    assert call("equal", outside, given) == 1
    assert call("equal", call("in", outside), given) == 1


def test_types_are_checked(call: Call) -> None:
    for name, wrong in (("number", call("struct", 1)), ("length", call("i31", 1)), ("length", Thing()), ("number", 3)):
        with pytest.raises(TypeError):
            call(name, wrong)


def test_many_references_do_no_harm(call: Call) -> None:
    kept = []
    for i in range(2000):
        outside = call("out", call("struct", i))
        call("out", call("in", Thing()))
        if i % 100 == 0:
            kept.append((i, outside))
            gc.collect(0)
    assert all(call("field", reference) == i for i, reference in kept)
