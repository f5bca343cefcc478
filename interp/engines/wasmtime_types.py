"""Types between `interp.syntax.types` and Wasmtime's C interface.

A defined heap type (`(ref $t)`) of a module is shown as the abstract heap type right above it, func, struct, array or
exn: the interface cannot say which recursive type it comes from. Linking and calls still use the exact type.

Spec: syntax/types
"""

from __future__ import annotations

from typing import Any

from interp.binary.reader import HEAPTYPES
from interp.engines.wasmtime_library import NULL, C, ffi, lib, take_error
from interp.errors import Invalid
from interp.syntax.types import (
    V128,
    AbsHeapType,
    AddrType,
    DefType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    RefType,
    TableType,
    TagType,
    ValType,
    functype_deftype,
)
from interp.validation.types import tagtype_ok

NUMERIC: tuple[ValType, ...] = (NumType.I32, NumType.I64, NumType.F32, NumType.F64, V128)
"""wasmtime_valtype_kind_t of the types that are no references."""
REFERENCE_KIND = len(NUMERIC)

HEAP_TYPES = (
    AbsHeapType.EXTERN, AbsHeapType.NOEXTERN, AbsHeapType.FUNC, AbsHeapType.FUNC, AbsHeapType.NOFUNC, AbsHeapType.ANY,
    AbsHeapType.NONE, AbsHeapType.EQ, AbsHeapType.I31, AbsHeapType.ARRAY, AbsHeapType.ARRAY, AbsHeapType.STRUCT,
    AbsHeapType.STRUCT, AbsHeapType.EXN, AbsHeapType.EXN, AbsHeapType.NOEXN,
)  # fmt: skip
"""wasmtime_heaptype_kind_t -> heap type; of two equal ones the second is the kind of defined types."""
DEFINED_FUNC_KIND = 3

ABSTRACT_CODES = {heaptype: code for code, heaptype in HEAPTYPES.items()}

PAGE_LOG2 = 16

FUNC_EXTERN, GLOBAL_EXTERN, TABLE_EXTERN, MEMORY_EXTERN, _, TAG_EXTERN = range(6)
"""wasmtime_extern_kind_t; there are no shared memories."""


def valtype_of(pointer: Any) -> ValType:
    """The value type that a wasm_valtype_t stands for."""
    scratch = ffi.new(C.VALTYPE)
    lib.wasmtime_valtype_new(pointer, scratch)
    if scratch.kind < REFERENCE_KIND:
        number: ValType = NUMERIC[scratch.kind]
        return number
    found = RefType(scratch.reftype.nullable, HEAP_TYPES[scratch.reftype.heaptype.kind])
    lib.wasmtime_valtype_delete(scratch)
    return found


def functype_of(pointer: Any) -> FuncType:
    """The function type that a wasm_functype_t stands for."""
    params, results = lib.wasm_functype_params(pointer), lib.wasm_functype_results(pointer)
    return FuncType(
        tuple([valtype_of(params.data[i]) for i in range(params.size)]),
        tuple([valtype_of(results.data[i]) for i in range(results.size)]),
    )


def globaltype_of(pointer: Any) -> GlobalType:
    """The global type that a wasm_globaltype_t stands for."""
    return GlobalType(bool(lib.wasm_globaltype_mutability(pointer)), valtype_of(lib.wasm_globaltype_content(pointer)))


def memtype_of(pointer: Any) -> MemType:
    """The memory type that a wasm_memorytype_t stands for."""
    maximum = ffi.new(C.UINT64)
    bounded = lib.wasmtime_memorytype_maximum(pointer, maximum)
    limits = Limits(lib.wasmtime_memorytype_minimum(pointer), maximum[0] if bounded else None)
    return MemType(AddrType.I64 if lib.wasmtime_memorytype_is64(pointer) else AddrType.I32, limits)


def tagtype_of(pointer: Any) -> TagType:
    """The tag type that a wasm_tagtype_t stands for."""
    return TagType(functype_deftype(functype_of(lib.wasm_tagtype_functype(pointer))))


