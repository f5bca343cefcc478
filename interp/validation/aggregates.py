"""Typing of aggregate instructions: structures, arrays, i31, external references (specification 3.4).

Spec: valid/instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Instr
from interp.syntax.types import (
    I32,
    AbsHeapType,
    FieldType,
    NumType,
    PackType,
    RefType,
    ValType,
    VecType,
    is_defaultable,
    unpack,
)
from interp.validation.algorithm import Validator
from interp.validation.context import lookup
from interp.validation.matching import match_storagetype
from interp.validation.memories import data_ok
from interp.validation.rules import instr_ok


def ref(v: Validator, x: int, null: bool = False) -> RefType:
    """(ref null? x)"""
    return RefType(null, v.context.deftype(x))


def check_defaultable(t: ValType) -> None:
    """|- t defaultable"""
    if not is_defaultable(t):
        raise Invalid(f"type mismatch: {t} has no default value")


def check_mutable(field: FieldType) -> None:
    """field is mut t"""
    if not field.mut:
        raise Invalid(f"immutable field or array of {field}")


def check_packing(field: FieldType, signed: bool | None) -> None:
    """A signedness is given for a packed type, and only for one."""
    if isinstance(field.storagetype, PackType) != (signed is not None):
        raise Invalid(f"type mismatch: a field of {field} is read {'without' if signed is None else 'with'} a sign")


def check_numeric(field: FieldType) -> None:
    """field holds numbers or vectors, which can be made of bytes."""
    if not isinstance(unpack(field.storagetype), NumType | VecType):
        raise Invalid(f"array type is not numeric or vector: {field}")


def check_elements(v: Validator, y: int, field: FieldType) -> None:
    """C.elems[y] <= the type of the field"""
    rt = lookup(v.context.elems, y, "elem segment")
    if not match_storagetype(rt, field.storagetype):
        raise Invalid(f"type mismatch: elements of {rt} for an array of {field}")


@instr_ok("ref.i31")
def ref_i31(v: Validator, instr: Instr) -> None:
    """ref.i31 : i32 -> (ref i31)"""
    v.expect(I32)
    v.push(RefType(False, AbsHeapType.I31))


@instr_ok("i31.get")
def i31_get(v: Validator, instr: Instr) -> None:
    """i31.get_sx : (ref null i31) -> i32"""
    v.expect(RefType(True, AbsHeapType.I31))
    v.push(I32)


@instr_ok("struct.new")
def struct_new(v: Validator, instr: Instr) -> None:
    """struct.new x : t* -> (ref x)"""
    x = instr.immediates[0]
    v.expect_all(v.context.fields(x)[0])
    v.push(ref(v, x))


@instr_ok("struct.new_default")
def struct_new_default(v: Validator, instr: Instr) -> None:
    """struct.new_default x : [] -> (ref x)"""
    x = instr.immediates[0]
    t = v.context.fields(x)[1]
    if t is not None:
        check_defaultable(t)
    v.push(ref(v, x))


@instr_ok("struct.get")
def struct_get(v: Validator, instr: Instr) -> None:
    """struct.get_sx? x i : (ref null x) -> t"""
    x, i = instr.immediates
    field = lookup(v.context.structtype(x).fields, i, "field")
    check_packing(field, instr.op.params[0])
    v.expect(ref(v, x, null=True))
    v.push(unpack(field.storagetype))


@instr_ok("struct.set")
def struct_set(v: Validator, instr: Instr) -> None:
    """struct.set x i : (ref null x) t -> []"""
    x, i = instr.immediates
    field = lookup(v.context.structtype(x).fields, i, "field")
    check_mutable(field)
    v.expect_all((ref(v, x, null=True), unpack(field.storagetype)))


@instr_ok("array.new")
def array_new(v: Validator, instr: Instr) -> None:
    """array.new x : t i32 -> (ref x)"""
    x = instr.immediates[0]
    v.expect_all((unpack(v.context.arraytype(x).field.storagetype), I32))
    v.push(ref(v, x))


@instr_ok("array.new_default")
def array_new_default(v: Validator, instr: Instr) -> None:
    """array.new_default x : i32 -> (ref x)"""
    x = instr.immediates[0]
    check_defaultable(unpack(v.context.arraytype(x).field.storagetype))
    v.expect(I32)
    v.push(ref(v, x))


MAX_FIXED = 10_000
"""Elements of one array.new_fixed, as other engines limit them.  Spec: appendix/implementation#syntactic-limits"""


