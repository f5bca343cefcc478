"""The vector operators by their definitions in the specification, lane by lane, on bit patterns and exact numbers.

An oracle for tests, on top of `scalar_definitions`: it shares no code with the numerics. A definition takes the
immediates and the bit patterns of the operands, and gives the lanes of the result (one lane for an i32 and the like).
A lane that the specification lets an implementation choose is `Relaxed`, with the choice of the deterministic profile
first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, floor

from scalar_definitions import (
    COMPARISONS,
    NAN,
    Result,
    float_operators,
    integer_operators,
    is_nan,
    number,
    real,
    refloated,
    rounded,
    signed,
    text,
    truncated,
)


@dataclass(frozen=True)
class Relaxed:
    """A result that is one of several."""

    choices: tuple[Result, ...]


Lane = Result | Relaxed


@dataclass(frozen=True)
class Lanes:
    """A result: lanes of N bits."""

    N: int
    lanes: tuple[Lane, ...]


Definition = Callable[..., Lanes]
"""(immediates, *patterns) -> lanes"""


def lanes_of(N: int, v: int) -> list[int]:
    """The lanes of a v128, lane 0 in the lowest bits."""
    return [v >> k & ((1 << N) - 1) for k in range(0, 128, N)]


def vector_of(N: int, lanes: Iterable[int]) -> int:
    """The v128 with these lanes."""
    return sum(c << (N * k) for k, c in enumerate(lanes))


def clamp(N: int, sx: str, j: int) -> int:
    """sat_sx_N(j), as an iN."""
    low, high = (-(1 << (N - 1)), (1 << (N - 1)) - 1) if sx == "s" else (0, (1 << N) - 1)
    return min(max(j, low), high) % (1 << N)


def selected(N: int, i1: int, i2: int, i3: int) -> int:
    """The bits of i1 where i3 has ones, those of i2 elsewhere."""
    triples = zip(text(N, i1), text(N, i2), text(N, i3), strict=True)
    return int("".join(d1 if d3 == "1" else d2 for d1, d2, d3 in triples), 2)


def q15(N: int, i1: int, i2: int) -> int:
    """The product of two numbers with 15 bits after the point, halves rounded up."""
    return clamp(N, "s", floor(Fraction(signed(N, i1) * signed(N, i2), 1 << 15) + Fraction(1, 2)))


def fused(N: int, z1: int, z2: int, z3: int) -> Result:
    """fma of finite numbers: rounded once."""
    x, y, z = (real(N, bits) for bits in (z1, z2, z3))
    product = x.exact * y.exact
    both_negative = (x.negative != y.negative) and z.negative
    return rounded(N, product + z.exact, negative_zero=product == z.exact == 0 and both_negative)


def relaxed_madd(N: int, z1: int, z2: int, z3: int) -> Lane:
    """Multiplication and addition, rounded after each or only once."""
    scalar = scalar_operators("f", N)
    product = scalar["mul"](z1, z2)
    unfused = NAN if product == NAN else scalar["add"](product, z3)
    if any(is_nan(N, z) or real(N, z).magnitude is None for z in (z1, z2, z3)):
        return unfused  # type: ignore[return-value]
    return Relaxed((unfused, fused(N, z1, z2, z3)))  # type: ignore[arg-type]


def relaxed_extreme(N: int, name: str, z1: int, z2: int) -> Lane:
    """Minimum or maximum, which may differ for NaNs and for zeroes of different signs."""
    strict = scalar_operators("f", N)[name](z1, z2)
    sign = 1 << (N - 1)
    if is_nan(N, z1):
        return Relaxed((strict, z1, z2, z2))  # type: ignore[arg-type]
    if is_nan(N, z2):
        return Relaxed((strict, z1, z2, z1))  # type: ignore[arg-type]
    if {z1, z2} == {0, sign}:
        return Relaxed((strict, z1, z2, sign if name == "min" else 0))  # type: ignore[arg-type]
    return strict  # type: ignore[return-value]


def pseudo(N: int, name: str, z1: int, z2: int) -> int:
    """fpmin and fpmax: z2 if it is less (greater) than z1."""
    if is_nan(N, z1) or is_nan(N, z2):
        return z1
    first, second = real(N, z1).order[:2], real(N, z2).order[:2]
    return z2 if (second < first if name == "pmin" else first < second) else z1


@cache
def scalar_operators(letter: str, N: int) -> dict[str, Callable[..., Lane]]:
    """The operators on one lane that are applied to all lanes alike, comparisons with all ones for 1."""
    if letter == "f":
        operators: dict[str, Callable[..., Lane]] = dict(float_operators(N))
        operators.update({name: lambda z1, z2, name=name: pseudo(N, name, z1, z2) for name in ("pmin", "pmax")})
        return operators
    operators = dict(integer_operators(N))
    operators["abs"] = lambda i: abs(signed(N, i)) % (1 << N)
    operators["neg"] = lambda i: -signed(N, i) % (1 << N)
    for sx in ("s", "u"):
        operators[f"min_{sx}"] = lambda i1, i2, sx=sx: min(i1, i2, key=lambda i: number(N, i, sx))
        operators[f"max_{sx}"] = lambda i1, i2, sx=sx: max(i1, i2, key=lambda i: number(N, i, sx))
        operators[f"add_sat_{sx}"] = lambda i1, i2, sx=sx: clamp(N, sx, number(N, i1, sx) + number(N, i2, sx))
        operators[f"sub_sat_{sx}"] = lambda i1, i2, sx=sx: clamp(N, sx, number(N, i1, sx) - number(N, i2, sx))
    operators["avgr_u"] = lambda i1, i2: ceil(Fraction(i1 + i2, 2))
    operators["q15mulr_sat_s"] = lambda i1, i2: q15(N, i1, i2)
    return operators


@cache
def relaxed_operators(letter: str, N: int) -> dict[str, Callable[..., Lane]]:
    """The relaxed operators on one lane."""
    if letter == "f":
        return {
            "relaxed_madd": lambda z1, z2, z3: relaxed_madd(N, z1, z2, z3),
            "relaxed_nmadd": lambda z1, z2, z3: relaxed_madd(N, z1 ^ (1 << (N - 1)), z2, z3),
            "relaxed_min": lambda z1, z2: relaxed_extreme(N, "min", z1, z2),
            "relaxed_max": lambda z1, z2: relaxed_extreme(N, "max", z1, z2),
        }
    least = 1 << (N - 1)
    return {
        "relaxed_q15mulr_s": lambda i1, i2: Relaxed((least - 1, least)) if i1 == i2 == least else q15(N, i1, i2),
        "relaxed_laneselect": lambda i1, i2, i3: Relaxed((selected(N, i1, i2, i3), i1 if i3 >= least else i2)),
    }


def lanewise(letter: str, N: int, name: str) -> Definition | None:
    """An operator applied to all lanes."""
    operator = {**scalar_operators(letter, N), **relaxed_operators(letter, N)}.get(name)
    if operator is None:
        return None
    is_comparison = name.partition("_")[0] in COMPARISONS
    factor = (1 << N) - 1 if is_comparison else 1

    def definition(_: Sequence[int], *vectors: int) -> Lanes:
        if name in ("shl", "shr_s", "shr_u"):
            return Lanes(N, tuple(operator(c, vectors[1]) for c in lanes_of(N, vectors[0])))
        lanes = [operator(*cs) for cs in zip(*(lanes_of(N, v) for v in vectors), strict=True)]
        return Lanes(N, tuple(c * factor if isinstance(c, int) else c for c in lanes))

    return definition


def whole_vector(name: str) -> Definition:
    """The operators on 128 bits."""

    def bit_by_bit(holds: Callable[..., bool]) -> Definition:
        def definition(_: Sequence[int], *vectors: int) -> Lanes:
            digits = zip(*(text(128, v) for v in vectors), strict=True)
            return Lanes(128, (int("".join(str(int(holds(*map(int, ds)))) for ds in digits), 2),))

        return definition

    if name == "any_true":
        return lambda _, v: Lanes(32, (int("1" in text(128, v)),))
    return {
        "not": bit_by_bit(lambda d: d == 0),
        "and": bit_by_bit(lambda d1, d2: d1 + d2 == 2),
        "andnot": bit_by_bit(lambda d1, d2: d1 > d2),
        "or": bit_by_bit(lambda d1, d2: d1 + d2 > 0),
        "xor": bit_by_bit(lambda d1, d2: d1 != d2),
        "bitselect": bit_by_bit(lambda d1, d2, d3: (d1 if d3 else d2) == 1),
    }[name]


def single_lanes(N: int, dim: int, unpacked: int) -> dict[str, Definition]:
    """What makes vectors of lanes, or lanes of vectors; `unpacked` is the width of a lane on the operand stack."""

    def replaced(immediates: Sequence[int], v: int, c: int) -> Lanes:
        lanes = lanes_of(N, v)
        lanes[immediates[0]] = c % (1 << N)
        return Lanes(N, tuple(lanes))

    def extracted(sx: str) -> Definition:
        return lambda immediates, v: Lanes(unpacked, (number(N, lanes_of(N, v)[immediates[0]], sx) % (1 << unpacked),))

    def swizzled(relaxed: bool) -> Definition:
        def lane(lanes: list[int], i: int) -> Lane:
            if i < dim:
                return lanes[i]
            return Relaxed((0, lanes[i % dim])) if relaxed and signed(N, i) >= 0 else 0

        return lambda _, v1, v2: Lanes(N, tuple(lane(lanes_of(N, v1), i) for i in lanes_of(N, v2)))

    return {
        "splat": lambda _, c: Lanes(N, (c % (1 << N),) * dim),
        "extract_lane": extracted("u"),
        "extract_lane_s": extracted("s"),
        "extract_lane_u": extracted("u"),
        "replace_lane": replaced,
        "all_true": lambda _, v: Lanes(32, (int(0 not in lanes_of(N, v)),)),
        "bitmask": lambda _, v: Lanes(32, (sum(1 << k for k, c in enumerate(lanes_of(N, v)) if signed(N, c) < 0),)),
        "swizzle": swizzled(relaxed=False),
        "relaxed_swizzle": swizzled(relaxed=True),
        "shuffle": lambda immediates, v1, v2: Lanes(
            N, tuple((lanes_of(N, v1) + lanes_of(N, v2))[i] for i in immediates)
        ),
    }


BETWEEN = re.compile(r"([a-z0-9_]+?)(?:_(low|high))?_([if])(\d+)x(\d+)(?:_i7x16)?(_add)?(?:_([su]))?(?:_zero)?")
"""What stands behind the shape converted to: name, half, shape converted from, signedness."""


def dots(M: int, N: int, v1: int, v2: int, unsigned: bool = False) -> list[int]:
    """Sums of products of every two neighbours, without a limit."""
    second = [c if unsigned else signed(M, c) for c in lanes_of(M, v2)]
    products = [signed(M, c1) * j2 for c1, j2 in zip(lanes_of(M, v1), second, strict=True)]
    return [products[k] + products[k + 1] for k in range(0, len(products), 2)]


def relaxed_dot(v1: int, v2: int) -> list[list[int]]:
    """The two results that relaxed_dot may have, in signed interpretation."""
    return [[signed(16, clamp(16, "s", j)) for j in dots(8, 16, v1, v2, unsigned)] for unsigned in (False, True)]


def relaxed_dot_lanes(_: Sequence[int], v1: int, v2: int) -> Lanes:
    both = zip(*relaxed_dot(v1, v2), strict=True)
    return Lanes(16, tuple(Relaxed(tuple(j % (1 << 16) for j in js)) for js in both))


def relaxed_dot_add_lanes(_: Sequence[int], v1: int, v2: int, v3: int) -> Lanes:
    sums = ([js[k] + js[k + 1] for k in range(0, 8, 2)] for js in relaxed_dot(v1, v2))
    both = zip(*sums, lanes_of(32, v3), strict=True)
    return Lanes(32, tuple(Relaxed(((j0 + c) % (1 << 32), (j1 + c) % (1 << 32))) for j0, j1, c in both))


def relaxed_trunc(M: int, N: int, sx: str, z: int) -> Lane:
    """Truncation, of which the specification says nothing for what is out of range."""
    strict, saturated = truncated(M, N, sx, False, z), truncated(M, N, sx, True, z)
    if isinstance(strict, int):
        return strict
    others = (1 << (N - 1),) if sx == "s" else ((1 << N) - 1, (1 << N) - 2, 1 << (N - 1))
    return Relaxed((saturated, *others))


def between_shapes(N: int, dim: int, rest: str) -> Definition:
    """The operators that go from one shape to another."""
    match = BETWEEN.fullmatch(rest)
    assert match is not None, rest
    name, half, M, add, sx = match[1], match[2], int(match[4]), match[6], match[7]
    start = dim if half == "high" else 0

    def js(v: int) -> list[int]:
        return [number(M, c, sx) for c in lanes_of(M, v)]

    def each(operator: Callable[[int], Lane]) -> Definition:
        """An operator on each lane, from one half if there are too many, filled up with zero if too few."""

        def definition(_: Sequence[int], v: int) -> Lanes:
            lanes = [operator(c) for c in lanes_of(M, v)[start : start + dim]]
            return Lanes(N, (*lanes, *[0] * (dim - len(lanes))))

        return definition

    def plain(operation: Callable[..., Iterable[int]]) -> Definition:
        return lambda _, *vectors: Lanes(N, tuple(j % (1 << N) for j in operation(*vectors)))

    def halves(v: int) -> list[int]:
        return js(v)[start : start + dim]

    if name == "relaxed_dot":
        return relaxed_dot_add_lanes if add else relaxed_dot_lanes
    return {
        "narrow": plain(lambda v1, v2: [clamp(N, sx, signed(M, c)) for v in (v1, v2) for c in lanes_of(M, v)]),
        "extend": plain(halves),
        "extmul": plain(lambda v1, v2: [j1 * j2 for j1, j2 in zip(halves(v1), halves(v2), strict=True)]),
        "extadd_pairwise": plain(lambda v: [js(v)[k] + js(v)[k + 1] for k in range(0, 2 * dim, 2)]),
        "dot": plain(lambda v1, v2: dots(M, N, v1, v2)),
        "convert": each(lambda c: rounded(N, Fraction(number(M, c, sx)))),
        "trunc_sat": each(lambda z: truncated(M, N, sx, True, z)),
        "relaxed_trunc": each(lambda z: relaxed_trunc(M, N, sx, z)),
        "demote": each(lambda z: refloated(M, N, z)),
        "promote": each(lambda z: refloated(M, N, z)),
    }[name]


@cache
def definition_of(mnemonic: str) -> Definition:
    """The definition of a vector operator; of what is none, an AssertionError or a KeyError."""
    shape, _, name = mnemonic.partition(".")
    if shape == "v128":
        return whole_vector(name)
    letter, N, dim = shape[0], *map(int, shape[1:].split("x"))
    unpacked = max(N, 32)
    definition = lanewise(letter, N, name) or single_lanes(N, dim, unpacked).get(name)
    return definition or between_shapes(N, dim, name)
