"""Host functions of the engine `wasmtime`: how Wasmtime calls them, and what becomes of what they raise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from interp.engines.wasmtime_errors import CALL_STACK_TRAP
from interp.engines.wasmtime_library import NULL, C, ffi, lib
from interp.engines.wasmtime_values import ExnReference, signature
from interp.errors import Exhaustion, ExhaustionKind, UncaughtException
from interp.execution.meter import has_headroom
from interp.syntax.types import FuncType

if TYPE_CHECKING:
    from interp.engines.wasmtime_store import Store


class ThreadState(threading.local):
    """What this thread is doing in WebAssembly, of whichever store.

    `raised`: what a host function raised, while WebAssembly frames are unwound. `position` and `top`: address on the
    native stack of the innermost active host call, and an upper bound of where the outermost store was entered.
    """

    raised: BaseException | None = None
    position = 0
    top = 0


THREAD = ThreadState()


class HostFunction:
    """A callable of the host, called by Wasmtime through `call_host`."""

    __slots__ = ("function", "plan", "store")

    def __init__(self, store: Store, functype: FuncType, function: Callable[..., Any]) -> None:
        self.store = store
        self.plan = signature(functype)
        self.function = function

    def call(self, position: int, args: Any, results: Any) -> Any:
        """Read arguments, call, write results: NULL, or the trap that stands for an exception of this store which the
        function let through. What else it raises passes."""
        store, outer = self.store, THREAD.position
        values = [each.read(store, args[i].of) for i, each in enumerate(self.plan.params)]
        try:
            if not outer:
                THREAD.top = position + store.config.stack
            THREAD.position = position
            returned = self.function(*values)
        except UncaughtException as error:
            exception = error.exception
            if not isinstance(exception, ExnReference) or exception.store is not store:
                raise
            store.check_deadline()
            return store.throw(exception)
        finally:
            THREAD.position = outer
        store.check_deadline()
        if self.plan.results or returned is not None:
            for i, (each, value) in enumerate(zip(self.plan.results, self._results(returned), strict=True)):
                each.write(store, results[i].of, value)
                results[i].kind = each.kind
        return NULL

    def _results(self, returned: Any) -> Sequence[Any]:
        n = len(self.plan.results)
        if n == 1:
            return (returned,)
        if not n:
            if returned is not None:
                raise TypeError(f"the host function has no result, but returned {type(returned).__name__}")
            return ()
        if not isinstance(returned, tuple | list) or len(returned) != n:
            raise TypeError(f"the host function must return {n} values")
        return returned


def _keep_raised(_: Any, raised: BaseException, traceback: TracebackType | None) -> Any:
    """Keep what a host function raised, KeyboardInterrupt too, for the caller; the trap returned unwinds up to it.

    A RecursionError is a host function's own only if Python's stack has room again: it was unwound up to here.
    """
    raised = raised.with_traceback(traceback)
    if isinstance(raised, RecursionError) and not has_headroom():
        cause, raised = raised, Exhaustion(ExhaustionKind.CALL_STACK)
        raised.__cause__ = cause
    THREAD.raised = raised
    return lib.wasmtime_trap_new_code(CALL_STACK_TRAP)


@ffi.callback(C.HOST_FUNCTION, onerror=_keep_raised)  # type: ignore[untyped-decorator]
def call_host(env: Any, caller: Any, args: Any, _nargs: int, results: Any, _nresults: int) -> Any:
    """What Wasmtime calls for every host function; `env` says for which, `caller` is on the native stack."""
    return ffi.from_handle(env).call(int(ffi.cast(C.ADDRESS, caller)), args, results)


@ffi.callback(C.HOST_FUNCTION, onerror=_keep_raised)  # type: ignore[untyped-decorator]
def take_pending(env: Any, _caller: Any, _args: Any, _nargs: int, _results: Any, _nresults: int) -> Any:
    """A host function that takes the pending exception of the store that `env` says: see `Store.take_exception`."""
    ffi.from_handle(env).take_pending()
    return NULL
