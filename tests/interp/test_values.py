"""Representations of values: bits, bytes, signs, NaNs, and rounding, against struct and ctypes."""

from __future__ import annotations

import copy
import ctypes
import math
import pickle
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interp.execution import values
from interp.execution.values import (
    MASK,
    MODULUS,
    SIGN,
    F32NaN,
    canonical_nan,
    fbits,
    fbytes,
    ibytes,
    inv_fbits,
    inv_fbytes,
    inv_ibytes,
    inv_signed_,
    is_arithmetic_nan,
    is_canonical_nan,
    round_f32,
    same_bits,
    signed_,
)

F32_INFINITY, F64_INFINITY = 0x7F800000, 0x7FF0000000000000
SIGNED = {8: ctypes.c_int8, 16: ctypes.c_int16, 32: ctypes.c_int32, 64: ctypes.c_int64}

widths = st.sampled_from((8, 16, 32, 64))
float_widths = st.sampled_from((32, 64))
f32_nan_bits = st.builds(
    lambda sign, payload: sign << 31 | F32_INFINITY | payload, st.integers(0, 1), st.integers(1, 0x7FFFFF)
)
patterns = float_widths.flatmap(lambda N: st.tuples(st.just(N), st.integers(0, 2**N - 1)))
nan_patterns = st.one_of(
    st.tuples(st.just(32), f32_nan_bits),
    st.tuples(
        st.just(64),
        st.builds(lambda sign, p: sign << 63 | F64_INFINITY | p, st.integers(0, 1), st.integers(1, 2**52 - 1)),
    ),
)


def test_tables_of_powers() -> None:
    assert all(MASK[N] == 2**N - 1 and MODULUS[N] == 2**N for N in range(129))
    assert all(SIGN[N] == 2 ** (N - 1) for N in range(1, 129))


@given(widths.flatmap(lambda N: st.tuples(st.just(N), st.integers(0, 2**N - 1))))
@example((32, 2**31))
@example((64, 2**63 - 1))
def test_signed_interpretation_is_that_of_c(case: tuple[int, int]) -> None:
    N, i = case
    j = signed_(N, i)
    assert j == SIGNED[N](i).value
    assert inv_signed_(N, j) == i


@given(widths.flatmap(lambda N: st.tuples(st.just(N), st.integers(0, 2**N - 1))))
def test_integer_bytes_are_little_endian(case: tuple[int, int]) -> None:
    N, i = case
    b = ibytes(N, i)
    assert b == struct.pack({8: "<B", 16: "<H", 32: "<I", 64: "<Q"}[N], i)
    assert inv_ibytes(N, b) == i


