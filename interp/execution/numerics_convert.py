"""Conversions between number types, as pure functions: M is always the width converted from, N the width converted to.

Where the specification allows several NaNs (nans_N), the result is the positive canonical one, as in its
deterministic profile.

Metavariables: M and N widths in bits, i an iM, j a signed integer, z an fM, c a value of any number type.

Spec: exec/numerics#convert-ops
"""

# ruff: noqa: PLR0124 (z == z is false for a NaN only, and cheaper than math.isnan)

from __future__ import annotations

from math import nextafter, trunc

from interp.errors import Trap, TrapKind
from interp.execution.values import (
    MASK,
    MODULUS,
    SIGN,
    canonical_nan,
    fbits,
    inv_fbits,
    round_f32,
    signed_,
)

# The open intervals of the doubles whose truncation is an unsigned or signed N-bit integer.
_UNSIGNED_END = {N: 2.0**N for N in (32, 64)}
_SIGNED_BEFORE = {32: -(2.0**31) - 1.0, 64: nextafter(-(2.0**63), -(2.0**64))}
_SIGNED_END = {N: 2.0 ** (N - 1) for N in (32, 64)}

_FLOAT_WIDTH = {"f32": 32, "f64": 64}


def wrap(M: int, N: int, i: int) -> int:
    """wrap_M,N(i): i modulo 2**N.  0 <= i < 2**M.  Spec: exec/numerics#op-wrap"""
    return i & MASK[N]


def extend_u(M: int, N: int, i: int) -> int:
    """extendᵘ_M,N(i): i itself, as an iN.  0 <= i < 2**M, M <= N.  Spec: exec/numerics#op-extend"""
    return i


def extend_s(M: int, N: int, i: int) -> int:
    """extendˢ_M,N(i): the iN with the signed interpretation that i has as an iM.  0 <= i < 2**M, M <= N.
    Spec: exec/numerics#op-extend"""
    return i if i < SIGN[M] else i + MODULUS[N] - MODULUS[M]


def _trunc_undefined(z: float) -> Trap:
    return Trap(TrapKind.INTEGER_OVERFLOW if z == z else TrapKind.INVALID_CONVERSION)


def trunc_u(M: int, N: int, z: float) -> int:
    """truncᵘ_M,N(z): z without its fraction, 0 <= result < 2**N.  z an fM, N in {32, 64}.
    Raises Trap(INVALID_CONVERSION) if z is a NaN, Trap(INTEGER_OVERFLOW) if the result is out of range.
    Spec: exec/numerics#op-trunc"""
    if -1.0 < z < _UNSIGNED_END[N]:
        return trunc(z)
    raise _trunc_undefined(z)


def trunc_s(M: int, N: int, z: float) -> int:
    """truncˢ_M,N(z): the iN whose signed interpretation is z without its fraction.  z an fM, N in {32, 64}.
    Raises Trap(INVALID_CONVERSION) if z is a NaN, Trap(INTEGER_OVERFLOW) if the result is out of range.
    Spec: exec/numerics#op-trunc"""
    if _SIGNED_BEFORE[N] < z < _SIGNED_END[N]:
        j = trunc(z)
        return j if j >= 0 else j + MODULUS[N]
    raise _trunc_undefined(z)


def trunc_sat_u(M: int, N: int, z: float) -> int:
    """trunc_satᵘ_M,N(z): z without its fraction, clamped to 0 <= result < 2**N; 0 for a NaN.
    z an fM, N in {32, 64}.  Spec: exec/numerics#op-trunc_sat"""
    if -1.0 < z < _UNSIGNED_END[N]:
        return trunc(z)
    return MASK[N] if z > 0.0 else 0


def trunc_sat_s(M: int, N: int, z: float) -> int:
    """trunc_satˢ_M,N(z): the iN whose signed interpretation is z without its fraction, clamped to -2**(N-1) and
    2**(N-1) - 1; 0 for a NaN.  z an fM, N in {32, 64}.  Spec: exec/numerics#op-trunc_sat"""
    if _SIGNED_BEFORE[N] < z < _SIGNED_END[N]:
        j = trunc(z)
        return j if j >= 0 else j + MODULUS[N]
    if z > 0.0:
        return MASK[N - 1]
    return SIGN[N] if z < 0.0 else 0


def _ieee_32(j: int) -> float:
    """ieee_32(j): the f32 nearest to j, ties to even.  -2**63 <= j < 2**64.  Spec: exec/numerics#aux-ieee"""
    if -(2**53) <= j <= 2**53:
        return round_f32(float(j))
    # A double would round first and could hide or make a tie. Its 53 bits hold all but the last 11, and a last bit
    # set for whatever those held keeps j on its side of every tie.
    return round_f32(float((j >> 11) | (j & 0x7FF != 0)) * 2048.0)


def convert_u(M: int, N: int, i: int) -> float:
    """convertᵘ_M,N(i): the fN nearest to i, ties to even.  0 <= i < 2**M, M <= 64, N in {32, 64}.
    Spec: exec/numerics#op-convert"""
    return float(i) if N == 64 else _ieee_32(i)


def convert_s(M: int, N: int, i: int) -> float:
    """convertˢ_M,N(i): the fN nearest to the signed interpretation of i, ties to even.  0 <= i < 2**M, M <= 64,
    N in {32, 64}.  Spec: exec/numerics#op-convert"""
    j = signed_(M, i)
    return float(j) if N == 64 else _ieee_32(j)


def promote(M: int, N: int, z: float) -> float:
    """promote_M,N(z): z itself, as an f64.  z an f32, M == 32, N == 64.  Spec: exec/numerics#op-promote"""
    return z if z == z else canonical_nan(N)


def demote(M: int, N: int, z: float) -> float:
    """demote_M,N(z): the f32 nearest to z, ties to even.  z an f64, M == 64, N == 32.
    Spec: exec/numerics#op-demote"""
    return round_f32(z)


def reinterpret(from_type: str, to_type: str, c: int | float) -> int | float:
    """reinterpret_t1,t2(c): the value of `to_type` with the bits that c has as a value of `from_type`.
    Types are "i32", "i64", "f32" or "f64", both of one width; integers are ints.
    Spec: exec/numerics#op-reinterpret"""
    if isinstance(c, int):
        return inv_fbits(_FLOAT_WIDTH[to_type], c) if to_type in _FLOAT_WIDTH else c
    return c if to_type in _FLOAT_WIDTH else fbits(_FLOAT_WIDTH[from_type], c)
