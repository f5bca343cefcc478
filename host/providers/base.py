"""What a capability provider is: the contract with the host, and a base class that keeps most of it.

The host calls `configure_dispatch` once, then `handle_call` from any of its threads, at last `stop`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol, TypeVar, runtime_checkable

from host.asgi import Application
from host.codec import EMPTY, CodecError, Message, decode, encode
from host.codec.core import (
    OP_BIND_ACTOR,
    OP_GET_CAPABILITY_DESCRIPTOR,
    OP_REMOVE_ACTOR,
    RESERVED_PREFIX,
    SYSTEM_ACTOR,
    CapabilityConfiguration,
    CapabilityDescriptor,
    Direction,
    OperationDescriptor,
)
from host.logs import log, printable

BAD_DISPATCH = "bad dispatch"
"""The error of an operation that a provider does not have, or not for this caller."""

_M = TypeVar("_M", bound=Message)


class ProviderError(Exception):
    """An operation of a provider failed; the text says why, in one line, to the actor that asked."""


class Dispatcher(Protocol):
    """The way from a provider to the actors."""

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        """Call an actor, named by its public key, and return its reply. Raises what made the call fail."""


@runtime_checkable
class HttpGuard(Protocol):
    """What a dispatcher also is where the host has middleware: a server of HTTP puts it around its application."""

    def around_http(self, application: Application) -> Application:
        """The application to serve instead of this one."""


class CapabilityProvider(Protocol):
    """What the host needs of a provider."""

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """What the provider is and can do."""

    def configure_dispatch(self, dispatcher: Dispatcher) -> None:
        """Take the way to the actors; called once, before anything else."""

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        """Carry out an operation for `actor`, a public key or `SYSTEM_ACTOR`. Thread-safe. Raises ProviderError."""

    def stop(self) -> None:
        """Release everything. May be called again, and from any thread."""

    # A provider that brings work from outside may also have a method `drain`, as `Provider` does.


@dataclass(frozen=True, slots=True)
class Route:
    """Where an operation goes: `method(actor, request)` with the decoded request; its reply None is an empty one, and
    bytes are sent as they are."""

    request: type[Message]
    method: Callable[[str, Any], Message | bytes | None]
    doctext: str


class Provider:
    """Base class of providers: routing, decoding, the descriptor, and which actors are bound with which values.

    A subclass sets the class attributes, names its operations with `route`, and overrides `bind`, `unbind` and `close`
    as needed. These three are never called at the same time; `method`s of routes are, by many threads.
    """

    capability: str
    name: str
    revision: int = 1
    long_description: str
    to_actor: Mapping[str, str] = {}
    """Operations that the provider calls on actors, each with a line that describes it."""
    value_names: frozenset[str] = frozenset()
    """The configuration values that `bind` understands, best those of `host.providers.values`; others are warned of."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._bindings: dict[str, Mapping[str, str]] = {}
        self._dispatcher: Dispatcher | None = None
        self._life_cycle = threading.RLock()
        self._stopped = False

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """Built from the class attributes and the routes."""
        operations = [OperationDescriptor(name, Direction.TO_ACTOR, text) for name, text in self.to_actor.items()]
        operations += [
            OperationDescriptor(name, Direction.TO_PROVIDER, route.doctext) for name, route in self._routes.items()
        ]
        return CapabilityDescriptor(
            id=self.capability,
            name=self.name,
            version=distribution_version(),
            revision=self.revision,
            long_description=self.long_description,
            supported_operations=tuple(operations),
        )

    @property
    def dispatcher(self) -> Dispatcher:
        """The way to the actors. Raises ProviderError before `configure_dispatch`."""
        if self._dispatcher is None:
            raise ProviderError("the provider has not been given a dispatcher yet")
        return self._dispatcher

    def configure_dispatch(self, dispatcher: Dispatcher) -> None:
        """Take the dispatcher. Raises ProviderError the second time."""
        if self._dispatcher is not None:
            raise ProviderError("the provider already has a dispatcher")
        self._dispatcher = dispatcher

    def route(
        self, operation: str, request: type[_M], method: Callable[[str, _M], Message | bytes | None], doctext: str
    ) -> None:
        """Send an operation, its payload decoded as `request`, to a method; `doctext` is for the descriptor."""
        self._routes[operation] = Route(request, method, doctext)

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        """Carry out one operation. Raises ProviderError."""
        if self._stopped:
            raise ProviderError(f"{self.name} is stopped")
        try:
            if actor == SYSTEM_ACTOR and operation in _SYSTEM_OPERATIONS:
                return _SYSTEM_OPERATIONS[operation](self, payload)
            route = self._routes.get(operation)
            if route is None:
                raise ProviderError(BAD_DISPATCH)
            if actor not in self._bindings:
                raise self.not_bound(actor)
            reply = route.method(actor, decode(route.request, payload))
            if isinstance(reply, bytes):
                return reply
            return EMPTY if reply is None else encode(reply)
        except CodecError as error:
            raise ProviderError(f"{operation}: {error}") from error

    def drain(self) -> None:
        """Take no new work from outside, and finish what is under way, within a time of the provider's own: the host is
        about to shut down. Calls of actors are still carried out. Must not raise."""

    def stop(self) -> None:
        """Unbind every actor and release what the provider holds."""
        with self._life_cycle:
            if self._stopped:
                return
            self._stopped = True
            for actor in list(self._bindings):
                self._unbind(actor)
            self.close()

    def values_of(self, actor: str) -> Mapping[str, str]:
        """The configuration values that a bound actor was bound with."""
        try:
            return self._bindings[actor]
        except KeyError:
            raise self.not_bound(actor) from None

    def not_bound(self, actor: str) -> ProviderError:
        """The error of an operation that an actor may not ask for."""
        return not_bound(actor, self.capability)

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Prepare to serve an actor; called again for a bound actor whose values change.

        Raises ProviderError, after which everything must be as it was before.
        """

    def unbind(self, actor: str) -> None:
        """Release what `bind` made for a bound actor. Must not raise."""

    def close(self) -> None:
        """Release what is left once every actor is unbound. Must not raise."""

    def _bind_actor(self, payload: bytes) -> bytes:
        configuration = decode(CapabilityConfiguration, payload)
        if not configuration.module or configuration.module == SYSTEM_ACTOR:
            raise ProviderError(f"{OP_BIND_ACTOR}: '{printable(configuration.module)}' is not an actor's public key")
        for name in sorted(configuration.values.keys() - self.value_names):
            if not name.startswith(RESERVED_PREFIX):
                log.warning("%s does not know the configuration value %s", self.capability, printable(name))
        with self._life_cycle:
            if self._stopped:
                raise ProviderError(f"{self.name} is stopped")
            self.bind(configuration.module, configuration.values)
            self._bindings[configuration.module] = configuration.values
        return EMPTY

    def _remove_actor(self, payload: bytes) -> bytes:
        actor = decode(CapabilityConfiguration, payload).module
        with self._life_cycle:
            if actor in self._bindings:
                self._unbind(actor)
            else:
                log.warning("%s was asked to remove %s, which is not bound", self.capability, printable(actor))
        return EMPTY

    def _unbind(self, actor: str) -> None:
        # Forgotten first, so that no call begins while the actor's resources go.
        del self._bindings[actor]
        self.unbind(actor)

    def _describe(self, payload: bytes) -> bytes:
        return encode(self.descriptor)


_SYSTEM_OPERATIONS: Mapping[str, Callable[[Provider, bytes], bytes]] = {
    OP_BIND_ACTOR: Provider._bind_actor,
    OP_REMOVE_ACTOR: Provider._remove_actor,
    OP_GET_CAPABILITY_DESCRIPTOR: Provider._describe,
}


def not_bound(actor: str, capability_id: str) -> ProviderError:
    """The error of an operation of a capability that the actor is not bound to."""
    return ProviderError(f"{printable(actor)} is not bound to {printable(capability_id)}")


def reason(error: BaseException) -> str:
    """Why something failed, in one line: of an error of the system its text, without number and path."""
    text = error.strerror if isinstance(error, OSError) else None
    return printable(text or str(error)) or type(error).__name__


def distribution_version() -> str:
    """The version of the installed distribution; `0` when run from a source tree that is not installed."""
    try:
        return version("wascc")
    except PackageNotFoundError:
        return "0"
