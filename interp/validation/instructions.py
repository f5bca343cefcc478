"""Typing of instructions (specification 3.4): a generic rule for every row of the instruction table that has one type,
and one function per other rule, named as the rule.

A rule function pops what the instruction takes and pushes what it leaves. `x y` are indices, `t` value types, `ft`
function types. An `Invalid` that leaves this module names rule and byte offset.
Spec: valid/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.errors import Invalid
from interp.syntax.instructions import Expr, Instr, MemArg
from interp.syntax.types import (
    BOT,
    I32,
    AbsHeapType,
    DefType,
    FuncType,
    MemType,
    NumType,
    RefType,
    ResultType,
    TypeIdx,
    VecType,
    functype_deftype,
)
from interp.validation.algorithm import Validator
from interp.validation.context import Context, lookup
from interp.validation.matching import match_reftype

TypingRule = Callable[[Validator, Instr], None]
RULES: dict[str, TypingRule] = {}

CONSTANT_BINOPS = frozenset({"iadd", "isub", "imul"})
"""Numerics of the binary operators that constant expressions may use.  Spec: valid/instructions#constant-expressions"""


def instr_ok(kind: str) -> Callable[[TypingRule], TypingRule]:
    """Register the typing rule of a kind of instruction."""

    def register(function: TypingRule) -> TypingRule:
        RULES[kind] = function
        return function

    return register


def rule_name(instr: Instr) -> str:
    """The specification's name of the rule that types an instruction."""
    kind = instr.op.kind
    if kind == "select":
        kind = "select-expl" if instr.immediates else "select-impl"
    elif kind in ("load", "store"):
        t, width = instr.op.params[:2]
        kind += "-val" if int(t.value[1:]) == width else "-pack"
    return f"Instr_ok/{kind}"


def expr_ok(
    context: Context, expr: Expr, results: ResultType, locals_: ResultType = (), constant: bool = False
) -> None:
    """C |- expr : t*, without recursion however deep the blocks are nested.  Raises Invalid.

    Spec: valid/instructions#expressions
    """
    v = Validator(context, locals_, constant)
    v.push_control(None, FuncType((), results), expr)
    instr: Instr | None = None
    try:
        while v.controls:
            frame = v.controls[-1]
            for instr in frame.code:
                type_instr(v, instr)
                if v.controls[-1] is not frame:
                    break
            else:
                instr = frame.instr
                close(v)
    except Invalid as error:
        if error.rule:
            raise
        rule = rule_name(instr) if instr is not None else "Instrs_ok/frame"
        raise Invalid(error.message, rule, offset=instr.offset if instr is not None else None) from None


def type_instr(v: Validator, instr: Instr) -> None:
    """C |- instr : it"""
    op = instr.op
    if v.constant:
        check_constant(v, instr)
    ft = op.type
    if ft is None:
        RULES[op.kind](v, instr)
        return
    for t in reversed(ft.params):
        v.expect(t)
    v.operands.extend(ft.results)


def close(v: Validator) -> None:
    """The end of a block, or the turn from `then` to `else`."""
    frame = v.pop_control()
    if frame.otherwise is not None:
        v.push_control(frame.instr, frame.type, frame.otherwise)
    else:
        v.push_all(frame.type.results)


def check_constant(v: Validator, instr: Instr) -> None:
    """C |- instr const.  Spec: valid/instructions#constant-expressions"""
    op = instr.op
    if op.kind in ("const", "ref.null", "ref.func"):
        return
    if op.kind == "binop" and op.sem is not None and op.sem.__name__ in CONSTANT_BINOPS:
        return
    if op.kind == "global.get" and not lookup(v.context.globals, instr.immediates[0], "global").mut:
        return
    raise Invalid("constant expression required", "Expr_const", offset=instr.offset)


@instr_ok("nop")
def nop(v: Validator, instr: Instr) -> None:
    """nop : [] -> []"""


@instr_ok("unreachable")
def unreachable(v: Validator, instr: Instr) -> None:
    """unreachable : t1* -> t2*"""
    v.unreachable()


@instr_ok("drop")
def drop(v: Validator, instr: Instr) -> None:
    """drop : t -> []"""
    v.pop()


@instr_ok("select")
def select(v: Validator, instr: Instr) -> None:
    """select t? : t t i32 -> t; without t only for numbers and vectors"""
    v.expect(I32)
    if instr.immediates:
        ts = instr.immediates[0]
        if len(ts) != 1:
            raise Invalid("invalid result arity")
        v.expect_all(ts + ts)
        v.push(ts[0])
        return
    t1, t2 = v.pop(), v.pop()
    for t in (t1, t2):
        if not isinstance(t, NumType | VecType) and t is not BOT:
            raise Invalid(f"type mismatch: select without a type cannot choose between {t} values")
    if t1 is not t2 and BOT not in (t1, t2):
        raise Invalid(f"type mismatch: select between {t2} and {t1}")
    v.push(t2 if t1 is BOT else t1)


