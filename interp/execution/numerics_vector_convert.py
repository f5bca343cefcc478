"""Vector operators from one shape to another, as pure functions: widening, narrowing, pairwise sums and products, and
conversions between integers and floats.

Operators that widen take the low or the high half of the lanes. sh1 is always the shape converted from, sh2 the shape
converted to. Integer lanes are read and written by the fixed formats of `struct`, which widen them on the way.

Metavariables: sh1 and sh2 shapes, M and N their widths in bits, v a v128, j a lane in signed interpretation.

Spec: exec/numerics#convert-ops, exec/instructions#exec-instr-vec
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from operator import mul
from struct import Struct

from interp.execution.numerics_convert import convert_s, convert_u, demote, promote, trunc_sat_s, trunc_sat_u
from interp.execution.numerics_vector import FLOATS, ONES, SIGNED, UNSIGNED, flanes, ilanes, inv_flanes, inv_ilanes
from interp.execution.numerics_vector_int import ivsub
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.shapes import Shape

HALF_UNSIGNED = {N: Struct(f"<{64 // N}{letter}") for N, letter in zip((8, 16, 32), "BHI", strict=True)}
HALF_SIGNED = {N: Struct(f"<{64 // N}{letter}") for N, letter in zip((8, 16, 32), "bhi", strict=True)}

HIGH = 8
"""The byte that the high half of the lanes begins at."""


def ivextend_low_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """extendᵘ_M,N on each lane of the low half.  Spec: exec/numerics#op-extend"""
    return int.from_bytes(UNSIGNED[sh2.N].pack(*HALF_UNSIGNED[sh1.N].unpack_from(v.to_bytes(16, "little"))), "little")


def ivextend_low_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """extendˢ_M,N on each lane of the low half.  Spec: exec/numerics#op-extend"""
    return int.from_bytes(SIGNED[sh2.N].pack(*HALF_SIGNED[sh1.N].unpack_from(v.to_bytes(16, "little"))), "little")


def ivextend_high_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """extendᵘ_M,N on each lane of the high half.  Spec: exec/numerics#op-extend"""
    return ivextend_low_u(sh1, sh2, v >> 64)


def ivextend_high_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """extendˢ_M,N on each lane of the high half.  Spec: exec/numerics#op-extend"""
    return ivextend_low_s(sh1, sh2, v >> 64)


def ivextadd_pairwise_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """ivadd_pairwise_N(extendᵘ_M,N(lanes)): the sum of every two neighbours.  N == 2 * M.
    Spec: exec/instructions#exec-vextunop"""
    even = ONES[sh2.N] * MASK[sh1.N]
    return (v & even) + ((v >> sh1.N) & even)


def ivextadd_pairwise_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """ivadd_pairwise_N(extendˢ_M,N(lanes)): the sum of every two neighbours.  N == 2 * M.
    Spec: exec/instructions#exec-vextunop"""
    # With its sign bit flipped a lane is 2**(M-1) more than its signed interpretation, so a sum is 2**M more.
    biased = ivextadd_pairwise_u(sh1, sh2, v ^ (ONES[sh1.N] * SIGN[sh1.N]))
    return ivsub(sh2, biased, ONES[sh2.N] * MODULUS[sh1.N])


def _extmul(halves: Struct, results: Struct, v1: int, v2: int, start: int) -> int:
    factors1 = halves.unpack_from(v1.to_bytes(16, "little"), start)
    factors2 = halves.unpack_from(v2.to_bytes(16, "little"), start)
    return int.from_bytes(results.pack(*map(mul, factors1, factors2)), "little")


