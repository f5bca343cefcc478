"""The public names of the package `host`, which are to be had from there."""

from host.actor import Actor
from host.actor_settings import ActorSettings
from host.authorization import Authorizer
from host.bindings import Binding
from host.builder import HostBuilder
from host.bus import Bus, InProcessBus
from host.entities import ActorEntity, CapabilityEntity, Entity
from host.errors import (
    ActorBusy,
    AntiforgeryFailure,
    AuthorizationFailure,
    CallRefused,
    CapabilityProviderError,
    DuplicateActor,
    HostCallFailure,
    HostError,
    HostShutDown,
    InputOutputError,
    InvocationFailure,
    MiddlewareError,
    MiscHostError,
    NoSubscribers,
    NoSuchActor,
    PluginError,
    PolicyFailure,
    RegistryError,
    RevisionRefused,
    SerializationFailure,
    WapcFailure,
    WascapFailure,
)
from host.host import Host
from host.instances import InstanceState, Supervision
from host.invocation import Invocation, InvocationResponse, check_antiforgery
from host.manifest import BindingEntry, CapabilityEntry, Manifest, ManifestError, MiddlewareEntry
from host.middleware import Middleware, Next
from host.middleware.plugins import find_middleware
from host.plugins import ProviderSource, find_provider
from host.policy import Pin, Policy
from host.providers.base import CapabilityProvider, Dispatcher, Provider, ProviderError
from host.registry.options import RegistryOptions
from host.running import ActorState

__all__ = [
    "Actor",
    "ActorBusy",
    "ActorEntity",
    "ActorSettings",
    "ActorState",
    "AntiforgeryFailure",
    "AuthorizationFailure",
    "Authorizer",
    "Binding",
    "BindingEntry",
    "Bus",
    "CallRefused",
    "CapabilityEntity",
    "CapabilityEntry",
    "CapabilityProvider",
    "CapabilityProviderError",
    "Dispatcher",
    "DuplicateActor",
    "Entity",
    "Host",
    "HostBuilder",
    "HostCallFailure",
    "HostError",
    "HostShutDown",
    "InProcessBus",
    "InputOutputError",
    "InstanceState",
    "Invocation",
    "InvocationFailure",
    "InvocationResponse",
    "Manifest",
    "ManifestError",
    "Middleware",
    "MiddlewareEntry",
    "MiddlewareError",
    "MiscHostError",
    "Next",
    "NoSubscribers",
    "NoSuchActor",
    "Pin",
    "PluginError",
    "Policy",
    "PolicyFailure",
    "Provider",
    "ProviderError",
    "ProviderSource",
    "RegistryError",
    "RegistryOptions",
    "RevisionRefused",
    "SerializationFailure",
    "Supervision",
    "WapcFailure",
    "WascapFailure",
    "check_antiforgery",
    "find_middleware",
    "find_provider",
]
