"""What the Python versions share: numbers of 32 and 64 bits, and numbers that look like chance."""

from __future__ import annotations

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF


def signed(N: int, value: int) -> int:
    """An integer modulo 2**N, in the range from -2**(N - 1) on."""
    value &= (1 << N) - 1
    return value - (1 << N) if value >> N - 1 else value


def random_numbers(n: int, seed: int) -> list[int]:
    """The n numbers of 32 bits that `next_random` of kernel.h gives from a seed on."""
    numbers = []
    for _ in range(n):
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        numbers.append(seed)
    return numbers


def message(n: int) -> bytearray:
    """The n bytes that are copied and hashed."""
    return bytearray([i * 7 + 3 & 255 for i in range(n)])


def f32_cell() -> memoryview[float]:
    """A place for one f32: what is stored in it is rounded."""
    return memoryview(bytearray(4)).cast("f")
