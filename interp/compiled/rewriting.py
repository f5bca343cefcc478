"""Expressions in place of locals.

Spec: exec/instructions#variable-instructions
"""

from __future__ import annotations

from interp.compiled.facts import WIDTH
from interp.compiled.reading import rewrite_statement, rewrite_terminator
from interp.compiled.translate import Translator
from interp.compiled.tree import VAR, Block, Expr, Statement, local_bit


class Rewriter:
    """Puts expressions in place of locals."""

    def __init__(self, t: Translator, values: dict[str, Expr]) -> None:
        self.t = t
        self.values = values
        self.bits = 0
        for name in values:
            self.bits |= local_bit(name)
        self.done: dict[int, tuple[Expr, Expr]] = {}

    def expr(self, e: Expr) -> Expr:
        """An expression with them in place."""
        if not e.reads & self.bits:
            return e
        found = self.done.get(id(e))
        if found is None:
            found = self.done[id(e)] = (e, self.made(e))
        return found[1]

    def made(self, e: Expr) -> Expr:
        """The same, not made before."""
        if e.op == VAR:
            return self.values.get(e.imm, e)
        args = tuple([self.expr(arg) for arg in e.args])
        if e.imm is not None:
            return Expr(e.op, e.type, args, e.params, e.imm)
        new = self.t.expr(e.op, e.type, args, e.params)
        if new.args is args and e.type in WIDTH:
            new.lo, new.hi, new.zeros = max(new.lo, e.lo), min(new.hi, e.hi), max(new.zeros, e.zeros)
        return new

    def statement(self, statement: Statement) -> None:
        """The operands of a statement."""
        rewrite_statement(statement, self.expr)

    def terminator(self, block: Block) -> None:
        """The operands of a terminator."""
        rewrite_terminator(block, self.expr)
