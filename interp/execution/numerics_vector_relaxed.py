"""Relaxed vector operators, as pure functions.

The specification allows several results for some operands, and each implementation makes its choice once and for all.
Here every choice is that of the deterministic profile, the first one of the list: multiplication and addition round
separately; minimum, maximum, truncation, Q15 product and swizzle are the strict operators; a lane is selected bit by
bit; both operands of a dot product are signed.

Metavariables: sh a shape, N its width in bits, v a v128, z an fN.

Spec: exec/numerics#relaxed-ops, appendix/profiles#profile-deterministic
"""

from __future__ import annotations

from interp.execution.numerics_convert import trunc_sat_s, trunc_sat_u
from interp.execution.numerics_float import fadd, fmax, fmin, fmul, fneg
from interp.execution.numerics_vector import SIGNED, ibitselect, ivswizzle
from interp.execution.numerics_vector_convert import dot_lanes, ivextadd_pairwise_s, trunc_lanes
from interp.execution.numerics_vector_float import fvbinop, fvternop
from interp.execution.numerics_vector_int import ivadd, ivq15mulr_sat_s
from interp.execution.values import MASK
from interp.syntax.shapes import I16X8, Shape


def frelaxed_madd(N: int, z1: float, z2: float, z3: float) -> float:
    """frelaxed_madd_N(z1, z2, z3): z1 * z2 + z3, rounded after each of the two (R_fmadd = 0).  z1, z2, z3 fN.
    Spec: exec/numerics#op-frelaxed-madd"""
    return fadd(N, fmul(N, z1, z2), z3)


def frelaxed_nmadd(N: int, z1: float, z2: float, z3: float) -> float:
    """frelaxed_nmadd_N(z1, z2, z3): frelaxed_madd_N(-z1, z2, z3).  z1, z2, z3 fN.
    Spec: exec/numerics#op-frelaxed-nmadd"""
    return frelaxed_madd(N, fneg(N, z1), z2, z3)


def frelaxed_min(N: int, z1: float, z2: float) -> float:
    """frelaxed_min_N(z1, z2): fmin_N(z1, z2) (R_fmin = 0).  z1, z2 fN.  Spec: exec/numerics#op-frelaxed-min"""
    return fmin(N, z1, z2)


def frelaxed_max(N: int, z1: float, z2: float) -> float:
    """frelaxed_max_N(z1, z2): fmax_N(z1, z2) (R_fmax = 0).  z1, z2 fN.  Spec: exec/numerics#op-frelaxed-max"""
    return fmax(N, z1, z2)


fvrelaxed_madd, fvrelaxed_nmadd = fvternop(frelaxed_madd), fvternop(frelaxed_nmadd)
fvrelaxed_min, fvrelaxed_max = fvbinop(frelaxed_min), fvbinop(frelaxed_max)


def ivrelaxed_swizzle(sh: Shape, v1: int, v2: int) -> int:
    """ivswizzlop(irelaxed_swizzle_lane, v1, v2): 0 for every index without a lane (R_swizzle = 0).  sh is i8x16.
    Spec: exec/numerics#op-ivrelaxed-swizzle"""
    return ivswizzle(sh, v1, v2)


def ivrelaxed_laneselect(sh: Shape, v1: int, v2: int, v3: int) -> int:
    """irelaxed_laneselect on each lane: ibitselect, whatever the sign bits of v3 (R_laneselect = 0).
    Spec: exec/numerics#op-irelaxed-laneselect"""
    return ibitselect(128, v1, v2, v3)


def ivrelaxed_q15mulr_s(sh: Shape, v1: int, v2: int) -> int:
    """irelaxed_q15mulrˢ on each lane: -1 * -1 saturates (R_iq15mulr = 0).  sh is i16x8.
    Spec: exec/numerics#op-irelaxed-q15mulr-s"""
    return ivq15mulr_sat_s(sh, v1, v2)


def vrelaxed_trunc_u(sh1: Shape, sh2: Shape, v: int) -> int:
    """relaxed_truncᵘ_M,N on each lane: trunc_satᵘ (R_trunc_u = 0); the high half is zero if sh1 has fewer lanes.
    Spec: exec/numerics#op-relaxed-trunc-u"""
    return trunc_lanes(trunc_sat_u, sh1, sh2, v)


def vrelaxed_trunc_s(sh1: Shape, sh2: Shape, v: int) -> int:
    """relaxed_truncˢ_M,N on each lane: trunc_satˢ (R_trunc_s = 0); the high half is zero if sh1 has fewer lanes.
    Spec: exec/numerics#op-relaxed-trunc-s"""
    return trunc_lanes(trunc_sat_s, sh1, sh2, v)


def ivrelaxed_dot_s(sh1: Shape, sh2: Shape, v1: int, v2: int) -> int:
    """ivdot_sat_N(extendˢ_M,N(lanes)): sums of the products of every two neighbours, clamped (R_idot = 0: both
    operands are signed).  sh1 is i8x16, sh2 i16x8.  Spec: exec/numerics#op-irelaxed-dot"""
    greatest = MASK[sh2.N - 1]
    return int.from_bytes(SIGNED[sh2.N].pack(*[min(j, greatest) for j in dot_lanes(sh1, v1, v2)]), "little")


def ivrelaxed_dot_add_s(sh1: Shape, sh2: Shape, v1: int, v2: int, v3: int) -> int:
    """v3 and the sums of every two neighbours of ivrelaxed_dotˢ(v1, v2), modulo 2**N.  sh1 is i8x16, sh2 i32x4.
    Spec: exec/numerics#op-irelaxed-dot-add"""
    dots = ivrelaxed_dot_s(sh1, I16X8, v1, v2)
    return ivadd(sh2, ivextadd_pairwise_s(I16X8, sh2, dots), v3)
