"""Integer operators on every lane of a vector, as pure functions.

`ivadd(sh, v1, v2)` is iadd_N on each pair of lanes: ivbinop_sh(iadd, v1, v2) in the words of the specification, and so
on. Most work on all lanes at once. What keeps lanes apart is the sign bit of each: without it two lanes can be added
with no carry into the next lane, and with it set in the first of them subtracted with no borrow.

Metavariables: sh a shape of integer lanes, N its width in bits, v a v128, i a shift count.

Spec: exec/numerics#int-ops, exec/instructions#exec-instr-vec
"""

from __future__ import annotations

from interp.execution.numerics_vector import ONES, REST, SIGNED, SIGNS
from interp.execution.values import MASK
from interp.syntax.shapes import Shape

ALL = MASK[128]
_POPCNT = bytes(byte.bit_count() for byte in range(256))


def _fill(N: int, signs: int) -> int:
    """All bits of those lanes of which the sign bit is set, among others that do not matter."""
    lowest = (signs >> (N - 1)) & ONES[N]
    return (lowest << N) - lowest


def ivadd(sh: Shape, v1: int, v2: int) -> int:
    """iadd on each lane.  Spec: exec/numerics#op-iadd"""
    rest = REST[sh.N]
    return ((v1 & rest) + (v2 & rest)) ^ ((v1 ^ v2) & SIGNS[sh.N])


def ivsub(sh: Shape, v1: int, v2: int) -> int:
    """isub on each lane.  Spec: exec/numerics#op-isub"""
    signs = SIGNS[sh.N]
    return ((v1 | signs) - (v2 & REST[sh.N])) ^ (((v1 ^ v2) & signs) ^ signs)


def ivmul(sh: Shape, v1: int, v2: int) -> int:
    """imul on each lane.  Spec: exec/numerics#op-imul"""
    N, product = sh.N, 0
    mask = MASK[N]
    for k in range(0, 128, N):
        product |= (((v1 >> k) * (v2 >> k)) & mask) << k
    return product


def ivneg(sh: Shape, v: int) -> int:
    """ineg on each lane.  Spec: exec/numerics#op-ineg"""
    return ivsub(sh, 0, v)


def ivabs(sh: Shape, v: int) -> int:
    """iabs on each lane.  Spec: exec/numerics#op-iabs"""
    N = sh.N
    negative = (v >> (N - 1)) & ONES[N]
    return (v ^ ((negative << N) - negative)) + negative


def ivpopcnt(sh: Shape, v: int) -> int:
    """ipopcnt on each lane.  sh is i8x16.  Spec: exec/numerics#op-ipopcnt"""
    return int.from_bytes(v.to_bytes(16, "little").translate(_POPCNT), "little")


def iveq(sh: Shape, v1: int, v2: int) -> int:
    """ieq on each lane, all ones where it is 1.  Spec: exec/numerics#op-ieq"""
    return ivne(sh, v1, v2) ^ ALL


def ivne(sh: Shape, v1: int, v2: int) -> int:
    """ine on each lane, all ones where it is 1.  Spec: exec/numerics#op-ine"""
    rest, difference = REST[sh.N], v1 ^ v2
    return _fill(sh.N, ((difference & rest) + rest) | difference)


def ivlt_u(sh: Shape, v1: int, v2: int) -> int:
    """iltᵘ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ilt"""
    # Where the sign bits differ, that of v2 decides; elsewhere whether subtracting the rest used up the sign bit.
    different = v1 ^ v2
    kept = (v1 | SIGNS[sh.N]) - (v2 & REST[sh.N])
    return _fill(sh.N, (different & v2) | ~(different | kept))


def ivlt_s(sh: Shape, v1: int, v2: int) -> int:
    """iltˢ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ilt"""
    different = v1 ^ v2
    kept = (v1 | SIGNS[sh.N]) - (v2 & REST[sh.N])
    return _fill(sh.N, (different & v1) | ~(different | kept))


def ivgt_u(sh: Shape, v1: int, v2: int) -> int:
    """igtᵘ on each lane, all ones where it is 1.  Spec: exec/numerics#op-igt"""
    return ivlt_u(sh, v2, v1)


def ivgt_s(sh: Shape, v1: int, v2: int) -> int:
    """igtˢ on each lane, all ones where it is 1.  Spec: exec/numerics#op-igt"""
    return ivlt_s(sh, v2, v1)


def ivle_u(sh: Shape, v1: int, v2: int) -> int:
    """ileᵘ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ile"""
    return ivlt_u(sh, v2, v1) ^ ALL


def ivle_s(sh: Shape, v1: int, v2: int) -> int:
    """ileˢ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ile"""
    return ivlt_s(sh, v2, v1) ^ ALL


def ivge_u(sh: Shape, v1: int, v2: int) -> int:
    """igeᵘ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ige"""
    return ivlt_u(sh, v1, v2) ^ ALL


