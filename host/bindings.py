"""Bindings: which actor may use which provider, under which name and with which configuration values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from host.actor import Actor
from host.authorization import Authorizer, judge_binding
from host.codec import CodecError, encode
from host.codec.core import (
    OP_BIND_ACTOR,
    OP_REMOVE_ACTOR,
    RESERVED_PREFIX,
    SYSTEM_ACTOR,
    VALUE_CAPABILITIES,
    VALUE_EXPIRES,
    VALUE_ISSUER,
    VALUE_NAME,
    VALUE_TAGS,
    CapabilityConfiguration,
)
from host.core import SYSTEM, HostCore
from host.entities import ActorEntity, CapabilityEntity, is_actor_key, is_binding_name
from host.errors import CapabilityProviderError, HostError, InvocationFailure, MiscHostError
from host.loaded_providers import LoadedProvider, ProviderKey, Readiness
from host.logs import log, printable
from host.subjects import actor_subject, bound_subject, provider_subject
from host.verdicts import Verdict, attempted


@dataclass(frozen=True, slots=True)
class Binding:
    """An actor's binding to a provider. `values` may hold secrets and are not shown."""

    actor: str
    capability_id: str
    binding_name: str
    values: Mapping[str, str] = field(repr=False)

    @property
    def provider_key(self) -> ProviderKey:
        """What the provider is found by."""
        return self.capability_id, self.binding_name

    @property
    def key(self) -> tuple[str, ProviderKey]:
        """What the binding is found by."""
        return self.actor, self.provider_key

    @property
    def configures_actor(self) -> bool:
        """Whether the values are for an actor itself: its own key, or any actor's and `system`, stand for both."""
        return is_actor_key(self.capability_id) and self.actor in (self.capability_id, SYSTEM_ACTOR)

    @property
    def provider(self) -> CapabilityEntity:
        """The provider as the target of calls."""
        return CapabilityEntity(self.capability_id, self.binding_name)


def configuration(public_key: str, actor: Actor | None, values: Mapping[str, str]) -> bytes:
    """The payload of BindActor: the values, and what the host adds about the actor under reserved names.

    Raises MiscHostError where a name or value is no string or a name is reserved.
    """
    if not all(isinstance(text, str) for item in values.items() for text in item):
        raise MiscHostError("The names and values of a binding must be strings")
    if any(name.startswith(RESERVED_PREFIX) for name in values):
        raise MiscHostError(f"Names of values that begin with {RESERVED_PREFIX} are reserved for the host")
    added = {} if actor is None else _reserved_values(actor)
    try:
        return encode(CapabilityConfiguration(public_key, {**values, **added}))
    except CodecError as error:
        raise MiscHostError(f"The values of the binding cannot be sent: {error.reason}") from error


def _reserved_values(actor: Actor) -> dict[str, str]:
    return {
        VALUE_ISSUER: actor.issuer,
        VALUE_CAPABILITIES: ",".join(actor.capabilities),
        VALUE_NAME: actor.name,
        VALUE_EXPIRES: str(actor.claims.expires or 0),
        VALUE_TAGS: ",".join(actor.tags),
    }


def check_binding_name(name: str) -> None:
    """Raise MiscHostError if this cannot name a binding."""
    if not is_binding_name(name):
        raise MiscHostError(f"'{printable(name)}' cannot name a binding: a short text without the signs . * > can")


def judge_new_binding(binding: Binding, actor: Actor | None, authorizer: Authorizer) -> Iterator[Verdict]:
    """What each check says of a binding that is to be made for `actor`, None if it is not there. Whether a provider is
    there and takes the values, only binding it shows. The errors are MiscHostErrors and AuthorizationFailures."""
    yield attempted("name", lambda: check_binding_name(binding.binding_name))
    if actor is None and not (binding.configures_actor and binding.actor == SYSTEM_ACTOR):
        yield Verdict("actor", MiscHostError("Attempted to bind non-existent actor", "add it to the manifest's actors"))
        return
    yield Verdict("actor")
    if actor is not None and not binding.configures_actor:
        yield from judge_binding(actor.claims, authorizer, binding.provider, OP_BIND_ACTOR)
    yield attempted("values", lambda: configuration(binding.actor, actor, binding.values))


def _shown(binding: Binding) -> tuple[str, str]:
    return binding.actor, printable(binding.provider.title)


def _facts(binding: Binding) -> dict[str, str]:
    return {"actor": binding.actor, "provider": binding.provider.title}


