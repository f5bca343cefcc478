"""Which loads may stand where their value is used, rather than on a line before.

A value that is used once, by the statement right behind the load, needs no variable. Only statements qualify that
neither have effects nor trap in other ways, so that what an IndexError on the line means stays known, and only places
in them that are evaluated in any case, so that a trap is not passed by.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Sequence

from interp.compiled.python_conditions import CONDITIONS
from interp.compiled.structure import Choice, If, Node
from interp.compiled.tree import SELECT, VAR, Assign, Do, Expr, reads
from interp.syntax.types import F32

ALWAYS = frozenset({
    "iadd", "isub", "imul", "ior", "ixor", "ishl", "ishr_u", "ishr_s", "ieq", "ine", "ilt_u", "igt_u", "ile_u", "ige_u",
    "ieqz", "wrap", "extend_u", "extend_s", "iextend_s", "fadd", "fsub", "fmul",
    "feq", "fne", "flt", "fgt", "fle", "fge",
})  # fmt: skip
"""Functions that are written so that their operands are always evaluated, each once."""


def always(e: Expr, name: str) -> bool:
    """Whether the one place where an expression reads a variable is evaluated whatever else is."""
    if e.op == VAR:
        return True
    arg = next(arg for arg in e.args if reads(arg, name))
    fits = e.op in ALWAYS or (e.op == SELECT and arg is e.args[0])
    fits = fits or (e.op == "iand" and (arg.op not in CONDITIONS or arg is e.args[0]))
    return fits and always(arg, name)


def fits(e: Expr, name: str) -> bool:
    """Whether an expression reads a variable once, and always."""
    return reads(e, name) == 1 and always(e, name)


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
    name, user = node.results[0], nodes[number + 1] if number + 1 < len(nodes) else None
    if isinstance(user, Assign):
        return len(user.exprs) == 1 and fits(user.exprs[0], name)
    if isinstance(user, If):
        return fits(user.condition, name)
    return isinstance(user, Choice) and fits(user.index, name)
