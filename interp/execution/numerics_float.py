"""Floating-point operators, as pure functions on f32 and f64 (see `interp.execution.values` for what those are).

An f32 operator computes in double precision and rounds once more: 53 bits are more than twice 24 bits and two, for
which this is known to give the correctly rounded f32 for sum, difference, product, quotient and square root
(Figueroa, "When is double rounding innocuous?", 1995). Where the specification allows several NaNs (nans_N), the
result is the positive canonical one, as in its deterministic profile.

Metavariables: N in {32, 64}, z an fN.

Spec: exec/numerics#float-ops, exec/numerics#aux-nans
"""

# ruff: noqa: PLR0124 (z == z is false for a NaN only, and cheaper than math.isnan)

from __future__ import annotations

import math
from math import copysign, inf

from interp.execution.values import SIGN, canonical_nan, fbits, inv_fbits, round_f32

_INTEGRAL = 2.0**52
"""Every double of at least this magnitude is integral."""


def fadd(N: int, z1: float, z2: float) -> float:
    """fadd_N(z1, z2): rounded sum.  z1, z2 fN.  Spec: exec/numerics#op-fadd"""
    z = z1 + z2
    if N == 32:
        return round_f32(z)
    return z if z == z else canonical_nan(64)


def fsub(N: int, z1: float, z2: float) -> float:
    """fsub_N(z1, z2): rounded difference.  z1, z2 fN.  Spec: exec/numerics#op-fsub"""
    z = z1 - z2
    if N == 32:
        return round_f32(z)
    return z if z == z else canonical_nan(64)


def fmul(N: int, z1: float, z2: float) -> float:
    """fmul_N(z1, z2): rounded product.  z1, z2 fN.  Spec: exec/numerics#op-fmul"""
    z = z1 * z2
    if N == 32:
        return round_f32(z)
    return z if z == z else canonical_nan(64)


def fdiv(N: int, z1: float, z2: float) -> float:
    """fdiv_N(z1, z2): rounded quotient; a number divided by zero is an infinity, zero divided by zero a NaN.
    z1, z2 fN.  Spec: exec/numerics#op-fdiv"""
    if z2:
        z = z1 / z2
    elif z1 and z1 == z1:
        z = copysign(inf, z1) * copysign(1.0, z2)
    else:
        return canonical_nan(N)
    if N == 32:
        return round_f32(z)
    return z if z == z else canonical_nan(64)


def fmin(N: int, z1: float, z2: float) -> float:
    """fmin_N(z1, z2): the smaller, where -0 is smaller than +0; a NaN if either is one.  z1, z2 fN.
    Spec: exec/numerics#op-fmin"""
    if z1 < z2:
        return z1
    if z2 < z1:
        return z2
    if z1 == z2:
        return z1 if copysign(1.0, z1) < 0.0 else z2
    return canonical_nan(N)


def fmax(N: int, z1: float, z2: float) -> float:
    """fmax_N(z1, z2): the larger, where +0 is larger than -0; a NaN if either is one.  z1, z2 fN.
    Spec: exec/numerics#op-fmax"""
    if z1 > z2:
        return z1
    if z2 > z1:
        return z2
    if z1 == z2:
        return z1 if copysign(1.0, z1) > 0.0 else z2
    return canonical_nan(N)


def fcopysign(N: int, z1: float, z2: float) -> float:
    """fcopysign_N(z1, z2): z1 with the sign of z2; a NaN keeps its payload.  z1, z2 fN.
    Spec: exec/numerics#op-fcopysign"""
    if z1 == z1:
        return copysign(z1, z2)
    return inv_fbits(N, (fbits(N, z1) & ~SIGN[N]) | (fbits(N, z2) & SIGN[N]))


def fabs(N: int, z: float) -> float:
    """fabs_N(z): z with positive sign; a NaN keeps its payload.  z an fN.  Spec: exec/numerics#op-fabs"""
    return abs(z) if z == z else inv_fbits(N, fbits(N, z) & ~SIGN[N])


