"""What loops and handlers assign, read off a function's body before it is translated.

Spec: exec/instructions#variable-instructions
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd

from interp.compiled.facts import constant
from interp.execution.numerics_int import iadd, isub
from interp.execution.values import MASK
from interp.syntax.instructions import Expr, Instr

Step = int | str | None

Operand = int | str | tuple[str, str]
"""An iN, the name of a local, or those of two that are added."""

Test = tuple[Instr | None, Operand, Operand]


@dataclass(slots=True)
class Steps:
    """The locals that a loop assigns: for each the greatest common divisor of what is added to it, or 0 where it is
    assigned in any other way; and what is added to those that are stepped in one place, outside of inner loops: an iN,
    or the name of another local. None stands for all other assignments. `always` holds the byte offsets of the
    assignments that no branch inside of the loop can pass by.

    `test` is what the last branch back that the text shows compares: a comparison (None: with 0) of two operands.
    """

    divisors: dict[int, int] = field(default_factory=dict)
    once: dict[int, Step] = field(default_factory=dict)
    always: dict[int, int] = field(default_factory=dict)
    test: Test | None = None


ASSIGNMENTS = ("local.set", "local.tee")


def assigned(body: Expr) -> dict[int, Steps]:
    """For each `loop` and `try_table` in a body, by its byte offset: the locals that are assigned inside."""
    found: dict[int, Steps] = {}
    open_: list[tuple[Expr, int, list[Steps], bool]] = [(body, 0, [], False)]
    while open_:
        code, start, around, of_loop = open_.pop()
        for index in range(start, len(code)):
            instr = code[index]
            kind = instr.op.kind
            if kind in ASSIGNMENTS:
                if around:
                    record(around, instr.immediates[0], step(code, index))
                    if of_loop:
                        around[-1].always[instr.immediates[0]] = instr.offset
            elif kind == "br_if":
                if of_loop and instr.immediates[0] == 0:
                    around[-1].test = test(code, index)
            elif instr.bodies:
                inner = around
                if kind in ("loop", "try_table"):
                    inner = [*around, found.setdefault(instr.offset, Steps())]
                open_.append((code, index + 1, around, of_loop))
                open_.extend((inner_code, 0, inner, kind == "loop") for inner_code in reversed(instr.bodies))
                break
    return found


def record(around: list[Steps], x: int, added: Step) -> None:
    """A local is assigned inside all these blocks."""
    divisor = added if isinstance(added, int) else 0
    for steps in around:
        known = steps.divisors.get(x)
        if known is None:
            steps.divisors[x] = divisor
            steps.once[x] = added if steps is around[-1] else None
        else:
            steps.divisors[x] = gcd(known, divisor) if known and divisor else 0
            steps.once[x] = None


def step(code: Expr, index: int) -> Step:
    """What an assignment adds to its local, if it has the form `local.get x, const c, add or sub, local.set x`, or adds
    another local in place of c."""
    if index < 3:
        return None
    get, added, operator = code[index - 3 : index]
    x = code[index].immediates
    if added.op.kind == "local.get" and operator.op.sem is iadd:
        if added.immediates == x:
            get, added = added, get
        if get.op.kind == added.op.kind and get.immediates == x != added.immediates:
            return f"l{added.immediates[0]}"
        return None
    if get.op.kind != "local.get" or get.immediates != x or added.op.kind != "const":
        return None
    if operator.op.sem is iadd:
        return int(added.immediates[0])
    return isub(operator.op.params[0], 0, added.immediates[0]) if operator.op.sem is isub else None


def test(code: Expr, index: int) -> Test | None:
    """What the condition of a branch compares."""
    if index < 1:
        return None
    operator = code[index - 1]
    if operator.op.kind in ("local.get", "local.tee"):
        return None, f"l{operator.immediates[0]}", 0
    second = operand(code, index - 2)
    if operator.op.type is None or len(operator.op.type.params) != 2 or second is None:
        return None
    first = operand(code, second[1])
    return None if first is None else (operator, first[0], second[0])


def operand(code: Expr, last: int) -> tuple[Operand, int] | None:
    """The local, the constant, or the sum of two locals that the instruction at `last` gives, and the index before all
    that belongs to it."""
    found = simple_operand(code, last)
    if found is not None or last < 0 or code[last].op.sem is not iadd:
        return found
    second = simple_operand(code, last - 1)
    first = None if second is None else simple_operand(code, second[1])
    if first is None or second is None or not isinstance(first[0], str) or not isinstance(second[0], str):
        return None
    return (first[0], second[0]), first[1]


def simple_operand(code: Expr, last: int) -> tuple[int | str, int] | None:
    """The same for a local, which may just have been stepped, or a constant."""
    if last < 0:
        return None
    instr = code[last]
    if instr.op.kind == "const" and isinstance(instr.immediates[0], int):
        return instr.immediates[0], last - 1
    if instr.op.kind == "local.get":
        return f"l{instr.immediates[0]}", last - 1
    if instr.op.kind == "local.tee" and step(code, last) is not None:
        return f"l{instr.immediates[0]}", last - 4
    return None


def first_facts(N: int, entry: tuple[int, int, int], divisor: int) -> tuple[int, int, int]:
    """What may be expected of an iN at the start of a loop that steps it so, if `entry` holds before the loop: the
    lowest bits stay; stepped up, it stays above where it began, and stepped down it stays below, and often above 0. Of
    others, only what begins as an address is expected to stay one."""
    lo, hi, zeros = entry
    if not divisor:
        return 0, MASK[N], zeros if 2 <= zeros < 64 else 0
    zeros = min(zeros, constant(divisor)[2])
    return (min(lo, 1), max(hi, 2), zeros) if divisor > MASK[N - 1] else (lo, MASK[N], zeros)
