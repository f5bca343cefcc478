"""Reduction of numeric instructions (specification 4.6): each rule serves all rows of its kind, whose meaning is the
numerics function in the instruction table.

`c` is the configuration, `x` the operand prepared for the instruction. The rule unop-trap is for operators that are not
defined everywhere, of which there is none today.
Spec: exec/instructions#numeric-instructions
"""

from __future__ import annotations

from typing import Any

from interp.errors import Trap
from interp.reference.configuration import VALUE, Config, RuleFunction, family, rule
from interp.syntax.instructions import Op


def meaning(op: Op) -> Any:
    """The numerics function of a row."""
    if op.sem is None:
        raise TypeError(f"{op.mnemonic} has no numerics function")
    return op.sem


@rule("const")
def const(c: Config, x: Any) -> str:
    """t.const c is a value."""
    c.vals.append(x)
    return VALUE


@family("unop", "Step_pure/unop-val", "Step_pure/unop-trap")
def unop(op: Op) -> RuleFunction:
    """(t.const c1) unop ~> (t.const c), c = unop(c1), or trap where it is not defined"""
    sem, params = meaning(op), op.params

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        try:
            vals[-1] = sem(*params, vals[-1])
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/unop-trap")
        return "Step_pure/unop-val"

    return apply


@family("binop", "Step_pure/binop-val", "Step_pure/binop-trap")
def binop(op: Op) -> RuleFunction:
    """(t.const c1) (t.const c2) binop ~> (t.const c), c = binop(c1, c2), or trap where it is not defined"""
    sem, N = meaning(op), op.params[0]

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        c2 = vals.pop()
        try:
            vals[-1] = sem(N, vals[-1], c2)
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/binop-trap")
        return "Step_pure/binop-val"

    return apply


@family("testop", "Step_pure/testop")
def testop(op: Op) -> RuleFunction:
    """(t.const c1) testop ~> (i32.const c), c = testop(c1)"""
    sem, N = meaning(op), op.params[0]

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        vals[-1] = sem(N, vals[-1])
        return "Step_pure/testop"

    return apply


@family("relop", "Step_pure/relop")
def relop(op: Op) -> RuleFunction:
    """(t.const c1) (t.const c2) relop ~> (i32.const c), c = relop(c1, c2)"""
    sem, N = meaning(op), op.params[0]

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        c2 = vals.pop()
        vals[-1] = sem(N, vals[-1], c2)
        return "Step_pure/relop"

    return apply


@family("cvtop", "Step_pure/cvtop-val", "Step_pure/cvtop-trap")
def cvtop(op: Op) -> RuleFunction:
    """(t1.const c1) cvtop ~> (t2.const c2), c2 = cvtop(c1), or trap where it is not defined"""
    sem, (t1, t2) = meaning(op), op.params

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        try:
            vals[-1] = sem(t1, t2, vals[-1])
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/cvtop-trap")
        return "Step_pure/cvtop-val"

    return apply
