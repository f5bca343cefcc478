"""The values of scripts: constants become arguments, patterns are compared with results, both bit by bit.

Each kind of value is one row of `KINDS`. A kind without a row is not supported yet: it is neither passed as an
argument nor compared, and its command is skipped.

Source: WebAssembly/spec interpreter/README.md, "Scripts"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from conformance.script import Either, Expected, Value
from interp.engine import Func
from interp.execution.values import fbits, inv_fbits, is_arithmetic_nan, is_canonical_nan, round_f32

NULL = "null"


class UnsupportedValueError(Exception):
    """The kind of value is not supported yet; the message names it."""


@dataclass(frozen=True, slots=True)
class HostRef:
    """The host's reference number `number`: what `(ref.extern N)` of a script stands for."""

    number: int


@dataclass(frozen=True, slots=True)
class ValueKind:
    """How one kind of value is passed and compared.

    `argument` gives the Python value of a constant; `mismatch` says in one line how a result differs from a pattern,
    or nothing if it does not. Both raise UnsupportedValueError for forms of the kind that are not supported yet.
    """

    argument: Callable[[Value], Any]
    mismatch: Callable[[Value, Any], str]


def _number(value: Value) -> int:
    if not isinstance(value.value, str):
        raise UnsupportedValueError(f"{value.type} without a number is not supported yet")
    try:
        return int(value.value)
    except ValueError as error:
        raise UnsupportedValueError(f"{value.type} {value.value!r} is not supported yet") from error


def _integer(N: int) -> ValueKind:
    """The row of iN: any representation of the number goes in, the signed one must come out."""
    half = 1 << (N - 1)

    def mismatch(value: Value, result: Any) -> str:
        wanted = (_number(value) + half) % (2 * half) - half
        if type(result) is not int:
            return f"expected i{N} {wanted}, got {_shown(result)}"
        if not -half <= result < half:
            return f"expected i{N} {wanted}, got {result}, which is not in the signed range"
        return "" if result == wanted else f"expected i{N} {wanted}, got {result}"

    return ValueKind(_number, mismatch)


def result_bits(N: int, result: Any) -> int | None:
    """The bits of a result of type fN, or None if it is no float that fN can represent. N: 32 or 64."""
    if not isinstance(result, float):
        return None
    if N == 32 and not isnan(result) and round_f32(result) != result:
        return None
    return fbits(N, result)


NAN_CLASSES: dict[str, Callable[[int, float], bool]] = {
    "nan:canonical": is_canonical_nan,
    "nan:arithmetic": is_arithmetic_nan,
}


def _float(N: int) -> ValueKind:
    """The row of fN: compared by bits, NaNs of a pattern by their class."""

    def mismatch(value: Value, result: Any) -> str:
        bits = result_bits(N, result)
        of_class = NAN_CLASSES.get(str(value.value))
        matches = bits is not None and (of_class(N, result) if of_class else bits == _number(value) % (1 << N))
        if matches:
            return ""
        wanted = value.value if of_class else _hexadecimal(N, _number(value))
        got = f"{_shown(result)}, no f{N}" if bits is None else f"{_hexadecimal(N, bits)} ({_shown(result)})"
        return f"expected f{N} {wanted}, got {got}"

    return ValueKind(lambda value: inv_fbits(N, _number(value) % (1 << N)), mismatch)


def _hexadecimal(N: int, bits: int) -> str:
    return f"{bits:#0{N // 4 + 2}x}"


def _null_argument(value: Value) -> None:
    if value.value != NULL:
        raise UnsupportedValueError(f"{value.type} {value.value} as an argument is not supported yet")


def _null_mismatch(value: Value, result: Any) -> str:
    return "" if result is None else f"expected {value.type} null, got {_shown(result)}"


def _externref_argument(value: Value) -> HostRef | None:
    return None if value.value == NULL else HostRef(_number(value))


def _externref_mismatch(value: Value, result: Any) -> str:
    if value.value is None:
        return "" if result is not None else "expected a reference of type externref, got null"
    wanted = _externref_argument(value)
    if wanted is None:
        return _null_mismatch(value, result)
    matches = isinstance(result, HostRef) and result == wanted
    return "" if matches else f"expected externref {wanted.number}, got {_shown(result)}"


def _funcref_mismatch(value: Value, result: Any) -> str:
    if value.value == NULL:
        return _null_mismatch(value, result)
    if value.value is not None:
        raise UnsupportedValueError(f"funcref {value.value} as a result is not supported yet")
    matches = isinstance(result, Func) and not isinstance(result, HostRef)
    return "" if matches else f"expected a reference of type funcref, got {_shown(result)}"


def _exnref_mismatch(value: Value, result: Any) -> str:
    if value.value != NULL:
        raise UnsupportedValueError(f"{value.type} {value.value} as a result is not supported yet")
    return _null_mismatch(value, result)


_NULL_ROW = ValueKind(lambda _: None, _null_mismatch)

KINDS: dict[str, ValueKind] = {
    "i32": _integer(32),
    "i64": _integer(64),
    "f32": _float(32),
    "f64": _float(64),
    "externref": ValueKind(_externref_argument, _externref_mismatch),
    "funcref": ValueKind(_null_argument, _funcref_mismatch),
    "exnref": ValueKind(_null_argument, _exnref_mismatch),
    "refnull": _NULL_ROW,
    "nullref": _NULL_ROW,
    "nullfuncref": _NULL_ROW,
    "nullexternref": _NULL_ROW,
    "nullexnref": _NULL_ROW,
}
"""One row per kind of value. A null has no type at the embedding boundary, so the null kinds are alike."""


def _kind(value: Value) -> ValueKind:
    try:
        return KINDS[value.type]
    except KeyError as error:
        raise UnsupportedValueError(f"values of kind {value.type} are not supported yet") from error


def argument(value: Value) -> Any:
    """The Python value of a constant, as the embedding boundary takes it. Raises UnsupportedValueError."""
    return _kind(value).argument(value)


def mismatch(expected: Expected, result: Any) -> str:
    """How `result` differs from the pattern `expected`, in one line; "" if it matches. Raises UnsupportedValueError."""
    if isinstance(expected, Either):
        differences = [mismatch(value, result) for value in expected.values]
        return "" if "" in differences else "; or ".join(differences)
    return _kind(expected).mismatch(expected, result)


def check_supported(expected: Sequence[Expected]) -> None:
    """Raise UnsupportedValueError if a pattern is of a kind that cannot be compared yet."""
    for pattern in expected:
        mismatch(pattern, None)


def results_of(returned: Any, count: int) -> tuple[Any, ...] | None:
    """What a call of a function with `count` results gave, as the tuple of these; None if it does not have as many."""
    if count == 1:
        return (returned,)
    if count == 0:
        return () if returned is None else None
    return returned if isinstance(returned, tuple) and len(returned) == count else None


def _shown(result: Any) -> str:
    return "null" if result is None else f"{type(result).__name__} {result!r}"[:120]
