"""Contexts (specification 3.1): what is known about a module while a part of it is validated.

Types in a context are closed: where the module refers to a type by its index, they hold the defined type itself. Every
look-up fails with the `Invalid` that the rule at hand names.  Spec: valid/conventions#contexts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from interp.errors import Invalid
from interp.syntax.features import VERSION_3
from interp.syntax.instructions import BlockType
from interp.syntax.types import (
    AbsHeapType,
    ArrayType,
    DefType,
    FuncType,
    GlobalType,
    MemType,
    RecIdx,
    RefType,
    ResultType,
    StructType,
    TableType,
    TagType,
    TypeIdx,
    ValType,
    is_defaultable,
    unpack,
)

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """C: the index spaces. It grows while the module is validated in its order; `refs` are the functions that may be
    taken a reference of inside code, `features` what the module may use, `structures` what `fields` found."""

    types: list[DefType] = field(default_factory=list)
    funcs: list[DefType] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    mems: list[MemType] = field(default_factory=list)
    globals: list[GlobalType] = field(default_factory=list)
    tags: list[TagType] = field(default_factory=list)
    elems: list[RefType] = field(default_factory=list)
    datas: int = 0
    refs: set[int] = field(default_factory=set)
    features: frozenset[str] = VERSION_3
    structures: dict[int, tuple[ResultType, ValType | None]] = field(default_factory=dict)

    def need(self, feature: str, message: str) -> None:
        """Invalid unless the feature is selected."""
        if feature not in self.features:
            raise Invalid(f"{message}, which needs the feature {feature}", feature=feature)

    def deftype(self, typeidx: int) -> DefType:
        """C.types[x].  Raises Invalid("unknown type")."""
        return lookup(self.types, typeidx, "type")

    def functype(self, typeidx: int) -> FuncType:
        """expand(C.types[x]), a function type.  Raises Invalid."""
        return self._expand(typeidx, FuncType, "function")

    def structtype(self, typeidx: int) -> StructType:
        """expand(C.types[x]), a structure type.  Raises Invalid."""
        return self._expand(typeidx, StructType, "structure")

    def fields(self, typeidx: int) -> tuple[ResultType, ValType | None]:
        """The types of a structure's fields as operands, and the first one that has no default. What was found is kept
        in `structures`, for a type may have many fields and be used often.  Raises Invalid."""
        found = self.structures.get(typeidx)
        if found is None:
            ts = tuple([unpack(field.storagetype) for field in self.structtype(typeidx).fields])
            found = self.structures[typeidx] = ts, next((t for t in ts if not is_defaultable(t)), None)
        return found

    def arraytype(self, typeidx: int) -> ArrayType:
        """expand(C.types[x]), an array type.  Raises Invalid."""
        return self._expand(typeidx, ArrayType, "array")

    def _expand(self, typeidx: int, wanted: type[T], what: str) -> T:
        comptype = self.deftype(typeidx).expand()
        if not isinstance(comptype, wanted):
            raise Invalid(f"type mismatch: type {typeidx} is no {what} type")
        return comptype

    def func(self, funcidx: int) -> FuncType:
        """The function type of C.funcs[x].  Raises Invalid("unknown function")."""
        comptype = lookup(self.funcs, funcidx, "function").expand()
        if not isinstance(comptype, FuncType):
            raise Invalid(f"type mismatch: function {funcidx} has no function type")
        return comptype

    def close(self, use: TypeIdx | RecIdx | DefType) -> DefType:
        """The defined type that a type use means.  Raises Invalid("unknown type").  Spec: valid/conventions#closure"""
        if isinstance(use, TypeIdx):
            return self.deftype(use.index)
        if isinstance(use, DefType):
            return use
        raise Invalid(f"unknown type {use}")

    def close_valtype(self, t: ValType) -> ValType:
        """C |- t ok, and t closed.  Raises Invalid("unknown type").  Spec: valid/types#value-types"""
        if isinstance(t, RefType) and not isinstance(t.heaptype, AbsHeapType):
            return RefType(t.null, self.close(t.heaptype))
        return t

    def close_reftype(self, null: bool, heaptype: AbsHeapType | TypeIdx | RecIdx | DefType) -> RefType:
        """C |- ref null? heaptype ok, and closed.  Raises Invalid.  Spec: valid/types#reference-types"""
        return RefType(null, heaptype if isinstance(heaptype, AbsHeapType) else self.close(heaptype))

    def blocktype(self, blocktype: BlockType) -> FuncType:
        """What a block takes and leaves: blocktype : t1* -> t2*.  Spec: valid/types#block-types"""
        if blocktype is None:
            return EMPTY
        if isinstance(blocktype, TypeIdx):
            return self.functype(blocktype.index)
        return FuncType((), (self.close_valtype(blocktype),))


EMPTY = FuncType((), ())


def lookup(space: Sequence[T], index: int, what: str) -> T:
    """C.space[index], or Invalid("unknown …")."""
    if index >= len(space):
        raise Invalid(f"unknown {what} {index}")
    return space[index]
