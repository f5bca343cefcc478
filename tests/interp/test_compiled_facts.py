"""What the compiled engine knows of integers is true: the facts of results, of joined paths, and behind branches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
from compiled_support import EDGES
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.compiled.counting import Known
from interp.compiled.facts import MIRRORED, NEGATED, RULES, Fact, Facts, constant, implies, join, refine, trailing_zeros
from interp.compiled.tree import CONST, VAR, Expr
from interp.errors import Trap
from interp.execution import numerics
from interp.execution.values import MASK
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import I32, I64, V128, ValType

WIDTH: dict[Any, int] = {I32: 32, I64: 64}
ROWS = [op for op in OPS if op.sem is not None and op.type is not None and op.sem.__name__ in RULES]
INTEGRAL = [op for op in ROWS if op.type is not None and all(t in WIDTH for t in (*op.type.params, *op.type.results))]
COMPARISONS = [op for op in INTEGRAL if op.kind == "relop"]


def number(N: int) -> st.SearchStrategy[int]:
    """An iN: edges, small ones, anything."""
    return st.sampled_from(EDGES[I32 if N == 32 else I64]) | st.integers(0, 200) | st.integers(0, MASK[N])


def holds(fact: Fact, i: int) -> bool:
    """Whether a fact holds of a number."""
    lo, hi, zeros = fact
    return lo <= i <= hi and i & MASK[min(zeros, 64)] == 0


@st.composite
def known(draw: st.DrawFn, N: int) -> tuple[int, Fact]:
    """A number and a fact that holds of it."""
    i = draw(number(N))
    lo = draw(st.just(i) | st.just(0) | st.integers(0, i))
    hi = draw(st.just(i) | st.just(MASK[N]) | st.integers(i, MASK[N]))
    zeros = draw(st.integers(0, min(trailing_zeros(i), N)) | st.just(0))
    return (i, constant(i)) if lo == hi else (i, (lo, hi, zeros))


FEW = 3
"""A width at which all facts and all numbers can be tried."""


@cache
def all_facts(N: int) -> list[tuple[Fact, list[int]]]:
    """All facts of an iN, each with the numbers that it holds of."""
    facts = [(lo, hi, zeros) for lo in range(1 << N) for hi in range(lo, 1 << N) for zeros in range(N + 1)]
    found = [(fact, [i for i in range(1 << N) if holds(fact, i)]) for fact in facts]
    return [*[each for each in found if each[1]], (constant(0), [0])]


def test_only_integers_have_rules() -> None:
    assert {op.type.results[0] for op in ROWS if op.type is not None} <= {I32, I64, V128}
    others = set(RULES) - {op.sem.__name__ for op in ROWS if op.sem is not None}
    assert others == {"select"}
    assert len(INTEGRAL) > 60


def widths_of(op: Op) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Narrow widths for an operator: its first arguments, and the widths of its operands."""
    assert op.type is not None
    if op.kind == "cvtop":
        M, N = (FEW + 1, FEW) if op.params[0] > op.params[1] else (FEW, FEW + 1)
        return (M, N), (M,)
    return ((FEW, FEW - 1) if len(op.params) == 2 else (FEW,)), (FEW,) * len(op.type.params)


@pytest.mark.parametrize("op", [op for op in INTEGRAL if op.params[0] == 32 or op.kind == "cvtop"], ids=str)
def test_rules_at_a_narrow_width(op: Op) -> None:
    """The result of operands of which facts hold is one of which the rule's fact holds: all facts, all numbers."""
    sem = function(op.sem.__name__)  # type: ignore[union-attr]
    rule, (params, widths) = RULES[sem.__name__], widths_of(op)
    results: dict[tuple[int, ...], int | None] = {}
    for row in product(*[range(1 << N) for N in widths]):
        try:
            results[row] = sem(*params, *row)
        except Trap:
            results[row] = None
    for operands in product(*map(all_facts, widths)):
        fact = rule(*params, *[Known(*known) for known, _ in operands])
        for row in product(*[numbers for _, numbers in operands]):
            result = results[row]
            assert result is None or holds(fact, result), (op, operands, row, result, fact)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_rules_at_full_width(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(INTEGRAL))
    assert op.type is not None
    row = [data.draw(known(WIDTH[t])) for t in op.type.params]
    fact = RULES[op.sem.__name__](*op.params, *[Known(*fact) for _, fact in row])  # type: ignore[union-attr]
    try:
        result = op.sem(*op.params, *[i for i, _ in row])  # type: ignore[misc]
    except Trap:
        return
    assert holds(fact, result)


@pytest.mark.parametrize("op", [op for op in ROWS if op not in INTEGRAL], ids=str)
def test_rules_of_what_comes_from_floats_and_vectors(op: Op) -> None:
    """Tests and comparisons of these give 0 or 1, whatever is known of their operands; other functions of vectors share
    their rules with integers, and nobody reads them."""
    assert op.type is not None
    if op.type.results == (V128,):
        assert op.params == (128,)
    else:
        assert op.type.results == (I32,)
        fact = RULES[op.sem.__name__](*op.params, *[Known(0, 0, 0) for _ in op.type.params])  # type: ignore[union-attr]
        assert fact == (0, 1, 0)


