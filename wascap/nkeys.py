"""nkeys: Ed25519 keys as text that tells their kind, carries a checksum, and can be read aloud.

Protocol: docs/wascap.md#keys
"""

from __future__ import annotations

import base64
import binascii
import os
from enum import Enum
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from wascap.errors import (
    ChecksumFailure,
    CodecFailure,
    FileError,
    IncorrectKeyType,
    InvalidKeyLength,
    InvalidPrefix,
    InvalidSeedLength,
    SignatureError,
    VerifyError,
)

PUBLIC_KEY_CHARACTERS = 56
SEED_CHARACTERS = 58
SIGNATURE_BYTES = 64

_SEED_PREFIX = 18 << 3
_CHECKSUM_BYTES = 2
_MAX_KEY_FILE_BYTES = 4096
_BASE32_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class KeyType(Enum):
    """The kinds of entities that have keys; the values are the words used in key file names.

    Protocol: docs/wascap.md#keys
    """

    ACCOUNT = "account"
    CLUSTER = "cluster"
    MODULE = "module"
    SERVER = "server"
    OPERATOR = "operator"
    USER = "user"
    SERVICE = "service"

    @property
    def prefix(self) -> int:
        """The first byte of the binary form of a public key of this kind."""
        return _PREFIXES[self]

    @property
    def letter(self) -> str:
        """The first letter of a public key of this kind, which is also the second letter of its seed."""
        return _BASE32_ALPHABET[self.prefix >> 3]


_PREFIXES = {
    KeyType.ACCOUNT: 0 << 3,
    KeyType.CLUSTER: 2 << 3,
    KeyType.MODULE: 12 << 3,
    KeyType.SERVER: 13 << 3,
    KeyType.OPERATOR: 14 << 3,
    KeyType.USER: 20 << 3,
    KeyType.SERVICE: 21 << 3,
}
_KEY_TYPES = {prefix: key_type for key_type, prefix in _PREFIXES.items()}


class KeyPair:
    """The key of one entity: its public half and, for those who own it, the seed.

    Build one with `generate`, `from_seed`, `from_public_key` or `from_file`. The seed is shown by the property `seed`
    alone: no repr, error or log line holds it.
    """

    __slots__ = ("_key_type", "_signing_key", "_verify_key")

    def __init__(self, key_type: KeyType, verify_key: VerifyKey, signing_key: SigningKey | None = None) -> None:
        self._key_type = key_type
        self._verify_key = verify_key
        self._signing_key = signing_key

    @classmethod
    def generate(cls, key_type: KeyType) -> KeyPair:
        """A new random key pair of the given kind."""
        signing_key = SigningKey.generate()
        return cls(key_type, signing_key.verify_key, signing_key)

    @classmethod
    def from_seed(cls, text: str) -> KeyPair:
        """The key pair of a seed: 58 characters, `S` and the letter of the kind first.

        Raises InvalidSeedLength | CodecFailure | InvalidPrefix | ChecksumFailure.
        Protocol: docs/wascap.md#keys
        """
        if len(text) != SEED_CHARACTERS:
            raise InvalidSeedLength(f"a seed has {SEED_CHARACTERS} characters, this text has {len(text)}")
        raw = _from_base32(text)
        key_type = _KEY_TYPES.get((raw[0] & 0x07) << 5 | raw[1] >> 3)
        if key_type is None or raw[:2] != _seed_prefix(key_type):
            raise InvalidPrefix("the text is not a seed of a known kind of key")
        signing_key = SigningKey(_without_checksum(raw)[2:])
        return cls(key_type, signing_key.verify_key, signing_key)

    @classmethod
    def from_public_key(cls, text: str) -> KeyPair:
        """The public half of a key pair: 56 characters, the letter of the kind first. It can verify but not sign.

        Raises InvalidKeyLength | CodecFailure | InvalidPrefix | ChecksumFailure.
        Protocol: docs/wascap.md#keys
        """
        if len(text) != PUBLIC_KEY_CHARACTERS:
            raise InvalidKeyLength(f"a public key has {PUBLIC_KEY_CHARACTERS} characters, this text has {len(text)}")
        raw = _from_base32(text)
        key_type = _KEY_TYPES.get(raw[0])
        if key_type is None:
            raise InvalidPrefix("the text is not a public key of a known kind")
        return cls(key_type, VerifyKey(_without_checksum(raw)[1:]))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> KeyPair:
        """The key pair of a `.nk` file, which holds a seed; white space after it is ignored.

        Raises FileError and everything that `from_seed` raises.
        Protocol: docs/wascap.md#keys
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_KEY_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise FileError(str(error)) from error
        if len(content) > _MAX_KEY_FILE_BYTES:
            raise FileError(f"{path} is too long for a key file")
        return cls.from_seed(content.decode("ascii", errors="replace").rstrip())

    @property
    def key_type(self) -> KeyType:
        """The kind of entity that this key belongs to."""
        return self._key_type

    @property
    def public_key(self) -> str:
        """The public half as text; it may be shown to anyone."""
        return _to_base32(bytes([self._key_type.prefix]) + bytes(self._verify_key))

    @property
    def seed(self) -> str:
        """The secret half as text. Raises IncorrectKeyType if this is a public half only."""
        if self._signing_key is None:
            raise IncorrectKeyType
        return _to_base32(_seed_prefix(self._key_type) + bytes(self._signing_key))

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of `data`, 64 bytes. Raises SignatureError if this is a public half only."""
        if self._signing_key is None:
            raise SignatureError
        return self._signing_key.sign(data).signature

    def verify(self, data: bytes, signature: bytes) -> None:
        """Check that `signature` was made over `data` with the seed of this key. Raises VerifyError if not."""
        if len(signature) != SIGNATURE_BYTES:
            raise VerifyError(f"a signature has {SIGNATURE_BYTES} bytes, this one has {len(signature)}")
        try:
            self._verify_key.verify(data, signature)
        except BadSignatureError as error:
            raise VerifyError from error

    def __repr__(self) -> str:
        return f"<KeyPair {self.public_key}{', public half only' if self._signing_key is None else ''}>"


def _seed_prefix(key_type: KeyType) -> bytes:
    """The two bytes before a raw seed: the seed mark, and the prefix byte of the kind spread over both."""
    return bytes([_SEED_PREFIX | key_type.prefix >> 5, (key_type.prefix & 0x1F) << 3])


def _checksum(data: bytes) -> bytes:
    """CRC-16/XMODEM, low byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(_CHECKSUM_BYTES, "little")


def _without_checksum(raw: bytes) -> bytes:
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        raise ChecksumFailure
    return body


def _to_base32(body: bytes) -> str:
    return base64.b32encode(body + _checksum(body)).decode("ascii").rstrip("=")


def _from_base32(text: str) -> bytes:
    """The bytes of canonical base32 without padding. The error is raised outside the handler: the one of the library
    may hold the text, which may be a seed."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raw = b""
    if not raw or base64.b32encode(raw).decode("ascii").rstrip("=") != text:
        raise CodecFailure
    return raw
