"""Reduction of structure instructions (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction, `zt` the storage type of a field, `i` its index.
Spec: exec/instructions#structure-instructions
"""

from __future__ import annotations

from typing import Any

from interp.errors import TrapKind
from interp.execution.aggregates import packfield, storagetypes, unpackfield
from interp.execution.references import default_value
from interp.execution.runtime import StructInst
from interp.reference.configuration import Config, operand, rule
from interp.syntax.instructions import Instr
from interp.syntax.types import DefType, StorageType, unpack

NULL = TrapKind.NULL_STRUCTURE_REFERENCE

Structure = tuple[DefType, tuple[StorageType, ...]]
"""A structure type and the storage types of its fields."""

GetField = tuple[int, StorageType, bool | None]
"""Index and storage type of a field, and whether it is read as signed."""

Default = tuple[Structure, tuple[Any, ...]]
"""A structure type and the default values of its fields."""


def structure(instr: Instr, types: list[DefType]) -> Structure:
    """The structure type that an instruction names first."""
    deftype = types[instr.immediates[0]]
    return deftype, storagetypes(deftype)


@operand("struct.new")
def prepare_struct_new(instr: Instr, types: list[DefType]) -> Structure:
    """The structure type."""
    return structure(instr, types)


@rule("struct.new", "Step/struct.new")
def struct_new(c: Config, x: Structure) -> str:
    """val^n (struct.new x) ~> (ref.struct a), the fields packed"""
    deftype, zts = x
    vals, n = c.vals, len(zts)
    fields: list[Any] = []
    if n:
        fields = list(map(packfield, zts, vals[-n:]))
        del vals[-n:]
    vals.append(StructInst(c.meter, deftype, fields))
    return "Step/struct.new"


@operand("struct.new_default")
def prepare_struct_new_default(instr: Instr, types: list[DefType]) -> Default:
    """The structure type and the default values of its fields."""
    x = structure(instr, types)
    return x, tuple([default_value(unpack(zt)) for zt in x[1]])


@rule("struct.new_default", "Step_read/struct.new_default")
def struct_new_default(c: Config, x: Default) -> str:
    """(struct.new_default x) ~> val* (struct.new x)"""
    structtype, defaults = x
    if c.observed:
        c.vals.extend(defaults)
        c.insert(((struct_new, structtype, c.current()),))
    else:
        c.vals.append(StructInst(c.meter, structtype[0], list(defaults)))
    return "Step_read/struct.new_default"


@operand("struct.get")
def prepare_struct_get(instr: Instr, types: list[DefType]) -> GetField:
    """The field, and how it is read."""
    i = instr.immediates[1]
    return i, structure(instr, types)[1][i], instr.op.params[0]


@rule("struct.get", "Step_read/struct.get-null", "Step_read/struct.get-struct")
def struct_get(c: Config, x: GetField) -> str:
    """ref (struct.get_sx? x i) ~> unpackfield(fields[i]), or trap"""
    i, zt, sx = x
    ref: StructInst | None = c.vals.pop()
    if ref is None:
        return c.trap(NULL, "Step_read/struct.get-null")
    c.vals.append(unpackfield(zt, sx, ref.fields[i]))
    return "Step_read/struct.get-struct"


@operand("struct.set")
def prepare_struct_set(instr: Instr, types: list[DefType]) -> tuple[int, StorageType]:
    """The field."""
    i = instr.immediates[1]
    return i, structure(instr, types)[1][i]


@rule("struct.set", "Step/struct.set-null", "Step/struct.set-struct")
def struct_set(c: Config, x: tuple[int, StorageType]) -> str:
    """ref val (struct.set x i) ~> eps, fields[i] = packfield(val), or trap"""
    i, zt = x
    val = c.vals.pop()
    ref: StructInst | None = c.vals.pop()
    if ref is None:
        return c.trap(NULL, "Step/struct.set-null")
    ref.fields[i] = packfield(zt, val)
    return "Step/struct.set-struct"
