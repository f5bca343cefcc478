"""What loops and handlers assign, read off a function's body before it is translated.

Spec: exec/instructions#variable-instructions
"""

from __future__ import annotations

from math import gcd

from interp.compiled.facts import constant
from interp.execution.values import MASK
from interp.syntax.instructions import Expr

Steps = dict[int, int]
"""Local -> the greatest common divisor of what is added to it, or 0 where it is assigned in any other way."""

ASSIGNMENTS = ("local.set", "local.tee")


def assigned(body: Expr) -> dict[int, Steps]:
    """For each `loop` and `try_table` in a body, by its byte offset: the locals that are assigned inside."""
    found: dict[int, Steps] = {}
    open_: list[tuple[Expr, int, list[Steps]]] = [(body, 0, [])]
    while open_:
        code, start, around = open_.pop()
        for index in range(start, len(code)):
            instr = code[index]
            kind = instr.op.kind
            if kind in ASSIGNMENTS:
                if around:
                    record(around, instr.immediates[0], step(code, index))
            elif instr.bodies:
                inner = around
                if kind in ("loop", "try_table"):
                    inner = [*around, found.setdefault(instr.offset, {})]
                open_.append((code, index + 1, around))
                open_.extend((inner_code, 0, inner) for inner_code in reversed(instr.bodies))
                break
    return found


def record(around: list[Steps], x: int, divisor: int) -> None:
    """A local is assigned inside all these blocks."""
    for steps in around:
        known = steps.get(x)
        steps[x] = divisor if known is None else (gcd(known, divisor) if known and divisor else 0)


def step(code: Expr, index: int) -> int:
    """What an assignment adds to its local, if it has the form `local.get x, const c, add or sub, local.set x`."""
    if index < 3:
        return 0
    get, const, operator = code[index - 3 : index]
    if get.op.kind == "local.get" and get.immediates == code[index].immediates and const.op.kind == "const":
        return int(const.immediates[0]) if operator.op.mnemonic.endswith((".add", ".sub")) else 0
    return 0


def first_facts(op_type_width: int, entry: tuple[int, int, int], divisor: int) -> tuple[int, int, int]:
    """What may be expected of a local at the start of a loop that steps it so, if `entry` holds before the loop: the
    least value and the lowest bits stay, and the greatest one where it is stepped down."""
    lo, hi, zeros = entry
    negative = divisor > MASK[op_type_width - 1]
    if divisor:
        zeros = min(zeros, constant(divisor)[2])
    return lo, hi if negative or not divisor else MASK[op_type_width], zeros
