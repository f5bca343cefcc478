"""Contexts (specification 3.1): what is known about a module while a part of it is validated.

Every look-up fails with the `Invalid` that the rule at hand names.  Spec: valid/conventions#contexts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from interp.errors import Invalid
from interp.syntax.instructions import BlockType
from interp.syntax.types import (
    DefType,
    FuncType,
    GlobalType,
    MemType,
    RefType,
    TableType,
    TypeIdx,
)

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """C: the index spaces. It grows while the module is validated in its order; `refs` are the functions that may be
    taken a reference of inside code."""

    types: list[DefType] = field(default_factory=list)
    funcs: list[FuncType] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    mems: list[MemType] = field(default_factory=list)
    globals: list[GlobalType] = field(default_factory=list)
    elems: list[RefType] = field(default_factory=list)
    datas: int = 0
    refs: set[int] = field(default_factory=set)

    def functype(self, typeidx: int) -> FuncType:
        """The function type at a type index.  Raises Invalid("unknown type")."""
        return lookup(self.types, typeidx, "type").expand()

    def blocktype(self, blocktype: BlockType) -> FuncType:
        """What a block takes and leaves: blocktype : t1* -> t2*.  Spec: valid/types#block-types"""
        if blocktype is None:
            return EMPTY
        if isinstance(blocktype, TypeIdx):
            return self.functype(blocktype.index)
        return FuncType((), (blocktype,))


EMPTY = FuncType((), ())


def lookup(space: Sequence[T], index: int, what: str) -> T:
    """C.space[index], or Invalid("unknown …")."""
    if index >= len(space):
        raise Invalid(f"unknown {what} {index}")
    return space[index]
