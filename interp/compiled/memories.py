"""Memories, tables and the calls through them, as generated code reaches them.

Spec: exec/runtime#memory-instances, exec/runtime#table-instances
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, calcsize
from struct import error as StructError  # noqa: N812
from typing import Any, Never

from interp.compiled.any_address import view_of_any_address
from interp.errors import Trap, TrapKind
from interp.execution.runtime import FuncInst, MemInst, TableInst
from interp.execution.values import F32NaN, fbits, inv_fbits
from interp.syntax.types import DefType
from interp.validation.matching import match_deftype

Namespace = dict[str, Any]
Key = tuple[str, int, bool]


class Views:
    """Views of the bytes of a memory, by format, where they begin, and whether their indices are addresses; given up
    while the memory grows, and renewed wherever they are used."""

    def __init__(self, mem: MemInst) -> None:
        self.mem = mem
        self.views: dict[Key, memoryview] = {}
        self.users: list[tuple[Namespace, str, Key]] = []

    def use(self, key: Key, namespace: Namespace, name: str) -> memoryview:
        """A view, which `namespace` will have under `name`."""
        self.users.append((namespace, name, key))
        return self.view(key)

    def view(self, key: Key) -> memoryview:
        """A view of whole numbers, of as many as there are from `start` on."""
        found = self.views.get(key)
        if found is None:
            letter, start, anywhere = key
            if anywhere and start:
                found = self.view((letter, 0, True))[start:]
            elif anywhere:
                found = view_of_any_address(self.mem.bytes, letter)
            else:
                data = memoryview(self.mem.bytes)[start:]
                found = data[: len(data) - len(data) % calcsize(letter)].cast(letter)  # type: ignore[call-overload]
            self.views[key] = found
        return found

    def release(self) -> None:
        """Give up all views: the number of bytes is about to change."""
        for view in self.views.values():
            view.release()
        self.views.clear()

    def renew(self) -> None:
        """Views of the bytes as they are now."""
        for namespace, name, key in self.users:
            namespace[name] = self.view(key)


def views_of(mem: MemInst) -> Views:
    """The views of a memory, the same for all that use it."""
    if mem.views is None:
        mem.views = Views(mem)
    views: Views = mem.views
    return views


def loader(mem: MemInst, letter: str) -> Callable[..., Any]:
    """What reads a number at any address.  It raises Trap(MEMORY_OUT_OF_BOUNDS)."""
    data = mem.bytes
    if letter == "V":

        def load_bytes(addr: int, n: int) -> int:
            chunk = data[addr : addr + n]
            if len(chunk) != n:
                out_of_bounds()
            return int.from_bytes(chunk, "little")

        return load_bytes
    unpack = Struct("<" + ("I" if letter == "f" else letter)).unpack_from

    def load(addr: int) -> Any:
        try:
            return unpack(data, addr)[0]
        except (StructError, IndexError, OverflowError, ValueError):
            out_of_bounds()

    if letter == "f":
        return lambda addr: inv_fbits(32, load(addr))
    return load


def storer(mem: MemInst, letter: str) -> Callable[..., None]:
    """What writes a number at any address.  It raises Trap(MEMORY_OUT_OF_BOUNDS)."""
    data = mem.bytes
    if letter == "V":

        def store_bytes(addr: int, i: int, n: int) -> None:
            if addr + n > len(data):
                out_of_bounds()
            data[addr : addr + n] = i.to_bytes(n, "little")

        return store_bytes
    pack = Struct("<" + ("I" if letter == "f" else letter)).pack_into

    def store(addr: int, value: Any) -> None:
        try:
            pack(data, addr, value)
        except (StructError, IndexError, OverflowError, ValueError):
            out_of_bounds()

    if letter == "f":
        return lambda addr, z: store(addr, f32_bits(z))
    return store


def f32_bits(z: float) -> int:
    """The bits of an f32 as code has it: a NaN that is no F32NaN stands for the positive canonical one."""
    return fbits(32, z) if z == z or isinstance(z, F32NaN) else 0x7FC0_0000  # noqa: PLR0124


def out_of_bounds() -> Never:
    """Raises Trap(MEMORY_OUT_OF_BOUNDS)."""
    raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS) from None


def uninitialized_element(*_: object) -> Never:
    """What is called in place of null."""
    raise Trap(TrapKind.UNINITIALIZED_ELEMENT)


def type_mismatch(*_: object) -> Never:
    """What is called in place of a function of another type."""
    raise Trap(TrapKind.INDIRECT_CALL_TYPE_MISMATCH)


class Calls:
    """For each type that a table is called with: what to call for each element, kept up to date with the elements."""

    def __init__(self, table: TableInst) -> None:
        self.table = table
        self.lists: dict[DefType, list[Any]] = {}

    def of(self, deftype: DefType) -> list[Any]:
        """What to call by functions of this type."""
        found = self.lists.get(deftype)
        if found is None:
            found = self.lists[deftype] = []
            self.fill(found, deftype, 0, len(self.table.refs))
        return found

    def fill(self, calls: list[Any], deftype: DefType, start: int, stop: int) -> None:
        """Make calls start to stop anew."""
        calls[start:stop] = [callee(ref, deftype) for ref in self.table.refs[start:stop]]
        for index in range(start, stop):
            places = getattr(calls[index], "places", None)
            if places is not None:
                places.append((calls, index))

    def changed(self, start: int, stop: int) -> None:
        """Elements start to stop were overwritten or appended."""
        for deftype, calls in self.lists.items():
            self.fill(calls, deftype, start, stop)


def matches(func: FuncInst, deftype: DefType) -> bool:
    """Whether a function has a type."""
    return func.deftype is deftype or match_deftype(func.deftype, deftype)


def callee(ref: FuncInst | None, deftype: DefType) -> Any:
    """What to call for an element."""
    if ref is None:
        return uninitialized_element
    return ref.prepared if matches(ref, deftype) else type_mismatch


def calls_of(table: TableInst) -> Calls:
    """The calls through a table, the same for all that use it."""
    if table.calls is None:
        table.calls = Calls(table)
    calls: Calls = table.calls
    return calls


def checked_callee(table: TableInst, deftype: DefType, i: int) -> FuncInst:
    """The function at an index of a table.  Raises Trap."""
    if i >= len(table.refs):
        raise Trap(TrapKind.UNDEFINED_ELEMENT)
    ref: FuncInst | None = table.refs[i]
    if ref is None:
        raise Trap(TrapKind.UNINITIALIZED_ELEMENT)
    if not matches(ref, deftype):
        raise Trap(TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
    return ref
