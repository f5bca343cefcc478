"""Finding providers: by capability id, by the name of an entry point, in a Python file, or in a module.

A WebAssembly module and a provider archive are no providers by themselves: a host makes one of what is in them
(`host.providers.portable`, `host.archives`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from host.artifact_files import existing_file, is_artifact
from host.errors import PluginError
from host.logs import printable
from host.providers.base import CapabilityProvider

ENTRY_POINT_GROUP = "wascc.providers"

DEFAULT_PROVIDERS: Mapping[str, str] = {
    "wascc:http_server": "host.providers.http_server:HttpServerProvider",
    "wascc:http_client": "host.providers.http_client:HttpClientProvider",
    "wascc:keyvalue": "host.providers.keyvalue:SqliteKeyValueProvider",
    "wascc:messaging": "host.providers.messaging:MemoryMessagingProvider",
    "wascc:blobstore": "host.providers.blobstore:FileBlobStoreProvider",
    "wascc:sqldb": "host.providers.sqldb.providers:SqliteSqlProvider",
    "wascc:eventstreams": "host.providers.eventstreams:SqliteEventStreamsProvider",
    "wascc:logging": "host.providers.logs:LoggingProvider",
    "wascc:telnet": "host.providers.telnet:TelnetProvider",
    "wascc:extras": "host.providers.extras:ExtrasProvider",
}
"""The embedded provider of each capability id that has one, as `module:Class`."""

CAPABILITY_PREFIX = "wascc:"
"""What capability ids begin with, and no Python module is called."""

_METHODS = ("configure_dispatch", "handle_call", "stop")


class ProviderSource(Protocol):
    """Where providers have names."""

    def names(self) -> tuple[str, ...]:
        """The names that there are."""

    def load(self, name: str) -> Callable[[], CapabilityProvider]:
        """What makes a provider of that name, which is one of `names`. Raises whatever loading it raises."""


class InstalledProviders:
    """The providers of all installed distributions: entry points of the group `wascc.providers`."""

    def names(self) -> tuple[str, ...]:
        """The names of the entry points."""
        return tuple(sorted(entry_points(group=ENTRY_POINT_GROUP).names))

    def load(self, name: str) -> Callable[[], CapabilityProvider]:
        """The class behind an entry point."""
        (entry_point, *_) = entry_points(group=ENTRY_POINT_GROUP, name=name)
        factory: Callable[[], CapabilityProvider] = entry_point.load()
        return factory


def find_provider(path: str, source: ProviderSource | None = None, folder: Path | None = None) -> CapabilityProvider:
    """A new provider for `path`: a capability id with an embedded provider, a name in `source` (by default the
    installed entry points), a Python file (looked for in `folder`, then here) that defines one provider class, or
    `module:Class`. Raises PluginError.
    """
    names = InstalledProviders() if source is None else source
    shown = printable(path)
    if path in DEFAULT_PROVIDERS:
        return _make(shown, lambda: from_module(DEFAULT_PROVIDERS[path]))
    if path in names.names():
        return _make(shown, lambda: names.load(path))
    if is_artifact(path):
        raise PluginError(
            f"{shown} is a WebAssembly module or a provider archive: a manifest may name it, a program add it to a host"
        )
    if Path(path).suffix.lower() == ".py":
        return _make(shown, lambda: _from_file(_existing(path, folder)))
    if is_module_and_name(path) and not path.startswith(CAPABILITY_PREFIX):
        return _make(shown, lambda: from_module(path))
    known = ", ".join([*DEFAULT_PROVIDERS, *names.names()])
    raise PluginError(f"no capability provider is called {shown}; there are {known}")


def is_module_and_name(path: str) -> bool:
    """Whether a text has the form `module:name`."""
    module, _, name = path.partition(":")
    return name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _make(shown: str, load: Callable[[], Callable[[], CapabilityProvider]]) -> CapabilityProvider:
    try:
        provider = load()()
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{shown}: {type(error).__name__}: {printable(str(error))}") from error
    if not _is_provider(provider):
        raise PluginError(f"{shown} is no capability provider: it lacks one of {', '.join(_METHODS)} or descriptor")
    return provider


def _is_provider(candidate: Any) -> bool:
    has_descriptor = hasattr(type(candidate), "descriptor") or "descriptor" in vars(candidate)
    return has_descriptor and all(callable(getattr(candidate, name, None)) for name in _METHODS)


def from_module(path: str) -> Any:
    """What `module:name` names. Raises ImportError, AttributeError, and whatever the module raises."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _existing(path: str, folder: Path | None) -> Path:
    file = existing_file(path, folder)
    if file is not None:
        return file
    raise PluginError(f"no such file: {printable(path)}")


def _from_file(path: Path) -> Callable[[], CapabilityProvider]:
    """The provider class that the file defines."""
    module = _loaded_file(path.resolve())
    classes = [each for each in vars(module).values() if _is_provider_class(each, module.__name__)]
    if len(classes) != 1:
        raise PluginError(f"{printable(str(path))} defines {len(classes)} provider classes, not one")
    factory: Callable[[], CapabilityProvider] = classes[0]
    return factory


def _is_provider_class(candidate: Any, module: str) -> bool:
    if not isinstance(candidate, type) or candidate.__module__ != module or candidate.__name__.startswith("_"):
        return False
    return hasattr(candidate, "descriptor") and all(callable(getattr(candidate, name, None)) for name in _METHODS)


def _loaded_file(path: Path) -> ModuleType:
    # The name has the path in it, so that two files of the same name are two modules.
    name = f"wascc_provider_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{printable(str(path))} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
