"""Numeric, vector, parametric and variable instructions that leave a value.

Spec: syntax/instructions#numeric-instructions, syntax/instructions#vector-instructions
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import MAX_NEAR, UNREACHABLE, Body, Code, statement, value
from conformance.lockstep.grammar.constants import constant, integer
from conformance.lockstep.grammar.notes import note
from conformance.lockstep.grammar.rows import (
    BY_RESULT,
    CHAINED,
    COMPARISONS,
    CONVERSIONS,
    DIVISIONS,
    LANES,
    STEPS,
    TRUNCATIONS,
    TRUTHS,
    mnemonic,
    width,
)
from interp.execution import numerics
from interp.syntax.features import RELAXED_SIMD
from interp.syntax.instructions import Op
from interp.syntax.types import I32, I64, V128, NumType, RefType, ValType, VecType


def usable(body: Body, op: Op) -> bool:
    """Whether a module's profile has what a row needs."""
    p = body.plan.profile
    if op.type is not None and V128 in (*op.type.params, *op.type.results) and not p.simd:
        return False
    return op.since != RELAXED_SIMD or p.relaxed


@value(12)
def operator(body: Body, t: ValType) -> Code | None:
    """Any operator that gives the type; half the time one that also takes it."""
    found = [op for op in BY_RESULT.get(t, ()) if usable(body, op)]
    if not found:
        return None
    if body.c.chance(50):
        same = [op for op in found if op.type is not None and set(op.type.params) == {t}]
        found = same or found
    if body.c.chance(60):
        found = [op for op in found if op.kind not in TRUTHS] or found
    return apply(body, body.c.pick(found))


def apply(body: Body, op: Op) -> Code:
    """The operands of an operator and the operator; divisors and numbers to be truncated mostly do not trap."""
    types = op.type.params if op.type is not None else ()
    if op.sem in DIVISIONS and body.c.chance(80):
        t = types[1]
        divisor = [body.const(t, integer(body.c, width(t)) | 1)]
        if body.c.chance(50):
            divisor += [*body.value(t), body.ins(mnemonic(numerics.ior, width(t)))]
        code = body.value(t) + divisor
    elif op.sem in TRUNCATIONS and body.c.chance(80):
        code = [*body.value(I32), body.ins(CONVERSIONS[types[0]].mnemonic)]
        if op.sem is numerics.trunc_u:
            code.append(body.ins(mnemonic(numerics.fabs, width(types[0]))))
    else:
        code = body.operands(types)
    return [*code, body.ins(op.mnemonic)]


@value(10)
def chain(body: Body, t: ValType) -> Code | None:
    """A chain of integer operators on locals and small constants, leaning to the left as compilers write it."""
    if t not in CHAINED:
        return None
    code = body.leaf(t)
    for _ in range(body.c.between(1, 5)):
        code += body.leaf(t) if body.c.chance(70) else body.value(t)
        code.append(body.ins(body.c.pick(CHAINED[t]).mnemonic))
    return code


@value(5)
def comparison(body: Body, t: ValType) -> Code | None:
    """Chains compared, and the result used as the number that it is."""
    if t != I32:
        return None
    of = body.c.pick((I32, I64)) if body.plan.profile.wide else I32
    code = [*(chain(body, of) or []), *body.leaf(of), body.ins(body.c.pick(COMPARISONS[of]).mnemonic)]
    form = body.c.below(4)
    if form == 1:
        code.append(body.ins(mnemonic(numerics.ieqz, 32)))
    elif form > 1:
        code += [*body.leaf(I32), body.ins(body.c.pick(CHAINED[I32]).mnemonic)]
    return code


@value(9)
def local(body: Body, t: ValType) -> Code | None:
    """The value of a local."""
    found = body.locals_of(t)
    return [body.ins("local.get", body.c.pick(found))] if found else None


@value(4)
def tee(body: Body, t: ValType) -> Code | None:
    """A value that is also kept in a local."""
    x = body.some_local(t)
    return [*body.value(t), body.ins("local.tee", x)]


@value(3)
def global_value(body: Body, t: ValType) -> Code | None:
    """The value of a global."""
    found = [x for x, (gt, _) in enumerate(body.plan.globals) if body.plan.matches(gt.valtype, t)]
    return [body.ins("global.get", body.c.pick(found))] if found else None


@value(3)
def selected(body: Body, t: ValType) -> Code | None:
    """One of two values."""
    code = body.operands((t, t, I32))
    if isinstance(t, RefType) or body.c.chance(35):
        return [*code, body.ins("select t", (t,))]
    return [*code, body.ins("select")]


