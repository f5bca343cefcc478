"""Actor: a signed WebAssembly module and what its token says, not running yet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import AuthorizationFailure, InputOutputError, WascapFailure
from host.logs import log, printable
from wascap import ActorMetadata, Claims, WascapError, extract

MAX_MODULE_BYTES = 256 * 1024 * 1024
"""Longest module file that is read."""

UNNAMED = "Unnamed"
_WASM_MAGIC = b"\0asm"

MODULE_FILE, ACCOUNT_KEY, DAYS = "MODULE_FILE", "ACCOUNT_KEY", "DAYS"
"""What stands in a command that would help for the file of the actor's module, the account's key file, and a time."""
SIGN_COMMAND = f"wascc claims sign {MODULE_FILE} {MODULE_FILE} --issuer {ACCOUNT_KEY} --subject MODULE_KEY"
"""The command that signs a module which has no token that can be read."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A module with a token that was made for it; whether the token is to be believed, the host finds out."""

    wasm: bytes = field(repr=False)
    token: str = field(repr=False)
    claims: Claims[ActorMetadata]

    @classmethod
    def from_bytes(cls, wasm: bytes) -> Actor:
        """The actor in a signed module. Raises AuthorizationFailure (no token), WascapFailure (unreadable token, not a
        module, or a module that is not the signed one)."""
        try:
            token = extract(wasm)
        except WascapError as error:
            raise WascapFailure(str(error), SIGN_COMMAND) from error
        if token is None:
            raise AuthorizationFailure("No embedded JWT in actor module", SIGN_COMMAND)
        actor = cls(wasm, token.jwt, token.claims)
        log.info(
            "Actor claims loaded for %s - %s",
            printable(actor.public_key),
            printable(",".join(actor.capabilities)),
            extra={"actor": actor.public_key},
        )
        return actor

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Actor:
        """The actor in a file. Raises InputOutputError, and what `from_bytes` raises."""
        return cls.from_bytes(read_file(path))

    @property
    def public_key(self) -> str:
        """The actor's identity: the subject of its token."""
        return self.claims.subject

    @property
    def name(self) -> str:
        """The name in the token, `Unnamed` if it has none."""
        return UNNAMED if self.claims.metadata.name is None else self.claims.metadata.name

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the module, in hexadecimal."""
        return hashlib.sha256(self.wasm).hexdigest()

    @property
    def issuer(self) -> str:
        """The public key of the account that signed the token."""
        return self.claims.issuer

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The ids of the capabilities, and the keys of the actors, that this actor may call."""
        return self.claims.metadata.capabilities or ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in the token."""
        return self.claims.metadata.tags or ()


def called(text: str, actors: Mapping[str, Claims[ActorMetadata]]) -> list[str]:
    """The public keys of the actors (by key, their claims) that a person may mean by `text`: the one with that key, or
    those whose key begins so or whose name it is."""
    if text in actors:
        return [text]
    return [key for key, claims in actors.items() if text and (key.startswith(text) or claims.metadata.name == text)]


def is_module(data: bytes) -> bool:
    """Whether these bytes mean to be a WebAssembly module."""
    return data.startswith(_WASM_MAGIC)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a module or a provider archive. Raises InputOutputError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_MODULE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputOutputError(str(error)) from error
    if len(data) > MAX_MODULE_BYTES:
        raise InputOutputError(f"{os.fspath(path)} is longer than {MAX_MODULE_BYTES} bytes")
    return data