@instr_ok("block")
@instr_ok("loop")
def block(v: Validator, instr: Instr) -> None:
    """block bt instr* : t1* -> t2*"""
    ft = v.context.blocktype(instr.immediates[0])
    v.expect_all(ft.params)
    v.push_control(instr, ft, instr.immediates[1])


@instr_ok("if")
def if_(v: Validator, instr: Instr) -> None:
    """if bt instr1* else instr2* : t1* i32 -> t2*"""
    blocktype, then, otherwise = instr.immediates
    ft = v.context.blocktype(blocktype)
    v.expect(I32)
    v.expect_all(ft.params)
    v.push_control(instr, ft, then, otherwise)


@instr_ok("br")
def br(v: Validator, instr: Instr) -> None:
    """br l : t1* t* -> t2*"""
    v.expect_all(v.label(instr.immediates[0]))
    v.unreachable()


@instr_ok("br_if")
def br_if(v: Validator, instr: Instr) -> None:
    """br_if l : t* i32 -> t*"""
    v.expect(I32)
    ts = v.label(instr.immediates[0])
    v.expect_all(ts)
    v.push_all(ts)


@instr_ok("br_table")
def br_table(v: Validator, instr: Instr) -> None:
    """br_table l* l' : t1* t* i32 -> t2*"""
    labels, default = instr.immediates
    v.expect(I32)
    arity = len(v.label(default))
    # Labels of one block type share their tuple of types, so each is checked once however many labels there are.
    distinct = {id(ts): ts for ts in map(v.label, dict.fromkeys(labels))}
    for ts in distinct.values():
        if len(ts) != arity:
            raise Invalid("type mismatch: the labels of br_table take different numbers of values")
        v.operands.extend(v.expect_all(ts))
    v.expect_all(v.label(default))
    v.unreachable()


@instr_ok("return")
def return_(v: Validator, instr: Instr) -> None:
    """return : t1* t* -> t2*"""
    v.expect_all(v.controls[0].type.results)
    v.unreachable()


@instr_ok("call")
def call(v: Validator, instr: Instr) -> None:
    """call x : t1* -> t2*"""
    ft = lookup(v.context.funcs, instr.immediates[0], "function")
    v.expect_all(ft.params)
    v.push_all(ft.results)


@instr_ok("call_indirect")
def call_indirect(v: Validator, instr: Instr) -> None:
    """call_indirect x y : t1* at -> t2*"""
    y, x = instr.immediates
    table = lookup(v.context.tables, x, "table")
    if not match_reftype(table.reftype, RefType(True, AbsHeapType.FUNC)):
        raise Invalid(f"type mismatch: call_indirect through a table of {table.reftype}")
    ft = v.context.functype(y)
    v.expect(table.addrtype.numtype)
    v.expect_all(ft.params)
    v.push_all(ft.results)


@instr_ok("ref.null")
def ref_null(v: Validator, instr: Instr) -> None:
    """ref.null ht : [] -> (ref null ht)"""
    v.push(RefType(True, close_heaptype(v.context, instr.immediates[0])))


@instr_ok("ref.is_null")
def ref_is_null(v: Validator, instr: Instr) -> None:
    """ref.is_null : (ref null ht) -> i32"""
    v.expect_ref()
    v.push(I32)


@instr_ok("ref.func")
def ref_func(v: Validator, instr: Instr) -> None:
    """ref.func x : [] -> (ref dt)"""
    x = instr.immediates[0]
    ft = lookup(v.context.funcs, x, "function")
    if not v.constant and x not in v.context.refs:
        raise Invalid(f"undeclared function reference {x}")
    v.push(RefType(False, functype_deftype(ft)))


@instr_ok("local.get")
def local_get(v: Validator, instr: Instr) -> None:
    """local.get x : [] -> t"""
    v.push(lookup(v.locals, instr.immediates[0], "local"))


@instr_ok("local.set")
def local_set(v: Validator, instr: Instr) -> None:
    """local.set x : t -> []"""
    v.expect(lookup(v.locals, instr.immediates[0], "local"))


@instr_ok("local.tee")
def local_tee(v: Validator, instr: Instr) -> None:
    """local.tee x : t -> t"""
    t = lookup(v.locals, instr.immediates[0], "local")
    v.expect(t)
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


def memory_of(v: Validator, memarg: MemArg, width: int) -> MemType:
    """The memory of a load or store of `width` bits, its alignment checked.  Spec: valid/instructions#memargs"""
    mem = lookup(v.context.mems, memarg.memidx, "memory")
    if 1 << memarg.align > width // 8:
        raise Invalid("alignment must not be larger than natural")
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


def close_heaptype(context: Context, heaptype: Any) -> AbsHeapType | DefType:
    """The closed heap type: type indices replaced by the defined types that they stand for."""
    if isinstance(heaptype, TypeIdx):
        return lookup(context.types, heaptype.index, "type")
    if not isinstance(heaptype, AbsHeapType | DefType):
        raise Invalid(f"unknown heap type {heaptype}")
    return heaptype
