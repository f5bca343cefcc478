"""The program `deflate` by hand: compression to DEFLATE (RFC 1951) and decompression, in the same steps as in C."""

from __future__ import annotations

from benchmarks.kernels.python_versions.deflate.compression import compress
from benchmarks.kernels.python_versions.deflate.decompression import decompress
from benchmarks.kernels.python_versions.deflate.text import make_text


def deflate(n: int) -> int:
    """The size of n bytes when they are compressed, and (in the lower half) the Adler-32 of that.

    Raises ValueError if decompression does not give them again.
    """
    text = make_text(n)
    compressed = compress(text)
    if decompress(compressed, n) != text:
        raise ValueError("decompression does not give what was compressed")
    return len(compressed) << 32 | _adler32(compressed)


def _adler32(data: bytes) -> int:
    a, b = 1, 0
    for byte in data:
        a = (a + byte) % 65521
        b = (b + a) % 65521
    return b << 16 | a
