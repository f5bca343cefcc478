"""Values between Python and Wasmtime's C interface, by the rules of `interp.engine`.

Each value type has a `Codec`: its kind in a wasmtime_val_t, and how its union is written and read. f32 is written and
read by its bits if it is a NaN, since conversions between double and float quiet NaNs. v128 is an i128 in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from interp import engine
from interp.engines.wasmtime_library import C, ffi, lib
from interp.execution.values import F32NaN, fbits, ibytes, inv_ibytes, number_from_host, vector_from_host
from interp.syntax.types import V128, AbsHeapType, DefType, FuncType, NumType, RefType, ValType

if TYPE_CHECKING:
    from interp.engines.wasmtime_store import Store

Write = Callable[["Store", Any, Any], None]
Read = Callable[["Store", Any], Any]

FUNCREF_KIND, EXTERNREF_KIND, ANYREF_KIND, EXNREF_KIND = 5, 6, 7, 8
"""wasmtime_valkind_t of the references, by the top of their hierarchy of heap types."""

TOPS = {
    AbsHeapType.FUNC: FUNCREF_KIND,
    AbsHeapType.NOFUNC: FUNCREF_KIND,
    AbsHeapType.EXTERN: EXTERNREF_KIND,
    AbsHeapType.NOEXTERN: EXTERNREF_KIND,
    AbsHeapType.EXN: EXNREF_KIND,
    AbsHeapType.NOEXN: EXNREF_KIND,
}


@dataclass(frozen=True, slots=True)
class Codec:
    """`kind` is the wasmtime_valkind_t; `write(store, union, value)` raises TypeError; `read(store, union)`.

    What is `rooted` is kept alive by the wasmtime_val_t until that is unrooted.
    """

    kind: int
    write: Write
    read: Read
    rooted: bool = False


class Reference(engine.Reference):
    """A reference to an object of the garbage-collected heap, of the kind of anyref or of exnref."""

    __slots__ = ("kind", "store", "val")
    heaptype = AbsHeapType.ANY

    def __init__(self, store: Store, kind: int, ref: Any) -> None:
        self.store = store
        self.kind = kind
        borrowed = ffi.new(C.VAL)
        borrowed.kind = kind
        borrowed.of.ref = ref[0]
        self.val = ffi.gc(ffi.new(C.VAL), lib.wasmtime_val_unroot)
        lib.wasmtime_val_clone(borrowed, self.val)

    def __repr__(self) -> str:
        return f"<{self.heaptype.value} {id(self):#x}>"

    def copy_to(self, union: Any) -> None:
        """Write one more root of it."""
        copy = ffi.new(C.VAL)
        lib.wasmtime_val_clone(self.val, copy)
        union.ref = copy.of.ref


class StructReference(Reference):
    """A reference to a structure."""

    __slots__ = ()
    heaptype = AbsHeapType.STRUCT


class ArrayReference(Reference):
    """A reference to an array."""

    __slots__ = ()
    heaptype = AbsHeapType.ARRAY


class I31Reference(Reference):
    """A number of 31 bits as a reference."""

    __slots__ = ()
    heaptype = AbsHeapType.I31


class ExnReference(Reference):
    """A reference to an exception."""

    __slots__ = ()
    heaptype = AbsHeapType.EXN


ANY_CLASSES: tuple[tuple[Any, type[Reference]], ...] = (
    (lib.wasmtime_anyref_is_i31, I31Reference),
    (lib.wasmtime_anyref_is_struct, StructReference),
    (lib.wasmtime_anyref_is_array, ArrayReference),
)
"""How to tell what an anyref refers to; only the lowest bit of the answer counts, as the library leaves others set."""


def _write_i32(_: Store, union: Any, value: Any) -> None:
    if type(value) is int and -0x8000_0000 <= value < 0x8000_0000:
        union.i32 = value
    else:
        union.u32 = number_from_host(NumType.I32, value)


def _write_i64(_: Store, union: Any, value: Any) -> None:
    if type(value) is int and -0x8000_0000_0000_0000 <= value < 0x8000_0000_0000_0000:
        union.i64 = value
    else:
        union.u64 = number_from_host(NumType.I64, value)


def _write_f32(_: Store, union: Any, value: Any) -> None:
    if type(value) is float and value == value:  # noqa: PLR0124 — false for a NaN only
        union.f32 = value
    else:
        union.u32 = fbits(32, number_from_host(NumType.F32, value))


def _write_f64(_: Store, union: Any, value: Any) -> None:
    union.f64 = value if type(value) is float else number_from_host(NumType.F64, value)


def _read_f32(_: Store, union: Any) -> float:
    number: float = union.f32
    return number if number == number else F32NaN(union.u32)  # noqa: PLR0124 — false for a NaN only


def _write_v128(_: Store, union: Any, value: Any) -> None:
    union.v128 = ibytes(128, vector_from_host(value))


NUMBERS: dict[ValType, Codec] = {
    V128: Codec(4, _write_v128, lambda _, union: inv_ibytes(128, bytes(union.v128))),
    NumType.I32: Codec(0, _write_i32, lambda _, union: union.i32),
    NumType.I64: Codec(1, _write_i64, lambda _, union: union.i64),
    NumType.F32: Codec(2, _write_f32, _read_f32),
    NumType.F64: Codec(3, _write_f64, lambda _, union: union.f64),
}


def _read_funcref(store: Store, union: Any) -> Any:
    return store.func_of(union.funcref) if union.funcref.store_id else None


def _as_externref(store: Store, ref: Any) -> Any:
    """A new root, as externref, of what an anyref refers to.  Spec: exec/instructions#exec-extern-convert-any"""
    made = ffi.new(C.REF)
    lib.wasmtime_externref_from_raw(store.context, lib.wasmtime_anyref_to_raw(store.context, ref), made)
    return ffi.gc(made, lib.wasmtime_externref_unroot)


