"""The scalar operators by their definitions in the specification, on bit patterns and exact numbers, without any float.

An oracle for tests: it shares no code with the numerics and uses none of the processor's floating-point arithmetic.
A definition takes bit patterns and gives one, NAN where the result is a NaN whose payload is open, or a `TrapKind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt, trunc

from interp.errors import TrapKind

MANTISSA = {32: 23, 64: 52}
BIAS = {32: 127, 64: 1023}
NAN = "nan"
"""A result in nans_N{…}: any NaN that the specification allows there."""

Result = int | str | TrapKind
Definition = Callable[..., Result]


def infinity(N: int) -> int:
    """The bits of +inf."""
    return (2 * BIAS[N] + 1) << MANTISSA[N]


def canonical(N: int) -> int:
    """The bits of the positive canonical NaN."""
    return infinity(N) + (1 << (MANTISSA[N] - 1))


@dataclass(frozen=True)
class Real:
    """A float that is no NaN: its sign bit, and its magnitude, None for infinity."""

    negative: bool
    magnitude: Fraction | None

    @property
    def order(self) -> tuple[int, Fraction, int]:
        """Sorts as the values do, -0 before +0."""
        sign = -1 if self.negative else 1
        if self.magnitude is None:
            return sign, Fraction(0), 0
        return 0, sign * self.magnitude, sign

    @property
    def exact(self) -> Fraction:
        """The value of a finite number."""
        assert self.magnitude is not None
        return -self.magnitude if self.negative else self.magnitude

    @property
    def is_zero(self) -> bool:
        return self.magnitude == 0


def is_nan(N: int, bits: int) -> bool:
    return bits & ((1 << (N - 1)) - 1) > infinity(N)


def real(N: int, bits: int) -> Real:
    """The number with this bit pattern, which is no NaN's."""
    negative, pattern = bool(bits >> (N - 1)), bits & ((1 << (N - 1)) - 1)
    if pattern == infinity(N):
        return Real(negative, None)
    exponent, fraction = divmod(pattern, 1 << MANTISSA[N])
    if exponent:
        fraction += 1 << MANTISSA[N]
    return Real(negative, fraction * Fraction(2) ** (max(exponent, 1) - BIAS[N] - MANTISSA[N]))


def bits_of(N: int, negative: bool, magnitude: Fraction | None) -> int:
    """float_N of a number of that sign: rounded to the nearest, ties to even."""
    sign = int(negative) << (N - 1)
    if magnitude is None:
        return sign | infinity(N)
    if magnitude == 0:
        return sign
    e = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    e = max(e - (Fraction(2) ** e > magnitude), 1 - BIAS[N])
    significand = round(magnitude / Fraction(2) ** (e - MANTISSA[N]))
    return sign | min(((e + BIAS[N] - 1) << MANTISSA[N]) + significand, infinity(N))


def rounded(N: int, q: Fraction, negative_zero: bool = False) -> int:
    """float_N of an exact number; a zero gets the sign that is given."""
    return bits_of(N, q < 0 or (q == 0 and negative_zero), abs(q))


def signed(N: int, i: int) -> int:
    return i - ((i >> (N - 1)) << N)


def number(N: int, i: int, sx: str) -> int:
    return signed(N, i) if sx == "s" else i


def divide(N: int, sx: str, i1: int, i2: int) -> Result:
    if i2 == 0:
        return TrapKind.INTEGER_DIVIDE_BY_ZERO
    quotient = trunc(Fraction(number(N, i1, sx), number(N, i2, sx)))
    return TrapKind.INTEGER_OVERFLOW if sx == "s" and quotient == 1 << (N - 1) else quotient % (1 << N)


def remainder(N: int, sx: str, i1: int, i2: int) -> Result:
    if i2 == 0:
        return TrapKind.INTEGER_DIVIDE_BY_ZERO
    j1, j2 = number(N, i1, sx), number(N, i2, sx)
    return (j1 - j2 * trunc(Fraction(j1, j2))) % (1 << N)


def text(N: int, i: int) -> str:
    """The bits of i as characters, the highest first."""
    return f"{i:0{N}b}"


def shifted(N: int, name: str, i1: int, i2: int) -> int:
    k, d = i2 % N, text(N, i1)
    strings = {
        "shl": d[k:] + "0" * k,
        "shr_u": "0" * k + d[: N - k],
        "shr_s": d[0] * k + d[: N - k],
        "rotl": d[k:] + d[:k],
        "rotr": d[N - k :] + d[: N - k],
    }
    return int(strings[name], 2)


