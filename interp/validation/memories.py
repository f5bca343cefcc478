"""Typing of memory instructions (specification 3.4).

Spec: valid/instructions#memory-instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Instr, MemArg
from interp.syntax.types import I32, MemType
from interp.validation.algorithm import Validator
from interp.validation.context import Context, lookup
from interp.validation.rules import instr_ok


def memory_of(v: Validator, memarg: MemArg, width: int) -> MemType:
    """The memory of a load or store of `width` bits, its alignment checked.  Spec: valid/instructions#memargs"""
    mem = lookup(v.context.mems, memarg.memidx, "memory")
    if 1 << memarg.align > width // 8:
        raise Invalid("alignment must not be larger than natural")
    if memarg.offset >> int(mem.addrtype.value[1:]):
        raise Invalid("offset out of range")
    return mem


@instr_ok("load")
def load(v: Validator, instr: Instr) -> None:
    """t.loadN_sx x memarg : at -> t"""
    t, width = instr.op.params[:2]
    v.expect(memory_of(v, instr.immediates[0], width).addrtype.numtype)
    v.push(t)


@instr_ok("store")
def store(v: Validator, instr: Instr) -> None:
    """t.storeN x memarg : at t -> []"""
    t, width = instr.op.params[:2]
    mem = memory_of(v, instr.immediates[0], width)
    v.expect_all((mem.addrtype.numtype, t))


@instr_ok("memory.size")
def memory_size(v: Validator, instr: Instr) -> None:
    """memory.size x : [] -> at"""
    v.push(lookup(v.context.mems, instr.immediates[0], "memory").addrtype.numtype)


@instr_ok("memory.grow")
def memory_grow(v: Validator, instr: Instr) -> None:
    """memory.grow x : at -> at"""
    at = lookup(v.context.mems, instr.immediates[0], "memory").addrtype.numtype
    v.expect(at)
    v.push(at)


@instr_ok("memory.fill")
def memory_fill(v: Validator, instr: Instr) -> None:
    """memory.fill x : at i32 at -> []"""
    at = lookup(v.context.mems, instr.immediates[0], "memory").addrtype.numtype
    v.expect_all((at, I32, at))


@instr_ok("memory.copy")
def memory_copy(v: Validator, instr: Instr) -> None:
    """memory.copy x1 x2 : at1 at2 min(at1, at2) -> []"""
    x1, x2 = instr.immediates
    at1 = lookup(v.context.mems, x1, "memory").addrtype.numtype
    at2 = lookup(v.context.mems, x2, "memory").addrtype.numtype
    v.expect_all((at1, at2, I32 if I32 in (at1, at2) else at1))


@instr_ok("memory.init")
def memory_init(v: Validator, instr: Instr) -> None:
    """memory.init x y : at i32 i32 -> []"""
    y, x = instr.immediates
    at = lookup(v.context.mems, x, "memory").addrtype.numtype
    data_ok(v.context, y)
    v.expect_all((at, I32, I32))


@instr_ok("data.drop")
def data_drop(v: Validator, instr: Instr) -> None:
    """data.drop x : [] -> []"""
    data_ok(v.context, instr.immediates[0])


def data_ok(context: Context, dataidx: int) -> None:
    """C.datas[x] exists."""
    if dataidx >= context.datas:
        raise Invalid(f"unknown data segment {dataidx}")
