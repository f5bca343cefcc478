"""Every scalar row of the instruction table: its numerics function with its parameters, and the instruction on both
engines, against the definitions of the specification on exact numbers. `test_numerics` tests the functions themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_definitions import NAN, OPERATORS, Result, canonical, conversion, definition_of, infinity, is_nan

from interp.engine import Engine, Instance, load_engine
from interp.errors import Trap, TrapKind
from interp.execution.values import fbits, inv_fbits
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import NumType
from tests_support import parse

OPERATOR_KINDS = ("unop", "binop", "testop", "relop", "cvtop")
KEEP_NAN = ("abs", "neg", "copysign", "reinterpret")
"""Operators that say what becomes of the bits of a NaN."""

ENGINES = ("reference", "wasmtime")


def is_scalar(op: Op) -> bool:
    return op.type is not None and all(isinstance(t, NumType) for t in (*op.type.params, *op.type.results))


ROWS = {op.mnemonic: op for op in OPS if op.kind in OPERATOR_KINDS and is_scalar(op)}
CONSTS = {op.mnemonic: op for op in OPS if op.kind == "const" and is_scalar(op)}
LOADS = {op.mnemonic: op for op in OPS if op.kind == "load" and isinstance(op.params[0], NumType)}
STORES = {op.mnemonic: op for op in OPS if op.kind == "store" and isinstance(op.params[0], NumType)}


def width(t: NumType) -> int:
    return int(t.value[1:])


def is_float(t: NumType) -> bool:
    return t.value[0] == "f"


def from_bits(t: NumType, bits: int) -> Any:
    """A bit pattern as a value of a type."""
    return inv_fbits(width(t), bits) if is_float(t) else bits


def to_bits(t: NumType, value: Any) -> int:
    """The bit pattern of a value, as the numerics or an engine gives it (integers of an engine are signed)."""
    return fbits(width(t), value) if is_float(t) else value % (1 << width(t))


@cache
def instance_of(engine_name: str) -> Instance:
    """A module that exports every scalar operator, load and store under its mnemonic."""
    functions = []
    for name, op in ROWS.items():
        assert op.type is not None
        params = " ".join(map(str, op.type.params))
        operands = " ".join(f"(local.get {k})" for k in range(len(op.type.params)))
        functions.append(f'(func (export "{name}") (param {params}) (result {op.type.results[0]}) ({name} {operands}))')
    for name, op in LOADS.items():
        functions.append(f'(func (export "{name}") (result {op.params[0]}) ({name} (i32.const 3)))')
    for name, op in STORES.items():
        functions.append(f'(func (export "{name}") (param {op.params[0]}) ({name} (i32.const 3) (local.get 0)))')
    engine: Engine = load_engine(engine_name)
    module = engine.compile(parse(f'(module (memory (export "memory") 1) {" ".join(functions)})'))
    return engine.store().instantiate(module, [])


def by_row(op: Op, patterns: tuple[int, ...]) -> Result:
    """What the numerics function of a row gives."""
    assert op.sem is not None
    assert op.type is not None
    operands = [from_bits(t, bits) for t, bits in zip(op.type.params, patterns, strict=True)]  # type: ignore[arg-type]
    try:
        return to_bits(op.type.results[0], op.sem(*op.params, *operands))  # type: ignore[arg-type]
    except Trap as trap:
        return trap.kind


def by_engine(name: str, op: Op, patterns: tuple[int, ...]) -> Result:
    """What the instruction gives on an engine."""
    assert op.type is not None
    func: Callable[..., Any] = instance_of(name).exports[op.mnemonic]  # type: ignore[assignment]
    operands = [from_bits(t, bits) for t, bits in zip(op.type.params, patterns, strict=True)]  # type: ignore[arg-type]
    try:
        return to_bits(op.type.results[0], func(*operands))  # type: ignore[arg-type]
    except Trap as trap:
        return trap.kind


def allowed(op: Op, patterns: tuple[int, ...], result: Result) -> bool:
    """Whether a result is a NaN that nans_N of the operands has: canonical, or any quiet one if an operand was none."""
    assert op.type is not None
    N = width(op.type.results[0])  # type: ignore[arg-type]
    if not isinstance(result, int):
        return False
    payload = result % (1 << (N - 1))
    given = [(width(t), bits) for t, bits in zip(op.type.params, patterns, strict=True)]  # type: ignore[arg-type]
    if all(bits % (1 << (M - 1)) == canonical(M) for M, bits in given if is_nan(M, bits)):
        return payload == canonical(N)
    return payload >= canonical(N)


def check(op: Op, patterns: tuple[int, ...]) -> None:
    where = (op.mnemonic, *map(hex, patterns))
    expected = definition_of(op.mnemonic)(*patterns)
    found = {"row": by_row(op, patterns), **{name: by_engine(name, op, patterns) for name in ENGINES}}
    if expected == NAN:
        assert op.type is not None
        ours = canonical(width(op.type.results[0]))  # type: ignore[arg-type]
        assert found["row"] == found["reference"] == ours, where
        assert allowed(op, patterns, found["wasmtime"]), where
    else:
        assert found == dict.fromkeys(found, expected), where


def near(N: int, i: int) -> Iterator[int]:
    yield from ((i + d) % (1 << N) for d in (-1, 0, 1))


def edge_ints(N: int) -> list[int]:
    powers = (0, 7, 8, 15, 16, 24, 31, 32, 53, 62, 63)
    found = {i for k in powers if k < N for sign in (1, -1) for i in near(N, sign << k)}
    return sorted(found | {0, (1 << N) - 1, 0x5A5A5A5A, 0x123456789ABCDEF0 % (1 << N)})


def edge_floats(N: int) -> list[int]:
    """Zeros, subnormals, the least and the greatest numbers, ties, limits of the integers, all classes of NaN."""
    inf, quiet = infinity(N), canonical(N)
    least = 1 << (52 if N == 64 else 23)
    patterns = {0, 1, 2, least - 1, least, least + 1, inf - 1, inf, inf + 1, quiet - 1, quiet, quiet + 1, 2 * inf - 1}
    patterns.discard(2 * inf - 1)
    patterns |= {(1 << (N - 1)) - 1, inf + (quiet - inf) // 2}
    for k in (-1, 0, 1, 22, 23, 24, 31, 32, 51, 52, 53, 63, 64, 126, 127):
        middle = fbits(N, 2.0**k)
        patterns |= {middle - 1, middle, middle + 1}
    patterns |= {fbits(N, x) for x in (0.5, 1.5, 2.5, 3.5, 4.5, 3.0, 2.0**31 - 0.5, 2.0**32 - 0.5, 10.0, 0.1)}
    return sorted({pattern | sign for pattern in patterns for sign in (0, 1 << (N - 1))})


EDGES = {t: edge_floats(width(t)) if is_float(t) else edge_ints(width(t)) for t in NumType}


def few(t: NumType) -> list[int]:
    """Fewer edges, for pairs."""
    N = width(t)
    if not is_float(t):
        return sorted({*near(N, 0), *near(N, 1 << (N - 1)), 2, N - 1, N, N + 1, 0xDEADBEEF, (1 << N) - 7})
    inf, quiet, one = infinity(N), canonical(N), fbits(N, 1.0)
    patterns = (0, 1, one, one + 1, fbits(N, 1.5), inf - 1, inf, inf + 1, quiet, quiet + 5)
    return sorted({pattern | sign for pattern in patterns for sign in (0, 1 << (N - 1))})


def patterns_of(t: NumType) -> st.SearchStrategy[int]:
    """Edges, anything, and numbers of every size with few digits."""
    N = width(t)
    anything = st.integers(0, (1 << N) - 1)
    if not is_float(t):
        return st.sampled_from(EDGES[t]) | anything | st.integers(0, N - 1).map(lambda k: 1 << k)
    modest = st.builds(lambda n, k: fbits(N, n * 2.0**k), st.integers(-(2**30), 2**30), st.integers(-40, 40))
    rounding = anything.map(lambda bits: bits & ~((1 << (29 if N == 64 else 12)) - 1) | 1 << (28 if N == 64 else 11))
    return st.sampled_from(EDGES[t]) | anything | modest | rounding


def test_every_scalar_row_is_defined_and_tested() -> None:
    names = {name for name in ROWS if conversion(name) is None}
    assert names == set(OPERATORS)
    assert len(ROWS) == len(names) + sum(op.kind == "cvtop" for op in ROWS.values()) == 136
    assert len(CONSTS) == 4
    assert {op.mnemonic for op in OPS if op.kind in OPERATOR_KINDS} == set(ROWS)
    assert (len(LOADS), len(STORES)) == (14, 9)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_edges(name: str) -> None:
    op = ROWS[name]
    assert op.type is not None
    operands = [EDGES[t] if len(op.type.params) == 1 else few(t) for t in op.type.params]  # type: ignore[index, arg-type]
    for patterns in product(*operands):
        check(op, patterns)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_random_operands(name: str) -> None:
    op = ROWS[name]
    assert op.type is not None
    operands = st.tuples(*map(patterns_of, op.type.params))  # type: ignore[arg-type]

    # Ten at a time, since setting up an example costs more than running one.
    @settings(max_examples=6, deadline=None)
    @given(st.lists(operands, min_size=10, max_size=10))
    def run(examples: list[tuple[int, ...]]) -> None:
        for patterns in examples:
            check(op, patterns)

    run()


@pytest.mark.parametrize("name", sorted(CONSTS))
def test_constants(name: str) -> None:
    op = CONSTS[name]
    assert op.type is not None
    t = op.type.results[0]
    assert isinstance(t, NumType)
    N = width(t)
    texts = {
        bits: f'(func (export "{bits}") (result i{N}) (i{N}.reinterpret_f{N} (f{N}.const {float_text(N, bits)})))'
        if is_float(t)
        else f'(func (export "{bits}") (result {t}) ({name} {bits}))'
        for bits in EDGES[t]
    }
    wasm = parse(f"(module {' '.join(texts.values())})")
    for engine_name in ENGINES:
        engine = load_engine(engine_name)
        exports: Any = engine.store().instantiate(engine.compile(wasm), []).exports
        assert {bits: exports[str(bits)]() % (1 << N) for bits in EDGES[t]} == {bits: bits for bits in EDGES[t]}


def float_text(N: int, bits: int) -> str:
    """A float as the text format writes it, exactly."""
    sign, payload = "-" if bits >> (N - 1) else "", bits % (1 << (N - 1)) - infinity(N)
    if payload > 0:
        return f"{sign}nan:{payload:#x}"
    return f"{sign}inf" if payload == 0 else float(inv_fbits(N, bits)).hex()


def samples(size: int) -> list[bytes]:
    """Contents of memory: all sorts of ends of so many bytes, floats that are special among them."""
    N = 8 * size
    bits = {*(i for k in range(0, N, 4) for i in near(N, 1 << k)), 0, (1 << N) - 1, 0x0123456789ABCDEF % (1 << N)}
    if N in (32, 64):
        bits |= set(edge_floats(N))
    return [i.to_bytes(size, "little") for i in sorted(bits)]


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", sorted(LOADS))
def test_loads(name: str, engine_name: str) -> None:
    t, size, sign = LOADS[name].params[0], LOADS[name].params[1], LOADS[name].params[2]
    exports: Any = instance_of(engine_name).exports
    around = b"\xa5" * 3, b"\x5a" * 8
    for data in samples(size // 8):
        exports["memory"].write(0, around[0] + data + around[1])
        expected = int.from_bytes(data, "little", signed=sign) % (1 << width(t))
        assert to_bits(t, exports[name]()) == expected, (name, data.hex())


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", sorted(STORES))
def test_stores(name: str, engine_name: str) -> None:
    t, size = STORES[name].params[0], STORES[name].params[1] // 8
    exports: Any = instance_of(engine_name).exports
    for bits in EDGES[t]:
        exports["memory"].write(0, b"\xa5" * 16)
        exports[name](from_bits(t, bits))
        stored = (bits % (1 << 8 * size)).to_bytes(size, "little")
        assert exports["memory"].read(0, 16) == b"\xa5" * 3 + stored + b"\xa5" * (13 - size), (name, hex(bits))


def test_the_definitions_know_the_examples_of_the_specification() -> None:
    one, two = 0x3F800000, 0x40000000
    assert definition_of("f32.add")(one, one) == two
    assert definition_of("f32.min")(1 << 31, 0) == 1 << 31
    assert definition_of("f32.sqrt")(two) == 0x3FB504F3
    assert definition_of("f64.nearest")(fbits(64, 2.5)) == fbits(64, 2.0)
    assert definition_of("f32.demote_f64")(fbits(64, 0.1)) == 0x3DCCCCCD
    assert definition_of("i32.trunc_f32_s")(0x4F000000) is TrapKind.INTEGER_OVERFLOW
    assert definition_of("i32.div_s")(1 << 31, (1 << 32) - 1) is TrapKind.INTEGER_OVERFLOW
    assert definition_of("i32.rem_s")(1 << 31, (1 << 32) - 1) == 0
