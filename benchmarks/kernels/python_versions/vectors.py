"""What C does with vectors; Python has none, so it takes one number after the other."""

from __future__ import annotations

from benchmarks.kernels.python_versions.numbers import f32_cell, random_numbers, signed


def dot(n: int) -> int:
    """The inner product of two vectors of n numbers of 16 bits."""
    numbers = iter([(number >> 16) - (number >> 31 << 16) for number in random_numbers(2 * n, 1)])
    total = 0
    for a, b in zip(numbers, numbers, strict=True):
        total += a * b
    return signed(32, total)


def count(n: int) -> int:
    """How many words are in a text of n letters and spaces."""
    text = bytearray()
    for number in random_numbers(n, 1):
        letter = number >> 24
        text.append(32 if letter < 48 else 97 + letter % 26)
    words, before = 0, 32
    for letter in text:
        if letter != 32 and before == 32:
            words += 1
        before = letter
    return words


def julia(n: int) -> int:
    """How many steps all points of an n by n grid take, n rounded up to a multiple of 4."""
    n = (n + 3) // 4 * 4
    cell = f32_cell()
    cell[0] = 3 / n
    width = cell[0]
    places = []
    for i in range(n):
        cell[0] = i * width
        cell[0] -= 1.5
        places.append(cell[0])
    return sum([_steps(x, y) for y in places for x in places])


def _steps(x: float, y: float) -> int:
    cell = f32_cell()
    cell[0] = -0.8
    a = cell[0]
    cell[0] = 0.156
    b = cell[0]
    for steps in range(50):
        cell[0] = x * x
        xx = cell[0]
        cell[0] = y * y
        yy = cell[0]
        cell[0] = xx + yy
        if cell[0] > 4:
            return steps
        cell[0] = x * y
        cell[0] = 2 * cell[0] + b
        y = cell[0]
        cell[0] = xx - yy
        cell[0] += a
        x = cell[0]
    return 50
