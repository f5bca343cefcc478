"""What is tampered with: tokens, modules and archives signed by one account, and by an account that nobody trusts.

Everything here is the same in every run, so that a case is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from nacl.signing import SigningKey

from conformance.fuzz.framing import Section, join, uleb
from wascap import (
    AccountMetadata,
    ActorMetadata,
    CapabilityProviderMetadata,
    Claims,
    InvocationMetadata,
    KeyPair,
    KeyType,
    OperatorMetadata,
    ProviderArchive,
    encode,
    sign,
)
from wascap.claims import MetadataT

ISSUED_AT = 1_600_000_000
EXPIRED = ISSUED_AT + 1
TRUSTED, ATTACKER = "account", "attacker"
CODE = (b"\x00\x0b", b"\x00\x41\x07\x1a\x0b", b"\x01\x02\x7f\x0b")
"""Function bodies; each module has another one."""


@cache
def key(name: str, key_type: KeyType) -> KeyPair:
    """The key of that name, the same in every run."""
    signing_key = SigningKey(hashlib.sha256(f"{key_type.name}:{name}".encode()).digest())
    return KeyPair(key_type, signing_key.verify_key, signing_key)


@dataclass(frozen=True, slots=True)
class Originals:
    """Signed things of the trusted account, each of which may be believed; `expired` are modules whose time is over."""

    tokens: tuple[str, ...]
    modules: tuple[bytes, ...]
    expired: tuple[bytes, ...]
    archives: tuple[bytes, ...]


def trusted_account() -> KeyPair:
    """The account that signs the originals, the only one that the policy of the checks lets in."""
    return key(TRUSTED, KeyType.ACCOUNT)


def attackers_account() -> KeyPair:
    """An account with good keys that signed nothing here."""
    return key(ATTACKER, KeyType.ACCOUNT)


@cache
def originals() -> Originals:
    """All of them."""
    account = trusted_account()
    modules = tuple([sign(wasm, _actor_claims(index), account) for index, wasm in enumerate(_unsigned())])
    expired = tuple(
        [sign(wasm, replace(_actor_claims(9 + index), expires=EXPIRED), account)
         for index, wasm in enumerate(_unsigned())]
    )  # fmt: skip
    archives = tuple([data for index in range(2) for data in _archives(index)])
    return Originals(tuple(_tokens()), modules, expired, archives)


def _unsigned() -> Iterator[bytes]:
    """Modules of one exported function, with and without custom sections of other tools."""
    custom = Section(0, uleb(4) + b"name" + b"\x00\x02\x01m"), Section(0, uleb(9) + b"producers" + b"\x00")
    for index, body in enumerate(CODE):
        sections = [
            Section(1, b"\x01\x60\x00\x00"),
            Section(3, b"\x01\x00"),
            Section(7, b"\x01\x01f\x00\x00"),
            Section(10, uleb(1) + uleb(len(body)) + body),
        ]
        yield join([*sections, *custom[:index]])


def _claims(subject: str, issuer: KeyPair, metadata: MetadataT, number: int) -> Claims[MetadataT]:
    return Claims(
        id=f"ORIGINAL{number:014}", issued_at=ISSUED_AT, issuer=issuer.public_key, subject=subject, metadata=metadata
    )


def _actor_claims(index: int) -> Claims[ActorMetadata]:
    capabilities = (("wascc:logging",), ("wascc:keyvalue", "wascc:http_server"), ())[index % 3]
    metadata = ActorMetadata(name=f"Actor {index}", capabilities=capabilities, tags=("t",), revision=index, version="1")
    subject = key(f"actor {index}", KeyType.MODULE).public_key
    return _claims(subject, trusted_account(), metadata, index)


def _tokens() -> Iterator[str]:
    operator, signer, host = (
        key("operator", KeyType.OPERATOR), key("signer", KeyType.OPERATOR), key("host", KeyType.SERVER),
    )  # fmt: skip
    account = trusted_account()
    yield encode(_claims(operator.public_key, operator, OperatorMetadata("O", (signer.public_key,)), 1), operator)
    yield encode(_claims(account.public_key, signer, AccountMetadata("A"), 2), signer)
    yield encode(_claims("call", host, InvocationMetadata("wasmbus://a/Op", "wasmbus://b", "00"), 3), host)
    yield encode(_actor_claims(4), account)


def _archives(index: int) -> Iterator[bytes]:
    metadata = CapabilityProviderMetadata(
        name=f"Provider {index}", capability_id="wascc:keyvalue", vendor="V", revision=index, target_hashes={}
    )
    claims = Claims(
        id=f"ARCHIVE{index:015}", issued_at=ISSUED_AT, issuer=trusted_account().public_key,
        subject=key(f"service {index}", KeyType.SERVICE).public_key, metadata=metadata,
    )  # fmt: skip
    binaries = {"x86_64-linux": b"\x7fELF" + bytes([index]) * 60, "aarch64-linux": b"\x7fELF" + bytes([index]) * 600}
    archive = ProviderArchive.sign(claims, binaries, trusted_account())
    yield archive.to_bytes()
    yield archive.to_bytes(compress=True)
