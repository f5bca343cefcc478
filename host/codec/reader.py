"""Reading MessagePack as a schema asks for it, on msgpack's streaming `Unpacker`.

Nothing is built that the schema did not ask for: each value's first byte is looked at before msgpack unpacks it, and
what no field wants is skipped without building it. Hostile lengths and nesting therefore cost no more than reading the
payload once: claimed lengths allocate nothing, and msgpack refuses to skip over more than 1024 nested levels.
"""

from __future__ import annotations

from typing import Any

import msgpack

from host.codec.errors import CodecError


def _kinds() -> tuple[str, ...]:
    kinds = ["integer"] * 0x80 + ["map"] * 0x10 + ["array"] * 0x10 + ["string"] * 0x20
    kinds += ["nil", "a reserved byte", "boolean", "boolean"] + ["bytes"] * 3 + ["extension"] * 3 + ["float"] * 2
    kinds += ["integer"] * 8 + ["extension"] * 5 + ["string"] * 3 + ["array"] * 2 + ["map"] * 2 + ["integer"] * 0x20
    return tuple(kinds)


_KINDS = _kinds()
_MAX_FIXINT = 0x7F


class Reader:
    """A position in one payload. Every method raises CodecError, also where the payload ends too early."""

    __slots__ = ("_payload", "_unpacker")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._unpacker: Any = msgpack.Unpacker(
            strict_map_key=False, read_size=max(len(payload), 1), max_buffer_size=max(len(payload), 1)
        )
        self._unpacker.feed(payload)

    def kind(self) -> str:
        """What stands at the position: `integer`, `string`, `map`…"""
        try:
            tag: int = self._payload[self._unpacker.tell()]
        except IndexError:
            raise CodecError("the payload ends too early") from None
        return _KINDS[tag]

    def take(self, kind: str) -> Any:
        """The value at the position, which must be of this scalar kind."""
        self._expect(kind)
        return self._call(self._unpacker.unpack)

    def take_nil(self) -> bool:
        """Whether nil stands at the position; it is then read."""
        if self.kind() != "nil":
            return False
        self._unpacker.skip()
        return True

    def take_bytes(self) -> bytes:
        """Bytes at the position: binary, a string (its UTF-8), or an array of integers 0 to 255."""
        kind = self.kind()
        if kind == "bytes":
            return bytes(self._call(self._unpacker.unpack))
        if kind == "string":
            text: str = self._call(self._unpacker.unpack)
            return text.encode()
        if kind == "array":
            return self._take_byte_array()
        raise CodecError(f"expected bytes, found {kind}")

    def map_header(self) -> int:
        """The number of entries of the map at the position; the entries follow."""
        self._expect("map")
        entries: int = self._call(self._unpacker.read_map_header)
        return entries

    def array_header(self) -> int:
        """The number of items of the array at the position; the items follow."""
        self._expect("array")
        items: int = self._call(self._unpacker.read_array_header)
        return items

    def skip(self) -> None:
        """Pass over one value of any kind."""
        self._call(self._unpacker.skip)

    def _expect(self, kind: str) -> None:
        found = self.kind()
        if found != kind:
            raise CodecError(f"expected {kind}, found {found}")

    def _take_byte_array(self) -> bytes:
        length = self.array_header()
        start = self._unpacker.tell()
        fast = self._payload[start : start + length]
        if len(fast) == length and (not fast or max(fast) <= _MAX_FIXINT):
            # Each item is a single byte that is its own value, as in any array of ASCII text.
            return bytes(self._call(self._unpacker.read_bytes, length))
        taken = bytearray()
        for _ in range(length):
            item = self.take("integer")
            if not 0 <= item <= 255:
                raise CodecError(f"{item} is not a byte")
            taken.append(item)
        return bytes(taken)

    @staticmethod
    def _call(method: Any, *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except msgpack.OutOfData as error:
            raise CodecError("the payload ends too early") from error
        except msgpack.StackError as error:
            raise CodecError("nested too deeply") from error
        except UnicodeDecodeError as error:
            raise CodecError("not UTF-8") from error
        except (msgpack.UnpackException, ValueError) as error:
            raise CodecError(f"not MessagePack: {error}" if str(error) else "not MessagePack") from error
