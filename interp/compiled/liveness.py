"""Which variables may still be read.

Spec: exec/runtime#activation-frames
"""

from __future__ import annotations

from interp.compiled.reading import assigned_names, counted_names, statement_exprs, terminator_exprs
from interp.compiled.tree import VAR, Block, Expr, Function, successors

Bits = dict[Block, int]
"""Block -> a bit for each of some variables."""


def flow(function: Function, used: Bits, assigned: Bits) -> Bits:
    """The variables whose values at the start of each block may be used, from those that it uses before it assigns
    them, and those that it assigns."""
    living = dict(used)
    changed = True
    while changed:
        changed = False
        for block in reversed(function.blocks):
            behind = 0
            for target in successors(block.terminator):
                behind |= living[target]
            now = used[block] | behind & ~assigned[block]
            if now != living[block]:
                living[block] = now
                changed = True
    return living


class Liveness:
    """The same by name, once locals are taken apart."""

    def __init__(self, function: Function) -> None:
        self.bits = {name: 1 << n for n, name in enumerate(name for name in function.types if name[0] == "l")}
        used: Bits = {}
        assigned: Bits = {}
        for block in function.blocks:
            reads = sets = 0
            for statement in block.statements:
                for e in statement_exprs(statement):
                    reads |= self.read(e) & ~sets
                for name in assigned_names(statement):
                    sets |= self.bits.get(name, 0)
            for e in terminator_exprs(block):
                reads |= self.read(e) & ~sets
            for name in counted_names(block):
                reads |= self.bits[name]
            used[block], assigned[block] = reads, sets
        self.living = flow(function, used, assigned)

    def read(self, e: Expr) -> int:
        """The locals that an expression reads."""
        if e.op == VAR:
            return self.bits.get(e.imm, 0)
        found = 0
        if e.reads:
            for arg in e.args:
                found |= self.read(arg)
        return found

    def alive(self, name: str, block: Block) -> bool:
        """Whether the value of a local at the start of a block may be used."""
        return bool(self.living[block] & self.bits[name])
