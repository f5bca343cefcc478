"""The host of one waPC guest: call it, replace its module, close it; never two things at once.

Source: docs/wapc.md
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from interp.engine import Engine, Limits, Module, load_engine
from interp.errors import Rejected
from interp.wasi import WasiParams
from wapc.console import ConsoleLog, log_line
from wapc.errors import GuestBusy, GuestClosed, HostCallFailure, InitFailed, ReplacementFailed, WapcError
from wapc.guest import DEFAULT_LIMITS, Guest, Settings
from wapc.protocol import HostCall, MessageLimits

_ids = itertools.count(1)


class WapcHost:
    """A WebAssembly module as a guest, called by operation name with bytes for bytes.

    `engine` is an engine or the name of one (`load_engine`), `wasm` the module, as bytes or compiled by that engine:
    then several hosts may share it. `host_call(binding, namespace, operation, payload) -> bytes` answers the guest's
    host calls; an exception of it becomes the guest's host error, one that is no `Exception` (KeyboardInterrupt) passes
    through the guest to the caller. `limits` hold for each call into the guest, `message_limits` for each message.
    `wasi` says what the guest sees of the system: nothing by default, and lines it writes to a stdout or stderr of None
    go to the console log. `console_log(id, text)` takes the guest's texts; the default logs them to the logger `wapc`.

    One call at a time: a second one is refused at once, with HostCallFailure from inside a host call of this guest
    and GuestBusy from another thread. A guest that was stopped by a limit, an interrupt or its own exit is
    instantiated and started anew before its next call, for its memory cannot be trusted then.

    Raises InitFailed, and EngineUnavailable for an engine's name.
    """

    def __init__(
        self,
        engine: Engine | str,
        wasm: bytes | Module,
        host_call: HostCall | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        message_limits: MessageLimits | None = None,
        wasi: WasiParams | None = None,
        console_log: ConsoleLog | None = None,
    ) -> None:
        self.id = next(_ids)
        """Number of this host in the process, from 1."""
        self._engine = load_engine(engine) if isinstance(engine, str) else engine
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._settings = Settings(
            self.id,
            host_call,
            limits,
            message_limits or MessageLimits(),
            wasi or WasiParams(),
            console_log or log_line,
        )
        self._module = self._compile(wasm) if isinstance(wasm, bytes | bytearray | memoryview) else wasm
        self._guest: Guest | None = self._new_guest(self._module)

    def _compile(self, wasm: bytes) -> Module:
        try:
            return self._engine.compile(wasm)
        except Rejected as error:
            raise InitFailed(str(error)) from error

    def _new_guest(self, module: Module) -> Guest:
        return Guest(self._engine, module, self._settings)

    def call(self, operation: str, payload: bytes = b"") -> bytes:
        """The guest's response to an operation.

        Raises GuestCallFailure, PayloadTooLarge, HostCallFailure | GuestBusy, GuestClosed, and InitFailed where the
        guest had to be started anew.
        """
        try:
            name = operation.encode()
        except UnicodeEncodeError as error:
            raise WapcError(f"operation {operation!r} is not valid Unicode") from error
        self._acquire()
        try:
            guest = self._guest
            if guest is None or not guest.usable:
                guest = self._ready_guest()
            return guest.call(name, payload if type(payload) is bytes else bytes(memoryview(payload)))
        finally:
            self._release()

    def replace_module(self, wasm: bytes) -> None:
        """Serve with another module from now on, started like the first and with the same WASI parameters.

        Raises ReplacementFailed: then the old module goes on serving.
        """
        with self._exclusively():
            old = self._open_guest()
            try:
                module = self._compile(wasm)
                guest = self._new_guest(module)
            except InitFailed as error:
                raise ReplacementFailed(error.text) from error
            self._module, self._guest = module, guest
            old.close()

    @property
    def sound(self) -> bool:
        """Whether the guest came back from its last call on its own: no trap, exit, limit or interrupt ended it at an
        arbitrary place. After a trap it may still be called; what it has in memory is then as the trap left it."""
        return self._guest is not None and self._guest.sound

    @property
    def memory_size(self) -> int:
        """The size of the guest's memory in bytes; also inside of its host calls."""
        if self._owner == threading.get_ident():
            return self._open_guest().memory_size
        with self._exclusively():
            return self._open_guest().memory_size

    def close(self) -> None:
        """Give up the guest; every later call is GuestClosed, closing again is harmless."""
        with self._exclusively():
            if self._guest is not None:
                self._guest.close()
                self._guest = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open_guest(self) -> Guest:
        if self._guest is None:
            raise GuestClosed(f"guest module {self.id} is closed")
        return self._guest

    def _ready_guest(self) -> Guest:
        guest = self._open_guest()
        if guest.usable:
            return guest
        self._guest = self._new_guest(self._module)
        guest.close()
        return self._guest

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        if not self._lock.acquire(False):
            if self._owner == threading.get_ident():
                raise HostCallFailure(f"guest module {self.id} was called from inside its own host call")
            raise GuestBusy(f"guest module {self.id} is busy with a call of another thread")
        self._owner = threading.get_ident()

    def _release(self) -> None:
        self._owner = None
        self._lock.release()
