"""Whether a token may be believed: its signature, its times, and the kinds of keys it names.

Protocol: docs/wascap.md#validation
"""

from __future__ import annotations

from dataclasses import dataclass

from wascap.claims import Claims, Metadata, claims_from_json
from wascap.clock import current_time, human_time
from wascap.errors import (
    EncryptionError,
    ExpiredToken,
    InvalidIssuer,
    InvalidSubject,
    TokenTooEarly,
    VerifyError,
    WascapError,
    shown,
)
from wascap.nkeys import KeyPair, KeyType
from wascap.tokens import TokenParts, require_parties, split


@dataclass(frozen=True, slots=True)
class TokenValidation:
    """The verdicts on a token that could be read; it is good only if `ok`."""

    expired: bool
    cannot_use_yet: bool
    expires_human: str
    not_before_human: str
    signature_valid: bool

    @property
    def ok(self) -> bool:
        """Whether the signature is right and now is between the token's times."""
        return not self.problems

    @property
    def problems(self) -> tuple[WascapError, ...]:
        """Each bad verdict as an error, the gravest first: VerifyError, ExpiredToken, TokenTooEarly."""
        verdicts: tuple[tuple[bool, type[WascapError]], ...] = (
            (not self.signature_valid, VerifyError),
            (self.expired, ExpiredToken),
            (self.cannot_use_yet, TokenTooEarly),
        )
        return tuple(error() for is_bad, error in verdicts if is_bad)


def validate(token: str, now: int | None = None) -> TokenValidation:
    """Judge a token of any kind at the time `now` (seconds since 1970, default: the current time).

    A wrong signature or time is a verdict in the result; an error is what keeps the token from being judged at all.
    Only the token's own issuer key is looked at: see `entity_problems` and `verify_chain` for more.
    Raises TokenError | InvalidAlgorithm | DecodeError | Utf8Error | SerializationError | MissingIssuer |
    MissingSubject | EncryptionError (the issuer is not a public key).
    Protocol: docs/wascap.md#validation
    """
    parts = split(token)
    claims = claims_from_json(parts.claims, None)
    require_parties(claims)
    issuer = KeyPair.from_public_key(claims.issuer)
    moment = current_time() if now is None else now
    expires, not_before = claims.expires, claims.not_before
    return TokenValidation(
        expired=expires is not None and expires < moment,
        cannot_use_yet=not_before is not None and moment < not_before,
        expires_human="never" if expires is None else human_time(expires, moment),
        not_before_human="immediately" if not_before is None else human_time(not_before, moment),
        signature_valid=_is_signed_by(parts, issuer),
    )


def _is_signed_by(parts: TokenParts, issuer: KeyPair) -> bool:
    try:
        issuer.verify(parts.signed, parts.signature)
    except VerifyError:
        return False
    return True


def entity_problems(claims: Claims[Metadata]) -> tuple[WascapError, ...]:
    """What is wrong with the issuer (InvalidIssuer) and the subject (InvalidSubject) for this kind of claims.

    Protocol: docs/wascap.md#validation
    """
    metadata = claims.metadata
    problems: list[WascapError] = []
    if metadata.issuer_type and not _is_key(claims.issuer, metadata.issuer_type):
        problems.append(InvalidIssuer(_not_a_key(claims.issuer, metadata.issuer_type)))
    elif metadata.self_issued and claims.issuer != claims.subject:
        problems.append(InvalidIssuer("issuer and subject must be the same key"))
    if metadata.subject_type and not _is_key(claims.subject, metadata.subject_type):
        problems.append(InvalidSubject(_not_a_key(claims.subject, metadata.subject_type)))
    return tuple(problems)


def _not_a_key(text: str, key_type: KeyType) -> str:
    return f"{shown(text)} is not a public key of kind {key_type.value}"


def _is_key(text: str, key_type: KeyType) -> bool:
    try:
        return KeyPair.from_public_key(text).key_type is key_type
    except EncryptionError:
        return False
