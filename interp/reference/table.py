"""Reduction of table instructions (specification 4.6).

`c` is the configuration, `x` table and segment indices, `i`, `j` indices into them, `n` a count. The rules of
table.fill, table.copy and table.init trap if the range does not fit, else end if it is empty, else move one element and
leave the rest to the same instruction again; unobserved, one step moves the whole range.
Spec: exec/instructions#table-instructions
"""

from __future__ import annotations

from interp.errors import TrapKind
from interp.execution.runtime import ElemInst, TableInst
from interp.reference.configuration import Config, Point, rule
from interp.reference.numeric import const
from interp.syntax.instructions import Instr

OUT_OF_BOUNDS = TrapKind.TABLE_OUT_OF_BOUNDS


def value(instr: Instr, val: object) -> Point:
    """A value among the instructions that a rule leaves."""
    return (const, val, instr)


@rule("table.get", "Step_read/table.get-oob", "Step_read/table.get-val")
def table_get(c: Config, x: int) -> str:
    """(at.const i) (table.get x) ~> tab.refs[i], or trap"""
    refs = c.frame.module.tables[x].refs
    i = c.vals.pop()
    if i >= len(refs):
        return c.trap(OUT_OF_BOUNDS, "Step_read/table.get-oob")
    c.vals.append(refs[i])
    return "Step_read/table.get-val"


@rule("table.set", "Step/table.set-oob", "Step/table.set-val")
def table_set(c: Config, x: int) -> str:
    """(at.const i) ref (table.set x) ~> eps, tab.refs[i] = ref, or trap"""
    refs = c.frame.module.tables[x].refs
    ref, i = c.vals.pop(), c.vals.pop()
    if i >= len(refs):
        return c.trap(OUT_OF_BOUNDS, "Step/table.set-oob")
    refs[i] = ref
    return "Step/table.set-val"


@rule("table.size", "Step_read/table.size")
def table_size(c: Config, x: int) -> str:
    """(table.size x) ~> (at.const n), n = |tab.refs|"""
    c.vals.append(len(c.frame.module.tables[x].refs))
    return "Step_read/table.size"


@rule("table.grow", "Step/table.grow-succeed", "Step/table.grow-fail")
def table_grow(c: Config, x: int) -> str:
    """ref (at.const n) (table.grow x) ~> the old size, or -1"""
    table = c.frame.module.tables[x]
    n, ref = c.vals.pop(), c.vals.pop()
    size = len(table.refs)
    if table.grow(n, ref):
        c.vals.append(size)
        return "Step/table.grow-succeed"
    c.vals.append(2 ** int(table.type.addrtype.value[1:]) - 1)
    return "Step/table.grow-fail"


@rule("table.fill", "Step_read/table.fill-oob", "Step_read/table.fill-zero", "Step_read/table.fill-succ")
def table_fill(c: Config, x: int) -> str:
    """(at.const i) val (at.const n) (table.fill x)
    ~> (at.const i) val (table.set x) (at.const i+1) val (at.const n-1) (table.fill x)"""
    vals = c.vals
    n, val, i = vals.pop(), vals.pop(), vals.pop()
    refs = c.frame.module.tables[x].refs
    if i + n > len(refs):
        return c.trap(OUT_OF_BOUNDS, "Step_read/table.fill-oob")
    if n == 0:
        return "Step_read/table.fill-zero"
    if c.observed:
        instr = c.current()
        vals += (i, val)
        rest = [value(instr, v) for v in (i + 1, val, n - 1)]
        c.insert(((table_set, x, instr), *rest, (table_fill, x, instr)))
    else:
        c.meter.bulk(n)
        refs[i : i + n] = [val] * n
    return "Step_read/table.fill-succ"


@rule(
    "table.copy",
    "Step_read/table.copy-oob",
    "Step_read/table.copy-zero",
    "Step_read/table.copy-le",
    "Step_read/table.copy-gt",
)
def table_copy(c: Config, x: tuple[int, int]) -> str:
    """(at1.const i1) (at2.const i2) (at.const n) (table.copy x1 x2), where k = n-1
    ~> (at1.const i1) (at2.const i2) (table.get x2) (table.set x1)
       (at1.const i1+1) (at2.const i2+1) (at.const k) (table.copy x1 x2) if i1 <= i2, else
       (at1.const i1+k) (at2.const i2+k) (table.get x2) (table.set x1)
       (at1.const i1) (at2.const i2) (at.const k) (table.copy x1 x2)"""
    x1, x2 = x
    vals, tables = c.vals, c.frame.module.tables
    n, i2, i1 = vals.pop(), vals.pop(), vals.pop()
    refs1, refs2 = tables[x1].refs, tables[x2].refs
    if i1 + n > len(refs1) or i2 + n > len(refs2):
        return c.trap(OUT_OF_BOUNDS, "Step_read/table.copy-oob")
    if n == 0:
        return "Step_read/table.copy-zero"
    up = i1 <= i2
    if c.observed:
        instr = c.current()
        first, then = (0, (i1 + 1, i2 + 1)) if up else (n - 1, (i1, i2))
        vals += (i1 + first, i2 + first)
        rest = [value(instr, v) for v in (*then, n - 1)]
        c.insert(((table_get, x2, instr), (table_set, x1, instr), *rest, (table_copy, x, instr)))
    else:
        c.meter.bulk(n)
        refs1[i1 : i1 + n] = refs2[i2 : i2 + n]
    return "Step_read/table.copy-le" if up else "Step_read/table.copy-gt"


@rule("table.init", "Step_read/table.init-oob", "Step_read/table.init-zero", "Step_read/table.init-succ")
def table_init(c: Config, x: tuple[int, int]) -> str:
    """(at.const i) (i32.const j) (i32.const n) (table.init x y)
    ~> (at.const i) elem.refs[j] (table.set x) (at.const i+1) (i32.const j+1) (i32.const n-1) (table.init x y)"""
    vals, module = c.vals, c.frame.module
    table: TableInst = module.tables[x[1]]
    elem: ElemInst = module.elems[x[0]]
    n, j, i = vals.pop(), vals.pop(), vals.pop()
    if i + n > len(table.refs) or j + n > len(elem.refs):
        return c.trap(OUT_OF_BOUNDS, "Step_read/table.init-oob")
    if n == 0:
        return "Step_read/table.init-zero"
    if c.observed:
        instr = c.current()
        vals += (i, elem.refs[j])
        rest = [value(instr, v) for v in (i + 1, j + 1, n - 1)]
        c.insert(((table_set, x[1], instr), *rest, (table_init, x, instr)))
    else:
        c.meter.bulk(n)
        table.refs[i : i + n] = elem.refs[j : j + n]
    return "Step_read/table.init-succ"


@rule("elem.drop", "Step/elem.drop")
def elem_drop(c: Config, x: int) -> str:
    """(elem.drop x) ~> eps, elem.refs = eps"""
    c.frame.module.elems[x].refs = ()
    return "Step/elem.drop"
