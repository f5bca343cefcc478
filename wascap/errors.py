"""Everything that can go wrong with keys, tokens and signed modules: one class per cause, under `WascapError`.

`str(error)` is the display text: the summary of the class and, where there is one, a detail. Secrets are in neither.
Protocol: docs/wascap.md#errors
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

MAX_TOKEN_BYTES = 64 * 1024
"""Longest token that is written or read."""

_SHOWN_CHARACTERS = 64


def shown(text: str) -> str:
    """`text` from a token as an error may show it: quoted, control characters escaped, cut to a readable length."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")


class WascapError(Exception):
    """Base of every error of this package. `detail` says what exactly was wrong, "" where the class says it all."""

    summary: ClassVar[str] = ""
    default_detail: ClassVar[str] = ""
    separator: ClassVar[str] = ": "

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail or self.default_detail

    def __str__(self) -> str:
        return self.separator.join(part for part in (self.summary, self.detail) if part)


class FileError(WascapError):
    """A file could not be read; the OSError is chained."""

    summary = "I/O error"


class EncryptionError(WascapError):
    """Base of what can be wrong with a key or with the use of a key.  Protocol: docs/wascap.md#keys"""

    summary = "Encryption error"


class InvalidPrefix(EncryptionError):
    """The text does not begin like a key of a known kind, or not like the half of a key pair that was asked for."""


class InvalidKeyLength(EncryptionError):
    """The text of a public key has the wrong number of characters."""


class InvalidSeedLength(EncryptionError):
    """The text of a seed has the wrong number of characters."""


class ChecksumFailure(EncryptionError):
    """The checksum at the end of a key's text does not match: the text was mistyped or altered."""

    default_detail = "the checksum of the key does not match"


class CodecFailure(EncryptionError):
    """The text of a key is not canonical base32."""

    default_detail = "a key is written in the letters A-Z and the digits 2-7"


class IncorrectKeyType(EncryptionError):
    """The seed of a key pair was asked for that has only its public half."""

    default_detail = "This keypair has no seed"


class SignatureError(EncryptionError):
    """A key pair without a seed was to sign."""

    default_detail = "Cannot sign without a seed key"


class VerifyError(EncryptionError):
    """A signature does not belong to the data and the key."""

    default_detail = "the signature does not match"


class DecodeError(WascapError):
    """A segment of a token is not canonical base64url without padding."""

    summary = "Decode error"


class Utf8Error(WascapError):
    """Bytes that must be text are not UTF-8."""

    summary = "UTF8 error"


class SerializationError(WascapError):
    """The JSON of a token is not well-formed, a field is missing, or a value is of the wrong type."""

    summary = "Serialization error"


class TokenError(WascapError):
    """Base of what can be wrong with the outer form of a token.  Protocol: docs/wascap.md#tokens"""

    summary = "JWT error"


class InvalidTokenFormat(TokenError):
    """The token does not have three segments."""

    default_detail = "invalid token format"


class InvalidHeader(TokenError):
    """The header does not say that this is a JWT."""

    default_detail = "Invalid header"


class TokenTooLarge(TokenError):
    """The token is longer than `MAX_TOKEN_BYTES`."""

    default_detail = f"a token has at most {MAX_TOKEN_BYTES} bytes"


class MissingMetadata(TokenError):
    """The token has no `wascap` object, so it says nothing about an entity."""

    default_detail = "the token has no wascap metadata"


class InvalidAlgorithm(WascapError):
    """The header names another signature algorithm."""

    summary = "Invalid JWT algorithm. WASCAP only supports Ed25519"


class MissingIssuer(WascapError):
    """The issuer is empty."""

    summary = "Invalid JWT. WASCAP requires an issuer claim to be present"


class MissingSubject(WascapError):
    """The subject is empty."""

    summary = "Invalid JWT. WASCAP requires a sub claim to be present"


class InvalidIssuer(WascapError):
    """The issuer is a key that must not issue this token."""

    summary = "Invalid issuer"


class InvalidSubject(WascapError):
    """The subject is not a key of the kind that this token describes."""

    summary = "Invalid subject"


class ExpiredToken(WascapError):
    """The token's time is over."""

    summary = "Module token has expired"


class TokenTooEarly(WascapError):
    """The token's time has not come yet."""

    summary = "Module cannot be used yet"


class InvalidCapability(WascapError):
    """The capabilities of a module contradict its role."""

    summary = "Invalid capability"


class WasmElementError(WascapError):
    """The bytes are not framed as a WebAssembly module; `offset` is the byte offset at which reading failed.

    Protocol: docs/wascap.md#embedding
    """

    summary = "Wasm Element error"

    def __init__(self, detail: str, offset: int = 0) -> None:
        super().__init__(detail)
        self.offset = offset

    def __str__(self) -> str:
        return f"{super().__str__()} (at byte {self.offset:#x})"


class MissingToken(WascapError):
    """The module carries no token."""

    summary = "No embedded JWT"


class InvalidModuleHash(WascapError):
    """The module is not the one that was signed."""

    summary = "Invalid module hash"


class ArchiveError(WascapError):
    """The bytes are no provider archive, or one that is incomplete or damaged.  Protocol: docs/archives.md#reading"""

    summary = "Invalid provider archive"


class InvalidBinaryHash(ArchiveError):
    """A binary of a provider archive is not the one that was signed; `detail` is its target."""

    summary = "File hash and verify hash do not match for"
    separator = " "


class NoSuchTarget(ArchiveError):
    """A provider archive has no binary for a target; `detail` says for which it has one."""

    summary = "No binary found in provider archive for"
    separator = " "


class UntrustedOperator(WascapError):
    """The operator of a chain of provenance is not one that the caller trusts."""

    summary = "Untrusted operator"


class ChainLink(Enum):
    """A token of a chain of provenance; the values are the words shown."""

    OPERATOR = "operator"
    ACCOUNT = "account"
    ACTOR = "actor"
    PROVIDER = "provider"


class ChainError(WascapError):
    """A chain of provenance is broken: `link` says at which token, `reason` is the precise error, also chained.

    Protocol: docs/wascap.md#chain-of-provenance
    """

    summary = "Broken chain of provenance"

    def __init__(self, link: ChainLink, reason: WascapError) -> None:
        super().__init__(f"{link.value} token: {reason}")
        self.args = (link, reason)
        self.link = link
        self.reason = reason
