"""What is loaded and called to time its phases: the counter actor, or any module file."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from benchmarks.actor import HANDLE_REQUEST, HEALTH, Counters, counter_wasm
from benchmarks.errors import BenchmarkError
from interp.arguments import parse_arguments
from interp.cli import CommandError, instantiate, read_module
from interp.engine import Engine, Func, Module
from interp.wasi import ProcExit, Wasi, WasiParams
from wapc import DEFAULT_LIMITS, MessageLimits
from wapc.guest import GUEST_CALL, Guest, Settings
from wapc.protocol import HostCall

START = "_start"
"""The function of a WASI command, which runs once in an instance."""


def nothing() -> None:
    """What is done where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """An instance of a program: how to call it (None if there is nothing to call), and whether more than once; `check`
    raises WrongOutputError if it does not do what it should."""

    call: Callable[[], object] | None
    repeatable: bool = True
    check: Callable[[], None] = nothing
    close: Callable[[], None] = nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Program(Protocol):
    """A module, and what to do with it. `call` says what is called, or why nothing is; only what is `startable` can be
    instantiated."""

    @property
    def name(self) -> str: ...
    @property
    def wasm(self) -> bytes: ...
    @property
    def call(self) -> str: ...
    @property
    def startable(self) -> bool: ...
    def start(self, engine: Engine, module: Module) -> Running:
        """A new instance, within the limits that actors have. Raises WasmError, WapcError, BenchmarkError."""


def _guest(engine: Engine, module: Module, host_call: HostCall | None) -> Guest:
    settings = Settings(0, host_call, DEFAULT_LIMITS, MessageLimits(), WasiParams(), lambda _, text: None)
    return Guest(engine, module, settings)


@dataclass(frozen=True, slots=True)
class CounterProgram:
    """The counter actor, whose host calls are answered in memory."""

    wasm: bytes
    name: str = "counter actor"
    call: str = HANDLE_REQUEST[0]
    startable: bool = True

    def start(self, engine: Engine, module: Module) -> Running:
        """An instance with counters of its own."""
        counters = Counters()
        guest = _guest(engine, module, counters)
        call = partial(guest.call, HANDLE_REQUEST[0].encode(), HANDLE_REQUEST[1])
        return Running(call, check=lambda: counters.check(call()), close=guest.close)


@dataclass(frozen=True, slots=True)
class GuestProgram:
    """A waPC guest that gets no answers to host calls; `payload` is sent to one of its operations."""

    name: str
    wasm: bytes
    call: str
    payload: bytes
    startable: bool = True

    def start(self, engine: Engine, module: Module) -> Running:
        """An instance."""
        guest = _guest(engine, module, None)
        return Running(partial(guest.call, self.call.encode(), self.payload), close=guest.close)


@dataclass(frozen=True, slots=True)
class PlainProgram:
    """A module without imports, or with those of WASI; `words` are an exported function and its arguments, or none."""

    name: str
    wasm: bytes
    call: str
    words: tuple[str, ...]
    startable: bool = True

    def start(self, engine: Engine, module: Module) -> Running:
        """An instance. Raises CommandError as well, for imports that nobody serves."""
        wasi = Wasi(WasiParams([self.name]))
        try:
            if DEFAULT_LIMITS.deadline_seconds is not None:
                wasi.deadline = time.monotonic() + DEFAULT_LIMITS.deadline_seconds
            instance = instantiate(engine.store(DEFAULT_LIMITS), module, wasi)
            if not self.words:
                return Running(None, close=wasi.close)
            function, *texts = self.words
            export = instance.exports.get(function)
            if not isinstance(export, Func):
                raise BenchmarkError(f"{self.name}: no function is exported as {function!r}")
            call = partial(export, *parse_arguments(export.type.params, texts))
            if function == START:
                return Running(partial(_run_command, call), repeatable=False, close=wasi.close)
            return Running(call, close=wasi.close)
        except BaseException:
            wasi.close()
            raise


def _run_command(call: Callable[[], object]) -> None:
    """Run a WASI command to its end. Raises BenchmarkError if it fails."""
    try:
        call()
    except ProcExit as error:
        if error.code:
            raise BenchmarkError(str(error)) from error


def counter_program() -> Program:
    """The counter actor. Raises BenchmarkError."""
    return CounterProgram(counter_wasm())


def program_of(path: Path, call: str | None, engine: Engine) -> Program:
    """The program in a module file. `call` is what to call, as words: an operation and its payload for a waPC guest
    (default: HealthRequest), an exported function and its arguments otherwise (default: none).

    Raises BenchmarkError, CommandError, OSError, WasmError.
    """
    try:
        words = tuple(shlex.split(call or ""))
    except ValueError as error:
        raise BenchmarkError(f"{call!r} cannot be split into words: {error}") from error
    wasm = read_module(path)
    module = engine.compile(wasm)
    if any(export.name == GUEST_CALL for export in module.exports):
        operation, *payload = words or (HEALTH[0],)
        return GuestProgram(str(path), wasm, operation, " ".join(payload).encode() if words else HEALTH[1])
    program = PlainProgram(str(path), wasm, " ".join(words) or "nothing", words)
    try:
        program.start(engine, module).close()
    except CommandError as error:
        if words:
            raise
        return PlainProgram(str(path), wasm, f"nothing: {error}", words, startable=False)
    return program
