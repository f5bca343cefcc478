"""Which f64 variables may hold a NaN of any bits: those that only operators assign, never a value that came from
elsewhere with bits of its own. And which f32 variables may hold any NaN for another: those that only operators read.

Spec: exec/numerics#aux-nans
"""

from __future__ import annotations

from interp.compiled.python_values import ARITHMETIC
from interp.compiled.reading import all_blocks, caught_names, terminator_exprs
from interp.compiled.tree import CONST, SELECT, VAR, Assign, Expr, Function
from interp.syntax.types import F32, F64

NEVER_BITS = ARITHMETIC | {"convert_s", "convert_u", "ffloor", "fceil", "ftrunc", "fnearest", "fmin", "fmax"}
"""Functions whose result has no bits that came from elsewhere: a number, or a NaN that is the canonical one or may be
replaced by it."""


BLIND = frozenset({"fadd", "fsub", "fmul", "fdiv", "fsqrt", "feq", "fne", "flt", "fgt", "fle", "fge"})
"""Functions for whose results the bits of a NaN do not matter."""


def any_nans(function: Function) -> frozenset[str]:
    """The variables."""
    candidates = {name for name, t in function.types.items() if t is F64}
    if not candidates:
        return frozenset()
    candidates.difference_update(function.params)
    assignments: list[tuple[str, Expr]] = []
    for block in all_blocks(function.blocks):
        candidates -= caught_names(block)
        for statement in block.statements:
            if isinstance(statement, Assign):
                assignments += [(n, e) for n, e in zip(statement.names, statement.exprs, strict=True) if e.type is F64]
            else:
                candidates.difference_update(statement.results)
    changed = True
    while changed:
        changed = False
        for name, e in assignments:
            if name in candidates and has_bits(e, candidates):
                candidates.discard(name)
                changed = True
    return frozenset(candidates)


def unseen_nans(function: Function) -> frozenset[str]:
    """The variables of whose NaNs the bits do not matter: they are operands, or assigned to such variables."""
    candidates = {name for name, t in function.types.items() if t is F32}
    copies: list[tuple[str, str]] = []
    if not candidates:
        return frozenset()
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            if isinstance(statement, Assign):
                for name, e in zip(statement.names, statement.exprs, strict=True):
                    copies += [(name, seen) for seen in seen_by(e)]
            else:
                candidates.difference_update(*map(seen_by, statement.args))
        candidates.difference_update(*map(seen_by, terminator_exprs(block)))
    changed = True
    while changed:
        wrong = {seen for name, seen in copies if name not in candidates} & candidates
        candidates -= wrong
        changed = bool(wrong)
    return frozenset(candidates)


def seen_by(e: Expr) -> set[str]:
    """The f32 variables whose bits decide about the value of an expression."""
    if e.op == VAR:
        return {e.imm} if e.type is F32 else set()
    seen: set[str] = set()
    for arg in e.args:
        if e.op not in BLIND or arg.op != VAR:
            seen |= seen_by(arg)
    return seen


def has_bits(e: Expr, candidates: set[str]) -> bool:
    """Whether an f64 may be a NaN whose bits matter."""
    if e.op == CONST:
        return bool(e.imm != e.imm)
    if e.op == VAR:
        return e.imm not in candidates
    if e.op == SELECT:
        return has_bits(e.args[1], candidates) or has_bits(e.args[2], candidates)
    return e.op not in NEVER_BITS
