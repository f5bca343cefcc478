"""Texts of Python source, with what is known of them."""

from __future__ import annotations

from typing import NamedTuple

from interp.compiled.facts import WIDTH

ATOM, POSTFIX, UNARY, MUL, ADD, SHIFT, AND, XOR, OR, COMPARE, NOT, LOGICAL_AND, LOGICAL_OR, CONDITIONAL = range(
    20, 6, -1
)
"""Precedences of Python's operators, the tightest first.  (Only their order matters.)"""


class Text(NamedTuple):
    """Source of an expression, its precedence, and the least and greatest value it may have."""

    text: str
    prec: int
    lo: int
    hi: int


WIDEST = {32: 1 << 90, 64: 1 << 150}
"""Beyond this the digits of a Python integer cost more than a mask."""

WIDTHS = WIDTH
MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
UNSIGNED = {"ilt_u": "<", "ile_u": "<=", "igt_u": ">", "ige_u": ">="}
SIGNED = {"ilt_s": "<", "ile_s": "<=", "igt_s": ">", "ige_s": ">="}
NEGATED = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
FLOAT_COMPARISONS = {"feq": "==", "fne": "!=", "flt": "<", "fgt": ">", "fle": "<=", "fge": ">="}


def paren(text: str, prec: int, least: int) -> str:
    """The text, in parentheses if an operator around it binds tighter."""
    return text if prec >= least else f"({text})"
