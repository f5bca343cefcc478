"""Loops as compilers write them: over ranges that are known only at run time, with counters and bounds that the body
may change, over arrays in memory. A translator may let its target count such loops, and must not where that would show.
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import MAX_REPEATS, Body, Code, Label, statement
from conformance.lockstep.grammar.control import condition
from conformance.lockstep.grammar.memories import LOADS, STORES, index_type, memory_end, some_memory
from conformance.lockstep.grammar.rows import CHAINED, COMPARISONS, mnemonic, width
from interp.execution import numerics
from interp.syntax.instructions import MemArg, Op
from interp.syntax.types import I32, I64, FuncType, ValType

NOTHING = FuncType((), ())


def room(body: Body) -> int:
    """How often a loop may run here."""
    return MAX_REPEATS // body.repeats


def counter_type(body: Body) -> ValType:
    """i32, or now and then i64."""
    return I64 if body.plan.profile.wide and body.c.chance(25) else I32


def guarded(body: Body, repeats: int, head: Code, tail: Code, most: int) -> Code:
    """block { loop { fuse; head; …; tail; repeat } }: it runs at most `repeats` times, whatever happens to its counter.
    `head` and `tail` may leave by br_if 1 and repeat by br_if 0."""
    fuse = body.new_local(I32)
    body.protected.add(fuse)
    body.ticks += body.repeats * repeats
    with body.inside(Label(())), body.inside(Label((), ends=False), repeats):
        burnt = [body.ins("local.get", fuse), body.ins(mnemonic(numerics.ieqz, 32)), body.ins("br_if", 1)]
        less = [body.ins("local.get", fuse), body.const(I32, 1), body.ins(mnemonic(numerics.isub, 32))]
        inner = [*burnt, *less, body.ins("local.set", fuse), *head, *body.statements(most), *tail, body.ins("br", 0)]
    loop = body.block("loop", NOTHING, inner)
    start = [body.const(I32, repeats), body.ins("local.set", fuse)]
    return [*start, body.block("block", NOTHING, [loop])]


@statement(3)
def wild_loop(body: Body) -> Code | None:
    """A loop whose counter and bound are locals like others: the body may set them."""
    if room(body) < 2 or body.enough():
        return None
    t = counter_type(body)
    i, bound = body.some_local(t), body.some_local(t)
    code = [body.const(t, body.c.pick((0, 0, 1, -3))), body.ins("local.set", i)]
    code += [*body.leaf(t), body.const(t, 7), body.ins(mnemonic(numerics.iand, width(t))), body.ins("local.set", bound)]
    compare = body.c.pick(COMPARISONS[t]).mnemonic
    test = [body.ins("local.get", i), body.ins("local.get", bound), body.ins(compare), body.ins("br_if", 1)]
    step = [
        body.ins("local.get", i),
        body.const(t, body.c.pick((1, 1, 2, -1))),
        body.ins(mnemonic(numerics.iadd, width(t))),
    ]
    step.append(body.ins("local.set", i))
    head, tail = (test, step) if body.c.chance(50) else (step, test)
    return code + guarded(body, min(room(body), body.c.between(2, 9)), head, tail, 3)


UP = (numerics.ine, numerics.ilt_s, numerics.ilt_u)
DOWN = (numerics.ine, numerics.igt_s, numerics.igt_u)
"""Comparisons of a counter with the end while a loop goes on, if it counts up, or down."""


@statement(4)
def variable_loop(body: Body) -> Code | None:
    """for (i = start; i op end; i += step) with a start and an end that are known only at run time; do … while, or
    tested first. The counter is seen inside and after the loop."""
    if room(body) < 2 or body.enough():
        return None
    t = counter_type(body)
    N = width(t)
    i, end = body.new_local(t), body.new_local(t)
    body.protected |= {i, end}
    up = body.c.chance(60)
    step = body.c.pick((1, 1, 1, 2, 4)) * (1 if up else -1)
    compare = mnemonic(body.c.pick(UP if up else DOWN), N)
    most = min(room(body), 8)
    start = [*body.leaf(t), body.const(t, body.c.pick((7, 31, 0xFF))), body.ins(mnemonic(numerics.iand, N))]
    start += [body.const(t, 64), body.ins(mnemonic(numerics.iadd, N)), body.ins("local.tee", i)]
    # The distance is a multiple of the step, and mostly not zero.
    mask = 3 if most >= 4 else 1
    far = [*body.leaf(t), body.const(t, mask), body.ins(mnemonic(numerics.iand, N))]
    far += [body.const(t, 1), body.ins(mnemonic(numerics.ior, N))] if body.c.chance(85) else []
    far += [body.const(t, step), body.ins(mnemonic(numerics.imul, N))]
    code = [*start, *far, body.ins(mnemonic(numerics.iadd, N)), body.ins("local.set", end)]
    body.ticks += body.repeats * (mask + 1)
    first = body.c.chance(60)
    with body.inside(Label(())), body.inside(Label((), ends=False), mask + 1):
        again = [body.ins("local.get", i), body.const(t, step), body.ins(mnemonic(numerics.iadd, N))]
        test = [body.ins("local.get", i), body.ins("local.get", end), body.ins(compare)]
        leave = body.ins(mnemonic(numerics.ieqz, 32))
        if first:
            inner = [*test, leave, body.ins("br_if", 1), *use(body, i), *again, body.ins("local.set", i)]
            inner.append(body.ins("br", 0))
        else:
            inner = [*use(body, i), *again, body.ins("local.set", i), *test, body.ins("br_if", 0)]
    if not first:
        # A distance of zero would let do … while run on.
        code += [body.ins("local.get", i), body.ins("local.get", end), body.ins(compare)]
        guard = body.block("if", NOTHING, [body.block("loop", NOTHING, inner)], [])
        # The branch out of the loop's block leaves the if.
        return [*code, guard]
    return [*code, body.block("block", NOTHING, [body.block("loop", NOTHING, inner)])]


def use(body: Body, i: int) -> Code:
    """Work that depends on a counter."""
    t = body.locals[i]
    x = body.some_local(t)
    mixed = [body.ins("local.get", x), body.ins("local.get", i), body.ins(body.c.pick(CHAINED[t]).mnemonic)]
    code = [*mixed, body.ins("local.set", x)]
    if body.c.chance(25):
        code += [*condition(body), body.ins("br_if", 1)]
    return [*code, *body.statements(2)]


@statement(5)
def array_loop(body: Body) -> Code | None:
    """A pointer that goes over an array, some of them to the end of the memory and beyond."""
    memidx = some_memory(body)
    if memidx is None or room(body) < 2 or body.enough():
        return None
    t = index_type(body, memidx)
    N = width(t)
    p, count = body.new_local(t), body.new_local(I32)
    body.protected |= {p, count}
    trips = body.c.between(2, min(room(body), 6))
    palette = {own for _, own in body.plan.palette}
    load = body.c.pick([op for op in LOADS if op.params[0] in palette])
    store = body.c.pick([op for op in STORES if op.params[0] == load.params[0]])
    size = load.params[1] // 8
    step = body.c.pick((size, size, 1, 2 * size, -size))
    near = memory_end(body, memidx) - trips * size + body.c.pick((0, 0, 0, 1, size))
    start = body.c.pick((0, 16, 256, max(near, 0), 100 + body.c.below(4)))
    offset = body.c.pick((0, 0, size, 4, 3))
    code = [body.const(t, start), body.ins("local.set", p), body.const(I32, trips), body.ins("local.set", count)]
    body.ticks += body.repeats * (trips - 1)
    with body.inside(Label((), ends=False), trips):
        at, to = ([body.ins("local.get", p)] for _ in range(2))
        moved = [*to, *at, body.ins(load.mnemonic, arg(body, load, offset, memidx))]
        moved += worked(body, load.params[0])
        moved.append(body.ins(store.mnemonic, arg(body, store, body.c.pick((0, offset, 64)), memidx)))
        onward = [body.ins("local.get", p), body.const(t, step), body.ins(mnemonic(numerics.iadd, N))]
        less = [body.ins("local.get", count), body.const(I32, 1), body.ins(mnemonic(numerics.isub, 32))]
        inner = [*moved, *body.statements(1), *onward, body.ins("local.set", p), *less]
        inner += [body.ins("local.tee", count), body.ins("br_if", 0)]
    return [*code, body.block("loop", NOTHING, inner)]


def arg(body: Body, op: Op, offset: int, memidx: int) -> MemArg:
    """The memory argument of an access."""
    return MemArg(body.c.below((op.params[1] // 8).bit_length()), offset, memidx)


def worked(body: Body, t: ValType) -> Code:
    """An integer on the stack and something else become one; other values stay."""
    if t not in CHAINED or body.c.chance(30):
        return []
    return [*body.leaf(t), body.ins(body.c.pick(CHAINED[t]).mnemonic)]
