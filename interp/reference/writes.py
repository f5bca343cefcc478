"""What the rules that change the state overwrite: for each kind of instruction with such a rule (its name begins with
`Step/`), the place where it is about to write.

A function here is called before the rule with the configuration `c`, the operand `x` of the rule function, and the
instruction; it gives None where the rule will not write (since it traps, say). It must change nothing.
Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.execution.places import Place
from interp.execution.runtime import ArrayInst, MemInst, StructInst
from interp.reference.configuration import KINDS, NAMES, Config, RuleFunction
from interp.syntax.instructions import Instr

Writes = Callable[[Config, Any, Instr], Place | None]

WRITES: dict[str, Writes] = {}

ALLOCATE = frozenset({"struct.new", "array.new_fixed", "throw"})
"""Kinds whose rules only make a new object: nothing that was there before is overwritten."""


def writes(*kinds: str) -> Callable[[Writes], Writes]:
    """Register where instructions of these kinds write."""

    def register(function: Writes) -> Writes:
        WRITES.update(dict.fromkeys(kinds, function))
        return function

    return register


@writes("local.set")
def local_set(c: Config, x: int, instr: Instr) -> Place | None:
    """f.locals[x]"""
    return (c.frame, "locals", x, x + 1)


@writes("global.set")
def global_set(c: Config, x: int, instr: Instr) -> Place | None:
    """s.globals[f.module.globals[x]].value"""
    return (c.frame.module.globals[x], "value", None, None)


@writes("table.set")
def table_set(c: Config, x: int, instr: Instr) -> Place | None:
    """tab.refs[i]"""
    table, i = c.frame.module.tables[x], c.vals[-2]
    return (table, "refs", i, i + 1) if i < len(table.refs) else None


@writes("table.grow")
def table_grow(c: Config, x: int, instr: Instr) -> Place | None:
    """what follows tab.refs"""
    table = c.frame.module.tables[x]
    return (table, "refs", len(table.refs), None)


@writes("elem.drop")
def elem_drop(c: Config, x: int, instr: Instr) -> Place | None:
    """elem.refs"""
    return (c.frame.module.elems[x], "refs", None, None)


@writes("store", "vstore", "vstore_lane")
def store(c: Config, x: Any, instr: Instr) -> Place | None:
    """mem.bytes[i + ao.offset : N/8]"""
    memarg = x[0] if type(x) is tuple else x
    mem: MemInst = c.frame.module.mems[memarg.memidx]
    ea = c.vals[-2] + memarg.offset
    end = ea + instr.op.params[1] // 8
    return (mem, "bytes", ea, end) if end <= len(mem.bytes) else None


@writes("memory.grow")
def memory_grow(c: Config, x: int, instr: Instr) -> Place | None:
    """what follows mem.bytes"""
    mem = c.frame.module.mems[x]
    return (mem, "bytes", len(mem.bytes), None)


@writes("data.drop")
def data_drop(c: Config, x: int, instr: Instr) -> Place | None:
    """data.bytes"""
    return (c.frame.module.datas[x], "bytes", None, None)


@writes("struct.set")
def struct_set(c: Config, x: tuple[int, Any], instr: Instr) -> Place | None:
    """s.structs[a].fields[i]"""
    ref: StructInst | None = c.vals[-2]
    return None if ref is None else (ref, "fields", x[0], x[0] + 1)


@writes("array.set")
def array_set(c: Config, x: Any, instr: Instr) -> Place | None:
    """s.arrays[a].fields[i]"""
    ref: ArrayInst | None = c.vals[-3]
    i = c.vals[-2]
    return None if ref is None or i >= len(ref.fields) else (ref, "fields", i, i + 1)


def changes_state(kind: str) -> bool:
    """Whether a rule of a kind of instruction changes the state; the name of the relation says so."""
    return any(name.startswith("Step/") for name in NAMES.get(kind, ()))


class UnknownWrites(Exception):
    """A rule changes the state, but nobody registered where; it cannot be watched."""


def writes_of(function: RuleFunction) -> Writes | None:
    """Where the rules of a rule function write; None if they change nothing.  Raises UnknownWrites."""
    kind = KINDS.get(function, "")
    found = WRITES.get(kind)
    if found is None and kind not in ALLOCATE and changes_state(kind):
        raise UnknownWrites(f"it is not known what {kind} changes")
    return found
