"""Typing of parametric and control instructions: blocks, branches, calls, exceptions (specification 3.4).

Spec: valid/instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Catch, Instr
from interp.syntax.types import (
    BOT,
    EXNREF,
    FUNCREF,
    I32,
    AbsHeapType,
    FuncType,
    NumType,
    RefType,
    ResultType,
    ValType,
    VecType,
)
from interp.validation.algorithm import Validator
from interp.validation.context import lookup
from interp.validation.matching import match_reftype, match_resulttype
from interp.validation.rules import instr_ok


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
        t = v.context.close_valtype(ts[0])
        v.expect_all((t, t))
        v.push(t)
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


@instr_ok("try_table")
def try_table(v: Validator, instr: Instr) -> None:
    """try_table bt catch* instr* : t1* -> t2*, the labels of the catches counted from outside"""
    blocktype, catches, body = instr.immediates
    ft = v.context.blocktype(blocktype)
    for catch in catches:
        catch_ok(v, catch)
    v.expect_all(ft.params)
    v.push_control(instr, ft, body)


def catch_ok(v: Validator, catch: Catch) -> None:
    """C |- catch ok: what is caught may be taken along to the label.  Spec: valid/instructions#valid-catch"""
    taken: ResultType = ()
    if catch.tagidx is not None:
        taken = lookup(v.context.tags, catch.tagidx, "tag").functype.params
    if catch.takes_ref:
        taken = (*taken, RefType(False, AbsHeapType.EXN))
    label = v.label(catch.labelidx)
    if not match_resulttype(taken, label):
        raise Invalid(
            f"type mismatch: {catch.keyword} of {list(map(str, taken))} for a label of {list(map(str, label))}"
        )


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
        v.check_all(ts)
    v.expect_all(v.label(default))
    v.unreachable()


@instr_ok("br_on_null")
def br_on_null(v: Validator, instr: Instr) -> None:
    """br_on_null l : t* (ref null ht) -> t* (ref ht)"""
    rt = v.expect_ref()
    ts = v.label(instr.immediates[0])
    v.expect_all(ts)
    v.push_all(ts)
    v.push(RefType(False, rt.heaptype))


def label_with_ref(v: Validator, l: int) -> tuple[ResultType, RefType]:  # noqa: E741 — the specification's letter
    """t* and rt of a label of type t* rt."""
    ts = v.label(l)
    if not ts or not isinstance(ts[-1], RefType):
        raise Invalid(f"type mismatch: label {l} takes no reference at last")
    return ts[:-1], ts[-1]


@instr_ok("br_on_non_null")
def br_on_non_null(v: Validator, instr: Instr) -> None:
    """br_on_non_null l : t* (ref null ht) -> t*"""
    ts, rt = label_with_ref(v, instr.immediates[0])
    v.expect(RefType(True, rt.heaptype))
    v.expect_all(ts)
    v.push_all(ts)


def difference(rt1: RefType, rt2: RefType) -> RefType:
    """rt1 \\ rt2: what is left of rt1 when a cast to rt2 fails.  Spec: valid/conventions#difference"""
    return RefType(rt1.null and not rt2.null, rt1.heaptype)


@instr_ok("br_on_cast")
@instr_ok("br_on_cast_fail")
def br_on_cast(v: Validator, instr: Instr) -> None:
    """br_on_cast l rt1 rt2 : t* rt1 -> t* (rt1 \\ rt2); br_on_cast_fail l rt1 rt2 : t* rt1 -> t* rt2"""
    (null1, null2), l, ht1, ht2 = instr.immediates  # noqa: E741 — the specification's letter
    rt1, rt2 = v.context.close_reftype(null1, ht1), v.context.close_reftype(null2, ht2)
    if not match_reftype(rt2, rt1):
        raise Invalid(f"type mismatch: a cast from {rt1} to {rt2}, which does not match it")
    ts, rt = label_with_ref(v, l)
    taken, left = rt2, difference(rt1, rt2)
    if instr.op.kind == "br_on_cast_fail":
        taken, left = left, taken
    if not match_reftype(taken, rt):
        raise Invalid(f"type mismatch: a branch with {taken} to a label that takes {rt}")
    v.expect(rt1)
    v.expect_all(ts)
    v.push_all(ts)
    v.push(left)


@instr_ok("return")
def return_(v: Validator, instr: Instr) -> None:
    """return : t1* t* -> t2*"""
    v.expect_all(v.controls[0].type.results)
    v.unreachable()


def callee(v: Validator, instr: Instr) -> tuple[FuncType, ValType | None]:
    """The function type that an instruction calls, and the operand that says which function (None: an index does)."""
    kind, x = instr.op.kind.removeprefix("return_"), instr.immediates[0]
    if kind == "call":
        return v.context.func(x), None
    if kind == "call_ref":
        return v.context.functype(x), RefType(True, v.context.deftype(x))
    table = lookup(v.context.tables, instr.immediates[1], "table")
    if not match_reftype(table.reftype, FUNCREF):
        raise Invalid(f"type mismatch: {instr.op.kind} through a table of {table.reftype}")
    return v.context.functype(x), table.addrtype.numtype


@instr_ok("call")
@instr_ok("call_ref")
@instr_ok("call_indirect")
def call(v: Validator, instr: Instr) -> None:
    """call x : t1* -> t2*; call_ref x : t1* (ref null x) -> t2*; call_indirect x y : t1* at -> t2*"""
    ft, which = callee(v, instr)
    if which is not None:
        v.expect(which)
    v.expect_all(ft.params)
    v.push_all(ft.results)


@instr_ok("return_call")
@instr_ok("return_call_ref")
@instr_ok("return_call_indirect")
def return_call(v: Validator, instr: Instr) -> None:
    """return_call x : t3* t1* -> t4*, and in the same way the others, where t2* matches the results of the caller"""
    ft, which = callee(v, instr)
    results = v.controls[0].type.results
    if not match_resulttype(ft.results, results):
        raise Invalid(f"type mismatch: {instr.op.kind} of a function {ft} in one that gives {list(map(str, results))}")
    if which is not None:
        v.expect(which)
    v.expect_all(ft.params)
    v.unreachable()


@instr_ok("throw")
def throw(v: Validator, instr: Instr) -> None:
    """throw x : t1* t* -> t2*"""
    v.expect_all(lookup(v.context.tags, instr.immediates[0], "tag").functype.params)
    v.unreachable()


@instr_ok("throw_ref")
def throw_ref(v: Validator, instr: Instr) -> None:
    """throw_ref : t1* (ref null exn) -> t2*"""
    v.expect(EXNREF)
    v.unreachable()
