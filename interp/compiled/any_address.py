"""Views of memory whose indices are addresses: item i of a view of 32-bit integers is the number in bytes i to i + 3.

A `memoryview` knows for each dimension how many bytes lie between one item and the next. `memoryview.cast` makes it the
size of an item; for these views it is set to 1, and the number of items to that of all addresses where one fits. Python
has no function for that, hence the two numbers are written where CPython keeps them, which `available` tries out first.
All else is as ever: the view holds the bytearray, which can neither be freed nor change its size meanwhile, CPython
checks each index, and reads and writes items byte by byte, so that any address will do.

Other implementations of Python, which keep these numbers elsewhere, do without: see `interp.compiled.python_memory`.
"""

from __future__ import annotations

import sys
from functools import cache
from struct import calcsize
from typing import Any

TESTED = "hHiIqQfd"
"""Formats that are tried out."""


def view_of_any_address(data: bytearray, letter: str) -> memoryview:
    """A view of the numbers of a format (of the module `struct`, in the byte order of the machine) at all addresses.

    Raises RuntimeError where this Python keeps its views in another way.
    """
    # Not at the top: it takes some milliseconds, and is not everywhere.
    from ctypes import c_ssize_t  # noqa: PLC0415

    size = calcsize(letter)
    whole = memoryview(data)
    view: memoryview[Any] = whole[: len(data) - len(data) % size].cast(letter)  # type: ignore[call-overload]
    numbers = (c_ssize_t * 2).from_address(id(view) + memoryview.__basicsize__)
    if (list(numbers), view.ndim, view.itemsize) != ([len(view), size], 1, size):
        raise RuntimeError("memoryviews have another layout")
    items = len(data) - size + 1
    if items > 0:
        numbers[:] = [items, 1]
        if (view.shape, view.strides) != ((items,), (1,)):
            raise RuntimeError("memoryviews have another layout")
    return view


@cache
def available() -> bool:
    """Whether there are such views here, in the byte order of WebAssembly: they are tried out."""
    if sys.implementation.name != "cpython" or sys.byteorder != "little":
        return False
    try:
        return all(works(letter) for letter in TESTED)
    except (ImportError, AttributeError, ValueError, TypeError, RuntimeError):
        return False


def works(letter: str) -> bool:
    """Whether views of a format read and write what they should, within their bounds, and hold their bytes."""
    data, size = bytearray(range(1, 22)), calcsize(letter)
    view = view_of_any_address(data, letter)
    part = view[3:]
    for addr in range(len(data) - size + 1):
        expected = memoryview(data[addr : addr + size]).cast(letter)  # type: ignore[call-overload]
        if view[addr] != expected[0] or (addr >= 3 and part[addr - 3] != expected[0]):
            return False
    view[1] = view[0]
    good = data[1 : 1 + size] == bytes(range(1, 1 + size))
    good = good and refuses(view, len(data) - size + 1) and refuses(part, len(data) - size - 2)
    view.release()
    try:
        data.append(0)
    except BufferError:
        part.release()
        data.append(0)
        return good
    return False


def refuses(view: memoryview[Any], index: int) -> bool:
    """Whether an index is beyond the end of a view."""
    try:
        view[index]
    except IndexError:
        return True
    return False
