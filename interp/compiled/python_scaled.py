"""Which integer variables are kept divided by a power of two: pointers that are mostly used as indices of items of one
width, stepped by whole items, and compared with each other.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from interp.compiled.reading import all_blocks, caught_names, counted_names, terminator_exprs
from interp.compiled.tree import CONST, VAR, Assign, Block, Do, Expr, Function, divided, item_shift
from interp.syntax.types import I32

COMPARED = frozenset({"ieq", "ine", "ilt_u", "igt_u", "ile_u", "ige_u"})
"""Comparisons of two numbers that those of their quotients do as well."""

INSIDE = 8
"""How many times more often a loop's code is expected to run than the code around it."""

MAX_NESTING = 4


@dataclass(slots=True)
class Uses:
    """How a function uses a variable, weighed by the loops around: as indices by the exponent of the width, in other
    ways that need the number itself, the comparisons with others, and what it is assigned."""

    indices: dict[int, int] = field(default_factory=dict)
    others: int = 0
    compared: list[tuple[Expr, Expr, int]] = field(default_factory=list)
    assigned: list[tuple[Expr, int]] = field(default_factory=list)

    def expressions(self) -> Iterator[Expr]:
        """What the variable is assigned, and compared with."""
        for e, _ in self.assigned:
            yield e
        for a, b, _ in self.compared:
            yield a
            yield b

    @property
    def shift(self) -> int:
        """The exponent that saves most."""
        return max(self.indices, key=lambda shift: self.indices[shift], default=0)


def scaled_variables(function: Function, signs: frozenset[str]) -> dict[str, int]:
    """The variables, and by which power of two each is divided."""
    uses = Scan(function, signs).uses
    shifts = spread(uses)
    neighbours: dict[str, set[str]] = {}
    for name in shifts:
        for e in uses[name].expressions():
            for other in divided(e, 0):
                neighbours.setdefault(other, set()).add(name)
    changed = bool(shifts)
    while changed:
        changed = False
        for name in list(shifts):
            others = neighbours.get(name, set()) & shifts.keys() - {name}
            whole = sum([gain(uses[each], shifts[each], shifts) for each in (name, *others)])
            without = {each: shift for each, shift in shifts.items() if each != name}
            if whole <= sum([gain(uses[each], shifts[each], without) for each in others]):
                shifts, changed = without, True
    return shifts


def spread(uses: dict[str, Uses]) -> dict[str, int]:
    """What could be divided, and how: what is an index, and what is assigned to such a variable or compared with it."""
    shifts = {name: use.shift for name, use in uses.items() if use.shift}
    waiting = list(shifts)
    while waiting:
        name = waiting.pop()
        for e in uses[name].expressions():
            for other in uses.keys() & set(divided(e, 0)) - shifts.keys():
                shifts[other] = shifts[name]
                waiting.append(other)
    return {
        name: shift
        for name, shift in shifts.items()
        if uses[name].assigned and all(e.zeros >= shift for e, _ in uses[name].assigned)
    }


def gain(use: Uses, shift: int, shifts: dict[str, int]) -> int:
    """What it saves to keep a variable divided, where these others are too."""
    gained = use.indices.get(shift, 0) - use.others - sum(n for other, n in use.indices.items() if other != shift)
    gained -= sum(n for e, n in use.assigned if not natural(e, shift, shifts))
    return gained - sum(n for a, b, n in use.compared if not (natural(a, shift, shifts) and natural(b, shift, shifts)))


def natural(e: Expr, shift: int, shifts: dict[str, int]) -> bool:
    """Whether the quotient of an expression is there without more work."""
    if e.op == VAR:
        return shifts.get(e.imm) == shift
    if e.op == CONST:
        return e.zeros >= shift
    if e.op == "ishl":
        return e.args[1].op == CONST and e.zeros >= shift
    return e.op == "iadd" and all(natural(arg, shift, shifts) for arg in e.args)


class Scan:
    """Looks through a function for the variables that could be divided."""

    def __init__(self, function: Function, signs: frozenset[str]) -> None:
        blocks = list(all_blocks(function.blocks))
        out = {*function.params, *function.defaults, *signs}
        for block in blocks:
            out |= counted_in(block) | caught_names(block)
            for statement in block.statements:
                if isinstance(statement, Do):
                    out.update(statement.results)
                elif len(statement.names) > 1:
                    out.update(statement.names)
        self.uses = {name: Uses() for name, t in function.types.items() if t is I32 and name not in out}
        if self.uses:
            for block in blocks:
                self.look(block, INSIDE ** nesting(block))

    def look(self, block: Block, weight: int) -> None:
        """Note what a block does with them."""
        for statement in block.statements:
            if isinstance(statement, Assign):
                for name, e in zip(statement.names, statement.exprs, strict=True):
                    if name in self.uses:
                        self.uses[name].assigned.append((e, weight))
                        # What is natural costs nothing; a term that is not makes all of it so.
                        self.terms(e, weight)
                    else:
                        self.note(e, weight)
            else:
                self.instruction(statement, weight)
        for e in terminator_exprs(block):
            self.note(e, weight)

    def terms(self, e: Expr, weight: int) -> None:
        """The operands of a sum that is assigned to a variable which may be divided."""
        if e.op == "iadd":
            for arg in e.args:
                self.terms(arg, weight)
        elif e.op != VAR:
            self.note(e, weight)

    def instruction(self, statement: Do, weight: int) -> None:
        """An instruction with effects."""
        args = list(statement.args)
        shift = item_shift(statement.instr)
        if shift is not None:
            base = args.pop(0)
            aligned = base.zeros >= shift > 0 and not statement.instr.immediates[0].offset & ((1 << shift) - 1)
            names = divided(base, shift) if aligned else []
            if names:
                for name in names:
                    if name in self.uses:
                        indices = self.uses[name].indices
                        indices[shift] = indices.get(shift, 0) + weight
            else:
                self.note(base, weight)
        for e in args:
            self.note(e, weight)

    def note(self, e: Expr, weight: int) -> None:
        """An expression whose value is needed."""
        if e.op == VAR:
            if e.imm in self.uses:
                self.uses[e.imm].others += weight
        elif e.op in COMPARED and all(arg.op in (VAR, CONST) for arg in e.args):
            a, b = e.args
            for arg in e.args:
                if arg.op == VAR and arg.imm in self.uses:
                    self.uses[arg.imm].compared.append((a, b, weight))
        else:
            for arg in e.args:
                self.note(arg, weight)


def counted_in(block: Block) -> set[str]:
    """The variables that a loop counts by, if a block heads one that may be counted."""
    count = block.count
    return counted_names(block) if count is not None and count.entered and count.steady else set()


def nesting(block: Block) -> int:
    """How many loops are around a block, up to some."""
    n, header = int(block.back_edges > 0), block.outer
    while header is not None and n < MAX_NESTING:
        n += header.back_edges > 0
        header = header.outer
    return n
