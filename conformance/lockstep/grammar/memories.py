"""Memory instructions: loads and stores of all widths at addresses of many forms, and the bulk instructions.

Most accesses are inside the memory; many of them at its end, and some beyond.
Spec: syntax/instructions#memory-instructions
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import Body, Code, statement, value
from conformance.lockstep.grammar.constants import integer
from conformance.lockstep.grammar.rows import mnemonic, width
from interp.engine import PAGE
from interp.execution import numerics
from interp.syntax import modules as m
from interp.syntax.instructions import OPS, MemArg, Op
from interp.syntax.types import I32, ValType

LOADS = [op for op in OPS if op.kind in ("load", "vload")]
STORES = [op for op in OPS if op.kind in ("store", "vstore")]
LANE_LOADS = [op for op in OPS if op.kind == "vload_lane"]
LANE_STORES = [op for op in OPS if op.kind == "vstore_lane"]
INDEX_MASKS = (0x0F, 0x3F, 0xFC, 0xFF, 0xFFF, 0xFFFC)


def some_memory(body: Body) -> int | None:
    """One of the memories."""
    return body.c.below(len(body.plan.mems)) if body.plan.mems else None


def index_type(body: Body, memidx: int) -> ValType:
    """The type of addresses of a memory."""
    return body.plan.mems[memidx].addrtype.numtype


def memory_end(body: Body, memidx: int) -> int:
    """The size of a memory in bytes at the start."""
    return body.plan.mems[memidx].limits.min * PAGE


def address(body: Body, memidx: int, size: int) -> tuple[Code, int]:
    """Code for an address, and the offset that goes with it, for an access of `size` bytes."""
    t, c = index_type(body, memidx), body.c
    form = c.below(100)
    if form < 18:
        code, offset = [body.const(t, c.below(256))], c.below(64)
    elif form < 36:
        code, offset = masked(body, t), c.pick((0, 0, 1, 4, 8, 60, 1024, PAGE // 2))
    elif form < 52:
        code, offset = based(body, t)
    elif form < 64:
        code, offset = wrapped(body, t)
    elif form < 76:
        code, offset = indexed(body, t), c.pick((0, 4, 8, 16))
    elif form < 98:
        near = max(0, memory_end(body, memidx) - size - c.below(9)) + c.pick((0,) * 14 + (1, size, 8))
        offset = c.pick((0, 0, near, min(near, c.below(32)), near // 2))
        code = [body.const(t, near - offset)]
    else:
        code, offset = body.value(t), c.pick((0, 0, PAGE, PAGE * 4, (1 << 32) - 1, (1 << 31)))
    return code, offset


def masked(body: Body, t: ValType) -> Code:
    """Any number, masked so that it lies in the first page."""
    return [*body.value(t), body.const(t, body.c.pick(INDEX_MASKS)), body.ins(mnemonic(numerics.iand, width(t)))]


def based(body: Body, t: ValType) -> tuple[Code, int]:
    """A local that holds a small number, plus or minus a constant, with an offset that makes up for it."""
    delta = body.c.pick((1, 3, 4, 8, 12, 16, 32, 100))
    x = body.some_local(t)
    code = [*masked(body, t), body.ins("local.set", x)] if body.c.chance(60) else []
    if not code:
        code = [body.const(t, body.c.below(512)), body.ins("local.set", x)]
    negative = body.c.chance(60)
    sign = -1 if negative and body.c.chance(60) else 1
    sem = numerics.isub if negative and sign == 1 else numerics.iadd
    offset = body.c.pick((0, delta, delta, delta + 4)) if negative else body.c.pick((0, 4, 64))
    return [*code, body.ins("local.get", x), body.const(t, sign * delta), body.ins(mnemonic(sem, width(t)))], offset


def wrapped(body: Body, t: ValType) -> tuple[Code, int]:
    """A sum that wraps around to a small number, or stops short of that and traps."""
    amount = 1 << body.c.between(4, width(t) - 1)
    base = [body.const(t, -amount)]
    if body.c.chance(50):
        base += [*masked(body, t), body.ins(mnemonic(numerics.iadd, width(t)))]
    short = body.c.pick((0,) * 8 + (1, 16))
    code = [*base, body.const(t, amount + body.c.below(64) - short), body.ins(mnemonic(numerics.iadd, width(t)))]
    return code, body.c.pick((0, 0, 4, 16))


def indexed(body: Body, t: ValType) -> Code:
    """base + (index << scale), as arrays are accessed."""
    N = width(t)
    index = [*body.value(t), body.const(t, body.c.pick((7, 15, 63, 255))), body.ins(mnemonic(numerics.iand, N))]
    scale = [body.const(t, body.c.below(4)), body.ins(mnemonic(numerics.ishl, N))]
    base = [body.const(t, body.c.pick((0, 8, 64, 1024, 4000)))]
    return [*base, *index, *scale, body.ins(mnemonic(numerics.iadd, N))]


def access(body: Body, op: Op, memidx: int) -> tuple[Code, MemArg]:
    """The address of an access by a row, and its memory argument with any alignment that is allowed."""
    size = op.params[1] // 8
    code, offset = address(body, memidx, size)
    return code, MemArg(body.c.below(size.bit_length()), offset, memidx)


def load_of(body: Body, t: ValType, memidx: int) -> Code | None:
    """A load of a type."""
    found = [op for op in LOADS if op.params[0] == t]
    if not found:
        return None
    op = body.c.pick(found)
    code, arg = access(body, op, memidx)
    return [*code, body.ins(op.mnemonic, arg)]


@value(8)
def load(body: Body, t: ValType) -> Code | None:
    """A load."""
    memidx = some_memory(body)
    return None if memidx is None else load_of(body, t, memidx)


@value(2)
def load_lane(body: Body, t: ValType) -> Code | None:
    """A load into a lane of a vector."""
    memidx = some_memory(body)
    if memidx is None or LANE_LOADS[0].params[0] != t:
        return None
    op = body.c.pick(LANE_LOADS)
    code, arg = access(body, op, memidx)
    return [*code, *body.value(t), body.ins(op.mnemonic, arg, body.c.below(op.params[2].dim))]


def storable(body: Body) -> list[Op]:
    """The stores of the types that a module works with."""
    types = {t for _, t in body.plan.palette}
    return [op for op in STORES if op.params[0] in types]


@statement(10)
def store(body: Body) -> Code | None:
    """A store."""
    memidx = some_memory(body)
    if memidx is None:
        return None
    op = body.c.pick(storable(body))
    code, arg = access(body, op, memidx)
    return [*code, *body.value(op.params[0]), body.ins(op.mnemonic, arg)]


@statement(1)
def store_lane(body: Body) -> Code | None:
    """A store of a lane of a vector."""
    memidx = some_memory(body)
    if memidx is None or not body.plan.profile.simd:
        return None
    op = body.c.pick(LANE_STORES)
    code, arg = access(body, op, memidx)
    return [*code, *body.value(op.params[0]), body.ins(op.mnemonic, arg, body.c.below(op.params[2].dim))]


@value(2)
def size(body: Body, t: ValType) -> Code | None:
    """The size of a memory, or what it was before it grew."""
    memidx = some_memory(body)
    if memidx is None or index_type(body, memidx) != t:
        return None
    if body.c.chance(60):
        return [body.ins("memory.size", memidx)]
    delta = [body.const(t, body.c.pick((1, 0, 1, 2, 65536)))] if body.c.chance(90) else body.value(t)
    return [*delta, body.ins("memory.grow", memidx)]


def length(body: Body, t: ValType) -> Code:
    """A number of bytes, mostly small."""
    if body.c.chance(90):
        return [body.const(t, body.c.pick((0, 1, 3, 8, 16, 33, 100)))]
    return [body.const(t, integer(body.c, width(t)))]


def place(body: Body, memidx: int) -> Code:
    """An address without an offset."""
    code, offset = address(body, memidx, 16)
    t = index_type(body, memidx)
    return [*code, body.const(t, offset), body.ins(mnemonic(numerics.iadd, width(t)))] if offset else code


@statement(3)
def bulk(body: Body) -> Code | None:
    """memory.fill, memory.copy, memory.init, data.drop."""
    memidx = some_memory(body)
    if memidx is None:
        return None
    form = body.c.below(8)
    t = index_type(body, memidx)
    if form < 3:
        return [*place(body, memidx), *body.value(I32), *length(body, t), body.ins("memory.fill", memidx)]
    if form < 6:
        source = body.c.below(len(body.plan.mems))
        smaller = t if width(t) <= width(index_type(body, source)) else index_type(body, source)
        operands = [*place(body, memidx), *place(body, source), *length(body, smaller)]
        return [*operands, body.ins("memory.copy", memidx, source)]
    if not body.plan.datas:
        return None
    x = body.c.below(len(body.plan.datas))
    if form == 6:
        dropped = isinstance(body.plan.datas[x].mode, m.Active) or body.c.chance(20)
        return [body.ins("data.drop", x)] if dropped else None
    n = len(body.plan.datas[x].init)
    start = body.c.below(n + 1)
    count = body.c.below(n - start + 1) + body.c.pick((0,) * 9 + (1,))
    return [
        *place(body, memidx), body.const(I32, start), body.const(I32, count), body.ins("memory.init", x, memidx),
    ]  # fmt: skip
