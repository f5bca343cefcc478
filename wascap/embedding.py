"""Signed modules: the token of an actor inside its WebAssembly module, and the hash that ties both together.

Protocol: docs/wascap.md#embedding, docs/wascap.md#module-hash
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from wascap.claims import ActorMetadata, Claims
from wascap.errors import (
    MAX_TOKEN_BYTES,
    InvalidCapability,
    InvalidModuleHash,
    TokenTooLarge,
    Utf8Error,
    WascapError,
)
from wascap.nkeys import KeyPair
from wascap.sections import CustomSection, custom_section, custom_sections
from wascap.tokens import decode, encode, split
from wascap.validation import TokenValidation, entity_problems, validate

SECTION_NAME = b"jwt"


@dataclass(frozen=True, slots=True)
class Token:
    """The token of a module: its text and what it says."""

    jwt: str
    claims: Claims[ActorMetadata]


@dataclass(frozen=True, slots=True)
class ModuleInspection:
    """Every verdict on a signed module: `module_hash` is that of the module, `hash_valid` says whether it was signed;
    `entity_problems` says what is wrong with the kinds of keys. The module is good only if `ok`."""

    token: Token
    validation: TokenValidation
    module_hash: str
    hash_valid: bool
    entity_problems: tuple[WascapError, ...]

    @property
    def ok(self) -> bool:
        """Whether no verdict is bad."""
        return not self.problems

    @property
    def problems(self) -> tuple[WascapError, ...]:
        """Each bad verdict as an error: the hash, the token's own problems, the kinds of keys."""
        wrong_hash = () if self.hash_valid else (InvalidModuleHash(),)
        return (*wrong_hash, *self.validation.problems, *self.entity_problems)


def module_hash(wasm: bytes) -> str:
    """SHA-256 of the module without its token, in upper-case hexadecimal.

    Only the section that `extract` reads is left out: any further section of that name is part of the module.
    Raises WasmElementError.
    Protocol: docs/wascap.md#module-hash
    """
    return _hash(_spliced(wasm, custom_sections(wasm, SECTION_NAME)[:1], b""))


def embed(wasm: bytes, token: str) -> bytes:
    """The module with `token` inside: in the place of the token it has, else as its last section.

    Of several tokens none but the new one is kept. Only the form of the token is checked: `sign` is what makes one
    that fits the module.
    Raises WasmElementError | TokenError | InvalidAlgorithm | DecodeError | Utf8Error | SerializationError.
    Protocol: docs/wascap.md#embedding
    """
    split(token)
    section = custom_section(SECTION_NAME, token.encode("ascii"))
    old = custom_sections(wasm, SECTION_NAME)
    return _spliced(wasm, old, section) if old else wasm + section


def sign(wasm: bytes, claims: Claims[ActorMetadata], key: KeyPair) -> bytes:
    """The module with a token of `claims` inside, the module hash filled in; a token that it has is replaced.

    Raises WasmElementError, InvalidIssuer | InvalidSubject (not an account key and a module key), InvalidCapability
    (a portable provider of several capabilities), and what `encode` raises.
    Protocol: docs/wascap.md#embedding
    """
    for problem in entity_problems(claims):
        raise problem
    metadata = claims.metadata
    if metadata.provider and len(metadata.capabilities or ()) > 1:
        raise InvalidCapability("Capability providers cannot provide multiple capabilities at once.")
    unsigned = _spliced(wasm, custom_sections(wasm, SECTION_NAME), b"")
    signed_metadata = replace(metadata, module_hash=_hash(unsigned))
    return embed(wasm, encode(replace(claims, metadata=signed_metadata), key))


def extract(wasm: bytes, check_hash: bool = True) -> Token | None:
    """The token inside a module, None if there is none. Neither its signature nor its times are judged here.

    Raises WasmElementError, InvalidModuleHash (unless `check_hash` is False), and everything that `decode` raises.
    Protocol: docs/wascap.md#embedding
    """
    sections = custom_sections(wasm, SECTION_NAME)
    if not sections:
        return None
    token = _read_token(wasm, sections[0])
    if check_hash and not _hash_matches(token, module_hash(wasm)):
        raise InvalidModuleHash
    return token


def inspect(wasm: bytes, now: int | None = None) -> ModuleInspection | None:
    """All verdicts on a module at once, None if it has no token; `now` as for `validate`.

    Raises WasmElementError and what `decode` and `validate` raise: a token that cannot be read cannot be judged.
    Protocol: docs/wascap.md#validation
    """
    token = extract(wasm, check_hash=False)
    if token is None:
        return None
    actual_hash = module_hash(wasm)
    return ModuleInspection(
        token=token,
        validation=validate(token.jwt, now),
        module_hash=actual_hash,
        hash_valid=_hash_matches(token, actual_hash),
        entity_problems=entity_problems(token.claims),
    )


def _read_token(wasm: bytes, section: CustomSection) -> Token:
    if section.end - section.content > MAX_TOKEN_BYTES:
        raise TokenTooLarge
    try:
        jwt = wasm[section.content : section.end].decode()
    except UnicodeDecodeError as error:
        raise Utf8Error("the token of the module is not UTF-8") from error
    return Token(jwt, decode(jwt, ActorMetadata))


def _hash_matches(token: Token, actual_hash: str) -> bool:
    return token.claims.metadata.module_hash == actual_hash


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest().upper()


def _spliced(wasm: bytes, sections: tuple[CustomSection, ...], replacement: bytes) -> bytes:
    """`wasm` without `sections`, and `replacement` where the first of them was."""
    pieces = []
    offset = 0
    for index, section in enumerate(sections):
        pieces += [wasm[offset : section.start], replacement if index == 0 else b""]
        offset = section.end
    pieces.append(wasm[offset:])
    return b"".join(pieces)
