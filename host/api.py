"""The public names of the package `host`, which are to be had from there."""

from host.actor import Actor
from host.actor_settings import ActorSettings
from host.authorization import Authorizer
from host.bindings import Binding
from host.builder import HostBuilder
from host.bus import Bus, InProcessBus
from host.chains import Way
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
    ManifestValueError,
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
from host.manifest import (
    ActorEntry,
    BindingEntry,
    CapabilityEntry,
    FolderEntry,
    FromEnvironment,
    FromFile,
    LimitsEntry,
    Manifest,
    ManifestError,
    MiddlewareEntry,
    PinEntry,
    PolicyEntry,
    WasiEntry,
)
from host.middleware import Middleware, Next
from host.middleware.plugins import find_middleware
from host.plugins import ProviderSource, find_provider
from host.policy import Pin, Policy, PolicyTokenError
from host.providers.base import CapabilityProvider, Dispatcher, Provider, ProviderError
from host.registry.options import RegistryOptions
from host.running_actors import ActorState

__all__ = [
    "Actor",
    "ActorBusy",
    "ActorEntity",
    "ActorEntry",
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
    "FolderEntry",
    "FromEnvironment",
    "FromFile",
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
    "LimitsEntry",
    "Manifest",
    "ManifestError",
    "ManifestValueError",
    "Middleware",
    "MiddlewareEntry",
    "MiddlewareError",
    "MiscHostError",
    "Next",
    "NoSubscribers",
    "NoSuchActor",
    "Pin",
    "PinEntry",
    "PluginError",
    "Policy",
    "PolicyEntry",
    "PolicyFailure",
    "PolicyTokenError",
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
    "WasiEntry",
    "Way",
    "check_antiforgery",
    "find_middleware",
    "find_provider",
]
