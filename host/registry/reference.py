"""References to what is in a registry: `registry/repository:tag`, `registry/repository@sha256:…`, or both at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Self

from host.errors import RegistryError
from host.logs import printable

LATEST = "latest"
"""The tag that is meant where neither a tag nor a digest is given."""
MAX_CHARACTERS = 1024

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REGISTRY = re.compile(
    r"(?P<host>localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9A-Fa-f:]+\]|[A-Za-z0-9-]+(?=:))(?::(?P<port>[0-9]{1,5}))?"
)
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_MAX_REPOSITORY = 255
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference names; `registry` is its host, with a port perhaps. With a digest the tag is only for people."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference that a text is. The registry must be named, with a dot or a port, or as `localhost`.

        Raises RegistryError.
        """
        if len(text) > MAX_CHARACTERS:
            raise _unparsable(text[:40] + "…", f"it has more than {MAX_CHARACTERS} characters")
        name, at, digest = text.partition("@")
        registry, slash, rest = name.partition("/")
        repository, colon, tag = rest.partition(":")
        found = _REGISTRY.fullmatch(registry)
        if not slash or not found:
            raise _unparsable(text, "it does not begin with the host of a registry, such as registry.example.com/")
        if found["port"] and not 0 < int(found["port"]) < 65536:
            raise _unparsable(text, "its port is no port")
        if len(repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
            raise _unparsable(text, "its repository is not lower-case letters, digits, and single . _ - / between them")
        if colon and not _TAG.fullmatch(tag):
            raise _unparsable(text, "its tag is none")
        if at:
            check_digest(digest)
        return cls(registry.lower(), repository, tag or None, digest or None)

    @property
    def host(self) -> str:
        """The registry's host without its port."""
        found = _REGISTRY.fullmatch(self.registry)
        return found["host"] if found else self.registry

    @property
    def is_latest(self) -> bool:
        """Whether it names what is the latest now, and may be something else tomorrow."""
        return self.digest is None and self.tag in (None, LATEST)

    @property
    def target(self) -> str:
        """What the registry is asked for: the digest, or the tag."""
        return self.digest or self.tag or LATEST

    def pinned(self, digest: str) -> Reference:
        """This reference, to exactly that manifest. Raises RegistryError if it names another one already."""
        check_digest(digest)
        if self.digest not in (None, digest):
            raise RegistryError(f"{self} and the digest {digest} name two different things")
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


def names_registry(text: str) -> bool:
    """Whether a text begins as a reference does, with the host of a registry."""
    registry, slash, _ = text.partition("/")
    return bool(slash) and _REGISTRY.fullmatch(registry) is not None


def check_digest(text: str) -> None:
    """Raises RegistryError unless the text is a digest of the kind that is verified here."""
    if not DIGEST.fullmatch(text):
        raise RegistryError(f"'{printable(text[:80])}' is no digest like sha256:… with 64 digits")


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own, whatever a name server says."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _unparsable(text: str, reason: str) -> RegistryError:
    return RegistryError(f"Failed to parse OCI distribution reference: '{printable(text)}': {reason}")
