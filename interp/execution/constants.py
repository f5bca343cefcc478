"""Constant expressions, and the instructions that fill tables and memories, for engines that do not run instructions
one by one (specification 4.7).

Spec: valid/instructions#constant-expressions, exec/modules#instantiation
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.errors import Trap, TrapKind
from interp.execution.aggregates import packfield, storagetypes
from interp.execution.references import default_value
from interp.execution.runtime import I31, ArrayInst, ModuleInst, Store, StructInst
from interp.execution.values import MASK
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import unpack

Evaluate = Callable[[Store, ModuleInst, Instr, list[Any]], None]


def evaluate(store: Store, moduleinst: ModuleInst, expr: Expr) -> Any:
    """The value of a constant expression.  Raises Exhaustion(HEAP)."""
    vals: list[Any] = []
    for instr in expr:
        step(store, moduleinst, instr, vals)
    return vals[-1]


def step(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """Apply one instruction of a constant expression to the values before it."""
    KINDS[instr.op.kind](store, moduleinst, instr, vals)


def constant(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """const, vconst"""
    vals.append(instr.immediates[0])


def null(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """ref.null"""
    vals.append(None)


def function(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """ref.func"""
    vals.append(moduleinst.funcs[instr.immediates[0]])


def i31(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """ref.i31"""
    vals[-1] = I31(vals[-1] & MASK[31])


def global_value(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """global.get"""
    vals.append(moduleinst.globals[instr.immediates[0]].value)


def binary(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """binop"""
    op = instr.op
    if op.sem is None:
        raise TypeError(f"{op.mnemonic} has no numerics function")
    val = vals.pop()
    vals[-1] = op.sem(*op.params, vals[-1], val)


def struct(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """struct.new, struct.new_default"""
    deftype = moduleinst.types[instr.immediates[0]]
    zts = storagetypes(deftype)
    if instr.op.kind == "struct.new_default":
        fields = [default_value(unpack(zt)) for zt in zts]
    else:
        first = len(vals) - len(zts)
        fields = list(map(packfield, zts, vals[first:]))
        del vals[first:]
    vals.append(StructInst(store.meter, deftype, fields))


def array(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """array.new, array.new_default, array.new_fixed"""
    deftype = moduleinst.types[instr.immediates[0]]
    (zt,) = storagetypes(deftype)
    n = instr.immediates[1] if instr.op.kind == "array.new_fixed" else vals.pop()
    store.meter.check_heap(n + 1)
    if instr.op.kind == "array.new_fixed":
        first = len(vals) - n
        fields = [packfield(zt, val) for val in vals[first:]]
        del vals[first:]
    else:
        val = default_value(unpack(zt)) if instr.op.kind == "array.new_default" else packfield(zt, vals.pop())
        fields = [val] * n
    vals.append(ArrayInst(store.meter, deftype, fields))


def nothing(store: Store, moduleinst: ModuleInst, instr: Instr, vals: list[Any]) -> None:
    """any.convert_extern, extern.convert_any"""


KINDS: dict[str, Evaluate] = {
    "const": constant, "vconst": constant, "ref.null": null, "ref.func": function, "ref.i31": i31,
    "global.get": global_value, "binop": binary, "struct.new": struct, "struct.new_default": struct,
    "array.new": array, "array.new_default": array, "array.new_fixed": array, "any.convert_extern": nothing,
    "extern.convert_any": nothing,
}  # fmt: skip


# ---- Bulk instructions, on their operands; each is one step here.


def table_init(store: Store, moduleinst: ModuleInst, x: int, y: int, i: int, j: int, n: int) -> None:
    """table.init y x: elements j to j+n of segment x to table y.  Raises Trap.

    Spec: exec/instructions#exec-table-init
    """
    table, elem = moduleinst.tables[y], moduleinst.elems[x]
    if i + n > len(table.refs) or j + n > len(elem.refs):
        raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
    store.meter.bulk(n)
    table.refs[i : i + n] = elem.refs[j : j + n]
    table.changed(i, i + n)


def memory_init(store: Store, moduleinst: ModuleInst, x: int, y: int, i: int, j: int, n: int) -> None:
    """memory.init y x: bytes j to j+n of segment x to memory y.  Raises Trap.

    Spec: exec/instructions#exec-memory-init
    """
    mem, data = moduleinst.mems[y], moduleinst.datas[x]
    if i + n > len(mem.bytes) or j + n > len(data.bytes):
        raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)
    store.meter.bulk(n)
    mem.bytes[i : i + n] = data.bytes[j : j + n]


INITIALISERS: dict[str, Callable[..., None]] = {"table.init": table_init, "memory.init": memory_init}


def initialise(store: Store, moduleinst: ModuleInst, instrs: Expr, call: Callable[[int], None]) -> None:
    """Run the instructions that instantiation is reduced to; `call` calls the start function.

    Raises Trap | Exhaustion.  Spec: exec/modules#instantiation
    """
    vals: list[Any] = []
    for instr in instrs:
        kind = instr.op.kind
        if kind in INITIALISERS:
            n, j, i = vals.pop(), vals.pop(), vals.pop()
            INITIALISERS[kind](store, moduleinst, *instr.immediates, i, j, n)
        elif kind == "elem.drop":
            moduleinst.elems[instr.immediates[0]].refs = ()
        elif kind == "data.drop":
            moduleinst.datas[instr.immediates[0]].bytes = b""
        elif kind == "call":
            call(instr.immediates[0])
        else:
            step(store, moduleinst, instr, vals)
