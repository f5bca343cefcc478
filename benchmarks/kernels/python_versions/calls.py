"""Calls: direct ones, those of functions in a table, and the operations of an interpreter."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.kernels.python_versions.numbers import signed


def fib(n: int) -> int:
    """The n-th Fibonacci number, by recursion."""
    return signed(32, _fib(n))


def _fib(n: int) -> int:
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)


def tak(n: int) -> int:
    """Takeuchi's function of n, two thirds and one third of it."""
    return _tak(n, n * 2 // 3, n // 3)


def _tak(x: int, y: int, z: int) -> int:
    return _tak(_tak(x - 1, y, z), _tak(y - 1, z, x), _tak(z - 1, x, y)) if y < x else z


def dispatch(n: int) -> int:
    """A number after n steps, each of which depends on it."""
    steps, x = STEPS, 1
    for left in range(n, 0, -1):
        x = steps[x & 7](x) + left & 0xFFFFFFFF
    return signed(32, x)


def _multiply(x: int) -> int:
    return x * 69069 + 1


def _rotate(x: int) -> int:
    left = 32 - (x | 1).bit_length()
    x ^= 0x55555555
    return (x << left | x >> 32 - left) & 0xFFFFFFFF


def _count(x: int) -> int:
    return (x >> 5 | x << 27 & 0xFFFFFFFF) + x.bit_count()


def _negate(x: int) -> int:
    return 0x12345678 - x


def _divide(x: int) -> int:
    return x // 10 * 7919 & 0xFFFFFFFF ^ x % 10


def _shift(x: int) -> int:
    return x << 13 & 0xFFFFFFFF ^ x >> 17


def _choose(x: int) -> int:
    return x | 0x01000001 if x > 0x7FFFFFFF else x + 0x7FFFFFFF


def _extend(x: int) -> int:
    if x > 0x7FFFFFFF:
        x -= 0x100000000
    return x * 0x5851F42D >> 30


STEPS: tuple[Callable[[int], int], ...] = (
    *(_multiply, _rotate, _count, _negate),
    *(_divide, _shift, _choose, _extend),
)
"""What becomes of a number, by its three lowest bits."""

OPERATIONS = range(12)
STOP, LOAD, MOVE, INCREMENT, ADD, MULTIPLY, REMAINDER, SHIFT, XOR, GO, LESS, ZERO = OPERATIONS
LIMIT, NUMBER, DIVISOR, SQUARE, REST, MIX = range(6)
NEXT, TRY, PRIME, COUNT, END = 2, 4, 10, 14, 16

PROGRAM = (
    (LOAD, NUMBER, 2, 0),
    (LOAD, MIX, 0, 0),
    (LESS, END, LIMIT, NUMBER),  # NEXT
    (LOAD, DIVISOR, 2, 0),
    (MULTIPLY, SQUARE, DIVISOR, DIVISOR),  # TRY
    (LESS, PRIME, NUMBER, SQUARE),
    (REMAINDER, REST, NUMBER, DIVISOR),
    (ZERO, COUNT, REST, 0),
    (INCREMENT, DIVISOR, 1, 0),
    (GO, TRY, 0, 0),
    (MOVE, REST, NUMBER, 0),  # PRIME
    (SHIFT, REST, 5, 0),
    (XOR, MIX, MIX, REST),
    (ADD, MIX, MIX, NUMBER),
    (INCREMENT, NUMBER, 1, 0),  # COUNT
    (GO, NEXT, 0, 0),
    (STOP, MIX, 0, 0),  # END
)
"""Operation, register or label, register or number, register."""


def interpreter(n: int) -> int:
    """The primes up to n, mixed into one number by an interpreted program."""
    registers = [0] * 6
    registers[LIMIT] = n
    return signed(32, _interpret(PROGRAM, registers))


def _interpret(code: tuple[tuple[int, int, int, int], ...], registers: list[int]) -> int:  # noqa: PLR0912 (its operations)
    _, load, move, increment, add, multiply, remainder, shift, xor, go, less, zero = OPERATIONS
    at = 0
    while True:
        operation, target, first, second = code[at]
        at += 1
        # Those of the innermost loop come first.
        if operation == multiply:
            registers[target] = registers[first] * registers[second] & 0xFFFFFFFF
        elif operation == less:
            if registers[first] < registers[second]:
                at = target
        elif operation == remainder:
            registers[target] = registers[first] % registers[second]
        elif operation == zero:
            if not registers[first]:
                at = target
        elif operation == increment:
            registers[target] = registers[target] + first & 0xFFFFFFFF
        elif operation == go:
            at = target
        elif operation == load:
            registers[target] = first
        elif operation == move:
            registers[target] = registers[first]
        elif operation == shift:
            registers[target] = registers[target] << first & 0xFFFFFFFF
        elif operation == xor:
            registers[target] = registers[first] ^ registers[second]
        elif operation == add:
            registers[target] = registers[first] + registers[second] & 0xFFFFFFFF
        else:
            return registers[target]
