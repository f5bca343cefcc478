"""Conditions: each comparison in each place where a condition may stand, which the compiled engine writes as a test of
Python's or as its negation; and what it knows of the operands behind the branch.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
from compiled_support import (
    EDGES,
    FLOATS,
    Term,
    apply,
    constant,
    exports_of,
    from_bits,
    outcome,
    param,
)

from interp.syntax.instructions import OPS
from interp.syntax.types import F64, I32, I64, ValType

COMPARISONS = {op.mnemonic: op for op in OPS if op.kind in ("relop", "testop") and op.type is not None}

PLACES = {
    "value": "{}",
    "if": "(if (result i32) {} (then (i32.const 1)) (else (i32.const 0)))",
    "br_if": "(block (br_if 0 {}) (return (i32.const 0))) (i32.const 1)",
    "br_if with a value": "(block (result i32) (drop (br_if 0 (i32.const 1) {})) (i32.const 0))",
    "if without else": "(if {} (then (return (i32.const 1)))) (i32.const 0)",
    "empty arm": "(if {} (then) (else (return (i32.const 0)))) (i32.const 1)",
    "select": "(select (i32.const 1) (i32.const 0) {})",
    "eqz": "(i32.eqz {})",
    "eqz of eqz": "(i32.eqz (i32.eqz {}))",
    "if eqz": "(if (result i32) (i32.eqz {}) (then (i32.const 0)) (else (i32.const 1)))",
    "br_if eqz of eqz": "(block (br_if 0 (i32.eqz (i32.eqz {}))) (return (i32.const 0))) (i32.const 1)",
    "br_table": "(block $a (block $b (br_table $b $a {}) (unreachable)) (return (i32.const 0))) (i32.const 1)",
    "and": "(if (result i32) (i32.and {} (i32.const 3)) (then (i32.const 1)) (else (i32.const 0)))",
    "ne": "(i32.ne {} (i32.const 0))",
    "local": "(local.set $c {}) (if (result i32) (local.get $c) (then (local.get $c)) (else (local.get $c)))",
    "extended": "(i32.wrap_i64 (i64.extend_i32_u {}))",
    "loop": "(local.set $c (i32.const 1)) (loop (if {} (then (return (local.get $c)))) (local.set $c (i32.const 0))"
    " (br_if 0 {})) (local.get $c)",
}
"""Functions that give 1 where a condition holds and 0 where it does not, or the other way round where they say eqz."""

NEGATED = ("eqz",)


def operands(t: ValType, k: int) -> list[Term]:
    """Operands of a type, one of them plain, others of known sign or range."""
    x = param(k, t)
    if t in FLOATS:
        one = 0x3F800000 if t is not F64 else 0x3FF << 52
        return [x, constant(t, one), apply(f"{t}.sub", x, x)]
    N = 32 if t is I32 else 64
    low = apply(f"{t}.and", x, constant(t, 0x7F))
    return [
        x,
        low,
        apply(f"{t}.or", x, constant(t, 1 << N - 1)),
        apply(f"{t}.add", low, constant(t, (1 << N) - 64)),
        apply(f"{t}.add", x, constant(t, 3)),
        apply(f"{t}.add", x, constant(t, (1 << N) - 20)),
        apply(f"{t}.shr_s", x, constant(t, N - 8)),
        constant(t, 0),
        constant(t, 40),
        constant(t, (1 << N - 1) - 1),
        constant(t, (1 << N) - 5),
    ]


def uses(name: str) -> list[Term]:
    """The comparison with operands of all kinds."""
    types = COMPARISONS[name].type.params  # type: ignore[union-attr]
    choices = [operands(t, k) for k, t in enumerate(types)]
    if len(types) == 1:
        return [apply(name, a) for a in choices[0]]
    plain = choices[0][0], choices[1][0]
    pairs = [(a, plain[1]) for a in choices[0]] + [(plain[0], b) for b in choices[1]]
    random = Random(name)  # noqa: S311 — any choice will do
    return [apply(name, a, b) for a, b in pairs + random.sample(list(product(*choices)), 4)]


@cache
def instance() -> Any:
    """One module for all: each use in each place is a function."""
    functions = []
    for name, op in COMPARISONS.items():
        params = " ".join(map(str, op.type.params))  # type: ignore[union-attr]
        for (k, term), (place, text) in product(enumerate(uses(name)), PLACES.items()):
            head = f'(func (export "{name} {k} {place}") (param {params}) (result i32) (local $c i32)'
            functions.append(f"{head} {text.replace('{}', term.text)})")
    return exports_of("compiled", f"(module {' '.join(functions)})")


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_each_comparison_in_each_place(name: str) -> None:
    types, random, exports = COMPARISONS[name].type.params, Random(name), instance()  # type: ignore[union-attr]  # noqa: S311
    for k, term in enumerate(uses(name)):
        rows = [[random.choice(EDGES[t]) for t in types] for _ in range(2)]
        same = random.choice(EDGES[types[0]])
        values = [[from_bits(t, b) for t, b in zip(types, bits, strict=True)] for bits in (*rows, [same] * len(types))]
        for place, args in product(PLACES, values):
            wanted = term.value(args) ^ (place in NEGATED)
            assert outcome(exports[f"{name} {k} {place}"], *args) == (wanted,), (term, place, args)


@pytest.mark.parametrize("t", [I32, I64])
def test_ranges_where_the_interval_wraps_around(t: ValType) -> None:
    """x + c compared with a constant is a test for a range, which may wrap around."""
    N = 32 if t is I32 else 64
    numbers = [0, 1, 5, 100, (1 << N - 1) - 1, 1 << N - 1, (1 << N) - 100, (1 << N) - 1]
    cases = {
        f"{name} {c} {d}": apply(f"{t}.{name}", apply(f"{t}.add", param(0, t), constant(t, c)), constant(t, d))
        for name, c, d in product(("lt_u", "le_u", "gt_u", "ge_u", "lt_s", "ge_s", "eq"), numbers, numbers)
    }
    text = " ".join(
        f'(func (export "{name}") (param {t}) (result i32) (if (result i32) {term.text}'
        " (then (i32.const 1)) (else (i32.const 0))))"
        for name, term in cases.items()
    )
    exports = exports_of("compiled", f"(module {text})")
    for name, term in cases.items():
        c, d = map(int, name.split()[1:])
        for x in {0, 1, (1 << N) - 1, *[(i + k) % (1 << N) for i in (-c, d - c) for k in (-1, 0, 1)]}:
            assert outcome(exports[name], x) == (term.value([x]),), (term, x)


REFINED = """(module
  (func $seen (export "seen") (param i32 i32) (result i32) (local i32)
    ;; What is known behind each branch is used by what follows it.
    (if (i32.lt_u (local.get 0) (i32.const 100)) (then
      (if (i32.ge_u (local.get 0) (i32.const 10)) (then
        (local.set 2 (i32.shr_u (i32.mul (local.get 0) (i32.const 40000000)) (i32.const 3))))
        (else (local.set 2 (i32.sub (local.get 0) (i32.const 10))))))
      (else (if (i32.gt_s (local.get 0) (i32.const -5)) (then
        (local.set 2 (i32.add (local.get 0) (i32.const 2147483647))))
        (else (local.set 2 (i32.add (local.get 0) (i32.const 5)))))))
    (if (i32.eq (local.get 1) (local.get 2)) (then (return (i32.const -1))))
    (if (local.get 1) (then (local.set 2 (i32.div_u (local.get 2) (local.get 1)))))
    (if (i32.le_s (local.get 1) (local.get 0)) (then
      (local.set 2 (i32.xor (local.get 2) (i32.lt_u (local.get 1) (local.get 0)))))
      (else (local.set 2 (i32.rotl (local.get 2) (i32.gt_s (local.get 1) (i32.const 3))))))
    (local.get 2)))"""


def test_what_is_known_behind_branches() -> None:
    reference, ours = (exports_of(name, REFINED)["seen"] for name in ("reference", "compiled"))
    numbers = [0, 1, 2, 9, 10, 11, 50, 99, 100, 101, 2**31 - 1, -(2**31), -6, -5, -4, -1]
    for a, b in product(numbers, numbers):
        assert ours(a, b) == reference(a, b), (a, b)
