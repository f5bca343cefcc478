"""Any message survives the way to bytes and back, and no bytes do worse than CodecError."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import host.codec
from host.codec import CodecError, Message, decode, decode_empty, encode
from host.codec.schema import Nested, schema_of
from host.codec.types import (
    BOOLEAN,
    FLOAT,
    NIL,
    TEXT,
    Binary,
    FieldType,
    Integer,
    ListOf,
    OneOf,
    Optional,
    TextMap,
    Variant,
)

EVERY_MESSAGE = [
    kind
    for module in iter_modules(host.codec.__path__, "host.codec.")
    for kind in vars(import_module(module.name)).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == module.name and kind is not Message
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SIMPLE: dict[FieldType, st.SearchStrategy[Any]] = {
    TEXT: TEXTS,
    NIL: st.none(),
    BOOLEAN: st.booleans(),
    FLOAT: st.floats(allow_nan=False),
    Binary(): st.binary(max_size=300),
    TextMap(): st.dictionaries(TEXTS, TEXTS, max_size=4),
}


def values_of(field: FieldType) -> st.SearchStrategy[Any]:
    if isinstance(field, Integer):
        return st.integers(field.low, field.high)
    if isinstance(field, ListOf):
        return st.lists(values_of(field.item), max_size=4).map(tuple)
    if isinstance(field, Optional):
        return st.none() | values_of(field.item)
    if isinstance(field, Variant):
        return st.sampled_from(field.variants)
    if isinstance(field, OneOf):
        return st.one_of([values_of(item) for _, item in field.types])
    return messages_of(field.message) if isinstance(field, Nested) else SIMPLE[field]


def messages_of(message: type[Message]) -> st.SearchStrategy[Any]:
    return st.builds(message, **{field.name: values_of(field.type) for field in schema_of(message).fields})


@given(data=st.data())
@settings(max_examples=300)
def test_round_trip(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(EVERY_MESSAGE).flatmap(messages_of))
    payload = encode(message)
    assert decode(type(message), payload) == message
    assert decode(type(message), payload + data.draw(st.binary(max_size=5))) == message


@given(data=st.data())
@settings(max_examples=150)
def test_maps_in_any_order_and_arrays_mean_the_same(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(EVERY_MESSAGE).flatmap(messages_of))
    plain = msgpack.unpackb(encode(message), strict_map_key=False)
    shuffled = dict(data.draw(st.permutations(list(plain.items()))))
    assert decode(type(message), msgpack.packb(shuffled | {"unknown": [shuffled]})) == message
    in_order = [plain.get(field.key) for field in schema_of(type(message)).fields]
    assert decode(type(message), msgpack.packb(in_order)) == message


@given(data=st.data())
@settings(max_examples=300)
def test_random_and_damaged_bytes_raise_only_codec_errors(
    data: st.DataObject,
) -> None:
    message = data.draw(st.sampled_from(EVERY_MESSAGE))
    with suppress(CodecError):
        decode(message, data.draw(st.binary(max_size=200)))
    damaged = bytearray(encode(data.draw(messages_of(message))))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CodecError):
        decode(message, bytes(damaged))
    with suppress(CodecError):
        decode_empty(bytes(damaged))


@given(data=st.data())
@settings(max_examples=100)
def test_every_truncation_is_refused(data: st.DataObject) -> None:
    payload = encode(data.draw(st.sampled_from(EVERY_MESSAGE).flatmap(messages_of)))
    shorter = payload[: data.draw(st.integers(0, len(payload) - 1))]
    with pytest.raises(CodecError):
        # A truncated map or array lacks an entry that its header promised, whatever is read from it.
        decode(data.draw(st.sampled_from(EVERY_MESSAGE)), shorter)


def layout(message: type[Message]) -> str:
    """The row of the documentation's table that tells a message's layout."""
    fields = [
        f"{field.key} {field.type.name}" + (" (may be missing)" if field.has_default else "")
        for field in schema_of(message).fields
    ]
    return f"| {message.__name__} | {', '.join(fields)} |"


@pytest.mark.parametrize("message", EVERY_MESSAGE)
def test_the_documentation_tells_the_layout(message: type[Message]) -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")
    assert layout(message) in documentation
