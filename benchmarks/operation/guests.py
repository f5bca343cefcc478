"""The guests of these measurements, made from their texts, and signed where they are actors."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from host import Actor
from host.codec.http import CAPABILITY_SERVER
from host.codec.keyvalue import CAPABILITY as KEY_VALUE
from interp.text.converter import binary_of
from wascap import ActorMetadata, Claims, KeyPair, sign

FOLDER = Path(__file__).parent
VERSION = "{version}"


@cache
def guest(name: str) -> bytes:
    """The module of `<name>.wat`. Raises ToolMissingError, ToolFailedError."""
    return binary_of((FOLDER / f"{name}.wat").read_bytes())


def churn_actor(account: KeyPair, module: KeyPair, revision: int) -> Actor:
    """The counter that traps on demand, in a revision of its own: each is another module. Raises ToolMissingError,
    ToolFailedError."""
    text = (FOLDER / "churn.wat").read_text().replace(VERSION, f"{revision:06}")
    metadata = ActorMetadata(name=f"Churn {revision}", capabilities=(CAPABILITY_SERVER, KEY_VALUE), revision=revision)
    claims = Claims(issuer=account.public_key, subject=module.public_key, metadata=metadata)
    return Actor.from_bytes(sign(binary_of(text.encode()), claims, account))
