"""The host: runs signed actors, and lets them reach what their claims allow, over a bus, through providers.

    with HostBuilder().build() as host:
        actor = Actor.from_file("echo.wasm")
        host.add_actor(actor)
        host.call_actor(actor.public_key, "HandleRequest", payload)

Behaviour is described in `docs/host.md`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host.api import *  # noqa: F403

_API = "host.api"


def __getattr__(name: str) -> Any:
    # Loading the whole host takes a moment, and a command that only looks at a module does not need it.
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return getattr(import_module(_API), name)
    except AttributeError:
        raise AttributeError(f"module 'host' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(import_module(_API).__all__)
