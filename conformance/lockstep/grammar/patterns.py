"""Patterns on purpose: what a translator that folds instructions into expressions, drops masks and delays loads may get
wrong, and what goes beyond the limits of its target, such as Python's twenty nested blocks.
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import Body, Code, Label, statement, value
from conformance.lockstep.grammar.constants import integer
from conformance.lockstep.grammar.control import condition, counted_loop
from conformance.lockstep.grammar.memories import LOADS, STORES, index_type, some_memory
from conformance.lockstep.grammar.rows import BY_RESULT, CHAINED, COMPARISONS, mnemonic, width
from conformance.lockstep.grammar.values import usable
from interp.execution import numerics
from interp.syntax.instructions import Instr, MemArg
from interp.syntax.types import I32, I64, V128, FuncType, NumType, ValType

DEEP = 42
"""More blocks than this are not nested on purpose."""

MAX_RUN = 60
"""Assignments in a row."""


def combine(body: Body, t: ValType) -> Instr:
    """An operator on two integers."""
    return body.ins(body.c.pick(CHAINED[t]).mnemonic)


def some_integer(body: Body) -> ValType:
    """i32 or i64."""
    return I64 if body.plan.profile.wide and body.c.chance(35) else I32


@value(5)
def old_local(body: Body, t: ValType) -> Code | None:
    """x op (x := …) op x: the first operand is what the local was before."""
    found = [x for x in body.settable() if body.locals[x] == t]
    if t not in CHAINED or not found:
        return None
    x = body.c.pick(found)
    code = [body.ins("local.get", x)]
    if body.c.chance(50):
        code += [*body.value(t), body.ins("local.tee", x)]
    else:
        code += [*body.value(t), body.ins("local.set", x), *body.statements(1), body.ins("local.get", x)]
    return [*code, combine(body, t), body.ins("local.get", x), combine(body, t)]


@statement(4)
def exchange(body: Body) -> Code | None:
    """(x, y) := (y, x + y), and the like: all are read before any is set."""
    t = some_integer(body)
    x, y = body.some_local(t), body.some_local(t)
    code = [body.ins("local.get", x), body.ins("local.get", y)]
    if body.c.chance(60):
        code += [body.ins("local.get", x), combine(body, t)]
    if body.c.chance(30):
        code += body.statement()
    return [*code, body.ins("local.set", x), body.ins("local.set", y)]


@value(5)
def pending_load(body: Body, t: ValType) -> Code | None:
    """A load that waits while the same place is written to, or memory grows, or a function is called."""
    memidx = some_memory(body)
    if t not in CHAINED or memidx is None:
        return None
    N, at = width(t), index_type(body, memidx)
    op = body.c.pick([op for op in LOADS if op.params[0] == t])
    x = body.some_local(at)
    code = [body.const(at, body.c.below(2048)), body.ins("local.set", x)]
    first = MemArg(0, body.c.below(16), memidx)
    code += [body.ins("local.get", x), body.ins(op.mnemonic, first)]
    code += between(body, x, memidx, first.offset)
    code += [body.ins("local.get", x), body.ins(op.mnemonic, first)]
    return [*code, body.ins(mnemonic(body.c.pick((numerics.isub, numerics.ixor, numerics.iadd)), N))]


def between(body: Body, x: int, memidx: int, offset: int) -> Code:
    """What may change what a load at local x gives."""
    at = index_type(body, memidx)
    form = body.c.below(10)
    if form < 5:
        op = body.c.pick([op for op in STORES if op.params[0] in {t for _, t in body.plan.palette}])
        place = max(0, offset + body.c.pick((0, 0, 1, -1, 4)))
        return [
            body.ins("local.get", x), *body.value(op.params[0]), body.ins(op.mnemonic, MemArg(0, place, memidx)),
        ]  # fmt: skip
    if form < 7:
        return [
            body.ins("local.get", x), body.const(I32, body.c.below(256)), body.const(at, body.c.below(40)),
            body.ins("memory.fill", memidx),
        ]  # fmt: skip
    if form == 7:
        return [body.const(at, 1), body.ins("memory.grow", memidx), body.ins("drop")]
    if form == 8:
        return [*body.value(at), body.ins("local.set", x)]
    return body.statement()


@statement(3)
def neighbours(body: Body) -> Code | None:
    """Several accesses of different widths around one address that a local holds, which moves on in between."""
    memidx = some_memory(body)
    if memidx is None:
        return None
    at = index_type(body, memidx)
    x = body.some_local(at)
    ops = [op for op in LOADS + STORES if op.params[0] in {t for _, t in body.plan.palette}]
    code = [body.const(at, body.c.pick((0, 1, 64, 65536 - 64, 256))), body.ins("local.set", x)]
    for _ in range(body.c.between(2, 5)):
        op = body.c.pick(ops)
        arg = MemArg(body.c.below((op.params[1] // 8).bit_length()), body.c.below(24), memidx)
        code.append(body.ins("local.get", x))
        if op in STORES:
            code += [*body.leaf(op.params[0]), body.ins(op.mnemonic, arg)]
        else:
            code += [body.ins(op.mnemonic, arg), *body.discard((op.params[0],))]
        if body.c.chance(40):
            step = [body.const(at, body.c.pick((1, 4, 8, 3))), body.ins(mnemonic(numerics.iadd, width(at)))]
            code += [body.ins("local.get", x), *step, body.ins("local.set", x)]
        elif body.c.chance(30):
            code += [body.const(at, body.c.below(512)), body.ins("local.set", x)]
    return code


@value(3)
def pending_global(body: Body, t: ValType) -> Code | None:
    """A global that is read before and after it is set, or before and after a call that may set it."""
    found = [x for x, (gt, _) in enumerate(body.plan.globals) if gt.mut and gt.valtype == t]
    if t not in CHAINED or not found:
        return None
    x = body.c.pick(found)
    change = [*body.value(t), body.ins("global.set", x)] if body.c.chance(60) else body.statement()
    return [body.ins("global.get", x), *change, body.ins("global.get", x), combine(body, t)]


@value(4)
def bounds(body: Body, t: ValType) -> Code | None:
    """Sums, masks and shifts whose range matters to a comparison behind them."""
    if t != I32:
        return None
    of = some_integer(body)
    N = width(of)
    form = body.c.below(4)
    operand = body.leaf(of)
    if form == 0:
        operand += [*body.leaf(of), body.ins(mnemonic(body.c.pick((numerics.iadd, numerics.isub)), N))]
    elif form == 1:
        operand += [body.const(of, body.c.pick((0xFF, 0x7FFFFFFF, -256, 1))), body.ins(mnemonic(numerics.iand, N))]
    elif form == 2:
        shift = body.c.pick((numerics.ishr_u, numerics.ishr_s, numerics.ishl))
        operand += [body.const(of, body.c.pick((1, N - 1, N // 2, N, N + 1))), body.ins(mnemonic(shift, N))]
    else:
        operand += [*body.leaf(of), body.ins(mnemonic(numerics.imul, N))]
    compared = [body.const(of, integer(body.c, N)), body.ins(body.c.pick(COMPARISONS[of]).mnemonic)]
    return operand + compared


@value(3)
def truth(body: Body, t: ValType) -> Code | None:
    """Conditions of conditions: compared with 0, inverted twice, combined by and/or as numbers."""
    if t != I32:
        return None
    code = body.value(I32)
    for _ in range(body.c.between(1, 3)):
        form = body.c.below(5)
        if form < 2:
            code.append(body.ins(mnemonic(numerics.ieqz, 32)))
        elif form == 2:
            code += [body.const(I32, 1), body.ins(mnemonic(body.c.pick((numerics.ixor, numerics.iand)), 32))]
        elif form == 3:
            code += [body.const(I32, 0), body.ins(mnemonic(body.c.pick((numerics.ine, numerics.ieq)), 32))]
        else:
            code += [*body.leaf(I32), body.ins(mnemonic(body.c.pick((numerics.iand, numerics.ior)), 32))]
    return code


@value(3)
def narrowed(body: Body, t: ValType) -> Code | None:
    """Sign extension, wrapping and extending, on what may already be narrow."""
    if t not in CHAINED:
        return None
    N = width(t)
    widths = [8, 16] if N == 32 else [8, 16, 32]
    code = body.value(t)
    form = body.c.below(4)
    if form == 0:
        return [*code, body.ins(mnemonic(numerics.iextend_s, N, body.c.pick(widths)))]
    if form == 1:
        by = body.const(t, N - body.c.pick(widths))
        again = [by, body.ins(mnemonic(body.c.pick((numerics.ishr_s, numerics.ishr_u)), N))]
        return [*code, by, body.ins(mnemonic(numerics.ishl, N)), *again]
    if not body.plan.profile.wide:
        return None
    extend = mnemonic(body.c.pick((numerics.extend_s, numerics.extend_u)), 32, 64)
    wrap = mnemonic(numerics.wrap, 64, 32)
    if N == 32:
        return [*code, body.ins(extend), *body.leaf(I64), combine(body, I64), body.ins(wrap)]
    return [*code, body.ins(wrap), body.ins(extend)]


def deep(body: Body) -> Code:
    """About as many nested blocks, ifs and loops as Python can nest, or more, with branches far out."""
    return deeper(body, body.c.between(16, DEEP))


def deeper(body: Body, levels: int) -> Code:
    """So many nested blocks."""
    if levels == 0:
        return body.statements(2)
    nothing = FuncType((), ())
    form = body.c.weighted(((3, "block"), (4, "if"), (2, "loop")))
    test = condition(body) if form == "if" and body.c.chance(30) else body.leaf(I32) if form == "if" else []
    depth = body.depth
    with body.inside(Label((), ends=form != "loop")):
        body.depth = depth
        x = body.c.below(len(body.labels))
        ends = body.labels[-1 - x].ends and not body.labels[-1 - x].types
        code = [*body.leaf(I32), body.ins("br_if", x)] if ends and body.c.chance(40) else []
        code += [*deeper(body, levels - 1), *(body.statement() if body.c.chance(15) else [])]
    return [*test, body.block(form, nothing, code, *([[]] if form == "if" else []))]


def long_run(body: Body) -> Code:
    """A long run of simple assignments, in which every value depends on earlier ones."""
    t = some_integer(body)
    names = [body.some_local(t) for _ in range(4)]
    code: Code = []
    for _ in range(body.c.between(15, MAX_RUN)):
        code += [body.ins("local.get", body.c.pick(names)), *body.leaf(t), combine(body, t)]
        code.append(body.ins("local.set", body.c.pick(names)))
    return code


@statement(3)
def carried_loop(body: Body) -> Code:
    """A loop whose values go round on the stack."""
    types: tuple[ValType, ...] = tuple([some_integer(body) for _ in range(body.c.between(1, 3))])
    return [*body.operands(types), *counted_loop(body, FuncType(types, types)), *body.discard(types)]


@statement(3)
def vector_work(body: Body) -> Code | None:
    """A vector that goes through one operator after the other."""
    if not body.plan.profile.simd:
        return None
    found = [op for op in BY_RESULT[V128] if usable(body, op)]
    x = body.some_local(V128)
    code = body.leaf(V128)
    for _ in range(body.c.between(2, 5)):
        op = body.c.pick(found)
        types = op.type.params if op.type is not None else ()
        if types[0] == V128:
            code += [*(instr for t in types[1:] for instr in body.leaf(t)), body.ins(op.mnemonic)]
    return [*code, body.ins("local.set", x)]


@value(2)
def reinterpreted(body: Body, t: ValType) -> Code | None:
    """The bits of a float that may be a NaN, through memory or without."""
    if not body.plan.profile.floats or t not in CHAINED:
        return None
    of = NumType(f"f{width(t)}")
    return [*body.value(of), body.ins(mnemonic(numerics.reinterpret, of.value, str(t)))]
