"""The kernels: small programs in the text format beside this file, and the same computations in Python.

Each module exports `run(n: i32)`, where n >= 1. The Python functions do the same operations in the same order, so that
floating-point results agree to the last bit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkError
from conformance.tools import ToolFailedError, ToolMissingError, wasm_tools

RUN = "run"
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: its text module `<name>.wat`, the argument of a run of about 100,000 instructions, its meaning."""

    name: str
    argument: int
    expected: Callable[[int], int | float]
    """The result of `run(n)`, integers signed."""

    def wasm(self) -> bytes:
        """The binary module. Raises BenchmarkError where wasm-tools is not installed."""
        return assemble(FOLDER / f"{self.name}.wat")


def assemble(path: Path) -> bytes:
    """The binary module of a text module. Raises BenchmarkError."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "kernel.wasm"
        try:
            code, errors = wasm_tools(["parse", path, "-o", target])
        except (ToolMissingError, ToolFailedError) as error:
            raise BenchmarkError(str(error)) from error
        if code:
            raise BenchmarkError(f"{path}: {' '.join(errors.split())}")
        return target.read_bytes()


def fib(n: int) -> int:
    """The n-th Fibonacci number, as an i32."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return signed(32, a)


def sieve(n: int) -> int:
    """How many primes are less than n."""
    return sum(all(i % j for j in range(2, int(i**0.5) + 1)) for i in range(2, n))


def crc32(n: int) -> int:
    """The CRC-32 of n bytes."""
    return signed(32, zlib.crc32(bytes((i * 7 + 3) % 256 for i in range(n))))


def matrix(n: int) -> float:
    """The sum of the elements of a product of n by n matrices."""
    a = [[1 / (i + j + 1) for j in range(n)] for i in range(n)]
    b = [[(i - j) + 0.5 for j in range(n)] for i in range(n)]
    total = 0.0
    for i in range(n):
        for j in range(n):
            element = 0.0
            for k in range(n):
                element += a[i][k] * b[k][j]
            total += element
    return total


def copy(n: int) -> int:
    """The sum of the first n multiples of 2**64 divided by the golden ratio, as an i64."""
    return signed(64, sum(i * 0x9E3779B97F4A7C15 for i in range(n)))


def signed(N: int, value: int) -> int:
    """An integer modulo 2**N, in the range from -2**(N - 1) on."""
    value %= 1 << N
    return value - (1 << N) if value >> N - 1 else value


KERNELS = (
    Kernel("fib", 18, fib),
    Kernel("sieve", 3000, sieve),
    Kernel("crc32", 800, crc32),
    Kernel("matrix", 14, matrix),
    Kernel("copy", 2400, copy),
)
