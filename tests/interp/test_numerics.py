"""Every scalar operator against wasmtime, on edge values and on random operands, compared bit by bit.

One module exports each instruction as a function on raw bit patterns: a float goes in and comes out through
reinterpret, so NaNs keep sign, payload and signalling bit on the way. Where WebAssembly leaves the NaN open, ours must
be the positive canonical one, and wasmtime's must be one that the specification allows.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any, cast

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.errors import Trap, TrapKind
from interp.execution import numerics
from interp.execution.values import F32NaN, fbits, inv_fbits
from interp.syntax.numeric_instructions import NUMERIC

WIDTH = {"i32": 32, "i64": 64, "f32": 32, "f64": 64}
CANONICAL = {32: 0x7FC00000, 64: 0x7FF8000000000000}
INFINITY = {32: 0x7F800000, 64: 0x7FF0000000000000}
TRAP_KINDS = {
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: TrapKind.INTEGER_DIVIDE_BY_ZERO,
    wasmtime.TrapCode.INTEGER_OVERFLOW: TrapKind.INTEGER_OVERFLOW,
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: TrapKind.INVALID_CONVERSION,
}


@dataclass(frozen=True)
class Instruction:
    """An instruction, the numerics function that defines it, and the widths that are its first arguments."""

    mnemonic: str
    function: Callable[..., Any]
    widths: tuple[Any, ...]
    params: tuple[str, ...]
    result: str

    @property
    def keeps_nan(self) -> bool:
        """Whether the bits of a NaN result are determined."""
        return self.mnemonic.endswith(("abs", "neg", "copysign")) or "reinterpret" in self.mnemonic

    def wat(self) -> str:
        operands = " ".join(
            f"(f{WIDTH[t]}.reinterpret_i{WIDTH[t]} (local.get {k}))" if t[0] == "f" else f"(local.get {k})"
            for k, t in enumerate(self.params)
        )
        body = f"({self.mnemonic} {operands})"
        if self.result[0] == "f":
            body = f"(i{WIDTH[self.result]}.reinterpret_f{WIDTH[self.result]} {body})"
        params = " ".join(f"i{WIDTH[t]}" for t in self.params)
        return f'(func (export "{self.mnemonic}") (param {params}) (result i{WIDTH[self.result]}) {body})'


INT_BINARY = "add sub mul div_u div_s rem_u rem_s and or xor shl shr_u shr_s rotl rotr"
INT_COMPARE = "eq ne lt_u lt_s gt_u gt_s le_u le_s ge_u ge_s"
FLOAT_BINARY = "add sub mul div min max copysign"
FLOAT_UNARY = "abs neg sqrt ceil floor trunc nearest"
FLOAT_COMPARE = "eq ne lt gt le ge"


def same_type_instructions() -> Iterator[Instruction]:
    def group(letter: str, names: str, arity: int, result: str = "") -> Iterator[Instruction]:
        for N, name in itertools.product((32, 64), names.split()):
            t = f"{letter}{N}"
            yield Instruction(f"{t}.{name}", getattr(numerics, letter + name), (N,), (t,) * arity, result or t)

    yield from group("i", INT_BINARY, 2)
    yield from group("i", INT_COMPARE, 2, "i32")
    yield from group("i", "clz ctz popcnt", 1)
    yield from group("i", "eqz", 1, "i32")
    yield from group("f", FLOAT_BINARY, 2)
    yield from group("f", FLOAT_UNARY, 1)
    yield from group("f", FLOAT_COMPARE, 2, "i32")
    for N, M in ((32, 8), (32, 16), (64, 8), (64, 16), (64, 32)):
        yield Instruction(f"i{N}.extend{M}_s", numerics.iextend_s, (N, M), (f"i{N}",), f"i{N}")


def conversions() -> Iterator[Instruction]:
    def cvtop(to: str, name: str, source: str, sx: str = "") -> Instruction:
        function = getattr(numerics, name + sx)
        types_or_widths = (source, to) if name == "reinterpret" else (WIDTH[source], WIDTH[to])
        return Instruction(f"{to}.{name}_{source}{sx}", function, types_or_widths, (source,), to)

    yield cvtop("i32", "wrap", "i64")
    yield cvtop("f32", "demote", "f64")
    yield cvtop("f64", "promote", "f32")
    for N, sx in itertools.product((32, 64), ("_u", "_s")):
        yield from [cvtop("i64", "extend", "i32", sx)] if N == 64 else []
        for M in (32, 64):
            yield cvtop(f"i{N}", "trunc", f"f{M}", sx)
            yield cvtop(f"i{N}", "trunc_sat", f"f{M}", sx)
            yield cvtop(f"f{N}", "convert", f"i{M}", sx)
    for N in (32, 64):
        yield cvtop(f"i{N}", "reinterpret", f"f{N}")
        yield cvtop(f"f{N}", "reinterpret", f"i{N}")


INSTRUCTIONS = [*same_type_instructions(), *conversions()]


class Wasmtime:
    """The instructions as wasmtime executes them, on bit patterns."""

    def __init__(self) -> None:
        engine = wasmtime.Engine()
        module = wasmtime.Module(engine, f"(module {' '.join(i.wat() for i in INSTRUCTIONS)})")
        self._store = wasmtime.Store(engine)
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)

    def __call__(self, instruction: Instruction, patterns: tuple[int, ...]) -> int | TrapKind:
        function = self._exports[instruction.mnemonic]
        assert isinstance(function, wasmtime.Func)
        signed = [
            b - (1 << WIDTH[t]) if b >> (WIDTH[t] - 1) else b for b, t in zip(patterns, instruction.params, strict=True)
        ]
        try:
            result = function(self._store, *signed)
        except wasmtime.Trap as trap:
            return TRAP_KINDS[cast(wasmtime.TrapCode, trap.trap_code)]
        assert isinstance(result, int)
        return result % (1 << WIDTH[instruction.result])


@pytest.fixture(scope="module")
def oracle() -> Wasmtime:
    return Wasmtime()


def ours(instruction: Instruction, patterns: tuple[int, ...]) -> int | TrapKind:
    """The bit pattern of the numerics function's result, which must be in the domain of its type."""
    operands = [inv_fbits(WIDTH[t], b) if t[0] == "f" else b for b, t in zip(patterns, instruction.params, strict=True)]
    try:
        result = instruction.function(*instruction.widths, *operands)
    except Trap as trap:
        return trap.kind
    N = WIDTH[instruction.result]
    if instruction.result[0] == "i":
        assert type(result) is int
        assert 0 <= result < 1 << N
        return result
    if instruction.result == "f32" and result != result:  # noqa: PLR0124
        assert type(result) is F32NaN
    else:
        assert type(result) is float
    if instruction.result == "f32" and not isinstance(result, F32NaN):
        assert struct.unpack("f", struct.pack("f", result))[0] == result
    return fbits(N, result)