def bitwise(N: int, name: str, i1: int, i2: int) -> int:
    pairs = {"and": lambda a, b: a == b == "1", "or": lambda a, b: "1" in (a, b), "xor": lambda a, b: a != b}
    return int("".join(str(int(pairs[name](a, b))) for a, b in zip(text(N, i1), text(N, i2), strict=True)), 2)


COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,  # type: ignore[operator]
    "gt": lambda a, b: a > b,  # type: ignore[operator]
    "le": lambda a, b: a <= b,  # type: ignore[operator]
    "ge": lambda a, b: a >= b,  # type: ignore[operator]
}


def integer_operators(N: int) -> Iterator[tuple[str, Definition]]:
    """Name and definition of the operators on iN."""
    yield "add", lambda i1, i2: (i1 + i2) % (1 << N)
    yield "sub", lambda i1, i2: (i1 - i2) % (1 << N)
    yield "mul", lambda i1, i2: (i1 * i2) % (1 << N)
    for sx in ("s", "u"):
        yield f"div_{sx}", lambda i1, i2, sx=sx: divide(N, sx, i1, i2)
        yield f"rem_{sx}", lambda i1, i2, sx=sx: remainder(N, sx, i1, i2)
    for name in ("and", "or", "xor"):
        yield name, lambda i1, i2, name=name: bitwise(N, name, i1, i2)
    for name in ("shl", "shr_s", "shr_u", "rotl", "rotr"):
        yield name, lambda i1, i2, name=name: shifted(N, name, i1, i2)
    for name, holds in COMPARISONS.items():
        for sx in ("",) if name in ("eq", "ne") else ("s", "u"):
            full = f"{name}_{sx}".rstrip("_")
            yield full, lambda i1, i2, sx=sx, holds=holds: int(holds(number(N, i1, sx), number(N, i2, sx)))
    yield "eqz", lambda i: int(set(text(N, i)) == {"0"})
    yield "clz", lambda i: N - len(text(N, i).lstrip("0"))
    yield "ctz", lambda i: N - len(text(N, i).rstrip("0"))
    yield "popcnt", lambda i: text(N, i).count("1")
    for M in (M for M in (8, 16, 32) if M < N):
        yield f"extend{M}_s", lambda i, M=M: signed(M, i % (1 << M)) % (1 << N)


def quiet(N: int, operation: Callable[..., Result]) -> Definition:
    """An operator that gives a NaN whenever it is given one."""

    def definition(*patterns: int) -> Result:
        if any(is_nan(N, bits) for bits in patterns):
            return NAN
        return operation(*[real(N, bits) for bits in patterns])

    return definition


def added(N: int, x: Real, y: Real) -> Result:
    if x.magnitude is None or y.magnitude is None:
        if x.magnitude is y.magnitude is None and x.negative != y.negative:
            return NAN
        return bits_of(N, (x if x.magnitude is None else y).negative, None)
    return rounded(N, x.exact + y.exact, x.is_zero and y.is_zero and x.negative and y.negative)


def multiplied(N: int, x: Real, y: Real) -> Result:
    negative = x.negative != y.negative
    if x.magnitude is None or y.magnitude is None:
        return NAN if x.is_zero or y.is_zero else bits_of(N, negative, None)
    return bits_of(N, negative, x.magnitude * y.magnitude)


def divided(N: int, x: Real, y: Real) -> Result:
    negative = x.negative != y.negative
    if x.magnitude is None:
        return NAN if y.magnitude is None else bits_of(N, negative, None)
    if y.magnitude is None:
        return bits_of(N, negative, Fraction(0))
    if y.is_zero:
        return NAN if x.is_zero else bits_of(N, negative, None)
    return bits_of(N, negative, x.magnitude / y.magnitude)


def root(N: int, x: Real) -> Result:
    if x.is_zero or (x.magnitude is None and not x.negative):
        return bits_of(N, x.negative, x.magnitude)
    if x.negative or x.magnitude is None:
        return NAN
    k = 1200  # of bits behind the point, so that the digit below them only says whether the root goes on
    square = x.magnitude * 4**k
    r = isqrt(floor(square))
    return bits_of(N, False, Fraction(2 * r + (r * r != square), 2 ** (k + 1)))


