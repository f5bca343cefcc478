"""What Wasmtime's C interface cannot say about a module, read from its bytes: limits of tables and of memories that are
not exported, and where code is.

The interface reports the limits of a table in 32 bits and not its address type, and a trap as an offset only. All
functions here expect the bytes of a module that Wasmtime has validated, so they check nothing.

Spec: binary/modules
"""

from __future__ import annotations

from collections.abc import Iterator

from interp.syntax.types import AddrType, Limits

IMPORT, TABLE, MEMORY, EXPORT, CODE = 2, 4, 5, 7, 10
"""Section ids.  Spec: binary/modules#sections"""

FUNC_KIND, TABLE_KIND, MEM_KIND, GLOBAL_KIND = range(4)
"""First byte of an external type or index.  Spec: binary/types#external-types"""

Bounds = tuple[AddrType, Limits]

_TYPED_REFERENCE = (0x63, 0x64)
_TABLE_WITH_INIT = 0x40
_END = 0x0B


def u(wasm: bytes, pos: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and the offset after it.  Spec: binary/values#integers"""
    value = shift = 0
    while True:
        byte = wasm[pos]
        value |= (byte & 0x7F) << shift
        pos += 1
        if byte < 0x80:
            return value, pos
        shift += 7


def sections(wasm: bytes) -> Iterator[tuple[int, int]]:
    """Id and offset of the contents of each section."""
    pos = 8
    while pos < len(wasm):
        size, start = u(wasm, pos + 1)
        yield wasm[pos], start
        pos = start + size


def vector(wasm: bytes, section: int) -> tuple[int, int]:
    """Length and offset of the first element of the vector that a section is, or (0, 0)."""
    return next((u(wasm, start) for found, start in sections(wasm) if found == section), (0, 0))


def table_bounds(wasm: bytes) -> list[Bounds]:
    """Address type and limits of each table, imported ones first."""
    found = [bounds for bounds in (desc for _, desc in _imports(wasm)) if bounds is not None]
    count, pos = vector(wasm, TABLE)
    for _ in range(count):
        with_init = wasm[pos] == _TABLE_WITH_INIT
        pos = _skip_valtype(wasm, pos + 2 if with_init else pos)
        bounds, pos = _limits(wasm, pos)
        found.append(bounds)
        if with_init:
            pos = _skip_constant(wasm, pos)
    return found


def memory_bounds(wasm: bytes) -> list[Bounds]:
    """Address type and limits of each memory that the module defines."""
    found = []
    count, pos = vector(wasm, MEMORY)
    for _ in range(count):
        bounds, pos = _limits(wasm, pos)
        found.append(bounds)
    return found


def exported_tables(wasm: bytes) -> dict[str, int]:
    """Name -> table index of each exported table."""
    found = {}
    count, pos = vector(wasm, EXPORT)
    for _ in range(count):
        size, pos = u(wasm, pos)
        name, kind = wasm[pos : pos + size], wasm[pos + size]
        index, pos = u(wasm, pos + size + 1)
        if kind == TABLE_KIND:
            found[name.decode()] = index
    return found


def bodies(wasm: bytes) -> dict[int, int]:
    """Function index -> offset of the body (of its locals), of each function that is not imported."""
    index = sum(wasm[_import_names(wasm, pos)[2]] == FUNC_KIND for pos, _ in _imports(wasm))
    found = {}
    count, pos = vector(wasm, CODE)
    for _ in range(count):
        size, pos = u(wasm, pos)
        found[index] = pos
        index += 1
        pos += size
    return found


def _import_names(wasm: bytes, pos: int) -> tuple[str, str, int]:
    size, start = u(wasm, pos)
    module = wasm[start : start + size].decode()
    size, start = u(wasm, start + size)
    return module, wasm[start : start + size].decode(), start + size


def _imports(wasm: bytes) -> Iterator[tuple[int, Bounds | None]]:
    """Offset of each import, and its bounds if it is a table."""
    count, pos = vector(wasm, IMPORT)
    for _ in range(count):
        start = pos
        *_, pos = _import_names(wasm, pos)
        kind, pos, bounds = wasm[pos], pos + 1, None
        if kind == FUNC_KIND:
            _, pos = u(wasm, pos)
        elif kind == TABLE_KIND:
            bounds, pos = _limits(wasm, _skip_valtype(wasm, pos))
        elif kind == MEM_KIND:
            _, pos = _limits(wasm, pos)
        elif kind == GLOBAL_KIND:
            pos = _skip_valtype(wasm, pos) + 1
        else:
            _, pos = u(wasm, pos + 1)
        yield start, bounds


def _limits(wasm: bytes, pos: int) -> tuple[Bounds, int]:
    flags, maximum = wasm[pos], None
    minimum, pos = u(wasm, pos + 1)
    if flags & 1:
        maximum, pos = u(wasm, pos)
    return (AddrType.I64 if flags & 4 else AddrType.I32, Limits(minimum, maximum)), pos


def _skip_valtype(wasm: bytes, pos: int) -> int:
    return u(wasm, pos + 1)[1] if wasm[pos] in _TYPED_REFERENCE else pos + 1


def _skip_constant(wasm: bytes, pos: int) -> int:
    """The offset after a constant expression.  Spec: valid/instructions#constant-expressions"""
    while wasm[pos] != _END:
        opcode, pos = wasm[pos], pos + 1
        if opcode in {0x23, 0x41, 0x42, 0xD0, 0xD2}:
            _, pos = u(wasm, pos)
        elif opcode in {0x43, 0x44}:
            pos += 4 if opcode == 0x43 else 8
        elif opcode == 0xFD:
            pos = u(wasm, pos)[1] + 16
        elif opcode == 0xFB:
            sub, pos = u(wasm, pos)
            for _ in range({0: 1, 1: 1, 6: 1, 7: 1, 8: 2}.get(sub, 0)):
                _, pos = u(wasm, pos)
    return pos + 1