def fneg(N: int, z: float) -> float:
    """fneg_N(z): z with negated sign; a NaN keeps its payload.  z an fN.  Spec: exec/numerics#op-fneg"""
    return -z if z == z else inv_fbits(N, fbits(N, z) ^ SIGN[N])


def fsqrt(N: int, z: float) -> float:
    """fsqrt_N(z): rounded square root; -0 for -0, a NaN for other negative numbers.  z an fN.
    Spec: exec/numerics#op-fsqrt"""
    if z >= 0.0:
        return math.sqrt(z) if N == 64 else round_f32(math.sqrt(z))
    return canonical_nan(N)


def fceil(N: int, z: float) -> float:
    """fceil_N(z): the smallest integral value not below z; -0 for -1 < z < 0.  z an fN.
    Spec: exec/numerics#op-fceil"""
    if -_INTEGRAL < z < _INTEGRAL:
        return -(-z // 1.0)
    return z if z == z else canonical_nan(N)


def ffloor(N: int, z: float) -> float:
    """ffloor_N(z): the largest integral value not above z.  z an fN.  Spec: exec/numerics#op-ffloor"""
    if -_INTEGRAL < z < _INTEGRAL:
        return z // 1.0
    return z if z == z else canonical_nan(N)


def ftrunc(N: int, z: float) -> float:
    """ftrunc_N(z): z without its fraction, the sign kept even on zero.  z an fN.  Spec: exec/numerics#op-ftrunc"""
    if -_INTEGRAL < z < _INTEGRAL:
        return z // 1.0 if z > 0.0 else -(-z // 1.0)
    return z if z == z else canonical_nan(N)


def fnearest(N: int, z: float) -> float:
    """fnearest_N(z): the nearest integral value, ties to even, the sign kept even on zero.  z an fN.
    Spec: exec/numerics#op-fnearest"""
    # Doubles from 2**52 to 2**53 are the integers: the addition itself rounds to one, ties to even.
    if z > 0.0:
        return (z + _INTEGRAL) - _INTEGRAL if z < _INTEGRAL else z
    if z < 0.0:
        return ((z - _INTEGRAL) + _INTEGRAL or -0.0) if z > -_INTEGRAL else z
    return z if z == z else canonical_nan(N)


def feq(N: int, z1: float, z2: float) -> int:
    """feq_N(z1, z2): 1 if z1 == z2 (zeroes are equal, NaNs are not), else 0.  z1, z2 fN.
    Spec: exec/numerics#op-feq"""
    return 1 if z1 == z2 else 0


def fne(N: int, z1: float, z2: float) -> int:
    """fne_N(z1, z2): 0 if z1 == z2 (zeroes are equal, NaNs are not), else 1.  z1, z2 fN.
    Spec: exec/numerics#op-fne"""
    return 1 if z1 != z2 else 0


def flt(N: int, z1: float, z2: float) -> int:
    """flt_N(z1, z2): 1 if z1 < z2, else 0, as for NaNs.  z1, z2 fN.  Spec: exec/numerics#op-flt"""
    return 1 if z1 < z2 else 0


def fgt(N: int, z1: float, z2: float) -> int:
    """fgt_N(z1, z2): 1 if z1 > z2, else 0, as for NaNs.  z1, z2 fN.  Spec: exec/numerics#op-fgt"""
    return 1 if z1 > z2 else 0


def fle(N: int, z1: float, z2: float) -> int:
    """fle_N(z1, z2): 1 if z1 <= z2, else 0, as for NaNs.  z1, z2 fN.  Spec: exec/numerics#op-fle"""
    return 1 if z1 <= z2 else 0


def fge(N: int, z1: float, z2: float) -> int:
    """fge_N(z1, z2): 1 if z1 >= z2, else 0, as for NaNs.  z1, z2 fN.  Spec: exec/numerics#op-fge"""
    return 1 if z1 >= z2 else 0
