"""Reading the configuration values of middleware, which are texts, with an error that names the value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from host.errors import MiddlewareError
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.values import ChoiceValue

ON, OFF = "on", "off"


def check_names(middleware: str, values: Mapping[str, str], known: Collection[str]) -> None:
    """Raises MiddlewareError for a value that the middleware does not know: a mistyped one would not do its work."""
    for name in values:
        if name not in known:
            raise MiddlewareError(f"{middleware} has no value {printable(name)}; there are {', '.join(sorted(known))}")


def number_value(values: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """The value as a decimal number of `low` to `high`, or the default. Raises MiddlewareError."""
    text = values.get(name)
    if text is None:
        return default
    if len(text) <= 20 and text.isascii() and text.replace(".", "", 1).isdecimal() and low <= float(text) <= high:
        return float(text)
    raise MiddlewareError(f"{name} must be a number from {low:g} to {high:g}, not '{printable(text)}'")


def choice_value(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value, one of `choices`, the first of which is the default. Raises MiddlewareError."""
    try:
        return ChoiceValue(name, *choices).of(values)
    except ProviderError as error:
        raise MiddlewareError(str(error)) from error


def address_value(values: Mapping[str, str], name: str, default: str) -> tuple[str, int] | None:
    """The value as host and port, None for `off`. Raises MiddlewareError."""
    text = values.get(name, default)
    if text == OFF:
        return None
    host, separator, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    # An IPv6 address has colons of its own, and brackets around it.
    is_host = bool(bare) and bare.isprintable() and (":" in bare) == (host == f"[{bare}]")
    if separator and is_host and port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535:
        return bare, int(port)
    raise MiddlewareError(f"{name} must be like 127.0.0.1:9898, or {OFF}, not '{printable(text)}'")


def url_value(values: Mapping[str, str], name: str, default: str | None) -> str | None:
    """The value as an address of http or https, without a password in it. Raises MiddlewareError, which does not show
    the value."""
    text = values.get(name, default)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_plain = False
    if not is_plain or parts.username is not None or parts.fragment or not text.isprintable() or " " in text:
        raise MiddlewareError(f"{name} must be an address like http://host:1234/path, without a user name or password")
    return text
