"""Values between Python and Wasmtime's C interface, by the rules of `interp.engine`.

Each value type has a `Codec`: its kind in a wasmtime_val_t, and how its union is written and read. f32 is written and
read by its bits if it is a NaN, since conversions between double and float quiet NaNs. v128 is an i128 in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from interp.engines.wasmtime_library import C, ffi, lib
from interp.execution.values import MASK, F32NaN, fbits, ibytes, inv_ibytes, number_from_host
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


NAMES = {EXTERNREF_KIND: "externref", ANYREF_KIND: "anyref", EXNREF_KIND: "exnref"}


@dataclass(frozen=True, slots=True)
class Codec:
    """`kind` is the wasmtime_valkind_t; `write(store, union, value)` raises TypeError; `read(store, union)`.

    What is `rooted` is kept alive by the wasmtime_val_t until that is unrooted.
    """

    kind: int
    write: Write
    read: Read
    rooted: bool = False


class Reference:
    """A reference to an object of the garbage-collected heap: opaque, but it can be passed back to its store.

    As an externref it is such an object that the module made one (`extern.convert_any`).
    """

    __slots__ = ("kind", "store", "val")

    def __init__(self, store: Store, kind: int, union: Any) -> None:
        self.store = store
        self.kind = kind
        borrowed = ffi.new(C.VAL)
        borrowed.kind = kind
        borrowed.of.ref = union.ref
        self.val = ffi.gc(ffi.new(C.VAL), lib.wasmtime_val_unroot)
        lib.wasmtime_val_clone(borrowed, self.val)

    def __repr__(self) -> str:
        return f"<{NAMES[self.kind]} {id(self):#x}>"

    def copy_to(self, union: Any) -> None:
        """Write one more root of it."""
        copy = ffi.new(C.VAL)
        lib.wasmtime_val_clone(self.val, copy)
        union.ref = copy.of.ref


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
    if type(value) is not int or not 0 <= value <= MASK[128]:
        raise TypeError(f"{V128} is an int of 128 bits, not {value!r:.60}")
    union.v128 = ibytes(128, value)


NUMBERS: dict[ValType, Codec] = {
    V128: Codec(4, _write_v128, lambda _, union: inv_ibytes(128, bytes(union.v128))),
    NumType.I32: Codec(0, _write_i32, lambda _, union: union.i32),
    NumType.I64: Codec(1, _write_i64, lambda _, union: union.i64),
    NumType.F32: Codec(2, _write_f32, _read_f32),
    NumType.F64: Codec(3, _write_f64, lambda _, union: union.f64),
}


def _read_funcref(store: Store, union: Any) -> Any:
    return store.func_of(union.funcref) if union.funcref.store_id else None


def _read_externref(store: Store, union: Any) -> Any:
    if not union.ref.store_id:
        return None
    number = store.host_number(ffi.addressof(union, "ref"))
    return store.objects[number] if number else Reference(store, EXTERNREF_KIND, union)


def _write_funcref(store: Store, union: Any, value: Any) -> None:
    union.funcref = store.own_func(value)[0]


def _write_externref(store: Store, union: Any, value: Any) -> None:
    if isinstance(value, Reference) and value.kind == EXTERNREF_KIND and value.store is store:
        value.copy_to(union)
    else:
        store.root_object(value, ffi.addressof(union, "ref"))


def _reference_read(kind: int) -> Read:
    return lambda store, union: Reference(store, kind, union) if union.ref.store_id else None


def _reference_write(t: RefType, kind: int) -> Write:
    def write(store: Store, union: Any, value: Any) -> None:
        if not isinstance(value, Reference) or value.kind != kind:
            raise TypeError(f"{t} is needed, not {type(value).__name__}")
        if value.store is not store:
            raise ValueError("the reference belongs to another store")
        value.copy_to(union)

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
    return Codec(kind, _nullable(t, _reference_write(t, kind)), _reference_read(kind), rooted=True)


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
