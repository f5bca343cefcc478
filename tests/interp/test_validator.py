"""The validator: what it refuses, by which rule, in which function, at which byte; and matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.binary.modules import decode
from interp.errors import Invalid
from interp.syntax.types import (
    BOT,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    AbsHeapType,
    FuncType,
    Limits,
    RefType,
    ValType,
    functype_deftype,
)
from interp.validation.matching import match_externtype, match_limits, match_valtype
from interp.validation.modules import validate
from tests_support import parse

FUNC_REF = RefType(False, functype_deftype(FuncType((), ())))
TYPES: list[ValType] = [I32, I64, F32, F64, FUNCREF, EXTERNREF, FUNC_REF, RefType(False, AbsHeapType.FUNC), BOT]


@pytest.mark.parametrize(
    ("wat", "rule", "message"),
    [
        ("(func (result i32))", "Instrs_ok/frame", "type mismatch"),
        ("(func i32.const 1)", "Instrs_ok/frame", "1 values remain"),
        ("(func (i32.add (i32.const 1) (i64.const 1)) drop)", "Instr_ok/binop", "expected i32, found i64"),
        ("(func drop)", "Instr_ok/drop", "operand stack is empty"),
        ("(func (br 1))", "Instr_ok/br", "unknown label 1"),
        ("(func (local.get 0) drop)", "Instr_ok/local.get", "unknown local 0"),
        ("(func (global.get 3) drop)", "Instr_ok/global.get", "unknown global 3"),
        ("(func (call 7))", "Instr_ok/call", "unknown function 7"),
        ("(func (i32.load (i32.const 0)) drop)", "Instr_ok/load-val", "unknown memory 0"),
        ("(memory 1) (func (i32.load8_u align=2 (i32.const 0)) drop)", "Instr_ok/load-pack", "alignment"),
        ("(memory 1) (func (i64.store32 align=8 (i32.const 0) (i64.const 0)))", "Instr_ok/store-pack", "alignment"),
        ("(global i32 (i32.const 1)) (func (global.set 0 (i32.const 1)))", "Instr_ok/global.set", "immutable global"),
        (
            "(func (select (ref.null func) (ref.null func) (i32.const 1)) drop)",
            "Instr_ok/select-impl",
            "without a type",
        ),
        ("(func (block (result i32) (br 0)) drop)", "Instr_ok/br", "type mismatch"),
        ("(func (if (result i32) (i32.const 1) (then (i32.const 1))) drop)", "Instr_ok/if", "operand stack is empty"),
        ("(func (table.get 0 (i32.const 0)) drop)", "Instr_ok/table.get", "unknown table 0"),
        ("(func (data.drop 0))", "Instr_ok/data.drop", "unknown data segment"),
        ("(func (elem.drop 0))", "Instr_ok/elem.drop", "unknown elem segment"),
        ("(func $f (ref.func $f) drop)", "Instr_ok/ref.func", "undeclared function reference"),
        (
            "(table 1 externref) (type (func)) (func (call_indirect (type 0) (i32.const 0)))",
            "Instr_ok/call_indirect",
            "externref",
        ),
        ("(global i32 (i32.clz (i32.const 1)))", "Expr_const", "constant expression required"),
        ("(memory 65537)", "Mem_ok", "at most 65536 pages"),
        ("(memory 2 1)", "Mem_ok", "minimum must not be greater"),
        ("(func (param i32)) (start 0)", "Start_ok", "start function"),
        ('(func (export "a")) (func (export "a"))', "Export_ok", "duplicate export name"),
        ('(data (i32.const 0) "a")', "Data_ok", "unknown memory"),
        ("(table 1 externref) (elem (i32.const 0) func)", "Elem_ok", "type mismatch"),
        ('(import "a" "b" (memory 3 2))', "Import_ok", "minimum must not be greater"),
    ],
)
def test_what_is_invalid(wat: str, rule: str, message: str) -> None:
    wasm = parse(f"(module {wat})")
    with pytest.raises(Invalid, match=message) as caught:
        validate(decode(wasm))
    assert caught.value.rule == rule
    assert caught.value.offset is not None
    assert 0 < caught.value.offset <= len(wasm)


def test_the_function_is_named_by_its_index() -> None:
    wasm = parse('(module (import "a" "b" (func)) (func) (func (drop)))')
    with pytest.raises(Invalid, match="in function 2, byte 0x") as caught:
        validate(decode(wasm))
    assert caught.value.function == 2
    assert wasm[caught.value.offset or 0] == 0x1A


def test_imports_and_exports_have_their_types() -> None:
    wasm = parse('(module (import "a" "b" (func (param i32))) (memory (export "m") 1 2) (export "f" (func 0)))')
    valid = validate(decode(wasm))
    assert [str(i.type) for i in valid.imports] == ["[i32] -> []"]
    assert [(e.name, str(e.type)) for e in valid.exports] == [("m", "1 2"), ("f", "[i32] -> []")]


@given(st.sampled_from(TYPES))
def test_matching_is_reflexive(t: ValType) -> None:
    assert match_valtype(t, t)


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_matching_is_transitive(t1: ValType, t2: ValType, t3: ValType) -> None:
    if match_valtype(t1, t2) and match_valtype(t2, t3):
        assert match_valtype(t1, t3)


@given(st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_matching_is_antisymmetric(t1: ValType, t2: ValType) -> None:
    if match_valtype(t1, t2) and match_valtype(t2, t1):
        assert t1 == t2


LIMITS = st.builds(lambda a, b: Limits(a, b if b is None else a + b), st.integers(0, 5), st.none() | st.integers(0, 5))


@given(LIMITS, LIMITS)
def test_limits_match_if_every_size_they_allow_is_allowed(l1: Limits, l2: Limits) -> None:
    sizes = range(12)

    def allowed(limits: Limits) -> set[int]:
        return {size for size in sizes if limits.min <= size and (limits.max is None or size <= limits.max)}

    if l1.max is not None or l2.max is None:
        assert match_limits(l1, l2) == (allowed(l1) <= allowed(l2) and (l2.max is None or l1.max is not None))


def test_function_types_match_only_themselves() -> None:
    assert match_externtype(FuncType((I32,), ()), FuncType((I32,), ()))
    assert not match_externtype(FuncType((I32,), ()), FuncType((I64,), ()))
    assert not match_externtype(FuncType((I32,), ()), FuncType((), ()))
