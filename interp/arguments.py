"""Values of WebAssembly as text on a command line, and back.

Integers are decimal or hexadecimal and signed or unsigned; floats are decimal, hexadecimal, inf, or nan with a payload
(`nan:0x200000`); a vector is an integer of 128 bits or a shape with its lanes (`i32x4:1,-2,0x3,4`); the only reference
is `null`.
Spec: text/values
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interp.execution.numerics_vector import inv_flanes, inv_ilanes
from interp.execution.values import MASK, inv_fbits, round_f32
from interp.syntax.notation import show_float
from interp.syntax.shapes import SHAPES
from interp.syntax.types import V128, NumType, RefType, ResultType, ValType, VecType

MAX_DIGITS = 2000


class ArgumentError(ValueError):
    """A text is no value of the type that is needed."""


def parse_float(N: int, text: str) -> float:
    """An fN.  Raises ValueError."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.removeprefix("+"))
    if digits.startswith("nan"):
        mantissa = 23 if N == 32 else 52
        payload = int(digits[4:], 16) if digits.startswith("nan:") else 1 << (mantissa - 1)
        if (digits != "nan" and not digits.startswith("nan:0x")) or not 0 < payload < 1 << mantissa:
            raise ValueError(digits)
        exponent = ((1 << (N - 1 - mantissa)) - 1) << mantissa
        return inv_fbits(N, (1 << (N - 1) if sign else 0) | exponent | payload)
    if digits.lower().startswith("0x"):
        return float.fromhex(text)
    return float(text)


def parse_integer(N: int, text: str) -> int:
    """An integer of N bits, signed or not.  Raises ValueError."""
    value = int(text, 0)
    if not -(1 << (N - 1)) <= value < 1 << N:
        raise ValueError(text)
    return value


def parse_vector(text: str) -> int:
    """A v128, 0 <= v < 2**128.  Raises ValueError."""
    name, colon, lanes = text.partition(":")
    if not colon:
        return parse_integer(128, text) & MASK[128]
    sh, texts = SHAPES.get(name), lanes.replace("_", "").split(",")
    if sh is None or len(texts) != sh.dim:
        raise ValueError(text)
    if sh.is_float:
        zs = [parse_float(sh.N, z) for z in texts]
        return inv_flanes(sh.N, list(map(round_f32, zs)) if sh.N == 32 else zs)
    return inv_ilanes(sh.N, [parse_integer(sh.N, c) & MASK[sh.N] for c in texts])


def parse_value(valtype: ValType, text: str) -> Any:
    """The value of a type that a text stands for.  Raises ArgumentError."""
    text = text.strip()
    try:
        if len(text) > MAX_DIGITS:
            raise ValueError("too long")
        if valtype is V128:
            return parse_vector(text)
        if not isinstance(valtype, NumType):
            if text != "null":
                raise ValueError(text)
            return None
        N = int(valtype.value[1:])
        return parse_float(N, text.replace("_", "")) if valtype.value[0] == "f" else parse_integer(N, text)
    except (ValueError, OverflowError) as error:
        raise ArgumentError(f"{text[:60]!r} is no {valtype}{HINTS.get(type(valtype), '')}") from error


HINTS = {
    RefType: " (from Python, only null can be given)",
    VecType: " (an integer of 128 bits, or a shape and its lanes, such as i32x4:1,2,3,4)",
}
"""What to say of a text that is no value, by the class of its type."""


def parse_arguments(params: ResultType, texts: Sequence[str]) -> list[Any]:
    """The arguments of a function.  Raises ArgumentError."""
    if len(texts) != len(params):
        needed = " ".join(map(str, params)) or "none"
        raise ArgumentError(f"{len(params)} arguments are needed ({needed}), {len(texts)} are given")
    return [parse_value(t, text) for t, text in zip(params, texts, strict=True)]


def show_value(valtype: ValType, value: Any) -> str:
    """A result as text that `parse_value` reads back; references other than null only for people."""
    if valtype is V128:
        return f"{value:#034x}"
    if isinstance(valtype, NumType):
        return show_float(int(valtype.value[1:]), value) if valtype.value[0] == "f" else str(value)
    return "null" if value is None else repr(value)


def show_results(types: ResultType, results: Any) -> list[str]:
    """What a function gave, one text for each result."""
    values = () if not types else (results,) if len(types) == 1 else results
    return [show_value(t, value) for t, value in zip(types, values, strict=True)]
