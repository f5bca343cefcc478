"""Typing of reference and variable instructions (specification 3.4).

Spec: valid/instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Instr
from interp.syntax.types import EQREF, I32, AbsHeapType, DefType, RefType
from interp.validation.algorithm import Validator
from interp.validation.context import lookup
from interp.validation.matching import bounds, match_heaptype
from interp.validation.rules import instr_ok


@instr_ok("ref.null")
def ref_null(v: Validator, instr: Instr) -> None:
    """ref.null ht : [] -> (ref null ht)"""
    v.push(v.context.close_reftype(True, instr.immediates[0]))


@instr_ok("ref.is_null")
def ref_is_null(v: Validator, instr: Instr) -> None:
    """ref.is_null : (ref null ht) -> i32"""
    v.expect_ref()
    v.push(I32)


@instr_ok("ref.func")
def ref_func(v: Validator, instr: Instr) -> None:
    """ref.func x : [] -> (ref dt)"""
    x = instr.immediates[0]
    deftype = lookup(v.context.funcs, x, "function")
    if not v.constant and x not in v.context.refs:
        raise Invalid(f"undeclared function reference {x}")
    v.push(RefType(False, deftype))


@instr_ok("ref.as_non_null")
def ref_as_non_null(v: Validator, instr: Instr) -> None:
    """ref.as_non_null : (ref null ht) -> (ref ht)"""
    v.push(RefType(False, v.expect_ref().heaptype))


@instr_ok("ref.eq")
def ref_eq(v: Validator, instr: Instr) -> None:
    """ref.eq : (ref null eq) (ref null eq) -> i32"""
    v.expect_all((EQREF, EQREF))
    v.push(I32)


TOPS = (AbsHeapType.ANY, AbsHeapType.FUNC, AbsHeapType.EXTERN, AbsHeapType.EXN)
"""The greatest heap type of each hierarchy."""


def top(heaptype: AbsHeapType | DefType) -> AbsHeapType:
    """The greatest heap type above a closed one.  Spec: valid/matching#heap-types"""
    if isinstance(heaptype, DefType):
        return next(t for t in TOPS if t in bounds(heaptype)[1])
    return next(t for t in TOPS if match_heaptype(heaptype, t))


def cast_type(v: Validator, instr: Instr) -> RefType:
    """rt of a test or cast to rt, the operand popped, which may be anything of the same hierarchy."""
    rt = v.context.close_reftype(instr.op.params[0], instr.immediates[0])
    if not isinstance(rt.heaptype, AbsHeapType | DefType):
        raise Invalid(f"unknown type {rt.heaptype}")
    v.expect(RefType(True, top(rt.heaptype)))
    return rt


@instr_ok("ref.test")
def ref_test(v: Validator, instr: Instr) -> None:
    """ref.test rt : rt' -> i32, rt matching rt'"""
    cast_type(v, instr)
    v.push(I32)


@instr_ok("ref.cast")
def ref_cast(v: Validator, instr: Instr) -> None:
    """ref.cast rt : rt' -> rt, rt matching rt'"""
    v.push(cast_type(v, instr))


@instr_ok("local.get")
def local_get(v: Validator, instr: Instr) -> None:
    """local.get x : [] -> t, where the local has a value"""
    x = instr.immediates[0]
    t = v.local(x)
    if x in v.unset:
        raise Invalid(f"uninitialized local {x}")
    v.push(t)


@instr_ok("local.set")
def local_set(v: Validator, instr: Instr) -> None:
    """local.set x : t -> []"""
    x = instr.immediates[0]
    v.expect(v.local(x))
    v.set_local(x)


@instr_ok("local.tee")
def local_tee(v: Validator, instr: Instr) -> None:
    """local.tee x : t -> t"""
    x = instr.immediates[0]
    t = v.local(x)
    v.expect(t)
    v.set_local(x)
    v.push(t)


@instr_ok("global.get")
def global_get(v: Validator, instr: Instr) -> None:
    """global.get x : [] -> t"""
    v.push(lookup(v.context.globals, instr.immediates[0], "global").valtype)


@instr_ok("global.set")
def global_set(v: Validator, instr: Instr) -> None:
    """global.set x : t -> []"""
    globaltype = lookup(v.context.globals, instr.immediates[0], "global")
    if not globaltype.mut:
        raise Invalid("immutable global")
    v.expect(globaltype.valtype)
