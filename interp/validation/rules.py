"""The registry of typing rules (specification 3.4): one function for each kind of instruction whose rows have no type.

A rule function pops what the instruction takes and pushes what it leaves. `x y` are indices, `l` a label index, `t`
value types, `rt` reference types, `ft` function types, `at` address types.
Spec: valid/instructions
"""

from __future__ import annotations

from collections.abc import Callable

from interp.syntax.instructions import Instr
from interp.validation.algorithm import Validator

TypingRule = Callable[[Validator, Instr], None]
RULES: dict[str, TypingRule] = {}


def instr_ok(kind: str) -> Callable[[TypingRule], TypingRule]:
    """Register the typing rule of a kind of instruction."""

    def register(function: TypingRule) -> TypingRule:
        RULES[kind] = function
        return function

    return register
