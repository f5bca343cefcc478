"""Pointers that a function is given: which parameters would have to be multiples of a power of two for its loads and
stores to be aligned.

Compilers align what they lay out, so nearly all pointers are; a function that tests its parameters once may rely on
that in every access, and leaves calls with other ones to a more general version of itself.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Iterator

from interp.compiled.reading import all_blocks, caught_names
from interp.compiled.tree import SELECT, VAR, Assign, Do, Expr, Function
from interp.execution.values import MASK
from interp.syntax.instructions import MemArg
from interp.syntax.types import I32

MIN_ACCESSES = 3
"""Loads and stores from which on a test of parameters pays in a function without loops."""

KEEPING = frozenset({"iadd", "isub", "ior", "ixor"})
"""Functions that give a multiple of a power of two if both operands are."""

Access = tuple[Expr, int]
"""The base of an access that is not known to be aligned, and the exponent of its width in bytes."""


def unaligned(function: Function) -> Iterator[Access]:
    """The loads and stores whose addresses are not known to be multiples of their widths."""
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            if isinstance(statement, Do) and statement.instr.op.kind in ("load", "store"):
                memarg: MemArg = statement.instr.immediates[0]
                shift = min((statement.instr.op.params[1] >> 3).bit_length() - 1, max(memarg.align, 2))
                base = statement.args[0]
                if base.type is I32 and base.zeros < shift and not memarg.offset & MASK[shift]:
                    yield base, shift


def sources(e: Expr, shift: int) -> set[str] | None:
    """The variables that must be multiples of 2**shift for an expression to be one; None if that is not enough."""
    if e.zeros >= shift:
        return set()
    if e.op == VAR:
        return {e.imm}
    if e.op in KEEPING or e.op == SELECT:
        found: set[str] = set()
        for arg in e.args[1:] if e.op == SELECT else e.args:
            more = sources(arg, shift)
            if more is None:
                return None
            found |= more
        return found
    return None


def assignments(function: Function) -> tuple[dict[str, list[Expr]], set[str]]:
    """What each variable is assigned, and the variables that get values which are not known."""
    known: dict[str, list[Expr]] = {}
    others: set[str] = set()
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            if isinstance(statement, Assign):
                for name, e in zip(statement.names, statement.exprs, strict=True):
                    known.setdefault(name, []).append(e)
            else:
                others.update(statement.results)
        others |= caught_names(block)
    return known, others


def aligned_parameters(function: Function) -> dict[str, int]:
    """The parameters that decide whether accesses are aligned: name -> how many of their lowest bits must be 0."""
    accesses = list(unaligned(function))
    loops = any(block.back_edges for block in all_blocks(function.blocks))
    if not accesses or (not loops and len(accesses) < MIN_ACCESSES):
        return {}
    known, others = assignments(function)
    found: dict[str, int] = {}
    for base, shift in accesses:
        for name in reached(base, shift, known, others, set(function.params)):
            found[name] = max(found.get(name, 0), shift)
    return found


def reached(base: Expr, shift: int, known: dict[str, list[Expr]], others: set[str], params: set[str]) -> set[str]:
    """The parameters that an address comes from; none if anything else has a part in it."""
    seen: set[str] = set()
    waiting = sources(base, shift)
    if waiting is None:
        return set()
    while waiting:
        name = waiting.pop()
        if name in others or (name not in params and name not in known):
            return set()
        seen.add(name)
        for e in known.get(name, ()):
            more = sources(e, shift)
            if more is None:
                return set()
            waiting |= more - seen
    return seen & params
