"""Who may read and write in a registry: credentials, what a registry asks for, and where credentials may go."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from host.errors import RegistryError
from host.logs import printable

USER_VARIABLE = "OCI_REGISTRY_USER"
PASSWORD_VARIABLE = "OCI_REGISTRY_PASSWORD"  # noqa: S105 — the name of it
TOKEN_SERVER_VARIABLE = "OCI_REGISTRY_TOKEN_SERVER"  # noqa: S105 — the name of it

_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"([^"]*)"|([^\s,"]+))')
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password for a registry, and for the server of its tokens where that is another: `host` or
    `host:port`, as in an address."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    token_server: str = ""

    @property
    def header(self) -> str:
        """The value of the header Authorization."""
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode('ascii')}"


def credentials_of(environ: Mapping[str, str]) -> Credentials | None:
    """The credentials in the environment, None unless both variables are set."""
    user, password = environ.get(USER_VARIABLE), environ.get(PASSWORD_VARIABLE)
    return Credentials(user, password, environ.get(TOKEN_SERVER_VARIABLE, "")) if user and password else None


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry asks for: credentials (`basic`), or a token, which the server at `realm` gives for `service`."""

    basic: bool
    realm: str = ""
    service: str = ""

    @classmethod
    def of(cls, headers: Iterable[str]) -> Challenge:
        """What headers WWW-Authenticate ask for; a token, if there is a choice. Raises RegistryError."""
        asked = {header.partition(" ")[0].lower(): header for header in headers}
        if "bearer" in asked:
            parameters = {name.lower(): text or word for name, text, word in _PARAMETER.findall(asked["bearer"])}
            return cls(False, parameters.get("realm", ""), parameters.get("service", ""))
        if "basic" in asked:
            return cls(True)
        raise RegistryError("the registry refuses access, and does not say what it asks for")


def token_in(answer: object) -> str:
    """The token in a token server's answer. Raises RegistryError."""
    found = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
    if not isinstance(found, str) or not _TOKEN.fullmatch(found):
        raise RegistryError("the token server's answer has no token")
    return found


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """What two addresses have in common if the same server answers for both."""
    ports = {"http": 80, "https": 443}
    return url.scheme, url.host, url.port or ports.get(url.scheme)


def place(url: httpx.URL) -> str:
    """A server as an error shows it."""
    return printable(f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}")