def is_nan(N: int, pattern: int) -> bool:
    return pattern & ((1 << (N - 1)) - 1) > INFINITY[N]


def allowed_nan(instruction: Instruction, patterns: tuple[int, ...], pattern: int) -> bool:
    """Whether the pattern is in nans_N{z*} for the NaNs among the operands."""
    N = WIDTH[instruction.result]
    payload = pattern & ((1 << (N - 1)) - 1)
    canonical_operands = all(
        b & ((1 << (WIDTH[t] - 1)) - 1) == CANONICAL[WIDTH[t]]
        for b, t in zip(patterns, instruction.params, strict=True)
        if is_nan(WIDTH[t], b)
    )
    return payload == CANONICAL[N] or (payload > CANONICAL[N] and not canonical_operands)


def check(oracle: Wasmtime, instruction: Instruction, *patterns: int) -> None:
    expected, actual = oracle(instruction, patterns), ours(instruction, patterns)
    N = WIDTH[instruction.result]
    open_nan = instruction.result[0] == "f" and not instruction.keeps_nan
    if open_nan and isinstance(expected, int) and is_nan(N, expected):
        assert allowed_nan(instruction, patterns, expected), (instruction.mnemonic, *map(hex, patterns))
        expected = CANONICAL[N]
    assert actual == expected, (instruction.mnemonic, *map(hex, patterns))


