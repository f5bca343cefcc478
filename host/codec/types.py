"""The types of fields: how a value of each is packed for msgpack, and read.

All have a `name` as in `docs/messages.md`; `pack` raises CodecError for a value of another type or out of its range,
`read` for what else stands at the reader's position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Protocol

from host.codec.errors import CodecError
from host.codec.reader import Reader


class FieldType(Protocol):
    """What a schema needs of a type."""

    @property
    def name(self) -> str: ...

    def pack(self, value: Any) -> Any: ...

    def read(self, reader: Reader) -> Any: ...


def unexpected(wanted: str, value: Any) -> CodecError:
    """The error of packing a value of another type than is wanted."""
    return CodecError(f"expected {wanted}, found {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer type of the wire: `low <= i <= high`; `name` as in the documentation (`u32`)."""

    name: str
    low: int
    high: int

    def pack(self, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise unexpected("an integer", value)
        return self._checked(value)

    def read(self, reader: Reader) -> int:
        return self._checked(reader.take("integer"))

    def _checked(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise CodecError(f"{value} is not in the range of {self.name} ({self.low} to {self.high})")
        return value


_I32 = Integer("i32", -(2**31), 2**31 - 1)
_U32 = Integer("u32", 0, 2**32 - 1)
I64_TYPE = Integer("i64", -(2**63), 2**63 - 1)
_U64 = Integer("u64", 0, 2**64 - 1)
I32 = Annotated[int, _I32]
U32 = Annotated[int, _U32]
I64 = Annotated[int, I64_TYPE]
U64 = Annotated[int, _U64]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type that MessagePack has too, as the reader's `kind`; in Python it is `type`."""

    name: str
    kind: str
    type: type

    def pack(self, value: Any) -> Any:
        if not isinstance(value, self.type):
            raise unexpected(f"a {self.kind}", value)
        return value

    def read(self, reader: Reader) -> Any:
        return reader.take(self.kind)


TEXT = Scalar("str", "string", str)
BOOLEAN = Scalar("bool", "boolean", bool)
FLOAT = Scalar("f64", "float", float)
NIL = Scalar("nil", "nil", NoneType)


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes."""

    name = "bytes"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise unexpected("bytes", value)
        return bytes(value)

    def read(self, reader: Reader) -> bytes:
        # The AssemblyScript SDK writes an empty buffer as nil.
        return b"" if reader.take_nil() else reader.take_bytes()


@dataclass(frozen=True, slots=True)
class TextMap:
    """A map of strings to strings."""

    name = "{str: str}"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise unexpected("a map", value)
        return {TEXT.pack(key): TEXT.pack(item) for key, item in value.items()}

    def read(self, reader: Reader) -> dict[str, str]:
        return {reader.take("string"): reader.take("string") for _ in range(reader.map_header())}


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of values of one type."""

    item: FieldType

    @property
    def name(self) -> str:
        return f"[{self.item.name}]"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise unexpected("a list", value)
        return [self.item.pack(item) for item in value]

    def read(self, reader: Reader) -> tuple[Any, ...]:
        return tuple([self.item.read(reader) for _ in range(reader.array_header())])


@dataclass(frozen=True, slots=True)
class Optional:
    """A value or None, which is nil."""

    item: FieldType

    @property
    def name(self) -> str:
        return f"{self.item.name}?"

    def pack(self, value: Any) -> Any:
        return None if value is None else self.item.pack(value)

    def read(self, reader: Reader) -> Any:
        return None if reader.take_nil() else self.item.read(reader)


@dataclass(frozen=True, slots=True)
class Variant:
    """An enumeration of unit variants: on the wire a map of one entry, the variant's index to nil."""

    variants: tuple[Enum, ...]

    @property
    def name(self) -> str:
        return type(self.variants[0]).__name__

    def pack(self, value: Any) -> Any:
        if value not in self.variants:
            raise unexpected(f"a {self.name}", value)
        return {self.variants.index(value): None}

    def read(self, reader: Reader) -> Enum:
        index = _read_variant_index(reader, self.name)
        if not reader.take_nil():
            raise CodecError(f"a variant of {self.name} carries no value")
        variant: Enum = _variant(self.variants, index, self.name)
        return variant


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of one of several types: on the wire a map of one entry, the type's index to the value.

    `types` says which Python class each has; where a class derives from another, it stands before it.
    """

    name: str
    types: tuple[tuple[type, FieldType], ...]

    def pack(self, value: Any) -> Any:
        for index, (kind, item) in enumerate(self.types):
            if isinstance(value, kind):
                return {index: item.pack(value)}
        raise unexpected(f"a {self.name}", value)

    def read(self, reader: Reader) -> Any:
        index = _read_variant_index(reader, self.name)
        return _variant(self.types, index, self.name)[1].read(reader)


def _read_variant_index(reader: Reader, name: str) -> int:
    entries = reader.map_header()
    if entries != 1:
        raise CodecError(f"expected a map of one entry for {name}, found {entries} entries")
    index: int = reader.take("integer")
    return index


def _variant(variants: tuple[Any, ...], index: int, name: str) -> Any:
    if not 0 <= index < len(variants):
        raise CodecError(f"{name} has no variant {index}")
    return variants[index]