class Bindings:
    """The bindings of one host. One caller at a time changes a binding; different ones change independently."""

    def __init__(self, core: HostCore) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._bound: dict[tuple[str, ProviderKey], Binding] = {}
        self._being_bound: set[tuple[str, ProviderKey]] = set()

    def all(self) -> tuple[Binding, ...]:
        """Every binding, in the order in which they were made."""
        with self._lock:
            return tuple(self._bound.values())

    def find(self, actor: str, provider: ProviderKey) -> Binding | None:
        """The actor's binding to that provider, None if there is none."""
        return self._bound.get((actor, provider))

    def may_dispatch(self, provider: ProviderKey, actor: str) -> bool:
        """Whether that provider may call the actor: it is bound, or the provider is just being configured for it."""
        return (actor, provider) in self._bound or (actor, provider) in self._being_bound

    def bind(
        self,
        binding: Binding,
        payload: bytes,
        loaded: LoadedProvider | None,
        still_possible: Callable[[], bool],
    ) -> None:
        """Send BindActor with `payload` to the provider `loaded`, serve the actor's private subject, and record it.

        `still_possible` is asked at the end whether actor and provider are still there. Raises CapabilityProviderError,
        CallRefused, HostShutDown. After an error a new binding is not there, an earlier one is as it was.
        """
        with self._core.turns.of(("binding", binding.key), f"The binding of {binding.actor}"):
            log.info("Attempting to bind actor %s to %s", *_shown(binding), extra=_facts(binding))
            self._being_bound.add(binding.key)
            readiness = Readiness()
            try:
                self._begin(binding, payload, loaded, readiness)
                self._record(binding, loaded, still_possible)
            except HostError as error:
                raise CapabilityProviderError(
                    f"Failed to configure {binding.provider.title} - {reason(error)}"
                ) from error
            finally:
                readiness.complete()
                self._being_bound.discard(binding.key)

    def unbind(self, binding: Binding) -> None:
        """Forget a binding, serve its private subject no more, and send RemoveActor to the provider.

        Raises HostError: what the provider answered, or that it did not; the binding is gone all the same.
        """
        with self._core.turns.of(("binding", binding.key), f"The binding of {binding.actor}"):
            with self._lock:
                if self._bound.pop(binding.key, None) is None:
                    return
            log.info("Unbinding actor %s from %s", *_shown(binding), extra=_facts(binding))
            self._core.bus.remove(_private_subject(binding))
            self._tell_provider(binding, OP_REMOVE_ACTOR, _removal(binding))

    def unbind_all(self, selected: Callable[[Binding], bool]) -> None:
        """Unbind those selected; what goes wrong is logged."""
        for binding in self.all():
            if selected(binding):
                try:
                    self.unbind(binding)
                except HostError as error:
                    log.warning("Failed to remove binding: %s", printable(reason(error)))

    def _tell_provider(self, binding: Binding, operation: str, payload: bytes) -> None:
        self._core.call(provider_subject(*binding.provider_key), SYSTEM, binding.provider, operation, payload)

    def _begin(self, binding: Binding, payload: bytes, loaded: LoadedProvider | None, readiness: Readiness) -> None:
        """Serve the private subject of a new binding, and send BindActor; after an error it is not served."""
        is_new = loaded is not None and binding.key not in self._bound
        if loaded is not None and is_new:
            loaded.serve_actor(binding.actor, readiness)
        try:
            self._tell_provider(binding, OP_BIND_ACTOR, payload)
        except BaseException:
            if is_new:
                self._core.bus.remove(_private_subject(binding))
            raise

    def _record(self, binding: Binding, loaded: LoadedProvider | None, still_possible: Callable[[], bool]) -> None:
        """Note the binding, or tell the provider that nothing comes of it."""
        try:
            with self._lock:
                if loaded is None or not still_possible():
                    raise MiscHostError("the actor or the provider was removed meanwhile")
                self._bound[binding.key] = binding
        except HostError:
            with self._lock:
                self._bound.pop(binding.key, None)
            self._core.bus.remove(_private_subject(binding))
            with suppress(HostError):
                self._tell_provider(binding, OP_REMOVE_ACTOR, _removal(binding))
            raise


def configure_actor(core: HostCore, public_key: str, payload: bytes) -> None:
    """Send BindActor to an actor itself. Raises CapabilityProviderError."""
    try:
        core.call(actor_subject(public_key), SYSTEM, ActorEntity(public_key), OP_BIND_ACTOR, payload)
    except HostError as error:
        raise CapabilityProviderError(f"Failed to configure {public_key} - {reason(error)}") from error


def reason(error: HostError) -> str:
    """The text of an error as another text goes on with it: the answer of the target, or the message."""
    return error.answer if isinstance(error, InvocationFailure) else error.message


def _removal(binding: Binding) -> bytes:
    return encode(CapabilityConfiguration(binding.actor, {}))


def _private_subject(binding: Binding) -> str:
    return bound_subject(*binding.provider_key, binding.actor)
