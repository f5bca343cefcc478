"""Which integer variables may hold numbers beyond their type for a while: those that an inner loop steps, and that are
read outside of it alone, as counters of what was found. There the step needs no test, and what is read is masked.

Spec: exec/numerics
"""

from __future__ import annotations

from collections.abc import Iterator

from interp.compiled.facts import SMALL
from interp.compiled.python_text import WIDTHS
from interp.compiled.reading import all_blocks, caught_names, counted_names, statement_exprs, terminator_exprs
from interp.compiled.tree import CONST, VAR, Assign, Block, Do, Expr, Function, variables

WIDE = 1 << 62
"""No variable is stepped as far as this: it would take longer than anybody waits."""


def is_step(e: Expr) -> bool:
    """Whether an expression is the sum of a variable and a small number."""
    return e.op == "iadd" and e.args[0].op == VAR and e.args[1].op == CONST and e.args[1].imm <= SMALL


def is_step_of(name: str, e: Expr) -> bool:
    """Whether a variable is assigned the sum of itself and a small number."""
    return is_step(e) and e.args[0].imm == name


def wide_variables(function: Function) -> frozenset[str]:
    """The variables."""
    steps: dict[str, int] = {}
    blocks, nesting = list(all_blocks(function.blocks)), Nesting()
    for block in blocks:
        for statement in block.statements:
            if isinstance(statement, Assign) and len(statement.names) == 1:
                name = statement.names[0]
                if function.types[name] in WIDTHS and is_step_of(name, statement.exprs[0]):
                    depth = nesting.of(block)
                    steps[name] = min(steps.get(name, depth), depth)
    if not steps:
        return frozenset()
    found = set(steps).difference(function.params, function.defaults)
    for block in blocks:
        found -= counted_names(block) | caught_names(block)
        depth = nesting.of(block)
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


class Nesting:
    """How many loops are around each block of a function. Blocks are asked for in their order, headers first."""

    def __init__(self) -> None:
        self.inside: dict[Block | None, int] = {None: 0}

    def of(self, block: Block) -> int:
        """The number of loops around a block, the one that it heads included."""
        chain: list[Block] = []
        header: Block | None = block
        while header is not None and header not in self.inside:
            chain.append(header)
            header = header.outer
        for each in reversed(chain):
            self.inside[each] = self.inside[each.outer] + (each.back_edges > 0)
        return self.inside[block]
