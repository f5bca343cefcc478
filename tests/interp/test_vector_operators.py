"""Every vector operator of the instruction table: its numerics function with its shapes, and the instruction on both
engines, against the definitions of the specification lane by lane.

Where the specification leaves a NaN or a relaxed result open, ours must be that of the deterministic profile, and
Wasmtime's one that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_definitions import NAN, canonical, infinity, is_nan
from vector_definitions import Lane, Relaxed, definition_of, lanes_of, vector_of

from interp.engine import load_engine
from interp.execution.values import fbits, inv_fbits
from interp.syntax.instructions import Op
from interp.syntax.shapes import F32X4, F64X2, I8X16, I32X4, I64X2, Shape
from interp.syntax.types import V128, ValType
from interp.syntax.vector_instructions import VECTOR
from tests_support import parse

MEMORY_KINDS = ("vload", "vload_lane", "vstore", "vstore_lane")
ROWS = {op.mnemonic: op for op in VECTOR if op.kind not in (*MEMORY_KINDS, "vconst")}
ENGINES = ("reference", "wasmtime")
SHUFFLES = [
    tuple(range(16)),
    tuple(range(31, 15, -1)),
    (0,) * 16,
    (31,) * 16,
    *(tuple((k * k + k * seed + seed) % 32 for k in range(16)) for seed in (3, 7, 12, 21)),
]


def shape_of(op: Op) -> Shape:
    """The shape of the operands; bytes for those to whom it does not matter."""
    sh = op.params[0]
    return sh if isinstance(sh, Shape) else I8X16


def operand_types(op: Op) -> tuple[ValType, ...]:
    if op.type is not None:
        return op.type.params
    return {
        "vshuffle": (V128, V128),
        "vextract_lane": (V128,),
        "vreplace_lane": (V128, shape_of(op).unpacked),
    }[op.kind]


def result_type(op: Op) -> ValType:
    if op.type is not None:
        return op.type.results[0]
    return shape_of(op).unpacked if op.kind == "vextract_lane" else V128


def immediates_of(op: Op) -> list[tuple[int, ...]]:
    """The immediates to test with."""
    if op.kind == "vshuffle":
        return SHUFFLES
    return [(i,) for i in range(shape_of(op).dim)] if op.immediates else [()]


def width(t: ValType) -> int:
    return 128 if t is V128 else int(str(t)[1:])


def from_bits(t: ValType, bits: int) -> Any:
    """A bit pattern as a value of a type."""
    return inv_fbits(width(t), bits) if str(t)[0] == "f" else bits


def to_bits(t: ValType, value: Any) -> int:
    """The bit pattern of a value; the integers of an engine are signed."""
    return fbits(width(t), value) if str(t)[0] == "f" else value % (1 << width(t))


def near(N: int, i: int) -> Iterator[int]:
    yield from ((i + d) % (1 << N) for d in (-1, 0, 1))


@cache
def edges(sh: Shape) -> list[int]:
    """Interesting lanes, as bit patterns."""
    N = sh.N
    if not sh.is_float:
        powers = [k for k in (0, 4, 7, 8, 14, 15, 16, 31, 32, 63) if k < N]
        return sorted({i for k in powers for sign in (1, -1) for i in near(N, sign << k)} | {0x5AA5F00F % (1 << N)})
    inf, quiet = infinity(N), canonical(N)
    least = {32: 1 << 23, 64: 1 << 52}[N]
    patterns = {0, 1, least - 1, least, inf - 1, inf, inf + 1, quiet, quiet + 5}
    for x in (0.5, 1.0, 1.5, 2.5, 3.1, 127.5, 2.0**23 + 0.5, 2.0**31, 2.0**32, 2.0**52, 2.0**63):
        patterns |= {fbits(N, x) - 1, fbits(N, x), fbits(N, x) + 1}
    return sorted({pattern | sign for pattern in patterns for sign in (0, 1 << (N - 1))})


def few(sh: Shape) -> list[int]:
    """Fewer lanes, for all pairs of them."""
    N = sh.N
    if not sh.is_float:
        return sorted({*near(N, 0), *near(N, 1 << (N - 1)), 3, (1 << N) - 7})
    patterns = (0, 1, fbits(N, 1.0), infinity(N) - 1, infinity(N), infinity(N) + 1, canonical(N), canonical(N) + 5)
    return [pattern | sign for pattern in patterns for sign in (0, 1 << (N - 1))]


def lane_patterns(sh: Shape) -> st.SearchStrategy[int]:
    """Interesting lanes, and anything."""
    return st.sampled_from(edges(sh)) | st.integers(0, (1 << sh.N) - 1)


def patterns_of(t: ValType, sh: Shape) -> st.SearchStrategy[int]:
    """Operands of a type: vectors of lanes of a shape, or numbers."""
    if t is V128:
        anything = st.integers(0, (1 << 128) - 1)
        lanes = st.lists(lane_patterns(sh), min_size=sh.dim, max_size=sh.dim)
        return lanes.map(lambda cs: vector_of(sh.N, cs)) | anything
    like = next(each for each in (I32X4, I64X2, F32X4, F64X2) if each.lanetype is t)
    return lane_patterns(like)


@cache
def exports_of(engine_name: str) -> Any:
    """A module that exports every vector operator, once for each of its immediates, under its mnemonic and them."""
    functions = []
    for name, op in ROWS.items():
        types = operand_types(op)
        operands = " ".join(f"(local.get {k})" for k in range(len(types)))
        head = f"(param {' '.join(map(str, types))}) (result {result_type(op)})"
        for immediates in immediates_of(op):
            written = " ".join([name, *map(str, immediates)])
            functions.append(f'(func (export "{written}") {head} ({written} {operands}))')
    engine = load_engine(engine_name)
    return engine.store().instantiate(engine.compile(parse(f"(module {' '.join(functions)})")), []).exports


def by_row(op: Op, immediates: tuple[int, ...], patterns: Sequence[int]) -> int:
    """What the numerics function of a row gives."""
    assert op.sem is not None
    before = [immediates] if op.kind == "vshuffle" else immediates
    operands = [from_bits(t, bits) for t, bits in zip(operand_types(op), patterns, strict=True)]
    result = op.sem(*op.params, *before, *operands)
    assert isinstance(result, float) or 0 <= result < 1 << width(result_type(op))
    return to_bits(result_type(op), result)


def by_engine(name: str, op: Op, immediates: tuple[int, ...], patterns: Sequence[int]) -> int:
    """What the instruction gives on an engine."""
    operands = [from_bits(t, bits) for t, bits in zip(operand_types(op), patterns, strict=True)]
    func = exports_of(name)[" ".join([op.mnemonic, *map(str, immediates)])]
    return to_bits(result_type(op), func(*operands))


def deterministic(N: int, lane: Lane) -> Lane:
    """What a lane must be in the deterministic profile."""
    first = lane.choices[0] if isinstance(lane, Relaxed) else lane
    return canonical(N) if first == NAN else first


def allowed(N: int, lane: Lane, bits: int) -> bool:
    """Whether a lane may be this."""
    if isinstance(lane, Relaxed):
        return any(allowed(N, choice, bits) for choice in lane.choices)
    if lane == NAN:
        return is_nan(N, bits) and bits % (1 << (N - 1)) >= canonical(N)
    return bits == lane


def check(op: Op, immediates: tuple[int, ...], patterns: Sequence[int]) -> None:
    expected = definition_of(op.mnemonic)(immediates, *patterns)
    N = expected.N
    ours, reference, wasmtime = (
        [bits] if len(expected.lanes) == 1 else lanes_of(N, bits)
        for bits in (
            by_row(op, immediates, patterns),
            *(by_engine(name, op, immediates, patterns) for name in ENGINES),
        )
    )
    where = (op.mnemonic, immediates, *map(hex, patterns))
    assert ours == reference == [deterministic(N, lane) for lane in expected.lanes], where
    assert all(allowed(N, lane, bits) for lane, bits in zip(expected.lanes, wasmtime, strict=True)), where


def test_every_row_is_tested() -> None:
    others = {op.mnemonic for op in VECTOR if op.kind in MEMORY_KINDS} | {"v128.const"}
    assert set(ROWS) | others == {op.mnemonic for op in VECTOR}
    assert (len(VECTOR), len(ROWS), len(others)) == (256, 233, 23)
    for name in ROWS:
        assert definition_of(name)


def packed(sh: Shape, tuples: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    """Vectors of which the lanes taken together are these tuples."""
    for start in range(0, len(tuples), sh.dim):
        chunk = [tuples[(start + k) % len(tuples)] for k in range(sh.dim)]
        yield [vector_of(sh.N, lanes) for lanes in zip(*chunk, strict=True)]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_edges(name: str) -> None:
    """Pairs of interesting lanes, many if not all of them; triples and numbers by chance."""
    op = ROWS[name]
    types, sh, random = operand_types(op), shape_of(op), Random(name)  # noqa: S311 — any choice will do
    if set(types) == {V128} and len(types) <= 2:
        tuples = list(product(*[edges(sh)] * len(types)))
        chosen = tuples if len(tuples) < 300 else [*product(few(sh), few(sh)), *random.sample(tuples, 250)]
        examples = [*packed(sh, chosen), *packed(sh, [(lane,) * len(types) for lane in edges(sh)])]
    else:
        tuples = [tuple(random.choices(edges(sh), k=len(types))) for _ in range(200)]
        examples = [
            [bits if t is V128 else bits % (1 << width(t)) for t, bits in zip(types, patterns, strict=True)]
            for patterns in packed(sh, tuples)
        ]
    for patterns, immediates in product(examples[:8] if op.immediates else examples, immediates_of(op)):
        check(op, immediates, patterns)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_random_operands(name: str) -> None:
    op = ROWS[name]
    operands = st.tuples(*[patterns_of(t, shape_of(op)) for t in operand_types(op)])

    # Three at a time, since setting up an example costs more than running one.
    @settings(max_examples=6, deadline=None)
    @given(st.sampled_from(immediates_of(op)), st.lists(operands, min_size=3, max_size=3))
    def run(immediates: tuple[int, ...], examples: list[tuple[int, ...]]) -> None:
        for patterns in examples:
            check(op, immediates, patterns)

    run()
