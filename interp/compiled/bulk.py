"""Instructions that generated code leaves to functions: on whole ranges of memories, tables and arrays.

Each takes the store, the module instance, the immediates of the instruction, then its operands.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.errors import Trap, TrapKind
from interp.execution.aggregates import fields_of, storagetypes, zsize
from interp.execution.constants import memory_init, table_init
from interp.execution.references import default_value
from interp.execution.runtime import ArrayInst, ModuleInst, Store, StructInst
from interp.execution.values import MASK
from interp.syntax.types import unpack

MEMORY, TABLE, ARRAY = TrapKind.MEMORY_OUT_OF_BOUNDS, TrapKind.TABLE_OUT_OF_BOUNDS, TrapKind.ARRAY_OUT_OF_BOUNDS
NULL = TrapKind.NULL_ARRAY_REFERENCE


def memory_grow(store: Store, moduleinst: ModuleInst, x: int, n: int) -> int:
    """(memory.grow x): the old size in pages, or -1."""
    mem = moduleinst.mems[x]
    size = mem.size
    return size if mem.grow(n) else MASK[int(mem.type.addrtype.value[1:])]


def memory_fill(store: Store, moduleinst: ModuleInst, x: int, i: int, val: int, n: int) -> None:
    """(memory.fill x)"""
    data = moduleinst.mems[x].bytes
    if i + n > len(data):
        raise Trap(MEMORY)
    store.meter.bulk(n)
    data[i : i + n] = bytes((val & 0xFF,)) * n


def memory_copy(store: Store, moduleinst: ModuleInst, x1: int, x2: int, i1: int, i2: int, n: int) -> None:
    """(memory.copy x1 x2)"""
    data1, data2 = moduleinst.mems[x1].bytes, moduleinst.mems[x2].bytes
    if i1 + n > len(data1) or i2 + n > len(data2):
        raise Trap(MEMORY)
    store.meter.bulk(n)
    data1[i1 : i1 + n] = data2[i2 : i2 + n]


def data_drop(store: Store, moduleinst: ModuleInst, x: int) -> None:
    """(data.drop x)"""
    moduleinst.datas[x].bytes = b""


def elem_drop(store: Store, moduleinst: ModuleInst, x: int) -> None:
    """(elem.drop x)"""
    moduleinst.elems[x].refs = ()


def table_get(store: Store, moduleinst: ModuleInst, x: int, i: int) -> Any:
    """(table.get x)"""
    return moduleinst.tables[x].read(i)


def table_set(store: Store, moduleinst: ModuleInst, x: int, i: int, ref: Any) -> None:
    """(table.set x)"""
    table = moduleinst.tables[x]
    if i >= len(table.refs):
        raise Trap(TABLE)
    table.refs[i] = ref
    table.changed(i, i + 1)


def table_size(store: Store, moduleinst: ModuleInst, x: int) -> int:
    """(table.size x)"""
    return len(moduleinst.tables[x].refs)


def table_grow(store: Store, moduleinst: ModuleInst, x: int, ref: Any, n: int) -> int:
    """(table.grow x): the old size, or -1."""
    table = moduleinst.tables[x]
    size = len(table.refs)
    return size if table.grow(n, ref) else MASK[int(table.type.addrtype.value[1:])]


def table_fill(store: Store, moduleinst: ModuleInst, x: int, i: int, ref: Any, n: int) -> None:
    """(table.fill x)"""
    table = moduleinst.tables[x]
    if i + n > len(table.refs):
        raise Trap(TABLE)
    store.meter.bulk(n)
    table.refs[i : i + n] = [ref] * n
    table.changed(i, i + n)


def table_copy(store: Store, moduleinst: ModuleInst, x1: int, x2: int, i1: int, i2: int, n: int) -> None:
    """(table.copy x1 x2)"""
    table1, table2 = moduleinst.tables[x1], moduleinst.tables[x2]
    if i1 + n > len(table1.refs) or i2 + n > len(table2.refs):
        raise Trap(TABLE)
    store.meter.bulk(n)
    table1.refs[i1 : i1 + n] = table2.refs[i2 : i2 + n]
    table1.changed(i1, i1 + n)


def struct_new_default(store: Store, moduleinst: ModuleInst, x: int) -> StructInst:
    """(struct.new_default x)"""
    deftype = moduleinst.types[x]
    return StructInst(store.meter, deftype, [default_value(unpack(zt)) for zt in storagetypes(deftype)])


def array_new(store: Store, moduleinst: ModuleInst, x: int, field: Any, n: int) -> ArrayInst:
    """(array.new x), of a value that is packed already"""
    store.meter.check_heap(n + 1)
    return ArrayInst(store.meter, moduleinst.types[x], [field] * n)


def array_new_default(store: Store, moduleinst: ModuleInst, x: int, n: int) -> ArrayInst:
    """(array.new_default x)"""
    (zt,) = storagetypes(moduleinst.types[x])
    return array_new(store, moduleinst, x, default_value(unpack(zt)), n)


def array_new_data(store: Store, moduleinst: ModuleInst, x: int, y: int, i: int, n: int) -> ArrayInst:
    """(array.new_data x y)"""
    (zt,) = storagetypes(moduleinst.types[x])
    data = moduleinst.datas[y].bytes
    end = i + n * zsize(zt) // 8
    if end > len(data):
        raise Trap(MEMORY)
    fields = fields_of(zt, data[i:end])
    store.meter.check_heap(n + 1)
    return ArrayInst(store.meter, moduleinst.types[x], list(fields))


def array_new_elem(store: Store, moduleinst: ModuleInst, x: int, y: int, i: int, n: int) -> ArrayInst:
    """(array.new_elem x y)"""
    refs = moduleinst.elems[y].refs
    if i + n > len(refs):
        raise Trap(TABLE)
    store.meter.check_heap(n + 1)
    return ArrayInst(store.meter, moduleinst.types[x], list(refs[i : i + n]))


def array_fill(store: Store, moduleinst: ModuleInst, ref: ArrayInst | None, i: int, field: Any, n: int) -> None:
    """(array.fill x), with a value that is packed already"""
    if ref is None:
        raise Trap(NULL)
    if i + n > len(ref.fields):
        raise Trap(ARRAY)
    store.meter.bulk(n)
    ref.fields[i : i + n] = [field] * n


def array_copy(
    store: Store, moduleinst: ModuleInst, ref1: ArrayInst | None, i1: int, ref2: ArrayInst | None, i2: int, n: int
) -> None:
    """(array.copy x1 x2)"""
    if ref1 is None or ref2 is None:
        raise Trap(NULL)
    if i1 + n > len(ref1.fields) or i2 + n > len(ref2.fields):
        raise Trap(ARRAY)
    store.meter.bulk(n)
    ref1.fields[i1 : i1 + n] = ref2.fields[i2 : i2 + n]


def array_init_data(
    store: Store, moduleinst: ModuleInst, x: int, y: int, ref: ArrayInst | None, i: int, j: int, n: int
) -> None:
    """(array.init_data x y)"""
    (zt,) = storagetypes(moduleinst.types[x])
    data, size = moduleinst.datas[y].bytes, zsize(zt) // 8
    if ref is None:
        raise Trap(NULL)
    if i + n > len(ref.fields):
        raise Trap(ARRAY)
    if j + n * size > len(data):
        raise Trap(MEMORY)
    store.meter.bulk(n)
    ref.fields[i : i + n] = fields_of(zt, data[j : j + n * size])


def array_init_elem(
    store: Store, moduleinst: ModuleInst, x: int, y: int, ref: ArrayInst | None, i: int, j: int, n: int
) -> None:
    """(array.init_elem x y)"""
    refs = moduleinst.elems[y].refs
    if ref is None:
        raise Trap(NULL)
    if i + n > len(ref.fields):
        raise Trap(ARRAY)
    if j + n > len(refs):
        raise Trap(TABLE)
    store.meter.bulk(n)
    ref.fields[i : i + n] = refs[j : j + n]


BULK: dict[str, tuple[Callable[..., Any], int]] = {
    "memory_grow": (memory_grow, 1), "memory_fill": (memory_fill, 1), "memory_copy": (memory_copy, 2),
    "memory_init": (memory_init, 2), "data_drop": (data_drop, 1), "elem_drop": (elem_drop, 1),
    "table_get": (table_get, 1), "table_set": (table_set, 1), "table_size": (table_size, 1),
    "table_grow": (table_grow, 1), "table_fill": (table_fill, 1), "table_copy": (table_copy, 2),
    "table_init": (table_init, 2), "struct_new_default": (struct_new_default, 1), "array_new": (array_new, 1),
    "array_new_default": (array_new_default, 1), "array_new_data": (array_new_data, 2),
    "array_new_elem": (array_new_elem, 2), "array_fill": (array_fill, 0), "array_copy": (array_copy, 0),
    "array_init_data": (array_init_data, 2), "array_init_elem": (array_init_elem, 2),
}  # fmt: skip
"""Name in generated code -> the function, and how many indices stand behind the name."""
