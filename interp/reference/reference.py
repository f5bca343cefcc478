"""Reduction of reference instructions, of i31 and of external references (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction.
Spec: exec/instructions#reference-instructions
"""

from __future__ import annotations

from typing import Any

from interp.errors import TrapKind
from interp.execution.numerics_convert import extend_s, extend_u, wrap
from interp.execution.references import match_ref
from interp.execution.runtime import I31
from interp.reference.configuration import Config, operand, rule
from interp.syntax.instructions import Instr
from interp.syntax.types import DefType, RefType, close_heaptype


@rule("ref.null", "Step_read/ref.null")
def ref_null(c: Config, x: Any) -> str:
    """(ref.null ht) ~> ref.null, the one null of all heap types"""
    c.vals.append(None)
    return "Step_read/ref.null"


@rule("ref.func", "Step_read/ref.func")
def ref_func(c: Config, x: int) -> str:
    """(ref.func x) ~> (ref.func f.module.funcs[x])"""
    c.vals.append(c.frame.module.funcs[x])
    return "Step_read/ref.func"


@rule("ref.is_null", "Step_pure/ref.is_null-true", "Step_pure/ref.is_null-false")
def ref_is_null(c: Config, x: Any) -> str:
    """ref ref.is_null ~> (i32.const 1) if ref is null, else (i32.const 0)"""
    if c.vals[-1] is None:
        c.vals[-1] = 1
        return "Step_pure/ref.is_null-true"
    c.vals[-1] = 0
    return "Step_pure/ref.is_null-false"


@rule("ref.eq", "Step_pure/ref.eq-null", "Step_pure/ref.eq-true", "Step_pure/ref.eq-false")
def ref_eq(c: Config, x: Any) -> str:
    """ref1 ref2 ref.eq ~> (i32.const 1) if both are null, or else if ref1 = ref2; (i32.const 0) otherwise"""
    vals = c.vals
    ref2, ref1 = vals.pop(), vals.pop()
    vals.append(int(ref1 == ref2))
    if ref1 == ref2:
        return "Step_pure/ref.eq-null" if ref1 is None else "Step_pure/ref.eq-true"
    return "Step_pure/ref.eq-false"


@operand("ref.test", "ref.cast")
def prepare_ref_test(instr: Instr, types: list[DefType]) -> RefType:
    """The reference type that is asked for, closed."""
    return RefType(instr.op.params[0], close_heaptype(instr.immediates[0], types))


@rule("ref.test", "Step_read/ref.test-true", "Step_read/ref.test-false")
def ref_test(c: Config, rt: RefType) -> str:
    """ref (ref.test rt) ~> (i32.const 1) if ref has type rt, else (i32.const 0)"""
    if match_ref(c.vals.pop(), rt):
        c.vals.append(1)
        return "Step_read/ref.test-true"
    c.vals.append(0)
    return "Step_read/ref.test-false"


@rule("ref.cast", "Step_read/ref.cast-succeed", "Step_read/ref.cast-fail")
def ref_cast(c: Config, rt: RefType) -> str:
    """ref (ref.cast rt) ~> ref if it has type rt, else trap"""
    if match_ref(c.vals[-1], rt):
        return "Step_read/ref.cast-succeed"
    c.vals.pop()
    return c.trap(TrapKind.CAST_FAILURE, "Step_read/ref.cast-fail")


@rule("ref.i31", "Step_pure/ref.i31")
def ref_i31(c: Config, x: Any) -> str:
    """(i32.const i) ref.i31 ~> (ref.i31 wrap_32,31(i))"""
    c.vals.append(I31(wrap(32, 31, c.vals.pop())))
    return "Step_pure/ref.i31"


@operand("i31.get")
def prepare_i31_get(instr: Instr, types: list[DefType]) -> Any:
    """How 31 bits become 32."""
    return extend_s if instr.op.params[0] else extend_u


@rule("i31.get", "Step_pure/i31.get-null", "Step_pure/i31.get-num")
def i31_get(c: Config, extend: Any) -> str:
    """ref i31.get_sx ~> (i32.const extend_31,32^sx(i)), or trap"""
    ref: I31 | None = c.vals.pop()
    if ref is None:
        return c.trap(TrapKind.NULL_I31_REFERENCE, "Step_pure/i31.get-null")
    c.vals.append(extend(31, 32, ref.value))
    return "Step_pure/i31.get-num"


@rule("extern.convert_any", "Step_pure/extern.convert_any-null", "Step_pure/extern.convert_any-addr")
def extern_convert_any(c: Config, x: Any) -> str:
    """ref extern.convert_any ~> ref.null if ref is null, else (ref.extern ref): the same, seen from outside"""
    return f"Step_pure/extern.convert_any-{'null' if c.vals[-1] is None else 'addr'}"


@rule("any.convert_extern", "Step_pure/any.convert_extern-null", "Step_pure/any.convert_extern-addr")
def any_convert_extern(c: Config, x: Any) -> str:
    """ref any.convert_extern ~> ref.null if it is null; (ref.extern ref) ~> ref: the same, seen from inside"""
    return f"Step_pure/any.convert_extern-{'null' if c.vals[-1] is None else 'addr'}"
