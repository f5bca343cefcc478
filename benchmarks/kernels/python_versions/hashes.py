"""SHA-256 and SHA-512."""

from __future__ import annotations

from math import isqrt

from benchmarks.kernels.python_versions.numbers import MASK32, MASK64, message, signed


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(number: int) -> int:
    root = 1 << number.bit_length() // 3 + 1
    while (better := (2 * root + number // (root * root)) // 3) < root:
        root = better
    return root


START_512 = tuple(isqrt(prime << 128) & MASK64 for prime in _primes(8))
"""The fractions of square roots of primes, in 64 bits: the hash to begin with."""

ROUNDS_512 = tuple(_cube_root(prime << 192) & MASK64 for prime in _primes(80))
"""The fractions of cube roots of primes, in 64 bits: a constant for each round."""

START_256 = tuple(root >> 32 for root in START_512)
ROUNDS_256 = tuple(root >> 32 for root in ROUNDS_512[:64])


def _blocks(n: int, size: int, tail: int) -> list[bytearray]:
    """The message with its padding, in blocks; `tail` bytes are for the mark and the length in bits."""
    padded = message(n)
    padded.append(0x80)
    padded += bytes(-(n + tail) % size + tail - 9) + (n * 8).to_bytes(8, "big")
    return [padded[at : at + size] for at in range(0, len(padded), size)]


def sha256(n: int) -> int:
    """The first 32 bits of the SHA-256 of n bytes."""
    state = START_256
    for block in _blocks(n, 64, 9):
        state = _rounds_256(state, _schedule_256(block))
    return signed(32, state[0])


def _schedule_256(block: bytearray) -> list[int]:
    words = [block[i] << 24 | block[i + 1] << 16 | block[i + 2] << 8 | block[i + 3] for i in range(0, 64, 4)]
    for i in range(16, 64):
        # Twice the word in a row: shifted, its lower half is the word rotated. What is above that is masked last.
        x, y = words[i - 15], words[i - 2]
        xx, yy = x * 0x100000001, y * 0x100000001
        words.append(
            words[i - 16] + words[i - 7] + (xx >> 7 ^ xx >> 18 ^ x >> 3) + (yy >> 17 ^ yy >> 19 ^ y >> 10) & 0xFFFFFFFF
        )
    return words


def _rounds_256(state: tuple[int, ...], words: list[int]) -> tuple[int, ...]:
    a, b, c, d, e, f, g, h = state
    mask = MASK32
    for constant, word in zip(ROUNDS_256, words, strict=True):
        ee, aa = e * 0x100000001, a * 0x100000001
        first = h + (ee >> 6 ^ ee >> 11 ^ ee >> 25) + (g ^ e & (f ^ g)) + constant + word
        second = (aa >> 2 ^ aa >> 13 ^ aa >> 22) + (a & b | c & (a | b))
        h, g, f, e = g, f, e, d + first & mask
        d, c, b, a = c, b, a, first + second & mask
    return tuple([old + new & mask for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)])


def sha512(n: int) -> int:
    """The first 64 bits of the SHA-512 of n bytes."""
    state = START_512
    for block in _blocks(n, 128, 17):
        state = _rounds_512(state, _schedule_512(block))
    return signed(64, state[0])


def _schedule_512(block: bytearray) -> list[int]:
    words = []
    for at in range(0, 128, 8):
        word = 0
        for byte in block[at : at + 8]:
            word = word << 8 | byte
        words.append(word)
    for i in range(16, 80):
        x, y = words[i - 15], words[i - 2]
        xx, yy = x | x << 64, y | y << 64
        words.append(
            words[i - 16] + words[i - 7] + (xx >> 1 ^ xx >> 8 ^ x >> 7) + (yy >> 19 ^ yy >> 61 ^ y >> 6)
            & 0xFFFFFFFFFFFFFFFF
        )
    return words


def _rounds_512(state: tuple[int, ...], words: list[int]) -> tuple[int, ...]:
    a, b, c, d, e, f, g, h = state
    mask = MASK64
    for constant, word in zip(ROUNDS_512, words, strict=True):
        ee, aa = e | e << 64, a | a << 64
        first = h + (ee >> 14 ^ ee >> 18 ^ ee >> 41) + (g ^ e & (f ^ g)) + constant + word
        second = (aa >> 28 ^ aa >> 34 ^ aa >> 39) + (a & b | c & (a | b))
        h, g, f, e = g, f, e, d + first & mask
        d, c, b, a = c, b, a, first + second & mask
    return tuple([old + new & mask for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)])
