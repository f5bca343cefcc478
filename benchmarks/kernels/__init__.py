"""The kernels: small programs in C in the folder `src`, the modules that `build.py` makes of them in `wasm`, and the
same work by hand in Python.

Each module exports `run(n: i32)`, where n >= 1, imports nothing, and gives the same when it is called again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.kernels.python_versions import calls, floats, hashes, integers, tables, vectors
from benchmarks.kernels.python_versions.deflate import deflate
from interp.syntax.features import BULK_MEMORY, CORE, SIMD

RUN = "run"
FOLDER = Path(__file__).parent / "wasm"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: the module `wasm/<name>.wasm`, its meaning, and arguments for runs of three lengths."""

    name: str
    argument: int
    """For a run of about 100,000 instructions."""
    short_argument: int
    """For a run of about 10,000 instructions, on slow interpreters."""
    expected: Callable[[int], int | float]
    """The same work by hand in Python; it gives the result of `run(n)`, integers signed."""
    long_argument: int = 0
    """For a run that takes the Python version about a tenth of a second; 0 if there is none."""
    features: frozenset[str] = frozenset()
    """What the module uses beyond version 1.0, in the words of `interp.syntax.features`."""

    @property
    def path(self) -> Path:
        """The file of the module."""
        return FOLDER / f"{self.name}.wasm"

    @property
    def needs(self) -> str:
        """The features as `interp.engine.load_engine` takes them: `1.0` if there are none."""
        return ",".join(sorted(self.features)) or CORE

    def wasm(self) -> bytes:
        """The binary module. Raises BenchmarkError if its file cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise BenchmarkError(f"the kernel {self.name} cannot be read: {error}") from error


KERNELS = (
    Kernel("fib", 18, 14, calls.fib, 29),
    Kernel("tak", 14, 10, calls.tak, 23),
    Kernel("dispatch", 4400, 430, calls.dispatch, 400_000),
    Kernel("interpreter", 120, 19, calls.interpreter, 12_000),
    Kernel("collatz", 125, 29, integers.collatz, 20_000),
    Kernel("xorshift", 4400, 440, integers.xorshift, 300_000),
    Kernel("gcd", 210, 21, integers.gcd, 40_000),
    Kernel("crc32", 2500, 220, integers.crc32, 300_000),
    Kernel("murmur", 2300, 230, integers.murmur, 200_000),
    Kernel("sha256", 700, 40, hashes.sha256, 80_000),
    Kernel("sha512", 1000, 1, hashes.sha512, 80_000),
    Kernel("sieve", 2800, 300, tables.sieve, 700_000),
    Kernel("copy", 2300, 230, tables.copy, 400_000),
    Kernel("bulk", 1400, 140, tables.bulk, 75_000, frozenset({BULK_MEMORY})),
    Kernel("quicksort", 400, 50, tables.quicksort, 55_000),
    Kernel("hashtable", 1000, 110, tables.hashtable, 150_000),
    Kernel("trees", 490, 65, tables.trees, 35_000),
    Kernel("levenshtein", 47, 15, tables.levenshtein, 1000),
    Kernel("matrix", 16, 7, floats.matrix, 90),
    Kernel("nbody", 69, 6, floats.nbody, 18_000),
    Kernel("mandelbrot", 13, 4, floats.mandelbrot, 200),
    Kernel("dot", 3200, 310, vectors.dot, 200_000, frozenset({SIMD})),
    Kernel("count", 3400, 340, vectors.count, 400_000, frozenset({SIMD})),
    Kernel("julia", 20, 4, vectors.julia, 120, frozenset({SIMD})),
)

PROGRAMS = (Kernel("deflate", 1000, 100, deflate, 25_000),)
"""Larger programs of several files, in the same form: even their short runs take some 400,000 instructions."""
