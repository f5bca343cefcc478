"""Numeric values and their representations: bits, bytes, signs, NaNs, and rounding to f32.

An iN is an int with 0 <= i < 2**N. An f64 is a Python float: a double keeps a NaN's sign, payload and signalling bit.
An f32 is a Python float that is exactly representable in 32 bits, or an `F32NaN`. No function here or in the numerics
keeps state, so all of them may be called from any thread.

Metavariables: N a width in bits, i an iN, j a signed integer, z an fN, b bytes.

Spec: syntax/values, exec/numerics#aux-bits
"""

# ruff: noqa: PLR0124 (z == z is false for a NaN only, and cheaper than math.isnan)

from __future__ import annotations

from collections.abc import Callable
from math import copysign, inf
from struct import Struct
from typing import Any, Never

from interp.syntax.types import F32, I32, I64, NumType

MASK = tuple((1 << n) - 1 for n in range(129))
"""MASK[N] == 2**N - 1, the greatest iN, for widths of 0 to 128 bits."""

MODULUS = tuple(1 << n for n in range(129))
"""MODULUS[N] == 2**N."""

SIGN = (0, *(1 << n for n in range(128)))
"""SIGN[N] == 2**(N-1), the sign bit of an iN or fN (SIGN[0] is 0)."""

_INF_BITS = {32: 0x7F80_0000, 64: 0x7FF0_0000_0000_0000}
_CANONICAL_BITS = {32: 0x7FC0_0000, 64: 0x7FF8_0000_0000_0000}

# Native formats convert a double to a float as the processor does, without the range check of the standard ones.
_pack_f32: Callable[[float], bytes] = Struct("f").pack
_unpack_f32: Callable[[bytes], tuple[float]] = Struct("f").unpack
_pack_u32: Callable[[int], bytes] = Struct("I").pack
_unpack_u32: Callable[[bytes], tuple[int]] = Struct("I").unpack
_pack_f64: Callable[[float], bytes] = Struct("d").pack
_unpack_f64: Callable[[bytes], tuple[float]] = Struct("d").unpack
_pack_u64: Callable[[int], bytes] = Struct("Q").pack
_unpack_u64: Callable[[bytes], tuple[int]] = Struct("Q").unpack


class F32NaN(float):
    """An f32 NaN with its exact bit pattern, since Python's conversions between double and float quiet NaNs.

    `bits` is that pattern. As a Python float this is the double NaN of the same sign and (shifted) payload, so code
    that knows floats only sees the right sign; like every NaN it is unequal to itself (see `same_bits`). Immutable.
    Raises ValueError if `bits` is no NaN's pattern.  Spec: syntax/values#syntax-float
    """

    __slots__ = ("bits",)
    bits: int

    def __new__(cls, bits: int) -> F32NaN:
        magnitude = bits & MASK[31]
        if not (0 <= bits <= MASK[32] and magnitude > _INF_BITS[32]):
            raise ValueError(f"{bits:#x} is not the bit pattern of an f32 NaN")
        payload = (magnitude - _INF_BITS[32]) << 29
        self = super().__new__(cls, inv_fbits(64, ((bits & SIGN[32]) << 32) | _INF_BITS[64] | payload))
        object.__setattr__(self, "bits", bits)
        return self

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"an F32NaN is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"an F32NaN is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[type[F32NaN], tuple[int]]:
        return F32NaN, (self.bits,)

    def __repr__(self) -> str:
        return f"F32NaN({self.bits:#010x})"


def signed_(N: int, i: int) -> int:
    """signed_N(i): i as a two's complement number, -2**(N-1) <= result < 2**(N-1).  0 <= i < 2**N, 1 <= N <= 128.
    Spec: exec/numerics#aux-signed"""
    return i if i < SIGN[N] else i - MODULUS[N]


def inv_signed_(N: int, j: int) -> int:
    """signed_N⁻¹(j): the iN whose signed interpretation is j.  -2**(N-1) <= j < 2**(N-1), 1 <= N <= 128.
    Spec: exec/numerics#aux-signed"""
    return j if j >= 0 else j + MODULUS[N]


def fbits(N: int, z: float) -> int:
    """fbits_N(z): the bit pattern, 0 <= result < 2**N.  z an fN, N in {32, 64}; as an f32, a NaN that is no F32NaN
    stands for the quiet NaN that a processor makes of it.  Spec: exec/numerics#aux-fbits"""
    if N == 64:
        return _unpack_u64(_pack_f64(z))[0]
    if z == z or not isinstance(z, F32NaN):
        return _unpack_u32(_pack_f32(z))[0]
    return z.bits


