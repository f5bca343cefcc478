"""Constants worth trying: the ends of ranges, powers of two and their neighbours, NaNs with payloads, subnormals.

Spec: syntax/values
"""

from __future__ import annotations

from typing import Any

from conformance.lockstep.choices import Choices
from interp.execution.values import MASK, inv_fbits
from interp.syntax.instructions import OPS, Imm, Instr
from interp.syntax.types import V128, NumType, ValType, VecType

SMALL = 17
"""Integers below this are chosen most often: indices, shifts, counts."""

FLOATS: dict[int, tuple[int, ...]] = {
    N: (
        0, sign, one, sign | one, 1, sign | 1, MASK[fraction], 1 << fraction, infinity - 1, sign | infinity - 1,
        infinity, sign | infinity, quiet, sign | quiet, quiet | 1, infinity | 1, sign | infinity | 5,
        quiet | 0x1234, MASK[N], one + 1, one - 1, half, two31, sign | two31, two31 - 1, two32, two63, sign | two63,
        two64, ten, fractional,
    )
    for N, fraction, sign, one, infinity, quiet, half, two31, two32, two63, two64, ten, fractional in (
        (32, 23, 1 << 31, 0x3F80_0000, 0x7F80_0000, 0x7FC0_0000, 0x3F00_0000, 0x4F00_0000, 0x4F80_0000, 0x5F00_0000,
         0x5F80_0000, 0x4120_0000, 0xC020_0000),
        (64, 52, 1 << 63, 0x3FF0 << 48, 0x7FF0 << 48, 0x7FF8 << 48, 0x3FE0 << 48, 0x41E0 << 48, 0x41F0 << 48,
         0x43E0 << 48, 0x43F0 << 48, 0x4024 << 48, 0xC004 << 48),
    )
}  # fmt: skip
"""Width -> bit patterns: zeros, ±1, the least and greatest subnormals and normals, infinities, NaNs quiet and
signalling with several payloads, the neighbours of 1, and what integers of 32 and 64 bits end at."""


def integer(c: Choices, N: int) -> int:
    """An iN, 0 <= result < 2**N."""
    form = c.weighted(
        ((2, "small"), (1, "minus"), (1, "power"), (1, "known"), (1, "minus power"), (1, "16"), (2, "any"))
    )
    if form == "power":
        value = (1 << c.below(N)) + c.below(3) - 1
    elif form == "minus power":
        value = -(1 << c.below(N))
    elif form == "known":
        value = c.pick((1 << N - 1, (1 << N - 1) - 1, MASK[N], 0xFF, 0xFFFF, 0x10000, 0xFFFC, 0x80, 0x8000))
    elif form in ("small", "minus"):
        value = c.below(SMALL) * (1 if form == "small" else -1)
    else:
        value = c.below(1 << 16) if form == "16" else c.bits(N)
    return value & MASK[N]


def float_bits(c: Choices, N: int) -> int:
    """The bit pattern of an fN."""
    return c.pick(FLOATS[N]) if c.below(5) < 4 else c.bits(N)


def vector(c: Choices) -> int:
    """A v128: one lane everywhere, lanes worth trying, or any bits."""
    form = c.below(4)
    if form == 3:
        return c.bits(128)
    N = c.pick((8, 16, 32, 64))
    lanes = [lane(c, N) for _ in range(1 if form == 0 else 128 // N)]
    return sum(lanes[k % len(lanes)] << k * N for k in range(128 // N))


def lane(c: Choices, N: int) -> int:
    """The bits of one lane."""
    return float_bits(c, N) if N >= 32 and c.chance(40) else integer(c, N)


def constant(c: Choices, t: ValType) -> Any:
    """A value of a number type or of v128, as instructions hold them.  Raises TypeError for a reference type."""
    if isinstance(t, VecType):
        return vector(c)
    if not isinstance(t, NumType):
        raise TypeError(f"{t} has no constants")
    N = int(t.value[1:])
    return integer(c, N) if t.value[0] == "i" else inv_fbits(N, float_bits(c, N))


CONST = {t: next(op for op in OPS if op.immediates == (Imm[t.name],)) for t in (*NumType, V128)}
"""Number or vector type -> the instruction with a constant of it."""


def const(t: ValType, value: Any) -> Instr:
    """t.const value; integers of either sign.  Raises TypeError for a reference type."""
    if not isinstance(t, NumType | VecType):
        raise TypeError(f"{t} has no constants")
    if isinstance(t, NumType) and t.value[0] == "i":
        value &= MASK[int(t.value[1:])]
    return Instr(CONST[t], (value,), 0)
