"""Values and types of the binary format (specification 5.2, 5.3), strictly, on ppci's reader.

`StrictReader` keeps the framing of ppci's `BinaryFileReader` (header, length-prefixed bytes, strings, sections) and
replaces its primitives: one buffer with a position instead of nested files, LEB128 checked for length and range, floats
with their bits, UTF-8 checked, and one error, `Malformed` with the byte offset, for whatever is wrong.

Spec: binary/values, binary/types
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ppci.wasm.binary.reader import BinaryFileReader

from interp.errors import Malformed
from interp.execution.values import inv_fbits
from interp.syntax import features as f
from interp.syntax.types import (
    F32,
    F64,
    I32,
    I64,
    V128,
    AbsHeapType,
    AddrType,
    ArrayType,
    CompType,
    FieldType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    PackType,
    RecType,
    RefType,
    ResultType,
    StorageType,
    StructType,
    SubType,
    TableType,
    TypeIdx,
    ValType,
)

T = TypeVar("T")

NUMTYPES: dict[int, ValType] = {0x7F: I32, 0x7E: I64, 0x7D: F32, 0x7C: F64, 0x7B: V128}
PACKTYPES = {0x78: PackType.I8, 0x77: PackType.I16}
HEAPTYPES = {
    0x74: AbsHeapType.NOEXN, 0x73: AbsHeapType.NOFUNC, 0x72: AbsHeapType.NOEXTERN, 0x71: AbsHeapType.NONE,
    0x70: AbsHeapType.FUNC, 0x6F: AbsHeapType.EXTERN, 0x6E: AbsHeapType.ANY, 0x6D: AbsHeapType.EQ,
    0x6C: AbsHeapType.I31, 0x6B: AbsHeapType.STRUCT, 0x6A: AbsHeapType.ARRAY, 0x69: AbsHeapType.EXN,
}  # fmt: skip
"""Codes of the abstract heap types, which also stand for nullable references to them.  Spec: binary/types#heap-types"""

REF, REF_NULL = 0x64, 0x63
FUNC, STRUCT, ARRAY, SUB, SUB_FINAL, REC = 0x60, 0x5F, 0x5E, 0x50, 0x4F, 0x4E
VALTYPES: dict[int, ValType] = {**NUMTYPES, **{code: RefType(True, heaptype) for code, heaptype in HEAPTYPES.items()}}
VALTYPE_CODES = frozenset({*VALTYPES, REF, REF_NULL})

VALTYPE_FEATURES = {
    0x7B: f.SIMD, 0x70: f.REFERENCE_TYPES, 0x6F: f.REFERENCE_TYPES, 0x69: f.EXCEPTIONS, 0x74: f.EXCEPTIONS,
    0x7F: f.CORE, 0x7E: f.CORE, 0x7D: f.CORE, 0x7C: f.CORE,
}  # fmt: skip
"""Codes of value types and the feature that each came with; the others came with garbage collection."""

LONG = 0x80
"""The first byte of an integer from which on another byte follows."""

NUMTYPE_CODES = bytes([code for code in NUMTYPES if VALTYPE_FEATURES[code] == f.CORE])
"""Codes of types that need no feature."""

MAX_FUNCTION_LOCALS, MAX_MODULE_LOCALS = 50_000, 5_000_000
"""Locals of one function, as other engines limit them, and of all functions of a module together: two bytes can declare
thousands of locals.  Spec: appendix/implementation#syntactic-limits"""

MAX_ARITY, MAX_FIELDS = 1000, 10_000
"""Parameters, and results, of one function type, and fields of one structure type, as other engines limit them: two
bytes of code can take and give as many operands.  Spec: appendix/implementation#syntactic-limits"""


class Window:
    """The block in which a reader has no more than a part of its bytes.  Raises Malformed(mismatch)."""

    __slots__ = ("_end", "_mismatch", "_outer", "_reader")

    def __init__(self, reader: StrictReader, end: int, mismatch: str) -> None:
        self._reader, self._end, self._mismatch = reader, end, mismatch

    def __enter__(self) -> None:
        self._outer, self._reader.end = self._reader.end, self._end

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if kind is None:
            if self._reader.pos != self._end:
                raise self._reader.malformed(self._mismatch)
            self._reader.end = self._outer


