"""Expressions as Python source: conditions.

Spec: exec/numerics
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.compiled.facts import SMALL
from interp.compiled.python_expr import IntegerWriter
from interp.compiled.python_text import (
    ADD,
    ATOM,
    COMPARE,
    CONDITIONAL,
    FLOAT_COMPARISONS,
    LOGICAL_AND,
    LOGICAL_OR,
    MIRROR,
    NEGATED,
    NOT,
    OR,
    POSTFIX,
    SIGNED,
    UNSIGNED,
    WIDTHS,
    Text,
    paren,
)
from interp.compiled.tree import CONST, SELECT, Expr
from interp.execution.values import MASK, MODULUS, SIGN


class ConditionWriter(IntegerWriter):
    """Writes conditions."""

    def is_condition(self, e: Expr) -> bool:
        """Whether an expression is 0 or 1 by a condition."""
        return e.op in CONDITIONS

    def condition(self, e: Expr, negated: bool = False) -> tuple[str, int]:
        """A text that is true for Python if the value, an i32 or i64, is not 0; or if it is, where `negated`."""
        op = e.op
        if op == "ieqz":
            return self.condition(e.args[0], not negated)
        if op in ("iand", "ior") and e.args[0].op in CONDITIONS and e.args[1].op in CONDITIONS:
            return self.connected([self.condition(arg, negated) for arg in e.args], (op == "iand") is not negated)
        if op == "ior" and e.type in WIDTHS and not self.inline:
            # What is read from memory must be read in any case; nothing else needs to be.
            return self.connected([self.condition(arg, negated) for arg in e.args], negated)
        write = CONDITIONS.get(op)
        if write is not None:
            return write(self, e, negated)
        if op == SELECT and any(arg.op in CONDITIONS for arg in e.args[1:]):
            (a, pa), (b, _) = (self.condition(arg, negated) for arg in e.args[1:])
            test, prec = self.condition(e.args[0])
            return f"{paren(a, pa, LOGICAL_OR)} if {paren(test, prec, LOGICAL_OR)} else {b}", CONDITIONAL
        if op == CONST:
            return str(int((e.imm != 0) is not negated)), ATOM
        t = self.number(e)
        N = WIDTHS[e.type]
        if not (-MODULUS[N] < t.lo and t.hi < MODULUS[N]):
            t = self.masked(t, N, e)
        if negated:
            return f"not {paren(t.text, t.prec, COMPARE)}", NOT
        return t.text, t.prec

    def connected(self, parts: list[tuple[str, int]], conjunction: bool) -> tuple[str, int]:
        """Two conditions connected by `and` or `or`."""
        word, prec = ("and", LOGICAL_AND) if conjunction else ("or", LOGICAL_OR)
        return f" {word} ".join([paren(text, p, prec) for text, p in parts]), prec

    def compared(self, a: str, sign: str, b: str) -> tuple[str, int]:
        """A comparison of two texts that bind tighter."""
        return f"{a} {sign} {b}", COMPARE

    def equality(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ieq, ine; signed numbers compare as well as exact ones, if both are such"""
        a, b = e.args
        N = WIDTHS[a.type]
        sign = "==" if (e.op == "ieq") is not negated else "!="
        if b.op == CONST and b.imm == 0:
            return self.condition(a, sign == "==")
        x, y = self.number(a), self.number(b)
        if y.lo == y.hi >= SIGN[N] and x.lo < 0:
            y = self.signed(b)
        if max(x.hi, y.hi) - min(x.lo, y.lo) > MASK[N]:
            x, y = self.masked(x, N, a), self.masked(y, N, b)
        return self.compared(paren(x.text, x.prec, OR), sign, paren(y.text, y.prec, OR))

    def unsigned_comparison(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ilt_u and the like; of a difference it is a test for a range"""
        a, b = e.args
        sign = UNSIGNED[e.op]
        if negated:
            sign = NEGATED[sign]
        if a.op == "iadd" and a.args[1].op == CONST and b.op == CONST:
            return self.range_test(a, sign, b.imm)
        return self.compared(self.exactly(a, OR), sign, self.exactly(b, OR))

    def range_test(self, a: Expr, sign: str, c: int) -> tuple[str, int]:
        """(x + -first) compared with a constant, where x + -first wraps around: first <= x < first + c"""
        N = WIDTHS[a.type]
        first, t = -a.args[1].imm & MASK[N], self.number(a)
        end = first + c + (sign in ("<=", ">"))
        if (t.lo >= 0 and t.hi <= MASK[N]) or end > MASK[N]:
            t = self.masked(t, N, a)
            return self.compared(paren(t.text, t.prec, OR), sign, str(c))
        x = self.atom(a.args[0])
        if sign in ("<", "<="):
            return f"{first} <= {x} < {end}", COMPARE
        return f"not {first} <= {x} < {end}", NOT

    def signed_comparison(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ilt_s and the like. Numbers of one sign compare as unsigned ones; what is known of signs decides the form."""
        a, b = e.args
        N = WIDTHS[a.type]
        sign = SIGNED[e.op]
        if negated:
            sign = NEGATED[sign]
        x, y = self.number_or_signed(a), self.number_or_signed(b)
        limit = SIGN[N]
        known = [-limit <= t.lo and t.hi < limit for t in (x, y)]
        if all(known):
            return self.compared(paren(x.text, x.prec, OR), sign, paren(y.text, y.prec, OR))
        if known[0]:
            a, b, x, y, sign = b, a, y, x, MIRROR[sign]
        left = self.named(self.masked(x, N, a))
        if not any(known):
            right, reverse = self.named(self.masked(y, N, b)), MIRROR[sign]
            same = f"{left} {sign} {right}"
            # Small numbers, which are compared fastest, are most.
            quick = f"{same} if {left} <= {SMALL} and {right} <= {SMALL} else "
            return f"{quick}{same} if {left} ^ {right} < {limit} else {left} {reverse} {right}", CONDITIONAL
        return self.compared_with_known(left, sign, y, N)

    def named(self, t: Text) -> str:
        """A name or number for a text."""
        return t.text if t.prec == ATOM else self.hoist(t.text)

    def number_or_signed(self, e: Expr) -> Text:
        """An integer, which of a constant is the signed one."""
        return self.signed(e) if e.op == CONST else self.number(e)

    def compared_with_known(self, left: str, sign: str, y: Text, N: int) -> tuple[str, int]:
        """A signed comparison of an exact number of unknown sign with one whose sign is known."""
        right = paren(y.text, y.prec, OR)
        greatest = MASK[N - 1]
        if y.hi < 0:
            right = str(y.lo + MODULUS[N]) if y.lo == y.hi else f"{paren(y.text, y.prec, ADD)} + {MODULUS[N]}"
            if sign in ("<", "<="):
                return f"{greatest} < {left} {sign} {right}", COMPARE
            return f"{left} <= {greatest} or {left} {sign} {right}", LOGICAL_OR
        if y.lo < 0:
            return f"({left} ^ {SIGN[N]}) - {SIGN[N]} {sign} {right}", COMPARE
        if sign in ("<", "<="):
            if y.lo == y.hi == 0 and sign == "<":
                return f"{left} > {greatest}", COMPARE
            return f"{left} {sign} {right} or {left} > {greatest}", LOGICAL_OR
        if y.lo == y.hi == 0 and sign == ">=":
            return f"{left} <= {greatest}", COMPARE
        return f"{right} {MIRROR[sign]} {left} <= {greatest}", COMPARE

    def float_comparison(self, e: Expr, negated: bool) -> tuple[str, int]:
        """feq and the like; not (a < b) is not a >= b, since a NaN is neither"""
        (x, px), (y, py) = map(self.value, e.args)
        text = f"{paren(x, px, OR)} {FLOAT_COMPARISONS[e.op]} {paren(y, py, OR)}"
        if not negated:
            return text, COMPARE
        if e.op in ("feq", "fne"):
            return f"{paren(x, px, OR)} {'!=' if e.op == 'feq' else '=='} {paren(y, py, OR)}", COMPARE
        return f"not {text}", NOT

    def null_test(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ref.is_null"""
        text, prec = self.value(e.args[0])
        return f"{paren(text, prec, OR)} is {'not ' if negated else ''}None", COMPARE

    def identity(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ref.eq; numbers in references are compared by value"""
        (x, px), (y, py) = map(self.value, e.args)
        return f"{paren(x, px, OR)} {'!=' if negated else '=='} {paren(y, py, OR)}", COMPARE

    def type_test(self, e: Expr, negated: bool) -> tuple[str, int]:
        """ref.test"""
        null, heaptype = e.params
        text = f"match_ref({self.value(e.args[0])[0]}, {self.reftype(null, heaptype)})"
        return (f"not {text}", NOT) if negated else (text, POSTFIX)

    def reftype(self, null: bool, heaptype: Any) -> str:
        """The name of a reference type."""
        raise NotImplementedError

    def any_true(self, e: Expr, negated: bool) -> tuple[str, int]:
        """inez of all 128 bits"""
        text, prec = self.value(e.args[0])
        return (f"not {paren(text, prec, COMPARE)}", NOT) if negated else (text, prec)


CONDITIONS: dict[str, Callable[[Any, Expr, bool], tuple[str, int]]] = {
    "ieqz": lambda writer, e, negated: writer.condition(e.args[0], not negated),
    "ieq": ConditionWriter.equality, "ine": ConditionWriter.equality,
    **dict.fromkeys(UNSIGNED, ConditionWriter.unsigned_comparison),
    **dict.fromkeys(SIGNED, ConditionWriter.signed_comparison),
    **dict.fromkeys(FLOAT_COMPARISONS, ConditionWriter.float_comparison),
    "ref.is_null": ConditionWriter.null_test, "ref.eq": ConditionWriter.identity, "ref.test": ConditionWriter.type_test,
    "inez": ConditionWriter.any_true,
}  # fmt: skip
"""How the functions that give 0 or 1 are written as conditions."""
