"""How the fields of claims records appear on the wire: each field says its key, its type, and what None means.

A record is a dataclass whose fields carry `wire(...)` as their metadata, in wire order; reading and writing of all
kinds of claims follow from that table.
Protocol: docs/wascap.md#claims
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from wascap.errors import SerializationError

_ENTRY = "wire"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class WireType:
    """A type of JSON values: `accepts` tells whether a decoded value is of it, `from_json` makes the record's value."""

    description: str
    accepts: Callable[[object], bool]
    from_json: Callable[[Any], object] = lambda value: value

    def read(self, value: object, key: str) -> object:
        """The record's value for the JSON value of `key`. Raises SerializationError if it is of another type."""
        if not self.accepts(value):
            raise SerializationError(f"the value of `{key}` is not {self.description}")
        return self.from_json(value)

    def write(self, value: object, key: str) -> object:
        """The JSON value for the record's value of `key`. Raises SerializationError if it is of another type."""
        plain: object = value
        if isinstance(value, tuple):
            plain = list(value)
        elif isinstance(value, Mapping):
            plain = dict(value)
        self.read(plain, key)
        return plain


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _SURROGATE.search(value)


def _is_integer(value: object, lowest: int, end: int) -> bool:
    return type(value) is int and lowest <= value < end


TEXT = WireType("a string", _is_text)
TEXTS = WireType(
    "a list of strings", lambda value: isinstance(value, list) and all(_is_text(item) for item in value), tuple
)
TEXT_MAP = WireType(
    "an object of strings",
    lambda value: isinstance(value, dict) and all(_is_text(text) for item in value.items() for text in item),
)
FLAG = WireType("true or false", lambda value: isinstance(value, bool))
I32 = WireType("a signed 32-bit integer", lambda value: _is_integer(value, -(2**31), 2**31))
U64 = WireType("an unsigned 64-bit integer", lambda value: _is_integer(value, 0, 2**64))


class Unset(Enum):
    """What becomes of a field without a value."""

    REFUSED = auto()
    """It must have one, on reading and on writing."""
    OMITTED = auto()
    """None is not written; a missing or null field reads as None."""
    NULL = auto()
    """None is written as null; a missing or null field reads as None."""
    DEFAULTED = auto()
    """Always written; a missing field reads as the default of the record."""


@dataclass(frozen=True, slots=True)
class WireField:
    """The wire form of one field of a record."""

    key: str
    type: WireType
    unset: Unset


def wire(key: str, type_: WireType, unset: Unset = Unset.REFUSED) -> dict[str, WireField]:
    """The `metadata` of a dataclass field that appears on the wire under `key`."""
    return {_ENTRY: WireField(key, type_, unset)}


def _wire_fields(record: Any) -> Iterator[tuple[str, WireField]]:
    for field in dataclasses.fields(record):
        if _ENTRY in field.metadata:
            yield field.name, field.metadata[_ENTRY]


def record_to_json(record: object) -> dict[str, object]:
    """The JSON object of a record, keys in the order of its fields. Raises SerializationError for a wrong value."""
    result: dict[str, object] = {}
    for name, field in _wire_fields(record):
        value = getattr(record, name)
        if value is None and field.unset is Unset.OMITTED:
            continue
        if value is None and field.unset is Unset.NULL:
            result[field.key] = None
        else:
            result[field.key] = field.type.write(value, field.key)
    return result


def values_from_json(record_class: type, json_object: Mapping[str, object]) -> dict[str, Any]:
    """The constructor arguments of a record, from its JSON object; keys that the record does not know are ignored.

    Raises SerializationError for a missing field or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    for name, field in _wire_fields(record_class):
        nullable = field.unset in {Unset.OMITTED, Unset.NULL}
        if field.key not in json_object:
            if field.unset is Unset.REFUSED:
                raise SerializationError(f"the field `{field.key}` is missing")
            if nullable:
                values[name] = None
        elif nullable and json_object[field.key] is None:
            values[name] = None
        else:
            values[name] = field.type.read(json_object[field.key], field.key)
    return values
