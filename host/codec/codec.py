"""`encode` and `decode`: any message to bytes and back, and the empty result.

Sent are maps with the keys in declared order and integers in their shortest form. Accepted are maps in any order
with unknown keys, arrays of the fields in order, and bytes after the end of the message (`docs/messages.md`).
"""

from __future__ import annotations

from typing import TypeVar, cast

import msgpack

from host.codec.errors import CodecError
from host.codec.reader import Reader
from host.codec.schema import Message, schema_of

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""The largest message, encoded, that is sent or accepted."""

EMPTY = b""
"""The result of an operation that has none."""

_NIL = 0xC0
_M = TypeVar("_M", bound=Message)


def encode(message: Message) -> bytes:
    """The message's wire form. Raises CodecError, its field named, for a value of a wrong type or out of range."""
    name = type(message).__name__
    try:
        packed = msgpack.packb(schema_of(type(message)).pack(message))
    except CodecError as error:
        raise error.within(name) from error.__cause__
    except UnicodeEncodeError as error:
        raise CodecError("a string holds a lone surrogate", name) from error
    except ValueError as error:
        raise CodecError(str(error), name) from error
    payload = cast(bytes, packed)
    _check_size(payload, name)
    return payload


def decode(message: type[_M], payload: bytes) -> _M:
    """The message of this class that the payload begins with. Raises CodecError, its field named."""
    _check_size(payload, message.__name__)
    try:
        return cast(_M, schema_of(message).read(Reader(payload)))
    except CodecError as error:
        raise error.within(message.__name__) from error.__cause__


def decode_empty(payload: bytes) -> None:
    """Check the reply of an operation without a result: no bytes, or nil. Raises CodecError for anything else."""
    if payload and payload[0] != _NIL:
        raise CodecError("expected an empty result")


def _check_size(payload: bytes, name: str) -> None:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise CodecError(f"{len(payload)} bytes are over the limit of {MAX_PAYLOAD_BYTES}", name)
