"""Loaded providers: the root and the private subjects that each serves, and its way to the actors bound to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from host.asgi import Application
from host.chains import current_chain
from host.codec.core import (
    OP_BIND_ACTOR,
    OP_GET_CAPABILITY_DESCRIPTOR,
    OP_REMOVE_ACTOR,
    SYSTEM_ACTOR,
    CapabilityDescriptor,
)
from host.core import SYSTEM, HostCore
from host.entities import ActorEntity, CapabilityEntity, is_capability_id
from host.errors import AuthorizationFailure, CapabilityProviderError, HostCallFailure, HostError, MiscHostError
from host.gate import Gate
from host.invocation import Invocation
from host.logs import log, places, printable, sparing
from host.providers.base import BAD_DISPATCH, CapabilityProvider, ProviderError
from host.redaction import secrets
from host.subjects import actor_subject, bound_subject, provider_subject

CORE_OPERATIONS = frozenset({OP_BIND_ACTOR, OP_GET_CAPABILITY_DESCRIPTOR, OP_REMOVE_ACTOR})
"""The operations of every provider, which it takes from the host alone."""

ProviderKey = tuple[str, str]
"""Capability id and binding name: what a loaded provider is found by."""

READY_SECONDS = 5.0
"""How long a call of an actor waits for its binding to be complete."""
STOP_SECONDS = 15.0
"""How long a provider may take to release everything."""

_T = TypeVar("_T")


class Readiness:
    """Whether a binding is complete.

    A provider may call the actor as soon as it has bound it, a moment before the host knows: what the actor asks for
    then waits. What BindActor itself waits for does not.
    """

    def __init__(self) -> None:
        self._chain = current_chain()
        self._complete = threading.Event()

    def complete(self) -> None:
        """It is, or nothing has come of it."""
        self._complete.set()

    def wait(self) -> None:
        """Wait until it is, for READY_SECONDS at most."""
        if not self._complete.is_set() and current_chain() is not self._chain:
            self._complete.wait(READY_SECONDS)


class LoadedProvider:
    """A provider under its binding name. Its handlers answer with HostCallFailure whatever the provider raises.

    `kind` is what log lines call it: native, which is Python here, or portable.
    """

    def __init__(self, core: HostCore, provider: CapabilityProvider, binding: str, kind: str = "native") -> None:
        self.provider = provider
        self.kind = kind
        self.descriptor = describe(provider)
        self.entity = CapabilityEntity(self.descriptor.id, binding)
        self._core = core
        self._gate = Gate(CapabilityProviderError, f"Capability provider {self.title} has been removed")

    @property
    def key(self) -> ProviderKey:
        """Capability id and binding name."""
        return self.entity.capability_id, self.entity.binding

    @property
    def title(self) -> str:
        """`<binding>,<capability id>`, as log lines and errors name it."""
        return self.entity.title

    @property
    def subject(self) -> str:
        """The root subject."""
        return provider_subject(self.entity.capability_id, self.entity.binding)

    def start(self, may_dispatch: Callable[[str], bool]) -> None:
        """Hand out the dispatcher, which asks `may_dispatch` for each actor, and serve the root subject.

        Raises CapabilityProviderError, HostShutDown, MiscHostError; the provider is stopped if it had been started.
        """
        dispatcher = ActorDispatcher(self._core, self._gate, self.entity, may_dispatch)
        _ask(self.provider, "configure_dispatch", lambda: self.provider.configure_dispatch(dispatcher))
        try:
            self._core.serve(self.subject, "capability", self._perform_root)
        except BaseException:
            self._stop_provider()
            raise

    def serve_actor(self, actor: str, readiness: Readiness) -> None:
        """Serve the private subject of an actor whose binding is complete when `readiness` says so. Raises
        MiscHostError, HostShutDown."""
        perform = partial(self._perform_bound, ActorEntity(actor), readiness)
        self._core.serve(self.subject_of(actor), "capability", perform)

    def subject_of(self, actor: str) -> str:
        """The private subject of a bound actor."""
        return bound_subject(self.entity.capability_id, self.entity.binding, actor)

    def drain(self) -> None:
        """Have the provider take no new work from outside and finish what it has taken, if it can."""
        drain = getattr(self.provider, "drain", None)
        if callable(drain):
            try:
                drain()
            except (Exception, SystemExit) as error:
                _log_failure(self.title, "drain", error)

    def stop(self, seconds: float) -> None:
        """Let no call in any more, give those inside so long, and have the provider release everything."""
        self._core.bus.remove(self.subject)
        self._gate.close()
        if not self._gate.drain(seconds):
            log.warning("Capability provider %s is stopped while calls to it are still running", printable(self.title))
        stopping = threading.Thread(target=self._stop_provider, name=f"stopping {self.title}", daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        if stopping.is_alive():
            log.warning("Capability provider %s does not stop; it is left behind", printable(self.title))

    def _stop_provider(self) -> None:
        try:
            self.provider.stop()
        except (Exception, SystemExit) as error:
            _log_failure(self.title, "stop", error)

    def _perform_root(self, invocation: Invocation) -> bytes:
        if invocation.operation not in CORE_OPERATIONS:
            raise MiscHostError("Attempted to invoke binding-required operation on unbound provider")
        if invocation.origin != SYSTEM:
            raise AuthorizationFailure(f"{invocation.operation} is an operation of the host alone")
        return self._handle_call(SYSTEM_ACTOR, invocation)

    def _perform_bound(self, actor: ActorEntity, readiness: Readiness, invocation: Invocation) -> bytes:
        if invocation.origin != actor:
            raise AuthorizationFailure("The invocation is not from the actor that this subject belongs to")
        check_for_actors(invocation.operation)
        readiness.wait()
        return self._handle_call(actor.public_key, invocation)

    def _handle_call(self, actor: str, invocation: Invocation) -> bytes:
        with self._gate:
            try:
                reply = self.provider.handle_call(actor, invocation.operation, invocation.payload)
            except (ProviderError, HostError) as error:
                text = str(error)
                shown = secrets.redacted(text)
                # Not chained with a secret in it, for whoever prints the whole chain.
                raise HostCallFailure(shown) from (error if shown == text else None)
            except Exception as error:
                _log_failure(self.title, invocation.operation, error)
                raise HostCallFailure(_summary(self.title, error)) from error
        if isinstance(reply, bytes):
            return reply
        raise HostCallFailure(f"provider {self.title} answered with {type(reply).__name__}, not with bytes")


def check_for_actors(operation: str) -> None:
    """Raise HostCallFailure if a provider does not take this operation from actors."""
    if operation in CORE_OPERATIONS:
        raise HostCallFailure(BAD_DISPATCH)


def cannot_be_loaded_twice(capability_id: str, binding: str) -> CapabilityProviderError:
    """The error of a provider whose capability id and binding name are taken."""
    return CapabilityProviderError(
        f"Capability provider {capability_id} cannot be bound to the same name ({binding}) twice, loading failed."
    )


class ActorDispatcher:
    """A provider's way to the actors: those that are bound to it, and no others."""

    def __init__(
        self, core: HostCore, gate: Gate, origin: CapabilityEntity, may_dispatch: Callable[[str], bool]
    ) -> None:
        self._core = core
        self._gate = gate
        self._origin = origin
        self._may_dispatch = may_dispatch

    def around_http(self, application: Application) -> Application:
        """Put the host's middleware around the application of an HTTP server."""
        return self._core.middleware.around_http(application)

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        """Call an actor bound to this provider. Raises InvocationFailure (its error), AuthorizationFailure (not bound),
        CapabilityProviderError (the provider has been removed), HostShutDown, NoSubscribers."""
        with self._core.gate, self._gate:
            if not self._may_dispatch(actor):
                text = f"Provider {self._origin.title} attempted to call {operation} on {actor}, not bound to it"
                raise AuthorizationFailure(text)
            message = bytes(memoryview(payload))
            return self._core.call(actor_subject(actor), self._origin, ActorEntity(actor), operation, message)


