"""The configuration values of a connection to NATS: where, as whom, and how long to wait."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from host.providers.base import ProviderError
from host.providers.client_tls import CLIENT_TLS_VALUES, client_tls_context, client_tls_files
from host.providers.values import IntegerValue, TextValue
from wascap import KeyPair, WascapError

URL = TextValue("URL", "nats://127.0.0.1:4222")
CLIENT_JWT, CLIENT_SEED = TextValue("CLIENT_JWT"), TextValue("CLIENT_SEED")
TIMEOUT = IntegerValue("TIMEOUT", 5, 1, 600)
NATS_VALUES = CLIENT_TLS_VALUES | {URL, CLIENT_JWT, CLIENT_SEED, TIMEOUT}

DEFAULT_PORT = 4222
PLAIN, SECURE = "nats", "tls"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows: a user's key with or without a JWT about it, or user and password, or a token."""

    key: KeyPair | None = None
    jwt: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def sign(self, nonce: str) -> bytes:
        """The signature of what a server sent to be signed, as base64. Only with a key."""
        return base64.b64encode(self.key.sign(nonce.encode())) if self.key else b""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The servers, any of which will do, as `host:port`; `tls` is what to check them with where it has to be TLS, or
    may be. `timeout` is in seconds."""

    addresses: tuple[str, ...]
    is_secure: bool
    credentials: Credentials
    tls: ssl.SSLContext | None
    timeout: int

    @property
    def urls(self) -> list[str]:
        """The servers' URLs, without credentials."""
        return [f"{SECURE if self.is_secure else PLAIN}://{address}" for address in self.addresses]

    @property
    def title(self) -> str:
        """What errors and log lines call the servers."""
        return f"NATS at {', '.join(self.addresses)}"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """The settings that these configuration values say. Raises ProviderError, without secrets."""
        parts = [_url(each.strip()) for each in URL.of(values).split(",")]
        is_secure = any(each.scheme == SECURE for each in parts)
        files = client_tls_files(values)
        return cls(
            addresses=tuple(_address(each) for each in parts),
            is_secure=is_secure,
            credentials=_credentials(parts[0], values),
            tls=client_tls_context(files) if is_secure or files else None,
            timeout=TIMEOUT.of(values),
        )


def _url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text if "://" in text else f"{PLAIN}://{text}")
        is_good = parts.scheme in (PLAIN, SECURE) and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.path.strip("/") or parts.query or parts.fragment or not text.isprintable():
        # Not shown, for it may hold a password.
        raise ProviderError(f"{URL} must be {PLAIN}://host:port or {SECURE}://host:port, or several with commas")
    return parts


def _address(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or DEFAULT_PORT}"


def _credentials(parts: SplitResult, values: Mapping[str, str]) -> Credentials:
    jwt, seed = values.get(CLIENT_JWT), values.get(CLIENT_SEED)
    if jwt is not None and seed is None:
        raise ProviderError(f"{CLIENT_JWT} needs {CLIENT_SEED}, the seed of the key that it is about")
    if seed is not None:
        try:
            key = KeyPair.from_seed(seed.strip())
        except WascapError as error:
            raise ProviderError(f"{CLIENT_SEED} is no seed: {error}") from error
        return Credentials(key, jwt if jwt is None else jwt.strip())
    user = None if parts.username is None else unquote(parts.username)
    if parts.password is None:
        return Credentials(token=user)
    return Credentials(user=user, password=unquote(parts.password))
