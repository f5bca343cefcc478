"""Compression: bytes become literals and matches, these blocks of the type that takes the fewest bits."""

from __future__ import annotations

from benchmarks.kernels.python_versions.deflate.huffman import (
    DISTANCES,
    END_OF_BLOCK,
    FEW_ZEROS,
    FIRST_LENGTH,
    FIXED_DISTANCES,
    FIXED_LITERALS,
    LENGTH_CODES,
    LENGTH_ORDER,
    LITERALS,
    MANY_ZEROS,
    REPEAT,
    distance_part,
    length_part,
    make_bits,
    make_lengths,
)

LEAST_MATCH, MOST_MATCH = 3, 258
WINDOW = 32768
HASH_BITS = 12
MOST_TRIES = 24
BLOCK_TOKENS = 4096
MOST_STORED = 65535
LAZY = 32
"""A match that is as long as this is taken, without a look at the next place."""

LENGTH_PARTS = [(0, 0, 0)] * LEAST_MATCH + [length_part(length) for length in range(LEAST_MATCH, MOST_MATCH + 1)]
EXTRA_BITS = {REPEAT: 2, FEW_ZEROS: 3, MANY_ZEROS: 7}

Match = tuple[int, int]
"""Length and distance; length 0: none."""
NO_MATCH = (0, 0)


class Writer:
    """A stream of bits; in a byte the lowest bit comes first."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.held = self.count = 0

    def write(self, value: int, count: int) -> None:
        """Append the `count` lowest bits of a value that has no others."""
        held, count = self.held | value << self.count, self.count + count
        while count >= 8:
            self.data.append(held & 255)
            held >>= 8
            count -= 8
        self.held, self.count = held, count

    def align(self) -> None:
        """Fill the last byte with zeros."""
        if self.count:
            self.write(0, 8 - self.count)


class Matcher:
    """Where bytes occurred before: places in chains, one for each hash of three bytes, the last place first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.heads = [-1] * (1 << HASH_BITS)
        self.previous = [-1] * WINDOW
        self.hashes = [
            ((a | b << 8 | c << 16) * 2654435761 & 0xFFFFFFFF) >> 32 - HASH_BITS
            for a, b, c in zip(data, data[1:], data[2:], strict=False)
        ]

    def find(self, at: int) -> Match:
        """The longest of some matches of what begins at a place; of matches alike, the nearest."""
        data, previous = self.data, self.previous
        most = min(len(data) - at, MOST_MATCH)
        best = NO_MATCH
        if most < LEAST_MATCH:
            return best
        best_length = LEAST_MATCH - 1
        place = self.heads[self.hashes[at]]
        for _ in range(MOST_TRIES):
            if place < 0 or at - place > WINDOW:
                break
            # Here a match of all bytes has ended the search, so there is one more byte.
            if data[place + best_length] == data[at + best_length]:
                length = 0
                while length < most and data[place + length] == data[at + length]:
                    length += 1
                if length > best_length:
                    best_length = length
                    best = length, at - place
                    if length == most:
                        break
            place = previous[place % WINDOW]
        return best

    def insert(self, at: int) -> None:
        """Make a place one that can be found."""
        if at < len(self.hashes):
            value = self.hashes[at]
            self.previous[at % WINDOW] = self.heads[value]
            self.heads[value] = at


