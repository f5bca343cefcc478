"""Features can be left out: each module here needs one, and is refused by name without it."""

import pytest

from interp.binary.modules import decode
from interp.engine import load_engine
from interp.errors import Rejected
from interp.syntax import features as f
from interp.validation.modules import validate
from tests_support import parse

NEEDING: list[tuple[str, str]] = [
    (f.SIGN_EXTENSION, "(func (result i32) (i32.extend8_s (i32.const 1)))"),
    (f.SATURATING_FLOAT_TO_INT, "(func (result i32) (i32.trunc_sat_f32_s (f32.const 1)))"),
    (f.MULTI_VALUE, "(func (result i32 i32) (i32.const 1) (i32.const 2))"),
    (f.MULTI_VALUE, "(type (func (param i32))) (func (i32.const 1) (block (type 0) drop))"),
    (f.REFERENCE_TYPES, "(func (param externref))"),
    (f.REFERENCE_TYPES, "(table 1 funcref) (table 1 funcref)"),
    (f.REFERENCE_TYPES, "(table 1 funcref) (func (result i32) (table.size 0))"),
    (f.BULK_MEMORY, "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))"),
    (f.BULK_MEMORY, '(data "passive")'),
    (f.BULK_MEMORY, "(func) (elem func 0)"),
    (f.SIMD, "(func (param v128))"),
    (f.SIMD, "(func (drop (v128.const i32x4 0 0 0 0)))"),
    (f.RELAXED_SIMD, "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))"),
    (f.EXTENDED_CONST, "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
    (f.TAIL_CALL, "(func (return_call 0))"),
    (f.EXCEPTIONS, "(tag)"),
    (f.EXCEPTIONS, '(import "a" "b" (tag))'),
    (f.EXCEPTIONS, "(func (param exnref))"),
    (f.EXCEPTIONS, "(func (try_table))"),
    (f.MULTI_MEMORY, "(memory 1) (memory 1)"),
    (f.MULTI_MEMORY, '(import "a" "b" (memory 1)) (memory 1) (func (drop (i32.load 1 (i32.const 0))))'),
    (f.MEMORY64, "(memory i64 1)"),
    (f.MEMORY64, "(table i64 1 funcref)"),
    (f.FUNCTION_REFERENCES, "(type (func)) (func (param (ref 0)) (call_ref 0 (local.get 0)))"),
    (f.FUNCTION_REFERENCES, "(func) (table 1 (ref func) (ref.func 0))"),
    (f.GC, "(type (struct))"),
    (f.GC, "(type (sub (func)))"),
    (f.GC, "(rec (type (func)) (type (func)))"),
    (f.GC, "(func (param anyref))"),
    (f.GC, "(func (drop (ref.i31 (i32.const 1))))"),
    (f.GC, "(global i32 (i32.const 1)) (global i32 (global.get 0))"),
]


@pytest.mark.parametrize(("feature", "wat"), NEEDING)
def test_a_module_is_refused_without_a_feature_that_it_needs(feature: str, wat: str) -> None:
    wasm = parse(f"(module {wat})")
    validate(decode(wasm))
    without = f.feature_set(f"3.0,-{feature}")
    with pytest.raises(Rejected) as caught:
        validate(decode(wasm, without), without)
    if not (feature == f.GC and "global.get" in wat):
        assert any(name in str(caught.value) for name in set(f.FEATURES) - without)
    only = f.feature_set(f"1.0,{feature}")
    validate(decode(wasm, only), only)


def test_every_feature_has_a_module_here() -> None:
    assert {feature for feature, _ in NEEDING} == set(f.FEATURES)


@pytest.mark.parametrize("name", ["reference", "wasmtime"])
def test_an_engine_takes_the_features_it_is_asked_for(name: str) -> None:
    wasm = parse("(module (func (param v128)))")
    load_engine(name).compile(wasm)
    load_engine(name, "2.0").compile(wasm)
    for features in ("1.0", "3.0,-simd", "1.0,gc"):
        with pytest.raises(Rejected):
            load_engine(name, features).compile(wasm)
    with pytest.raises(f.UnknownFeatureError, match="no feature is called 'sind'"):
        load_engine(name, "2.0,sind")
