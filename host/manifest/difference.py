"""What has to happen for a host that does what one manifest says to do what another one says.

Pure: it says which steps to take, in which order, and `host.manifest.deployment` takes them. Nothing that stays as it
is has a step, and what a step needs is there when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from host.actor_settings import ActorSettings

_K = TypeVar("_K")
_V = TypeVar("_V")

CapabilityKey = tuple[str, str]
"""Capability id and binding name."""
BindingKey = tuple[str, str, str]
"""Public key of the actor, capability id and binding name. A capability id that is an actor's key stands for that actor
itself, which is configured."""


@dataclass(frozen=True, slots=True)
class DesiredActor:
    """The SHA-256 digest of an actor's module, and how it runs."""

    digest: str
    settings: ActorSettings = field(default_factory=ActorSettings)


@dataclass(frozen=True, slots=True)
class Desired:
    """What a host is to run: actors by public key, the paths of providers, the values of bindings."""

    labels: Mapping[str, str] = field(default_factory=dict)
    actors: Mapping[str, DesiredActor] = field(default_factory=dict)
    capabilities: Mapping[CapabilityKey, str] = field(default_factory=dict)
    bindings: Mapping[BindingKey, Mapping[str, str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoveBinding:
    """Undo a binding."""

    key: BindingKey

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, bindings=_without(state.bindings, self.key))


@dataclass(frozen=True, slots=True)
class RemoveActor:
    """Take an actor out; its bindings go with it."""

    key: str

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        kept = {binding: values for binding, values in state.bindings.items() if self.key not in binding[:2]}
        return replace(state, actors=_without(state.actors, self.key), bindings=kept)


@dataclass(frozen=True, slots=True)
class RemoveCapability:
    """Take a provider out; its bindings go with it."""

    key: CapabilityKey

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        kept = {binding: values for binding, values in state.bindings.items() if binding[1:] != self.key}
        return replace(state, capabilities=_without(state.capabilities, self.key), bindings=kept)


@dataclass(frozen=True, slots=True)
class RemoveLabel:
    """Take a label away."""

    key: str

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, labels=_without(state.labels, self.key))


@dataclass(frozen=True, slots=True)
class SetLabel:
    """Add a label that is not there."""

    key: str
    value: str

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, labels={**state.labels, self.key: self.value})


@dataclass(frozen=True, slots=True)
class AddCapability:
    """Load the provider of a path."""

    key: CapabilityKey
    path: str

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, capabilities={**state.capabilities, self.key: self.path})


@dataclass(frozen=True, slots=True)
class _PutActor:
    key: str
    actor: DesiredActor

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, actors={**state.actors, self.key: self.actor})


@dataclass(frozen=True, slots=True)
class ReplaceActor(_PutActor):
    """Put another module in the place of a running one; its bindings stay."""


@dataclass(frozen=True, slots=True)
class AddActor(_PutActor):
    """Start an actor."""


@dataclass(frozen=True, slots=True)
class SetBinding:
    """Bind an actor to a provider, or configure it anew."""

    key: BindingKey
    values: Mapping[str, str] = field(repr=False)

    def after(self, state: Desired) -> Desired:
        """What the host does once this is done."""
        return replace(state, bindings={**state.bindings, self.key: self.values})


Step = (
    RemoveBinding
    | RemoveActor
    | RemoveCapability
    | RemoveLabel
    | SetLabel
    | AddCapability
    | ReplaceActor
    | AddActor
    | SetBinding
)


def difference(before: Desired, after: Desired) -> list[Step]:
    """The steps from one to the other: first what goes, then what comes or changes.

    An actor whose settings change, and a provider whose path changes, go and come again; with them their bindings.
    """
    steps: list[Step] = []
    state = before
    for steps_of in (_what_goes, _labels, _actors, _capabilities, _bindings):
        following = list(steps_of(before, state, after))
        for step in following:
            state = step.after(state)
        steps += following
    return steps


def _what_goes(before: Desired, state: Desired, after: Desired) -> Iterator[Step]:
    actors = [
        key
        for key, actor in before.actors.items()
        if key not in after.actors or after.actors[key].settings != actor.settings
    ]
    providers = [key for key, path in before.capabilities.items() if after.capabilities.get(key) != path]
    for binding in before.bindings.keys() - after.bindings.keys():
        if not set(binding[:2]) & set(actors) and binding[1:] not in providers:
            yield RemoveBinding(binding)
    yield from map(RemoveActor, actors)
    yield from map(RemoveCapability, providers)


def _labels(before: Desired, state: Desired, after: Desired) -> Iterator[Step]:
    changed = [key for key, value in before.labels.items() if after.labels.get(key) != value]
    yield from map(RemoveLabel, changed)
    for key, value in after.labels.items():
        if before.labels.get(key) != value:
            yield SetLabel(key, value)


def _actors(before: Desired, state: Desired, after: Desired) -> Iterator[Step]:
    for key, actor in after.actors.items():
        if key not in state.actors:
            yield AddActor(key, actor)
        elif state.actors[key] != actor:
            yield ReplaceActor(key, actor)


def _capabilities(before: Desired, state: Desired, after: Desired) -> Iterator[Step]:
    for key, path in after.capabilities.items():
        if key not in state.capabilities:
            yield AddCapability(key, path)


def _bindings(before: Desired, state: Desired, after: Desired) -> Iterator[Step]:
    for key, values in after.bindings.items():
        # What an actor itself was configured with is forgotten with its module.
        configured = key[1]
        forgotten = configured in after.actors and before.actors.get(configured) != after.actors[configured]
        if forgotten or state.bindings.get(key) != values:
            yield SetBinding(key, values)


def _without(mapping: Mapping[_K, _V], gone: _K) -> dict[_K, _V]:
    return {key: value for key, value in mapping.items() if key != gone}