def ivge_s(sh: Shape, v1: int, v2: int) -> int:
    """igeˢ on each lane, all ones where it is 1.  Spec: exec/numerics#op-ige"""
    return ivlt_s(sh, v1, v2) ^ ALL


def ivmin_u(sh: Shape, v1: int, v2: int) -> int:
    """iminᵘ on each lane.  Spec: exec/numerics#op-imin"""
    return v2 ^ ((v1 ^ v2) & ivlt_u(sh, v1, v2))


def ivmin_s(sh: Shape, v1: int, v2: int) -> int:
    """iminˢ on each lane.  Spec: exec/numerics#op-imin"""
    return v2 ^ ((v1 ^ v2) & ivlt_s(sh, v1, v2))


def ivmax_u(sh: Shape, v1: int, v2: int) -> int:
    """imaxᵘ on each lane.  Spec: exec/numerics#op-imax"""
    return v1 ^ ((v1 ^ v2) & ivlt_u(sh, v1, v2))


def ivmax_s(sh: Shape, v1: int, v2: int) -> int:
    """imaxˢ on each lane.  Spec: exec/numerics#op-imax"""
    return v1 ^ ((v1 ^ v2) & ivlt_s(sh, v1, v2))


def ivadd_sat_u(sh: Shape, v1: int, v2: int) -> int:
    """iadd_satᵘ on each lane.  Spec: exec/numerics#op-iadd-sat"""
    total = ivadd(sh, v1, v2)
    return total | _fill(sh.N, (v1 & v2) | ((v1 | v2) & ~total))


def ivadd_sat_s(sh: Shape, v1: int, v2: int) -> int:
    """iadd_satˢ on each lane.  Spec: exec/numerics#op-iadd-sat"""
    total = ivadd(sh, v1, v2)
    return _saturate(sh.N, total, (v1 ^ total) & (v2 ^ total), v1)


def ivsub_sat_u(sh: Shape, v1: int, v2: int) -> int:
    """isub_satᵘ on each lane.  Spec: exec/numerics#op-isub-sat"""
    return ivsub(sh, v1, v2) & ivlt_u(sh, v2, v1)


def ivsub_sat_s(sh: Shape, v1: int, v2: int) -> int:
    """isub_satˢ on each lane.  Spec: exec/numerics#op-isub-sat"""
    difference = ivsub(sh, v1, v2)
    return _saturate(sh.N, difference, (v1 ^ v2) & (v1 ^ difference), v1)


def _saturate(N: int, result: int, overflows: int, v: int) -> int:
    """`result`, but where the sign bit of `overflows` is set the extreme value with the sign of the lane of v."""
    extremes = REST[N] + ((v >> (N - 1)) & ONES[N])
    return result ^ ((result ^ extremes) & _fill(N, overflows))


def ivavgr_u(sh: Shape, v1: int, v2: int) -> int:
    """iavgrᵘ on each lane: the mean, rounded up.  Spec: exec/numerics#op-iavgr"""
    return (v1 | v2) - (((v1 ^ v2) >> 1) & REST[sh.N])


def ivq15mulr_sat_s(sh: Shape, v1: int, v2: int) -> int:
    """iq15mulr_satˢ on each lane: the product of numbers with 15 bits after the point, rounded.  sh is i16x8.
    Spec: exec/numerics#op-iq15mulrsat"""
    lanes = SIGNED[sh.N]
    pairs = zip(lanes.unpack(v1.to_bytes(16, "little")), lanes.unpack(v2.to_bytes(16, "little")), strict=True)
    greatest = MASK[sh.N - 1]
    products = [min((j1 * j2 + (1 << 14)) >> 15, greatest) for j1, j2 in pairs]
    return int.from_bytes(lanes.pack(*products), "little")


def ivshl(sh: Shape, v: int, i: int) -> int:
    """ishl on each lane, by i mod N bits.  i >= 0.  Spec: exec/numerics#op-ishl"""
    N = sh.N
    k = i % N
    return (v << k) & (ONES[N] * (MASK[N] ^ MASK[k]))


def ivshr_u(sh: Shape, v: int, i: int) -> int:
    """ishrᵘ on each lane, by i mod N bits.  i >= 0.  Spec: exec/numerics#op-ishr"""
    N = sh.N
    k = i % N
    return (v >> k) & (ONES[N] * MASK[N - k])


def ivshr_s(sh: Shape, v: int, i: int) -> int:
    """ishrˢ on each lane, by i mod N bits.  i >= 0.  Spec: exec/numerics#op-ishr"""
    N = sh.N
    k = i % N
    negative = (v >> (N - 1)) & ONES[N]
    return ((v >> k) & (ONES[N] * MASK[N - k])) | (negative * (MASK[N] ^ MASK[N - k]))