class StrictReader(BinaryFileReader):  # type: ignore[misc]
    """Reads from `data[pos:end]`; `end` moves inward while a section or a function body is read."""

    def __init__(self, data: bytes, features: frozenset[str] = f.VERSION_3) -> None:
        super().__init__(None)
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.features = features | {f.CORE}

    def need(self, feature: str, message: str, offset: int) -> None:
        """Malformed unless the feature is selected: without it the bytes mean nothing."""
        if feature not in self.features:
            raise Malformed(f"{message}, which needs the feature {feature}", offset, feature)

    def malformed(self, message: str, offset: int | None = None) -> Malformed:
        """The error to raise at this position, or at `offset`."""
        return Malformed(message, self.pos if offset is None else offset)

    def window(self, size: int, mismatch: str) -> Window:
        """Read exactly the next `size` bytes inside the block; Malformed(mismatch) if it leaves some over."""
        return Window(self, self.stop_of(size), mismatch)

    def stop_of(self, size: int) -> int:
        """Where the next `size` bytes end. Raises Malformed if there are not as many."""
        if size > self.end - self.pos:
            raise self.malformed("unexpected end of section or function")
        return self.pos + size

    def read_exactly(self, amount: int | None = None) -> bytes:
        """The next `amount` bytes; all that are left for None."""
        stop = self.end if amount is None else self.pos + amount
        if stop > self.end:
            raise self.malformed("length out of bounds" if self.pos else "unexpected end")
        chunk = self.data[self.pos : stop]
        self.pos = stop
        return chunk

    def read_byte(self) -> int:
        """One byte."""
        if self.pos >= self.end:
            raise self.malformed("unexpected end of section or function")
        byte = self.data[self.pos]
        self.pos += 1
        return byte

    def read_uint(self, N: int = 32) -> int:
        """uN in LEB128: at most ceil(N/7) bytes, no bits over N.  Spec: binary/values#integers"""
        pos = self.pos
        if pos < self.end and self.data[pos] < LONG:
            self.pos = pos + 1
            return self.data[pos]
        start, result, shift = pos, 0, 0
        while True:
            byte = self.read_byte()
            if shift + 7 > N:
                if byte & 0x80:
                    raise self.malformed("integer representation too long", start)
                if byte >> (N - shift):
                    raise self.malformed("integer too large", start)
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def read_int(self, N: int = 32) -> int:
        """sN in LEB128, sign-extended; -2**(N-1) <= result < 2**(N-1).  Spec: binary/values#integers"""
        start, result, shift = self.pos, 0, 0
        while True:
            byte = self.read_byte()
            rest = N - shift
            if rest < 7:
                if byte & 0x80:
                    raise self.malformed("integer representation too long", start)
                if (byte >> (rest - 1)) not in (0, 0x7F >> (rest - 1)):
                    raise self.malformed("integer too large", start)
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result - (1 << shift) if byte & 0x40 else result

    def read_f32(self) -> float:
        """f32 with its bits.  Spec: binary/values#floating-point"""
        return inv_fbits(32, int.from_bytes(self.read_exactly(4), "little"))

    def read_f64(self) -> float:
        """f64 with its bits.  Spec: binary/values#floating-point"""
        return inv_fbits(64, int.from_bytes(self.read_exactly(8), "little"))

    def read_str(self) -> str:
        """name: UTF-8, length-prefixed.  Spec: binary/values#names"""
        start = self.pos
        try:
            text: str = super().read_str()
        except UnicodeDecodeError as error:
            raise self.malformed("malformed UTF-8 encoding", start) from error
        return text

    def read_vec(self, element: Callable[[], T]) -> tuple[T, ...]:
        """vec(B): a count and so many elements, read one by one, so that a false count only ends the input.

        Spec: binary/conventions#vectors
        """
        return tuple([element() for _ in range(self.read_uint())])

    def read_valtype(self) -> ValType:
        """valtype.  Spec: binary/types#value-types"""
        start = self.pos
        byte = self.read_byte()
        if byte in (REF, REF_NULL):
            self.need(f.FUNCTION_REFERENCES, "malformed value type", start)
            return RefType(byte == REF_NULL, self.read_heaptype())
        valtype = VALTYPES.get(byte)
        if valtype is None:
            raise self.malformed("malformed value type", start)
        self.need(VALTYPE_FEATURES.get(byte, f.GC), "malformed value type", start)
        return valtype

    def read_reftype(self) -> RefType:
        """reftype.  Spec: binary/types#reference-types"""
        start = self.pos
        byte = self.read_byte()
        if byte in (REF, REF_NULL):
            self.need(f.FUNCTION_REFERENCES, "malformed reference type", start)
            return RefType(byte == REF_NULL, self.read_heaptype())
        heaptype = HEAPTYPES.get(byte)
        if heaptype is None:
            raise self.malformed("malformed reference type", start)
        if heaptype is not AbsHeapType.FUNC:
            self.need(VALTYPE_FEATURES.get(byte, f.GC), "malformed reference type", start)
        return RefType(True, heaptype)

    def read_heaptype(self) -> AbsHeapType | TypeIdx:
        """heaptype: an abstract one, or a type index as a positive s33.  Spec: binary/types#heap-types"""
        start = self.pos
        byte = self.data[start] if start < self.end else self.read_byte()
        heaptype = HEAPTYPES.get(byte)
        if heaptype is not None:
            self.need(VALTYPE_FEATURES.get(byte, f.GC), "malformed heap type", start)
            self.pos += 1
            return heaptype
        index = self.read_int(33)
        if index < 0:
            raise self.malformed("malformed heap type", start)
        self.need(f.FUNCTION_REFERENCES, "malformed heap type", start)
        return TypeIdx(index)

    def read_resulttype(self) -> ResultType:
        """resulttype.  Spec: binary/types#result-types"""
        return self.read_vec(self.read_valtype)

    def read_fieldtype(self) -> FieldType:
        """fieldtype.  Spec: binary/types#composite-types"""
        byte = self.data[self.pos] if self.pos < self.end else self.read_byte()
        storagetype: StorageType
        if byte in PACKTYPES:
            self.pos += 1
            storagetype = PACKTYPES[byte]
        else:
            storagetype = self.read_valtype()
        return FieldType(self.read_mut(), storagetype)

    def read_comptype(self) -> CompType:
        """comptype.  Spec: binary/types#composite-types"""
        start = self.pos
        byte = self.read_byte()
        if byte == FUNC:
            functype = FuncType(self.read_resulttype(), self.read_resulttype())
            if max(len(functype.params), len(functype.results)) > MAX_ARITY:
                raise self.malformed("too many parameters or results", start)
            return functype
        if byte not in (STRUCT, ARRAY):
            raise self.malformed("malformed definition type", start)
        self.need(f.GC, "malformed definition type", start)
        if byte == ARRAY:
            return ArrayType(self.read_fieldtype())
        fields = self.read_vec(self.read_fieldtype)
        if len(fields) > MAX_FIELDS:
            raise self.malformed("too many fields", start)
        return StructType(fields)

    def read_subtype(self) -> SubType:
        """subtype; a composite type alone is final.  Spec: binary/types#recursive-types"""
        start = self.pos
        byte = self.data[start] if start < self.end else self.read_byte()
        if byte not in (SUB, SUB_FINAL):
            return SubType(True, (), self.read_comptype())
        self.need(f.GC, "malformed definition type", start)
        self.pos += 1
        supertypes = self.read_vec(lambda: TypeIdx(self.read_uint()))
        return SubType(byte == SUB_FINAL, supertypes, self.read_comptype())

    def read_rectype(self) -> RecType:
        """rectype; a sub type alone is the abbreviation of one.  Spec: binary/types#recursive-types"""
        start = self.pos
        byte = self.data[start] if start < self.end else self.read_byte()
        if byte != REC:
            return RecType((self.read_subtype(),))
        self.need(f.GC, "malformed definition type", start)
        self.pos += 1
        return RecType(self.read_vec(self.read_subtype))

    def read_addressed_limits(self) -> tuple[AddrType, Limits]:
        """limits, whose flag byte also says the address type.  Spec: binary/types#limits"""
        start = self.pos
        flag = self.read_byte()
        if flag & 0x80:
            raise self.malformed("integer representation too long", start)
        if flag & ~5:
            raise self.malformed("malformed limits flags", start)
        if flag & 4:
            self.need(f.MEMORY64, "malformed limits flags", start)
        N = 64 if f.MEMORY64 in self.features else 32
        minimum = self.read_uint(N)
        return AddrType.I64 if flag & 4 else AddrType.I32, Limits(minimum, self.read_uint(N) if flag & 1 else None)

    def read_memtype(self) -> MemType:
        """memtype.  Spec: binary/types#memory-types"""
        return MemType(*self.read_addressed_limits())

    def read_tabletype(self) -> TableType:
        """tabletype.  Spec: binary/types#table-types"""
        reftype = self.read_reftype()
        return TableType(*self.read_addressed_limits(), reftype)

    def read_globaltype(self) -> GlobalType:
        """globaltype.  Spec: binary/types#global-types"""
        valtype = self.read_valtype()
        return GlobalType(self.read_mut(), valtype)

    def read_mut(self) -> bool:
        """mut.  Spec: binary/types#global-types"""
        mut = self.read_byte()
        if mut > 1:
            raise self.malformed("malformed mutability", self.pos - 1)
        return bool(mut)

    def read_tagtype(self) -> int:
        """tagtype: the attribute byte, always 0, and the index of a function type.  Spec: binary/types#tag-types"""
        if self.read_byte() != 0:
            raise self.malformed("malformed tag attribute", self.pos - 1)
        return self.read_uint()
