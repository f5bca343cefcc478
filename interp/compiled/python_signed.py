"""Which integer variables are kept as signed numbers: those that are loaded from memory, where a signed view costs no
more than an unsigned one, and then mostly compared as signed; and masks, all of whose bits are the same, as comparisons
of lanes give them.

Spec: exec/numerics#aux-signed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from interp.compiled.python_text import WIDTHS
from interp.compiled.reading import all_blocks, caught_names, counted_names, terminator_exprs
from interp.compiled.tree import CONST, SELECT, VAR, Assign, Do, Expr, Function
from interp.execution.values import MASK
from interp.syntax.types import I32, I64

SIGNED = frozenset({"ilt_s", "igt_s", "ile_s", "ige_s", "ishr_s", "idiv_s", "irem_s", "extend_s", "convert_s"})
"""Functions that take signed operands."""

EITHER = frozenset({
    "iadd", "isub", "imul", "iand", "ior", "ixor", "ishl", "wrap", "ieqz", "ieq", "ine", SELECT,
})  # fmt: skip
"""Functions that signed operands do as well for."""


def signed_variables(function: Function) -> frozenset[str]:
    """The variables."""
    candidates = {name for name, t in function.types.items() if t is I32 or t is I64}
    candidates.difference_update(function.params, function.defaults)
    gains: dict[str, int] = {}
    copies: list[tuple[str, Expr]] = []
    for block in all_blocks(function.blocks):
        candidates -= counted_names(block) | caught_names(block)
        for statement in block.statements:
            if isinstance(statement, Assign):
                copies += zip(statement.names, statement.exprs, strict=True)
                for e in statement.exprs:
                    weigh(e, gains)
            else:
                weigh_instruction(statement, gains)
                if not is_load(statement):
                    candidates.difference_update(statement.results)
        for e in terminator_exprs(block):
            weigh(e, gains)
            cost(e, gains)
    return closed({name for name in candidates if gains.get(name, 0) > 0}, copies, natural)


def closed(
    candidates: set[str], copies: Sequence[tuple[str, Expr]], fits: Callable[[Expr, set[str]], bool]
) -> frozenset[str]:
    """Those of some variables that nothing is assigned but what fits, where the others fit too."""
    changed = bool(candidates)
    while changed:
        wrong = {name for name, e in copies if name in candidates and not fits(e, candidates)}
        candidates = candidates - wrong
        changed = bool(wrong)
    return frozenset(candidates)


def mask_variables(function: Function) -> frozenset[str]:
    """The variables that are 0 or -1 always: chosen by conditions, or assigned such variables."""
    types = function.types
    candidates: set[str] = set()
    copies: list[tuple[str, Expr]] = []
    others: set[str] = {*function.params, *function.defaults}
    for block in all_blocks(function.blocks):
        others |= counted_names(block) | caught_names(block)
        for statement in block.statements:
            if isinstance(statement, Assign):
                copies += zip(statement.names, statement.exprs, strict=True)
                candidates.update(n for n, e in zip(statement.names, statement.exprs, strict=True) if is_choice(e))
            else:
                others.update(statement.results)
    return closed({name for name in candidates - others if types[name] in WIDTHS}, copies, is_mask)


def is_choice(e: Expr) -> bool:
    """Whether an expression is 0 or -1 by a condition."""
    return e.op == SELECT and all(is_mask(arg, set()) for arg in e.args[1:])


def is_mask(e: Expr, masks: set[str]) -> bool:
    """Whether an integer is 0 or -1."""
    if e.op == CONST:
        return e.type in WIDTHS and e.imm in (0, MASK[WIDTHS[e.type]])
    return is_choice(e) or (e.op == VAR and e.imm in masks)


def is_load(statement: Do) -> bool:
    """Whether an instruction is a load that a signed view does."""
    op = statement.instr.op
    return op.kind == "load" and (op.params[2] or int(op.params[0].value[1:]) == op.params[1])


def natural(e: Expr, candidates: set[str]) -> bool:
    """Whether a value is there as a signed number without more work."""
    if e.op == VAR:
        return e.imm in candidates
    if e.op == SELECT:
        return all(natural(arg, candidates) for arg in e.args[1:])
    return e.op in (CONST, "ishr_s", "iextend_s")


def variables(e: Expr) -> Iterator[str]:
    """The variable that an expression is, if it is one."""
    if e.op == VAR:
        yield e.imm


def cost(e: Expr, gains: dict[str, int]) -> None:
    """An expression is used where the exact value is needed."""
    for name in variables(e):
        gains[name] = gains.get(name, 0) - 1


def weigh(e: Expr, gains: dict[str, int]) -> None:
    """Count what signed operands would save and cost in an expression."""
    for arg in e.args:
        weigh(arg, gains)
        if e.op in SIGNED:
            for name in variables(arg):
                gains[name] = gains.get(name, 0) + 1
        elif e.op not in EITHER:
            cost(arg, gains)


def weigh_instruction(statement: Do, gains: dict[str, int]) -> None:
    """The same for an instruction: a store takes either, an address must be exact."""
    is_store = statement.instr.op.kind == "store"
    for index, arg in enumerate(statement.args):
        weigh(arg, gains)
        if statement.instr.op.sem is not None and statement.instr.op.sem.__name__ in SIGNED:
            for name in variables(arg):
                gains[name] = gains.get(name, 0) + 1
        elif not is_store or index == 0:
            cost(arg, gains)
            cost(arg, gains)
