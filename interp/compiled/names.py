"""What the names in generated code stand for that are the same in every instance.

Names say what they are, so that code which was kept on disk finds the same objects again: `n__` a numerics function and
its first arguments, `k_` a float given by its bits. Functions of f32 take a NaN that is no F32NaN for the positive
canonical one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import compress
from math import sqrt
from struct import Struct
from typing import Any

from interp.execution import numerics
from interp.execution.numerics_vector import inv_flanes, inv_ilanes
from interp.execution.references import match_ref
from interp.execution.runtime import I31, ArrayInst, ExnInst, StructInst
from interp.execution.values import MASK, F32NaN, canonical_nan, inv_fbits
from interp.syntax.shapes import SHAPES

EIGHT = Struct("<8h")
MASK32 = MASK[32]


def f32_nan(z: float) -> float:
    """The f32 that a float in code stands for: of a NaN that is no F32NaN, the positive canonical one."""
    return z if z == z or isinstance(z, F32NaN) else canonical_nan(32)  # noqa: PLR0124


def parameter(text: str) -> Any:
    """One of the first arguments of a numerics function."""
    if text in SHAPES:
        return SHAPES[text]
    if "y" in text:
        return tuple(map(int, text.split("y")))
    return int(text) if text.isdigit() else text


OF_LANES = frozenset({"fvsplat", "fvreplace_lane"})
"""Functions of vectors that take a float."""


def numerics_function(name: str) -> Callable[..., Any]:
    """The function that a name with `n__` stands for."""
    _, op, *params = name.split("__")
    values = [parameter(text) for text in params]
    function = partial(getattr(numerics, op), *values)
    if values[0] not in (32, "f32") and (op not in OF_LANES or str(values[0]) != "f32x4"):
        return function

    def of_f32(*args: Any) -> Any:
        return function(*map(f32_nan, args))

    return of_f32


def constant(name: str) -> float:
    """The float that a name with `k_` stands for."""
    _, t, bits = name.split("_")
    return inv_fbits(int(t[1:]), int(bits, 16))


def join_f32x4(*lanes: float) -> int:
    """The vector of four f32 as code has them."""
    return inv_flanes(32, [f32_nan(z) for z in lanes])


def join_f64x2(*lanes: float) -> int:
    """The vector of two f64."""
    return inv_flanes(64, lanes)


def join_i32x4(*lanes: int) -> int:
    """The vector of four i32."""
    return inv_ilanes(32, lanes)


def dot_i16x8(v1: int, v2: int) -> int:
    """i32x4.dot_i16x8_s, lane by lane without lists.  Spec: exec/instructions#exec-vextbinop"""
    first: tuple[int, ...] = EIGHT.unpack(v1.to_bytes(16, "little"))
    second: tuple[int, ...] = EIGHT.unpack(v2.to_bytes(16, "little"))
    a, b, c, d, e, f, g, h = first
    i, j, k, l, m, n, o, p = second  # noqa: E741 — in alphabetical order
    low = a * i + b * j & MASK32 | (c * k + d * l & MASK32) << 32
    return low | (e * m + f * n & MASK32 | (g * o + h * p & MASK32) << 32) << 64


FIXED: dict[str, Any] = {
    **{function.__name__: function for function in (f32_nan, match_ref, join_f32x4, join_f64x2, join_i32x4, sqrt)},
    **{kind.__name__: kind for kind in (I31, ArrayInst, ExnInst, StructInst)},
    **{builtin.__name__: builtin for builtin in (abs, bytes, compress, int, len, range)},
}
"""What is the same in every namespace, by its own name."""

_known: dict[str, Any] = {**FIXED, "n__ivdot_s__i16x8__i32x4": dot_i16x8}


def resolve(name: str) -> Any:
    """What a name stands for, or None for names that each instance has its own of."""
    found = _known.get(name)
    if found is None:
        if name.startswith("n__"):
            found = numerics_function(name)
        elif name.startswith("k_"):
            found = constant(name)
        else:
            return None
        _known[name] = found
    return found
