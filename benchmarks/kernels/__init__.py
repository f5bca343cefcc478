"""The kernels: small programs of WebAssembly 1.0 in the text format beside this file, with what they must give.

Each module exports `run(n: i32)`, where n >= 1; called again, it gives the same again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkError
from benchmarks.kernels import expected
from conformance.tools import ToolFailedError, ToolMissingError, wasm_tools

RUN = "run"
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: its text module `<name>.wat`, the arguments of a run of about 100,000 instructions and of a short one
    of about 10,000, which is for slow interpreters, and its meaning."""

    name: str
    argument: int
    short_argument: int
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


KERNELS = (
    Kernel("fib", 18, 14, expected.fib),
    Kernel("ackermann", 65, 20, expected.ackermann),
    Kernel("dispatch", 5000, 400, expected.dispatch),
    Kernel("interpreter", 25, 7, expected.interpreter),
    Kernel("sieve", 3000, 300, expected.sieve),
    Kernel("search", 1500, 150, expected.search),
    Kernel("quicksort", 440, 55, expected.quicksort),
    Kernel("trees", 10, 7, expected.trees),
    Kernel("copy", 2400, 240, expected.copy),
    Kernel("crc32", 600, 60, expected.crc32),
    Kernel("sha512", 800, 80, expected.sha512),
    Kernel("matrix", 14, 7, expected.matrix),
    Kernel("nbody", 70, 7, expected.nbody),
    Kernel("mandelbrot", 12, 4, expected.mandelbrot),
)
