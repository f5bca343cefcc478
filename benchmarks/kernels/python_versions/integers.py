"""Arithmetic on integers, and hashes of words."""

from __future__ import annotations

from benchmarks.kernels.python_versions.numbers import MASK32, MASK64, message, random_numbers, signed


def collatz(n: int) -> int:
    """The number up to n that takes the most steps to 1, and (in the upper half) the steps."""
    longest = winner = 0
    for start in range(1, n + 1):
        number, steps = start, 0
        while number != 1:
            number = number * 3 + 1 if number & 1 else number >> 1
            steps += 1
        if steps > longest:
            longest, winner = steps, start
    return longest << 32 | winner


def xorshift(n: int) -> int:
    """The sum of the first n numbers of the generator xorshift64*."""
    state, total, mask = 88172645463325252, 0, MASK64
    for _ in range(n):
        state ^= state >> 12
        state ^= state << 25 & mask
        state ^= state >> 27
        total = total + state * 0x2545F4914F6CDD1D & mask
    return signed(64, total)


def gcd(n: int) -> int:
    """The sum of the greatest common divisors of n pairs of numbers, by Euclid."""
    halves = iter(random_numbers(4 * n, 1))
    total = 0
    for upper, lower, other_upper, other_lower in zip(halves, halves, halves, halves, strict=True):
        a = (upper >> 4 << 32 | lower) + 1
        b = (other_upper >> 4 << 32 | other_lower) + 1
        while b:
            a, b = b, a % b
        total += a
    return signed(64, total)


def crc32(n: int) -> int:
    """The CRC-32 of n bytes, by half bytes."""
    table = []
    for half in range(16):
        remainder = half
        for _ in range(4):
            remainder = remainder >> 1 ^ 0xEDB88320 if remainder & 1 else remainder >> 1
        table.append(remainder)
    crc = MASK32
    for byte in message(n):
        crc ^= byte
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return signed(32, ~crc)


def murmur(n: int) -> int:
    """MurmurHash3 (32 bits) of n words."""
    return signed(32, murmur3(random_numbers(n, 42)))


def murmur3(words: list[int]) -> int:
    """MurmurHash3 (32 bits, not signed) of words, with the seed 0."""
    value, mask = 0, MASK32
    for word in words:
        mixed = word * 0xCC9E2D51 & mask
        value ^= (mixed << 15 | mixed >> 17) * 0x1B873593 & mask
        value = (value << 13 & mask | value >> 19) * 5 + 0xE6546B64 & mask
    value ^= len(words) * 4
    value = (value ^ value >> 16) * 0x85EBCA6B & mask
    value = (value ^ value >> 13) * 0xC2B2AE35 & mask
    return value ^ value >> 16
