"""Which Redis server a binding names, and how it is used; the values are described in `docs/providers/keyvalue.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.client_tls import CLIENT_TLS_VALUES, client_tls_context, client_tls_files
from host.providers.values import IntegerValue, TextValue

URL = TextValue("URL", "redis://127.0.0.1:6379/")
PASSWORD, PREFIX = TextValue("PASSWORD"), TextValue("PREFIX")
CONNECT_TIMEOUT = IntegerValue("CONNECT_TIMEOUT", 5, 1, 60)
TIMEOUT = IntegerValue("TIMEOUT", 5, 1, 3600)
MAX_CONNECTIONS = IntegerValue("MAX_CONNECTIONS", 16, 1, 1000)
REDIS_VALUES = CLIENT_TLS_VALUES | {URL, PASSWORD, PREFIX, CONNECT_TIMEOUT, TIMEOUT, MAX_CONNECTIONS}

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

    @classmethod
    def of(cls, values: Mapping[str, str]) -> RedisSettings:
        """The settings in a binding's values. Raises ProviderError, whose text has no secret in it."""
        try:
            parts = urlsplit(URL.of(values))
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            raise ProviderError(_URL_FORM) from None
        local = parts.scheme == "unix"
        is_form = parts.scheme in {"redis", "rediss", "unix"} and not parts.query and not parts.fragment
        if not is_form or "%00" in parts.path or (local and not parts.path):
            raise ProviderError(_URL_FORM)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=port,
            socket=unquote(parts.path) if local else "",
            database=0 if local else _database(parts),
            username=unquote(parts.username or ""),
            password=values.get(PASSWORD, unquote(parts.password or "")),
            tls_files=_tls_files(values, parts.scheme == "rediss"),
            prefix=PREFIX.of(values),
            connect_timeout=CONNECT_TIMEOUT.of(values),
            timeout=TIMEOUT.of(values),
            max_connections=MAX_CONNECTIONS.of(values),
        )

    @property
    def place(self) -> str:
        """The server as it is called in errors; never with a password."""
        name = self.socket or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        return f"the Redis server {printable(name)}"


def _database(parts: SplitResult) -> int:
    text = parts.path.removeprefix("/") or "0"
    if not (len(text) <= 10 and text.isascii() and text.isdecimal() and int(text) <= MAX_DATABASE):
        raise ProviderError(_URL_FORM)
    return int(text)


def _tls_files(values: Mapping[str, str], is_secure: bool) -> Mapping[str, str] | None:
    given = sorted(values.keys() & CLIENT_TLS_VALUES)
    if not is_secure:
        if given:
            raise ProviderError(f"{', '.join(given)}: only for a URL that begins with rediss://")
        return None
    files = client_tls_files(values)
    # The library makes a context of its own of the files, when it connects; here they are only tried.
    client_tls_context(files)
    return files
