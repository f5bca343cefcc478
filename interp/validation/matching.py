"""Matching (specification 3.3): when a value of one type may stand where another is asked for.

Spec: valid/matching
"""

from __future__ import annotations

from interp.syntax.types import (
    BOT,
    AbsHeapType,
    DefType,
    ExternType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    RefType,
    ResultType,
    TableType,
    TypeIdx,
    ValType,
    functype_deftype,
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


def match_heaptype(t1: AbsHeapType | TypeIdx | DefType, t2: AbsHeapType | TypeIdx | DefType) -> bool:
    """t1 <= t2 for closed heap types.  Spec: valid/matching#heap-types"""
    if t1 == t2:
        return True
    if isinstance(t1, AbsHeapType):
        if isinstance(t2, AbsHeapType):
            return t2 in SUPERTYPES[t1]
        return t1 in (H.BOT, H.NOFUNC)
    return isinstance(t1, DefType) and t2 is H.FUNC


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
    return len(ts1) == len(ts2) and all(map(match_valtype, ts1, ts2))


def match_limits(l1: Limits, l2: Limits) -> bool:
    """l1 lies within l2.  Spec: valid/matching#limits"""
    return l1.min >= l2.min and (l2.max is None or (l1.max is not None and l1.max <= l2.max))


def match_functype(t1: FuncType | DefType, t2: FuncType | DefType) -> bool:
    """t1 <= t2 as defined types.  Spec: valid/matching#defined-types"""
    d1 = functype_deftype(t1) if isinstance(t1, FuncType) else t1
    d2 = functype_deftype(t2) if isinstance(t2, FuncType) else t2
    return match_heaptype(d1, d2)


def match_externtype(t1: ExternType, t2: ExternType) -> bool:
    """t1 <= t2, as linking asks of what is given and what is imported.  Spec: valid/matching#external-types"""
    if isinstance(t1, FuncType) and isinstance(t2, FuncType):
        return match_functype(t1, t2)
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
