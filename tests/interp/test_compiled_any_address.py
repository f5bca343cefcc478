"""Views whose indices are addresses: what they read and write, their bounds, and how long they hold memory."""

from __future__ import annotations

import gc
import struct
import weakref
from typing import Any

import pytest
from compiled_support import exports_of
from hypothesis import given
from hypothesis import strategies as st

from interp.compiled import any_address
from interp.compiled.any_address import TESTED, available, view_of_any_address
from interp.compiled.memories import Views
from interp.engine import PAGE
from interp.errors import Trap
from interp.execution.runtime import MemInst
from interp.syntax.types import AddrType, Limits, MemType

pytestmark = pytest.mark.skipif(not available(), reason="this Python keeps its views in another way")

FORMATS = st.sampled_from(TESTED)


@given(st.binary(max_size=40), FORMATS, st.data())
def test_items_are_what_struct_reads_and_writes(content: bytes, letter: str, data: st.DataObject) -> None:
    ours, theirs = bytearray(content), bytearray(content)
    view, size = view_of_any_address(ours, letter), struct.calcsize(letter)
    addresses = range(max(len(content) - size + 1, 0))
    assert len(view) == len(addresses)
    for addr in addresses:
        assert struct.pack(letter, view[addr]) == struct.pack(letter, *struct.unpack_from(letter, content, addr))
    if addresses:
        addr = data.draw(st.sampled_from(addresses))
        value = struct.unpack(letter, data.draw(st.binary(min_size=size, max_size=size)))[0]
        view[addr] = value
        struct.pack_into(letter, theirs, addr, value)
    assert ours == theirs


@given(st.integers(0, 40), FORMATS, st.integers(0, 50))
def test_bounds(length: int, letter: str, start: int) -> None:
    view = view_of_any_address(bytearray(length), letter)[start:]
    end = max(length - struct.calcsize(letter) + 1 - start, 0)
    for index in (end, end + 1, 1 << 32, 1 << 80):
        with pytest.raises(IndexError):
            view[index]
        with pytest.raises(IndexError):
            view[index] = 0


def test_memory_is_held_as_long_as_a_view_is() -> None:
    class Bytes(bytearray):
        pass

    data: Any = Bytes(100)
    gone = weakref.ref(data)
    view = view_of_any_address(data, "I")
    part = view[50:]
    with pytest.raises(BufferError):
        data.extend(b"more")
    view.release()
    with pytest.raises(BufferError):
        data.clear()
    del data
    gc.collect()
    assert gone() is not None
    assert part[3] == 0
    part.release()
    with pytest.raises(ValueError, match="released"):
        part[0]
    del part
    gc.collect()
    assert gone() is None


def test_views_of_a_memory_that_grows() -> None:
    mem = MemInst(0, MemType(AddrType.I32, Limits(1, None)), bytearray(PAGE), 10)
    views = mem.views = Views(mem)
    names: dict[str, Any] = {}
    for letter in TESTED:
        for start in (0, 5):
            key = letter, start, True
            names[f"{letter}{start}"] = views.use(key, names, f"{letter}{start}")
    before = dict(names)
    assert mem.grow(2)
    for name, view in names.items():
        start, size = int(name[1:]), struct.calcsize(name[0])
        assert len(view) == 3 * PAGE - size + 1 - start
        with pytest.raises(ValueError, match="released"):
            before[name][0]


@pytest.mark.parametrize("t", ["i32", "i64", "f32", "f64", "v128"])
@pytest.mark.parametrize("offset", [0, 1, 8, PAGE - 20, 1 << 31, (1 << 32) - 1])
def test_accesses_at_the_end_of_a_memory(t: str, offset: int) -> None:
    zero = "(v128.const i64x2 0 0)" if t == "v128" else f"({t}.const 0)"
    text = f"""(module (memory 1)
      (func (export "store") (param i32) ({t}.store offset={offset} (local.get 0) {zero}))
      (func (export "load") (param i32) (drop ({t}.load offset={offset} (local.get 0)))))"""
    exports, width = exports_of("compiled", text), 16 if t == "v128" else int(t[1:]) // 8
    last = PAGE - width - offset
    for name in ("load", "store"):
        if last >= 0:
            exports[name](last)
        for addr in (last + 1, PAGE - 1, PAGE, 1 << 31, (1 << 32) - 1):
            if 0 <= addr > last:
                with pytest.raises(Trap):
                    exports[name](addr)


@pytest.mark.parametrize("broken", ["stride", "layout", "missing", "byte order", "implementation"])
def test_a_python_without_such_views_does_without(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_items(data: bytearray, letter: str) -> memoryview:
        return memoryview(data)[: len(data) // 8 * 8].cast(letter)  # type: ignore[call-overload, no-any-return]

    def other(data: bytearray, letter: str) -> memoryview:
        raise RuntimeError("memoryviews have another layout")

    def missing(data: bytearray, letter: str) -> memoryview:
        raise ImportError("no ctypes")

    if broken == "byte order":
        monkeypatch.setattr(any_address.sys, "byteorder", "big")
    elif broken == "implementation":
        monkeypatch.setattr(any_address.sys.implementation, "name", "other")
    else:
        found = {"stride": of_items, "layout": other, "missing": missing}[broken]
        monkeypatch.setattr(any_address, "view_of_any_address", found)
    assert not available.__wrapped__()
