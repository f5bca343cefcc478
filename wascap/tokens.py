"""Tokens: claims as signed text, three segments joined by dots.

Protocol: docs/wascap.md#tokens
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

from wascap.claims import Claims, Metadata, MetadataT, claims_from_json, claims_to_json
from wascap.encoding import base64url_decode, base64url_encode, json_decode_object, json_encode
from wascap.errors import (
    MAX_TOKEN_BYTES,
    InvalidAlgorithm,
    InvalidHeader,
    InvalidIssuer,
    InvalidTokenFormat,
    MissingIssuer,
    MissingSubject,
    TokenTooLarge,
)
from wascap.nkeys import KeyPair

_TYPE = "jwt"
_ALGORITHM = "Ed25519"
_HEADER = base64url_encode(json_encode({"typ": _TYPE, "alg": _ALGORITHM}))


@dataclass(frozen=True, slots=True)
class TokenParts:
    """A token taken apart: the JSON object of its claims, the signature, and the bytes that were signed."""

    claims: dict[str, Any]
    signature: bytes
    signed: bytes


def encode(claims: Claims[Metadata | None], key: KeyPair) -> str:
    """The token of `claims`, signed with `key`, which must be the one the claims name as issuer.

    Raises MissingIssuer | MissingSubject | InvalidIssuer | SerializationError | SignatureError | TokenTooLarge.
    Protocol: docs/wascap.md#tokens
    """
    content = claims_to_json(claims)
    require_parties(claims)
    if claims.issuer != key.public_key:
        raise InvalidIssuer("the claims name another issuer than the key that is to sign them")
    signed = f"{_HEADER}.{base64url_encode(json_encode(content))}"
    token = f"{signed}.{base64url_encode(key.sign(signed.encode('ascii')))}"
    _require_size(token)
    return token


@overload
def decode(token: str, metadata_class: type[MetadataT]) -> Claims[MetadataT]: ...
@overload
def decode(token: str, metadata_class: None = None) -> Claims[None]: ...
def decode(token: str, metadata_class: type[Metadata] | None = None) -> Claims[Any]:
    """The claims in a token, with metadata of the given class; without a class, no metadata is read.

    This reads only: whether the signature is right and the time has come is told by `validate`.
    Raises TokenError | InvalidAlgorithm | DecodeError | Utf8Error | SerializationError.
    Protocol: docs/wascap.md#tokens
    """
    return claims_from_json(split(token).claims, metadata_class)


def split(token: str) -> TokenParts:
    """Take a token apart and check its form and its header, but neither its claims nor its signature.

    Raises TokenError | InvalidAlgorithm | DecodeError | Utf8Error | SerializationError.
    Protocol: docs/wascap.md#tokens
    """
    _require_size(token)
    segments = token.split(".")
    if len(segments) != 3:
        raise InvalidTokenFormat
    header = json_decode_object(base64url_decode(segments[0]))
    if header.get("alg") != _ALGORITHM:
        raise InvalidAlgorithm
    if header.get("typ") != _TYPE:
        raise InvalidHeader
    claims = json_decode_object(base64url_decode(segments[1]))
    signature = base64url_decode(segments[2])
    return TokenParts(claims, signature, f"{segments[0]}.{segments[1]}".encode("ascii"))


def require_parties(claims: Claims[Metadata | None]) -> None:
    """Check that the claims name an issuer and a subject. Raises MissingIssuer | MissingSubject."""
    if not claims.issuer:
        raise MissingIssuer
    if not claims.subject:
        raise MissingSubject


def _require_size(token: str) -> None:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenTooLarge
