"""A host that follows a manifest: each new version of it is applied as its difference from what runs, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.actor import Actor
from host.artifact_files import load_actor
from host.codec.core import SYSTEM_ACTOR
from host.errors import AuthorizationFailure, MiscHostError
from host.host import Host
from host.logs import log, printable
from host.manifest.application import naming, provider_of
from host.manifest.difference import (
    AddActor,
    AddCapability,
    BindingKey,
    CapabilityKey,
    Desired,
    DesiredActor,
    RemoveActor,
    RemoveBinding,
    RemoveCapability,
    RemoveLabel,
    ReplaceActor,
    SetBinding,
    SetLabel,
    Step,
    difference,
)
from host.manifest.fields import resolved
from host.manifest.model import CapabilityEntry, Manifest
from host.providers.base import CapabilityProvider

_COMPARED = frozenset({"labels", "actors", "capabilities", "bindings"})
"""The fields of a manifest whose changes are applied to a running host."""


@dataclass(slots=True)
class _Version:
    """What a version of the manifest asks for, with the modules and new providers that it needs."""

    manifest: Manifest
    desired: Desired
    actors: dict[str, Actor]
    entries: dict[CapabilityKey, CapabilityEntry]
    providers: dict[CapabilityKey, CapabilityProvider] = field(default_factory=dict)


class Deployment:
    """A host and the manifest that it was made to follow. Used by one thread."""

    def __init__(self, host: Host, manifest: Manifest) -> None:
        """Apply the first version. Raises what `Host.apply_manifest` raises."""
        self._host = host
        self._own_labels = frozenset(host.labels)
        loaded_before = set(host.capabilities())
        host.apply_manifest(manifest)
        loaded = [
            (capability_id, name)
            for name, capability_id in host.capabilities()
            if (name, capability_id) not in loaded_before
        ]
        entries = dict(zip(loaded, manifest.capabilities, strict=True))
        states = host.actor_states()
        desired = Desired(
            self._labels(manifest),
            {state.actor.public_key: DesiredActor(state.actor.digest, state.settings) for state in states},
            {key: _source(entry) for key, entry in entries.items()},
            _bindings(manifest),
        )
        actors = {state.actor.public_key: state.actor for state in states}
        self._running = _Version(manifest, desired, actors, entries)
        for key, actor in desired.actors.items():
            _say_digest(key, actor)

    def update(self, manifest: Manifest) -> bool:
        """Do what a new version of the manifest says; whether anything had to change.

        Raises HostError: it cannot be carried out, and what ran before runs on.
        """
        wanted, former = self._version(manifest), self._running
        former_state = former.desired
        changed = False
        try:
            self._check_bindings(wanted)
            for step in difference(former.desired, wanted.desired):
                changed = True
                self._take(step, wanted)
                # Remembered one by one, so that it is known what to take back.
                former.desired = step.after(former.desired)
        except BaseException:
            self._take_back(former, former_state)
            raise
        finally:
            _stop(wanted.providers)
        self._running = wanted
        return changed

    def _take_back(self, former: _Version, state: Desired) -> None:
        for step in difference(former.desired, state):
            try:
                self._take(step, former)
            except Exception as error:
                log.error("While a change is taken back: %s", printable(str(error)))
        former.desired = state

    def _version(self, manifest: Manifest) -> _Version:
        for name in type(manifest).model_fields:
            if name not in _COMPARED and getattr(manifest, name) != getattr(self._running.manifest, name):
                raise MiscHostError(f"{name} has changed, which takes a host that starts anew")
        actors: dict[str, Actor] = {}
        desired_actors: dict[str, DesiredActor] = {}
        for index, entry in enumerate(manifest.actors):
            with naming(f"actors[{index}] ({entry.path})"):
                actor = load_actor(entry.path, manifest.folder, self._host.registry)
                if actor.public_key in actors:
                    raise MiscHostError(f"actor {actor.public_key} is listed twice")
            actors[actor.public_key] = actor
            desired_actors[actor.public_key] = DesiredActor(actor.digest, entry.settings)
        bindings = _bindings(manifest)
        entries, new = self._capabilities(manifest)
        sources = {key: _source(entry) for key, entry in entries.items()}
        desired = Desired(self._labels(manifest), desired_actors, sources, bindings)
        return _Version(manifest, desired, actors, entries, new)

    def _capabilities(
        self, manifest: Manifest
    ) -> tuple[dict[CapabilityKey, CapabilityEntry], dict[CapabilityKey, CapabilityProvider]]:
        """The entries of providers by what they are found by, and those providers that are not running."""
        known = {(source, key[1]): key for key, source in self._running.desired.capabilities.items()}
        entries: dict[CapabilityKey, CapabilityEntry] = {}
        new: dict[CapabilityKey, CapabilityProvider] = {}
        try:
            for index, entry in enumerate(manifest.capabilities):
                with naming(f"capabilities[{index}]"):
                    key = known.get((_source(entry), entry.binding))
                    if key is None:
                        provider = self._provider(entry, manifest)
                        if isinstance(provider, Actor):
                            raise MiscHostError("a portable provider is loaded by a host that starts anew")
                        key = (provider.descriptor.id, entry.binding)
                        new.setdefault(key, provider)
                    if key in entries:
                        raise MiscHostError(f"{key[0]} is there twice under the binding name {key[1]}")
                entries[key] = entry
        except BaseException:
            _stop(new)
            raise
        return entries, new

    def _provider(self, entry: CapabilityEntry, manifest: Manifest) -> CapabilityProvider | Actor:
        host = self._host
        return provider_of(entry, host.provider_source, manifest.folder, host.policies, host.registry)

    def _labels(self, manifest: Manifest) -> dict[str, str]:
        """What is added to the host: a label that it has of its own stays as it is."""
        return {key: value for key, value in manifest.labels.items() if key not in self._own_labels}

    @staticmethod
    def _check_bindings(wanted: _Version) -> None:
        """Before anything happens: what is bound is there, and a module without the rights that its bindings need shall
        not take over."""
        for actor, capability_id, _ in wanted.desired.bindings:
            found = wanted.actors.get(actor)
            if found is None and actor != SYSTEM_ACTOR:
                raise MiscHostError(f"actor {printable(actor)} is bound, and not among the actors of the manifest")
            if found is not None and capability_id != actor and capability_id not in found.capabilities:
                raise AuthorizationFailure(
                    f"actor {actor} is bound to {printable(capability_id)}, which the claims of its module do not list"
                )

    def _take(self, step: Step, version: _Version) -> None:
        host = self._host
        match step:
            case RemoveBinding((actor, capability_id, name)):
                if host.find_binding(actor, capability_id, name) is not None:
                    host.remove_binding(actor, capability_id, name)
            case RemoveActor(actor):
                host.remove_actor(actor)
            case RemoveCapability((capability_id, name)):
                host.remove_capability(capability_id, name)
            case RemoveLabel(label):
                host.remove_label(label)
            case SetLabel(label, value):
                host.add_label(label, value)
            case AddCapability(key):
                entry, folder = version.entries[key], version.manifest.folder
                provider = version.providers.pop(key, None) or self._provider(entry, version.manifest)
                host.add_capability(provider, entry.binding, None if entry.wasi is None else entry.wasi.params(folder))
            case ReplaceActor(actor, desired):
                # A lower revision is put back where a change is taken back, and nowhere else.
                host.replace_actor(version.actors[actor], force=version is self._running)
                _say_digest(actor, desired)
            case AddActor(actor, desired):
                host.add_actor(version.actors[actor], desired.settings)
                _say_digest(actor, desired)
            case SetBinding((actor, capability_id, name), values):
                host.set_binding(actor, capability_id, name, values)


def _bindings(manifest: Manifest) -> dict[BindingKey, dict[str, str]]:
    found = {}
    for index, entry in enumerate(manifest.bindings):
        with naming(f"bindings[{index}]"):
            found[entry.actor, entry.capability, entry.binding_name] = resolved(entry.values, manifest.folder)
    return found


def _source(entry: CapabilityEntry) -> str:
    """What a provider is made of, as far as the manifest says."""
    return entry.path if entry.wasi is None else f"{entry.path} {entry.wasi!r}"


def _say_digest(key: str, actor: DesiredActor) -> None:
    log.info("Actor %s now runs sha256:%s", key, actor.digest, extra={"actor": key})


def _stop(providers: dict[CapabilityKey, CapabilityProvider]) -> None:
    """Give up providers that were made and not taken."""
    for provider in providers.values():
        try:
            provider.stop()
        except Exception as error:
            log.warning("%s", printable(type(error).__name__))
