"""Data that looks like what is compressed: sentences, tables of numbers, and noise."""

from __future__ import annotations

CONSONANTS = b"tnshrdlcmwfgypbvk"
VOWELS = b"eaoiu"
WORDS = 256
MOST_LETTERS = 12


class Source:
    """Where the data comes from."""

    def __init__(self) -> None:
        self.state = 2025
        self.data = bytearray()
        self.words = [self._word() for _ in range(WORDS)]

    def below(self, limit: int) -> int:
        """A number less than `limit`, which is at most 2**16."""
        self.state = state = self.state * 1664525 + 1013904223 & 0xFFFFFFFF
        return (state >> 16) * limit >> 16

    def _word(self) -> bytes:
        below = self.below
        letters = 2 + below(MOST_LETTERS - 2)
        return bytes(
            [VOWELS[below(len(VOWELS))] if i % 2 else CONSONANTS[below(len(CONSONANTS))] for i in range(letters)]
        )

    def put_sentence(self) -> None:
        """Words, some of which occur far more often than others."""
        data, words, below = self.data, self.words, self.below
        begin = len(data)
        for _ in range(4 + below(12)):
            data += words[below(WORDS) * below(WORDS) >> 8]
            data.append(32)
        data[begin] -= 32
        data[-1] = 46
        data.append(10)

    def put_records(self) -> None:
        """Records of which little changes from one to the next."""
        records, key, value = 8 + self.below(32), self.below(65536), 0
        for _ in range(records):
            key += 1 + self.below(3)
            value += self.below(16)
            self.data += key.to_bytes(4, "little")
            self.data += bytes((value & 255, 0, 0, 0, 7, 0, 0, 0))

    def put_noise(self) -> None:
        """What cannot be compressed."""
        below, append = self.below, self.data.append
        for _ in range(6000 + below(6000)):
            append(below(256))


def make_text(n: int) -> bytes:
    """The first n bytes of a source."""
    source = Source()
    data = source.data
    while len(data) < n:
        kind = source.below(256)
        if kind == 0:
            source.put_noise()
        elif kind < 20:
            source.put_records()
        else:
            source.put_sentence()
    return bytes(data[:n])
