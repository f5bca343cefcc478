"""How a message class describes its wire form: `Message`, the field types, and the compiled schema of a class.

A message is a frozen slotted dataclass that derives from `Message`. Everything about its wire form follows from the
annotations of its fields: `str`, `bytes`, `bool`, `float`, the bounded integers below, `Mapping[str, str]`,
`tuple[T, ...]`, an `Enum`, another message, any of these with `| None`, or `Annotated` with a `OneOf`. The layouts are
tabulated in `docs/messages.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from host.codec.errors import CodecError
from host.codec.reader import Reader


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer type of the wire: `low <= i <= high`; `name` as in the documentation (`u32`)."""

    name: str
    low: int
    high: int

    def pack(self, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise CodecError(f"expected an integer, found {type(value).__name__}")
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
OMIT_NONE = "omit none"
"""Annotation of an optional field: None leaves the key out, where nil would be sent otherwise."""


class Message:
    """Base of every message. `SNAKE_CASE` says that keys keep the field's name; otherwise they become camelCase."""

    __slots__ = ()
    SNAKE_CASE: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Text:
    name = "str"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise CodecError(f"expected a string, found {type(value).__name__}")
        return value

    def read(self, reader: Reader) -> str:
        text: str = reader.take("string")
        return text


@dataclass(frozen=True, slots=True)
class Boolean:
    name = "bool"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise CodecError(f"expected a boolean, found {type(value).__name__}")
        return value

    def read(self, reader: Reader) -> bool:
        truth: bool = reader.take("boolean")
        return truth


@dataclass(frozen=True, slots=True)
class Float:
    name = "f64"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, float):
            raise CodecError(f"expected a float, found {type(value).__name__}")
        return value

    def read(self, reader: Reader) -> float:
        number: float = reader.take("float")
        return number


@dataclass(frozen=True, slots=True)
class Nil:
    name = "nil"

    def pack(self, value: Any) -> Any:
        if value is not None:
            raise CodecError(f"expected nil, found {type(value).__name__}")

    def read(self, reader: Reader) -> None:
        reader.take("nil")


@dataclass(frozen=True, slots=True)
class Binary:
    name = "bytes"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise CodecError(f"expected bytes, found {type(value).__name__}")
        return bytes(value)

    def read(self, reader: Reader) -> bytes:
        # The AssemblyScript SDK writes an empty buffer as nil.
        return b"" if reader.take_nil() else reader.take_bytes()


@dataclass(frozen=True, slots=True)
class TextMap:
    name = "{str: str}"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise CodecError(f"expected a map, found {type(value).__name__}")
        text = Text()
        return {text.pack(key): text.pack(item) for key, item in value.items()}

    def read(self, reader: Reader) -> dict[str, str]:
        return {reader.take("string"): reader.take("string") for _ in range(reader.map_header())}


