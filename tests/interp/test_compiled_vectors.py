"""Every vector operator as the compiled engine writes it, and random terms of vectors and numbers, against the numerics
functions, bit by bit.
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
    WIDTH,
    Term,
    apply,
    assert_same,
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

from interp.engine import Limits
from interp.execution.values import fbits
from interp.syntax.instructions import OPS, Op
from interp.syntax.shapes import I8X16, Shape
from interp.syntax.types import F32, F64, I32, I64, V128, ValType

ROWS = {
    op.mnemonic: op
    for op in OPS
    if op.is_vector and op.sem is not None and "load" not in op.kind and "store" not in op.kind
}
SHUFFLES = ((0,) * 16, tuple(range(8, 24)), tuple((7 * k + 3) % 32 for k in range(16)))


def shape_of(op: Op) -> Shape:
    """The shape of the operands; bytes for those to whom it does not matter."""
    return op.params[0] if isinstance(op.params[0], Shape) else I8X16


def types_of(op: Op) -> tuple[tuple[ValType, ...], ValType]:
    """The types of the operands and of the result."""
    if op.type is not None:
        return op.type.params, op.type.results[0]
    lane = shape_of(op).unpacked
    return {
        "vshuffle": ((V128, V128), V128),
        "vextract_lane": ((V128,), lane),
        "vreplace_lane": ((V128, lane), V128),
    }[op.kind]


def immediates_of(op: Op) -> list[tuple[int, ...]]:
    """Immediates to test with."""
    if op.kind == "vshuffle":
        return list(SHUFFLES)
    return [(0,), (1,), (shape_of(op).dim - 1,)] if op.immediates else [()]


def applied(op: Op, immediates: tuple[int, ...], *operands: Term) -> Term:
    """The operator, applied."""
    return apply(op.mnemonic, *operands, immediates=immediates, result=types_of(op)[1])


def operands_of(t: ValType, x: Term) -> list[Term]:
    """Operands of a type, of one parameter of that type."""
    fixed = [x, *[constant(t, bits) for bits in EDGES[t][:: max(1, len(EDGES[t]) // 4)]]]
    if t is V128:
        return [*fixed, apply("v128.not", x), apply("v128.and", x, constant(t, 0xFF00FF << 40))]
    if t in FLOATS:
        return [*fixed, apply(f"{t}.sub", x, x), apply(f"{t}.neg", x)]
    return [*fixed, apply(f"{t}.and", x, constant(t, 7)), apply(f"{t}.add", x, constant(t, 5))]


def uses(op: Op) -> list[Term]:
    """The operator with operands of all kinds."""
    types, _ = types_of(op)
    plain = [param(k, t) for k, t in enumerate(types)]
    choices = [operands_of(t, x) for t, x in zip(types, plain, strict=True)]
    rows = [plain] + [[*plain[:k], choice, *plain[k + 1 :]] for k in range(len(types)) for choice in choices[k][1:]]
    return [applied(op, immediates, *row) for row, immediates in product(rows, immediates_of(op))]


@cache
def instance() -> Any:
    """One module for all rows: each use is a function, named by the mnemonic and a number."""
    functions = [func(f"{n} {k}", types_of(op)[0], term) for n, op in ROWS.items() for k, term in enumerate(uses(op))]
    return exports_of("compiled", f"(module {' '.join(functions)})")


def test_all_vector_operators_are_here() -> None:
    vectors = [op for op in OPS if op.is_vector]
    memory = [op for op in vectors if "load" in op.kind or "store" in op.kind]
    assert len(ROWS) == len(vectors) - len(memory) - 1


@pytest.mark.parametrize("name", sorted(ROWS))
def test_uses_of_each_operator(name: str) -> None:
    op = ROWS[name]
    types, random, exports = types_of(op)[0], Random(name), instance()  # noqa: S311 — any choice will do
    for k, term in enumerate(uses(op)):
        for _ in range(2):
            bits = [random.choice([random.choice(EDGES[t]), random.getrandbits(WIDTH[t])]) for t in types]
            values = [from_bits(t, b) for t, b in zip(types, bits, strict=True)]
            assert outcome(exports[f"{name} {k}"], *values) == expected(term, values), (term, list(map(hex, bits)))


# ---- Random terms.

PARAMS = (V128, V128, I32, I64, F32, F64)
BY_RESULT: dict[ValType, list[Op]] = {
    t: [op for op in ROWS.values() if types_of(op)[1] is t] for t in (*FLOATS, I32, I64, V128)
}
SCALARS = {
    t: [op for op in OPS if op.kind in ("unop", "binop", "relop") and op.type is not None and op.type.results == (t,)
        and op.mnemonic.partition(".")[2][:3] not in ("div", "rem")]
    for t in (*FLOATS, I32, I64)
}  # fmt: skip


@st.composite
def terms(draw: st.DrawFn, t: ValType, depth: int) -> Term:
    """A term over parameters of PARAMS."""
    kind = draw(st.integers(0, 7))
    if depth == 0 or kind == 0:
        return param(draw(st.sampled_from([k for k, p in enumerate(PARAMS) if p is t])), t)
    if kind == 1:
        return constant(t, draw(patterns(t)))
    if kind == 2:
        return select(draw(terms(I32, depth - 1)), draw(terms(t, depth - 1)), draw(terms(t, depth - 1)))
    rows = SCALARS[t] if kind < 5 and t is not V128 else BY_RESULT[t] or SCALARS[t]
    op = draw(st.sampled_from(rows))
    if not op.is_vector:
        assert op.type is not None
        return apply(op.mnemonic, *[draw(terms(p, depth - 1)) for p in op.type.params])
    immediates = draw(st.sampled_from(immediates_of(op)))
    return applied(op, immediates, *[draw(terms(p, depth - 1)) for p in types_of(op)[0]])


@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@given(
    st.lists(
        st.sampled_from([V128, V128, I32, I64, F32, F64]).flatmap(lambda t: terms(t, 4)), min_size=12, max_size=12
    ),
    st.lists(st.tuples(*map(patterns, PARAMS)), min_size=4, max_size=4),
)
def test_random_terms(some: list[Term], operands: list[tuple[int, ...]]) -> None:
    check_terms(some, PARAMS, operands)


# ---- Variables that hold vectors, which may be kept as their lanes.

LANES = {"f32x4": 4, "f64x2": 2, "i32x4": 4}
OPERATORS = {
    "f32x4": ("add", "sub", "mul", "div", "min", "max", "eq", "lt", "ge"),
    "f64x2": ("add", "sub", "mul", "div", "min", "max", "ne", "gt", "le"),
    "i32x4": ("add", "sub", "mul", "eq", "lt_s", "gt_u"),
}
UNARY = {"f32x4": ("abs", "neg", "sqrt"), "f64x2": ("abs", "neg", "sqrt"), "i32x4": ("abs", "neg")}
VECTORS = ("$a", "$b", "$c", "$d")


class Body:
    """Makes up code with vectors in locals. `shapes` are those of its operators; where there is one, vectors are taken
    apart."""

    def __init__(self, random: Random) -> None:
        self.pick = random.choice
        self.below = random.randrange
        self.shapes = random.choice((["f32x4"], ["f64x2"], ["i32x4"], list(LANES)))

    def address(self) -> str:
        return f"(i32.and (local.get $i) (i32.const {self.pick((0xF0, 0xFF, 0))}))"

    def vector(self, depth: int) -> str:
        shape, lane = self.pick(self.shapes), self.below(2)
        scalar = f"({shape[:3]}.load (i32.const {4 * self.below(12)}))"
        kind = self.below(13 if depth else 4)
        if kind < 3:
            return f"(local.get {self.pick(VECTORS)})"
        if kind == 3:
            load = f"(v128.load offset={self.pick((0, 16, 4))} {self.address()})"
            constant = "(v128.const i32x4 0x3f800000 2 0x7fc00000 0xbf800000)"
            return self.pick((load, load, constant, f"({shape}.splat {scalar})"))
        a, b = self.vector(depth - 1), self.vector(depth - 1)
        if kind < 9:
            return f"({shape}.{self.pick(OPERATORS[shape])} {a} {b})"
        if kind < 11:
            return self.pick(
                (f"({shape}.{self.pick(UNARY[shape])} {a})", f"({shape}.replace_lane {lane} {a} {scalar})")
            )
        whole = (
            f"(v128.bitselect {a} {b} (local.get {self.pick(VECTORS)}))",
            f"(v128.{self.pick(('and', 'or', 'xor'))} {a} {b})",
            f"(select {a} {b} (i32.and (local.get $i) (i32.const 1)))",
            f"(call $same {a})",
        )
        return self.pick(whole)

    def seen(self) -> str:
        shape = self.pick(self.shapes)
        lane = f"({shape}.extract_lane {self.below(LANES[shape])} {self.vector(1)})"
        bits = {"f32x4": f"(i64.extend_i32_u (i32.reinterpret_f32 {lane}))", "f64x2": f"(i64.reinterpret_f64 {lane})"}
        value = bits.get(shape, f"(i64.extend_i32_u {lane})")
        if self.below(4) == 0:
            test = self.pick(("v128.any_true", "i32x4.all_true", "i32x4.bitmask"))
            value = f"(i64.extend_i32_u ({test} {self.vector(1)}))"
        return f"(local.set $h (i64.add (i64.mul (local.get $h) (i64.const 31)) {value}))"

    def statement(self, depth: int) -> str:
        kind = self.below(12)
        if kind < 2:
            return self.seen()
        if kind == 2:
            return f"(v128.store offset={self.pick((0, 16, 4))} {self.address()} {self.vector(2)})"
        if kind == 3 and depth:
            then, otherwise = (self.statement(depth - 1) for _ in range(2))
            return f"(if (i32.and (local.get $i) (i32.const 1)) (then {then}) (else {otherwise}))"
        if kind == 4 and depth:
            step = "(local.set $i (i32.add (local.get $i) (i32.const 1)))"
            body = " ".join([self.statement(0) for _ in range(3)])
            return f"(loop {body} {step} (br_if 0 (i32.and (local.get $i) (i32.const 7))))"
        if kind == 5:
            leave = f"(br_if 0 {self.vector(1)} (i32.and (local.get $i) (i32.const 2))) drop"
            return f"(local.set {self.pick(VECTORS)} (block (result v128) {leave} {self.vector(1)}))"
        return f"(local.set {self.pick(VECTORS)} {self.vector(3)})"


def vector_function(name: str, random: Random) -> str:
    """A function of two vectors and a number."""
    body = Body(random)
    code = " ".join([body.statement(2) for _ in range(random.randrange(3, 9))])
    stores = [f"(v128.store offset={256 + 16 * k} (i32.const 0) (local.get {v}))" for k, v in enumerate(VECTORS)]
    head = "(param $a v128) (param $b v128) (param $i i32) (result i64 v128)"
    locals_ = "(local $c v128) (local $d v128) (local $h i64)"
    return f'(func (export "{name}") {head} {locals_} {code} {" ".join(stores)} (local.get $h) (local.get $c))'


@settings(max_examples=8, deadline=None, phases=(Phase.generate,))
@given(st.integers(0, 2**32))
def test_variables_that_hold_vectors(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    functions = [vector_function(str(k), random) for k in range(10)]
    data = "".join(f"\\{random.choice((0, 0, 0x3F, 0x80, 0x7F, 0xC0, random.getrandbits(8))):02x}" for _ in range(320))
    same = '(memory (export "memory") 1) (func $same (param v128) (result v128) (local.get 0))'
    text = f'(module {same} (data (i32.const 0) "{data}") {" ".join(functions)})'
    vectors = [1.5, -0.0, float("inf"), 2.0**-140, 3.25e10]
    calls = []
    for k in range(40):
        lanes = [
            random.choice([fbits(32, random.choice(vectors)), 0x7FA00001, random.getrandbits(32)]) for _ in range(8)
        ]
        a, b = (sum(lane << 32 * n for n, lane in enumerate(part)) for part in (lanes[:4], lanes[4:]))
        calls.append((str(k % 10), a, b, random.choice((0, 1, 3, 6, 16, 255))))
    for limits in (Limits(), Limits(fuel=200)):
        assert_same(text, calls, limits)


TWO_MEMORIES = """(module (memory 1) (memory (export "memory") 1)
  (func (export "f") (param i32) (result i32) (local v128) (local i32)
    (loop $l
      (local.set 1 (i32x4.add (local.get 1)
        (i32x4.dot_i16x8_s (v128.load 1 (local.get 2)) (v128.load 1 (local.get 2)))))
      (i32.store8 1 (local.get 2) (i32x4.extract_lane 1 (local.get 1)))
      (i32.store8 0 (local.get 2) (i32.load8_u 1 (local.get 2)))
      (local.set 2 (i32.add (local.get 2) (i32.const 16)))
      (br_if $l (i32.lt_u (local.get 2) (local.get 0))))
    (i32.add (i32.load8_u 0 (i32.const 16))
      (i32.add (i32x4.extract_lane 0 (local.get 1)) (i32x4.extract_lane 3 (local.get 1))))))"""


def test_names_of_memories_are_no_names_of_vectors() -> None:
    answers = []
    for name in ("reference", "compiled"):
        exports = exports_of(name, TWO_MEMORIES)
        exports["memory"].write(0, bytes(range(256)))
        answers.append([outcome(exports["f"], n) for n in (1, 16, 64, 250)])
    assert answers[0] == answers[1]