def new_valtype(engine: Any, t: ValType) -> Any:
    """A wasm_valtype_t, which the caller owns. Raises ValueError for a type that cannot be made from outside."""
    scratch = ffi.new(C.VALTYPE)
    if t in NUMERIC:
        scratch.kind = NUMERIC.index(t)
        return lib.wasmtime_valtype_to_wasm(engine, scratch)
    if not isinstance(t, RefType):
        raise ValueError(f"{t} is not the type of a value")
    scratch.kind = REFERENCE_KIND
    scratch.reftype.nullable = t.null
    if isinstance(t.heaptype, AbsHeapType) and t.heaptype in HEAP_TYPES:
        scratch.reftype.heaptype.kind = HEAP_TYPES.index(t.heaptype)
        return lib.wasmtime_valtype_to_wasm(engine, scratch)
    functype = t.heaptype.expand() if isinstance(t.heaptype, DefType) else None
    if not isinstance(functype, FuncType) or functype_deftype(functype) is not t.heaptype:
        raise ValueError(f"{t} cannot be used outside of a module")
    scratch.reftype.heaptype.concrete = new_functype(engine, functype)
    scratch.reftype.heaptype.kind = DEFINED_FUNC_KIND
    made = lib.wasmtime_valtype_to_wasm(engine, scratch)
    lib.wasmtime_valtype_delete(scratch)
    return made


def new_functype(engine: Any, functype: FuncType) -> Any:
    """A wasm_functype_t, which the caller owns. Raises ValueError."""
    vectors = []
    for types in (functype.params, functype.results):
        pointers = [new_valtype(engine, t) for t in types]
        vector = ffi.new(C.VALTYPE_VEC)
        lib.wasm_valtype_vec_new(vector, len(pointers), ffi.new(C.VALTYPES, pointers))
        vectors.append(vector)
    return lib.wasm_functype_new(*vectors)


def new_globaltype(engine: Any, globaltype: GlobalType) -> Any:
    """A wasm_globaltype_t, which the caller owns. Raises ValueError."""
    return lib.wasm_globaltype_new(new_valtype(engine, globaltype.valtype), globaltype.mut)


def new_memtype(memtype: MemType) -> Any:
    """A wasm_memorytype_t, which the caller owns. Raises Invalid."""
    limits, made = memtype.limits, ffi.new(C.MEMORYTYPE_SLOT)
    bounded = limits.max is not None
    is_64 = memtype.addrtype is AddrType.I64
    try:
        error = lib.wasmtime_memorytype_new(limits.min, bounded, limits.max or 0, is_64, False, PAGE_LOG2, made)
    except OverflowError as overflow:
        raise Invalid(f"memory limits {limits} are out of range") from overflow
    if error != NULL:
        raise Invalid(take_error(error))
    return made[0]


def new_tagtype(engine: Any, tagtype: TagType) -> Any:
    """A wasm_tagtype_t, which the caller owns. Raises ValueError, Invalid."""
    tagtype_ok(tagtype)
    if functype_deftype(tagtype.functype) is not tagtype.deftype:
        raise ValueError(f"{tagtype.deftype} cannot be used outside of a module")
    return lib.wasm_tagtype_new(new_functype(engine, tagtype.functype))


def table_module(tabletype: TableType) -> bytes:
    """A module that exports a table `t` of this type, but empty: the C interface makes none of 64 bits.

    Raises ValueError for elements that cannot be null or are of a defined type.
    """
    code = ABSTRACT_CODES.get(tabletype.reftype.heaptype)  # type: ignore[arg-type]
    if code is None or not tabletype.reftype.null:
        raise ValueError(f"a table of {tabletype.reftype} cannot be made outside of a module")
    maximum = tabletype.limits.max
    flags = (maximum is not None) + 4 * (tabletype.addrtype is AddrType.I64)
    table = bytes([1, code, flags, 0]) + (b"" if maximum is None else uleb(maximum))
    return b"\0asm\1\0\0\0" + bytes([4, len(table)]) + table + b"\x07\x05\x01\x01t\x01\x00"


def uleb(value: int) -> bytes:
    """value >= 0 as unsigned LEB128.  Spec: binary/values#integers"""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