def integral(N: int, to: Callable[[Fraction], int], x: Real) -> int:
    if x.magnitude is None:
        return bits_of(N, x.negative, None)
    return bits_of(N, x.negative, abs(Fraction(to(x.exact))))


def compared(N: int, name: str, z1: int, z2: int) -> int:
    if is_nan(N, z1) or is_nan(N, z2):
        return int(name == "ne")
    x, y = (real(N, z).order[:2] for z in (z1, z2))
    return int(COMPARISONS[name](x, y))


def float_operators(N: int) -> Iterator[tuple[str, Definition]]:
    """Name and definition of the operators on fN."""
    sign = 1 << (N - 1)
    yield "abs", lambda z: z % sign
    yield "neg", lambda z: z ^ sign
    yield "copysign", lambda z1, z2: z1 % sign + (z2 // sign) * sign
    yield "add", quiet(N, lambda x, y: added(N, x, y))
    yield "sub", quiet(N, lambda x, y: added(N, x, Real(not y.negative, y.magnitude)))
    yield "mul", quiet(N, lambda x, y: multiplied(N, x, y))
    yield "div", quiet(N, lambda x, y: divided(N, x, y))
    yield "min", quiet(N, lambda *xs: bits_of(N, (m := min(xs, key=lambda x: x.order)).negative, m.magnitude))
    yield "max", quiet(N, lambda *xs: bits_of(N, (m := max(xs, key=lambda x: x.order)).negative, m.magnitude))
    yield "sqrt", quiet(N, lambda x: root(N, x))
    for name, to in (("ceil", ceil), ("floor", floor), ("trunc", trunc), ("nearest", round)):
        yield name, quiet(N, lambda x, to=to: integral(N, to, x))
    for name in COMPARISONS:
        yield name, lambda z1, z2, name=name: compared(N, name, z1, z2)


def truncated(M: int, N: int, sx: str, saturating: bool, z: int) -> Result:
    """trunc and trunc_sat from fM to iN."""
    low, high = (-(1 << (N - 1)), (1 << (N - 1)) - 1) if sx == "s" else (0, (1 << N) - 1)
    if is_nan(M, z):
        return 0 if saturating else TrapKind.INVALID_CONVERSION
    x = real(M, z)
    if x.magnitude is None:
        return (low if x.negative else high) % (1 << N) if saturating else TrapKind.INTEGER_OVERFLOW
    j = trunc(x.exact)
    if saturating:
        return min(max(j, low), high) % (1 << N)
    return j % (1 << N) if low <= j <= high else TrapKind.INTEGER_OVERFLOW


def refloated(M: int, N: int, z: int) -> Result:
    """promote and demote."""
    if is_nan(M, z):
        return NAN
    x = real(M, z)
    return bits_of(N, x.negative, x.magnitude)


CONVERSION = re.compile(r"([if])(32|64)\.(\w+?)_([if])(32|64)(?:_([su]))?")


def conversion(mnemonic: str) -> Definition | None:
    """The definition of a conversion by its mnemonic: t2.name_t1_sx."""
    match = CONVERSION.fullmatch(mnemonic)
    if match is None:
        return None
    M, N, name, sx = int(match[5]), int(match[2]), match[3], match[6]
    definitions: dict[str, Definition] = {
        "wrap": lambda i: i % (1 << N),
        "extend": lambda i: number(M, i, sx) % (1 << N),
        "trunc": lambda z: truncated(M, N, sx, False, z),
        "trunc_sat": lambda z: truncated(M, N, sx, True, z),
        "convert": lambda i: rounded(N, Fraction(number(M, i, sx))),
        "demote": lambda z: refloated(M, N, z),
        "promote": lambda z: refloated(M, N, z),
        "reinterpret": lambda bits: bits,
    }
    return definitions[name]


OPERATORS: dict[str, Definition] = {
    **{f"i{N}.{name}": definition for N in (32, 64) for name, definition in integer_operators(N)},
    **{f"f{N}.{name}": definition for N in (32, 64) for name, definition in float_operators(N)},
}


def definition_of(mnemonic: str) -> Definition:
    """The definition of a scalar operator.  KeyError for what is none."""
    return conversion(mnemonic) or OPERATORS[mnemonic]
