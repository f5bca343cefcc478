"""Typing of references while code runs (specification 4.2.2): what casts and tests ask.

Spec: exec/values#references
"""

from __future__ import annotations

from typing import Any

from interp.execution.runtime import I31, ArrayInst, ExnInst, FuncInst, StructInst
from interp.syntax.types import AbsHeapType, DefType, RefType
from interp.validation.matching import match_heaptype


def heaptype_of(ref: Any) -> AbsHeapType | DefType:
    """The most precise heap type of a reference that is not null, and no host object seen as `extern`.

    Spec: exec/values#references
    """
    if isinstance(ref, FuncInst | StructInst | ArrayInst):
        return ref.deftype
    if isinstance(ref, I31):
        return AbsHeapType.I31
    return AbsHeapType.EXN if isinstance(ref, ExnInst) else AbsHeapType.ANY


def match_ref(ref: Any, rt: RefType) -> bool:
    """s |- ref : rt, for a reference (None is null) of the hierarchy of rt.  Spec: exec/values#references"""
    if ref is None:
        return rt.null
    heaptype = rt.heaptype
    if isinstance(heaptype, DefType) and isinstance(ref, FuncInst | StructInst | ArrayInst):
        return ref.deftype is heaptype or match_heaptype(ref.deftype, heaptype)
    if heaptype in (AbsHeapType.EXTERN, AbsHeapType.ANY):
        return not isinstance(ref, FuncInst | ExnInst)
    return match_heaptype(heaptype_of(ref), heaptype)


def default_value(t: Any) -> Any:
    """default_t; null for references, those that have no default value too.  Spec: exec/runtime#default-values"""
    if isinstance(t, RefType):
        return None
    return 0.0 if str(t)[0] == "f" else 0
