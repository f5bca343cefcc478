"""Reference and table instructions.

Spec: syntax/instructions#reference-instructions, syntax/instructions#table-instructions
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import REFERENCES, Body, Code, Label, statement, value
from conformance.lockstep.grammar.control import condition
from conformance.lockstep.grammar.rows import mnemonic, width
from interp.execution import numerics
from interp.syntax.types import (
    EQREF,
    EXTERNREF,
    FUNCREF,
    I32,
    AbsHeapType,
    FuncType,
    RefType,
    TypeIdx,
    ValType,
)

ANYREF = RefType(True, AbsHeapType.ANY)
CASTABLE = (AbsHeapType.ANY, AbsHeapType.EQ, AbsHeapType.I31, AbsHeapType.STRUCT, AbsHeapType.ARRAY, AbsHeapType.NONE)
"""The abstract heap types of the hierarchy of any."""


def nonnull(t: RefType) -> RefType:
    """The type without null."""
    return RefType(False, t.heaptype)


def nullable(t: RefType) -> RefType:
    """The type with null."""
    return RefType(True, t.heaptype)


def reference_types(body: Body) -> list[RefType]:
    """The reference types that the module works with."""
    return [t for _, t in body.plan.palette if isinstance(t, RefType)]


def in_any(body: Body, t: RefType) -> bool:
    """Whether a type is in the hierarchy of any."""
    return body.plan.matches(nullable(t), ANYREF)


def func_reference(body: Body, t: RefType) -> Code | None:
    """ref.func of a function of the type."""
    found = [x for x in body.plan.leaf_indices() if body.plan.matches(own_type(body, x), t)]
    return [body.ins("ref.func", body.c.pick(found))] if found else None


def own_type(body: Body, funcidx: int) -> RefType:
    """The type of a reference to a function."""
    return RefType(False, TypeIdx(body.plan.typeidx(body.plan.functype(funcidx))))


REFERENCES.append(func_reference)


@value(3)
def fresh(body: Body, t: ValType) -> Code | None:
    """A new reference."""
    return body.some_reference(t) if isinstance(t, RefType) else None


@value(2)
def asserted(body: Body, t: ValType) -> Code | None:
    """A reference of which it is claimed that it is not null; mostly that is so."""
    if not isinstance(t, RefType) or t.heaptype in (AbsHeapType.EXN, AbsHeapType.EXTERN):
        return None
    source = body.some_reference(nonnull(t)) if body.c.chance(60) else body.value(nullable(t))
    return [*source, body.ins("ref.as_non_null")]


@value(2)
def is_null(body: Body, t: ValType) -> Code | None:
    """ref.is_null."""
    found = reference_types(body)
    if t != I32 or not found:
        return None
    return [*body.value(body.c.pick(found)), body.ins("ref.is_null")]


@value(1)
def same(body: Body, t: ValType) -> Code | None:
    """ref.eq, also of one reference with itself."""
    if t != I32 or not body.plan.profile.aggregates:
        return None
    if body.c.chance(40):
        x = body.some_local(EQREF)
        return [*body.value(EQREF), body.ins("local.tee", x), body.ins("local.get", x), body.ins("ref.eq")]
    return [*body.operands((EQREF, EQREF)), body.ins("ref.eq")]


def some_castable(body: Body) -> RefType:
    """A type to cast to, in the hierarchy of any."""
    types: list[AbsHeapType | TypeIdx] = [*CASTABLE, *[TypeIdx(x) for x, _ in body.plan.structs() + body.plan.arrays()]]
    return RefType(body.c.chance(50), body.c.pick(types))


def castable_value(body: Body) -> Code:
    """A value of the type any."""
    found = [t for t in reference_types(body) if in_any(body, t)]
    return body.value(body.c.pick([*found, ANYREF]))


@value(3)
def tested(body: Body, t: ValType) -> Code | None:
    """ref.test."""
    if t != I32 or not body.plan.profile.aggregates:
        return None
    target = some_castable(body)
    return [*castable_value(body), body.ins("ref.test null" if target.null else "ref.test", target.heaptype)]


@value(4)
def cast(body: Body, t: ValType) -> Code | None:
    """ref.cast, mostly of what is of the type."""
    if not isinstance(t, RefType) or not in_any(body, t):
        return None
    null = t.null and body.c.chance(60)
    source = body.some_reference(t if null else nonnull(t)) if body.c.chance(80) else castable_value(body)
    return [*source, body.ins("ref.cast null" if null else "ref.cast", t.heaptype)]


@value(2)
def converted(body: Body, t: ValType) -> Code | None:
    """A reference seen from the other side of the embedding."""
    if not body.plan.profile.aggregates:
        return None
    if t == EXTERNREF:
        return [*castable_value(body), body.ins("extern.convert_any")]
    return [*body.value(EXTERNREF), body.ins("any.convert_extern")] if t == ANYREF else None


@value(2)
def branch_on_null(body: Body, t: ValType) -> Code | None:
    """br_on_null or br_on_non_null: which way it went, as a number."""
    found = reference_types(body)
    if t != I32 or not found:
        return None
    rt = body.c.pick(found)
    if body.c.chance(50):
        ft = FuncType((), ())
        with body.inside(Label(())):
            inner = [*body.value(rt), body.ins("br_on_null", 0), *body.discard((nonnull(rt),))]
            inner += [body.const(I32, 1), *body.discard((I32,))]
        return [body.block("block", ft, inner), *body.leaf(I32)]
    ft = FuncType((), (nonnull(rt),))
    with body.inside(Label((I32,))):
        with body.inside(Label(ft.results)):
            inner = [*body.value(rt), body.ins("br_on_non_null", 0), body.const(I32, 7), body.ins("br", 1)]
        code = [body.block("block", ft, inner), body.ins("ref.is_null")]
    return [body.block("block", FuncType((), (I32,)), code)]


@value(2)
def branch_on_cast(body: Body, t: ValType) -> Code | None:
    """br_on_cast or br_on_cast_fail: which way it went, as a number."""
    if t != I32 or not body.plan.profile.aggregates:
        return None
    target = some_castable(body)
    fails = body.c.chance(50)
    # What was cast to null is not null where the cast failed, and the other way round.
    rest = RefType(not target.null, AbsHeapType.ANY)
    taken, left = (rest, target) if fails else (target, rest)
    name = "br_on_cast_fail" if fails else "br_on_cast"
    with body.inside(Label((I32,))):
        with body.inside(Label((taken,))):
            casts = body.ins(name, (True, target.null), 0, AbsHeapType.ANY, target.heaptype)
            inner = [*castable_value(body), casts, *body.discard((left,)), body.const(I32, 7), body.ins("br", 1)]
        code = [body.block("block", FuncType((), (taken,)), inner), body.ins("ref.is_null")]
    return [body.block("block", FuncType((), (I32,)), code)]


# --- tables


def some_table(body: Body, t: ValType | None = None) -> int | None:
    """A table, of elements of a type."""
    found = [x for x, tt in enumerate(body.plan.tables) if t is None or tt.reftype == t]
    return body.c.pick(found) if found else None


def table_index(body: Body, x: int) -> Code:
    """An index into a table, mostly of an element that is there."""
    t = body.plan.tables[x].addrtype.numtype
    form = body.c.below(10)
    if form < 6:
        return [body.const(t, body.c.below(body.plan.tables[x].limits.min))]
    code = body.value(t)
    if form < 9:
        code += [body.const(t, 3), body.ins(mnemonic(numerics.iand, width(t)))]
    return code


@value(4)
def table_get(body: Body, t: ValType) -> Code | None:
    """table.get."""
    x = some_table(body, t) if isinstance(t, RefType) else None
    return None if x is None else [*table_index(body, x), body.ins("table.get", x)]


@value(2)
def table_size(body: Body, t: ValType) -> Code | None:
    """table.size, or table.grow."""
    x = some_table(body)
    if x is None or body.plan.tables[x].addrtype.numtype != t:
        return None
    if body.c.chance(60):
        return [body.ins("table.size", x)]
    n = body.const(t, body.c.pick((1, 0, 2, 5, 100)))
    return [*body.value(body.plan.tables[x].reftype), n, body.ins("table.grow", x)]


@statement(3)
def table_set(body: Body) -> Code | None:
    """table.set or table.fill."""
    x = some_table(body)
    if x is None:
        return None
    t = body.plan.tables[x]
    code = [*table_index(body, x), *body.value(t.reftype)]
    if body.c.chance(70):
        return [*code, body.ins("table.set", x)]
    return [*code, body.const(t.addrtype.numtype, body.c.below(4)), body.ins("table.fill", x)]


@statement(2)
def table_copy(body: Body) -> Code | None:
    """table.copy, table.init, elem.drop."""
    x = some_table(body)
    if x is None:
        return None
    t = body.plan.tables[x]
    form = body.c.below(5)
    if form < 2:
        y = some_table(body, t.reftype)
        if y is None:
            return None
        smaller = min(t.addrtype.numtype, body.plan.tables[y].addrtype.numtype, key=width)
        code = [*table_index(body, x), *table_index(body, y), body.const(smaller, body.c.below(4))]
        return [*code, body.ins("table.copy", x, y)]
    segments = [s for s, elem in enumerate(body.plan.elems) if elem.type == t.reftype]
    if not segments:
        return None
    s = body.c.pick(segments)
    if form == 4:
        return [body.ins("elem.drop", s)]
    n = len(body.plan.elems[s].init)
    start = body.c.below(n)
    numbers = [body.const(I32, start), body.const(I32, body.c.below(n - start + 1))]
    return [*table_index(body, x), *numbers, body.ins("table.init", s, x)]


@statement(1)
def kept_nonnull(body: Body) -> Code | None:
    """A local that cannot be null, set before it is used."""
    found = [t for t in reference_types(body) if t == FUNCREF or isinstance(t.heaptype, TypeIdx)]
    if not found:
        return None
    t = nonnull(body.c.pick(found))
    x = body.new_local(t)
    body.hidden.add(x)
    return [*body.some_reference(t), body.ins("local.set", x), body.ins("local.get", x), *body.discard((t,))]


@statement(2)
def null_call(body: Body) -> Code | None:
    """call_ref of what may be null, inside an if."""
    leaves = [x for x in body.plan.leaf_indices() if body.affordable(x)]
    if body.is_leaf or not leaves or not body.plan.profile.references:
        return None
    x = body.c.pick(leaves)
    ft = body.plan.functype(x)
    t = nullable(own_type(body, x))
    typeidx = body.plan.typeidx(ft)
    tail = body.plan.profile.tail_calls and ft.results == body.type.results and body.c.chance(50)
    body.charge(max(leaves, key=body.ticks_of))
    test = condition(body)
    with body.inside(Label(())):
        code = [*body.operands(ft.params), *body.value(t)]
        if tail:
            code += [body.ins("return_call_ref", typeidx), *body.unreachable(())]
        else:
            code += [body.ins("call_ref", typeidx), *body.discard(ft.results)]
    return [*test, body.block("if", FuncType((), ()), code, [])]
