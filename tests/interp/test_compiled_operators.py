"""Every scalar operator as the compiled engine writes it: of parameters, of constants, and of operands whose range is
known, which it writes in other ways; and random terms of them. All against the numerics functions, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import pytest
from compiled_support import (
    EDGES,
    Term,
    apply,
    check_terms,
    constant,
    expected,
    exports_of,
    from_bits,
    func,
    outcome,
    param,
    patterns,
    select,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from interp.syntax.instructions import OPS, Op
from interp.syntax.types import F32, F64, I32, I64, NumType, ValType

KINDS = ("unop", "binop", "testop", "relop", "cvtop")
ROWS = {op.mnemonic: op for op in OPS if op.kind in KINDS and op.type is not None and op.sem is not None}
NUMBERS = (I32, I64, F32, F64)


def test_all_scalar_operators_are_here() -> None:
    scalar = [op for op in OPS if op.sem is not None and not op.is_vector]
    assert {op.mnemonic for op in scalar} == set(ROWS)


# ---- Operands.

CONSTANTS = {
    I32: (0, 1, 2, 7, 8, 31, 32, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF9, 0xFFFFFFFF, 0x12345),
    I64: (0, 1, 3, 16, 63, 64, 0xFFFF, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 5, (1 << 64) - 1),
    F32: (0, 1 << 31, 0x3F800000, 0xC0000000, 0x7F800000, 0x7FC00000, 0x7FA00001, 0xFFC00123, 0x4F000000),
    F64: (0, 1 << 63, 0x3FF << 52, 0xC000 << 48, 0x7FF << 52, 0x7FF8 << 48, 0x7FF4000000000001, 0x41E0 << 48),
}


def ranges(t: ValType, x: Term) -> list[Term]:
    """Terms of a type whose range, lowest bits or NaNs are known, of one parameter of that type."""
    if t in (I32, I64):
        N, c = int(str(t)[1:]), lambda i: constant(t, i % (1 << int(str(t)[1:])))
        low = apply(f"{t}.and", x, c(0xFF))
        found = [
            low,
            apply(f"{t}.and", x, c(0x7FFFFFFF)),
            apply(f"{t}.shr_u", x, c(20)),
            apply(f"{t}.shr_s", x, c(N - 4)),
            apply(f"{t}.or", x, c(1 << N - 1)),
            apply(f"{t}.or", low, c(1)),
            apply(f"{t}.shl", x, c(4)),
            apply(f"{t}.shl", low, c(N - 8)),
            apply(f"{t}.add", low, c(-128)),
            apply(f"{t}.add", x, c(-1)),
            apply(f"{t}.sub", c(0), low),
            apply(f"{t}.mul", x, c(12)),
            apply(f"{t}.xor", x, c(-1)),
            apply(f"{t}.rem_u", x, c(10)),
            apply(f"{t}.div_s", x, c(-3)),
            apply(f"{t}.rotl", x, c(5)),
            apply(f"{t}.extend8_s", x),
            select(low if t is I32 else apply("i64.eqz", low), apply(f"{t}.add", x, c(5)), c(-2)),
        ]
        if t is I32:
            return [*found, apply("i32.eqz", low), apply("i32.wrap_i64", apply("i64.extend_i32_s", x))]
        narrow = apply("i32.wrap_i64", x)
        return [*found, apply("i64.extend_i32_u", narrow), apply("i64.extend_i32_s", narrow)]
    other = F64 if t is F32 else F32
    there, back = ("f64.promote_f32", "f32.demote_f64") if t is F32 else ("f32.demote_f64", "f64.promote_f32")
    return [
        apply(f"{t}.neg", x),
        apply(f"{t}.sqrt", x),
        apply(f"{t}.add", x, constant(t, from_text(t, 1.0))),
        apply(f"{t}.sub", x, x),
        apply(f"{t}.mul", apply(f"{t}.div", constant(t, 0), constant(t, 0)), x),
        apply(f"{t}.min", x, constant(t, 0)),
        apply(back, apply(f"{other}.neg", apply(there, x))),
        select(apply(f"{t}.lt", x, constant(t, 0)), x, apply(f"{t}.add", x, x)),
    ]


def from_text(t: ValType, z: float) -> int:
    """The bits of a float."""
    return {F32: 0x3F800000, F64: 0x3FF << 52}[t] if z == 1.0 else 0  # type: ignore[index]


# ---- Each row.


def uses(op: Op) -> list[Term]:
    """The operator with operands of all kinds. A parameter that is not used is there all the same."""
    assert op.type is not None
    types = op.type.params
    plain = [param(k, t) for k, t in enumerate(types)]
    choices = [
        [x, *[constant(t, bits) for bits in CONSTANTS[t]], *ranges(t, x)]  # type: ignore[index]
        for x, t in zip(plain, types, strict=True)
    ]
    if len(types) == 1:
        return [apply(op.mnemonic, a) for a in choices[0]]
    random = Random(op.mnemonic)  # noqa: S311 — any choice will do
    pairs = [(a, plain[1]) for a in choices[0]] + [(plain[0], b) for b in choices[1][1:]]
    pairs += [(random.choice(choices[0][1:]), random.choice(choices[1][1:])) for _ in range(20)]
    return [apply(op.mnemonic, a, b) for a, b in pairs]


@cache
def instance() -> Any:
    """One module for all rows: each use is a function, named by the mnemonic and a number."""
    functions = []
    for name, op in ROWS.items():
        assert op.type is not None
        functions += [func(f"{name} {k}", op.type.params, term) for k, term in enumerate(uses(op))]
    return exports_of("compiled", f"(module {' '.join(functions)})")


@pytest.mark.parametrize("name", sorted(ROWS))
def test_uses_of_each_operator(name: str) -> None:
    op = ROWS[name]
    assert op.type is not None
    types, random, exports = op.type.params, Random(name), instance()  # noqa: S311
    for k, term in enumerate(uses(op)):
        function = exports[f"{name} {k}"]
        for _ in range(4):
            bits = [
                random.choice(EDGES[t]) if random.random() < 0.7 else random.getrandbits(int(str(t)[1:])) for t in types
            ]
            check(function, term, types, bits)
    for _ in range(60):
        check(exports[f"{name} 0"], uses(op)[0], types, [random.choice(EDGES[t]) for t in types])


def check(function: Any, term: Term, types: Sequence[ValType], bits: Sequence[int]) -> None:
    """A call gives what the term means."""
    values = [from_bits(t, b) for t, b in zip(types, bits, strict=True)]
    assert outcome(function, *values) == expected(term, values), (term, list(map(hex, bits)))


# ---- Random terms.

PARAMS = (I32, I32, I64, I64, F32, F64)
BY_RESULT: dict[ValType, list[Op]] = {
    t: [op for op in ROWS.values() if op.type is not None and op.type.results == (t,)] for t in NUMBERS
}
INTEGER_OPS = {t: [op for op in BY_RESULT[t] if not any(p in (F32, F64) for p in op.type.params)] for t in (I32, I64)}  # type: ignore[union-attr]
TRAPS = ("div", "rem", "trunc_f")


@st.composite
def terms(draw: st.DrawFn, t: NumType, depth: int) -> Term:
    """A term over parameters of PARAMS: integers mostly, since what is known of them makes the difference."""
    kind = draw(st.integers(0, 9))
    if depth == 0 or kind == 0:
        return param(draw(st.sampled_from([k for k, p in enumerate(PARAMS) if p is t])), t)
    if kind == 1:
        return constant(t, draw(patterns(t)))
    if kind == 2:
        return select(draw(terms(I32, depth - 1)), draw(terms(t, depth - 1)), draw(terms(t, depth - 1)))
    rows = INTEGER_OPS[t] if t in (I32, I64) and kind < 9 else BY_RESULT[t]
    op = draw(st.sampled_from(rows))
    assert op.type is not None
    operands = [draw(terms(p, depth - 1)) for p in op.type.params]  # type: ignore[arg-type]
    if op.kind == "binop" and op.mnemonic.partition(".")[2][:3] in ("div", "rem") and t in (I32, I64):
        operands[1] = apply(f"{t}.or", operands[1], constant(t, draw(st.sampled_from([0, 1, 4]))))
    return apply(op.mnemonic, *operands)


@settings(max_examples=12, deadline=None, phases=(Phase.generate,))
@given(
    st.lists(st.sampled_from([I32, I32, I64, F32, F64]).flatmap(lambda t: terms(t, 5)), min_size=12, max_size=12),
    st.lists(st.tuples(*map(patterns, PARAMS)), min_size=6, max_size=6),
)
def test_random_terms(some: list[Term], operands: list[tuple[int, ...]]) -> None:
    check_terms(some, PARAMS, operands)