class LoadedProviders:
    """The loaded providers of one host, by capability id and binding name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[ProviderKey, LoadedProvider] = {}

    def find(self, key: ProviderKey) -> LoadedProvider | None:
        """The provider under that key, None if there is none."""
        return self._loaded.get(key)

    def all(self) -> tuple[LoadedProvider, ...]:
        """Every loaded provider, in the order in which they were loaded."""
        with self._lock:
            return tuple(self._loaded.values())

    def start(self, loaded: LoadedProvider, may_dispatch: Callable[[str], bool]) -> None:
        """Take a provider in and start it; after an error nothing of it is left.

        Raises CapabilityProviderError (one of that key is there, or it failed), HostShutDown, MiscHostError.
        """
        capability_id, binding = loaded.key
        with self._lock:
            if loaded.key in self._loaded:
                raise cannot_be_loaded_twice(capability_id, binding)
            if any(other.provider is loaded.provider for other in self._loaded.values()):
                raise CapabilityProviderError(f"Capability provider {capability_id} is loaded already; make a new one")
            self._loaded[loaded.key] = loaded
        try:
            loaded.start(may_dispatch)
        except BaseException:
            self.forget(loaded)
            raise
        descriptor = loaded.descriptor
        log.info(
            "Loaded %s capability provider '%s' v%s (%d) for %s/%s",
            loaded.kind,
            *(printable(descriptor.name), printable(descriptor.version), descriptor.revision),
            *(printable(capability_id), printable(binding)),
        )
        log.info(
            "%s capability provider '(%s,%s)' ready", loaded.kind.title(), printable(binding), printable(capability_id)
        )

    def forget(self, loaded: LoadedProvider) -> bool:
        """Take a provider out of the table; False if it was not there."""
        with self._lock:
            is_there = self._loaded.get(loaded.key) is loaded
            if is_there:
                del self._loaded[loaded.key]
            return is_there


def describe(provider: CapabilityProvider) -> CapabilityDescriptor:
    """What a provider says of itself. Raises CapabilityProviderError."""
    descriptor = _ask(provider, "descriptor", lambda: provider.descriptor)
    if not isinstance(descriptor, CapabilityDescriptor) or not is_capability_id(descriptor.id):
        raise CapabilityProviderError(f"{type(provider).__name__} does not describe a capability")
    return descriptor


def _ask(provider: CapabilityProvider, what: str, question: Callable[[], _T]) -> _T:
    try:
        return question()
    except ProviderError as error:
        raise CapabilityProviderError(str(error)) from error
    except Exception as error:
        name = type(provider).__name__
        _log_failure(name, what, error)
        raise CapabilityProviderError(_summary(name, error)) from error


def _summary(title: str, error: Exception) -> str:
    """What the caller learns of an unexpected error: not its text, which may hold a secret of the configuration."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "see the log of the host"
    return f"{type(error).__name__} in provider {title}: {reason}"


def _log_failure(title: str, operation: str, error: BaseException) -> None:
    """Say what failed and where in the code; the error's text may hold a secret and is left out."""
    facts = (title, operation, type(error).__name__, places(error))
    sparing.log(logging.ERROR, "%s failed at %s with %s at %s", *map(printable, facts))
