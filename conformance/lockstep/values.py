"""Values as lock step compares them: numbers by their bits, references by what can be seen of them.

Every engine tells whether a reference is null, what kind of thing it refers to, and which export a function is. Pure
engines also show what is inside: the number of an i31, the fields of structures, arrays and exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interp.engine import Extern, Func, Reference
from interp.execution.runtime import I31, ArrayInst, ExnInst, FuncInst, StructInst
from interp.execution.values import F32NaN, fbits
from interp.syntax.types import F32, F64, NumType, ValType, VecType

MAX_DEPTH = 3
"""References that are followed into each other."""

MAX_FIELDS = 40
"""Fields or elements that are shown of one object."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text; `bits` of a number; `inside`, what only pure engines tell, None where it is not told."""

    text: str
    bits: int | None = None
    inside: str | None = None

    def __str__(self) -> str:
        return self.text if self.inside is None else f"{self.text} {self.inside}"

    def equals(self, other: Shown) -> bool:
        """Whether two engines gave the same, as far as both tell."""
        inside = None in (self.inside, other.inside) or self.inside == other.inside
        return self.text == other.text and inside


def bits_of(t: ValType, value: Any) -> int:
    """A number or vector as its bits.  Raises TypeError for other types."""
    if isinstance(t, VecType):
        return int(value)
    if not isinstance(t, NumType):
        raise TypeError(f"{t} has no bits")
    N = int(t.value[1:])
    return fbits(N, value) if t.value[0] == "f" else value & ((1 << N) - 1)


def show(t: ValType, value: Any, exports: Mapping[str, Extern]) -> Shown:
    """A value of a type, as the host sees it, of an instance with these exports."""
    if t in (F32, F64) and not isinstance(value, float):
        return Shown(f"{t} {value!r}, no float")
    if isinstance(t, NumType | VecType):
        bits = bits_of(t, value)
        digits = 32 if isinstance(t, VecType) else int(t.value[1:]) // 4
        return Shown(f"{t} {bits:#0{digits + 2}x}", bits)
    if value is None:
        return Shown("null", 0)
    if isinstance(value, Func):
        return Shown(f"func {function_name(value, exports)}", 1)
    if isinstance(value, Reference):
        return Shown(f"{value.heaptype.value} reference", 2, inside(value))
    return Shown(repr(value), 3)


def function_name(func: Func, exports: Mapping[str, Extern]) -> str:
    """The first name that a function is exported by."""
    return next((name for name, extern in exports.items() if extern is func or extern == func), "without a name")


def inside(value: Any, depth: int = 0) -> str | None:
    """What a pure engine's reference refers to; None for a reference of another engine."""
    if isinstance(value, I31):
        return f"{value.value:#x}"
    if not isinstance(value, StructInst | ArrayInst | ExnInst):
        return None
    if depth >= MAX_DEPTH:
        return "…"
    fields = [inner(field, depth + 1) for field in value.fields[:MAX_FIELDS]]
    tag = f"tag {value.tag.addr}: " if isinstance(value, ExnInst) else ""
    return f"({tag}{' '.join(fields)}{' …' if len(value.fields) > MAX_FIELDS else ''})"


def inner(value: Any, depth: int) -> str:
    """A field: numbers by their bits, for what they are is known from the type that both engines gave it."""
    if isinstance(value, float):
        return f"f32 {value.bits:#x}" if isinstance(value, F32NaN) else f"f64 {fbits(64, value):#x}"
    if isinstance(value, FuncInst):
        return f"func {value.funcidx}"
    return inside(value, depth) or repr(value)
