"""Huffman codes as DEFLATE has them: given by the lengths of the codes of all symbols."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

END_OF_BLOCK = 256
FIRST_LENGTH = 257
LITERALS = 286
DISTANCES = 30
LENGTH_CODES = 19
MOST_LENGTH = 15
FAST_BITS = 9

REPEAT, FEW_ZEROS, MANY_ZEROS = 16, 17, 18
"""In code lengths: the one before again 3 to 6 times; 3 to 10 zeros; 11 to 138 zeros."""

LENGTH_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
"""In which order the lengths of the code for code lengths are written."""


def make_lengths(frequencies: list[int], limit: int) -> list[int]:
    """The lengths, none greater than `limit`, of a code for symbols that occur so often; 0: the symbol has no code."""
    weights = frequencies
    while max(lengths := _lengths_by_tree(weights)) > limit:
        weights = [(weight + 1) // 2 for weight in weights]
    return lengths


def _lengths_by_tree(weights: list[int]) -> list[int]:
    lengths = [0] * len(weights)
    heap = [(weight, symbol) for symbol, weight in enumerate(weights) if weight]
    if len(heap) < 2:
        for _, symbol in heap:
            lengths[symbol] = 1
        return lengths
    heapify(heap)
    node = len(weights)
    parents: dict[int, int] = {}
    while len(heap) > 1:
        weight, a = heappop(heap)
        other, b = heappop(heap)
        parents[a] = parents[b] = node
        heappush(heap, (weight + other, node))
        node += 1
    depths = {node - 1: 0}
    for child in sorted(parents, reverse=True):
        depths[child] = depth = depths[parents[child]] + 1
        if child < len(lengths):
            lengths[child] = depth
    return lengths


def make_bits(lengths: list[int]) -> list[int]:
    """The codes that follow from the lengths, the first bit lowest."""
    counts = [0] * (MOST_LENGTH + 1)
    for length in lengths:
        counts[length] += 1
    counts[0] = 0
    following, bits = [0], 0
    for count in counts[:-1]:
        bits = bits + count << 1
        following.append(bits)
    codes = []
    for length in lengths:
        code = following[length]
        following[length] += 1
        reverse = 0
        for _ in range(length):
            reverse = reverse << 1 | code & 1
            code >>= 1
        codes.append(reverse)
    return codes


class Decoder:
    """What symbols are read with: `fast` has by the next bits symbol * 16 + length, or 0 if the code is longer."""

    def __init__(self, lengths: list[int]) -> None:
        """Raises ValueError if there are more codes than there can be."""
        self.counts = counts = [0] * (MOST_LENGTH + 1)
        for length in lengths:
            counts[length] += 1
        counts[0] = 0
        left, offset, offsets = 1, 0, [0]
        for count in counts[1:]:
            left = left * 2 - count
            if left < 0:
                raise ValueError("there are too many codes")
            offsets.append(offset)
            offset += count
        self.symbols = [0] * offset
        self.fast = fast = [0] * (1 << FAST_BITS)
        for symbol, (length, bits) in enumerate(zip(lengths, make_bits(lengths), strict=True)):
            if length:
                self.symbols[offsets[length]] = symbol
                offsets[length] += 1
            if 0 < length <= FAST_BITS:
                for at in range(bits, 1 << FAST_BITS, 1 << length):
                    fast[at] = symbol << 4 | length


FIXED_LITERALS = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
FIXED_DISTANCES = [5] * 32
"""The lengths of the codes that need not be written."""


def length_part(length: int) -> tuple[int, int, int]:
    """The symbol of a length, the bits behind it, and how many these are."""
    x = length - 3
    if x < 8:
        return FIRST_LENGTH + x, 0, 0
    if length == 258:
        return 285, 0, 0
    count = x.bit_length() - 3
    return FIRST_LENGTH + 4 * count + (x >> count), x & (1 << count) - 1, count


def distance_part(distance: int) -> tuple[int, int, int]:
    """The symbol of a distance, the bits behind it, and how many these are."""
    x = distance - 1
    if x < 4:
        return x, 0, 0
    count = x.bit_length() - 2
    return 2 * count + (x >> count), x & (1 << count) - 1, count
