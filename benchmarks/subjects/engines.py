"""The engines of this project in the form of a subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from benchmarks.subjects.base import HostFunctions, UnableError
from benchmarks.subjects.program import Program
from interp.engine import Func, Instance, Limits, Memory, Module, load_engine

MEMORY = "memory"


class _Loaded:
    def __init__(self, instance: Instance) -> None:
        self._exports = instance.exports

    def function(self, name: str) -> Callable[..., Any]:
        export = self._exports.get(name)
        if not isinstance(export, Func):
            raise UnableError(f"no function is exported as {name!r}")
        return export

    def read(self, addr: int, n: int) -> bytes:
        return cast(Memory, self._exports[MEMORY]).read(addr, n)

    def write(self, addr: int, data: bytes) -> None:
        cast(Memory, self._exports[MEMORY]).write(addr, data)


class OurEngine:
    """An engine by its name, within limits (keyword arguments of `Limits`)."""

    def __init__(self, engine: str, limits: dict[str, Any] | None = None) -> None:
        self._engine = load_engine(engine)
        self._limits = Limits(**limits or {})

    def compile(self, program: Program) -> Module:
        """Decode and validate."""
        return self._engine.compile(program.wasm)

    def instantiate(self, module: Module, functions: HostFunctions) -> _Loaded:
        """A new instance in a store of its own."""
        store = self._engine.store(self._limits)
        externs = []
        for wanted in module.imports:
            function = functions.get((wanted.module, wanted.name))
            if function is None:
                raise UnableError(f"nobody serves the import {wanted.module}.{wanted.name}")
            externs.append(store.func_alloc(cast(Any, wanted.type), function.call))
        return _Loaded(store.instantiate(module, externs))
