"""The host's side of waPC for every subject: the protocol is our own (`wapc.protocol`), the answers are recorded ones.

So all subjects do the same work, and one whose guest asks its host for anything else is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.errors import WrongOutputError
from benchmarks.subjects.base import HostFunction, HostFunctions, Loaded, UnableError
from benchmarks.subjects.program import GuestCall, HostCall
from wapc.console import Console
from wapc.errors import WapcError
from wapc.guest import GUEST_CALL
from wapc.protocol import HOST_FUNCTIONS, CallState, MessageLimits

MODULE = "wapc"
"""The import module of the host's functions."""


class ReplayedHost:
    """The host of one instance. `functions` are the imports for it; `attach` comes after instantiation.

    Raises UnableError if the guest imports what is not waPC.
    """

    def __init__(self, request: GuestCall) -> None:
        self._request = request
        self._left = iter(request.host_calls)
        self._surprise = ""
        limits = MessageLimits()
        console = Console(0, lambda _, __: None, limits.max_log_bytes_per_call)
        self._state = CallState(self._answer, console, limits)
        self.functions: HostFunctions = {
            (MODULE, name): self._function(module, name) for module, name in request.imports
        }

    def _function(self, module: str, name: str) -> HostFunction:
        if module != MODULE or name not in HOST_FUNCTIONS:
            raise UnableError(f"the benchmark does not serve the import {module}.{name}")
        functype, function = HOST_FUNCTIONS[name]
        return HostFunction(len(functype.params), len(functype.results), partial(function, self._state))

    def attach(self, loaded: Loaded) -> Callable[[], bytes]:
        """Run the guest's starters; what calls its operation once. Raises WrongOutputError when called, if the guest
        calls its host for something that is not recorded."""
        self._state.attach(loaded.read, loaded.write)
        for name in self._request.starters:
            loaded.function(name)()
        return partial(self._call, loaded.function(GUEST_CALL))

    def _call(self, guest_call: Callable[..., int]) -> bytes:
        state, request = self._state, self._request
        result = state.result(guest_call(*state.begin(request.operation, request.payload)))
        if self._surprise:
            raise WrongOutputError(self._surprise)
        return result

    def _answer(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        recorded = next(self._left, None)
        if recorded is None or _asked(recorded) != (binding, namespace, operation, payload):
            self._surprise = f"the guest calls {operation} on {namespace}, which is not what is recorded"
            raise WapcError(self._surprise)
        if recorded.answer is None:
            raise WapcError(recorded.error)
        return recorded.answer


def _asked(call: HostCall) -> tuple[str, str, str, bytes]:
    return call.binding, call.namespace, call.operation, call.payload
