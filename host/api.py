"""The public names of the package `host`, which are to be had from there."""

from host.actor import Actor
from host.authorization import Authorizer
from host.bindings import Binding
from host.builder import HostBuilder
from host.bus import Bus, InProcessBus
from host.entities import ActorEntity, CapabilityEntity, Entity
from host.errors import (
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
    SerializationFailure,
    WapcFailure,
    WascapFailure,
)
from host.host import Host
from host.invocation import Invocation, InvocationResponse, check_antiforgery
from host.manifest import BindingEntry, CapabilityEntry, Manifest, ManifestError
from host.middleware import Middleware, Next
from host.plugins import ProviderSource, find_provider
from host.providers.base import CapabilityProvider, Dispatcher, Provider, ProviderError

__all__ = [
    "Actor",
    "ActorEntity",
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
    "Invocation",
    "InvocationFailure",
    "InvocationResponse",
    "Manifest",
    "ManifestError",
    "Middleware",
    "MiddlewareError",
    "MiscHostError",
    "Next",
    "NoSubscribers",
    "NoSuchActor",
    "PluginError",
    "Provider",
    "ProviderError",
    "ProviderSource",
    "SerializationFailure",
    "WapcFailure",
    "WascapFailure",
    "check_antiforgery",
    "find_provider",
]