def _as_anyref(store: Store, ref: Any) -> Any:
    """A new root, as anyref, of what an externref refers to.  Spec: exec/instructions#exec-any-convert-extern"""
    made = ffi.new(C.REF)
    lib.wasmtime_anyref_from_raw(store.context, lib.wasmtime_externref_to_raw(store.context, ref), made)
    return ffi.gc(made, lib.wasmtime_anyref_unroot)


def _give(ref: Any, union: Any) -> None:
    """Let a root belong to a union."""
    union.ref = ref[0]
    ffi.gc(ref, None)


def _any_reference(store: Store, ref: Any) -> Reference:
    """What a wasmtime_ref_t of the kind anyref, which is no object of the host, refers to."""
    found = next((of for is_one, of in ANY_CLASSES if is_one(store.context, ref) & 1), Reference)
    return found(store, ANYREF_KIND, ref)


def _read_externref(store: Store, union: Any) -> Any:
    if not union.ref.store_id:
        return None
    ref = ffi.addressof(union, "ref")
    number = store.host_number(ref)
    return store.objects[number] if number else _any_reference(store, _as_anyref(store, ref))


def _read_anyref(store: Store, union: Any) -> Any:
    if not union.ref.store_id:
        return None
    ref = ffi.addressof(union, "ref")
    found = _any_reference(store, ref)
    return store.objects[store.host_number(_as_externref(store, ref))] if type(found) is Reference else found


def _read_exnref(store: Store, union: Any) -> Any:
    return ExnReference(store, EXNREF_KIND, ffi.addressof(union, "ref")) if union.ref.store_id else None


def _write_funcref(store: Store, union: Any, value: Any) -> None:
    union.funcref = store.own_func(value)[0]


def _write_externref(store: Store, union: Any, value: Any) -> None:
    if isinstance(value, Reference) and value.kind == ANYREF_KIND and value.store is store:
        _give(_as_externref(store, ffi.addressof(value.val.of, "ref")), union)
    else:
        store.root_object(value, ffi.addressof(union, "ref"))


def _reference_write(t: RefType, kind: int) -> Write:
    hosts = t.heaptype is AbsHeapType.ANY

    def write(store: Store, union: Any, value: Any) -> None:
        if isinstance(value, Reference) and value.kind == kind:
            if value.store is not store:
                raise ValueError("the reference belongs to another store")
            value.copy_to(union)
        elif hosts and not isinstance(value, engine.Reference | engine.Func):
            made = ffi.gc(ffi.new(C.REF), lib.wasmtime_externref_unroot)
            store.root_object(value, made)
            _give(_as_anyref(store, made), union)
        else:
            raise TypeError(f"{t} is needed, not {type(value).__name__}")

    return write


def _nullable(t: RefType, write: Write) -> Write:
    """`write`, but None is the null reference or, where the type has none, a TypeError."""

    def write_or_null(store: Store, union: Any, value: Any) -> None:
        if value is not None:
            write(store, union, value)
        elif t.null:
            union.ref.store_id = 0
        else:
            raise TypeError(f"{t} cannot be null")

    return write_or_null


def _of_reference(t: RefType) -> Codec:
    kind = TOPS.get(t.heaptype, ANYREF_KIND) if isinstance(t.heaptype, AbsHeapType) else FUNCREF_KIND
    if kind == FUNCREF_KIND:
        return Codec(kind, _nullable(t, _write_funcref), _read_funcref)
    if kind == EXTERNREF_KIND:
        return Codec(kind, _nullable(t, _write_externref), _read_externref, rooted=True)
    read = _read_exnref if kind == EXNREF_KIND else _read_anyref
    return Codec(kind, _nullable(t, _reference_write(t, kind)), read, rooted=True)


@lru_cache(maxsize=256)
def codec(t: ValType) -> Codec:
    """How values of a type are passed. Raises ValueError for what is not the type of a value."""
    if t in NUMBERS:
        return NUMBERS[t]
    if isinstance(t, RefType) and isinstance(t.heaptype, AbsHeapType | DefType):
        return _of_reference(t)
    raise ValueError(f"{t} is not the type of a value")


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function is called; `rooted_params` and `rooted_results` say which values have to be unrooted."""

    params: tuple[Codec, ...]
    results: tuple[Codec, ...]
    rooted_params: tuple[int, ...]
    rooted_results: tuple[int, ...]


@lru_cache(maxsize=1024)
def signature(functype: FuncType) -> Signature:
    """How functions of a type are called."""
    params, results = tuple(map(codec, functype.params)), tuple(map(codec, functype.results))
    return Signature(
        params,
        results,
        tuple(i for i, each in enumerate(params) if each.rooted),
        tuple(i for i, each in enumerate(results) if each.rooted),
    )
