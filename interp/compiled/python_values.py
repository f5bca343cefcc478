"""Expressions as Python source: floats, vectors and references.

An f64 that an operator gave may be a NaN of any bits, as the processor made it; the specification's deterministic
profile, which all pure engines follow, asks for the positive canonical one. Which of the two a NaN is matters only
where its bits can be seen, so that is where it is replaced (`clean`). An f32 that is a NaN but no F32NaN stands for the
positive canonical one. An f32 is rounded by a write to and a read from one element of native floats.

Names that begin with `n__` are numerics functions with their first arguments filled in, names with `k_` constants given
by their bits; `interp.compiled.names` resolves them.

Spec: exec/numerics
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from interp.compiled.python_conditions import ConditionWriter
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
    WIDTHS,
    XOR,
    paren,
)
from interp.compiled.scalarize import JOIN
from interp.compiled.tree import CONST, GLOBAL, SELECT, VAR, Expr
from interp.execution.numerics_vector import ONES
from interp.execution.values import MASK, fbits
from interp.syntax.types import F32, F64, V128

ARITHMETIC = frozenset({"fadd", "fsub", "fmul", "fdiv", "fsqrt", "promote"})
"""Functions whose NaNs are any ones here."""

SIGNS = {"fadd": ("+", ADD), "fsub": ("-", ADD), "fmul": ("*", MUL)}
BITWISE = {"iand": ("&", AND), "ior": ("|", OR), "ixor": ("^", XOR)}
INTEGRAL = "4503599627370496.0"
"""2.0**52: every double of at least this magnitude is integral."""

ROUNDING = "F"
"""A view of one native float, which an f32 is written to and read from again."""


def is_simple(e: Expr) -> bool:
    """Whether nothing is rounded to get a value."""
    return e.op in (CONST, VAR, GLOBAL)


CANONICAL = {F32: "k_f32_7fc00000", F64: "k_f64_7ff8000000000000"}


def function_name(op: str, params: tuple[Any, ...]) -> str:
    """The name of a numerics function with these first arguments."""
    return "__".join(["n", op, *("y".join(map(str, p)) if isinstance(p, tuple) else str(p) for p in params)])


class ValueWriter(ConditionWriter):
    """Writes values of all types. `any_nans` are the f64 variables that may hold a NaN of any bits, `unseen_nans` the
    f32 variables of whose NaNs the bits do not matter."""

    any_nans: frozenset[str] = frozenset()
    unseen_nans: frozenset[str] = frozenset()
    bound: dict[str, str] | None = None
    """In a loop, the shared names that have local ones, which Python finds faster."""

    def line(self, text: str) -> None:
        """One more line."""
        raise NotImplementedError

    @property
    def rounding_cell(self) -> str:
        """Where an f64 becomes an f32."""
        return f"{self.bound_name(ROUNDING)}[0]"

    def bound_name(self, name: str) -> str:
        """What a name that all functions of an instance share is called here."""
        if self.bound is None:
            return name
        return self.bound.setdefault(name, f"w{name.removeprefix('m')}")

    def value(self, e: Expr) -> tuple[str, int]:
        """The text of any expression, and its precedence."""
        if e.type in WIDTHS:
            t = self.exact(e)
            return t.text, t.prec
        if e.op == CONST:
            return self.constant(e)
        if e.op == VAR:
            put_off = self.inline.get(e.imm)
            return (e.imm, ATOM) if put_off is None else (put_off.text, put_off.prec)
        if e.op == GLOBAL:
            return f"g{e.imm}.value", POSTFIX
        if e.op == SELECT:
            test, prec = self.condition(e.args[0])
            # One may be a NaN whose bits matter while the other is not.
            (a, pa), (b, _) = self.clean(e.args[1]), self.clean(e.args[2])
            return f"{paren(a, pa, LOGICAL_OR)} if {paren(test, prec, LOGICAL_OR)} else {b}", CONDITIONAL
        write = VECTORS.get(e.op) if e.type is V128 else FLOATS.get(e.op)
        if write is not None:
            return write(self, e)
        return self.call(e)

    def constant(self, e: Expr) -> tuple[str, int]:
        """A constant that is no i32 or i64."""
        if e.type not in (F32, F64):
            return str(e.imm), ATOM
        z = e.imm
        if not isfinite(z):
            N = 32 if e.type is F32 else 64
            return f"k_f{N}_{fbits(N, z):0{N // 4}x}", ATOM
        text = repr(z)
        return text, UNARY if text[0] == "-" else ATOM

    def call(self, e: Expr) -> tuple[str, int]:
        """A numerics function, called."""
        args = ", ".join([self.clean(arg)[0] for arg in e.args])
        return f"{function_name(e.op, e.params)}({args})", POSTFIX

    def other_integer(self, e: Expr) -> tuple[str, int]:
        """An integer that comes from a float or a vector."""
        write = LANES.get(e.op)
        return write(self, e) if write is not None else self.call(e)

    # ---- NaNs.

    def dirty(self, e: Expr) -> bool:
        """Whether an f64 may be a NaN of any bits."""
        if e.type is not F64:
            return False
        if e.op == VAR:
            return e.imm in self.any_nans
        return e.op in ARITHMETIC

    def clean(self, e: Expr) -> tuple[str, int]:
        """The text of a value whose bits will be seen."""
        if not self.dirty(e):
            return self.value(e)
        x = self.atom(e)
        return f"{x} if {x} == {x} else {CANONICAL[F64]}", CONDITIONAL

    def cleanest(self, e: Expr) -> tuple[str, int]:
        """The same where others may look at an f32 too: outside of code."""
        if e.type is not F32 or e.op == CONST:
            return self.clean(e)
        x = self.atom(e)
        return f"{x} if {x} == {x} else f32_nan({x})", CONDITIONAL

    # ---- Floats.

    def rounded(self, text: str, e: Expr) -> tuple[str, int]:
        """An f32 is rounded; an f64 is as it is."""
        cell = self.rounding_cell
        self.line(f"{cell} = {text}")
        return self.hoist(cell), ATOM

    def float_operator(self, e: Expr) -> tuple[str, int]:
        """fadd, fsub, fmul"""
        if e.type is F32:
            return self.hoist(self.single(e)), ATOM
        sign, prec = SIGNS[e.op]
        (x, px), (y, py) = map(self.value, e.args)
        return f"{paren(x, px, prec)} {sign} {paren(y, py, prec + 1)}", prec

    def single(self, e: Expr) -> str:
        """Write the rounded sum, difference or product of two f32: where to read it before the next one."""
        sign, prec = SIGNS[e.op]
        a, b = e.args
        x, px = self.operand(a)
        cell = self.rounding_cell
        if x == cell and not is_simple(b):
            x, px = self.hoist(x), ATOM
        y, py = self.operand(b)
        self.line(f"{cell} = {paren(x, px, prec)} {sign} {paren(y, py, prec + 1)}")
        return cell

    def operand(self, e: Expr) -> tuple[str, int]:
        """An operand that is read at once."""
        return (self.single(e), POSTFIX) if e.type is F32 and e.op in SIGNS else self.value(e)

    def quotient(self, e: Expr) -> tuple[str, int]:
        """fdiv: Python divides by no zero"""
        a, b = e.args
        if b.op == CONST and b.imm and b.imm == b.imm:
            x, px = self.value(a)
            text = f"{paren(x, px, MUL)} / {paren(*self.value(b), UNARY)}"
            return self.rounded(text, e) if e.type is F32 else (text, MUL)
        x, y = self.atom(a), self.atom(b)
        text = f"{x} / {y} if {y} else {function_name('fdiv', e.params)}({x}, {y})"
        return self.rounded(text, e) if e.type is F32 else (text, CONDITIONAL)

    def square_root(self, e: Expr) -> tuple[str, int]:
        """fsqrt"""
        x = self.atom(e.args[0])
        text = f"sqrt({x}) if {x} >= 0.0 else {CANONICAL[F64]}"
        return self.rounded(text, e) if e.type is F32 else (text, CONDITIONAL)

    def extreme(self, e: Expr) -> tuple[str, int]:
        """fmin, fmax: zeros and NaNs go the long way"""
        x, y = self.atom(e.args[0]), self.atom(e.args[1])
        sign = "<" if e.op == "fmin" else ">"
        slow = f"{function_name(e.op, e.params)}({x}, {y})"
        return f"{x} if {x} {sign} {y} else {y} if {y} {sign} {x} else {slow}", CONDITIONAL

    def negation(self, e: Expr) -> tuple[str, int]:
        """fneg"""
        if e.type is F32:
            x = self.atom(e.args[0])
            return f"-{x} if {x} == {x} else {function_name('fneg', e.params)}({x})", CONDITIONAL
        text, prec = self.clean(e.args[0])
        return f"-{paren(text, prec, UNARY)}", UNARY

    def magnitude(self, e: Expr) -> tuple[str, int]:
        """fabs"""
        if e.type is F32:
            x = self.atom(e.args[0])
            return f"abs({x}) if {x} == {x} else {function_name('fabs', e.params)}({x})", CONDITIONAL
        return f"abs({self.clean(e.args[0])[0]})", POSTFIX

    def floor(self, e: Expr) -> tuple[str, int]:
        """ffloor, fceil"""
        x = self.atom(e.args[0])
        text = f"{x} // 1.0" if e.op == "ffloor" else f"-(-{x} // 1.0)"
        slow = f"{function_name(e.op, e.params)}({x})"
        return f"{text} if -{INTEGRAL} < {x} < {INTEGRAL} else {slow}", CONDITIONAL

    def from_integer(self, e: Expr) -> tuple[str, int]:
        """convert_u, convert_s; an i64 to an f32 would be rounded twice"""
        M, N = e.params
        if N == 32 and M == 64:
            return self.call(e)
        t = self.signed(e.args[0]) if e.op == "convert_s" else self.exact(e.args[0])
        text = f"{paren(t.text, t.prec, ADD)} + 0.0"
        return self.rounded(text, e) if N == 32 else (text, ADD)

    def promotion(self, e: Expr) -> tuple[str, int]:
        """promote"""
        return self.value(e.args[0])

    def demotion(self, e: Expr) -> tuple[str, int]:
        """demote"""
        return self.rounded(self.value(e.args[0])[0], e)

    def float_of_bits(self, e: Expr) -> tuple[str, int]:
        """reinterpret to a float; a signalling f32 would be quieted"""
        if e.type is F32:
            return self.call(e)
        self.line(f"DQ[0] = {self.exact(e.args[0]).text}")
        return self.hoist("D[0]"), ATOM

    def bits_of_float(self, e: Expr) -> tuple[str, int]:
        """reinterpret to an integer"""
        if e.params[0] == "f32":
            return self.call(e)
        self.line(f"D[0] = {self.clean(e.args[0])[0]}")
        return self.hoist("DQ[0]"), ATOM

    # ---- Vectors.

    def bitwise(self, e: Expr) -> tuple[str, int]:
        """iand, ior, ixor of all 128 bits"""
        sign, prec = BITWISE[e.op]
        (x, px), (y, py) = map(self.value, e.args)
        return f"{paren(x, px, prec)} {sign} {paren(y, py, prec + 1)}", prec

    def and_not(self, e: Expr) -> tuple[str, int]:
        """iandnot"""
        (x, px), (y, py) = map(self.value, e.args)
        return f"{paren(x, px, AND)} & ~{paren(y, py, UNARY)}", AND

    def complement(self, e: Expr) -> tuple[str, int]:
        """inot"""
        x, px = self.value(e.args[0])
        return f"{paren(x, px, XOR)} ^ {MASK[128]}", XOR

    def bit_select(self, e: Expr) -> tuple[str, int]:
        """ibitselect"""
        x, y, z = map(self.atom, e.args)
        return f"{y} ^ ({x} ^ {y}) & {z}", XOR

    def splat(self, e: Expr) -> tuple[str, int]:
        """ivsplat"""
        N = e.params[0].N
        t = self.number(e.args[0])
        text = paren(t.text, t.prec, MUL)
        if t.lo < 0 or t.hi > MASK[N]:
            text = f"({paren(t.text, t.prec, AND)} & {MASK[N]})"
        return f"{text} * {ONES[N]}", MUL

    def join(self, e: Expr) -> tuple[str, int]:
        """A vector of its lanes"""
        lanes = ", ".join([self.clean(arg)[0] for arg in e.args])
        return f"join_{e.params[0]}({lanes})", POSTFIX

    def lane(self, e: Expr) -> tuple[str, int]:
        """ivextract_lane_u"""
        sh, i = e.params
        x, px = self.value(e.args[0])
        if i == sh.dim - 1:
            return f"{paren(x, px, SHIFT)} >> {sh.N * i}", SHIFT
        text = f"{paren(x, px, SHIFT)} >> {sh.N * i}" if i else paren(x, px, AND)
        return f"{text} & {MASK[sh.N]}", AND

    def i31(self, e: Expr) -> tuple[str, int]:
        """ref.i31"""
        t = self.number(e.args[0])
        return f"I31({paren(t.text, t.prec, AND)} & {MASK[31]})", POSTFIX

    def func_reference(self, e: Expr) -> tuple[str, int]:
        """ref.func"""
        return f"ref{e.imm}", ATOM

    def function(self, op: str, params: tuple[Any, ...]) -> str:
        """The name of a numerics function with these first arguments."""
        return function_name(op, params)


Write = Callable[[Any, Expr], tuple[str, int]]

FLOATS: dict[str, Write] = {
    "fadd": ValueWriter.float_operator, "fsub": ValueWriter.float_operator, "fmul": ValueWriter.float_operator,
    "fdiv": ValueWriter.quotient, "fsqrt": ValueWriter.square_root, "fmin": ValueWriter.extreme,
    "fmax": ValueWriter.extreme, "fneg": ValueWriter.negation, "fabs": ValueWriter.magnitude,
    "ffloor": ValueWriter.floor, "fceil": ValueWriter.floor, "convert_u": ValueWriter.from_integer,
    "convert_s": ValueWriter.from_integer, "promote": ValueWriter.promotion, "demote": ValueWriter.demotion,
    "reinterpret": ValueWriter.float_of_bits, "ref.i31": ValueWriter.i31, "ref.func": ValueWriter.func_reference,
}  # fmt: skip
"""How the functions that give floats, and the operators that give references, are written."""

VECTORS: dict[str, Write] = {
    "iand": ValueWriter.bitwise, "ior": ValueWriter.bitwise, "ixor": ValueWriter.bitwise,
    "iandnot": ValueWriter.and_not, "inot": ValueWriter.complement, "ibitselect": ValueWriter.bit_select,
    "ivsplat": ValueWriter.splat, JOIN: ValueWriter.join,
}  # fmt: skip
"""How the functions that give vectors are written; the others are called."""

LANES: dict[str, Write] = {"reinterpret": ValueWriter.bits_of_float, "ivextract_lane_u": ValueWriter.lane}
"""How the functions that give integers of floats and vectors are written; the others are called."""
