"""One instantiated module that speaks waPC: linking, starters, and single calls, with all failures translated.

Source: docs/wapc.md, sections "Guest exports" and "One call"
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from interp.engine import PAGE, Engine, Extern, Func, Limits, Memory, Module, Store
from interp.errors import ExecutionError, Exhaustion, Unlinkable
from interp.syntax.types import I32, FuncType, ImportType, MemType
from interp.wasi import ProcExit, Wasi, WasiParams
from wapc.console import Console, ConsoleLog, LineStream, visible
from wapc.errors import (
    NO_GUEST_CALL,
    GuestAborted,
    GuestCallFailure,
    InitFailed,
    NoSuchFunction,
    WapcError,
    interrupted,
)
from wapc.protocol import ABORT_TYPE, HOST_FUNCTIONS, CallState, HostCall, MessageLimits

MEMORY = "memory"
GUEST_CALL = "__guest_call"
GUEST_CALL_TYPE = FuncType((I32, I32), (I32,))
STARTERS = ("_start", "_initialize", "wapc_init")
"""Exports that are called once, in this order, where the module has them with the type STARTER_TYPE."""
STARTER_TYPE = FuncType((), ())
MAX_SHOWN_NAME = 200
"""How many characters of an import's name a message shows: a name can be as long as its module."""

DEFAULT_LIMITS = Limits(deadline_seconds=30.0, max_memory_pages=4096, max_table_elements=1_000_000)
"""What a guest may use unless its host says otherwise: 30 s for each call, 256 MiB of memory."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a host gives to each of its guests, one after the other."""

    guest_id: int
    host_call: HostCall | None
    limits: Limits
    message_limits: MessageLimits
    wasi: WasiParams
    console_log: ConsoleLog


FULL_MEMORY = 0.5
"""From this part of the allowed memory on, a guest that traps is not used again: it may have run out of memory, and
linear memory never shrinks."""