@dataclass(frozen=True, slots=True)
class ListOf:
    item: FieldType

    @property
    def name(self) -> str:
        return f"[{self.item.name}]"

    def pack(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise CodecError(f"expected a list, found {type(value).__name__}")
        return [self.item.pack(item) for item in value]

    def read(self, reader: Reader) -> tuple[Any, ...]:
        return tuple([self.item.read(reader) for _ in range(reader.array_header())])


@dataclass(frozen=True, slots=True)
class Optional:
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
            raise CodecError(f"expected a {self.name}, found {type(value).__name__}")
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
        raise CodecError(f"expected a {self.name}, found {type(value).__name__}")

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


@dataclass(frozen=True, slots=True)
class Nested:
    message: type[Message]

    @property
    def name(self) -> str:
        return self.message.__name__

    def pack(self, value: Any) -> Any:
        if not isinstance(value, self.message):
            raise CodecError(f"expected {self.name}, found {type(value).__name__}")
        return schema_of(self.message).pack(value)

    def read(self, reader: Reader) -> Message:
        return schema_of(self.message).read(reader)


FieldType = Integer | Float | Text | Boolean | Binary | Nil | TextMap | ListOf | Optional | Variant | OneOf | Nested


@dataclass(frozen=True, slots=True)
class WireField:
    """One field: its name in Python, its key on the wire, its type, and whether it may be missing."""

    name: str
    key: str
    type: FieldType
    has_default: bool
    omit_none: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """The wire form of one message class."""

    message: type[Message]
    fields: tuple[WireField, ...]
    by_key: Mapping[str, WireField]

    def pack(self, value: Message) -> dict[str, Any]:
        """The message as plain data for msgpack, keys in declared order. Raises CodecError naming the field."""
        packed: dict[str, Any] = {}
        for field in self.fields:
            item = getattr(value, field.name)
            if item is None and field.omit_none:
                continue
            try:
                packed[field.key] = field.type.pack(item)
            except CodecError as error:
                raise error.within(field.key) from None
        return packed

    def read(self, reader: Reader) -> Message:
        """Read a map or an array at the reader's position. Raises CodecError naming the field."""
        found = reader.kind()
        if found == "map":
            values = self._read_map(reader)
        elif found == "array":
            values = self._read_array(reader)
        else:
            raise CodecError(f"expected a map or an array, found {found}")
        if len(values) < len(self.fields):
            for field in self.fields:
                if field.name not in values and not field.has_default:
                    raise CodecError("missing").within(field.key)
        return self.message(**values)

    def _read_map(self, reader: Reader) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for _ in range(reader.map_header()):
            field = self._read_key(reader)
            if field is None:
                reader.skip()
            elif field.name in values:
                raise CodecError("given twice").within(field.key)
            else:
                values[field.name] = _read_field(field, reader)
        return values

    def _read_key(self, reader: Reader) -> WireField | None:
        if reader.kind() == "string":
            return self.by_key.get(reader.take("string"))
        reader.skip()
        return None

    def _read_array(self, reader: Reader) -> dict[str, Any]:
        length = reader.array_header()
        if length > len(self.fields):
            raise CodecError(f"array of {length} items for {len(self.fields)} fields")
        return {field.name: _read_field(field, reader) for field in self.fields[:length]}


def _read_field(field: WireField, reader: Reader) -> Any:
    try:
        return field.type.read(reader)
    except CodecError as error:
        raise error.within(field.key) from error.__cause__


_schemas: dict[type[Message], Schema] = {}


def schema_of(message: type[Message]) -> Schema:
    """The schema of a message class, compiled once. TypeError for an annotation that has no wire form."""
    schema = _schemas.get(message)
    if schema is None:
        hints = get_type_hints(message, include_extras=True)
        declared: tuple[Field[Any], ...] = fields(message)  # type: ignore[arg-type]
        wired = tuple(_wire_field(field, hints[field.name], message.SNAKE_CASE) for field in declared)
        schema = _schemas[message] = Schema(message, wired, {field.key: field for field in wired})
    return schema


def _wire_field(field: Field[Any], hint: Any, snake_case: bool) -> WireField:
    key = field.name if snake_case else re.sub("_([a-z])", lambda match: match[1].upper(), field.name)
    has_default = field.default is not MISSING or field.default_factory is not MISSING
    return WireField(field.name, key, _field_type(hint), has_default, OMIT_NONE in getattr(hint, "__metadata__", ()))


_SCALARS: dict[Any, FieldType] = {
    str: Text(),
    bytes: Binary(),
    bool: Boolean(),
    float: Float(),
    Mapping[str, str]: TextMap(),
}


def _field_type(hint: Any) -> FieldType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        told = next((extra for extra in arguments[1:] if isinstance(extra, Integer | OneOf)), None)
        return told or _field_type(arguments[0])
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        return Optional(_field_type(arguments[0]))
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return ListOf(_field_type(arguments[0]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Variant(tuple(hint))
    if isinstance(hint, type) and issubclass(hint, Message):
        return Nested(hint)
    raise TypeError(f"{hint!r} has no wire form")
