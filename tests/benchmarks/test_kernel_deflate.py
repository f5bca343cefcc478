"""The program `deflate`, as it is written in Python: its streams are those of RFC 1951, which zlib reads and writes."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.kernels.python_versions import deflate as program
from benchmarks.kernels.python_versions.deflate import compression, decompression, huffman
from benchmarks.kernels.python_versions.deflate.compression import compress
from benchmarks.kernels.python_versions.deflate.decompression import decompress
from benchmarks.kernels.python_versions.deflate.text import make_text

some_data = st.binary(max_size=400) | st.lists(st.sampled_from([b"abc", b"abab", b"x", b"\0" * 40])).map(b"".join)


def inflate(stream: bytes) -> bytes:
    return zlib.decompress(stream, wbits=-15)


@given(some_data)
def test_what_is_compressed_is_what_zlib_and_the_program_decompress(data: bytes) -> None:
    stream = compress(data)
    assert inflate(stream) == data
    assert decompress(stream, len(data)) == data


@given(some_data, st.integers(0, 9), st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY]))
def test_what_zlib_compresses_is_decompressed(data: bytes, level: int, strategy: int) -> None:
    zlib_stream = zlib.compressobj(level, wbits=-15, strategy=strategy)
    assert decompress(zlib_stream.compress(data) + zlib_stream.flush(), len(data)) == data


def test_blocks_of_all_types_and_long_matches_are_read_by_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            blocks[name] += 1
            return function(*args)

        return count

    monkeypatch.setattr(decompression, "_copy_stored", counted("stored", decompression._copy_stored))
    monkeypatch.setattr(decompression, "_copy_tokens", counted("coded", decompression._copy_tokens))
    monkeypatch.setattr(decompression, "_read_codes", counted("dynamic", decompression._read_codes))
    text = make_text(40_000)
    stream = compress(text)
    assert inflate(stream) == text == decompress(stream, len(text))
    assert len(stream) < len(zlib.compress(text, 1))
    assert blocks["stored"] > 0
    assert blocks["coded"] == blocks["dynamic"] > 1
    assert decompress(compress(text[:10]), 10) == text[:10]
    assert blocks["coded"] == blocks["dynamic"] + 1
    far = make_text(1000) + bytes(40_000) + make_text(2000)
    assert inflate(compress(far)) == far


@given(st.binary(max_size=300), st.integers(0, 5000))
def test_streams_that_are_not_right_are_refused(noise: bytes, length: int) -> None:
    with suppress(ValueError):
        assert len(decompress(noise, length)) == length


@given(st.lists(st.integers(0, 10**6) | st.integers(0, 2), min_size=2, max_size=286), st.sampled_from([9, 15]))
def test_code_lengths_are_those_of_a_code_within_the_limit(frequencies: list[int], limit: int) -> None:
    lengths = huffman.make_lengths(frequencies, limit)
    used = [length for length in lengths if length]
    assert [length > 0 for length in lengths] == [frequency > 0 for frequency in frequencies]
    assert all(length <= limit for length in used)
    # The codes fill the whole tree, but for a single one.
    assert sum(2.0**-length for length in used) == (1 if len(used) > 1 else len(used) / 2)


def test_frequencies_that_grow_fast_do_not_make_codes_too_long() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(sum(fibonacci[-2:]))
    assert max(huffman.make_lengths(fibonacci, 15)) == 15
    assert max(huffman.make_lengths(fibonacci, 40)) == 29


def test_all_lengths_and_distances_are_those_of_their_symbols() -> None:
    for length in range(3, 259):
        symbol, bits, count = huffman.length_part(length)
        assert (decompression.LENGTH_BASES[symbol - 257][0] + bits, count) == (
            length,
            decompression.LENGTH_BASES[symbol - 257][1],
        )
    for distance in range(1, compression.WINDOW + 1):
        symbol, bits, count = huffman.distance_part(distance)
        assert decompression.DISTANCE_BASES[symbol] == (distance - bits, count)


def test_a_program_that_does_not_give_the_same_again_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "decompress", lambda stream, n: bytes(n))
    with pytest.raises(ValueError, match="does not give what was compressed"):
        program.deflate(5)
