"""The host: actors, providers and the bindings between them, and the calls that go through it.

Everything here may be called by any thread, also by a provider from within a call; but not from a signal handler.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, TypeVar

from host.actor import Actor
from host.actor_settings import ActorSettings
from host.archives import provider_in
from host.artifact_files import pull
from host.bindings import (
    Binding,
    Bindings,
    check_binding_name,
    configuration,
    configure_actor,
    judge_new_binding,
    reason,
)
from host.chains import Way, active_chains
from host.codec.core import CapabilityDescriptor
from host.codec.extras import CAPABILITY as EXTRAS
from host.core import SYSTEM, HostCore
from host.entities import DEFAULT_BINDING, ActorEntity, CapabilityEntity
from host.errors import CapabilityProviderError, HostError, MiscHostError
from host.loaded_providers import LoadedProvider, LoadedProviders, ProviderKey
from host.logs import log, printable
from host.manifest import Manifest
from host.manifest.application import apply
from host.middleware import Middleware
from host.plugins import ProviderSource
from host.policy import Policies, Policy
from host.providers.base import CapabilityProvider
from host.providers.portable import PortableProvider
from host.registry.options import RegistryOptions
from host.running_actors import ActorState, RunningActors
from host.subjects import actor_subject
from host.verdicts import require
from interp.wasi import WasiParams
from wascap import ActorMetadata, Claims

_T = TypeVar("_T")


class Host:
    """A running host, made by `HostBuilder`. Used as a context manager it shuts down at the end.

    Behaviour and error texts: `docs/host.md`. After `shutdown` everything that changes or calls raises HostShutDown.
    """

    def __init__(
        self, core: HostCore, labels: Mapping[str, str], provider_source: ProviderSource, registry: RegistryOptions
    ) -> None:
        """For `HostBuilder`: a host of these shared parts and labels, that finds providers in `provider_source`, and
        uses registries as `registry` says."""
        self._core = core
        self._labels = dict(labels)
        self._provider_source = provider_source
        self._registry = registry
        self._actors = RunningActors(core)
        self._providers = LoadedProviders()
        self._bindings = Bindings(core)
        self._closing = threading.Lock()
        self._shut_down_by: int | None = None
        self._finished = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return f"<Host {self.id}>"

    @property
    def id(self) -> str:
        """The host's public key, a server key, made anew for each host."""
        return self._core.host_id

    @property
    def labels(self) -> Mapping[str, str]:
        """The host's labels, a copy."""
        return dict(self._labels)

    @property
    def provider_source(self) -> ProviderSource:
        """Where providers are found by name."""
        return self._provider_source

    @property
    def registry(self) -> RegistryOptions:
        """How OCI registries are used."""
        return self._registry

    def add_label(self, key: str, value: str) -> bool:
        """Add a label; False if the host has one of that key, which stays as it is."""
        is_new = key not in self._labels
        self._labels.setdefault(key, value)
        return is_new

    def remove_label(self, key: str) -> None:
        """Take a label away, if it is there."""
        self._labels.pop(key, None)

    @property
    def policies(self) -> Policies:
        """The trust policies of this host; what brings signed code in asks them with `Policies.check`."""
        return self._core.policies

    def add_policy(self, policy: Policy) -> None:
        """Let only what this policy allows too be loaded from now on. What runs already stays; the log names the actors
        that it would refuse."""
        self._core.policies.add(policy)
        for actor in self._actors.all():
            for verdict in policy.judge(actor.claims, actor.digest):
                if verdict.error is not None:
                    log.warning(
                        "Actor %s runs on: %s",
                        actor.public_key,
                        printable(verdict.error.message),
                        extra={"actor": actor.public_key},
                    )

    def remove_policy(self, policy: Policy) -> None:
        """Ask a policy that was added no more."""
        self._core.policies.remove(policy)

    def add_actor(self, actor: Actor, settings: ActorSettings | None = None) -> None:
        """Check and start an actor, with `settings` of its own if they are given; after an error nothing of it is left
        behind. Where its claims list the extras, it is bound to them.

        Raises DuplicateActor, AuthorizationFailure (its token, or the authorizer), WapcFailure (its module),
        CapabilityProviderError (binding to the extras), CallRefused, HostShutDown.
        """
        with self._core.gate, self._changing_actor(actor.public_key):
            self._actors.start(actor, settings or ActorSettings())
            try:
                self._bind_extras(actor)
            except BaseException:
                self._stop_actor(actor.public_key)
                raise

    def add_actor_from_registry(self, reference: str, settings: ActorSettings | None = None) -> str:
        """Pull an actor from an OCI registry, and add it as `add_actor` does; its public key.

        Raises RegistryError, and what `Actor.from_bytes` and `add_actor` raise.
        """
        with self._core.gate:
            actor = Actor.from_bytes(pull(reference, self._registry))
            self.add_actor(actor, settings)
            return actor.public_key

    def remove_actor(self, public_key: str) -> None:
        """Take an actor out: calls under way finish, its bindings go. Raises NoSuchActor, CallRefused, HostShutDown."""
        with self._core.gate, self._changing_actor(public_key):
            self._stop_actor(public_key)

    def replace_actor(self, actor: Actor, *, force: bool = False) -> None:
        """Put a new module in the place of the running one with the same public key: calls from now on get it, those
        under way finish with the old one. Its claims count from then on; bindings to capabilities that it claims no
        more are removed. Only `force` puts a lower revision in the place of a higher one.

        Raises NoSuchActor, AuthorizationFailure, RevisionRefused, WapcFailure, CallRefused, HostShutDown: the old
        module serves on.
        """
        public_key = actor.public_key
        with self._core.gate, self._changing_actor(public_key):
            self._actors.replace(actor, force)
            self._bindings.unbind_all(
                lambda binding: binding.actor == public_key and binding.capability_id not in actor.capabilities
            )
            _attempt(self._bind_extras, actor)

    def add_capability(
        self, provider: CapabilityProvider | Actor, binding: str = DEFAULT_BINDING, wasi: WasiParams | None = None
    ) -> CapabilityDescriptor:
        """Load a provider under a binding name; which capability it offers, its descriptor says, which is returned.

        An actor here is a portable provider: a module signed as one, which gets what `wasi` says of the system. Raises
        CapabilityProviderError, MiscHostError (binding name), HostShutDown, and for a portable provider
        AuthorizationFailure (its token, or the authorizer) and WapcFailure (its module).
        """
        with self._core.gate:
            check_binding_name(binding)
            if not isinstance(provider, Actor):
                if wasi is not None:
                    raise MiscHostError("wasi is for portable providers; a native one has no need of it")
                return self._start_provider(LoadedProvider(self._core, provider, binding))
            portable = PortableProvider(self._core, provider, wasi)
            try:
                return self._start_provider(LoadedProvider(self._core, portable, binding, "portable"))
            except BaseException:
                portable.stop()
                raise

    def add_capability_from_archive(
        self, archive: bytes, binding: str = DEFAULT_BINDING, wasi: WasiParams | None = None
    ) -> CapabilityDescriptor:
        """Load the portable provider in a provider archive, as `add_capability` does, once the archive may be believed.

        Raises CapabilityProviderError (it is no archive, or nothing in it runs here), AuthorizationFailure (its token,
        or a policy), and what `add_capability` raises.
        """
        with self._core.gate:
            return self.add_capability(provider_in(archive, self.policies), binding, wasi)

    def add_capability_from_registry(
        self, reference: str, binding: str = DEFAULT_BINDING, wasi: WasiParams | None = None
    ) -> CapabilityDescriptor:
        """Pull a provider archive or a signed module from an OCI registry, and load the portable provider in it.

        Raises RegistryError, and what `add_capability_from_archive` raises.
        """
        with self._core.gate:
            return self.add_capability_from_archive(pull(reference, self._registry), binding, wasi)

    def remove_capability(self, capability_id: str, binding: str = DEFAULT_BINDING) -> None:
        """Take a provider out: its bindings go, calls under way finish, then it is stopped. One of the same kind may be
        added afterwards and be bound anew. Raises CapabilityProviderError (there is none), HostShutDown."""
        with self._core.gate, self._changing_provider((capability_id, binding)):
            loaded = self._providers.find((capability_id, binding))
            if loaded is None:
                raise CapabilityProviderError("No such capability")
            self._stop_provider(loaded)

    def add_middleware(self, middleware: Middleware) -> None:
        """Start a middleware and run it around every call from now on, inside those that were added before.

        Raises MiddlewareError (it does not start, or has been added already), HostShutDown.
        """
        with self._core.gate:
            self._core.middleware.add(middleware, self)

    def remove_middleware(self, middleware: Middleware) -> None:
        """Take a middleware out and close it; calls under way still pass through it. Raises MiddlewareError (it is not
        there), HostShutDown."""
        with self._core.gate:
            self._core.middleware.remove(middleware)

    def set_binding(
        self, actor: str, capability_id: str, binding: str = DEFAULT_BINDING, values: Mapping[str, str] | None = None
    ) -> None:
        """Bind an actor to a provider, with the configuration `values`; binding again configures anew.

        A capability id that is the public key of the actor (any actor, where `actor` is `system`) sends the values to
        the actor itself. Raises MiscHostError (no such actor, impossible name or values), AuthorizationFailure,
        CapabilityProviderError (the provider is not there, or refused), CallRefused, HostShutDown.
        """
        with self._core.gate:
            wanted = Binding(actor, capability_id, binding, dict(values or {}))
            found = self._actors.find(actor)
            require(judge_new_binding(wanted, found, self._core.authorizer))
            payload = configuration(actor, found, wanted.values)
            if wanted.configures_actor:
                configure_actor(self._core, capability_id, payload)
            else:
                self._bind(wanted, payload)

    def remove_binding(self, actor: str, capability_id: str, binding: str = DEFAULT_BINDING) -> None:
        """Undo a binding. Raises MiscHostError (there is none, or the provider failed; it is gone all the same),
        HostShutDown."""
        with self._core.gate:
            found = self._bindings.find(actor, (capability_id, binding))
            try:
                if found is None:
                    provider = CapabilityEntity(capability_id, binding)
                    raise MiscHostError(f"actor {actor} is not bound to {provider.title}")
                self._bindings.unbind(found)
            except HostError as error:
                raise MiscHostError(f"Failed to remove binding: {reason(error)}") from error

    def call_actor(self, public_key: str, operation: str, payload: bytes) -> bytes:
        """Have an actor of this host carry out an operation, and return its answer.

        Raises NoSuchActor, InvocationFailure (whatever went wrong in the actor or on the way), HostShutDown.
        """
        with self._core.gate:
            self._actors.get(public_key)
            return self._core.call(
                actor_subject(public_key), SYSTEM, ActorEntity(public_key), operation, bytes(memoryview(payload))
            )

    def apply_manifest(self, manifest: Manifest) -> None:
        """Add what a manifest lists: labels, actors, capabilities, bindings. The first error ends it, and what it had
        added until then is taken back. Raises what adding it by hand raises, ManifestError, PluginError."""
        with self._core.gate:
            apply(self, manifest, self._provider_source, self._registry)
            log.info("Processed and applied host manifest")

    def actors(self) -> dict[str, Claims[ActorMetadata]]:
        """The claims of every actor in this host by public key, in the order in which they were added."""
        return {actor.public_key: actor.claims for actor in self._actors.all()}

    def actor_states(self) -> tuple[ActorState, ...]:
        """What every actor in this host is doing, in the order in which they were added."""
        return self._actors.states()

    def calls_under_way(self) -> tuple[Way, ...]:
        """Every call that is under way now, with its hops, the longest one first; those of other hosts in this process
        too."""
        return active_chains()

    def claims_for_actor(self, public_key: str) -> Claims[ActorMetadata] | None:
        """The claims of an actor, None if it is not in this host."""
        found = self._actors.find(public_key)
        return found.claims if found else None

    def actors_by_tag(self, tags: Iterable[str]) -> tuple[str, ...]:
        """The public keys of the actors in this host that have every one of these tags."""
        wanted = set(tags)
        return tuple(actor.public_key for actor in self._actors.all() if wanted <= set(actor.tags))

    def capabilities(self) -> dict[tuple[str, str], CapabilityDescriptor]:
        """The descriptor of every loaded provider, by binding name and capability id."""
        return {
            (loaded.entity.binding, loaded.entity.capability_id): loaded.descriptor for loaded in self._providers.all()
        }

    def middleware(self) -> tuple[Middleware, ...]:
        """Every middleware, outermost first."""
        return self._core.middleware.all

    def bindings(self) -> tuple[Binding, ...]:
        """Every binding, in the order in which they were made."""
        return self._bindings.all()

    def find_binding(self, actor: str, capability_id: str, binding: str = DEFAULT_BINDING) -> Binding | None:
        """One binding, None if there is none."""
        return self._bindings.find(actor, (capability_id, binding))

    def shutdown(self) -> None:
        """Have the providers take no new work from outside, take no new calls, let those under way finish, then remove
        the actors, the providers and the bus.

        Calling it again does no harm: another thread waits until the host is down, but nobody waits for itself (a
        provider that shuts down its host from within a call, or while it is being stopped). After an interrupt, such as
        KeyboardInterrupt, calling it again goes on with it.
        """
        seconds = self._core.settings.shutdown_seconds
        if not self._closing.acquire(blocking=False):
            if not self._core.gate.entered_here and self._shut_down_by != threading.get_ident():
                self._finished.wait(seconds)
            return
        self._shut_down_by = threading.get_ident()
        log.info("Shutting down host")
        is_interrupted = False
        try:
            if not self._core.gate.entered_here:
                self._drain_providers(seconds)
            self._core.gate.close()
            if not self._core.gate.drain(seconds):
                log.warning(
                    "The host shuts down without waiting any longer for %s",
                    "; ".join(map(str, active_chains())) or "calls",
                )
                seconds = 0.0
            self._remove_everything(seconds)
            self._core.bus.close()
            # What a call that outlasted the wait has added since then.
            self._remove_everything(seconds)
        except (KeyboardInterrupt, SystemExit):
            is_interrupted = True
            raise
        finally:
            if is_interrupted:
                self._shut_down_by = None
                self._closing.release()
            else:
                self._core.middleware.close()
                self._finished.set()

    def _drain_providers(self, seconds: float) -> None:
        """Have all providers drain at the same time, and wait so long for them."""
        draining = [
            threading.Thread(target=loaded.drain, name=f"draining {loaded.title}", daemon=True)
            for loaded in self._providers.all()
        ]
        for thread in draining:
            thread.start()
        end = time.monotonic() + seconds
        for thread in draining:
            thread.join(max(0.0, end - time.monotonic()))

    def _changing_actor(self, public_key: str) -> AbstractContextManager[None]:
        return self._core.turns.of(("actor", public_key), f"Changing actor {public_key}")

    def _changing_provider(self, key: ProviderKey) -> AbstractContextManager[None]:
        return self._core.turns.of(("provider", key), f"Changing capability provider {CapabilityEntity(*key).title}")

    def _remove_everything(self, seconds: float) -> None:
        for actor in self._actors.all():
            _attempt(lambda public_key: self._stop_actor(public_key, seconds), actor.public_key)
        for loaded in self._providers.all():
            _attempt(lambda provider: self._stop_provider(provider, seconds), loaded)

    def _stop_actor(self, public_key: str, seconds: float | None = None) -> None:
        self._actors.stop(public_key, self._core.settings.shutdown_seconds if seconds is None else seconds)
        self._bindings.unbind_all(lambda binding: binding.actor == public_key)

    def _start_provider(self, loaded: LoadedProvider) -> CapabilityDescriptor:
        with self._changing_provider(loaded.key):
            self._providers.start(loaded, lambda actor: self._bindings.may_dispatch(loaded.key, actor))
        return loaded.descriptor

    def _stop_provider(self, loaded: LoadedProvider, seconds: float | None = None) -> None:
        if not self._providers.forget(loaded):
            return
        log.info("Terminating %s capability provider %s", loaded.kind, printable(loaded.title))
        self._bindings.unbind_all(lambda binding: binding.provider_key == loaded.key)
        loaded.stop(self._core.settings.shutdown_seconds if seconds is None else seconds)

    def _bind(self, binding: Binding, payload: bytes) -> None:
        loaded = self._providers.find(binding.provider_key)

        def still_possible() -> bool:
            actor = self._actors.find(binding.actor)
            is_claimed = actor is not None and binding.capability_id in actor.capabilities
            return is_claimed and self._providers.find(binding.provider_key) is loaded

        self._bindings.bind(binding, payload, loaded, still_possible)

    def _bind_extras(self, actor: Actor) -> None:
        provider_key = (EXTRAS, DEFAULT_BINDING)
        is_bound = self._bindings.find(actor.public_key, provider_key) is not None
        if EXTRAS in actor.capabilities and not is_bound and self._providers.find(provider_key):
            self.set_binding(actor.public_key, EXTRAS)


def _attempt(step: Callable[[_T], None], subject: _T) -> None:
    """Take a step that must not keep the next ones from being taken; what goes wrong is logged."""
    try:
        step(subject)
    except Exception as error:
        log.warning("%s", printable(str(error)))
