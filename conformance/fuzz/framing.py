"""The framing of the binary format, taken apart and put together without any check.

Spec: binary/modules
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PREAMBLE = b"\0asm\1\0\0\0"
CUSTOM_SECTION, CODE_SECTION = 0, 10
LAST_SECTION = 13


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its id (one byte) and its contents, without the size."""

    id: int
    contents: bytes


def uleb(value: int, size: int = 1) -> bytes:
    """value >= 0 as unsigned LEB128, padded to at least `size` bytes.  Spec: binary/values#integers"""
    result = bytearray()
    while value >= 0x80 or len(result) + 1 < size:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def read_uleb(data: bytes, pos: int) -> tuple[int, int]:
    """The unsigned LEB128 number at `pos` and the offset after it; a number that is cut off ends with the data."""
    value = shift = 0
    while pos < len(data):
        byte = data[pos]
        value |= (byte & 0x7F) << shift
        pos += 1
        if byte < 0x80:
            break
        shift += 7
    return value, pos


def split(wasm: bytes) -> list[Section]:
    """The sections of a module; one that is cut off holds what there is of it."""
    found, pos = [], len(PREAMBLE)
    while pos < len(wasm):
        size, start = read_uleb(wasm, pos + 1)
        found.append(Section(wasm[pos], wasm[start : start + size]))
        pos = start + size
    return found


def join(sections: Iterable[Section]) -> bytes:
    """The module that has these sections."""
    return PREAMBLE + b"".join(
        [bytes([section.id]) + uleb(len(section.contents)) + section.contents for section in sections]
    )


def split_bodies(contents: bytes) -> list[bytes]:
    """The function bodies of a code section, without their sizes."""
    count, pos = read_uleb(contents, 0)
    found: list[bytes] = []
    while pos < len(contents) and len(found) < count:
        size, start = read_uleb(contents, pos)
        found.append(contents[start : start + size])
        pos = start + size
    return found


def join_bodies(bodies: Sequence[bytes]) -> bytes:
    """The contents of the code section that has these function bodies."""
    return uleb(len(bodies)) + b"".join([uleb(len(body)) + body for body in bodies])
