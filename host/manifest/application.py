"""Applying a manifest to a host: everything in it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from host.actor import Actor
from host.archives import provider_in
from host.artifact_files import find_artifact, is_artifact, load_actor
from host.errors import HostError, MiscHostError
from host.logs import log, printable
from host.manifest.fields import resolved
from host.manifest.model import BindingEntry, CapabilityEntry, Manifest, MiddlewareEntry
from host.middleware import Middleware
from host.middleware.plugins import find_middleware
from host.plugins import ProviderSource, find_provider
from host.policy import Policies
from host.providers.base import CapabilityProvider
from host.registry.options import RegistryOptions

if TYPE_CHECKING:
    from host.host import Host


def apply(host: Host, manifest: Manifest, source: ProviderSource, registry: RegistryOptions) -> None:
    """Add the policy, labels, middleware, actors, capabilities and bindings to the host, in that order.
    `source` has the named providers; registries are used as `registry` says.

    The first error is raised, after everything that was added before it has been taken back.
    """
    # Looked up first: what is missing there is found before anything runs.
    values = []
    for index, binding in enumerate(manifest.bindings):
        with naming(f"bindings[{index}]"):
            values.append(resolved(binding.values, manifest.folder))
    middleware = []
    for index, around in enumerate(manifest.middleware):
        with naming(f"middleware[{index}]"):
            middleware.append(made_middleware(around, manifest.folder))
    grants = []
    for index, capability in enumerate(manifest.capabilities):
        with naming(f"capabilities[{index}]"):
            grants.append(None if capability.wasi is None else capability.wasi.params(manifest.folder))
    policy = None if manifest.policy is None else manifest.policy.policy(manifest.folder)
    with ExitStack() as undo:
        if policy is not None:
            host.add_policy(policy)
            undo.callback(host.remove_policy, policy)
        for key, value in manifest.labels.items():
            if host.add_label(key, value):
                undo.callback(host.remove_label, key)
        for index, each in enumerate(middleware):
            with naming(f"middleware[{index}]"):
                host.add_middleware(each)
            undo.callback(_quietly, host.remove_middleware, each)
        for index, entry in enumerate(manifest.actors):
            with naming(f"actors[{index}] ({entry.path})"):
                actor = load_actor(entry.path, manifest.folder, registry)
                host.add_actor(actor, entry.settings)
            undo.callback(_quietly, host.remove_actor, actor.public_key)
        for index, capability in enumerate(manifest.capabilities):
            with naming(f"capabilities[{index}]"):
                provider = provider_of(capability, source, manifest.folder, host.policies, registry)
                capability_id = host.add_capability(provider, capability.binding, grants[index]).id
            undo.callback(_quietly, host.remove_capability, capability_id, capability.binding)
        for index, binding in enumerate(manifest.bindings):
            with naming(f"bindings[{index}]"):
                _bind(host, binding, values[index], undo)
        undo.pop_all()


def made_middleware(entry: MiddlewareEntry, folder: Path | None) -> Middleware:
    """The middleware of an entry, not started. Raises PluginError, MiddlewareError, ManifestValueError."""
    return find_middleware(entry.name, resolved(entry.values, folder))


def provider_of(
    entry: CapabilityEntry,
    source: ProviderSource | None,
    folder: Path | None,
    policies: Policies,
    registry: RegistryOptions,
) -> CapabilityProvider | Actor:
    """The provider that a manifest in `folder` names, or the module of a portable one. Raises HostError."""
    if is_artifact(entry.path):
        return provider_in(find_artifact(entry.path, folder, registry), policies)
    if entry.wasi is not None:
        raise MiscHostError("wasi is for WebAssembly modules and provider archives, and this is neither")
    return find_provider(entry.path, source, folder)


def _bind(host: Host, entry: BindingEntry, values: Mapping[str, str], undo: ExitStack) -> None:
    earlier = host.find_binding(entry.actor, entry.capability, entry.binding_name)
    host.set_binding(entry.actor, entry.capability, entry.binding_name, values)
    names = (entry.actor, entry.capability, entry.binding_name)
    if earlier is not None:
        undo.callback(_quietly, host.set_binding, *names, earlier.values)
    elif host.find_binding(*names) is not None:
        undo.callback(_quietly, host.remove_binding, *names)


@contextmanager
def naming(entry: str) -> Iterator[None]:
    """Say in an error which entry of the manifest it is about."""
    try:
        yield
    except HostError as error:
        error.message = f"{printable(entry)}: {error.message}"
        raise


def _quietly(step: Callable[..., None], *arguments: object) -> None:
    """Take back one thing; what goes wrong with it must not hide why it is taken back."""
    try:
        step(*arguments)
    except Exception as error:
        log.warning("While taking a manifest back: %s", printable(str(error)))
