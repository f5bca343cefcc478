"""Finding middleware by name: an entry point of the group `wascc.middleware`, or `module:name`.

What the name leads to is called with the configuration values and makes a middleware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from host.errors import MiddlewareError, PluginError
from host.logs import printable
from host.middleware.base import Middleware
from host.plugins import from_module, is_module_and_name

ENTRY_POINT_GROUP = "wascc.middleware"

Factory = Callable[[Mapping[str, str]], Middleware]


def find_middleware(name: str, values: Mapping[str, str] | None = None) -> Middleware:
    """A new middleware of that name, made with these values.

    Raises PluginError (there is none of that name, or its code fails), MiddlewareError (it refuses the values).
    """
    shown = printable(name)
    try:
        return _factory(name)(dict(values or {}))
    except MiddlewareError as error:
        raise MiddlewareError(f"{shown}: {error.message}") from error
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        # Its text may hold one of the values.
        raise PluginError(f"{shown}: {type(error).__name__}") from error


def _factory(name: str) -> Factory:
    found = entry_points(group=ENTRY_POINT_GROUP, name=name)
    for entry_point in found:
        factory: Factory = entry_point.load()
        return factory
    if is_module_and_name(name):
        try:
            named: Factory = from_module(name)
            return named
        except (ImportError, AttributeError) as error:
            raise PluginError(f"{printable(name)}: {printable(str(error))}") from error
    known = ", ".join(sorted(entry_points(group=ENTRY_POINT_GROUP).names))
    raise PluginError(f"no middleware is called {printable(name)}; there are {known}")
