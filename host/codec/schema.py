"""How a message class describes its wire form: `Message`, and the compiled schema of a class.

A message is a frozen slotted dataclass that derives from `Message`. Everything about its wire form follows from the
annotations of its fields: `str`, `bytes`, `bool`, `float`, the bounded integers of `types`, `Mapping[str, str]`,
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
from host.codec.types import (
    BOOLEAN,
    FLOAT,
    TEXT,
    Binary,
    FieldType,
    Integer,
    ListOf,
    OneOf,
    Optional,
    TextMap,
    Variant,
    unexpected,
)

OMIT_NONE = "omit none"
"""Annotation of an optional field: None leaves the key out, where nil would be sent otherwise."""


class Message:
    """Base of every message. `SNAKE_CASE` says that keys keep the field's name; otherwise they become camelCase."""

    __slots__ = ()
    SNAKE_CASE: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Nested:
    """The type of a field that is another message."""

    message: type[Message]

    @property
    def name(self) -> str:
        return self.message.__name__

    def pack(self, value: Any) -> Any:
        if not isinstance(value, self.message):
            raise unexpected(self.name, value)
        return schema_of(self.message).pack(value)

    def read(self, reader: Reader) -> Message:
        return schema_of(self.message).read(reader)


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
    str: TEXT,
    bytes: Binary(),
    bool: BOOLEAN,
    float: FLOAT,
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
