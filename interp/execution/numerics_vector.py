"""Vectors as a whole and their lanes: bits, shapes, splats, single lanes, swizzles and shuffles, as pure functions.

A v128 is an int 0 <= v < 2**128; lane 0 is its lowest bits, so that its bytes in memory are those of the int,
little-endian. Several ways to work on lanes were timed: arithmetic on the whole int with masks (several lanes in one
Python operation) is three to six times as fast as unpacking lanes wherever lanes do not grow; where they do, the fixed
formats of `struct` are fastest; `bytes.translate` looks up all bytes at once.

Metavariables: sh a shape, N its width in bits, v a v128, c a lane as an iN, i a lane index.

Spec: exec/numerics#aux-lanes
"""

# ruff: noqa: PLR0124 (z == z is false for a NaN only, and cheaper than math.isnan)

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from interp.execution.values import MASK, MODULUS, SIGN, fbits, inv_fbits
from interp.syntax.shapes import Shape

WIDTHS = (8, 16, 32, 64)

ONES = {N: sum(1 << k for k in range(0, 128, N)) for N in WIDTHS}
"""The lowest bit of every lane of N bits; c * ONES[N] has c in every lane."""

SIGNS = {N: ONES[N] * SIGN[N] for N in WIDTHS}
"""The highest bit of every lane."""

REST = {N: ONES[N] * MASK[N - 1] for N in WIDTHS}
"""All bits but the highest of every lane."""

UNSIGNED = {N: Struct(f"<{128 // N}{letter}") for N, letter in zip(WIDTHS, "BHIQ", strict=True)}
SIGNED = {N: Struct(f"<{128 // N}{letter}") for N, letter in zip(WIDTHS, "bhiq", strict=True)}
FLOATS = {32: Struct("<4f"), 64: Struct("<2d")}

_SIGN_DIGITS = bytes(b"01"[byte >> 7] for byte in range(256))
_NO_LANES = {lanes: bytes(256 - lanes) for lanes in (16, 32)}
"""The zeros behind so many lanes of a table for bytes.translate, for the indices that have no lane."""


def ilanes(N: int, v: int) -> tuple[int, ...]:
    """lanes_iNxM(v): the lanes as iN, lane 0 first.  Spec: exec/numerics#aux-lanes"""
    return UNSIGNED[N].unpack(v.to_bytes(16, "little"))


def inv_ilanes(N: int, lanes: Sequence[int]) -> int:
    """lanes_iNxM⁻¹(c*): the vector of these iN, lane 0 first.  Spec: exec/numerics#aux-lanes"""
    return int.from_bytes(UNSIGNED[N].pack(*lanes), "little")


def flanes(N: int, v: int) -> Sequence[float]:
    """lanes_fNxM(v): the lanes as fN, lane 0 first; NaNs keep their bits.  Spec: exec/numerics#aux-lanes"""
    lanes: tuple[float, ...] = FLOATS[N].unpack(v.to_bytes(16, "little"))
    if N == 64:
        return lanes
    z0, z1, z2, z3 = lanes
    if z0 == z0 and z1 == z1 and z2 == z2 and z3 == z3:
        return lanes
    return [z if z == z else inv_fbits(32, bits) for z, bits in zip(lanes, ilanes(32, v), strict=True)]


def inv_flanes(N: int, lanes: Sequence[float]) -> int:
    """lanes_fNxM⁻¹(z*): the vector of these fN, lane 0 first; NaNs keep their bits.  Spec: exec/numerics#aux-lanes"""
    if N == 32:
        z0, z1, z2, z3 = lanes
        if not (z0 == z0 and z1 == z1 and z2 == z2 and z3 == z3):
            return inv_ilanes(32, [fbits(32, z) for z in lanes])
    return int.from_bytes(FLOATS[N].pack(*lanes), "little")


def inot(N: int, i: int) -> int:
    """inot_N(i): bitwise negation.  0 <= i < 2**N.  Spec: exec/numerics#op-inot"""
    return i ^ MASK[N]


def iandnot(N: int, i1: int, i2: int) -> int:
    """iandnot_N(i1, i2): bitwise conjunction of i1 and the negation of i2.  0 <= i1, i2 < 2**N.
    Spec: exec/numerics#op-iandnot"""
    return i1 & ~i2


