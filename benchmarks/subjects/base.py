"""The one form in which a worker sees every subject. Nothing that is imported here is large: peers are measured in
processes with this module in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.errors import BenchmarkError
from benchmarks.subjects.program import Program


class UnableError(BenchmarkError):
    """A subject cannot run a program; the message says why."""


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function for an import: so many i32 in, so many (0 or 1) out; `call` takes and gives them, signed or not."""

    params: int
    results: int
    call: Callable[..., int | None]


HostFunctions = Mapping[tuple[str, str], HostFunction]
"""By module and name of the import."""


class Loaded(Protocol):
    """An instance. `read` and `write` are its memory by address; `function` raises UnableError for no such export."""

    def function(self, name: str) -> Callable[..., Any]: ...
    def read(self, addr: int, n: int) -> bytes: ...
    def write(self, addr: int, data: bytes) -> None: ...


class Subject(Protocol):
    """Something that runs programs. It may raise what it likes; that is reported as its reason."""

    def compile(self, program: Program) -> Any:
        """What it makes of the module before there is an instance."""

    def instantiate(self, module: Any, functions: HostFunctions) -> Loaded:
        """A new instance of what `compile` gave."""
