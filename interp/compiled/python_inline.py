"""Which loads may stand where their value is used, rather than on a line before.

A value that is used once, by the statement right behind the load or behind a run of such loads, needs no variable. Only
statements qualify that neither have effects nor trap in other ways, so that what an IndexError on the line means stays
known.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Sequence

from interp.compiled.structure import Choice, If, Node
from interp.compiled.tree import VAR, Assign, Do, Expr
from interp.syntax.types import F32

MAX_RUN = 4
"""Loads in a run."""


def uses(e: Expr, name: str) -> int:
    """How often an expression reads a variable."""
    return int(e.imm == name) if e.op == VAR else sum([uses(arg, name) for arg in e.args])


def is_load(node: Node) -> bool:
    """Whether a node is a load of an integer or f64 into a temporary."""
    return (
        isinstance(node, Do)
        and node.instr.op.kind == "load"
        and node.results[0][0] == "t"
        and node.instr.op.params[0] is not F32
    )


def inlined(nodes: Sequence[Node], number: int, reused: set[str]) -> bool:
    """Whether the load at a place in a sequence may stand where its value is used."""
    node = nodes[number]
    if not isinstance(node, Do) or not is_load(node) or node.results[0] in reused:
        return False
    name = node.results[0]
    for other in nodes[number + 1 : number + 1 + MAX_RUN]:
        if isinstance(other, Assign):
            return sum([uses(e, name) for e in other.exprs]) == 1 and len(other.names) == 1
        if isinstance(other, If):
            return uses(other.condition, name) == 1
        if isinstance(other, Choice):
            return uses(other.index, name) == 1
        if not isinstance(other, Do) or not is_load(other) or any(uses(arg, name) for arg in other.args):
            return False
    return False