@instr_ok("array.new_fixed")
def array_new_fixed(v: Validator, instr: Instr) -> None:
    """array.new_fixed x n : t^n -> (ref x)"""
    x, n = instr.immediates
    t = unpack(v.context.arraytype(x).field.storagetype)
    if n > MAX_FIXED:
        raise Invalid(f"too many operands: array.new_fixed of {n} elements")
    v.expect_all((t,) * n)
    v.push(ref(v, x))


@instr_ok("array.new_elem")
def array_new_elem(v: Validator, instr: Instr) -> None:
    """array.new_elem x y : i32 i32 -> (ref x)"""
    x, y = instr.immediates
    check_elements(v, y, v.context.arraytype(x).field)
    v.expect_all((I32, I32))
    v.push(ref(v, x))


@instr_ok("array.new_data")
def array_new_data(v: Validator, instr: Instr) -> None:
    """array.new_data x y : i32 i32 -> (ref x)"""
    x, y = instr.immediates
    check_numeric(v.context.arraytype(x).field)
    data_ok(v.context, y)
    v.expect_all((I32, I32))
    v.push(ref(v, x))


@instr_ok("array.get")
def array_get(v: Validator, instr: Instr) -> None:
    """array.get_sx? x : (ref null x) i32 -> t"""
    x = instr.immediates[0]
    field = v.context.arraytype(x).field
    check_packing(field, instr.op.params[0])
    v.expect_all((ref(v, x, null=True), I32))
    v.push(unpack(field.storagetype))


@instr_ok("array.set")
def array_set(v: Validator, instr: Instr) -> None:
    """array.set x : (ref null x) i32 t -> []"""
    x = instr.immediates[0]
    field = v.context.arraytype(x).field
    check_mutable(field)
    v.expect_all((ref(v, x, null=True), I32, unpack(field.storagetype)))


@instr_ok("array.len")
def array_len(v: Validator, instr: Instr) -> None:
    """array.len : (ref null array) -> i32"""
    v.expect(RefType(True, AbsHeapType.ARRAY))
    v.push(I32)


@instr_ok("array.fill")
def array_fill(v: Validator, instr: Instr) -> None:
    """array.fill x : (ref null x) i32 t i32 -> []"""
    x = instr.immediates[0]
    field = v.context.arraytype(x).field
    check_mutable(field)
    v.expect_all((ref(v, x, null=True), I32, unpack(field.storagetype), I32))


@instr_ok("array.copy")
def array_copy(v: Validator, instr: Instr) -> None:
    """array.copy x1 x2 : (ref null x1) i32 (ref null x2) i32 i32 -> []"""
    x1, x2 = instr.immediates
    field1, field2 = v.context.arraytype(x1).field, v.context.arraytype(x2).field
    check_mutable(field1)
    if not match_storagetype(field2.storagetype, field1.storagetype):
        raise Invalid(f"array types do not match: {field2} into {field1}")
    v.expect_all((ref(v, x1, null=True), I32, ref(v, x2, null=True), I32, I32))


@instr_ok("array.init_elem")
def array_init_elem(v: Validator, instr: Instr) -> None:
    """array.init_elem x y : (ref null x) i32 i32 i32 -> []"""
    x, y = instr.immediates
    field = v.context.arraytype(x).field
    check_mutable(field)
    check_elements(v, y, field)
    v.expect_all((ref(v, x, null=True), I32, I32, I32))


@instr_ok("array.init_data")
def array_init_data(v: Validator, instr: Instr) -> None:
    """array.init_data x y : (ref null x) i32 i32 i32 -> []"""
    x, y = instr.immediates
    field = v.context.arraytype(x).field
    check_mutable(field)
    check_numeric(field)
    data_ok(v.context, y)
    v.expect_all((ref(v, x, null=True), I32, I32, I32))


@instr_ok("extern.convert_any")
def extern_convert_any(v: Validator, instr: Instr) -> None:
    """extern.convert_any : (ref null? any) -> (ref null? extern)"""
    found = v.expect(RefType(True, AbsHeapType.ANY))
    v.push(RefType(isinstance(found, RefType) and found.null, AbsHeapType.EXTERN))


@instr_ok("any.convert_extern")
def any_convert_extern(v: Validator, instr: Instr) -> None:
    """any.convert_extern : (ref null? extern) -> (ref null? any)"""
    found = v.expect(RefType(True, AbsHeapType.EXTERN))
    v.push(RefType(isinstance(found, RefType) and found.null, AbsHeapType.ANY))