class Block:
    """The tokens of a block: bytes, and matches as length * 65536 + distance."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.literal_counts = [0] * LITERALS
        self.literal_counts[END_OF_BLOCK] = 1
        self.distance_counts = [0] * DISTANCES
        self.extra_bits = 0

    def add_literal(self, byte: int) -> None:
        """Add a byte."""
        self.literal_counts[byte] += 1
        self.tokens.append(byte)

    def add_match(self, match: Match) -> None:
        """Add a match."""
        length, distance = match
        length_symbol, _, length_bits = LENGTH_PARTS[length]
        distance_symbol, _, distance_bits = distance_part(distance)
        self.literal_counts[length_symbol] += 1
        self.distance_counts[distance_symbol] += 1
        self.extra_bits += length_bits + distance_bits
        self.tokens.append(length << 16 | distance)

    def bits(self, literals: list[int], distances: list[int]) -> int:
        """The bits of all tokens, with codes of these lengths."""
        total = self.extra_bits
        for count, length in zip(self.literal_counts, literals, strict=False):
            total += count * length
        for count, length in zip(self.distance_counts, distances, strict=False):
            total += count * length
        return total

    def write(self, writer: Writer, data: bytes, is_last: bool) -> None:
        """Write the block, which stands for the data."""
        literals = make_lengths(self.literal_counts, 15)
        distances = make_lengths(self.distance_counts, 15)
        header = Header(literals, distances)
        fixed = self.bits(FIXED_LITERALS, FIXED_DISTANCES)
        dynamic = header.bits + self.bits(literals, distances)
        stored = 8 * len(data) + 32 + 7
        writer.write(is_last, 1)
        if len(data) <= MOST_STORED and stored <= fixed and stored <= dynamic:
            writer.write(0, 2)
            _write_stored(writer, data)
        elif fixed <= dynamic:
            writer.write(1, 2)
            self._write_tokens(writer, FIXED_LITERALS, FIXED_DISTANCES)
        else:
            writer.write(2, 2)
            header.write(writer)
            self._write_tokens(writer, literals, distances)

    def _write_tokens(self, writer: Writer, literals: list[int], distances: list[int]) -> None:
        write = writer.write
        literal_bits, distance_bits = make_bits(literals), make_bits(distances)
        for token in self.tokens:
            if token > 0xFFFF:
                symbol, bits, count = LENGTH_PARTS[token >> 16]
                write(literal_bits[symbol], literals[symbol])
                write(bits, count)
                symbol, bits, count = distance_part(token & 0xFFFF)
                write(distance_bits[symbol], distances[symbol])
                write(bits, count)
            else:
                write(literal_bits[token], literals[token])
        write(literal_bits[END_OF_BLOCK], literals[END_OF_BLOCK])


def _write_stored(writer: Writer, data: bytes) -> None:
    writer.align()
    writer.write(len(data), 16)
    writer.write(len(data) ^ 0xFFFF, 16)
    writer.data += data


class Header:
    """Code lengths as they are written: symbols of their own code, each with its bits."""

    def __init__(self, literals: list[int], distances: list[int]) -> None:
        self.literals = _used(literals, FIRST_LENGTH)
        self.distances = _used(distances, 1)
        self.items: list[tuple[int, int]] = []
        self._add(literals[: self.literals])
        self._add(distances[: self.distances])
        counts = [0] * LENGTH_CODES
        for symbol, _ in self.items:
            counts[symbol] += 1
        self.lengths = make_lengths(counts, 7)
        self.codes = _used([self.lengths[symbol] for symbol in LENGTH_ORDER], 4)
        self.bits = 5 + 5 + 4 + 3 * self.codes
        for symbol, count in enumerate(counts):
            self.bits += count * (self.lengths[symbol] + EXTRA_BITS.get(symbol, 0))

    def _add(self, lengths: list[int]) -> None:
        add, at = self.items.append, 0
        while at < len(lengths):
            length, run = lengths[at], 1
            most = min(len(lengths) - at, 7 if length else 138)
            while run < most and lengths[at + run] == length:
                run += 1
            if length and run >= 4:
                add((length, 0))
                add((REPEAT, run - 4))
            elif not length and run >= 11:
                add((MANY_ZEROS, run - 11))
            elif not length and run >= 3:
                add((FEW_ZEROS, run - 3))
            else:
                run = 1
                add((length, 0))
            at += run

    def write(self, writer: Writer) -> None:
        """Write the header."""
        writer.write(self.literals - FIRST_LENGTH, 5)
        writer.write(self.distances - 1, 5)
        writer.write(self.codes - 4, 4)
        for symbol in LENGTH_ORDER[: self.codes]:
            writer.write(self.lengths[symbol], 3)
        bits = make_bits(self.lengths)
        for symbol, extra in self.items:
            writer.write(bits[symbol], self.lengths[symbol])
            writer.write(extra, EXTRA_BITS.get(symbol, 0))


def _used(lengths: list[int], least: int) -> int:
    count = len(lengths)
    while count > least and not lengths[count - 1]:
        count -= 1
    return count


def compress(data: bytes) -> bytes:
    """The data as a DEFLATE stream."""
    writer, matcher, block = Writer(), Matcher(data), Block()
    find, insert = matcher.find, matcher.insert
    length, at, begin = len(data), 0, 0
    match = find(0)
    while at < length:
        insert(at)
        following = find(at + 1) if match[0] < LAZY else NO_MATCH
        if match[0] and match[0] >= following[0]:
            block.add_match(match)
            for place in range(at + 1, at + match[0]):
                insert(place)
            at += match[0]
            following = find(at)
        else:
            block.add_literal(data[at])
            at += 1
        match = following
        if len(block.tokens) == BLOCK_TOKENS and at < length:
            block.write(writer, data[begin:at], is_last=False)
            block, begin = Block(), at
    block.write(writer, data[begin:], is_last=True)
    writer.align()
    return bytes(writer.data)