def f64_bits(x: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", x))[0])


def f32_bits(x: float) -> int:
    return ctypes.c_uint32.from_buffer(ctypes.c_float(x)).value


SMALL_INTS = (0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, -1, -2, -7, -64)
SIGN_BOUNDS = tuple((1 << k) + d for k in (31, 32, 63) for d in (-1, 0, 1))
POWERS = tuple((1 << k) + d for k in (7, 8, 15, 16, 24, 53, 62) for d in (-1, 0, 1))
BIT_PATTERNS = (0x5A5A5A5A, 0x123456789ABCDEF0, 0xFEDCBA9876543210)


def int_operands(*candidates: int) -> dict[int, list[int]]:
    return {N: sorted({i % (1 << N) for i in candidates if i < 1 << N}) for N in (32, 64)}


OPERAND_INTS = int_operands(*SMALL_INTS, *SIGN_BOUNDS, *BIT_PATTERNS)
ALL_INTS = int_operands(*SMALL_INTS, *SIGN_BOUNDS, *POWERS, *BIT_PATTERNS)

SIMPLE_FLOATS = (0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 1e10, 2.0**31, 2.0**63, inf)
SPECIAL_BITS = {  # denormals, least normal, greatest; canonical, payload, signalling NaNs
    32: (1, 2, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7FC00000, 0x7FC01234, 0x7FFFFFFF, 0x7F800001, 0x7FA00000),
    64: (
        *(1, 2, 0xFFFFFFFFFFFFF, 0x10000000000000, 0x7FEFFFFFFFFFFFFF),
        *(0x7FF8000000000000, 0x7FF8000000001234, 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000001, 0x7FF4000000000000),
    ),
}
BOUNDS = (0.5, 1.0, 1.5, 2.5, 3.5, *(2.0**k for k in (7, 8, 22, 23, 24, 31, 32, 51, 52, 53, 63, 64, 127, 128)))
F32_TIES = (
    1 + 2.0**-24,
    1 + 3 * 2.0**-24,
    2.0**-149 * 0.5,
    2.0**-149 * 1.5,
    2.0**-126 - 2.0**-150,
    2.0**128 - 2.0**103,
)


def neighbours(N: int, x: float) -> tuple[int, ...]:
    b = f32_bits(x) if N == 32 else f64_bits(x)
    return (b - 1, b, b + 1)


def both_signs(N: int, patterns: Iterator[int]) -> list[int]:
    return sorted({s | b for b in patterns for s in (0, 1 << (N - 1))})


OPERAND_FLOATS = {
    N: both_signs(N, itertools.chain((neighbours(N, x)[1] for x in SIMPLE_FLOATS), SPECIAL_BITS[N])) for N in (32, 64)
}
ALL_FLOATS = {
    N: both_signs(
        N,
        itertools.chain(
            OPERAND_FLOATS[N],
            *(neighbours(N, x) for x in BOUNDS),
            *(neighbours(N, x) for x in (F32_TIES if N == 64 else ())),
            *(neighbours(N, 2.0**k - 1.0) for k in (31, 32, 63, 64)),
            *(neighbours(N, 2.0**k + 1.0) for k in (31, 32, 63, 64)),
            *(neighbours(N, 2.0**k + 0.5) for k in (22, 23, 31, 51)),
        ),
    )
    for N in (32, 64)
}


def edges(instruction: Instruction) -> Iterator[tuple[int, ...]]:
    floats, ints = (ALL_FLOATS, ALL_INTS) if len(instruction.params) == 1 else (OPERAND_FLOATS, OPERAND_INTS)
    return itertools.product(*((floats if t[0] == "f" else ints)[WIDTH[t]] for t in instruction.params))


def ids(instruction: Instruction) -> str:
    return instruction.mnemonic


def test_the_table_names_every_numerics_function_and_no_instruction_twice() -> None:
    assert {i.function for i in INSTRUCTIONS} == {op.sem for op in NUMERIC if op.sem is not None}
    assert len({i.mnemonic for i in INSTRUCTIONS}) == len(INSTRUCTIONS) == 136


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=ids)
def test_edge_values(oracle: Wasmtime, instruction: Instruction) -> None:
    for patterns in edges(instruction):
        check(oracle, instruction, *patterns)


def int_patterns(N: int) -> st.SearchStrategy[int]:
    near_tie = st.builds(
        lambda m, k, d: ((m << k) + (1 << k >> 1) + d) % (1 << N),
        st.integers(1 << 23, (1 << 24) - 1),
        st.integers(0, N - 24),
        st.integers(-2, 2),
    )
    return st.one_of(st.sampled_from(ALL_INTS[N]), st.integers(0, (1 << N) - 1), near_tie)


