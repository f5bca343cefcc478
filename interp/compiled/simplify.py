"""Simpler forms of expressions: constants folded, operators that change nothing left out.

Spec: exec/numerics
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interp.compiled.tree import CONST, SELECT, Expr
from interp.execution import numerics
from interp.execution.values import MASK
from interp.syntax.types import NumType, ValType

if TYPE_CHECKING:
    from interp.compiled.translate import Translator

UNCHANGED_BY_ZERO = frozenset({"iadd", "isub", "ior", "ixor", "ishl", "ishr_u", "ishr_s", "irotl", "irotr"})
"""Functions that give their first operand if the second is 0."""


def simplify(t: Translator, op: str, type_: ValType, args: tuple[Expr, ...], params: tuple[Any, ...]) -> Expr | None:
    """A simpler expression of the same value, or None."""
    if op == SELECT:
        condition, a, b = args
        if condition.lo > 0:
            return a
        return b if condition.hi == 0 and condition.op == CONST else None
    function = getattr(numerics, op, None)
    if function is None:
        return None
    if all(arg.op == CONST for arg in args):
        return t.const(type_, function(*params, *[arg.imm for arg in args]))
    if len(args) == 2:
        if op == "iadd" and (args[0].op == "imul" or args[1].op == "imul"):
            found = factored(t, args[0], args[1], params) or factored(t, args[1], args[0], params)
            if found is not None:
                return found
        if op == "iadd":
            for a, b in (args, args[::-1]):
                if b.op == "isub" and b.args[0].op == CONST and type_ is b.type:
                    # The constant may be added to others.
                    return t.expr("isub", type_, (t.expr("iadd", type_, (a, b.args[0]), params), b.args[1]), params)
        return simplify_binary(t, op, args[0], args[1], params)
    return None


def factored(t: Translator, a: Expr, b: Expr, params: tuple[Any, ...]) -> Expr | None:
    """x * c + y * c, or x * c + (y * c + z), with one product."""
    if a.op != "imul" or a.args[1].op != CONST:
        return None
    x, c = a.args
    terms = b.args if b.op == "iadd" else (b,)
    for number, term in enumerate(terms):
        if term.op == "imul" and term.args[1].op == CONST and term.args[1].imm == c.imm:
            product = t.expr("imul", a.type, (t.expr("iadd", a.type, (x, term.args[0]), params), c), params)
            return product if len(terms) == 1 else t.expr("iadd", a.type, (product, terms[1 - number]), params)
    return None


def simplify_binary(t: Translator, op: str, a: Expr, b: Expr, params: tuple[Any, ...]) -> Expr | None:
    """A simpler form of an operator of two operands."""
    if op not in OF_INTEGERS or b.op != CONST or not isinstance(a.type, NumType):
        return None
    N, c = params[0], b.imm
    if op == "isub":
        return t.expr("iadd", a.type, (a, t.const(b.type, -c & MASK[N])), params) if c else a
    if op in UNCHANGED_BY_ZERO and c % N == 0 and (c == 0 or op[1:3] in ("sh", "ro")):
        return a
    if op == "ixor" and c >> min(a.zeros, N) == MASK[N] >> min(a.zeros, N):
        return t.expr("isub", a.type, (t.const(b.type, c), a), params)
    if op == "iadd" and a.op == "iadd" and a.args[1].op == CONST:
        return t.expr("iadd", a.type, (a.args[0], t.const(b.type, (a.args[1].imm + c) & MASK[N])), params)
    if op == "iand":
        if c == 0:
            return t.const(a.type, 0)
        bits = MASK[a.hi.bit_length()]
        if (c | MASK[min(a.zeros, N)]) & bits == bits:
            return a
        if a.op == "iand" and a.args[1].op == CONST:
            return t.expr("iand", a.type, (a.args[0], t.const(b.type, a.args[1].imm & c)), params)
    if op == "imul" and c == 1:
        return a
    if op in ("idiv_u", "irem_u") and c and c & (c - 1) == 0:
        if op == "irem_u":
            return t.expr("iand", a.type, (a, t.const(b.type, c - 1)), params)
        return t.expr("ishr_u", a.type, (a, t.const(b.type, c.bit_length() - 1)), params)
    return None


COMMUTATIVE = frozenset({"iadd", "imul", "iand", "ior", "ixor", "ieq", "ine"})
"""Functions whose operands may be exchanged, so that a constant stands last."""

OF_INTEGERS = frozenset({
    "iadd", "isub", "imul", "iand", "ior", "ixor", "ishl", "ishr_u", "ishr_s", "irotl", "irotr", "idiv_u", "irem_u",
})  # fmt: skip
"""Functions that have a simpler form for some constants."""
