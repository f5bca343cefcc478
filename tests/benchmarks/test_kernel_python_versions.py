"""The Python versions of the kernels do what they say: compared with libraries, formulas and published values."""

from __future__ import annotations

import hashlib
import math
import operator
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.kernels.python_versions import calls, floats, hashes, integers, tables, vectors
from benchmarks.kernels.python_versions.numbers import random_numbers, signed


def as_i32(value: int) -> int:
    return signed(32, value)


def as_i64(value: int) -> int:
    return signed(64, value)


def message(n: int) -> bytes:
    return bytes((i * 7 + 3) % 256 for i in range(n))


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def f32(value: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def i32s(numbers: list[int]) -> list[int]:
    return [signed(32, number) for number in numbers]


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def primes_mixed(n: int) -> int:
    mix = 0
    for prime in filter(is_prime, range(n + 1)):
        mix = (mix ^ prime * 32) + prime
    return mix


def greatest_common_divisors(n: int) -> int:
    numbers = random_numbers(4 * n, 1)
    wide = [(numbers[i] // 16 * 2**32 + numbers[i + 1]) + 1 for i in range(0, 4 * n, 2)]
    return sum(math.gcd(*wide[i : i + 2]) for i in range(0, 2 * n, 2))


def xorshift_by_definition(n: int) -> int:
    state, total = 88172645463325252, 0
    for _ in range(n):
        for move in (lambda x: x // 2**12, lambda x: x * 2**25, lambda x: x // 2**27):
            state = (state ^ move(state)) % 2**64
        total += state * 2685821657736338717
    return total


def squares_of_counts(n: int) -> int:
    words = Counter((number >> 8) % (n // 2 + 1) * 8 + 5 for number in random_numbers(n, 1))
    return sum(word * count**2 for word, count in words.items())


def in_order(numbers: list[int]) -> int:
    return sum(place * number for place, number in enumerate(sorted(numbers), 1))


def edit_distance(n: int) -> int:
    first, second = ([(number >> 24) % 8 for number in random_numbers(n, seed)] for seed in (1, 2))

    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        changed = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(changed, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(n, n)


def filled_and_moved(n: int) -> int:
    numbers = [number >> 8 for number in random_numbers(4 * n, 3)]
    memory, total = [0] * 65536, 0
    for i in range(n):
        place, length, shift, seen = numbers[4 * i : 4 * i + 4]
        place, length, shift = place % (65536 - 8192), length % 4096, shift % 4096
        for at in range(length):
            memory[place + at] = (i + 1) % 256
        moved = [memory[place + at] for at in range(length)]
        for at, byte in enumerate(moved):
            memory[place + shift + at] = byte
        total = total * 31 + memory[seen % 65536]
    return total


def words_of_text(n: int) -> int:
    letters = [number >> 24 for number in random_numbers(n, 1)]
    return len("".join(" " if letter < 48 else "x" for letter in letters).split())


def inner_product(n: int) -> int:
    numbers = [number >> 16 for number in i32s(random_numbers(2 * n, 1))]
    return sum(map(operator.mul, numbers[::2], numbers[1::2]))


def matrix_product(n: int) -> float:
    total = 0.0
    for i in range(n):
        for j in range(n):
            element = 0.0
            for k in range(n):
                element = f32(element + f32(f32(1 / (i + k + 1)) * (k - j + 0.5)))
            total += element
    return total


def steps_of_complex_numbers(n: int) -> int:
    total = 0
    for row in range(n):
        for column in range(n):
            z, count = 0j, 0
            while count < 50 and z.real**2 + z.imag**2 <= 4:
                z, count = z * z + complex(column * 2.5 / n - 2, row * 2.5 / n - 1.25), count + 1
            total += count
    return total


MEANINGS: dict[Callable[[int], int | float], Callable[[int], int | float]] = {
    calls.fib: lambda n: as_i32(fibonacci(n)),
    calls.interpreter: lambda n: as_i32(primes_mixed(n)),
    integers.gcd: lambda n: as_i64(greatest_common_divisors(n)),
    integers.xorshift: lambda n: as_i64(xorshift_by_definition(n)),
    integers.crc32: lambda n: as_i32(zlib.crc32(message(n))),
    hashes.sha256: lambda n: int.from_bytes(hashlib.sha256(message(n)).digest()[:4], "big", signed=True),
    hashes.sha512: lambda n: int.from_bytes(hashlib.sha512(message(n)).digest()[:8], "big", signed=True),
    tables.sieve: lambda n: sum(map(is_prime, range(n))),
    tables.copy: lambda n: as_i32(sum(map(operator.mul, range(1, n + 1), reversed(message(n))))),
    tables.bulk: lambda n: as_i32(filled_and_moved(n)),
    tables.quicksort: lambda n: as_i32(in_order(i32s(random_numbers(n, 42)))),
    tables.hashtable: lambda n: as_i64(squares_of_counts(n)),
    tables.trees: lambda n: as_i64(in_order(random_numbers(n, 7))),
    tables.levenshtein: edit_distance,
    floats.matrix: matrix_product,
    floats.mandelbrot: steps_of_complex_numbers,
    vectors.dot: lambda n: as_i32(inner_product(n)),
    vectors.count: words_of_text,
}
SMALLER = {calls.fib: 18, tables.levenshtein: 60, floats.matrix: 14, floats.mandelbrot: 20, tables.bulk: 40}
"""The largest argument, where 400 takes too long."""


@pytest.mark.parametrize("function", MEANINGS, ids=lambda function: function.__name__)
def test_python_versions_do_what_they_say(function: Callable[[int], int | float]) -> None:
    @settings(max_examples=20, deadline=None)
    @given(st.integers(1, SMALLER.get(function, 400)))
    def agree(n: int) -> None:
        assert function(n) == MEANINGS[function](n)

    agree()


def test_python_versions_give_what_was_published() -> None:
    # The energy that the Benchmarks Game publishes for a thousand steps.
    assert f"{floats.nbody(1000):.9f}" == "-0.169087605"
    # Takeuchi's function of 18, 12 and 6.
    assert calls.tak(18) == 7
    # The sequences A006877 and A006878 of the OEIS.
    assert integers.collatz(10_000) == 261 << 32 | 6171
    assert integers.collatz(27) == 111 << 32 | 27
    assert integers.murmur3([int.from_bytes(b"test", "little")]) == 0xBA6BD213
    assert integers.murmur3([]) == 0
    assert hashes.ROUNDS_512[0] == 0x428A2F98D728AE22
    assert hashes.START_256[7] == 0x5BE0CD19
