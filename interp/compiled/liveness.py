"""Which variables may still be read, by name, once locals are taken apart.

Spec: exec/runtime#activation-frames
"""

from __future__ import annotations

from interp.compiled.scalarize import terminator_exprs
from interp.compiled.split import assigned_names, counted_names
from interp.compiled.tree import VAR, Assign, Block, Expr, Function, successors


def alive(function: Function) -> dict[Block, set[str]]:
    """For each block the variables whose values at its start may be used."""
    used: dict[Block, set[str]] = {}
    assigned: dict[Block, set[str]] = {}
    for block in function.blocks:
        read: set[str] = set()
        sets: set[str] = set()
        for statement in block.statements:
            for e in statement.exprs if isinstance(statement, Assign) else statement.args:
                add_read(e, sets, read)
            sets.update(assigned_names(statement))
        for e in terminator_exprs(block):
            add_read(e, sets, read)
        if block.count is not None:
            read.update(counted_names(block))
        used[block], assigned[block] = read, sets
    living = dict(used)
    changed = True
    while changed:
        changed = False
        for block in reversed(function.blocks):
            now = used[block].union(*[living[target] - assigned[block] for target in successors(block.terminator)])
            if len(now) != len(living[block]):
                living[block] = now
                changed = True
    return living


def add_read(e: Expr, assigned: set[str], found: set[str]) -> None:
    """Add the locals that an expression reads and that are not assigned before."""
    if e.op == VAR:
        if e.imm[0] == "l" and e.imm not in assigned:
            found.add(e.imm)
    elif e.reads:
        for arg in e.args:
            add_read(arg, assigned, found)


def counted_in(block: Block) -> set[str]:
    """The variables that a loop counts by, if a block heads one that may be counted."""
    count = block.count
    return counted_names(block) if count is not None and count.entered and count.steady else set()
