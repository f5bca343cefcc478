"""Which instruction a point of prepared code stands for.

Code as it was read consists of its own instructions. A rule that rewrites an instruction into others inserts points
that keep the instruction they came from, for its offset; their rule function and operand tell what they stand for.
Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interp.execution.runtime import FuncInst
from interp.reference.call import call_ref_cast, call_table_get
from interp.reference.configuration import KINDS, Block, Point, RuleFunction, trap
from interp.syntax.instructions import OPS, Instr, Op
from interp.syntax.types import DefType, TypeIdx

BY_KIND: dict[str, list[Op]] = {}
for _op in OPS:
    BY_KIND.setdefault(_op.kind, []).append(_op)

KIND_OF: dict[RuleFunction, str] = {call_table_get: "table.get", call_ref_cast: "ref.cast"}
"""Rule functions that do the work of a kind of instruction without being registered for it."""

Immediates = Callable[[Any, Instr], tuple[Any, ...]]
"""The immediates of an inserted instruction, from its operand and the instruction that it came from."""


def kind_of(function: RuleFunction) -> str:
    """The kind of instruction that a rule function reduces; "" if there is none."""
    return KIND_OF.get(function) or KINDS.get(function, "")


def is_trap(point: Point) -> bool:
    """Whether a point is `trap`, for which there is no instruction."""
    return point[0] is trap


def is_own(point: Point) -> bool:
    """Whether a point is of code as it was read, and so the instruction itself."""
    function, operand, instr = point
    return KINDS.get(function) == instr.op.kind and (instr.op.kind != "br" or operand == instr.immediates[0])


def typeidx_of(instr: Instr) -> int:
    """The type index of an indirect call, or of an instruction of structures or arrays."""
    index: int = instr.immediates[0]
    return index


IMMEDIATES: dict[str, Immediates] = {
    "br": lambda x, instr: (x,),
    "local.set": lambda x, instr: (x,),
    "table.get": lambda x, instr: (x,),
    "table.set": lambda x, instr: (x,),
    "return": lambda x, instr: (),
    "throw_ref": lambda x, instr: (),
    "ref.cast": lambda x, instr: (TypeIdx(typeidx_of(instr)),),
    "struct.new": lambda x, instr: (typeidx_of(instr),),
    "array.new_fixed": lambda x, instr: (typeidx_of(instr), x[2]),
    "array.set": lambda x, instr: (typeidx_of(instr),),
    "array.get": lambda x, instr: (instr.immediates[-1],),
}
"""How an inserted instruction of a kind gets its immediates."""


def instruction(point: Point, callee: FuncInst | None = None, types: Sequence[DefType] = ()) -> Instr | None:
    """The instruction that a point stands for; None where there is none in the syntax (`trap`, `call_ref` of a type
    without an index), or it is not known. `callee` is what a `call_ref` calls, `types` are those of the module.
    """
    function, operand, instr = point
    if is_own(point):
        return instr
    kind = kind_of(function)
    if isinstance(operand, Block):
        return Instr(BY_KIND[kind][0], (instr.immediates[0], operand.body), instr.offset)
    if kind in ("call_ref", "return_call_ref"):
        index = index_of_type(instr, callee, types)
        return None if index is None else Instr(BY_KIND[kind][0], (index,), instr.offset)
    if kind not in IMMEDIATES:
        return None
    return Instr(variant(kind, operand), IMMEDIATES[kind](operand, instr), instr.offset)


def variant(kind: str, operand: Any) -> Op:
    """The row of a kind that an inserted instruction is of."""
    if kind == "array.get":
        return next(op for op in BY_KIND[kind] if op.params[0] == operand[1])
    if kind == "ref.cast":
        return next(op for op in BY_KIND[kind] if op.params[0])
    return BY_KIND[kind][0]


def index_of_type(instr: Instr, callee: FuncInst | None, types: Sequence[DefType]) -> int | None:
    """The type index of the function that is called: the one in the instruction, or of its type."""
    if "indirect" in instr.op.kind or instr.op.kind.endswith("call_ref"):
        return typeidx_of(instr)
    if callee is None:
        return None
    return next((index for index, deftype in enumerate(types) if deftype is callee.deftype), None)
