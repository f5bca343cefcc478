"""The kernels as a person writes them in Python, in the form of a subject: no WebAssembly is involved."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.kernels import KERNELS, PROGRAMS, RUN
from benchmarks.subjects.base import HostFunctions, UnableError
from benchmarks.subjects.program import Program


class _Function:
    def __init__(self, function: Callable[[int], int | float]) -> None:
        self._function = function

    def function(self, name: str) -> Callable[[int], int | float]:
        if name != RUN:
            raise UnableError(f"nobody wrote {name} by hand")
        return self._function

    def read(self, addr: int, n: int) -> bytes:
        raise UnableError("there is no memory")

    def write(self, addr: int, data: bytes) -> None:
        raise UnableError("there is no memory")


class ByHand:
    """The kernels by name."""

    def __init__(self) -> None:
        self._functions = {kernel.name: kernel.expected for kernel in (*KERNELS, *PROGRAMS)}

    def compile(self, program: Program) -> Callable[[int], int | float]:
        """The function of the same name."""
        if program.kernel not in self._functions:
            raise UnableError("nobody wrote it by hand in Python")
        return self._functions[program.kernel]

    def instantiate(self, module: Callable[[int], int | float], functions: HostFunctions) -> _Function:
        """The function."""
        return _Function(module)
