"""Validation of types (specification 3.2): the types that a module defines, and limits.

Spec: valid/types
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.features import GC, MULTI_VALUE
from interp.syntax.types import (
    AddrType,
    DefType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    RecIdx,
    RecType,
    SubType,
    TableType,
    TagType,
    TypeIdx,
    roll,
    substitute_subtype,
)
from interp.validation.context import Context, lookup
from interp.validation.matching import match_comptype

MAX_PAGES = {AddrType.I32: 2**16, AddrType.I64: 2**48}
MAX_TABLE = {AddrType.I32: 2**32 - 1, AddrType.I64: 2**64 - 1}

MAX_SUBTYPING_DEPTH = 63
"""Supertypes above one type, as other engines limit them.  Spec: appendix/implementation#syntactic-limits"""


def type_ok(context: Context, rectype: RecType) -> None:
    """C |- type : deftype*, which are added to the context.  Raises Invalid.  Spec: valid/modules#types"""
    first = len(context.types)
    count = len(rectype.subtypes)

    def close(use: TypeIdx | RecIdx | DefType) -> DefType | RecIdx:
        if isinstance(use, TypeIdx) and first <= use.index < first + count:
            context.need(GC, f"unknown type {use}: it is defined here only")
            return RecIdx(use.index - first)
        return context.close(use)

    closed = RecType(tuple([substitute_subtype(subtype, close) for subtype in rectype.subtypes]))
    context.types.extend(roll(closed))
    for index, subtype in enumerate(rectype.subtypes, first):
        if isinstance(subtype.comptype, FuncType) and len(subtype.comptype.results) > 1:
            context.need(MULTI_VALUE, "invalid result arity")
        supertypes_ok(context, subtype, index)
    # Matching follows the supertypes of all types of the group, so it has to wait until they are known to end.
    for index, subtype in enumerate(rectype.subtypes, first):
        subtype_ok(context, subtype, index)


def supertypes_ok(context: Context, subtype: SubType, index: int) -> None:
    """The premises of C |- subtype : ok(x) about what stands above it: at most one supertype, which comes before and is
    not final.

    Spec: valid/types#recursive-types
    """
    if len(subtype.supertypes) > 1:
        raise Invalid(f"sub type {index} has more than one super type")
    for use in subtype.supertypes:
        if not isinstance(use, TypeIdx) or use.index >= index:
            raise Invalid(f"unknown type {use}, the super type of {index}, must come before it")
        supertype = lookup(context.types, use.index, "type")
        if supertype.subtype.final:
            raise Invalid(f"sub type {index} cannot extend type {use}, which is final")
        if depth(supertype) >= MAX_SUBTYPING_DEPTH:
            raise Invalid(f"sub type {index} has more than {MAX_SUBTYPING_DEPTH} super types above it")


def subtype_ok(context: Context, subtype: SubType, index: int) -> None:
    """C |- subtype : ok(x), the premises of `supertypes_ok` given: it matches its supertype.

    Spec: valid/types#recursive-types
    """
    deftype = context.types[index]
    for use, supertype in zip(subtype.supertypes, deftype.subtype.supertypes, strict=True):
        if isinstance(supertype, DefType) and not match_comptype(deftype.expand(), supertype.expand()):
            raise Invalid(f"sub type {index} does not match super type {use}")


def depth(deftype: DefType) -> int:
    """How many supertypes stand above a defined type."""
    count = 0
    while deftype.subtype.supertypes:
        above = deftype.subtype.supertypes[0]
        if not isinstance(above, DefType):
            break
        deftype = above
        count += 1
    return count


def limits_ok(limits: Limits, bound: int, message: str) -> None:
    """|- limits : bound.  Spec: valid/types#limits"""
    if limits.min > bound or (limits.max is not None and limits.max > bound):
        raise Invalid(message)
    if limits.max is not None and limits.min > limits.max:
        raise Invalid("size minimum must not be greater than maximum")


def memtype_ok(memtype: MemType) -> MemType:
    """|- memtype ok.  Spec: valid/types#memory-types"""
    bound = MAX_PAGES[memtype.addrtype]
    limits_ok(memtype.limits, bound, f"memory size must be at most {bound} pages")
    return memtype


def tabletype_ok(context: Context, tabletype: TableType) -> TableType:
    """C |- tabletype ok; the type closed.  Spec: valid/types#table-types"""
    bound = MAX_TABLE[tabletype.addrtype]
    limits_ok(tabletype.limits, bound, f"table size must be at most {bound}")
    reftype = tabletype.reftype
    return TableType(tabletype.addrtype, tabletype.limits, context.close_reftype(reftype.null, reftype.heaptype))


def globaltype_ok(context: Context, globaltype: GlobalType) -> GlobalType:
    """C |- globaltype ok; the type closed.  Spec: valid/types#global-types"""
    return GlobalType(globaltype.mut, context.close_valtype(globaltype.valtype))


def tagtype_ok(tagtype: TagType) -> TagType:
    """|- tagtype ok: a function type without results.  Spec: valid/types#tag-types"""
    if tagtype.functype.results:
        raise Invalid("non-empty tag result type")
    return tagtype
