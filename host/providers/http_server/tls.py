"""TLS of one actor's HTTP server: certificate, key and the authority of clients, from files that its binding names."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.values import TextValue, file_content

TLS_CERTIFICATE, TLS_KEY = TextValue("TLS_CERTIFICATE"), TextValue("TLS_KEY")
TLS_KEY_PASSWORD, TLS_CLIENT_CA = TextValue("TLS_KEY_PASSWORD"), TextValue("TLS_CLIENT_CA")
TLS_VALUES = frozenset({TLS_CERTIFICATE, TLS_KEY, TLS_KEY_PASSWORD, TLS_CLIENT_CA})

MAX_FILE_BYTES = 1024 * 1024
"""Longest file of certificates or of a key."""
_NO_CERTIFICATE = "{} holds no certificate in PEM form"


@dataclass(frozen=True, slots=True)
class Tls:
    """What a server speaks TLS with. Two are equal if their files had the same content."""

    fingerprint: str
    context: ssl.SSLContext = field(compare=False, repr=False)
    values: Mapping[str, str] = field(compare=False, repr=False)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Tls | None:
        """TLS as these configuration values say, None if they say nothing of it.

        Raises ProviderError: a file cannot be read or is not what it should be, or the key is another certificate's.
        """
        if not TLS_VALUES & values.keys():
            return None
        if TLS_CERTIFICATE not in values:
            raise ProviderError(f"{TLS_CERTIFICATE} is missing: without it there is no TLS")
        names: tuple[str, ...] = (TLS_CERTIFICATE, TLS_KEY, TLS_CLIENT_CA)
        files = {name: file_content(name, values[name], MAX_FILE_BYTES) for name in names if name in values}
        password = TLS_KEY_PASSWORD.of(values)
        digest = hashlib.sha256()
        for part in (*(files.get(name, b"") for name in names), password.encode()):
            digest.update(hashlib.sha256(part).digest())
        return cls(digest.hexdigest(), _context(files, values, password), values)

    def renewed(self) -> Tls:
        """The same by what the files hold now. Raises ProviderError as `of` does."""
        return Tls.of(self.values) or self


def _context(files: Mapping[str, bytes], values: Mapping[str, str], password: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load_chain(context, values, password)
    if TLS_CLIENT_CA in files:
        _trust(context, files[TLS_CLIENT_CA], values[TLS_CLIENT_CA])
    return context


def _load_chain(context: ssl.SSLContext, values: Mapping[str, str], password: str) -> None:
    certificate, key = values[TLS_CERTIFICATE], values.get(TLS_KEY, values[TLS_CERTIFICATE])
    asked: list[bool] = []

    def tell_password() -> str:
        # Without this function the library would ask whoever sits at the terminal.
        asked.append(True)
        return password

    try:
        # Read as those of authorities first: that needs no key, and tells a bad certificate from a bad key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except (ssl.SSLError, OSError) as error:
        raise ProviderError(f"{TLS_CERTIFICATE}: {_NO_CERTIFICATE.format(printable(certificate))}") from error
    try:
        context.load_cert_chain(certificate, key, tell_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        library_reason = str(getattr(error, "reason", "") or "")
        name = TLS_KEY if TLS_KEY in values else TLS_CERTIFICATE
        # Not chained: nothing of the key or its password shall get into a log.
        raise ProviderError(f"{name}: {_key_problem(library_reason, bool(asked), password, key)}") from None


def _key_problem(library_reason: str, encrypted: bool, password: str, key: str) -> str:
    shown = printable(key)
    if library_reason == "KEY_VALUES_MISMATCH":
        return f"the key in {shown} does not belong to the certificate"
    if encrypted:
        return (
            f"{TLS_KEY_PASSWORD} does not open the key in {shown}"
            if password
            else f"the key in {shown} is encrypted, and there is no {TLS_KEY_PASSWORD}"
        )
    if library_reason.endswith("_TOO_SMALL") or library_reason.endswith("_TOO_WEAK"):
        return f"{library_reason.replace('_', ' ').lower()}: the library refuses it"
    return f"{shown} holds no private key in PEM form"


def _trust(context: ssl.SSLContext, authorities: bytes, path: str) -> None:
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ProviderError(f"{TLS_CLIENT_CA}: {_NO_CERTIFICATE.format(printable(path))}") from error
    context.verify_mode = ssl.CERT_REQUIRED
