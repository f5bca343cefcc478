"""Reading MessagePack as a schema asks for it, on msgpack's streaming `Unpacker`.

Nothing is built that the schema did not ask for: each value's first byte is looked at before msgpack unpacks it, and
what no field wants is skipped without building it. Hostile lengths and nesting therefore cost no more than reading the
payload once: claimed lengths allocate nothing, and msgpack refuses to skip over more than 1024 nested levels. What the
schema does ask for can be many times as large as the payload, and takes time to build, so there may be MAX_ITEMS of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from host.codec.errors import CodecError

MAX_ITEMS = 2**20
"""How many entries of maps and items of arrays a payload may have altogether, those that are one byte each apart."""


def _kinds() -> tuple[str, ...]:
    kinds = ["integer"] * 0x80 + ["map"] * 0x10 + ["array"] * 0x10 + ["string"] * 0x20
    kinds += ["nil", "a reserved byte", "boolean", "boolean"] + ["bytes"] * 3 + ["extension"] * 3 + ["float"] * 2
    kinds += ["integer"] * 8 + ["extension"] * 5 + ["string"] * 3 + ["array"] * 2 + ["map"] * 2 + ["integer"] * 0x20
    return tuple(kinds)


_KINDS = _kinds()
_MAX_FIXINT = 0x7F
_TOO_EARLY = "the payload ends too early"


class Reader:
    """A position in one payload. Every method raises CodecError, also where the payload ends too early."""

    __slots__ = ("_items", "_payload", "_tell", "_unpack", "_unpacker")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._items = 0
        self._unpacker: Any = msgpack.Unpacker(
            strict_map_key=False, read_size=max(len(payload), 1), max_buffer_size=max(len(payload), 1)
        )
        self._unpacker.feed(payload)
        self._tell: Callable[[], int] = self._unpacker.tell
        self._unpack = self._unpacker.unpack

    def kind(self) -> str:
        """What stands at the position: `integer`, `string`, `map`…"""
        try:
            return _KINDS[self._payload[self._tell()]]
        except IndexError:
            raise CodecError(_TOO_EARLY) from None

    def take(self, kind: str) -> Any:
        """The value at the position, which must be of this scalar kind."""
        found = self.kind()
        if found != kind:
            raise CodecError(f"expected {kind}, found {found}")
        try:
            return self._unpack()
        except (msgpack.UnpackException, ValueError) as error:
            raise _codec_error(error) from error

    def take_nil(self) -> bool:
        """Whether nil stands at the position; it is then read."""
        if self.kind() != "nil":
            return False
        self._unpacker.skip()
        return True

    def take_bytes(self) -> bytes:
        """Bytes at the position: binary, a string (its UTF-8), or an array of integers 0 to 255."""
        kind = self.kind()
        if kind == "string":
            text: str = self.take("string")
            return text.encode()
        if kind == "array":
            return self._take_byte_array()
        binary: bytes = self.take("bytes")
        return binary

    def map_header(self) -> int:
        """The number of entries of the map at the position; the entries follow."""
        return self._counted(self._header("map", self._unpacker.read_map_header))

    def array_header(self) -> int:
        """The number of items of the array at the position; the items follow."""
        return self._counted(self._header("array", self._unpacker.read_array_header))

    def skip(self) -> None:
        """Pass over one value of any kind."""
        try:
            self._unpacker.skip()
        except (msgpack.UnpackException, ValueError) as error:
            raise _codec_error(error) from error

    def _counted(self, items: int) -> int:
        if items > len(self._payload):
            raise CodecError(_TOO_EARLY)
        self._items += items
        if self._items > MAX_ITEMS:
            raise CodecError(f"more than {MAX_ITEMS} entries and items in the payload")
        return items

    def _header(self, kind: str, read: Callable[[], int]) -> int:
        found = self.kind()
        if found != kind:
            raise CodecError(f"expected {kind}, found {found}")
        try:
            return read()
        except (msgpack.UnpackException, ValueError) as error:
            raise _codec_error(error) from error

    def _take_byte_array(self) -> bytes:
        length = self._header("array", self._unpacker.read_array_header)
        start = self._unpacker.tell()
        fast = self._payload[start : start + length]
        if len(fast) == length and (not fast or max(fast) <= _MAX_FIXINT):
            # Each item is a single byte that is its own value, as in any array of ASCII text.
            return bytes(self._unpacker.read_bytes(length))
        taken = bytearray()
        for _ in range(length):
            item = self.take("integer")
            if not 0 <= item <= 255:
                raise CodecError(f"{item} is not a byte")
            taken.append(item)
        return bytes(taken)


def _codec_error(error: Exception) -> CodecError:
    """What msgpack's error means for a payload."""
    if isinstance(error, msgpack.OutOfData):
        return CodecError(_TOO_EARLY)
    if isinstance(error, msgpack.StackError):
        return CodecError("nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return CodecError("not UTF-8")
    return CodecError(f"not MessagePack: {error}" if str(error) else "not MessagePack")