@value(2)
def constant_value(body: Body, t: ValType) -> Code | None:
    """A constant worth trying."""
    return [body.const(t, constant(body.c, t))] if isinstance(t, NumType | VecType) else None


@value(6)
def lane_of_vector(body: Body, t: ValType) -> Code | None:
    """One lane of a vector, or a vector with a lane replaced or its lanes shuffled."""
    if not body.plan.profile.simd:
        return None
    if t != V128:
        found = [op for op in LANES["vextract_lane"] if op.params[0].unpacked == t]
        if not found:
            return None
        op = body.c.pick(found)
        return [*body.value(V128), body.ins(op.mnemonic, body.c.below(op.params[0].dim))]
    op = body.c.pick(LANES["vreplace_lane"] + LANES["vshuffle"])
    if op.kind == "vshuffle":
        return [*body.operands((V128, V128)), body.ins(op.mnemonic, tuple(body.c.below(32) for _ in range(16)))]
    shape = op.params[0]
    return [*body.operands((V128, shape.unpacked)), body.ins(op.mnemonic, body.c.below(shape.dim))]


@statement(6)
def set_local(body: Body) -> Code | None:
    """A local gets a value."""
    found = body.settable()
    x = body.c.pick(found) if found and body.c.chance(75) else body.new_local(body.c.weighted(body.plan.palette))
    return [*body.value(body.locals[x]), body.ins("local.set", x)]


@statement(4)
def set_global(body: Body) -> Code | None:
    """A global gets a value."""
    found = [x for x, (gt, _) in enumerate(body.plan.globals) if gt.mut]
    if not found:
        return None
    x = body.c.pick(found)
    return [*body.value(body.plan.globals[x][0].valtype), body.ins("global.set", x)]


@statement(16)
def work(body: Body) -> Code | None:
    """A local goes through one operator after the other, of whatever type that makes it; another local keeps it."""
    found = [x for x in body.settable() if isinstance(body.locals[x], NumType | VecType)]
    if not found:
        return None
    x = body.c.pick(found[-MAX_NEAR:])
    t, code = body.locals[x], [body.ins("local.get", x)]
    for _ in range(body.c.between(2, 7)):
        op = body.c.pick(body.c.pick(steps(body, t)))
        types = op.type.params if op.type is not None else ()
        others = [instr for other in types[1:] for instr in body.leaf(other)]
        if op.sem in DIVISIONS and body.c.chance(80):
            others = [body.const(t, integer(body.c, width(t)) | 1)]
        code += [*others, body.ins(op.mnemonic)]
        t = op.type.results[0] if op.type is not None else t
    own = [y for y in body.settable() if body.locals[y] == t]
    return [*code, body.ins("local.set", body.c.pick(own) if own and body.c.chance(70) else body.new_local(t))]


def steps(body: Body, t: ValType) -> list[list[Op]]:
    """Operators whose first operand is of a type: those that keep the type, twice, and those that do not."""
    palette = {own for _, own in body.plan.palette}
    found = [op for op in STEPS[t] if usable(body, op) and palette.issuperset(op.type.results if op.type else ())]
    keeping = [op for op in found if op.type is not None and op.type.results == (t,)]
    binary = [op for op in keeping if op.type is not None and len(op.type.params) > 1 and op.kind not in TRUTHS]
    leaving = [op for op in found if op not in keeping]
    return [each for each in (binary, binary, keeping, CHAINED.get(t, []), leaving) if each]


@statement(3)
def noted(body: Body) -> Code | None:
    """A value that is noted."""
    t = body.c.weighted(body.plan.palette)
    if body.plan.checksum is None or not isinstance(t, NumType | VecType):
        return None
    return [*body.value(t), *note(body, t)]


@statement(1)
def dropped(body: Body) -> Code | None:
    """A value that nobody wants; it may still trap."""
    return [*body.value(body.c.weighted(body.plan.palette)), body.ins("drop")]


def dead_operator(body: Body) -> Code:
    """In unreachable code: an operator with some of its operands only."""
    op = body.c.pick([op for op in BY_RESULT[body.c.weighted(((3, I32), (1, I64)))] if usable(body, op)])
    types = op.type.params if op.type is not None else ()
    kept = body.c.below(len(types) + 1)
    return [*body.operands(types[len(types) - kept :]), body.ins(op.mnemonic), body.ins("drop")]


def dead_select(body: Body) -> Code:
    """In unreachable code: operands of any type."""
    return [body.ins("select"), body.ins("drop"), body.ins("drop")]


UNREACHABLE += [(2, dead_operator), (1, dead_select)]
