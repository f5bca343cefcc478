"""The framing of a WebAssembly module, as far as signing needs it: where its custom sections of a given name are.

Contents of sections are not looked at; that is an engine's business.
Protocol: docs/wascap.md#embedding
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wascap.errors import WasmElementError

MAX_SECTIONS = 100_000
"""Most sections that a module may have here; it bounds the time of a scan."""

_PREAMBLE = b"\0asm\x01\0\0\0"
_CUSTOM_SECTION = 0
_LAST_SECTION_ID = 13
_MAX_U32_BYTES = 5


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section as byte offsets in the module: the section with its framing is `start` to `end`, what follows
    its name is `content` to `end`."""

    start: int
    content: int
    end: int


def custom_sections(wasm: bytes, name: bytes) -> tuple[CustomSection, ...]:
    """The custom sections of `wasm` named `name`, in order. The framing of the whole module is checked.

    Raises WasmElementError.
    Protocol: docs/wascap.md#embedding
    """
    found = []
    for start, section_id, content, end in _sections(wasm):
        if section_id == _CUSTOM_SECTION:
            name_size, name_start = _read_u32(wasm, content, end)
            if name_size > end - name_start:
                raise WasmElementError("a section name is longer than its section", name_start)
            if wasm[name_start : name_start + name_size] == name:
                found.append(CustomSection(start, name_start + name_size, end))
    return tuple(found)


def custom_section(name: bytes, content: bytes) -> bytes:
    """The bytes of a custom section.  Protocol: docs/wascap.md#embedding"""
    body = _write_u32(len(name)) + name + content
    return bytes([_CUSTOM_SECTION]) + _write_u32(len(body)) + body


def _sections(wasm: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each section: where it starts, its id, where its content starts, where it ends."""
    if wasm[:4] != _PREAMBLE[:4]:
        is_text = wasm[:64].lstrip().startswith((b"(module", b";;", b"(;"))
        hint = ", but the text of one: wasm-tools parse makes a module of it" if is_text else ""
        raise WasmElementError(f"not a WebAssembly module{hint}", 0)
    if wasm[4:8] != _PREAMBLE[4:]:
        raise WasmElementError("unknown version of WebAssembly", 4)
    offset, count = len(_PREAMBLE), 0
    while offset < len(wasm):
        start, count = offset, count + 1
        if count > MAX_SECTIONS:
            raise WasmElementError(f"more than {MAX_SECTIONS} sections", start)
        section_id = wasm[start]
        if section_id > _LAST_SECTION_ID:
            raise WasmElementError(f"unknown section id {section_id}", start)
        size, content = _read_u32(wasm, start + 1, len(wasm))
        if size > len(wasm) - content:
            raise WasmElementError("a section is longer than the module", start)
        offset = content + size
        yield start, section_id, content, offset


def _read_u32(wasm: bytes, offset: int, end: int) -> tuple[int, int]:
    """The LEB128 number at `offset` and the offset after it; it may be padded, as linkers do, to five bytes."""
    value = 0
    for index in range(_MAX_U32_BYTES):
        if offset + index >= end:
            raise WasmElementError("unexpected end inside a number", offset)
        byte = wasm[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >= 2**32:
                raise WasmElementError("a number is larger than 32 bits", offset)
            return value, offset + index + 1
    raise WasmElementError("a number is longer than five bytes", offset)


def _write_u32(value: int) -> bytes:
    """`value` as LEB128 of minimal length."""
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)