def float_patterns(N: int) -> st.SearchStrategy[int]:
    near_f32_tie = st.builds(
        lambda high, low: (high << 29) + low,
        st.integers(0, (1 << 35) - 1),
        st.sampled_from(range(2**28 - 2, 2**28 + 3)),
    )
    moderate = st.integers(-(2**40), 2**40).map(lambda n: neighbours(N, n / 4)[1])
    return st.one_of(
        st.sampled_from(ALL_FLOATS[N]),
        st.integers(0, (1 << N) - 1),
        moderate,
        near_f32_tie if N == 64 else st.nothing(),
    )


def operand_patterns(instruction: Instruction) -> st.SearchStrategy[tuple[int, ...]]:
    single = [(float_patterns if t[0] == "f" else int_patterns)(WIDTH[t]) for t in instruction.params]
    if len(single) == 1:
        return st.tuples(*single)
    return st.one_of(st.tuples(*single), single[0].map(lambda b: (b, b)))


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=ids)
def test_random_operands(oracle: Wasmtime, instruction: Instruction) -> None:
    # Ten at a time, since setting up an example costs more than running one.
    @settings(max_examples=8, deadline=None)
    @given(st.lists(operand_patterns(instruction), min_size=10, max_size=10))
    def run(operands: list[tuple[int, ...]]) -> None:
        for patterns in operands:
            check(oracle, instruction, *patterns)

    run()


# Lanes of vector shapes are narrower than any scalar instruction: the specification's own definitions are the oracle.

SIGNED = {8: ctypes.c_int8, 16: ctypes.c_int16, 32: ctypes.c_int32, 64: ctypes.c_int64}
UNSIGNED = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64}

lanes = st.sampled_from((8, 16, 32, 64)).flatmap(
    lambda N: st.tuples(
        st.just(N),
        st.one_of(
            st.integers(0, (1 << N) - 1), st.sampled_from([0, 1, (1 << N) - 1, 1 << (N - 1), (1 << (N - 1)) - 1])
        ),
        st.one_of(
            st.integers(0, (1 << N) - 1), st.sampled_from([0, 1, (1 << N) - 1, 1 << (N - 1), (1 << (N - 1)) - 1])
        ),
    )
)


@given(lanes)
def test_arithmetic_of_any_width_is_that_of_c(lane: tuple[int, int, int]) -> None:
    N, i1, i2 = lane
    assert numerics.iadd(N, i1, i2) == UNSIGNED[N](i1 + i2).value
    assert numerics.isub(N, i1, i2) == UNSIGNED[N](i1 - i2).value
    assert numerics.imul(N, i1, i2) == UNSIGNED[N](i1 * i2).value
    j1, j2 = SIGNED[N](i1).value, SIGNED[N](i2).value
    assert numerics.ilt_s(N, i1, i2) == (j1 < j2)
    assert numerics.igt_s(N, i1, i2) == (j1 > j2)
    assert numerics.ile_s(N, i1, i2) == (j1 <= j2)
    assert numerics.ige_s(N, i1, i2) == (j1 >= j2)
    for M in (M for M in SIGNED if M <= N):
        extended = UNSIGNED[N](SIGNED[M](i1).value).value
        assert numerics.iextend_s(N, M, i1) == extended
        assert numerics.wrap(N, M, i1) == UNSIGNED[M](i1).value
        assert numerics.extend_s(M, N, numerics.wrap(N, M, i1)) == extended
        assert numerics.extend_u(M, N, numerics.wrap(N, M, i1)) == UNSIGNED[M](i1).value


@given(lanes)
def test_division_of_any_width_is_exact_division_truncated(lane: tuple[int, int, int]) -> None:
    N, i1, i2 = lane
    j1, j2 = SIGNED[N](i1).value, SIGNED[N](i2).value
    functions = (numerics.idiv_u, numerics.idiv_s, numerics.irem_u, numerics.irem_s)
    if i2 == 0:
        for function in functions:
            with pytest.raises(Trap) as trap:
                function(N, i1, i2)
            assert trap.value.kind is TrapKind.INTEGER_DIVIDE_BY_ZERO
        return
    quotient = int(Fraction(j1, j2))
    assert numerics.idiv_u(N, i1, i2) == int(Fraction(i1, i2))
    assert numerics.irem_u(N, i1, i2) == i1 - i2 * int(Fraction(i1, i2))
    assert numerics.irem_s(N, i1, i2) == UNSIGNED[N](j1 - j2 * quotient).value
    if quotient == 1 << (N - 1):
        with pytest.raises(Trap) as trap:
            numerics.idiv_s(N, i1, i2)
        assert trap.value.kind is TrapKind.INTEGER_OVERFLOW
    else:
        assert numerics.idiv_s(N, i1, i2) == UNSIGNED[N](quotient).value


