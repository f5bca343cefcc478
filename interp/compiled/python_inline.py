"""Which loads may stand where their value is used, rather than on a line before.

A value that is used once, by the statement right behind the load, or behind several, needs no variable. Only statements
qualify that neither have effects nor trap in other ways, so that what an IndexError on the line means stays known, or
stores; and only places in them that are evaluated in any case, so that a trap is not passed by. Where more than one
thing in a statement may trap, each gets a line of its own.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interp.compiled.python_conditions import CONDITIONS
from interp.compiled.python_wide import is_step
from interp.compiled.reading import statement_exprs
from interp.compiled.structure import Choice, If, Node
from interp.compiled.tree import SELECT, VAR, Assign, Do, Expr, reads, variables
from interp.syntax.types import F32

MAX_LOADS = 8
"""In one statement."""

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


def put_off_loads(nodes: Sequence[Node], reused: set[str]) -> list[Node]:
    """A sequence in which loads stand, in their order, right before what uses their values, as far as nothing between
    has effects, may trap, or assigns what their addresses are made of."""
    found: list[Node] = []
    waiting: list[Do] = []
    for node in nodes:
        if isinstance(node, Do) and is_load(node) and node.results[0] not in reused:
            waiting.append(node)
            continue
        if waiting:
            due = len(waiting)
            if isinstance(node, Assign):
                read, assigned = read_in(node), set(node.names)
                while due and waiting[due - 1].results[0] not in read and not read_in(waiting[due - 1]) & assigned:
                    due -= 1
            found += waiting[:due]
            del waiting[:due]
        found.append(node)
    return found + waiting


def read_in(node: Node) -> set[str]:
    """The variables that a statement reads."""
    if not isinstance(node, Assign | Do):
        return set()
    return {name for e in statement_exprs(node) for name in variables(e)}


def read_by(nodes: Sequence[Node], number: int, reused: set[str]) -> Node | None:
    """The statement in which the loads from a place on may stand where their values are used, or None."""
    end = number
    while end < len(nodes) and end - number < MAX_LOADS and is_load(nodes[end]):
        end += 1
    loads = [node for node in nodes[number:end] if isinstance(node, Do)]
    names = [load.results[0] for load in loads]
    user = nodes[end] if end < len(nodes) else None
    if user is None or not loads or not reused.isdisjoint(names):
        return None
    if any(reads(load.args[0], name) for load in loads for name in names):
        return None
    fit = all(takes(user, name, len(loads) > 1) for name in names)
    # The first one that traps must be the one that traps first.
    return user if fit and (len(names) == 1 or list(filter(set(names).__contains__, in_order(user))) == names) else None


def in_order(user: Node) -> Iterator[str]:
    """The variables that a statement reads in its last operand, in the order of their evaluation."""
    return variables(statement_exprs(user)[-1]) if isinstance(user, Assign | Do) else iter(())


def takes(user: Node, name: str, several: bool) -> bool:
    """Whether a statement may read memory where it uses a value; those that lead on, at one place only."""
    if isinstance(user, Assign):
        return len(user.exprs) == 1 and fits(user.exprs[0], name)
    if isinstance(user, Do):
        is_store = user.instr.op.kind == "store" and user.instr.op.params[0] is not F32
        # What is stepped is tested, for which it needs a name.
        return is_store and not reads(user.args[0], name) and not is_step(user.args[1]) and fits(user.args[1], name)
    if isinstance(user, If):
        return not several and fits(user.condition, name)
    return isinstance(user, Choice) and not several and fits(user.index, name)