@given(st.one_of(patterns, nan_patterns))
@example((32, 0x80000000))
@example((32, 1))
@example((32, 0x7FA00000))
@example((64, 0x8000000000000000))
@example((64, 0x7FF4000000000001))
def test_float_bits_and_bytes_survive_both_ways(case: tuple[int, int]) -> None:
    N, bits = case
    z = inv_fbits(N, bits)
    assert fbits(N, z) == bits
    assert fbytes(N, z) == bits.to_bytes(N // 8, "little")
    assert same_bits(N, inv_fbytes(N, fbytes(N, z)), z)
    if math.isnan(z):
        assert type(z) is (F32NaN if N == 32 else float)
    else:
        assert type(z) is float
        assert z == struct.unpack("<f" if N == 32 else "<d", bits.to_bytes(N // 8, "little"))[0]


def test_same_bits_tells_zeroes_and_nans_apart() -> None:
    for N in (32, 64):
        assert same_bits(N, 1.5, 1.5)
        assert not same_bits(N, 0.0, -0.0)
        assert not same_bits(N, 1.0, 2.0)
        assert same_bits(N, canonical_nan(N), inv_fbits(N, fbits(N, canonical_nan(N))))
        assert not same_bits(N, canonical_nan(N), inv_fbits(N, fbits(N, canonical_nan(N)) + 1))


def test_a_plain_nan_has_quiet_f32_bits() -> None:
    assert fbits(32, math.nan) == 0x7FC00000
    assert fbits(32, inv_fbits(64, 0xFFF0000040000000)) == 0xFFC00002


@given(f32_nan_bits)
@example(0x7F800001)
@example(0xFFFFFFFF)
def test_f32_nan_is_a_nan_with_sign_and_payload(bits: int) -> None:
    z = F32NaN(bits)
    assert z.bits == bits
    assert math.isnan(z)
    assert z != F32NaN(bits)
    assert math.copysign(1.0, z) == (-1.0 if bits >> 31 else 1.0)
    quieted = bits | 0x400000
    assert struct.unpack("<I", struct.pack("<f", z))[0] | 0x400000 == quieted
    assert repr(z) == f"F32NaN(0x{bits:08x})"
    for twin in (copy.copy(z), copy.deepcopy(z), pickle.loads(pickle.dumps(z))):  # noqa: S301
        assert type(twin) is F32NaN
        assert twin.bits == bits


@pytest.mark.parametrize("bits", [0, 1, 0x3F800000, 0x7F800000, 0xFF800000, 1 << 32, 0x17FC00000, -1, -(1 << 22)])
def test_f32_nan_refuses_other_patterns(bits: int) -> None:
    with pytest.raises(ValueError, match="is not the bit pattern of an f32 NaN"):
        F32NaN(bits)


def test_f32_nan_cannot_be_changed() -> None:
    z = F32NaN(0x7FC00000)
    with pytest.raises(AttributeError, match="immutable"):
        z.bits = 1
    with pytest.raises(AttributeError, match="immutable"):
        del z.bits
    with pytest.raises(AttributeError):
        z.other = 1
    assert z.bits == 0x7FC00000


def test_canonical_nans_are_positive_with_the_highest_payload_bit() -> None:
    assert fbits(32, canonical_nan(32)) == 0x7FC00000
    assert fbits(64, canonical_nan(64)) == 0x7FF8000000000000


@given(st.one_of(patterns, nan_patterns))
@example((32, 0xFFC00000))
@example((64, 0xFFF8000000000000))
@example((32, F32_INFINITY))
@example((64, F64_INFINITY))
@example((32, 0x7FFFFFFF))
@example((32, 0x7FBFFFFF))
def test_nan_classes(case: tuple[int, int]) -> None:
    N, bits = case
    significand = {32: 23, 64: 52}[N]
    exponent, payload = (bits >> significand) % 2 ** (N - 1 - significand), bits % 2**significand
    nan = exponent == 2 ** (N - 1 - significand) - 1 and payload != 0
    z = inv_fbits(N, bits)
    assert is_canonical_nan(N, z) == (nan and payload == 2 ** (significand - 1))
    assert is_arithmetic_nan(N, z) == (nan and payload >= 2 ** (significand - 1))


near_tie = st.builds(
    lambda high, low: struct.unpack("<d", struct.pack("<Q", (high << 29) + low))[0],
    st.integers(0, 2**35 - 1),
    st.sampled_from(range(2**28 - 2, 2**28 + 3)),
).filter(lambda x: not math.isnan(x))
LEAST = 2.0**-149
LIMIT = 2.0**128 - 2.0**103


@given(st.one_of(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False), near_tie))
@example(0.0)
@example(-0.0)
@example(LEAST / 2)
@example(-LEAST / 2)
@example(math.nextafter(LEAST / 2, 1.0))
@example(LEAST * 1.5)
@example(2.0**-126 - 2.0**-150)
@example(1 + 2.0**-24)
@example(1 + 3 * 2.0**-24)
@example(LIMIT)
@example(-LIMIT)
@example(math.nextafter(LIMIT, 0.0))
@example(1e308)
@example(math.inf)
@example(-math.inf)
def test_round_f32_is_the_conversion_of_c(x: float) -> None:
    z = round_f32(x)
    expected = ctypes.c_float(x).value
    assert z == expected
    assert math.copysign(1.0, z) == math.copysign(1.0, expected)
    assert round_f32(z) == z


def test_round_f32_of_nans() -> None:
    payload = F32NaN(0xFFA12345)
    assert round_f32(payload) is payload
    for bits in (0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF):
        z = round_f32(inv_fbits(64, bits))
        assert isinstance(z, F32NaN)
        assert z.bits == 0x7FC00000


def test_round_f32_where_struct_refuses_to_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    standard = struct.Struct("<f")
    with pytest.raises(OverflowError):
        standard.pack(1e300)
    monkeypatch.setattr(values, "_pack_f32", standard.pack)
    monkeypatch.setattr(values, "_unpack_f32", standard.unpack)
    assert round_f32(1e300) == math.inf
    assert round_f32(-LIMIT) == -math.inf
    assert round_f32(1.1) == ctypes.c_float(1.1).value
