"""Values and types of the binary format (specification 5.2, 5.3), strictly, on ppci's reader.

`StrictReader` keeps the framing of ppci's `BinaryFileReader` (header, length-prefixed bytes, strings, sections) and
replaces its primitives: one buffer with a position instead of nested files, LEB128 checked for length and range, floats
with their bits, UTF-8 checked, and one error, `Malformed` with the byte offset, for whatever is wrong.

Spec: binary/values, binary/types
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ppci.wasm.binary.reader import BinaryFileReader

from interp.errors import Malformed
from interp.execution.values import inv_fbits
from interp.syntax.types import (
    F32,
    F64,
    I32,
    I64,
    AbsHeapType,
    AddrType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    RecType,
    RefType,
    ResultType,
    SubType,
    TableType,
    ValType,
)

T = TypeVar("T")

NUMTYPES: dict[int, ValType] = {0x7F: I32, 0x7E: I64, 0x7D: F32, 0x7C: F64}
HEAPTYPES = {0x70: AbsHeapType.FUNC, 0x6F: AbsHeapType.EXTERN}
REFTYPES: dict[int, RefType] = {code: RefType(True, heaptype) for code, heaptype in HEAPTYPES.items()}
VALTYPES: dict[int, ValType] = {**NUMTYPES, **REFTYPES}

MAX_FUNCTION_LOCALS = 50_000
"""Locals of one function, as other engines limit them.  Spec: appendix/implementation#syntactic-limits"""


class StrictReader(BinaryFileReader):  # type: ignore[misc]
    """Reads from `data[pos:end]`; `end` moves inward while a section or a function body is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(None)
        self.data = data
        self.pos = 0
        self.end = len(data)

    def malformed(self, message: str, offset: int | None = None) -> Malformed:
        """The error to raise at this position, or at `offset`."""
        return Malformed(message, self.pos if offset is None else offset)

    @contextmanager
    def window(self, size: int, mismatch: str) -> Iterator[None]:
        """Read exactly the next `size` bytes inside the block; Malformed(mismatch) if it leaves some over."""
        if size > self.end - self.pos:
            raise self.malformed("unexpected end of section or function")
        outer, self.end = self.end, self.pos + size
        yield
        if self.pos != self.end:
            raise self.malformed(mismatch)
        self.end = outer

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
        byte = self.read_byte()
        if byte < 0x80:
            return byte
        start, result, shift = self.pos - 1, byte & 0x7F, 7
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
        byte = self.read_byte()
        try:
            return VALTYPES[byte]
        except KeyError:
            raise self.malformed("malformed value type", self.pos - 1) from None

    def read_reftype(self) -> RefType:
        """reftype.  Spec: binary/types#reference-types"""
        byte = self.read_byte()
        try:
            return REFTYPES[byte]
        except KeyError:
            raise self.malformed("malformed reference type", self.pos - 1) from None

    def read_heaptype(self) -> AbsHeapType:
        """heaptype.  Spec: binary/types#heap-types"""
        byte = self.read_byte()
        try:
            return HEAPTYPES[byte]
        except KeyError:
            raise self.malformed("malformed heap type", self.pos - 1) from None

    def read_resulttype(self) -> ResultType:
        """resulttype.  Spec: binary/types#result-types"""
        return self.read_vec(self.read_valtype)

    def read_rectype(self) -> RecType:
        """rectype; a lone function type is the abbreviation of one.  Spec: binary/types#recursive-types"""
        if self.read_byte() != 0x60:
            raise self.malformed("malformed function type", self.pos - 1)
        return RecType((SubType(True, (), FuncType(self.read_resulttype(), self.read_resulttype())),))

    def read_addressed_limits(self) -> tuple[AddrType, Limits]:
        """limits, whose flag byte also says the address type.  Spec: binary/types#limits"""
        flag = self.read_byte()
        if flag & 0x80:
            raise self.malformed("integer representation too long", self.pos - 1)
        if flag > 1:
            raise self.malformed("malformed limits flags", self.pos - 1)
        minimum = self.read_uint()
        return AddrType.I32, Limits(minimum, self.read_uint() if flag & 1 else None)

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
        mut = self.read_byte()
        if mut > 1:
            raise self.malformed("malformed mutability", self.pos - 1)
        return GlobalType(bool(mut), valtype)
