"""Memory: bytes, arrays, tables and trees."""

from __future__ import annotations

from typing import Any

from benchmarks.kernels.python_versions.numbers import message, random_numbers, signed


def sieve(n: int) -> int:
    """How many primes are less than n."""
    composite = bytearray(n)
    primes = 0
    for i in range(2, n):
        if not composite[i]:
            primes += 1
            for j in range(i * i, n, i):
                composite[j] = 1
    return primes


def copy(n: int) -> int:
    """The sum of n bytes, each times its place, that were copied and reversed."""
    source, target = message(n), bytearray(n)
    for i in range(n):
        target[i] = source[i]
    for i in range(n):
        source[i] = target[n - 1 - i]
    total = 0
    for i in range(n):
        total += (i + 1) * source[i]
    return signed(32, total)


def bulk(n: int) -> int:
    """A mixture of n bytes of a memory in which areas are filled and moved."""
    size, area = 65536, 4096
    memory = bytearray(size)
    seed, total = 3, 0
    for i in range(n):
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        place = (seed >> 8) % (size - 2 * area)
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        length = (seed >> 8) % area
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        target = place + (seed >> 8) % area
        memory[place : place + length] = bytes([i + 1 & 255]) * length
        memory[target : target + length] = memory[place : place + length]
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        total = total * 31 + memory[(seed >> 8) % size] & 0xFFFFFFFF
    return signed(32, total)


def quicksort(n: int) -> int:
    """The sum of n sorted numbers, each times its place."""
    numbers = [number - (number >> 31 << 32) for number in random_numbers(n, 42)]
    _sort(numbers, 0, n - 1)
    total = 0
    for place, number in enumerate(numbers, 1):
        total += place * number
    return signed(32, total)


def _sort(numbers: list[int], first: int, last: int) -> None:
    while first < last:
        pivot = numbers[first + last >> 1]
        low, high = first, last
        while low <= high:
            while numbers[low] < pivot:
                low += 1
            while numbers[high] > pivot:
                high -= 1
            if low <= high:
                numbers[low], numbers[high] = numbers[high], numbers[low]
                low += 1
                high -= 1
        _sort(numbers, first, high)
        first = low


def hashtable(n: int) -> int:
    """The sum of the different ones of n words, each times the square of its count."""
    size = 1
    while size < n:
        size <<= 1
    keys, counts = [0] * size, [0] * size
    mask, different = size - 1, n // 2 + 1
    seed = 1
    for _ in range(n):
        seed = seed * 1664525 + 1013904223 & 0xFFFFFFFF
        key = (seed >> 8) % different * 8 + 5
        at = (key * 2654435769 & 0xFFFFFFFF) >> 14 & mask
        while (found := keys[at]) and found != key:
            at = at + 1 & mask
        keys[at] = key
        counts[at] += 1
    total = 0
    for key, count in zip(keys, counts, strict=True):
        total += key * count * count
    return signed(64, total)


Node = list[Any]
"""Key, left and right node or None."""


def trees(n: int) -> int:
    """The sum of n keys of a search tree, each times its place in their order."""
    first, *keys = random_numbers(n, 7)
    root: Node = [first, None, None]
    for key in keys:
        node = root
        while node is not None:
            parent, side = node, 1 if key < node[0] else 2
            node = node[side]
        parent[side] = [key, None, None]
    return signed(64, _add_up(root, 0)[1])


def _add_up(node: Node | None, place: int) -> tuple[int, int]:
    """The place of the last key, counted from the last one before this tree, and the sum of the tree."""
    total = 0
    while node is not None:
        key, left, right = node
        if left is not None:
            place, part = _add_up(left, place)
            total += part
        place += 1
        total += key * place
        node = right
    return place, total


def levenshtein(n: int) -> int:
    """The edit distance of two texts of n letters."""
    first, second = ([97 + (number >> 24) % 8 for number in random_numbers(n, seed)] for seed in (1, 2))
    row = list(range(n + 1))
    for i, letter in enumerate(first):
        diagonal, left = i, i + 1
        row[0] = left
        for j, other in enumerate(second, 1):
            above = row[j]
            least = diagonal if letter == other else diagonal + 1
            if above < least:
                least = above + 1
            if left < least:
                least = left + 1
            diagonal = above
            row[j] = left = least
    return row[n]
