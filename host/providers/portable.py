"""Portable providers: signed WebAssembly modules, with WASI, each for a capability. `docs/providers/portable.md`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from host.actor import Actor
from host.authorization import authorized_target, check_loadable
from host.codec import EMPTY, CodecError, decode, encode
from host.codec.core import (
    OP_BIND_ACTOR,
    OP_GET_CAPABILITY_DESCRIPTOR,
    OP_REMOVE_ACTOR,
    SYSTEM_ACTOR,
    CapabilityConfiguration,
    CapabilityDescriptor,
    HealthRequest,
)
from host.core import HostCore
from host.errors import (
    AuthorizationFailure,
    CallRefused,
    CapabilityProviderError,
    HostError,
    InvocationFailure,
    WapcFailure,
)
from host.logs import log, printable, sparing
from host.providers.base import BAD_DISPATCH, Dispatcher, ProviderError, not_bound, reason
from host.turns import Turn
from interp.wasi import WasiParams
from wapc import WapcError, WapcHost

MAX_DESCRIPTOR_BYTES = 65536
STOP_SECONDS = 1.0
"""How long `stop` waits for a call under way; what takes longer ends with that call."""


class PortableProvider:
    """A module as a provider. It handles one call at a time, in the order of the callers.

    `wasi` says what it gets of the system: nothing by default. An instance whose call did not come back on its own (a
    trap, a limit) is replaced before the next call, and told of all bound actors. Raises AuthorizationFailure (its
    token), WapcFailure (it does not start), CapabilityProviderError (it is no provider of what its claims say).
    """

    def __init__(self, core: HostCore, module: Actor, wasi: WasiParams | None = None) -> None:
        check_loadable(module, core.authorizer, core.policies)
        self._core = core
        self._claims = module.claims
        self._capability = provided_capability(module)
        self._wasi = wasi or WasiParams()
        self._turn = Turn(f"Provider {module.public_key}", core.settings.patience)
        self._dispatcher: Dispatcher | None = None
        self._bound: dict[str, bytes] = {}
        self._removed: list[bytes] = []
        self._stopped = False
        try:
            self._module = core.settings.engine.compile(module.wasm)
            self._guest = self._new_guest()
        except Exception as error:
            raise WapcFailure(str(error)) from error
        try:
            self._descriptor = self._describe()
        except BaseException:
            self._guest.close()
            raise

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """What the module says of itself, which has been checked against its claims."""
        return self._descriptor

    def configure_dispatch(self, dispatcher: Dispatcher) -> None:
        """Take the way to the actors, which the module's host calls go."""
        self._dispatcher = dispatcher

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        """Have the module carry out an operation. Raises ProviderError, CallRefused."""
        if actor == SYSTEM_ACTOR and operation in _SYSTEM_OPERATIONS:
            return _SYSTEM_OPERATIONS[operation](self, payload)
        if actor == SYSTEM_ACTOR or operation in _SYSTEM_OPERATIONS:
            raise ProviderError(BAD_DISPATCH)
        if actor not in self._bound:
            raise not_bound(actor, self._capability)
        with self._turn:
            return self._call(operation, payload)

    def stop(self) -> None:
        """Give the instance up, now or when the call under way ends."""
        self._stopped = True
        try:
            self._turn.enter(STOP_SECONDS)
        except CallRefused:
            log.warning("%s ends with the call that it still runs", self._turn.label)
            return
        try:
            self._guest.close()
        finally:
            self._turn.leave()

    def _new_guest(self) -> WapcHost:
        settings = self._core.settings
        return WapcHost(
            settings.engine,
            self._module,
            self._host_call,
            limits=settings.limits,
            wasi=self._wasi,
            console_log=self._console_log,
        )

    def _describe(self) -> CapabilityDescriptor:
        try:
            reply = self._guest.call(OP_GET_CAPABILITY_DESCRIPTOR, encode(HealthRequest()))
            if len(reply) > MAX_DESCRIPTOR_BYTES:
                raise CapabilityProviderError(f"the descriptor has {len(reply)} bytes, over {MAX_DESCRIPTOR_BYTES}")
            descriptor = decode(CapabilityDescriptor, reply)
        except (WapcError, CodecError) as error:
            text = f"{self._turn.label} does not describe a capability: {reason(error)}"
            raise CapabilityProviderError(text) from error
        if descriptor.id != self._capability:
            raise CapabilityProviderError(
                f"{self._turn.label} is signed for the capability {printable(self._capability)}, "
                f"and describes {printable(descriptor.id)}"
            )
        return descriptor

    def _bind_actor(self, payload: bytes) -> bytes:
        actor = decode(CapabilityConfiguration, payload).module
        with self._turn:
            self._make_ready()
            former = self._bound.get(actor)
            # Known from here on: the module may call the actor while it is being bound to it.
            self._bound[actor] = payload
            try:
                self._call(OP_BIND_ACTOR, payload)
            except BaseException:
                self._bound.pop(actor, None)
                if former is not None:
                    self._bound[actor] = former
                raise
        return EMPTY

    def _remove_actor(self, payload: bytes) -> bytes:
        actor = decode(CapabilityConfiguration, payload).module
        if self._bound.pop(actor, None) is not None:
            self._removed.append(payload)
            try:
                self._turn.enter(STOP_SECONDS)
            except CallRefused:
                log.info("%s is busy; it gets %s before its next call", self._turn.label, OP_REMOVE_ACTOR)
                return EMPTY
            try:
                self._make_ready()
            except ProviderError as error:
                log.warning("%s: %s", self._turn.label, reason(error))
            finally:
                self._turn.leave()
        return EMPTY

    def _get_descriptor(self, payload: bytes) -> bytes:
        return encode(self._descriptor)

    def _call(self, operation: str, payload: bytes) -> bytes:
        """Have an instance carry out an operation, in its turn. Raises ProviderError."""
        self._make_ready()
        try:
            return self._guest.call(operation, payload)
        except WapcError as error:
            raise ProviderError(printable(error.text)) from error
        finally:
            if self._stopped:
                self._guest.close()

    def _make_ready(self) -> None:
        """Have an instance that may be called and knows which actors are bound, in its turn. Raises ProviderError."""
        if self._stopped:
            raise ProviderError(f"{self._turn.label} is stopped")
        if not self._guest.sound:
            self._start_anew()
        while self._removed:
            try:
                self._guest.call(OP_REMOVE_ACTOR, self._removed.pop(0))
            except WapcError as error:
                # Modules need not know the operation; the actor is gone all the same.
                log.info("%s did not take %s: %s", self._turn.label, OP_REMOVE_ACTOR, printable(error.text))
                if not self._guest.sound:
                    self._start_anew()

    def _start_anew(self) -> None:
        """Another instance in the place of one that was stopped anywhere, with the same actors bound to it."""
        try:
            former, self._guest = self._guest, self._new_guest()
            former.close()
            sparing.log(logging.WARNING, "%s is started anew, for its last call was ended", self._turn.label)
            self._removed.clear()
            for actor in tuple(self._bound):
                self._bind_anew(actor)
        except WapcError as error:
            raise ProviderError(f"{self._turn.label} cannot be started anew: {printable(error.text)}") from error

    def _bind_anew(self, actor: str) -> None:
        """Tell a new instance of a bound actor. Raises WapcError if it cannot be called any more after that."""
        configuration = self._bound.get(actor)
        if configuration is None:
            return
        try:
            self._guest.call(OP_BIND_ACTOR, configuration)
        except WapcError as error:
            # Without its configuration the module must not serve it.
            self._bound.pop(actor, None)
            log.error("%s was started anew and did not take %s: %s", self._turn.label, actor, printable(error.text))
            if not self._guest.sound:
                raise

    def _host_call(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        # As for an actor, with the bound actors in the place of what its claims list.
        bound = tuple(self._bound)
        authorized_target(self._claims, self._core.authorizer, binding, namespace, operation, bound=bound)
        if self._dispatcher is None:
            raise AuthorizationFailure("there is no way to the actors yet")
        try:
            return self._dispatcher.dispatch(namespace, operation, payload)
        except InvocationFailure as failure:
            # The guest gets the text without the prefix that people outside see it with.
            raise HostError(failure.message) from failure

    def _console_log(self, guest_id: int, text: str) -> None:
        log.info("%s: %s", self._turn.label, printable(text))


_SYSTEM_OPERATIONS: dict[str, Callable[[PortableProvider, bytes], bytes]] = {
    OP_BIND_ACTOR: PortableProvider._bind_actor,
    OP_REMOVE_ACTOR: PortableProvider._remove_actor,
    OP_GET_CAPABILITY_DESCRIPTOR: PortableProvider._get_descriptor,
}


def provided_capability(module: Actor) -> str:
    """The id of the capability that a module is signed to provide. Raises CapabilityProviderError."""
    if not module.claims.metadata.provider:
        raise CapabilityProviderError(f"{module.public_key} is signed as an actor, not as a capability provider")
    if len(module.capabilities) != 1:
        raise CapabilityProviderError(
            f"{module.public_key} is signed for {len(module.capabilities)} capabilities; a provider serves exactly one"
        )
    return module.capabilities[0]
