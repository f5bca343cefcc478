"""Assignments that nobody reads, left out.

Spec: exec/instructions#variable-instructions
"""

from __future__ import annotations

from interp.compiled.reading import all_blocks, counted_names, statement_exprs, terminator_exprs
from interp.compiled.tree import VAR, Assign, Expr, Function, Try
from interp.syntax.types import RefType


def drop_unread(function: Function) -> None:
    """Leave out the assignments of variables that are read nowhere; expressions have no effects. Not where exceptions
    are caught, since locals are not taken apart there."""
    blocks = list(all_blocks(function.blocks))
    if any(isinstance(block.terminator, Try) for block in blocks):
        return
    counts = read_counts(function)
    changed = True
    while changed:
        changed = False
        # Backward, since what is left out may have been all that read what is before it.
        for block in reversed(blocks):
            kept = []
            for statement in reversed(block.statements):
                if isinstance(statement, Assign) and not kept_for(statement, counts):
                    for e in statement.exprs:
                        changed = changed or bool(e.args) or e.op == VAR
                        count(e, -1, counts)
                else:
                    kept.append(statement)
            block.statements = kept[::-1]
    function.defaults = [name for name in function.defaults if counts.get(name)]


def read_counts(function: Function) -> dict[str, int]:
    """How often a function reads each variable."""
    counts: dict[str, int] = {}
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            for e in statement_exprs(statement):
                count(e, 1, counts)
        for e in terminator_exprs(block):
            count(e, 1, counts)
        for name in counted_names(block):
            counts[name] = counts.get(name, 0) + 1
    return counts


def kept_for(statement: Assign, counts: dict[str, int]) -> bool:
    """Whether an assignment stays: one that is read, and one that lets go of an object."""
    return any(counts.get(name) for name in statement.names) or any(
        isinstance(e.type, RefType) for e in statement.exprs
    )


def count(e: Expr, n: int, counts: dict[str, int]) -> None:
    """Add n for each time that an expression reads a variable."""
    if e.op == VAR:
        counts[e.imm] = counts.get(e.imm, 0) + n
    for arg in e.args:
        count(arg, n, counts)