def ibitselect(N: int, i1: int, i2: int, i3: int) -> int:
    """ibitselect_N(i1, i2, i3): the bits of i1 where i3 has ones, those of i2 elsewhere.  0 <= i1, i2, i3 < 2**N.
    Spec: exec/numerics#op-ibitselect"""
    return i2 ^ ((i1 ^ i2) & i3)


def inez(N: int, i: int) -> int:
    """inez_N(i): 0 if i is zero, else 1.  0 <= i < 2**N.  Spec: exec/numerics#op-inez"""
    return 1 if i else 0


def ivsplat(sh: Shape, i: int) -> int:
    """lanes⁻¹(c^M): the lowest N bits of i in every lane.  i >= 0.  Spec: exec/instructions#exec-vsplat"""
    return (i & MASK[sh.N]) * ONES[sh.N]


def fvsplat(sh: Shape, z: float) -> int:
    """lanes⁻¹(z^M): z in every lane.  z an fN.  Spec: exec/instructions#exec-vsplat"""
    return fbits(sh.N, z) * ONES[sh.N]


def ivextract_lane_u(sh: Shape, i: int, v: int) -> int:
    """lanes(v)[i], an iN.  0 <= i < dim(sh).  Spec: exec/instructions#exec-vextract-lane"""
    return (v >> (sh.N * i)) & MASK[sh.N]


def ivextract_lane_s(sh: Shape, i: int, v: int) -> int:
    """extendˢ_N,32(lanes(v)[i]), an i32.  0 <= i < dim(sh), N <= 32.  Spec: exec/instructions#exec-vextract-lane"""
    c = (v >> (sh.N * i)) & MASK[sh.N]
    return c if c < SIGN[sh.N] else c + MODULUS[32] - MODULUS[sh.N]


def fvextract_lane(sh: Shape, i: int, v: int) -> float:
    """lanes(v)[i], an fN with its bits.  0 <= i < dim(sh).  Spec: exec/instructions#exec-vextract-lane"""
    return inv_fbits(sh.N, (v >> (sh.N * i)) & MASK[sh.N])


def ivreplace_lane(sh: Shape, i: int, v: int, c: int) -> int:
    """v with the lowest N bits of c as lane i.  0 <= i < dim(sh), c >= 0.
    Spec: exec/instructions#exec-vreplace-lane"""
    k = sh.N * i
    return v ^ ((((v >> k) ^ c) & MASK[sh.N]) << k)


def fvreplace_lane(sh: Shape, i: int, v: int, z: float) -> int:
    """v with z as lane i.  0 <= i < dim(sh), z an fN.  Spec: exec/instructions#exec-vreplace-lane"""
    return ivreplace_lane(sh, i, v, fbits(sh.N, z))


def ivall_true(sh: Shape, v: int) -> int:
    """iall_true on each lane, multiplied: 1 if no lane is zero, else 0.  Spec: exec/instructions#exec-vtestop"""
    # Adding the greatest value without sign bit to a lane without its own carries into the sign bit unless it is zero.
    rest, signs = REST[sh.N], SIGNS[sh.N]
    return 1 if (((v & rest) + rest) | v) & signs == signs else 0


def ivbitmask(sh: Shape, v: int) -> int:
    """ivbitmaskop(v): bit i of the i32 is the sign bit of lane i.  Spec: exec/instructions#exec-vbitmask"""
    highest_bytes = v.to_bytes(16, "big")[:: sh.N >> 3]
    return int(highest_bytes.translate(_SIGN_DIGITS), 2)


def ivswizzle(sh: Shape, v1: int, v2: int) -> int:
    """ivswizzlop(iswizzle_lane, v1, v2): each lane is the lane of v1 with the index in v2, 0 if there is none.
    sh is i8x16.  Spec: exec/instructions#exec-vswizzlop"""
    table = v1.to_bytes(16, "little") + _NO_LANES[16]
    return int.from_bytes(v2.to_bytes(16, "little").translate(table), "little")


def ivshuffle(sh: Shape, lanes: Sequence[int], v1: int, v2: int) -> int:
    """ivshufflop(i*, v1, v2): lane k is the lane lanes[k] of v1 and v2, counted through.  sh is i8x16; lanes are 16
    indices 0 <= i < 32.  Spec: exec/instructions#exec-vshuffle"""
    table = v1.to_bytes(16, "little") + v2.to_bytes(16, "little") + _NO_LANES[32]
    return int.from_bytes(bytes(lanes).translate(table), "little")
