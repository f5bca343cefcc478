"""Which Redis server a binding names, and how it is used; the values are described in `docs/providers/keyvalue.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.values import integer_value

URL, PASSWORD, PREFIX = "URL", "PASSWORD", "PREFIX"
CONNECT_TIMEOUT, TIMEOUT, MAX_CONNECTIONS = "CONNECT_TIMEOUT", "TIMEOUT", "MAX_CONNECTIONS"
TLS_CA, TLS_CERTIFICATE, TLS_KEY = "TLS_CA", "TLS_CERTIFICATE", "TLS_KEY"
TLS_VALUES = (TLS_CA, TLS_CERTIFICATE, TLS_KEY)
REDIS_VALUES = frozenset(
    {URL, PASSWORD, PREFIX, CONNECT_TIMEOUT, TIMEOUT, MAX_CONNECTIONS, TLS_CA, TLS_CERTIFICATE, TLS_KEY}
)
"""The configuration values that `redis_settings` reads."""

DEFAULT_URL = "redis://127.0.0.1:6379/"
DEFAULT_PORT = 6379
MAX_DATABASE = 2**31 - 1
# What is wrong with a URL is said without the URL, which may hold a password.
_URL_FORM = (
    "URL must be redis://host:port/database, rediss://… for TLS, or unix:///path/of/a/socket; "
    "a user name and a password may stand before the host, with % for signs that mean something else"
)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """A server, the identity there, what keys begin with, and limits; times in seconds.

    With a `socket` path there is no host and no port. The files of TLS are those that are named, None without TLS.
    """

    host: str
    port: int
    socket: str
    database: int
    username: str
    password: str = field(repr=False)
    tls_files: Mapping[str, str] | None = field(hash=False)
    prefix: str
    connect_timeout: int
    timeout: int
    max_connections: int

    @property
    def place(self) -> str:
        """The server as it is called in errors; never with a password."""
        name = self.socket or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        return f"the Redis server {printable(name)}"


def redis_settings(values: Mapping[str, str]) -> RedisSettings:
    """The settings in a binding's values. Raises ProviderError, whose text has no secret in it."""
    try:
        parts = urlsplit(values.get(URL, DEFAULT_URL))
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise ProviderError(_URL_FORM) from None
    local = parts.scheme == "unix"
    if "%00" in parts.path:
        raise ProviderError(_URL_FORM)
    if parts.scheme not in {"redis", "rediss", "unix"} or parts.query or parts.fragment or (local and not parts.path):
        raise ProviderError(_URL_FORM)
    return RedisSettings(
        host=parts.hostname or "127.0.0.1",
        port=port,
        socket=unquote(parts.path) if local else "",
        database=0 if local else _database(parts),
        username=unquote(parts.username or ""),
        password=values.get(PASSWORD, unquote(parts.password or "")),
        tls_files=_tls_files(values, parts.scheme == "rediss"),
        prefix=values.get(PREFIX, ""),
        connect_timeout=integer_value(values, CONNECT_TIMEOUT, 5, 1, 60),
        timeout=integer_value(values, TIMEOUT, 5, 1, 3600),
        max_connections=integer_value(values, MAX_CONNECTIONS, 16, 1, 1000),
    )


def _database(parts: SplitResult) -> int:
    text = parts.path.removeprefix("/") or "0"
    if not (len(text) <= 10 and text.isascii() and text.isdecimal() and int(text) <= MAX_DATABASE):
        raise ProviderError(_URL_FORM)
    return int(text)


def _tls_files(values: Mapping[str, str], tls: bool) -> Mapping[str, str] | None:
    files = {name: values[name] for name in TLS_VALUES if name in values}
    if not tls:
        if files:
            raise ProviderError(f"{', '.join(files)}: only for a URL that begins with rediss://")
        return None
    if TLS_KEY in files and TLS_CERTIFICATE not in files:
        raise ProviderError(f"{TLS_KEY} needs {TLS_CERTIFICATE}")
    for name, path in files.items():
        if not _is_file(path):
            raise ProviderError(f"{name}: {printable(path)} is no file")
    return files


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
