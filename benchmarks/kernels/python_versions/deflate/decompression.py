"""Decompression of blocks of all three types."""

from __future__ import annotations

from benchmarks.kernels.python_versions.deflate.huffman import (
    DISTANCES,
    END_OF_BLOCK,
    FAST_BITS,
    FEW_ZEROS,
    FIRST_LENGTH,
    FIXED_DISTANCES,
    FIXED_LITERALS,
    LENGTH_CODES,
    LENGTH_ORDER,
    LITERALS,
    MOST_LENGTH,
    REPEAT,
    Decoder,
)

FAST_MASK = (1 << FAST_BITS) - 1

LENGTH_BASES = (
    *((3 + index, 0) for index in range(8)),
    *((3 + (4 + index % 4 << index // 4 - 1), index // 4 - 1) for index in range(8, 28)),
    (258, 0),
)
DISTANCE_BASES = (
    *((1 + index, 0) for index in range(4)),
    *((1 + (2 + index % 2 << index // 2 - 1), index // 2 - 1) for index in range(4, DISTANCES)),
)
"""By symbol: the least length or distance, and how many bits are added to it."""


class Reader:
    """A stream of bits, after which come zeros."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = self.held = self.count = 0

    def fill(self, count: int) -> int:
        """At least so many bits, which stay where they are."""
        while self.count < count:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.at += 1
            self.held |= byte << self.count
            self.count += 8
        return self.held

    def skip(self, count: int) -> None:
        """Pass over so many of the bits that were filled in. Raises ValueError if they are not in the stream."""
        self.held >>= count
        self.count -= count
        if (self.at - len(self.data)) * 8 > self.count:
            raise ValueError("the stream ends too early")

    def read(self, count: int) -> int:
        """The next bits. Raises ValueError."""
        value = self.fill(count) & (1 << count) - 1
        self.skip(count)
        return value

    def symbol(self, decoder: Decoder) -> int:
        """The next symbol. Raises ValueError."""
        held = self.fill(MOST_LENGTH)
        found = decoder.fast[held & FAST_MASK]
        if found:
            self.skip(found & 15)
            return found >> 4
        bits = first = index = 0
        for length, count in enumerate(decoder.counts[1:], 1):
            bits = bits << 1 | held & 1
            held >>= 1
            if 0 <= bits - first < count:
                self.skip(length)
                return decoder.symbols[index + bits - first]
            index += count
            first = first + count << 1
        raise ValueError("there is no such code")


def decompress(data: bytes, length: int) -> bytes:
    """The bytes of a DEFLATE stream, of which there are exactly `length`. Raises ValueError."""
    reader, result = Reader(data), bytearray()
    is_last = 0
    while not is_last:
        is_last = reader.read(1)
        kind = reader.read(2)
        if kind == 0:
            _copy_stored(reader, result)
        elif kind == 1:
            _copy_tokens(reader, result, Decoder(FIXED_LITERALS), Decoder(FIXED_DISTANCES), length)
        elif kind == 2:
            _copy_tokens(reader, result, *_read_codes(reader), length)
        else:
            raise ValueError("there is no such type of block")
    if len(result) != length:
        raise ValueError("the stream is not as long as it should be")
    return bytes(result)


def _copy_stored(reader: Reader, result: bytearray) -> None:
    reader.skip(reader.count & 7)
    length = reader.read(16)
    if length ^ 0xFFFF != reader.read(16):
        raise ValueError("the length of a block is wrong")
    for _ in range(length):
        result.append(reader.read(8))


def _read_codes(reader: Reader) -> tuple[Decoder, Decoder]:
    literals, distances, codes = reader.read(5) + FIRST_LENGTH, reader.read(5) + 1, reader.read(4) + 4
    if literals > LITERALS or distances > DISTANCES:
        raise ValueError("there are too many symbols")
    lengths = [0] * LENGTH_CODES
    for symbol in LENGTH_ORDER[:codes]:
        lengths[symbol] = reader.read(3)
    lengths = _read_lengths(reader, Decoder(lengths), literals + distances)
    return Decoder(lengths[:literals]), Decoder(lengths[literals:])


def _read_lengths(reader: Reader, decoder: Decoder, count: int) -> list[int]:
    lengths: list[int] = []
    while len(lengths) < count:
        symbol = reader.symbol(decoder)
        if symbol < REPEAT:
            lengths.append(symbol)
        elif symbol == REPEAT:
            if not lengths:
                raise ValueError("nothing can be repeated")
            lengths += lengths[-1:] * (3 + reader.read(2))
        else:
            lengths += [0] * (3 + reader.read(3) if symbol == FEW_ZEROS else 11 + reader.read(7))
    if len(lengths) > count:
        raise ValueError("there are too many code lengths")
    return lengths


def _copy_tokens(reader: Reader, result: bytearray, literals: Decoder, distances: Decoder, most: int) -> None:
    read_symbol, read, append = reader.symbol, reader.read, result.append
    while True:
        symbol = read_symbol(literals)
        if symbol < END_OF_BLOCK:
            append(symbol)
            continue
        if symbol == END_OF_BLOCK:
            return
        if symbol - FIRST_LENGTH >= len(LENGTH_BASES):
            raise ValueError("there is no such length")
        length, count = LENGTH_BASES[symbol - FIRST_LENGTH]
        length += read(count)
        symbol = read_symbol(distances)
        if symbol >= DISTANCES:
            raise ValueError("there is no such distance")
        distance, count = DISTANCE_BASES[symbol]
        begin = len(result) - distance - read(count)
        if begin < 0 or len(result) + length > most:
            raise ValueError("a match is not where there are bytes")
        for at in range(begin, begin + length):
            append(result[at])
