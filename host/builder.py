"""HostBuilder: the settings of a host, and how it starts."""

from __future__ import annotations

import os
import platform
import sys
from typing import Self

from host.authorization import AllowAll, Authorizer
from host.bus import Bus, InProcessBus
from host.codec.extras import CAPABILITY as EXTRAS
from host.core import HostCore, Settings
from host.errors import HostShutDown
from host.gate import Gate
from host.host import Host
from host.logs import log, printable
from host.middleware import Middleware
from host.plugins import InstalledProviders, ProviderSource, find_provider
from host.policy import Policies, Policy
from host.providers.base import distribution_version
from host.registry.options import DEFAULT_OPTIONS, RegistryOptions
from host.turns import Patience, Turns
from interp import DEFAULT_ENGINE, Engine, Limits, load_engine
from wapc import DEFAULT_LIMITS
from wascap import KeyPair, KeyType

DEFAULT_SHUTDOWN_SECONDS = 4.0

HOSTCORE_ARCH = "hostcore.arch"
HOSTCORE_OS = "hostcore.os"
HOSTCORE_OS_FAMILY = "hostcore.osfamily"

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "i386": "x86", "i686": "x86"}
_SYSTEMS = {"darwin": "macos", "win32": "windows"}
_FAMILIES = {"posix": "unix", "nt": "windows"}


class HostBuilder:
    """Collects settings, each `with_…` returning the builder, and makes the host with `build`."""

    def __init__(self) -> None:
        self._labels = intrinsic_labels()
        self._authorizer: Authorizer = AllowAll()
        self._policies: list[Policy] = []
        self._engine: str | Engine = DEFAULT_ENGINE
        self._limits = DEFAULT_LIMITS
        self._patience = Patience()
        self._shutdown_seconds = DEFAULT_SHUTDOWN_SECONDS
        self._bus: Bus | None = None
        self._verify_invocations = False
        self._middleware: list[Middleware] = []
        self._provider_source: ProviderSource = InstalledProviders()
        self._registry = DEFAULT_OPTIONS

    def with_label(self, key: str, value: str) -> Self:
        """Add a label. The first value of a key counts, and all `hostcore.` keys have theirs already."""
        self._labels.setdefault(key, value)
        return self

    def with_authorizer(self, authorizer: Authorizer) -> Self:
        """Ask this authorizer, after the core rule, before an actor is loaded and before each of its calls."""
        self._authorizer = authorizer
        return self

    def with_policy(self, policy: Policy) -> Self:
        """Let only what this trust policy allows run in the host; of several policies, all have to allow."""
        self._policies.append(policy)
        return self

    def with_engine(self, engine: str | Engine) -> Self:
        """Run actors on this engine, or on the one of this name; by default DEFAULT_ENGINE."""
        self._engine = engine
        return self

    def with_limits(self, limits: Limits) -> Self:
        """Keep each call of an actor, and its memory, within these limits (default: wapc.DEFAULT_LIMITS)."""
        self._limits = limits
        return self

    def with_invocation_timeout(self, seconds: float) -> Self:
        """Wait at most so long for an actor that is busy with another call (default 30)."""
        self._patience = Patience(_positive(seconds), self._patience.max_waiting, self._patience.max_depth)
        return self

    def with_max_waiting(self, calls: int) -> Self:
        """Let at most so many calls wait for one actor (default 1024, 0 for none); further ones are refused."""
        self._patience = Patience(self._patience.seconds, _whole(calls, 0), self._patience.max_depth)
        return self

    def with_max_call_depth(self, actors: int) -> Self:
        """Let an actor call an actor, and so on, at most so many deep (default 32)."""
        self._patience = Patience(self._patience.seconds, self._patience.max_waiting, _whole(actors, 1))
        return self

    def with_shutdown_timeout(self, seconds: float) -> Self:
        """Let calls under way delay a removal or a shutdown at most so long (default 4)."""
        self._shutdown_seconds = _positive(seconds)
        return self

    def with_bus(self, bus: Bus) -> Self:
        """Send calls over this bus instead of a new one inside the process. The host closes it."""
        self._bus = bus
        return self

    def with_verified_invocations(self, verified: bool = True) -> Self:
        """Sign every invocation and check its token, also where it stays inside this process."""
        self._verify_invocations = verified
        return self

    def with_middleware(self, middleware: Middleware) -> Self:
        """Run this around every call, inside the middleware that was added before. It belongs to one host."""
        self._middleware.append(middleware)
        return self

    def with_provider_source(self, source: ProviderSource) -> Self:
        """Where `apply_manifest` finds providers by name (default: the installed entry points)."""
        self._provider_source = source
        return self

    def with_registry(self, options: RegistryOptions) -> Self:
        """Use OCI registries like this (default: encrypted, and never what a tag `latest` names)."""
        self._registry = options
        return self

    def build(self) -> Host:
        """Start a host with a new key, and load the extras provider. Raises EngineUnavailable, HostError."""
        settings = Settings(
            load_engine(self._engine) if isinstance(self._engine, str) else self._engine,
            self._limits,
            self._patience,
            self._shutdown_seconds,
            self._verify_invocations,
        )
        key = KeyPair.generate(KeyType.SERVER)
        bus = InProcessBus() if self._bus is None else self._bus
        gate = Gate(HostShutDown, "The host is shutting down")
        policies = Policies(self._policies)
        core = HostCore(
            key, key.public_key, bus, self._authorizer, settings, gate, Turns(self._patience), policies=policies
        )
        log.info(
            "Detected Intrinsic host labels. hostcore.arch = %s, hostcore.os = %s, hostcore.family = %s",
            *(printable(self._labels[name]) for name in (HOSTCORE_ARCH, HOSTCORE_OS, HOSTCORE_OS_FAMILY)),
        )
        log.info("Initialized Message Bus (%s)", bus.description)
        log.info("Host ID is %s (v%s)", core.host_id, distribution_version())
        host = Host(core, self._labels, self._provider_source, self._registry)
        try:
            for middleware in self._middleware:
                host.add_middleware(middleware)
            host.add_capability(find_provider(EXTRAS, self._provider_source))
        except BaseException:
            host.shutdown()
            raise
        return host


def intrinsic_labels() -> dict[str, str]:
    """What every host is labelled with: the machine's architecture, system and family, as Rust names them."""
    machine = platform.machine().lower()
    return {
        HOSTCORE_ARCH: _ARCHITECTURES.get(machine, machine),
        HOSTCORE_OS: _SYSTEMS.get(sys.platform, sys.platform),
        HOSTCORE_OS_FAMILY: _FAMILIES.get(os.name, os.name),
    }


def _whole(number: int, least: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError(f"the number must be a whole one, and at least {least}")
    return number


def _positive(number: float) -> float:
    if not number > 0:
        raise ValueError("the number must be greater than 0")
    return number
