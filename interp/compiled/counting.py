"""Loops that count: a local that every turn steps alike, and that is compared with a bound before each branch back.

If a local v starts at v0, is only ever changed by adding c, and every branch back is taken only while v differs from a
bound b that does not change, then v stays between v0 and b - c, provided that v0 + c <= b and that b - v0 is a multiple
of c. So neither v nor v + c wraps around, which no fact about v alone can say.

Spec: exec/instructions#exec-loop
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interp.compiled.facts import MIRRORED, NEGATED, RULES, WIDTH, Fact, Facts, constant
from interp.compiled.scan import Operand, Steps
from interp.compiled.tree import CONST, VAR, Expr, Last
from interp.execution.values import MASK, SIGN
from interp.syntax.types import I32, ValType

if TYPE_CHECKING:
    from interp.compiled.translate import Translator


DIFFERS, BELOW, BELOW_SIGNED = "ine", "ilt_u", "ilt_s"


@dataclass(frozen=True, slots=True)
class Relation:
    """Every branch back is taken only while the variable `name`, stepped by `step` (an iN, or a variable that does not
    change), differs from the bound, or is below it: the variable `bound`, or if there is none, `constant`; or where
    `negated`, `constant` less the variable `bound`."""

    name: str
    kind: str
    step: int | str
    bound: str | None
    constant: int
    negated: bool


@dataclass(frozen=True, slots=True)
class Known:
    """A fact in place of an expression."""

    lo: int
    hi: int
    zeros: int
    op: str = ""


def known(e: Expr, facts: Facts) -> Known:
    """What follows of an expression from facts."""
    if e.op == VAR and e.imm in facts:
        return Known(*facts[e.imm])
    if e.args and e.op in RULES:
        return Known(*RULES[e.op](*e.params, *[known(arg, facts) for arg in e.args]))
    return Known(e.lo, e.hi, e.zeros)


def derive(e: Expr, facts: Facts) -> Fact:
    """The fact of an expression, from facts of its variables."""
    found = known(e, facts)
    return found.lo, found.hi, found.zeros


Stepped = Mapping[str, int | str]
"""Local -> what each turn of a loop adds to it: an iN, or the name of a local that the loop does not change."""


def relation_of(last: Last, steps: Stepped, copies: Mapping[str, str], loop: Steps) -> Relation | None:
    """The relation that a condition establishes, if it is one between a local that a loop steps and a bound that it
    does not change. `copies` are variables that have the values of such locals."""
    if last is None:
        return None
    condition, holds = last
    while condition.op == "ieqz":
        condition, holds = condition.args[0], not holds
    if condition.op == VAR:
        return relation(renamed(condition, copies), DIFFERS, None, 0, False, steps, loop) if holds else None
    if len(condition.args) != 2:
        return None
    a, b = [renamed(arg, copies) for arg in condition.args]
    kind = condition.op if holds else NEGATED.get(condition.op, "")
    if kind == DIFFERS and a.op == "iadd" and b.op == CONST:
        v, w = [renamed(arg, copies) for arg in a.args]
        found = relation(v, DIFFERS, w, b.imm, True, steps, loop)
        return found or relation(w, DIFFERS, v, b.imm, True, steps, loop)
    for v, w, way in ((a, b, kind), (b, a, MIRRORED.get(kind, ""))):
        if way in (DIFFERS, BELOW, BELOW_SIGNED):
            found = relation(v, way, w, 0, False, steps, loop)
            if found is not None:
                return found
    return None


def expected(loop: Steps, types: Sequence[ValType]) -> Relation | None:
    """The relation that the text of a loop suggests."""
    if loop.test is None:
        return None
    operator, *operands = loop.test
    names = [name for operand in operands if not isinstance(operand, int) for name in operand_names(operand)]
    if not names or types[int(names[0][1:])] not in WIDTH:
        return None
    t = types[int(names[0][1:])]
    a, b = [operand_expr(operand, t) for operand in operands]
    condition = a
    if operator is not None:
        if operator.op.sem is None:
            return None
        condition = Expr(operator.op.sem.__name__, I32, (a, b), operator.op.params)
    steps = {f"l{x}": step for x, step in loop.once.items() if step}
    return relation_of((condition, True), steps, {}, loop)


def operand_names(operand: str | tuple[str, str]) -> tuple[str, ...]:
    """The locals of an operand."""
    return (operand,) if isinstance(operand, str) else operand


def operand_expr(operand: Operand, t: ValType) -> Expr:
    """An operand as an expression, of which nothing is known."""
    if isinstance(operand, int):
        return Expr(CONST, t, imm=operand)
    terms = [Expr(VAR, t, imm=name) for name in operand_names(operand)]
    return terms[0] if len(terms) == 1 else Expr("iadd", t, tuple(terms), (WIDTH[t],))


def renamed(e: Expr, copies: Mapping[str, str]) -> Expr:
    """The stepped local of which a variable is a copy, in place of the copy."""
    if e.op == VAR and e.imm in copies:
        return Expr(VAR, e.type, imm=copies[e.imm], reads=1 << int(copies[e.imm][1:]))
    return e


def relation(
    v: Expr, kind: str, w: Expr | None, value: int, negated: bool, steps: Stepped, loop: Steps
) -> Relation | None:
    """A relation of v to the bound w, or to a constant."""
    step = steps.get(v.imm) if v.op == VAR else None
    if step is None or (isinstance(step, str) and int(step[1:]) in loop.divisors):
        return None
    if w is None:
        return Relation(v.imm, kind, step, None, value, negated)
    if w.op == CONST and not negated:
        return Relation(v.imm, kind, step, None, w.imm, negated)
    if w.op != VAR or w.imm[0] != "l" or int(w.imm[1:]) in loop.divisors:
        return None
    return Relation(v.imm, kind, step, w.imm, value, negated)


@dataclass(frozen=True, slots=True)
class Count:
    """A counted loop: its relation, the signed step as a number or a name, the bound less than 2**N or equal to it as
    (constant, variable, -1, 0 or 1: how often the variable is added), and what holds of the variable at its start.

    `entered` says that the relation holds before the first turn too. Where the variable is stepped in every turn
    (`steady`), there are at most `turns` turns after the first one.

    `others` are the locals that are stepped once a turn: by how much (signed), and what holds of them in the loop;
    `starts` is what holds before it of them and of the bound. Unless the variable is `used_behind` the loop, it need
    not have its last value.
    """

    relation: Relation
    step: int | str
    bound: tuple[int, str | None, int]
    fact: Fact
    turns: int
    entered: bool
    steady: bool = False
    others: dict[str, tuple[int, Fact]] = field(default_factory=dict)
    starts: Facts = field(default_factory=dict)
    used_behind: bool = True


def bound_of(relation: Relation, entry: Facts, full: Fact) -> tuple[Fact, tuple[int, str | None, int]] | None:
    """What is known of the bound, and how to compute it."""
    if relation.bound is None:
        return constant(relation.constant), (relation.constant, None, 0)
    b = entry.get(relation.bound) or full
    if not relation.negated:
        return b, (0, relation.bound, 1)
    lo, hi, value = relation.constant - b[1], relation.constant - b[0], relation.constant
    if hi < 0:
        lo, hi, value = lo + full[1] + 1, hi + full[1] + 1, value + full[1] + 1
    return None if lo < 0 else ((lo, hi, b[2]), (value, relation.bound, -1))


def counted(t: Translator, relation: Relation, entry: Facts, last: Last) -> Count | None:
    """What follows for a loop from its relation, if `entry` and `last` hold before the loop; or None."""
    N = WIDTH[t.types[relation.name]]
    full = (0, MASK[N], 0)
    v0 = entry.get(relation.name) or full
    found = bound_of(relation, entry, full)
    if found is None:
        return None
    b, how = found
    step = relation.step
    if relation.kind != DIFFERS:
        return below(t, relation, v0, b, how, entry, last)
    if isinstance(step, str):
        return None
    if step < SIGN[N]:
        if b == constant(0):
            b, how = (MASK[N] + 1, MASK[N] + 1, 64), (MASK[N] + 1, None, 0)
        if v0[1] + step > b[0] or not multiple(v0, b, step, relation):
            return None
        fact = v0[0], b[1] - step, min(v0[2], constant(step)[2])
        return Count(relation, step, how, fact, (fact[1] - fact[0]) // step, True)
    step = MASK[N] + 1 - step
    if v0[0] - step < b[1] or not multiple(v0, b, step, relation):
        return None
    fact = b[0] + step, v0[1], min(v0[2], constant(step)[2])
    return Count(relation, -step, how, fact, (fact[1] - fact[0]) // step, True)


def below(
    t: Translator, relation: Relation, v0: Fact, b: Fact, how: tuple[int, str | None, int], entry: Facts, last: Last
) -> Count | None:
    """A loop that goes on while the local is below a bound. It may be entered although it is not below."""
    N = WIDTH[t.types[relation.name]]
    step = entry.get(relation.step, (0, MASK[N], 0)) if isinstance(relation.step, str) else constant(relation.step)
    end = MASK[N]
    entered = holds_before(relation, last)
    if relation.kind == BELOW_SIGNED:
        end = MASK[N - 1]
        if v0[1] >= end:
            return None
        if b[1] > end:
            # The bound may be negative; then the loop ends after its first turn.
            b = 0, end, b[2]
    if step[0] < 1 or max(b[1] - 1, v0[1]) + step[1] > end:
        return None
    fact = v0[0], max(v0[1], b[1] - 1), min(v0[2], step[2])
    entered = entered or v0[1] < b[0]
    return Count(relation, relation.step, how, fact, (fact[1] - fact[0]) // step[0] + 1, entered)


def holds_before(relation: Relation, last: Last) -> bool:
    """Whether the last condition before a loop was that of its relation."""
    loop = Steps({int(relation.name[1:]): 0})
    return relation_of(last, {relation.name: relation.step}, {}, loop) == relation


def secondary(entry: Fact, step: int, turns: int, N: int) -> Fact | None:
    """What holds at the start of a loop of a local that is stepped at most once a turn, if there are at most so many
    turns after the first one; or None."""
    if step < SIGN[N]:
        hi = entry[1] + step * turns
        return (entry[0], hi, min(entry[2], constant(step)[2])) if hi <= MASK[N] else None
    step = MASK[N] + 1 - step
    lo = entry[0] - step * turns
    return (lo, entry[1], min(entry[2], constant(step)[2])) if lo >= 0 else None


def multiple(v0: Fact, b: Fact, step: int, relation: Relation) -> bool:
    """Whether the difference of start and bound is a multiple of the step."""
    if step == 1:
        return True
    if v0[0] == v0[1] and b[0] == b[1]:
        return (b[0] - v0[0]) % step == 0
    if step & (step - 1):
        return False
    k = step.bit_length() - 1
    if relation.negated:
        return v0[0] == v0[1] and (relation.constant - v0[0]) % step == 0 and b[2] >= k
    return v0[2] >= k and b[2] >= k
