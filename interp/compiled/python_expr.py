"""Expressions as Python source: integers.

A text comes with its precedence and with the interval that the Python integer lies in. That integer is congruent to the
iN it stands for, modulo 2**N, and is masked only where it must be exact: operators that give the right answer modulo
2**N of operands that are only congruent take them so. What is known of ranges often shows that no mask is needed.

Whatever text needs an operand twice gets it as a name, assigned on a line before (`hoist`); expressions have no
effects, so this may be done at any time.

Spec: exec/numerics
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.compiled.facts import SMALL
from interp.compiled.python_text import (
    ADD,
    AND,
    ATOM,
    CONDITIONAL,
    LOGICAL_OR,
    MUL,
    OR,
    POSTFIX,
    SHIFT,
    UNARY,
    WIDEST,
    WIDTHS,
    XOR,
    Text,
    paren,
)
from interp.compiled.python_wide import WIDE
from interp.compiled.tree import CONST, GLOBAL, SELECT, VAR, Expr
from interp.execution.values import MASK, MODULUS, SIGN


class IntegerWriter:
    """Writes integers, and conditions. Subclasses write the other types and keep the lines."""

    inline: dict[str, Text]
    masks: frozenset[str] = frozenset()
    """Temporaries in whose place a text is written."""

    signs: frozenset[str] = frozenset()
    """Variables that are kept as signed numbers."""

    wides: frozenset[str] = frozenset()
    """Variables that may hold numbers beyond their type."""

    def hoist(self, text: str) -> str:
        """A name that holds the value of the text from now on."""
        raise NotImplementedError

    def share(self, text: str, variable: str) -> str:
        """A name for the value of a text that reads one variable, the same as long as that does not change."""
        raise NotImplementedError

    def value(self, e: Expr) -> tuple[str, int]:
        """The text of any expression as a value of its type, and its precedence."""
        raise NotImplementedError

    def is_condition(self, e: Expr) -> bool:
        """Whether an expression is 0 or 1 by a condition."""
        raise NotImplementedError

    def condition(self, e: Expr, negated: bool = False) -> tuple[str, int]:
        """A text that is true for Python if the value is not 0; or if it is, where `negated`."""
        raise NotImplementedError

    def function(self, op: str, params: tuple[Any, ...]) -> str:
        """The name of a numerics function with these first arguments."""
        raise NotImplementedError(op)

    # ---- Names and masks.

    def atom(self, e: Expr) -> str:
        """The value of an expression as a name or a number."""
        text, prec = self.value(e)
        return text if prec == ATOM else self.hoist(text)

    def number(self, e: Expr) -> Text:
        """An integer that is congruent to the value."""
        if e.op == CONST:
            return Text(str(e.imm), ATOM, e.imm, e.imm)
        if e.op == VAR:
            put_off = self.inline.get(e.imm)
            if put_off is not None:
                return put_off
            if e.imm in self.masks:
                return Text(e.imm, ATOM, -1, 0)
            if e.imm in self.wides:
                return Text(e.imm, ATOM, 0, MASK[WIDTHS[e.type]] + WIDE)
            sign = SIGN[WIDTHS[e.type]]
            if e.imm in self.signs and e.hi >= sign:
                return Text(e.imm, ATOM, -sign, sign - 1)
            return Text(e.imm, ATOM, e.lo, e.hi)
        if e.op == GLOBAL:
            return Text(f"g{e.imm}.value", POSTFIX, e.lo, e.hi)
        write = NUMBERS.get(e.op)
        if write is not None:
            return write(self, e)
        if self.is_condition(e):
            text, prec = self.condition(e)
            return Text(f"1 if {paren(text, prec, LOGICAL_OR)} else 0", CONDITIONAL, 0, 1)
        text, prec = self.other_integer(e)
        return Text(text, prec, e.lo, e.hi)

    def other_integer(self, e: Expr) -> tuple[str, int]:
        """The text of an integer that comes from no integer operator."""
        raise NotImplementedError(e.op)

    def exact(self, e: Expr) -> Text:
        """The value itself, 0 <= value < 2**N."""
        t, N = self.number(e), WIDTHS[e.type]
        plain = e.op == "iadd" and e.args[0].op == VAR and e.args[1].op == CONST
        if plain and t.lo >> N != t.hi >> N and e.args[0].imm not in self.inline.keys() | self.signs | self.wides:
            return self.stepped(e.args[0].imm, e.args[1].imm, N, e)
        return self.masked(t, N, e)

    def stepped(self, x: str, c: int, N: int, e: Expr) -> Text:
        """The sum of a variable and a constant, tested rather than masked."""
        if c < SIGN[N]:
            test = SMALL if c <= SMALL else MODULUS[N] - c - 1
            text = f"{x} + {c} if {x} <= {test} else {x} + {c} & {MASK[N]}"
        else:
            d = MODULUS[N] - c
            text = f"{x} - {d} if {f'{x} >= {d}' if d > 1 else x} else {x} + {c}"
        return Text(text, CONDITIONAL, e.lo, e.hi)

    def masked(self, t: Text, N: int, e: Expr | None = None) -> Text:
        """An integer made exact."""
        if t.lo >= 0 and t.hi <= MASK[N]:
            return t
        if t.lo >> N == t.hi >> N:
            c = t.lo >> N << N
            sign, size = ("-", c) if c > 0 else ("+", -c)
            return Text(f"{paren(t.text, t.prec, ADD)} {sign} {size}", ADD, t.lo - c, t.hi - c)
        lo, hi = (0, MASK[N]) if e is None else (e.lo, e.hi)
        return Text(f"{paren(t.text, t.prec, AND)} & {MASK[N]}", AND, lo, hi)

    def bounded(self, e: Expr) -> Text:
        """A congruent integer that is not much wider than the type."""
        t = self.number(e)
        N = WIDTHS[e.type]
        return t if -WIDEST[N] < t.lo and t.hi < WIDEST[N] else self.masked(t, N, e)

    def signed(self, e: Expr) -> Text:
        """signed_N of the value."""
        N = WIDTHS[e.type]
        if e.op == CONST:
            c = e.imm if e.imm < SIGN[N] else e.imm - MODULUS[N]
            return Text(str(c), ATOM if c >= 0 else UNARY, c, c)
        if e.op == SELECT and all(arg.op == CONST for arg in e.args[1:]):
            test, prec = self.condition(e.args[0])
            x, y = self.signed(e.args[1]), self.signed(e.args[2])
            text = f"{x.text} if {paren(test, prec, LOGICAL_OR)} else {y.text}"
            return Text(text, CONDITIONAL, min(x.lo, y.lo), max(x.hi, y.hi))
        t = self.number(e)
        if -SIGN[N] <= t.lo and t.hi < SIGN[N]:
            return t
        t = self.masked(t, N, e)
        if t.hi < SIGN[N]:
            return t
        return Text(f"({paren(t.text, t.prec, XOR)} ^ {SIGN[N]}) - {SIGN[N]}", ADD, -SIGN[N], SIGN[N] - 1)

    def exactly(self, e: Expr, least: int) -> str:
        """The exact value, ready to stand beside an operator of this precedence."""
        t = self.exact(e)
        return paren(t.text, t.prec, least)

    # ---- Arithmetic.

    def sum(self, e: Expr) -> Text:
        """iadd; of a constant that stands for a negative number the difference."""
        a, b = e.args
        N = WIDTHS[e.type]
        if self.is_condition(a) and b.op == VAR and b.imm not in self.inline:
            a, b = b, a
        x = self.bounded(a)
        if x.prec == ATOM and self.is_condition(b):
            test, prec = self.condition(b)
            return Text(f"{x.text} + 1 if {paren(test, prec, LOGICAL_OR)} else {x.text}", CONDITIONAL, x.lo, x.hi + 1)
        if b.op == CONST and b.imm >= SIGN[N]:
            c = MODULUS[N] - b.imm
            return Text(f"{paren(x.text, x.prec, ADD)} - {c}", ADD, x.lo - c, x.hi - c)
        y = self.bounded(b)
        return Text(f"{paren(x.text, x.prec, ADD)} + {paren(y.text, y.prec, MUL)}", ADD, x.lo + y.lo, x.hi + y.hi)

    def difference(self, e: Expr) -> Text:
        """isub"""
        x, y = map(self.bounded, e.args)
        if e.args[0].op == CONST and e.args[0].imm == 0:
            return Text(f"-{paren(y.text, y.prec, UNARY)}", UNARY, -y.hi, -y.lo)
        return Text(f"{paren(x.text, x.prec, ADD)} - {paren(y.text, y.prec, MUL)}", ADD, x.lo - y.hi, x.hi - y.lo)

    def factor(self, e: Expr, t: Text) -> Text:
        """A congruent integer, here as `t`, of about as many digits as the type needs."""
        N = WIDTHS[e.type]
        return t if -MODULUS[N + 2] < t.lo and t.hi < MODULUS[N + 2] else self.masked(t, N, e)

    def product(self, e: Expr) -> Text:
        """imul; operands that may be wide are masked first."""
        N = WIDTHS[e.type]
        x, y = map(self.number, e.args)
        if max(abs(x.lo), x.hi) * max(abs(y.lo), y.hi) >= WIDEST[N]:
            x, y = self.factor(e.args[0], x), self.factor(e.args[1], y)
        if e.args[1].op == CONST and e.args[1].imm >= SIGN[N]:
            c = e.args[1].imm - MODULUS[N]
            y = Text(str(c), UNARY, c, c)
        ends = (x.lo * y.lo, x.lo * y.hi, x.hi * y.lo, x.hi * y.hi)
        return Text(f"{paren(x.text, x.prec, MUL)} * {paren(y.text, y.prec, UNARY)}", MUL, min(ends), max(ends))

    def conjunction(self, e: Expr) -> Text:
        """iand: one exact operand makes the result exact."""
        if all(map(self.is_condition, e.args)):
            return Text(f"1 if {self.condition(e)[0]} else 0", CONDITIONAL, 0, 1)
        x, y = map(self.bounded, e.args)
        N = WIDTHS[e.type]
        text = f"{paren(x.text, x.prec, AND)} & {paren(y.text, y.prec, SHIFT)}"
        limits = [t.hi for t in (x, y) if t.lo >= 0]
        if limits:
            hi = min(limits)
            return Text(text, AND, 0, min(hi, e.hi) if hi <= MASK[N] else hi)
        wide = 1 << max(abs(v).bit_length() for v in (x.lo, x.hi, y.lo, y.hi))
        return Text(text, AND, -wide, wide)

    def disjunction(self, e: Expr) -> Text:
        """ior, ixor"""
        x, y = map(self.bounded, e.args)
        sign, prec = ("|", OR) if e.op == "ior" else ("^", XOR)
        text = f"{paren(x.text, x.prec, prec)} {sign} {paren(y.text, y.prec, prec + 1)}"
        wide = 1 << max(abs(v).bit_length() for v in (x.lo, x.hi, y.lo, y.hi))
        return Text(text, prec, 0 if x.lo >= 0 and y.lo >= 0 else -wide, wide - 1)

    def count(self, e: Expr, N: int) -> tuple[str, int, int]:
        """A shift count modulo N: its text, and its least and greatest value."""
        if e.op == CONST:
            return str(e.imm % N), e.imm % N, e.imm % N
        t = self.number(e)
        if t.lo >= 0 and t.hi < N:
            return paren(t.text, t.prec, ADD), t.lo, t.hi
        return f"({paren(t.text, t.prec, AND)} & {N - 1})", 0, N - 1

    def shift_left(self, e: Expr) -> Text:
        """ishl"""
        N = WIDTHS[e.type]
        text, lo, hi = self.count(e.args[1], N)
        x = self.number(e.args[0])
        if x.lo < 0 or x.hi << hi > WIDEST[N]:
            x = self.masked(x, N, e.args[0])
        return Text(f"{paren(x.text, x.prec, SHIFT)} << {text}", SHIFT, x.lo << lo, x.hi << hi)

    def shift_right(self, e: Expr) -> Text:
        """ishr_u"""
        N = WIDTHS[e.type]
        text, lo, hi = self.count(e.args[1], N)
        x = self.exact(e.args[0])
        return Text(f"{paren(x.text, x.prec, SHIFT)} >> {text}", SHIFT, x.lo >> hi, x.hi >> lo)

    def shift_right_signed(self, e: Expr) -> Text:
        """ishr_s"""
        N = WIDTHS[e.type]
        text, lo, hi = self.count(e.args[1], N)
        x = self.signed(e.args[0])
        least = min(x.lo >> lo, x.lo >> hi)
        return Text(f"{paren(x.text, x.prec, SHIFT)} >> {text}", SHIFT, least, max(x.hi >> lo, 0))

    def rotation(self, e: Expr) -> Text:
        """irotl, irotr: the number twice, one behind the other, shifted right; the bits beyond N are left to whoever
        needs an exact value, so that several rotations are masked together."""
        N = WIDTHS[e.type]
        a, b = e.args
        if b.op == CONST:
            k = b.imm % N if e.op == "irotr" else -b.imm % N
            return Text(f"{self.doubled(a)} >> {k}", SHIFT, 0, MASK[2 * N - k])
        x = self.atom(a)
        k = self.hoist(f"{self.exactly(b, AND)} & {N - 1}")
        left, right = (k, f"({N} - {k})") if e.op == "irotl" else (f"({N} - {k})", k)
        return Text(f"{x} << {left} | {x} >> {right}", OR, 0, MASK[2 * N])

    def doubled(self, e: Expr) -> str:
        """A name for the bits of a number, twice, one behind the other."""
        text = f"{self.exactly(e, MUL)} * {MODULUS[WIDTHS[e.type]] + 1}"
        return self.share(text, e.imm) if e.op == VAR else self.hoist(text)

    # ---- Operators of one operand, and conversions.

    def leading_zeros(self, e: Expr) -> Text:
        """iclz"""
        return Text(f"{WIDTHS[e.type]} - {self.exactly(e.args[0], POSTFIX)}.bit_length()", ADD, e.lo, e.hi)

    def trailing_zeros(self, e: Expr) -> Text:
        """ictz"""
        x, N = self.atom(e.args[0]), WIDTHS[e.type]
        return Text(f"({x} & -{x}).bit_length() - 1 if {x} else {N}", CONDITIONAL, e.lo, e.hi)

    def ones(self, e: Expr) -> Text:
        """ipopcnt"""
        return Text(f"{self.exactly(e.args[0], POSTFIX)}.bit_count()", POSTFIX, e.lo, e.hi)

    def sign_extension(self, e: Expr) -> Text:
        """iextend_s: of the low M bits"""
        M = e.params[1]
        x = self.bounded(e.args[0])
        if -SIGN[M] <= x.lo and x.hi < SIGN[M]:
            return x
        low = (
            paren(x.text, x.prec, AND) if x.lo >= 0 and x.hi <= MASK[M] else f"{paren(x.text, x.prec, AND)} & {MASK[M]}"
        )
        return Text(f"({low} ^ {SIGN[M]}) - {SIGN[M]}", ADD, -SIGN[M], SIGN[M] - 1)

    def wrapped(self, e: Expr) -> Text:
        """wrap: what is congruent modulo 2**64 is congruent modulo 2**32"""
        return self.number(e.args[0])

    def extension(self, e: Expr) -> Text:
        """extend_u"""
        return self.exact(e.args[0])

    def signed_extension(self, e: Expr) -> Text:
        """extend_s"""
        return self.signed(e.args[0])

    def division(self, e: Expr) -> Text:
        """idiv_u, irem_u by what is not 0"""
        x, y = self.exact(e.args[0]), self.exact(e.args[1])
        sign = "//" if e.op == "idiv_u" else "%"
        return Text(f"{paren(x.text, x.prec, MUL)} {sign} {paren(y.text, y.prec, UNARY)}", MUL, e.lo, e.hi)

    def signed_division(self, e: Expr) -> Text:
        """idiv_s, irem_s by what neither is 0 nor can overflow; Python rounds down, not toward zero."""
        a, b = e.args
        N = WIDTHS[e.type]
        if a.hi < SIGN[N] and b.hi < SIGN[N]:
            x, y = self.exactly(a, MUL), self.exactly(b, UNARY)
            return Text(f"{x} {'//' if e.op == 'idiv_s' else '%'} {y}", MUL, e.lo, e.hi)
        if b.op == CONST and b.imm < SIGN[N]:
            x = self.hoist(self.signed(a).text)
            most, c = SIGN[N] // b.imm, b.imm
            if e.op == "idiv_s":
                return Text(f"{x} // {c} if {x} >= 0 else -(-{x} // {c})", CONDITIONAL, -most, most)
            return Text(f"{x} % {c} if {x} >= 0 else -(-{x} % {c})", CONDITIONAL, -c, c)
        return Text(f"{self.function(e.op, e.params)}({self.exact(a).text}, {self.exact(b).text})", POSTFIX, 0, MASK[N])

    def choice(self, e: Expr, masked: bool = True) -> Text:
        """select; where only one of both is exact, the other one is masked, if that is not left to the user"""
        condition, a, b = e.args
        test, prec = self.condition(condition)
        x, y = self.number(a), self.number(b)
        N = WIDTHS[e.type]
        if masked and (x.lo >> N == x.hi >> N == 0) is not (y.lo >> N == y.hi >> N == 0):
            x, y = self.masked(x, N, a), self.masked(y, N, b)
        text = f"{paren(x.text, x.prec, LOGICAL_OR)} if {paren(test, prec, LOGICAL_OR)} else {y.text}"
        return Text(text, CONDITIONAL, min(x.lo, y.lo), max(x.hi, y.hi))


NUMBERS: dict[str, Callable[[Any, Expr], Text]] = {
    "iadd": IntegerWriter.sum, "isub": IntegerWriter.difference, "imul": IntegerWriter.product,
    "iand": IntegerWriter.conjunction, "ior": IntegerWriter.disjunction, "ixor": IntegerWriter.disjunction,
    "ishl": IntegerWriter.shift_left, "ishr_u": IntegerWriter.shift_right, "ishr_s": IntegerWriter.shift_right_signed,
    "irotl": IntegerWriter.rotation, "irotr": IntegerWriter.rotation, "iclz": IntegerWriter.leading_zeros,
    "ictz": IntegerWriter.trailing_zeros, "ipopcnt": IntegerWriter.ones, "iextend_s": IntegerWriter.sign_extension,
    "wrap": IntegerWriter.wrapped, "extend_u": IntegerWriter.extension, "extend_s": IntegerWriter.signed_extension,
    "idiv_u": IntegerWriter.division, "irem_u": IntegerWriter.division, "idiv_s": IntegerWriter.signed_division,
    "irem_s": IntegerWriter.signed_division, SELECT: IntegerWriter.choice,
}  # fmt: skip
"""How the numerics functions that give integers are written."""