@given(lanes)
def test_bit_operators_of_any_width_are_those_on_strings_of_bits(lane: tuple[int, int, int]) -> None:
    N, i1, i2 = lane
    k, bits = i2 % N, f"{i1:0{N}b}"
    assert numerics.ishl(N, i1, i2) == int(bits[k:] + "0" * k, 2)
    assert numerics.ishr_u(N, i1, i2) == int("0" * k + bits[: N - k], 2)
    assert numerics.ishr_s(N, i1, i2) == int(bits[0] * k + bits[: N - k], 2)
    assert numerics.irotl(N, i1, i2) == int(bits[k:] + bits[:k], 2)
    assert numerics.irotr(N, i1, i2) == int(bits[N - k :] + bits[: N - k], 2)
    assert numerics.iclz(N, i1) == len(bits) - len(bits.lstrip("0"))
    assert numerics.ictz(N, i1) == len(bits) - len(bits.rstrip("0"))
    assert numerics.ipopcnt(N, i1) == bits.count("1")


def nearest_f32(r: Fraction) -> float:
    """ieee_32(r) for r != 0 by its definition: the nearest f32, of two such the one with the even significand."""
    q = abs(r)
    low, high = 0, 0x7F800000  # bit patterns of positive f32 are ordered as their values; the limit is 2**128
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if Fraction(inv_fbits(32, middle)) <= q else (low, middle)
    above = Fraction(inv_fbits(32, high)) if high < 0x7F800000 else Fraction(2**128)
    below = Fraction(inv_fbits(32, low))
    pattern = low if (q - below, low % 2) < (above - q, high % 2) else high
    return inv_fbits(32, pattern if r > 0 else pattern | 1 << 31)


finite_f32 = st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(1, 0xFFFFFF).map(float))


@given(finite_f32, finite_f32)
def test_f32_arithmetic_is_exact_arithmetic_rounded_once(z1: float, z2: float) -> None:
    q1, q2 = Fraction(z1), Fraction(z2)
    if q1 + q2:
        assert numerics.fadd(32, z1, z2) == nearest_f32(q1 + q2)
    if q1 - q2:
        assert numerics.fsub(32, z1, z2) == nearest_f32(q1 - q2)
    if q1 * q2:
        assert numerics.fmul(32, z1, z2) == nearest_f32(q1 * q2)
        assert numerics.fdiv(32, z1, z2) == nearest_f32(q1 / q2)


@given(int_patterns(64))
def test_an_integer_is_converted_to_f32_with_one_rounding(i: int) -> None:
    if i:
        assert numerics.convert_u(64, 32, i) == nearest_f32(Fraction(i))
        assert numerics.convert_s(64, 32, i) == nearest_f32(Fraction(SIGNED[64](i).value))


def test_integers_that_two_roundings_would_spoil() -> None:
    assert numerics.convert_u(64, 32, (1 << 63) + (1 << 39) + 1) == 2.0**63 + 2.0**40
    assert numerics.convert_u(64, 32, (1 << 63) + (3 << 39) - 1) == 2.0**63 + 2.0**40
    assert numerics.convert_s(64, 32, (1 << 64) - (1 << 62) - (1 << 38) - 1) == -(2.0**62) - 2.0**39
    assert float((1 << 62) + (1 << 38) + 1) == 2.0**62 + 2.0**38, "the double itself is a tie"


@pytest.mark.parametrize("t", ["i32", "i64", "f32", "f64"])
def test_reinterpreting_as_the_same_type_changes_nothing(t: str) -> None:
    c = inv_fbits(WIDTH[t], CANONICAL[WIDTH[t]] + 5) if t[0] == "f" else 5
    assert numerics.reinterpret(t, t, c) is c
