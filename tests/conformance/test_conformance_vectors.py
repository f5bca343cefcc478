"""Vectors of scripts: passed by lanes, compared lane by lane."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.script import Either, Value
from conformance.values import UnsupportedValueError, argument, check_supported, mismatch

DIMS = {"i8": 16, "i16": 8, "i32": 4, "i64": 2, "f32": 4, "f64": 2}


def vector(lane_type: str | None, *lanes: object) -> Value:
    return Value(type="v128", lane_type=lane_type, value=tuple(map(str, lanes)))


@given(st.sampled_from(sorted(DIMS)), st.data())
def test_a_vector_equals_itself_and_no_other(lane_type: str, data: st.DataObject) -> None:
    N, dim = int(lane_type[1:]), DIMS[lane_type]
    lanes = data.draw(st.lists(st.integers(-(1 << (N - 1)), (1 << N) - 1), min_size=dim, max_size=dim))
    v = argument(vector(lane_type, *lanes))
    assert v == sum(c % (1 << N) << (N * k) for k, c in enumerate(lanes))
    assert mismatch(vector(lane_type, *lanes), v) == ""
    bit = data.draw(st.integers(0, 127))
    difference = mismatch(vector(lane_type, *lanes), v ^ (1 << bit))
    assert difference.startswith(f"lane {bit // N}: expected {lane_type} ")
    assert "; lane" not in difference


@pytest.mark.parametrize(("lane_type", "quiet", "one"), [("f32", 0x7FC00000, 1), ("f64", 0x7FF8 << 48, 1)])
def test_classes_of_nan_hold_for_their_lanes(lane_type: str, quiet: int, one: int) -> None:
    N, dim = int(lane_type[1:]), DIMS[lane_type]
    sign = 1 << (N - 1)
    for lane in range(dim):
        for pattern, bits, matches in (
            ("nan:canonical", quiet, True),
            ("nan:canonical", quiet | sign, True),
            ("nan:canonical", quiet + one, False),
            ("nan:arithmetic", quiet + one, True),
            ("nan:arithmetic", quiet >> 1 | quiet & ~(quiet >> 1) ^ quiet, False),
            ("nan:arithmetic", 0, False),
            (str(quiet + one), quiet + one, True),
            (str(quiet + one), quiet, False),
        ):
            lanes = ["0"] * dim
            lanes[lane] = pattern
            difference = mismatch(vector(lane_type, *lanes), bits << (N * lane))
            assert (difference == "") is matches, (pattern, hex(bits))
            assert matches or difference.startswith(f"lane {lane}: ")


def test_zeroes_are_told_apart() -> None:
    assert mismatch(vector("f64", 0, 0), 1 << 127)
    assert mismatch(vector("f64", 0, 1 << 63), 1 << 127) == ""


@pytest.mark.parametrize("result", [None, 1.0, True, "0", -1, 1 << 128, (0, 0), b"\0" * 16])
def test_a_vector_must_be_an_int_of_128_bits(result: Any) -> None:
    assert mismatch(vector("i64", 1, 0), result).startswith("expected v128 i64x2 1 0, got ")
    assert mismatch(vector("f64", "nan:canonical", 0), result)


def test_one_of_several_vectors() -> None:
    either = Either(values=(vector("i64", 1, 0), vector("i64", 2, 0)))
    assert mismatch(either, 2) == ""
    assert mismatch(either, 3)


@pytest.mark.parametrize(
    "value",
    [
        Value(type="v128"),
        Value(type="v128", lane_type="i64", value="1"),
        Value(type="v128", value=("1", "2")),
        vector("i64", 1),
        vector("i64", 1, 2, 3),
        vector("i24", 1, 2),
        vector("i64", "x", 0),
        vector("i64", "nan:canonical", 0),
        vector("f64", 0, "nan:other"),
    ],
)
def test_other_forms_are_not_supported(value: Value) -> None:
    with pytest.raises(UnsupportedValueError):
        argument(value)
    with pytest.raises(UnsupportedValueError):
        check_supported([value])
    with pytest.raises(UnsupportedValueError):
        mismatch(value, 0)


def test_a_class_of_nan_is_no_argument() -> None:
    with pytest.raises(UnsupportedValueError):
        argument(vector("f64", "nan:canonical", 0))
