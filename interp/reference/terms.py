"""Values, instructions and contexts in the notation of the specification's reduction rules:
`(i32.const 2) (i32.const 3) i32.add ↪ (i32.const 5)`, labels as `(label_n{…} …)`, frames as `(frame_n{…} …)`.

A local without a default value that was not set yet is shown as ε; addresses are those of the store; structures,
arrays and exceptions are numbered as they were allocated, objects of the host as they were first seen.
Spec: exec/runtime, exec/conventions#formal-notation
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from interp.execution.runtime import I31, ArrayInst, ExnInst, FuncInst, StructInst
from interp.syntax.instructions import BY_MNEMONIC, Instr
from interp.syntax.notation import show_instr
from interp.syntax.types import AbsHeapType, DefType, HeapType, NumType, PackType, RefType, StorageType, VecType
from interp.validation.matching import match_heaptype

NULL = "ref.null"
"""The null reference, which is the same of whatever heap type the instruction was."""

EPSILON = "ε"
"""The empty sequence."""

STEPS_TO = "↪"
"""What stands between the two sides of a reduction."""

ELLIPSIS = "…"
"""What stands for the parts that are left out."""

MAX_TEXT = 400
"""Characters of a sequence of terms shown to people; what goes beyond is left out."""

MAX_BODY = 60
"""Characters of the operands and instructions inside a label shown to people."""

MAX_AFTER = 30
"""Characters of the instructions shown to people that a redex discards."""


class Terms:
    """Shows values. `hosts` numbers the objects of the host that were seen."""

    def __init__(self) -> None:
        self.hosts: dict[int, tuple[int, Any]] = {}

    def value(self, t: StorageType | None, val: Any, types: Sequence[DefType] = ()) -> str:
        """A value of a type; `types` are the module's, so that a defined type can be shown by its index."""
        if isinstance(t, NumType | VecType):
            return f"({show_instr(Instr(BY_MNEMONIC[f'{t}.const'], (val,), 0))})"
        if isinstance(t, PackType):
            return f"({t}.pack {val})"
        if isinstance(t, RefType):
            return self.ref(t, val, types)
        return self.ref(RefType(True, AbsHeapType.ANY), val, types) if is_object(val) else f"({ELLIPSIS} {val!r:.40})"

    def values(self, typed: Iterable[tuple[StorageType | None, Any]], types: Sequence[DefType] = ()) -> list[str]:
        """Values with their types."""
        return [self.value(t, val, types) for t, val in typed]

    def ref(self, t: RefType, ref: Any, types: Sequence[DefType]) -> str:
        """A reference."""
        if ref is None:
            return NULL if t.null else EPSILON
        shown = self.address(ref)
        if not isinstance(t.heaptype, DefType | AbsHeapType) or not match_heaptype(t.heaptype, AbsHeapType.EXTERN):
            return f"(ref.{shown})"
        return (
            f"(ref.extern {shown.removeprefix('host ')})" if shown.startswith("host") else f"(ref.extern (ref.{shown}))"
        )

    def address(self, ref: Any) -> str:
        """What a reference refers to: `func 3`, `struct 0`, `i31 5`, `host 0`."""
        if isinstance(ref, I31):
            return f"i31 {ref.value}"
        if isinstance(ref, FuncInst):
            return f"func {ref.addr}"
        if isinstance(ref, StructInst | ArrayInst | ExnInst):
            return f"{ref.heaptype} {ref.addr}"
        number, _ = self.hosts.setdefault(id(ref), (len(self.hosts), ref))
        return f"host {number}"


def is_object(val: Any) -> bool:
    """Whether a value that no type is known of must be a reference."""
    return not isinstance(val, int | float)


def show_heaptype(heaptype: HeapType, types: Sequence[DefType]) -> str:
    """A heap type; a defined type by its index, if it has one."""
    if isinstance(heaptype, DefType):
        return next((str(index) for index, deftype in enumerate(types) if deftype is heaptype), str(heaptype))
    return str(heaptype)


def show_sequence(parts: Sequence[str], limit: int | None = MAX_TEXT) -> str:
    """A sequence of terms. The first and the last ones are shown, as many as `limit` characters hold; ε for none."""
    if not parts:
        return EPSILON
    if limit is None or sum(map(len, parts)) + len(parts) - 1 <= limit:
        return " ".join(parts)
    first, last = 0, len(parts)
    room = limit - 2
    while first < last and room > 0:
        # The end matters most: there stand the operands at the top and the instruction.
        if (len(parts) - last) <= first:
            last -= 1
            room -= len(parts[last]) + 1
        else:
            first += 1
            room -= len(parts[first - 1]) + 1
    if first >= last:
        return " ".join(parts)
    return " ".join([*parts[:first], ELLIPSIS, *parts[last:]])


def show_head(parts: Iterable[str], limit: int | None = MAX_TEXT) -> str:
    """The first ones of a sequence of terms, as many as `limit` characters hold; ε for none."""
    shown: list[str] = []
    room = limit
    for part in parts:
        if room is not None:
            room -= len(part) + 1
            if room < 0 and shown:
                shown.append(ELLIPSIS)
                break
        shown.append(part)
    return " ".join(shown) or EPSILON


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """A text that is too long, without its end."""
    return text if len(text) <= limit else f"{text[: limit - 1]}{ELLIPSIS}"


def show_plain(instr: Instr) -> str:
    """An instruction as a term, in parentheses if it has immediates: `i32.add`, `(local.get 0)`, `(block …)`. What is
    inside a block is left out."""
    text = show_instr(instr)
    if any(instr.bodies):
        text = f"{text} {ELLIPSIS}"
    return f"({text})" if " " in text else text
