"""Constants become arguments and patterns are compared by bits."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.script import Either, Value
from conformance.values import HostRef, UnsupportedValueError, argument, mismatch, results_of
from interp.engine import Reference
from interp.execution.values import F32NaN, inv_fbits
from interp.syntax.types import F64, I32, I64, AbsHeapType, RefType


def value(kind: str, text: str | None = None) -> Value:
    return Value(type=kind, value=text)


@given(st.sampled_from([32, 64]), st.data())
def test_integers_are_compared_modulo_their_width(N: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, 2**N - 1))
    j = data.draw(st.integers(-(2 ** (N - 1)), 2 ** (N - 1) - 1))
    signed = i - 2**N if i >> (N - 1) else i
    for text in (str(i), str(signed)):
        assert argument(value(f"i{N}", text)) % 2**N == i
        assert mismatch(value(f"i{N}", text), signed) == ""
        assert bool(mismatch(value(f"i{N}", text), j)) == (j != signed)


@pytest.mark.parametrize("result", [4294967295, 1.0, True, None, "1", (1,)])
def test_an_integer_must_be_a_signed_int(result: Any) -> None:
    assert mismatch(value("i32", str(int(result)) if isinstance(result, int | float) else "1"), result)


@given(st.sampled_from([32, 64]), st.data())
def test_floats_are_compared_by_bits(N: int, data: st.DataObject) -> None:
    bits = data.draw(st.integers(0, 2**N - 1))
    other = data.draw(st.integers(0, 2**N - 1))
    constant = value(f"f{N}", str(bits))
    assert mismatch(constant, argument(constant)) == ""
    assert bool(mismatch(constant, inv_fbits(N, other))) == (bits != other)


@pytest.mark.parametrize(
    ("bits", "canonical", "arithmetic"),
    [
        (0x7FC00000, True, True),
        (0xFFC00000, True, True),
        (0x7FC00001, False, True),
        (0x7FFFFFFF, False, True),
        (0x7F800001, False, False),
        (0x7FA00000, False, False),
        (0x7F800000, False, False),
        (0x3F800000, False, False),
    ],
)
def test_nan_classes(bits: int, canonical: bool, arithmetic: bool) -> None:
    assert (mismatch(value("f32", "nan:canonical"), inv_fbits(32, bits)) == "") is canonical
    assert (mismatch(value("f32", "nan:arithmetic"), inv_fbits(32, bits)) == "") is arithmetic
    wide = (bits >> 31 << 63) | (bits >> 23 & 0xFF) // 0xFF * (0x7FF << 52) | (bits & 0x7FFFFF) << 29
    if bits & 0x7F800000 == 0x7F800000:
        assert (mismatch(value("f64", "nan:canonical"), inv_fbits(64, wide)) == "") is canonical
        assert (mismatch(value("f64", "nan:arithmetic"), inv_fbits(64, wide)) == "") is arithmetic


def test_zeroes_and_types_are_told_apart() -> None:
    zero, minus_zero = value("f64", "0"), value("f64", str(1 << 63))
    assert mismatch(zero, -0.0)
    assert mismatch(minus_zero, 0.0)
    assert mismatch(zero, 0)
    assert mismatch(value("f32", "nan:canonical"), None)
    assert mismatch(value("f32", "0"), 1e-60)  # no f32: it would round to zero
    assert mismatch(value("f32", str(0x7F800000)), 1e300)
    assert mismatch(value("f32", str(struct.unpack("<I", struct.pack("<f", 0.1))[0])), 0.1)


def test_a_signalling_nan_keeps_its_bits() -> None:
    given_nan = argument(value("f32", str(0x7FA00000)))
    assert isinstance(given_nan, F32NaN)
    assert given_nan.bits == 0x7FA00000


def test_references() -> None:
    assert argument(value("externref", "null")) is None
    assert argument(value("externref", "3")) == HostRef(3)
    assert mismatch(value("externref", "3"), HostRef(3)) == ""
    for wrong in (HostRef(4), 3, None):
        assert mismatch(value("externref", "3"), wrong)
    assert mismatch(value("externref"), HostRef(0)) == ""
    assert mismatch(value("externref"), None)
    assert mismatch(value("externref", "null"), None) == ""
    assert mismatch(value("externref", "null"), HostRef(0))
    assert argument(value("funcref", "null")) is None
    assert mismatch(value("funcref", "null"), None) == ""
    for wrong in (None, HostRef(0), 0):
        assert mismatch(value("funcref"), wrong)
    assert mismatch(value("refnull"), None) == ""
    assert mismatch(value("refnull"), HostRef(0))


def reference(heaptype: AbsHeapType) -> Reference:
    """A reference, as an engine gives it."""
    return type("Given", (Reference,), {"heaptype": heaptype})()


H = AbsHeapType
HELD = {
    "anyref": {H.STRUCT, H.ARRAY, H.I31},
    "eqref": {H.STRUCT, H.ARRAY, H.I31},
    "structref": {H.STRUCT},
    "arrayref": {H.ARRAY},
    "i31ref": {H.I31},
    "externref": {H.STRUCT, H.ARRAY, H.I31},
    "exnref": {H.EXN},
    "funcref": set(),
}
TOPS = {"externref": H.EXTERN, "exnref": H.EXN, "funcref": H.FUNC}
NULLS = {"nullref": H.ANY, "nullexternref": H.EXTERN, "nullexnref": H.EXN, "nullfuncref": H.FUNC}


@pytest.mark.parametrize("kind", HELD)
def test_a_reference_of_any_kind_is_told_from_the_others(kind: str) -> None:
    pattern = value(kind)
    for heaptype in (H.STRUCT, H.ARRAY, H.I31, H.EXN):
        assert (mismatch(pattern, reference(heaptype)) == "") is (heaptype in HELD[kind])
    assert (mismatch(pattern, HostRef(0)) == "") is (kind in ("anyref", "externref"))
    assert mismatch(pattern, None)
    assert mismatch(pattern, 0)
    assert mismatch(value(kind, "null"), None) == ""
    assert mismatch(value(kind, "null"), reference(H.STRUCT))
    assert argument(value(kind, "null")) is None


@pytest.mark.parametrize("kind", ["anyref", "externref"])
def test_references_of_the_host(kind: str) -> None:
    assert argument(value(kind, "3")) == HostRef(3)
    assert mismatch(value(kind, "3"), HostRef(3)) == ""
    for wrong in (HostRef(4), reference(H.STRUCT), 3, None):
        assert mismatch(value(kind, "3"), wrong)


@pytest.mark.parametrize(("kind", "top"), [*((kind, TOPS.get(kind, H.ANY)) for kind in HELD), *NULLS.items()])
def test_a_result_has_a_type_of_the_same_hierarchy(kind: str, top: AbsHeapType) -> None:
    pattern = value(kind) if kind in NULLS else value(kind, "null")
    for heaptype in (H.ANY, H.EXTERN, H.EXN, H.FUNC):
        assert (mismatch(pattern, None, RefType(True, heaptype)) == "") is (heaptype is top)
    assert mismatch(pattern, None, I32)
    assert mismatch(value("refnull"), None, RefType(True, top)) == ""
    assert mismatch(value("refnull"), None, I32)


def test_a_number_has_the_type_of_its_pattern() -> None:
    assert mismatch(value("i32", "1"), 1, I32) == ""
    assert mismatch(value("i32", "1"), 1, I64)
    assert mismatch(value("f32", "0"), 0.0, F64)
    assert mismatch(value("i32", "0"), 0, RefType(True, H.ANY))


def test_either() -> None:
    either = Either(values=(value("i32", "1"), value("i32", "2")))
    assert mismatch(either, 1) == ""
    assert mismatch(either, 2) == ""
    assert mismatch(either, 3)


@pytest.mark.parametrize(
    "unsupported",
    [value("v128"), value("f16"), value("funcref", "3"), value("i31ref", "3"), value("i32"), value("i32", "x")],
)
def test_a_kind_that_is_not_supported_is_never_equal(unsupported: Value) -> None:
    for result in (None, 0, HostRef(3)):
        with pytest.raises(UnsupportedValueError):
            mismatch(unsupported, result)
    with pytest.raises(UnsupportedValueError):
        mismatch(Either(values=(value("i32", "0"), unsupported)), 0)
    with pytest.raises(UnsupportedValueError):
        argument(unsupported)


def test_counting_results() -> None:
    assert results_of(None, 0) == ()
    assert results_of(None, 1) == (None,)
    assert results_of((1, 2), 2) == (1, 2)
    assert results_of(1, 0) is None
    assert results_of(1, 2) is None
    assert results_of((1, 2, 3), 2) is None