def inv_fbits(N: int, bits: int) -> float:
    """fbits_N⁻¹(bits): the fN with this bit pattern.  0 <= bits < 2**N, N in {32, 64}.
    Spec: exec/numerics#aux-fbits"""
    if N == 64:
        return _unpack_f64(_pack_u64(bits))[0]
    z = _unpack_f32(_pack_u32(bits))[0]
    return z if z == z else F32NaN(bits)


def ibytes(N: int, i: int) -> bytes:
    """bytes_iN(i): the N/8 bytes in memory, little-endian.  0 <= i < 2**N, N a multiple of 8.
    Spec: exec/numerics#aux-bytes"""
    return i.to_bytes(N >> 3, "little")


def inv_ibytes(N: int, b: bytes) -> int:
    """bytes_iN⁻¹(b): the iN stored as these bytes, little-endian.  len(b) == N/8.  Spec: exec/numerics#aux-bytes"""
    return int.from_bytes(b, "little")


def fbytes(N: int, z: float) -> bytes:
    """bytes_fN(z): the N/8 bytes in memory, little-endian.  z an fN, N in {32, 64}.  Spec: exec/numerics#aux-bytes"""
    return fbits(N, z).to_bytes(N >> 3, "little")


def inv_fbytes(N: int, b: bytes) -> float:
    """bytes_fN⁻¹(b): the fN stored as these bytes, little-endian.  len(b) == N/8, N in {32, 64}.
    Spec: exec/numerics#aux-bytes"""
    return inv_fbits(N, int.from_bytes(b, "little"))


def same_bits(N: int, z1: float, z2: float) -> bool:
    """Whether two fN are the same value: unlike ==, this tells zeroes apart and knows NaNs by sign and payload.
    N in {32, 64}.  Spec: exec/numerics#aux-fbits"""
    return fbits(N, z1) == fbits(N, z2)


_CANONICAL_NAN = {N: inv_fbits(N, bits) for N, bits in _CANONICAL_BITS.items()}


def canonical_nan(N: int) -> float:
    """+nan(canon_N): the positive canonical NaN, which all operators here return where several NaNs are allowed.
    N in {32, 64}.  Spec: exec/numerics#aux-nans"""
    return _CANONICAL_NAN[N]


def is_canonical_nan(N: int, z: float) -> bool:
    """Whether z is ±nan(canon_N): of the payload only the highest bit is set.  z an fN, N in {32, 64}.
    Spec: syntax/values#canonical-nan"""
    return fbits(N, z) & MASK[N - 1] == _CANONICAL_BITS[N]


def is_arithmetic_nan(N: int, z: float) -> bool:
    """Whether z is ±nan(n) with n >= canon_N: the highest bit of the payload is set.  z an fN, N in {32, 64}.
    Spec: syntax/values#arithmetic-nan"""
    return fbits(N, z) & MASK[N - 1] >= _CANONICAL_BITS[N]


def round_f32(x: float) -> float:
    """ieee_32(x): the f32 nearest to the double x, ties to even, infinite from 2**128 - 2**103 on.

    An F32NaN is returned as it is; every other NaN gives the positive canonical NaN.  Spec: exec/numerics#aux-ieee
    """
    if x == x:
        try:
            return _unpack_f32(_pack_f32(x))[0]
        except OverflowError:  # CPython converts to infinity, but does not promise to
            return copysign(inf, x)
    return x if isinstance(x, F32NaN) else _CANONICAL_NAN[32]


MAX_SHOWN = 100
"""Characters of an error that quotes a number; hexadecimal, since Python refuses to write very long decimals."""


def number_from_host(t: NumType, value: Any) -> Any:
    """An int of either sign, or a float, as Python code gives it, as a value of a number type.  Raises TypeError.

    Spec: appendix/embedding#values
    """
    N = 32 if t is I32 or t is F32 else 64
    if t is I32 or t is I64:
        if type(value) is not int and (not isinstance(value, int) or isinstance(value, bool)):
            raise TypeError(f"{t} is needed, not {type(value).__name__}")
        if not -SIGN[N] <= value <= MASK[N]:
            raise TypeError(f"{value:#x} is out of the range of {t}"[:MAX_SHOWN])
        return int.__and__(value, MASK[N])
    if not isinstance(value, float):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{t} is needed, not {type(value).__name__}")
        try:
            value = float(value)
        except OverflowError as error:
            raise TypeError(f"{t} is needed, the integer is too large") from error
    if N == 32:
        return round_f32(value)
    return value if type(value) is float else float(value)


def vector_from_host(value: Any) -> int:
    """The int of 128 bits that Python code gives as a v128, 0 <= value < 2**128.  Raises TypeError.

    Spec: appendix/embedding#values
    """
    if type(value) is not int:
        raise TypeError(f"v128 is an int of 128 bits, not {type(value).__name__}")
    if not 0 <= value <= MASK[128]:
        raise TypeError("v128 is an int of 128 bits, 0 <= v < 2**128: the integer is out of this range")
    return value
