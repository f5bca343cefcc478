"""Reduction of array instructions (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction, `zt` the storage type of the elements, `i`, `j`
indices, `n` a count of elements. The rules of array.fill, array.copy, array.init_data and array.init_elem move one
element and leave the rest to the same instruction again, and new arrays are made of values on the operand stack;
unobserved, one step does all of it.
Spec: exec/instructions#array-instructions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interp.errors import TrapKind
from interp.execution.aggregates import fields_of, packfield, storagetypes, unpackfield, zsize
from interp.execution.references import default_value
from interp.execution.runtime import ArrayInst
from interp.reference.configuration import Config, RuleFunction, operand, rule
from interp.reference.table import value
from interp.syntax.instructions import Instr
from interp.syntax.types import DefType, PackType, StorageType, unpack

NULL = TrapKind.NULL_ARRAY_REFERENCE
OUT_OF_BOUNDS = TrapKind.ARRAY_OUT_OF_BOUNDS
DATA_OUT_OF_BOUNDS = TrapKind.MEMORY_OUT_OF_BOUNDS
ELEM_OUT_OF_BOUNDS = TrapKind.TABLE_OUT_OF_BOUNDS

Array = tuple[DefType, StorageType]
"""An array type and the storage type of its elements."""

ArrayAnd = tuple[DefType, StorageType, int]
"""An array type, the storage type of its elements, and a count of elements or the index of a segment."""


def storage(instr: Instr, types: list[DefType], which: int = 0) -> StorageType:
    """The storage type of the elements of an array type that an instruction names."""
    return storagetypes(types[instr.immediates[which]])[0]


def fixed(c: Config, x: Array, vals: Sequence[Any]) -> None:
    """Leave val^n (array.new_fixed x n), which is done next."""
    c.vals.extend(vals)
    c.insert(((array_new_fixed, (*x, len(vals)), c.current()),))


Again = tuple[RuleFunction, Any]
"""An instruction that goes on with the rest of a range: its rule function and operand."""


def set_then(c: Config, zt: StorageType, now: Sequence[Any], then: Sequence[Any], again: Again) -> None:
    """Leave (array.set x) with the values `now`, and the instruction at hand again with the values `then`."""
    instr = c.current()
    c.vals.extend(now)
    c.insert(((array_set, zt, instr), *[value(instr, val) for val in then], (*again, instr)))


@operand("array.new", "array.new_default")
def prepare_array(instr: Instr, types: list[DefType]) -> Array:
    """The array type."""
    return types[instr.immediates[0]], storage(instr, types)


def repeat(c: Config, x: Array, val: Any, n: int) -> None:
    """Leave val^n (array.new_fixed x n).  Raises Exhaustion(HEAP) before so many values are made."""
    c.meter.check_heap(n + 1)
    if c.observed:
        fixed(c, x, [val] * n)
    else:
        c.vals.append(ArrayInst(c.meter, x[0], [packfield(x[1], val)] * n))


def from_segment(c: Config, x: Array, fields: Sequence[Any]) -> None:
    """Leave val^n (array.new_fixed x n), the values read from a segment, which packing would not change."""
    c.meter.check_heap(len(fields) + 1)
    if c.observed:
        fixed(c, x, fields)
    else:
        c.vals.append(ArrayInst(c.meter, x[0], list(fields)))


@rule("array.new", "Step_pure/array.new")
def array_new(c: Config, x: Array) -> str:
    """val (i32.const n) (array.new x) ~> val^n (array.new_fixed x n)"""
    n, val = c.vals.pop(), c.vals.pop()
    repeat(c, x, val, n)
    return "Step_pure/array.new"


@rule("array.new_default", "Step_read/array.new_default")
def array_new_default(c: Config, x: Array) -> str:
    """(i32.const n) (array.new_default x) ~> val^n (array.new_fixed x n), val the default value"""
    n = c.vals.pop()
    repeat(c, x, default_value(unpack(x[1])), n)
    return "Step_read/array.new_default"


@operand("array.new_fixed", "array.new_elem", "array.new_data", "array.init_elem", "array.init_data")
def prepare_array_and(instr: Instr, types: list[DefType]) -> ArrayAnd:
    """The array type, and the number or segment index that comes with it."""
    return (*prepare_array(instr, types), instr.immediates[1])


@rule("array.new_fixed", "Step/array.new_fixed")
def array_new_fixed(c: Config, x: ArrayAnd) -> str:
    """val^n (array.new_fixed x n) ~> (ref.array a), the elements packed"""
    deftype, zt, n = x
    vals = c.vals
    fields: list[Any] = []
    if n:
        fields = [packfield(zt, val) for val in vals[-n:]]
        del vals[-n:]
    vals.append(ArrayInst(c.meter, deftype, fields))
    return "Step/array.new_fixed"


@rule("array.new_elem", "Step_read/array.new_elem-oob", "Step_read/array.new_elem-alloc")
def array_new_elem(c: Config, x: ArrayAnd) -> str:
    """(i32.const i) (i32.const n) (array.new_elem x y) ~> ref^n (array.new_fixed x n), or trap"""
    deftype, zt, y = x
    n, i = c.vals.pop(), c.vals.pop()
    refs = c.frame.module.elems[y].refs
    if i + n > len(refs):
        return c.trap(ELEM_OUT_OF_BOUNDS, "Step_read/array.new_elem-oob")
    from_segment(c, (deftype, zt), refs[i : i + n])
    return "Step_read/array.new_elem-alloc"


@rule("array.new_data", "Step_read/array.new_data-oob", "Step_read/array.new_data-num")
def array_new_data(c: Config, x: ArrayAnd) -> str:
    """(i32.const i) (i32.const n) (array.new_data x y) ~> val^n (array.new_fixed x n), or trap"""
    deftype, zt, y = x
    n, i = c.vals.pop(), c.vals.pop()
    data = c.frame.module.datas[y].bytes
    end = i + n * zsize(zt) // 8
    if end > len(data):
        return c.trap(DATA_OUT_OF_BOUNDS, "Step_read/array.new_data-oob")
    from_segment(c, (deftype, zt), fields_of(zt, data[i:end]))
    return "Step_read/array.new_data-num"


GetElement = tuple[StorageType, bool | None]
"""The storage type of elements, and whether they are read as signed."""


@operand("array.get")
def prepare_array_get(instr: Instr, types: list[DefType]) -> GetElement:
    """How an element is read."""
    return storage(instr, types), instr.op.params[0]


@rule("array.get", "Step_read/array.get-null", "Step_read/array.get-oob", "Step_read/array.get-array")
def array_get(c: Config, x: GetElement) -> str:
    """ref (i32.const i) (array.get_sx? x) ~> unpackfield(fields[i]), or trap"""
    i = c.vals.pop()
    ref: ArrayInst | None = c.vals.pop()
    if ref is None:
        return c.trap(NULL, "Step_read/array.get-null")
    if i >= len(ref.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.get-oob")
    c.vals.append(unpackfield(*x, ref.fields[i]))
    return "Step_read/array.get-array"


@operand("array.set", "array.fill")
def prepare_array_set(instr: Instr, types: list[DefType]) -> StorageType:
    """How an element is written."""
    return storage(instr, types)


@rule("array.set", "Step/array.set-null", "Step/array.set-oob", "Step/array.set-array")
def array_set(c: Config, zt: StorageType) -> str:
    """ref (i32.const i) val (array.set x) ~> eps, fields[i] = packfield(val), or trap"""
    val, i = c.vals.pop(), c.vals.pop()
    ref: ArrayInst | None = c.vals.pop()
    if ref is None:
        return c.trap(NULL, "Step/array.set-null")
    if i >= len(ref.fields):
        return c.trap(OUT_OF_BOUNDS, "Step/array.set-oob")
    ref.fields[i] = packfield(zt, val)
    return "Step/array.set-array"


@rule("array.len", "Step_read/array.len-null", "Step_read/array.len-array")
def array_len(c: Config, x: Any) -> str:
    """ref array.len ~> (i32.const n), n = |fields|, or trap"""
    ref: ArrayInst | None = c.vals.pop()
    if ref is None:
        return c.trap(NULL, "Step_read/array.len-null")
    c.vals.append(len(ref.fields))
    return "Step_read/array.len-array"


@rule(
    "array.fill",
    "Step_read/array.fill-null",
    "Step_read/array.fill-oob",
    "Step_read/array.fill-zero",
    "Step_read/array.fill-succ",
)
def array_fill(c: Config, zt: StorageType) -> str:
    """ref (i32.const i) val (i32.const n) (array.fill x)"""
    vals = c.vals
    n, val, i = vals.pop(), vals.pop(), vals.pop()
    ref: ArrayInst | None = vals.pop()
    if ref is None:
        return c.trap(NULL, "Step_read/array.fill-null")
    if i + n > len(ref.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.fill-oob")
    if n == 0:
        return "Step_read/array.fill-zero"
    if c.observed:
        set_then(c, zt, (ref, i, val), (ref, i + 1, val, n - 1), (array_fill, zt))
    else:
        c.meter.bulk(n)
        ref.fields[i : i + n] = [packfield(zt, val)] * n
    return "Step_read/array.fill-succ"


@operand("array.copy")
def prepare_array_copy(instr: Instr, types: list[DefType]) -> tuple[StorageType, StorageType]:
    """How elements are written, and how they are read."""
    return storage(instr, types), storage(instr, types, 1)


@rule(
    "array.copy",
    "Step_read/array.copy-null1",
    "Step_read/array.copy-null2",
    "Step_read/array.copy-oob1",
    "Step_read/array.copy-oob2",
    "Step_read/array.copy-zero",
    "Step_read/array.copy-le",
    "Step_read/array.copy-gt",
)
def array_copy(c: Config, x: tuple[StorageType, StorageType]) -> str:
    """ref1 (i32.const i1) ref2 (i32.const i2) (i32.const n) (array.copy x1 x2)"""
    vals = c.vals
    n, i2 = vals.pop(), vals.pop()
    ref2: ArrayInst | None = vals.pop()
    i1 = vals.pop()
    ref1: ArrayInst | None = vals.pop()
    if ref1 is None or ref2 is None:
        return c.trap(NULL, f"Step_read/array.copy-null{1 if ref1 is None else 2}")
    if i1 + n > len(ref1.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.copy-oob1")
    if i2 + n > len(ref2.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.copy-oob2")
    if n == 0:
        return "Step_read/array.copy-zero"
    if c.observed:
        copy_one(c, x, ref1, i1, ref2, i2, n)
    else:
        c.meter.bulk(n)
        ref1.fields[i1 : i1 + n] = ref2.fields[i2 : i2 + n]
    return "Step_read/array.copy-le" if i1 <= i2 else "Step_read/array.copy-gt"


def copy_one(
    c: Config, x: tuple[StorageType, StorageType], ref1: ArrayInst, i1: int, ref2: ArrayInst, i2: int, n: int
) -> None:
    """Copy the first element, or the last one where the ranges may overlap the other way; then copy the rest."""
    instr, (zt1, zt2) = c.current(), x
    first, then = (0, 1) if i1 <= i2 else (n - 1, 0)
    c.vals += (ref1, i1 + first, ref2, i2 + first)
    move = (array_get, (zt2, True if isinstance(zt2, PackType) else None), instr), (array_set, zt1, instr)
    rest = [value(instr, v) for v in (ref1, i1 + then, ref2, i2 + then, n - 1)]
    c.insert((*move, *rest, (array_copy, x, instr)))


@rule(
    "array.init_elem",
    "Step_read/array.init_elem-null",
    "Step_read/array.init_elem-oob1",
    "Step_read/array.init_elem-oob2",
    "Step_read/array.init_elem-zero",
    "Step_read/array.init_elem-succ",
)
def array_init_elem(c: Config, x: ArrayAnd) -> str:
    """ref (i32.const i) (i32.const j) (i32.const n) (array.init_elem x y)"""
    vals = c.vals
    n, j, i = vals.pop(), vals.pop(), vals.pop()
    ref: ArrayInst | None = vals.pop()
    refs = c.frame.module.elems[x[2]].refs
    if ref is None:
        return c.trap(NULL, "Step_read/array.init_elem-null")
    if i + n > len(ref.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.init_elem-oob1")
    if j + n > len(refs):
        return c.trap(ELEM_OUT_OF_BOUNDS, "Step_read/array.init_elem-oob2")
    if n == 0:
        return "Step_read/array.init_elem-zero"
    if c.observed:
        set_then(c, x[1], (ref, i, refs[j]), (ref, i + 1, j + 1, n - 1), (array_init_elem, x))
    else:
        c.meter.bulk(n)
        ref.fields[i : i + n] = refs[j : j + n]
    return "Step_read/array.init_elem-succ"


@rule(
    "array.init_data",
    "Step_read/array.init_data-null",
    "Step_read/array.init_data-oob1",
    "Step_read/array.init_data-oob2",
    "Step_read/array.init_data-zero",
    "Step_read/array.init_data-num",
)
def array_init_data(c: Config, x: ArrayAnd) -> str:
    """ref (i32.const i) (i32.const j) (i32.const n) (array.init_data x y)"""
    vals = c.vals
    n, j, i = vals.pop(), vals.pop(), vals.pop()
    ref: ArrayInst | None = vals.pop()
    data, size = c.frame.module.datas[x[2]].bytes, zsize(x[1]) // 8
    if ref is None:
        return c.trap(NULL, "Step_read/array.init_data-null")
    if i + n > len(ref.fields):
        return c.trap(OUT_OF_BOUNDS, "Step_read/array.init_data-oob1")
    if j + n * size > len(data):
        return c.trap(DATA_OUT_OF_BOUNDS, "Step_read/array.init_data-oob2")
    if n == 0:
        return "Step_read/array.init_data-zero"
    if c.observed:
        val = fields_of(x[1], data[j : j + size])[0]
        set_then(c, x[1], (ref, i, val), (ref, i + 1, j + size, n - 1), (array_init_data, x))
    else:
        c.meter.bulk(n)
        ref.fields[i : i + n] = fields_of(x[1], data[j : j + n * size])
    return "Step_read/array.init_data-num"
