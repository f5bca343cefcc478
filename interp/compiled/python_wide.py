"""Which integer variables may hold numbers beyond their type for a while: those that an inner loop steps, and that are
read outside of it alone, as counters of what was found. There the step needs no test, and what is read is masked.

Spec: exec/numerics
"""

from __future__ import annotations

from collections.abc import Iterator

from interp.compiled.facts import SMALL
from interp.compiled.python_text import WIDTHS
from interp.compiled.reading import all_blocks, caught_names, counted_names, statement_exprs, terminator_exprs
from interp.compiled.tree import CONST, VAR, Assign, Block, Do, Expr, Function

WIDE = 1 << 62
"""No variable is stepped as far as this: it would take longer than anybody waits."""


def is_step_of(name: str, e: Expr) -> bool:
    """Whether a variable is assigned the sum of itself and a small number."""
    return e.op == "iadd" and e.args[0].op == VAR and e.args[0].imm == name and is_small(e.args[1])


def is_small(e: Expr) -> bool:
    """Whether an expression is a small number."""
    return e.op == CONST and bool(e.imm <= SMALL)


def wide_variables(function: Function) -> frozenset[str]:
    """The variables."""
    steps: dict[str, int] = {}
    blocks = list(all_blocks(function.blocks))
    for block in blocks:
        for statement in block.statements:
            if isinstance(statement, Assign) and len(statement.names) == 1:
                name = statement.names[0]
                if function.types[name] in WIDTHS and is_step_of(name, statement.exprs[0]):
                    steps[name] = min(steps.get(name, nesting(block)), nesting(block))
    if not steps:
        return frozenset()
    found = set(steps).difference(function.params, function.defaults)
    for block in blocks:
        found -= counted_names(block) | caught_names(block)
        depth = nesting(block)
        for e in read_beside_steps(block):
            found -= {name for name in variables(e) if name in found and depth >= steps[name]}
        for statement in block.statements:
            if isinstance(statement, Do):
                found.difference_update(statement.results)
    return frozenset(found)


def read_beside_steps(block: Block) -> Iterator[Expr]:
    """The expressions in a block, but those that step the variable that they are assigned to."""
    for statement in block.statements:
        if not (isinstance(statement, Assign) and len(statement.names) == 1) or not is_step_of(
            statement.names[0], statement.exprs[0]
        ):
            yield from statement_exprs(statement)
    yield from terminator_exprs(block)


def variables(e: Expr) -> Iterator[str]:
    """The variables that an expression reads."""
    if e.op == VAR:
        yield e.imm
    for arg in e.args:
        yield from variables(arg)


def nesting(block: Block) -> int:
    """How many loops are around a block."""
    n, header = int(block.back_edges > 0), block.outer
    while header is not None:
        n += header.back_edges > 0
        header = header.outer
    return n