def ivextmul_low_u(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivmul_N(extendᵘ_M,N(low halves)): exact products.  N == 2 * M.  Spec: exec/instructions#exec-vextbinop"""
    return _extmul(HALF_UNSIGNED[sh1.N], UNSIGNED[sh2.N], v1, v2, 0)


def ivextmul_low_s(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivmul_N(extendˢ_M,N(low halves)): exact products.  N == 2 * M.  Spec: exec/instructions#exec-vextbinop"""
    return _extmul(HALF_SIGNED[sh1.N], SIGNED[sh2.N], v1, v2, 0)


def ivextmul_high_u(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivmul_N(extendᵘ_M,N(high halves)): exact products.  N == 2 * M.  Spec: exec/instructions#exec-vextbinop"""
    return _extmul(HALF_UNSIGNED[sh1.N], UNSIGNED[sh2.N], v1, v2, HIGH)


def ivextmul_high_s(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivmul_N(extendˢ_M,N(high halves)): exact products.  N == 2 * M.  Spec: exec/instructions#exec-vextbinop"""
    return _extmul(HALF_SIGNED[sh1.N], SIGNED[sh2.N], v1, v2, HIGH)


def dot_lanes(sh: Shape, v1: int, v2: int) -> list[int]:
    """The signed sums of the products of every two neighbouring lanes, as they are without a limit on their width."""
    lanes = SIGNED[sh.N]
    products = list(map(mul, lanes.unpack(v1.to_bytes(16, "little")), lanes.unpack(v2.to_bytes(16, "little"))))
    return [j1 + j2 for j1, j2 in zip(products[::2], products[1::2], strict=True)]


def ivdot_s(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivdot_N(extendˢ_M,N(lanes)): sums of the products of every two neighbours, modulo 2**N.  N == 2 * M.
    Spec: exec/instructions#exec-vextbinop"""
    mask = MASK[sh2.N]
    return inv_ilanes(sh2.N, [j & mask for j in dot_lanes(sh1, v1, v2)])


def _narrow(sh1: Shape, v1: int, v2: int, least: int, greatest: int) -> Iterable[int]:
    lanes = SIGNED[sh1.N]
    both = lanes.unpack(v1.to_bytes(16, "little")) + lanes.unpack(v2.to_bytes(16, "little"))
    return [least if j < least else greatest if j > greatest else j for j in both]


def ivnarrow_u(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """narrowᵘ_M,N on the lanes of v1, then v2: signed integers, clamped to 0 <= j < 2**N.  M == 2 * N.
    Spec: exec/numerics#op-narrow"""
    return int.from_bytes(UNSIGNED[sh2.N].pack(*_narrow(sh1, v1, v2, 0, MASK[sh2.N])), "little")


def ivnarrow_s(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """narrowˢ_M,N on the lanes of v1, then v2: signed integers, clamped to -2**(N-1) <= j < 2**(N-1).  M == 2 * N.
    Spec: exec/numerics#op-narrow"""
    return int.from_bytes(SIGNED[sh2.N].pack(*_narrow(sh1, v1, v2, -SIGN[sh2.N], MASK[sh2.N - 1])), "little")


def vconvert_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """convertᵘ_M,N on each lane.  Spec: exec/numerics#op-convert"""
    return inv_flanes(sh2.N, [convert_u(sh1.N, sh2.N, i) for i in ilanes(sh1.N, v)])


def vconvert_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """convertˢ_M,N on each lane.  Spec: exec/numerics#op-convert"""
    return inv_flanes(sh2.N, [convert_s(sh1.N, sh2.N, i) for i in ilanes(sh1.N, v)])


def vconvert_low_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """convertᵘ_M,N on each lane of the low half, exactly.  sh1 is i32x4, sh2 f64x2.
    Spec: exec/numerics#op-convert"""
    return int.from_bytes(FLOATS[sh2.N].pack(*HALF_UNSIGNED[sh1.N].unpack_from(v.to_bytes(16, "little"))), "little")


def vconvert_low_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """convertˢ_M,N on each lane of the low half, exactly.  sh1 is i32x4, sh2 f64x2.
    Spec: exec/numerics#op-convert"""
    return int.from_bytes(FLOATS[sh2.N].pack(*HALF_SIGNED[sh1.N].unpack_from(v.to_bytes(16, "little"))), "little")


def trunc_lanes(trunc: Callable[[int, int, float], int], sh1: Shape, sh2: Shape, v: int) -> int:
    """The vector of trunc_M,N(z) for each lane z; the lanes that are left over are 0."""
    lanes = [trunc(sh1.N, sh2.N, z) for z in flanes(sh1.N, v)]
    return inv_ilanes(sh2.N, lanes + [0] * (sh2.dim - sh1.dim))


def vtrunc_sat_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """trunc_satᵘ_M,N on each lane; the high half is zero if sh1 has fewer lanes.  Spec: exec/numerics#op-trunc-sat"""
    return trunc_lanes(trunc_sat_u, sh1, sh2, v)


def vtrunc_sat_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """trunc_satˢ_M,N on each lane; the high half is zero if sh1 has fewer lanes.  Spec: exec/numerics#op-trunc-sat"""
    return trunc_lanes(trunc_sat_s, sh1, sh2, v)


def vdemote_zero(sh1: Shape, sh2: Shape, v: int) -> int:
    """demote_M,N on each lane; the high half is zero.  sh1 is f64x2, sh2 f32x4.  Spec: exec/numerics#op-demote"""
    return inv_flanes(sh2.N, [*(demote(sh1.N, sh2.N, z) for z in flanes(sh1.N, v)), 0.0, 0.0])


def vpromote_low(sh1: Shape, sh2: Shape, v: int) -> int:
    """promote_M,N on each lane of the low half.  sh1 is f32x4, sh2 f64x2.  Spec: exec/numerics#op-promote"""
    return inv_flanes(sh2.N, [promote(sh1.N, sh2.N, z) for z in islice(flanes(sh1.N, v), sh2.dim)])
