"""Typing of table instructions (specification 3.4).

Spec: valid/instructions#table-instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Instr
from interp.syntax.types import I32
from interp.validation.algorithm import Validator
from interp.validation.context import lookup
from interp.validation.matching import match_reftype
from interp.validation.rules import instr_ok


@instr_ok("table.get")
def table_get(v: Validator, instr: Instr) -> None:
    """table.get x : at -> rt"""
    table = lookup(v.context.tables, instr.immediates[0], "table")
    v.expect(table.addrtype.numtype)
    v.push(table.reftype)


@instr_ok("table.set")
def table_set(v: Validator, instr: Instr) -> None:
    """table.set x : at rt -> []"""
    table = lookup(v.context.tables, instr.immediates[0], "table")
    v.expect_all((table.addrtype.numtype, table.reftype))


@instr_ok("table.size")
def table_size(v: Validator, instr: Instr) -> None:
    """table.size x : [] -> at"""
    v.push(lookup(v.context.tables, instr.immediates[0], "table").addrtype.numtype)


@instr_ok("table.grow")
def table_grow(v: Validator, instr: Instr) -> None:
    """table.grow x : rt at -> at"""
    table = lookup(v.context.tables, instr.immediates[0], "table")
    at = table.addrtype.numtype
    v.expect_all((table.reftype, at))
    v.push(at)


@instr_ok("table.fill")
def table_fill(v: Validator, instr: Instr) -> None:
    """table.fill x : at rt at -> []"""
    table = lookup(v.context.tables, instr.immediates[0], "table")
    at = table.addrtype.numtype
    v.expect_all((at, table.reftype, at))


@instr_ok("table.copy")
def table_copy(v: Validator, instr: Instr) -> None:
    """table.copy x1 x2 : at1 at2 min(at1, at2) -> []"""
    x1, x2 = instr.immediates
    table1, table2 = lookup(v.context.tables, x1, "table"), lookup(v.context.tables, x2, "table")
    if not match_reftype(table2.reftype, table1.reftype):
        raise Invalid(f"type mismatch: table.copy from {table2.reftype} to {table1.reftype}")
    at1, at2 = table1.addrtype.numtype, table2.addrtype.numtype
    v.expect_all((at1, at2, I32 if I32 in (at1, at2) else at1))


@instr_ok("table.init")
def table_init(v: Validator, instr: Instr) -> None:
    """table.init x y : at i32 i32 -> []"""
    y, x = instr.immediates
    table = lookup(v.context.tables, x, "table")
    reftype = lookup(v.context.elems, y, "elem segment")
    if not match_reftype(reftype, table.reftype):
        raise Invalid(f"type mismatch: table.init of {reftype} into a table of {table.reftype}")
    v.expect_all((table.addrtype.numtype, I32, I32))


@instr_ok("elem.drop")
def elem_drop(v: Validator, instr: Instr) -> None:
    """elem.drop x : [] -> []"""
    lookup(v.context.elems, instr.immediates[0], "elem segment")
