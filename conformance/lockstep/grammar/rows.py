"""Rows of the instruction table by what a generator asks for: their meaning, what they take, what they leave.

Spec: syntax/instructions#numeric-instructions, syntax/instructions#vector-instructions
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from interp.execution import numerics
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import F32, F64, I32, I64, NumType, ValType

BY_RESULT: dict[ValType, list[Op]] = defaultdict(list)
"""Type -> the rows with a type of their own that leave one value of it and take some."""

STEPS: dict[ValType, list[Op]] = defaultdict(list)
"""Type -> the rows whose first operand is of it."""

LANES: dict[str, list[Op]] = defaultdict(list)
"""Kind -> rows of instructions on single lanes."""

for _op in OPS:
    if _op.type is not None and _op.type.params:
        BY_RESULT[_op.type.results[0]].append(_op)
        if _op.sem not in (numerics.trunc_u, numerics.trunc_s):
            STEPS[_op.type.params[0]].append(_op)
    elif _op.kind in ("vextract_lane", "vreplace_lane", "vshuffle"):
        LANES[_op.kind].append(_op)


@cache
def row_of(sem: Callable[..., Any], *params: Any) -> Op:
    """The row whose meaning is a numerics function with these leading arguments.  Raises KeyError."""
    for op in OPS:
        if op.sem is sem and op.params[: len(params)] == params:
            return op
    raise KeyError((sem.__name__, params))


def mnemonic(sem: Callable[..., Any], *params: Any) -> str:
    """Its mnemonic."""
    return row_of(sem, *params).mnemonic


def width(t: ValType) -> int:
    """The width of a number type in bits.  Raises TypeError."""
    if not isinstance(t, NumType):
        raise TypeError(f"{t} is no number type")
    return int(t.value[1:])


CHAINED: dict[ValType, list[Op]] = {
    t: [
        row_of(sem, width(t))
        for sem in (
            numerics.iadd, numerics.isub, numerics.ixor, numerics.iadd, numerics.isub, numerics.ixor, numerics.iand,
            numerics.ior, numerics.ishl, numerics.ishr_u, numerics.ishr_s, numerics.imul, numerics.irotl,
            numerics.irotr,
        )
    ]
    for t in (I32, I64)
}  # fmt: skip
"""The operators of arithmetic on integers that programs are made of; those that lose nothing come more often."""

COMPARISONS: dict[ValType, list[Op]] = {
    t: [op for op in BY_RESULT[I32] if op.type is not None and op.type.params == (t, t) and op.kind == "relop"]
    for t in (I32, I64)
}
"""Comparisons of two integers."""

TRUTHS = ("relop", "testop")
"""Kinds of operators that leave one bit of what they were given."""

DIVISIONS = (numerics.idiv_u, numerics.idiv_s, numerics.irem_u, numerics.irem_s)
TRUNCATIONS = (numerics.trunc_u, numerics.trunc_s)
CONVERSIONS: dict[ValType, Op] = {F32: row_of(numerics.convert_s, 32, 32), F64: row_of(numerics.convert_s, 32, 64)}
