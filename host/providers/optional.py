"""Libraries that come with an extra of the distribution: imported when a provider is made, and not before."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from host.optional import needs_extra
from host.providers.base import ProviderError


def import_with_extra(module: str, extra: str) -> ModuleType:
    """The module, which needs an extra's libraries. Raises ProviderError, with the command that installs them."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ProviderError(needs_extra(extra, error)) from error