@given(known(32), known(64), known(64))
def test_a_choice(condition: tuple[int, Fact], a: tuple[int, Fact], b: tuple[int, Fact]) -> None:
    fact = RULES["select"](*[Known(*each[1]) for each in (condition, a, b)])
    assert holds(fact, a[0])
    assert holds(fact, b[0])


@given(known(64), known(64))
def test_join_holds_of_both_and_is_implied_by_both(a: tuple[int, Fact], b: tuple[int, Fact]) -> None:
    fact = join(a[1], b[1])
    assert holds(fact, a[0])
    assert holds(fact, b[0])
    assert implies(a[1], fact)
    assert implies(b[1], fact)


@given(known(64), known(64))
def test_what_implies_a_fact_holds_of_less(a: tuple[int, Fact], b: tuple[int, Fact]) -> None:
    if implies(a[1], b[1]):
        assert holds(b[1], a[0])


@pytest.mark.parametrize("name", sorted(NEGATED))
def test_negated_and_mirrored_comparisons(name: str) -> None:
    for a, b in product(range(1 << FEW), repeat=2):
        found = function(name)(FEW, a, b)
        assert function(NEGATED[name])(FEW, a, b) == 1 - found
        assert function(MIRRORED[name])(FEW, b, a) == found


def function(name: str) -> Callable[..., int]:
    """A numerics function."""
    found: Callable[..., int] = getattr(numerics, name)
    return found


# ---- Behind branches.


def leaf(name: str, t: ValType, i: int, fact: Fact, is_constant: bool) -> Expr:
    """A variable of which a fact is known, or a constant."""
    e = Expr(CONST, t, imm=i) if is_constant else Expr(VAR, t, imm=name)
    e.lo, e.hi, e.zeros = constant(i) if is_constant else fact
    return e


def check_refined(condition: Expr, value: int, values: dict[str, int], known_of: Facts) -> None:
    """What follows from a condition that has this value holds of the variables."""
    for wanted in (True, False):
        facts = dict(known_of)
        refine(facts, condition, wanted)
        if bool(value) is wanted:
            assert all(holds(fact, values[name]) for name, fact in facts.items()), (condition, values, facts)


@pytest.mark.parametrize("name", sorted(NEGATED))
def test_what_a_comparison_says_at_a_narrow_width(name: str) -> None:
    """All facts and all numbers, of two variables, and of a variable and a constant."""
    sem = function(name)
    for (fact_a, numbers_a), (fact_b, numbers_b) in product(all_facts(FEW), repeat=2):
        x, y = leaf("l0", I32, 0, fact_a, False), leaf("l1", I32, 0, fact_b, False)
        if fact_b[0] == fact_b[1]:
            y = leaf("l1", I32, fact_b[0], fact_b, True)
        condition = Expr(name, I32, (x, y), (FEW,))
        refined: dict[int, Facts] = {1: {"l0": fact_a, "l1": fact_b}, 0: {"l0": fact_a, "l1": fact_b}}
        for wanted, facts in refined.items():
            refine(facts, condition, bool(wanted))
        for a, b in product(numbers_a, numbers_b):
            facts = refined[sem(FEW, a, b)]
            assert holds(facts["l0"], a), (name, fact_a, fact_b, a, b, facts)
            assert holds(facts["l1"], b), (name, fact_a, fact_b, a, b, facts)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(COMPARISONS), st.data(), st.integers(0, 3), st.booleans(), st.booleans())
def test_what_a_comparison_says(op: Op, data: st.DataObject, eqzs: int, const_a: bool, const_b: bool) -> None:
    assert op.type is not None
    t = op.type.params[0]
    (i, fact_i), (k, fact_k) = data.draw(known(WIDTH[t])), data.draw(known(WIDTH[t]))
    args = (leaf("l0", t, i, fact_i, const_a), leaf("l1", t, k, fact_k, const_b))
    condition = Expr(op.sem.__name__, I32, args, op.params)  # type: ignore[union-attr]
    value = op.sem(*op.params, i, k)  # type: ignore[misc]
    for _ in range(eqzs):
        condition, value = Expr("ieqz", I32, (condition,), (32,)), int(not value)
    check_refined(condition, value, {"l0": i, "l1": k}, {"l0": fact_i, "l1": fact_k})


@given(known(32), st.booleans())
def test_what_a_variable_says(pair: tuple[int, Fact], negated: bool) -> None:
    i, fact = pair
    condition = leaf("l0", I32, i, fact, False)
    if negated:
        condition = Expr("ieqz", I32, (condition,), (32,))
    check_refined(condition, int(not i) if negated else i, {"l0": i}, {"l0": fact})


def test_a_variable_compared_with_itself() -> None:
    for fact, numbers in all_facts(FEW):
        x = leaf("l0", I32, 0, fact, False)
        for name, i in product(NEGATED, numbers):
            condition = Expr(name, I32, (x, x), (FEW,))
            check_refined(condition, function(name)(FEW, i, i), {"l0": i}, {"l0": fact})
