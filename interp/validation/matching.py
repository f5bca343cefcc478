"""Matching (specification 3.3): when a value of one type may stand where another is asked for.

Spec: valid/matching
"""

from __future__ import annotations

from interp.syntax.types import (
    BOT,
    COMPOSITE_KINDS,
    AbsHeapType,
    ArrayType,
    CompType,
    DefType,
    ExternType,
    FieldType,
    FuncType,
    GlobalType,
    HeapType,
    Limits,
    MemType,
    PackType,
    RefType,
    ResultType,
    StorageType,
    StructType,
    TableType,
    TagType,
    ValType,
)

H = AbsHeapType

SUPERTYPES: dict[AbsHeapType, frozenset[AbsHeapType]] = {
    H.ANY: frozenset(),
    H.EQ: frozenset({H.ANY}),
    H.I31: frozenset({H.EQ, H.ANY}),
    H.STRUCT: frozenset({H.EQ, H.ANY}),
    H.ARRAY: frozenset({H.EQ, H.ANY}),
    H.NONE: frozenset({H.I31, H.STRUCT, H.ARRAY, H.EQ, H.ANY}),
    H.FUNC: frozenset(),
    H.NOFUNC: frozenset({H.FUNC}),
    H.EXN: frozenset(),
    H.NOEXN: frozenset({H.EXN}),
    H.EXTERN: frozenset(),
    H.NOEXTERN: frozenset({H.EXTERN}),
    H.BOT: frozenset(H),
}
"""Each abstract heap type and all that stand above it.  Spec: valid/matching#heap-types"""


BOUNDS: dict[str, tuple[frozenset[AbsHeapType], frozenset[AbsHeapType]]] = {
    "func": (frozenset({H.NOFUNC, H.BOT}), frozenset({H.FUNC})),
    "struct": (frozenset({H.NONE, H.BOT}), frozenset({H.STRUCT, H.EQ, H.ANY})),
    "array": (frozenset({H.NONE, H.BOT}), frozenset({H.ARRAY, H.EQ, H.ANY})),
}
"""Kind of a composite type -> the abstract heap types below and above its defined types.

Spec: valid/matching#heap-types
"""


def bounds(deftype: DefType) -> tuple[frozenset[AbsHeapType], frozenset[AbsHeapType]]:
    """The abstract heap types below and above a defined type."""
    return BOUNDS[COMPOSITE_KINDS[type(deftype.expand())]]


def match_heaptype(t1: HeapType, t2: HeapType) -> bool:
    """t1 <= t2 for closed heap types.  Spec: valid/matching#heap-types"""
    if t1 is t2:
        return True
    if isinstance(t1, AbsHeapType):
        if isinstance(t2, AbsHeapType):
            return t2 in SUPERTYPES[t1]
        return isinstance(t2, DefType) and t1 in bounds(t2)[0]
    if not isinstance(t1, DefType):
        return False
    if isinstance(t2, AbsHeapType):
        return t2 in bounds(t1)[1]
    return isinstance(t2, DefType) and match_deftype(t1, t2)


def match_deftype(t1: DefType, t2: DefType) -> bool:
    """t1 <= t2: they are equal, or a declared supertype of t1 matches t2.  Spec: valid/matching#defined-types"""
    return t1 is t2 or t2 in t1.supertypes


def match_reftype(t1: RefType, t2: RefType) -> bool:
    """t1 <= t2.  Spec: valid/matching#reference-types"""
    return (t2.null or not t1.null) and match_heaptype(t1.heaptype, t2.heaptype)


def match_valtype(t1: ValType, t2: ValType) -> bool:
    """t1 <= t2; bot is below all.  Spec: valid/matching#value-types"""
    if t1 is t2 or t1 is BOT:
        return True
    return isinstance(t1, RefType) and isinstance(t2, RefType) and match_reftype(t1, t2)


def match_resulttype(ts1: ResultType, ts2: ResultType) -> bool:
    """ts1 <= ts2, position by position.  Spec: valid/matching#result-types"""
    return ts1 == ts2 or (len(ts1) == len(ts2) and all(map(match_valtype, ts1, ts2)))


def match_limits(l1: Limits, l2: Limits) -> bool:
    """l1 lies within l2.  Spec: valid/matching#limits"""
    return l1.min >= l2.min and (l2.max is None or (l1.max is not None and l1.max <= l2.max))


def match_functype(t1: FuncType, t2: FuncType) -> bool:
    """t1 <= t2: fewer demands, more promises.  Spec: valid/matching#function-types"""
    return match_resulttype(t2.params, t1.params) and match_resulttype(t1.results, t2.results)


def match_storagetype(t1: StorageType, t2: StorageType) -> bool:
    """t1 <= t2; a packed type matches itself only.  Spec: valid/matching#field-types"""
    if isinstance(t1, PackType) or isinstance(t2, PackType):
        return t1 is t2
    return match_valtype(t1, t2)


def match_fieldtype(t1: FieldType, t2: FieldType) -> bool:
    """t1 <= t2; what can be written must be the same type.  Spec: valid/matching#field-types"""
    if t1.mut != t2.mut or not match_storagetype(t1.storagetype, t2.storagetype):
        return False
    return not t1.mut or match_storagetype(t2.storagetype, t1.storagetype)


def match_comptype(t1: CompType, t2: CompType) -> bool:
    """t1 <= t2; a structure may have more fields than asked for.  Spec: valid/matching#composite-types"""
    if isinstance(t1, FuncType) and isinstance(t2, FuncType):
        return match_functype(t1, t2)
    if isinstance(t1, StructType) and isinstance(t2, StructType):
        return len(t1.fields) >= len(t2.fields) and all(map(match_fieldtype, t1.fields, t2.fields))
    return isinstance(t1, ArrayType) and isinstance(t2, ArrayType) and match_fieldtype(t1.field, t2.field)


def match_externtype(t1: ExternType, t2: ExternType) -> bool:
    """t1 <= t2, as linking asks of what is given and what is imported; function types as final types without a
    supertype, since an external type does not say more.  Spec: valid/matching#external-types"""
    if isinstance(t1, FuncType | TagType):
        return t1 == t2
    if isinstance(t1, MemType) and isinstance(t2, MemType):
        return t1.addrtype is t2.addrtype and match_limits(t1.limits, t2.limits)
    if isinstance(t1, TableType) and isinstance(t2, TableType):
        return (
            t1.addrtype is t2.addrtype
            and match_limits(t1.limits, t2.limits)
            and match_reftype(t1.reftype, t2.reftype)
            and match_reftype(t2.reftype, t1.reftype)
        )
    if isinstance(t1, GlobalType) and isinstance(t2, GlobalType):
        if t1.mut != t2.mut or not match_valtype(t1.valtype, t2.valtype):
            return False
        return not t1.mut or match_valtype(t2.valtype, t1.valtype)
    return False
