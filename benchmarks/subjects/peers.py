"""Other implementations of WebAssembly for Python, each in the form of a subject.

What they are called with is what their own documentation shows; nothing of them is changed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.subjects.base import HostFunction, HostFunctions, UnableError
from benchmarks.subjects.program import Program

MEMORY = "memory"
"""The export that waPC guests and kernels have their memory under."""

WASM3_STACK_BYTES = 8 * 2**20


class _PwasmInstance:
    def __init__(self, instance: Any) -> None:
        self._exports = instance.exports

    def function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self._exports, name)
        return function

    def read(self, addr: int, n: int) -> bytes:
        data: bytes = getattr(self._exports, MEMORY).read(addr, n)
        return data

    def write(self, addr: int, data: bytes) -> None:
        getattr(self._exports, MEMORY).write(addr, data)


class Pwasm:
    """pwasm, which interprets the first calls of a function and then translates it to Python, or translates it before
    its first call (`mode` "compile")."""

    def __init__(self, mode: str | None = None) -> None:
        self._pwasm = import_module("pwasm")
        self._mode = mode

    def compile(self, program: Program) -> Any:
        """Decode; pwasm does not validate."""
        return self._pwasm.decode_module(program.wasm)

    def instantiate(self, module: Any, functions: HostFunctions) -> _PwasmInstance:
        """A new instance."""
        imports: dict[str, dict[str, Callable[..., int | None]]] = {}
        for (module_name, name), function in functions.items():
            imports.setdefault(module_name, {})[name] = function.call
        return _PwasmInstance(self._pwasm.instantiate(module, imports, mode=self._mode))


class _PywasmInstance:
    def __init__(self, runtime: Any, instance: Any) -> None:
        self._runtime, self._instance = runtime, instance

    def function(self, name: str) -> Callable[..., Any]:
        def call(*args: int | float) -> object:
            results = self._runtime.invocate(self._instance, name, list(args))
            return results[0] if len(results) == 1 else tuple(results) or None

        return call

    def read(self, addr: int, n: int) -> bytes:
        return bytes(self._memory()[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        self._memory()[addr : addr + len(data)] = data

    def _memory(self) -> bytearray:
        data: bytearray = self._runtime.exported_memory(self._instance, MEMORY).data
        return data


class Pywasm:
    """pywasm, an interpreter in Python."""

    def __init__(self) -> None:
        self._core = import_module("pywasm.core")

    def compile(self, program: Program) -> Any:
        """Decode; pywasm does not validate."""
        return self._core.ModuleDesc.from_reader(io.BytesIO(program.wasm))

    def instantiate(self, module: Any, functions: HostFunctions) -> _PywasmInstance:
        """A new instance in a runtime of its own."""
        runtime = self._core.Runtime()
        i32 = self._core.ValType.i32()
        for (module_name, name), function in functions.items():
            functype = self._core.FuncType([i32] * function.params, [i32] * function.results)
            host = runtime.allocate_func_host(functype, _pywasm_host(function))
            runtime.imports.setdefault(module_name, {})[name] = host
        return _PywasmInstance(runtime, runtime.instance(module))


def _pywasm_host(function: HostFunction) -> Callable[[object, list[int]], list[int | None]]:
    def call(_: object, args: list[int]) -> list[int | None]:
        result = function.call(*args)
        return [result] if function.results else []

    return call


class _PpciInstance:
    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._instance.exports[name]
        return function

    def read(self, addr: int, n: int) -> bytes:
        return bytes(self._instance.exports[MEMORY].read(addr, n))

    def write(self, addr: int, data: bytes) -> None:
        self._instance.exports[MEMORY].write(addr, data)


class Ppci:
    """ppci, which translates WebAssembly 1.0 to its intermediate code and this to Python."""

    def __init__(self) -> None:
        self._wasm = import_module("ppci.wasm")

    def compile(self, program: Program) -> Any:
        """Decode; ppci does not validate."""
        return self._wasm.Module(program.wasm)

    def instantiate(self, module: Any, functions: HostFunctions) -> _PpciInstance:
        """A new instance; this is where the whole module is translated."""
        imports: dict[str, dict[str, Callable[..., int | None]]] = {}
        for (module_name, name), function in functions.items():
            imports.setdefault(module_name, {})[name] = function.call
        return _PpciInstance(self._wasm.instantiate(module, imports, target="python"))


class _Wasm3Instance:
    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime

    def function(self, name: str) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = self._runtime.find_function(name)
        except RuntimeError as error:
            raise UnableError(f"{name}: {error}") from error
        return function

    def read(self, addr: int, n: int) -> bytes:
        return bytes(self._runtime.get_memory(0)[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        self._runtime.get_memory(0)[addr : addr + len(data)] = data


class Wasm3:
    """wasm3, an interpreter in C."""

    def __init__(self) -> None:
        self._environment = import_module("wasm3").Environment()

    def compile(self, program: Program) -> Any:
        """Decode. A module can be loaded into one runtime only."""
        return self._environment.parse_module(program.wasm)

    def instantiate(self, module: Any, functions: HostFunctions) -> _Wasm3Instance:
        """A new instance in a runtime of its own."""
        runtime = self._environment.new_runtime(WASM3_STACK_BYTES)
        runtime.load(module)
        for (module_name, name), function in functions.items():
            signature = f"{'i' if function.results else 'v'}({'i' * function.params})"
            module.link_function(module_name, name, signature, function.call)
        return _Wasm3Instance(runtime)
