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
from interp.engine import Func, Reference
from interp.execution.numerics_vector import flanes, ilanes, inv_ilanes
from interp.execution.values import MASK, fbits, inv_fbits, is_arithmetic_nan, is_canonical_nan, round_f32, signed_
from interp.syntax.shapes import SHAPES, Shape
from interp.syntax.types import AbsHeapType, RefType, ValType
from interp.validation.matching import match_heaptype

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
    or nothing if it does not. Both raise UnsupportedValueError for forms of the kind that are not supported yet. A
    kind of references has `top`, below which the type of a result must be; None allows any reference type.
    """

    argument: Callable[[Value], Any]
    mismatch: Callable[[Value, Any], str]
    is_reference: bool = False
    top: AbsHeapType | None = None


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


def _lanes(value: Value) -> tuple[Shape, list[Value]]:
    """The shape of a vector, and its lanes as values of their own."""
    sh = LANE_SHAPES.get(str(value.lane_type))
    if sh is None or not isinstance(value.value, tuple) or len(value.value) != sh.dim:
        raise UnsupportedValueError(f"v128 {value.lane_type} {value.value} is not supported yet")
    return sh, [Value(type=str(sh.lanetype), value=text) for text in value.value]


def _vector_argument(value: Value) -> int:
    sh, lanes = _lanes(value)
    return inv_ilanes(sh.N, [_number(lane) % (1 << sh.N) for lane in lanes])


def _vector_mismatch(value: Value, result: Any) -> str:
    """Each lane is compared as a number of its type is."""
    sh, lanes = _lanes(value)
    row = _float(sh.N) if sh.is_float else _integer(sh.N)
    given: Sequence[Any] = [None] * sh.dim
    if type(result) is int and 0 <= result <= MASK[128]:
        given = flanes(sh.N, result) if sh.is_float else [signed_(sh.N, c) for c in ilanes(sh.N, result)]
    differences = [row.mismatch(lane, c) for lane, c in zip(lanes, given, strict=True)]
    if given[0] is None:
        return f"expected v128 {sh} {' '.join(map(str, value.value or ()))}, got {_shown(result)}"
    return "; ".join(f"lane {k}: {difference}" for k, difference in enumerate(differences) if difference)


LANE_SHAPES = {str(sh.lanetype): sh for sh in SHAPES.values()}
"""Shapes by the type of their lanes, which is how a script names them."""


def _reference(top: AbsHeapType, holds: Callable[[Any], bool], hosts: bool = False) -> ValueKind:
    """The row of references below `top`: a pattern without a value is any reference for which `holds`, or with `hosts`
    also one of the host's, a number is the host's reference of that number."""

    def mismatch(value: Value, result: Any) -> str:
        if value.value == NULL:
            return "" if result is None else f"expected {value.type} null, got {_shown(result)}"
        if value.value is None:
            matches = result is not None and (holds(result) or (hosts and isinstance(result, HostRef)))
            return "" if matches else f"expected a reference of type {value.type}, got {_shown(result)}"
        wanted = _host_argument(value)
        return "" if result == wanted else f"expected {value.type} {value.value}, got {_shown(result)}"

    def _host_argument(value: Value) -> HostRef:
        if not hosts:
            raise UnsupportedValueError(f"{value.type} {value.value} is not supported yet")
        return HostRef(_number(value))

    return ValueKind(lambda value: None if value.value == NULL else _host_argument(value), mismatch, True, top)


def _null(top: AbsHeapType | None) -> ValueKind:
    """The row of the null below `top` (None: any of them)."""

    def mismatch(value: Value, result: Any) -> str:
        return "" if result is None else f"expected {value.type} null, got {_shown(result)}"

    return ValueKind(lambda _: None, mismatch, True, top)


def _is_a(*heaptypes: AbsHeapType) -> Callable[[Any], bool]:
    """Whether a result is a reference of one of these heap types, as the engine tells."""
    return lambda result: isinstance(result, Reference) and result.heaptype in heaptypes


def _is_func(result: Any) -> bool:
    return isinstance(result, Func) and not isinstance(result, HostRef | Reference)


ANY, EXTERN, FUNC, EXN = AbsHeapType.ANY, AbsHeapType.EXTERN, AbsHeapType.FUNC, AbsHeapType.EXN
STRUCT, ARRAY, I31 = AbsHeapType.STRUCT, AbsHeapType.ARRAY, AbsHeapType.I31

KINDS: dict[str, ValueKind] = {
    "i32": _integer(32),
    "i64": _integer(64),
    "f32": _float(32),
    "f64": _float(64),
    "v128": ValueKind(_vector_argument, _vector_mismatch),
    "anyref": _reference(ANY, _is_a(STRUCT, ARRAY, I31), hosts=True),
    "eqref": _reference(ANY, _is_a(STRUCT, ARRAY, I31)),
    "i31ref": _reference(ANY, _is_a(I31)),
    "structref": _reference(ANY, _is_a(STRUCT)),
    "arrayref": _reference(ANY, _is_a(ARRAY)),
    "externref": _reference(EXTERN, _is_a(STRUCT, ARRAY, I31), hosts=True),
    "funcref": _reference(FUNC, _is_func),
    "exnref": _reference(EXN, _is_a(EXN)),
    "refnull": _null(None),
    "nullref": _null(ANY),
    "nullfuncref": _null(FUNC),
    "nullexternref": _null(EXTERN),
    "nullexnref": _null(EXN),
}
"""One row per kind of value. A null is None whatever its type, so of nulls it is the type that tells them apart."""


def _kind(value: Value) -> ValueKind:
    try:
        return KINDS[value.type]
    except KeyError as error:
        raise UnsupportedValueError(f"values of kind {value.type} are not supported yet") from error


def argument(value: Value) -> Any:
    """The Python value of a constant, as the embedding boundary takes it. Raises UnsupportedValueError."""
    return _kind(value).argument(value)


def mismatch(expected: Expected, result: Any, t: ValType | None = None) -> str:
    """How `result`, of type `t` if that is known, differs from the pattern `expected`, in one line; "" if it matches.

    Raises UnsupportedValueError.
    """
    if isinstance(expected, Either):
        differences = [mismatch(value, result, t) for value in expected.values]
        return "" if "" in differences else "; or ".join(differences)
    kind = _kind(expected)
    if t is not None and not _may_be(expected.type, kind, t):
        return f"expected {expected.type}, got a result of type {t}"
    return kind.mismatch(expected, result)


def _may_be(name: str, kind: ValueKind, t: ValType) -> bool:
    """Whether values of type `t` can be of the kind called `name`."""
    if not kind.is_reference:
        return str(t) == name
    return isinstance(t, RefType) and (kind.top is None or match_heaptype(t.heaptype, kind.top))


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
