"""Configuration values of middleware, which are texts: what each may be is said once, with its name and its default, as
for those of providers (`host.providers.values`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from host.errors import MiddlewareError
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.values import RangeName, ValueName

ON, OFF = "on", "off"


@contextmanager
def reading(middleware: str, values: Mapping[str, str], known: Collection[str]) -> Iterator[None]:
    """Within it these values are read. Raises MiddlewareError: whatever is wrong with one, and that the middleware does
    not know one, as a mistyped one would not do its work."""
    for name in values:
        if name not in known:
            raise MiddlewareError(f"{middleware} has no value {printable(name)}; there are {', '.join(sorted(known))}")
    try:
        yield
    except ProviderError as error:
        raise MiddlewareError(str(error)) from error


class NumberValue(RangeName[float]):
    """The name of a value that is a decimal number, from `low` to `high`."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> float:
        """The number among these values, or the default. Raises MiddlewareError."""
        text = values.get(self)
        if text is None:
            return self.default
        is_number = len(text) <= 20 and text.isascii() and text.replace(".", "", 1).isdecimal()
        if is_number and self.low <= float(text) <= self.high:
            return float(text)
        raise MiddlewareError(f"{self} must be a number from {self.low:g} to {self.high:g}, not '{printable(text)}'")


class PrintableValue(ValueName):
    """The name of a value that is a text of printable signs, at least one."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> str:
        """The text among these values, or the default. Raises MiddlewareError."""
        text = values.get(self, self.default)
        if not text or not text.isprintable():
            raise MiddlewareError(f"{self} must be a printable text")
        return text


class AddressValue(ValueName):
    """The name of a value that is a host and a port, or `off`."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> tuple[str, int] | None:
        """Host and port among these values, or the default; None for `off`. Raises MiddlewareError."""
        text = values.get(self, self.default)
        if text == OFF:
            return None
        host, separator, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        # An IPv6 address has colons of its own, and brackets around it.
        is_host = bool(bare) and bare.isprintable() and (":" in bare) == (host == f"[{bare}]")
        if separator and is_host and port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535:
            return bare, int(port)
        raise MiddlewareError(f"{self} must be like 127.0.0.1:9898, or {OFF}, not '{printable(text)}'")


class UrlValue(ValueName):
    """The name of a value that is an address of http or https, without a password in it; a default of "" is none."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> str:
        """The address among these values, or the default. Raises MiddlewareError, which does not show the value."""
        text = values.get(self)
        if text is None:
            return self.default
        try:
            parts = urlsplit(text)
            is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_plain = False
        if not is_plain or parts.username is not None or parts.fragment or not text.isprintable() or " " in text:
            raise MiddlewareError(
                f"{self} must be an address like http://host:1234/path, without a user name or password"
            )
        return text
