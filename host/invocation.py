"""Invocations: one call on the bus and its answer, and the signed token that vouches for a call.

The token is made when somebody reads it, which a bus that leaves the process does and the one inside does not.
Layout and checks: `docs/host.md`, section "Invocations".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from uuid import uuid4

from host.entities import Entity
from host.errors import AntiforgeryFailure
from wascap import Claims, InvocationMetadata, KeyPair, WascapError, decode, encode, validate


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call: who asks whom for which operation with which payload, in which host (`host_id`, a server key).

    `id` is unique to the call. The payload, which may hold secrets, is not shown.
    """

    origin: Entity
    target: Entity
    operation: str
    payload: bytes = field(repr=False)
    id: str
    host_id: str
    _key: KeyPair | None = field(default=None, repr=False, compare=False)
    _token: str | None = field(default=None, repr=False, compare=False)

    @classmethod
    def create(
        cls, key: KeyPair, host_id: str, origin: Entity, target: Entity, operation: str, payload: bytes
    ) -> Invocation:
        """A new call of the host that owns `key`; `host_id` is the public half of it."""
        return cls(origin, target, operation, payload, str(uuid4()), host_id, key)

    @classmethod
    def received(
        cls,
        origin: Entity,
        target: Entity,
        operation: str,
        payload: bytes,
        invocation_id: str,
        host_id: str,
        encoded_claims: str,
    ) -> Invocation:
        """A call that came from elsewhere, with the token that it brought. Nothing is checked here."""
        return cls(origin, target, operation, payload, invocation_id, host_id, None, encoded_claims)

    @property
    def identity(self) -> tuple[str, str, Entity, Entity, str]:
        """All of the call but its payload: id, host, origin, target, operation."""
        return self.id, self.host_id, self.origin, self.target, self.operation

    def with_payload(self, payload: bytes) -> Invocation:
        """The same call with another payload. Its token is made anew; a call that came from elsewhere has none then."""
        return replace(self, payload=payload, _token=None)

    @property
    def origin_url(self) -> str:
        """The URL of who asks."""
        return self.origin.url

    @property
    def target_url(self) -> str:
        """The URL of who is asked, and for which operation."""
        return f"{self.target.url}/{self.operation}"

    @property
    def hash(self) -> str:
        """SHA-256 of both URLs and the payload, in upper-case hexadecimal."""
        digest = hashlib.sha256(f"{self.origin_url}{self.target_url}".encode("utf-8", "surrogatepass"))
        digest.update(self.payload)
        return digest.hexdigest().upper()

    @property
    def encoded_claims(self) -> str:
        """The token, signed when first read. Raises WascapError where an operation name is too long for one."""
        if self._token is None:
            object.__setattr__(self, "_token", self._signed() if self._key else "")
        return self._token or ""

    def _signed(self) -> str:
        if self._key is None:
            return ""
        metadata = InvocationMetadata(self.target_url, self.origin_url, self.hash)
        return encode(Claims(issuer=self.host_id, subject=self.id, metadata=metadata), self._key)


@dataclass(frozen=True, slots=True)
class InvocationResponse:
    """The answer to the call `invocation_id`: a payload, or the text of an error.

    `cause` is the exception behind the error, where it happened in this process; it does not travel.
    """

    payload: bytes = field(repr=False)
    error: str | None
    invocation_id: str
    cause: Exception | None = field(default=None, repr=False, compare=False)

    @classmethod
    def failed(cls, kind: str, invocation: Invocation, error: Exception) -> InvocationResponse:
        """The answer to a call that failed at an entity of this kind, `actor` or `capability`."""
        return cls(b"", f"failed to invoke {kind}: {error}", invocation.id, error)


def check_antiforgery(invocation: Invocation, now: int | None = None) -> None:
    """Check that the invocation's token vouches for exactly this invocation, at `now` (seconds since 1970).

    Raises AntiforgeryFailure, with the text of the first check that fails.
    Protocol: docs/host.md#invocations
    """
    try:
        token = invocation.encoded_claims
        verdict = validate(token, now)
        claims = decode(token, InvocationMetadata)
    except WascapError as error:
        raise AntiforgeryFailure(str(error)) from error
    checks = (
        (not verdict.expired, "Invocation claims token expired"),
        (verdict.signature_valid, "Invocation claims signature invalid"),
        (not verdict.cannot_use_yet, "Attempt to use invocation before claims token allows"),
        (claims.metadata.hash == invocation.hash, "Invocation hash does not match signed claims hash"),
        (claims.subject == invocation.id, "Subject of invocation claims token does not match invocation ID"),
        (claims.issuer == invocation.host_id, "Invocation claims issuer does not match invocation host"),
        (claims.metadata.target_url == invocation.target_url, _mismatch("target")),
        (claims.metadata.origin_url == invocation.origin_url, _mismatch("origin")),
    )
    for passed, text in checks:
        if not passed:
            raise AntiforgeryFailure(text)


def _mismatch(end: str) -> str:
    return f"Invocation claims and invocation {end} URL do not match"