class Guest:
    """An instance of a module, started and ready for calls.

    `usable` turns False when a call was stopped at an arbitrary place (a limit, an interrupt, an exit): what the guest
    has in memory may then be half done. `sound` is False then, and after a trap: whenever the guest has not come back
    from its last call on its own. Raises InitFailed.
    """

    def __init__(self, engine: Engine, module: Module, settings: Settings) -> None:
        _check_exports(module)
        self.usable = True
        self.sound = True
        self._settings = settings
        limits = settings.message_limits
        self._console = Console(settings.guest_id, settings.console_log, limits.max_log_bytes_per_call)
        self._state = CallState(settings.host_call, self._console, limits)
        self._outputs = [LineStream(self._console, limits.max_log_bytes) for _ in ("stdout", "stderr")]
        self._wasi = self._open_wasi()
        try:
            self._instantiate(engine, module)
            self._start(module)
        except BaseException:
            self.close()
            raise

    def _open_wasi(self) -> Wasi:
        params = self._settings.wasi
        stdout, stderr = self._outputs
        try:
            return Wasi(replace(params, stdout=params.stdout or stdout, stderr=params.stderr or stderr))
        except (OSError, ValueError) as error:
            raise InitFailed(f"cannot open a preopened directory: {error}") from error

    def _instantiate(self, engine: Engine, module: Module) -> None:
        store = engine.store(self._settings.limits)
        self._arm()
        try:
            instance = store.instantiate(module, self._externs(store, module))
        except Exhaustion as error:
            raise InitFailed(f"instantiation {interrupted(error.what)}") from error
        except (Unlinkable, ExecutionError, GuestAborted, ProcExit) as error:
            raise InitFailed(str(error)) from error
        except InitFailed:
            raise
        except WapcError as error:
            raise InitFailed(error.text) from error
        finally:
            self._disarm()
        self._memory = cast(Memory, instance.exports[MEMORY])
        self._functions = {
            name: cast(Func, instance.exports[name]) for name in (GUEST_CALL, *STARTERS) if name in instance.exports
        }
        self._state.attach(self._memory.read, self._memory.write)
        self._wasi.attach(self._memory)

    def _externs(self, store: Store, module: Module) -> list[Extern]:
        system = self._wasi.imports(store, module)
        return [system.get((wanted.module, wanted.name)) or self._extern(store, wanted) for wanted in module.imports]

    def _extern(self, store: Store, wanted: ImportType) -> Extern:
        """The function for an import of `wapc` or AssemblyScript's `env.abort`; what else there may be is refused."""
        shown = visible(f"{wanted.module}.{wanted.name}"[:MAX_SHOWN_NAME])
        if wanted.module == "wapc" and wanted.name in HOST_FUNCTIONS:
            functype, function = HOST_FUNCTIONS[wanted.name]
            if wanted.type != functype:
                raise InitFailed(f"import {shown} has type {wanted.type}, but it is {functype}")
            return store.func_alloc(functype, partial(function, self._state))
        if (wanted.module, wanted.name) == ("env", "abort") and wanted.type == ABORT_TYPE:
            return store.func_alloc(ABORT_TYPE, self._state.abort)
        raise InitFailed(f"unknown import {shown}")

    def _start(self, module: Module) -> None:
        types = {export.name: export.type for export in module.exports}
        for name in STARTERS:
            if types.get(name) == STARTER_TYPE:
                self._run_starter(name)

    def _run_starter(self, name: str) -> None:
        self._arm()
        try:
            self._functions[name]()
        except ProcExit as error:
            if error.code:
                raise InitFailed(f"{name}: {error}") from error
        except Exhaustion as error:
            raise InitFailed(f"{name} init {interrupted(error.what)}") from error
        except ExecutionError as error:
            raise InitFailed(f"{name}: {self._state.failure(str(error)).text}") from error
        except WapcError as error:
            raise InitFailed(f"{name}: {self._state.failure(error.text).text}") from error
        finally:
            self._disarm()

    def call(self, operation: bytes, payload: bytes) -> bytes:
        """Run one call and return the guest's response. Raises GuestCallFailure | PayloadTooLarge."""
        lengths = self._state.begin(operation, payload)
        self._arm()
        self.sound = False
        try:
            answer = self._functions[GUEST_CALL](*lengths)
            self.sound = True
            return self._state.result(answer)
        except Exhaustion as error:
            self.usable = False
            raise GuestCallFailure(f"guest code {interrupted(error.what)}", self._state.host_exception) from error
        except ProcExit as error:
            self.usable = False
            raise self._state.failure(str(error)) from error
        except ExecutionError as error:
            self.usable = not self._is_full()
            raise self._state.failure(str(error)) from error
        except GuestAborted as error:
            raise self._state.failure(error.text) from error
        except WapcError:
            raise
        except BaseException:
            self.usable = False
            raise
        finally:
            self._disarm()

    def _is_full(self) -> bool:
        """Whether the memory has grown so far that a guest which trapped may never get any again."""
        return self._memory.size > self._settings.limits.max_memory_pages * FULL_MEMORY

    def _arm(self) -> None:
        """Prepare for an outermost call into the guest."""
        self._console.reset()
        seconds = self._settings.limits.deadline_seconds
        self._wasi.deadline = None if seconds is None else time.monotonic() + seconds

    def _disarm(self) -> None:
        self._state.end()
        for output in self._outputs:
            if output.pending:
                output.end_line()

    @property
    def memory_size(self) -> int:
        """The size of the guest's memory in bytes."""
        return self._memory.size * PAGE

    def close(self) -> None:
        """Close what the guest holds open of the host."""
        self._wasi.close()


def _check_exports(module: Module) -> None:
    types = {export.name: export.type for export in module.exports}
    if GUEST_CALL not in types:
        raise NoSuchFunction(NO_GUEST_CALL)
    if types[GUEST_CALL] != GUEST_CALL_TYPE:
        raise NoSuchFunction(f"{GUEST_CALL} has type {types[GUEST_CALL]}, but it must be {GUEST_CALL_TYPE}")
    if not isinstance(types.get(MEMORY), MemType):
        raise InitFailed(f"no memory exported by wasm module under the name {MEMORY!r}")
