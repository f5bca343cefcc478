"""Values that code has no other use for are noted in a global, the checksum, so that they are seen from outside: else
most of what is computed would be lost, and a fault in it never found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.lockstep.grammar.rows import mnemonic, width
from interp.execution import numerics
from interp.syntax.instructions import Instr
from interp.syntax.shapes import I64X2
from interp.syntax.types import F32, F64, I64, V128, NumType, ValType, VecType

if TYPE_CHECKING:
    from conformance.lockstep.grammar.body import Body

MAX_NOTED = 8
"""Locals that are noted at the end of a function."""


def as_i64(body: Body, t: ValType) -> list[Instr]:
    """An i64 that depends on the bits of the number or vector on the stack.  Raises TypeError for other types."""
    if t == V128:
        x = body.new_local(V128)
        lane = mnemonic(numerics.ivextract_lane_u, I64X2)
        code = [body.ins("local.tee", x), body.ins(lane, 0), body.ins("local.get", x), body.ins(lane, 1)]
        return [*code, body.ins(mnemonic(numerics.iadd, 64))]
    N = width(t)
    code = [body.ins(mnemonic(numerics.reinterpret, str(t), f"i{N}"))] if t in (F32, F64) else []
    return [*code, body.ins(mnemonic(numerics.extend_u, 32, 64))] if N == 32 else code


def note(body: Body, t: ValType) -> list[Instr]:
    """checksum := rotl(checksum) xor the number or vector on the stack.  Raises TypeError for other types."""
    sum_ = body.plan.checksum or 0
    turned = [body.ins("global.get", sum_), body.const(I64, 9), body.ins(mnemonic(numerics.irotl, 64))]
    return [*as_i64(body, t), *turned, body.ins(mnemonic(numerics.ixor, 64)), body.ins("global.set", sum_)]


def summary(body: Body) -> list[Instr]:
    """Note the values of some locals."""
    if body.plan.checksum is None:
        return []
    sum_ = body.plan.checksum
    code = [body.ins("global.get", sum_), body.const(I64, 9), body.ins(mnemonic(numerics.irotl, 64))]
    numbers = [x for x, t in enumerate(body.locals) if isinstance(t, NumType | VecType)]
    for x in numbers[-MAX_NOTED:]:
        code += [body.ins("local.get", x), *as_i64(body, body.locals[x]), body.ins(mnemonic(numerics.isub, 64))]
    return [*code, body.ins("global.set", sum_)]
