"""The section `policy` of a manifest: whom a host trusts, as a file says it. What it means: `host.policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from host.errors import ManifestValueError
from host.files import open_regular_file
from host.logs import printable
from host.manifest.fields import UNQUOTED, Entry, Truth, unacceptable, why_unreadable
from host.policy import Pin, Policy, PolicyTokenError, is_sha256
from wascap import KeyPair, KeyType, WascapError
from wascap.errors import MAX_TOKEN_BYTES

_JWT_BEGINNING = "eyJ"
"""How every token begins: base64 of `{"`."""

SIGNATURE_REQUIRED = (
    "cannot be turned off: without a valid signature a module has no identity, so nothing says what it may do; "
    "sign it with wascc claims sign"
)


def _always(value: bool) -> bool:
    if not value:
        raise unacceptable(SIGNATURE_REQUIRED)
    return value


def _of_kind(*kinds: KeyType) -> AfterValidator:
    names = " or ".join(kind.name.lower() for kind in kinds)

    def check(value: str) -> str:
        try:
            is_right = KeyPair.from_public_key(value).key_type in kinds
        except WascapError:
            is_right = False
        if not is_right:
            raise unacceptable(f"must be a public key of kind {names}")
        return value

    return AfterValidator(check)


def _digest(value: str) -> str:
    if not is_sha256(value):
        raise unacceptable("must be a SHA-256 digest: 64 hexadecimal digits")
    return value


Operator = Annotated[str, _of_kind(KeyType.OPERATOR)]
Account = Annotated[str, _of_kind(KeyType.ACCOUNT)]
Subject = Annotated[str, _of_kind(KeyType.MODULE, KeyType.SERVICE)]


class PinEntry(Entry):
    """What the module or provider archive with this public key must be."""

    min_revision: Annotated[int, Field(ge=-(2**31), lt=2**31), UNQUOTED] | None = Field(
        default=None, description="The lowest revision that its token may have; a token without one has revision 0."
    )
    sha256: Annotated[str, AfterValidator(_digest)] | None = Field(
        default=None, description="SHA-256 of the file, in hexadecimal; no other file is taken."
    )


class PolicyEntry(Entry):
    """Whom the host trusts. Each rule that is given must allow it; none can allow what another refuses."""

    require_signature: Annotated[Truth, AfterValidator(_always)] = Field(
        default=True, description="Always true: what is not signed is refused. Writing false is an error."
    )
    issuers: list[Account] | None = Field(
        default=None,
        description="Public keys that may have signed an actor or a provider: accounts and their signing keys.",
    )
    accounts: list[Account] | None = Field(
        default=None,
        description="Accounts whose actors and providers may run. Signing keys count if its token is in `tokens`.",
    )
    operators: list[Operator] | None = Field(
        default=None,
        description="Operators whose accounts' actors and providers may run. Their tokens belong in `tokens`.",
    )
    tokens: list[str] = Field(
        default_factory=list,
        description="Signed tokens of operators and accounts: the token itself, or a file that holds it.",
    )
    pins: dict[Subject, PinEntry] = Field(
        default_factory=dict, description="By public key of an actor or provider: what it must be."
    )

    def policy(self, folder: Path | None) -> Policy:
        """What the section means; files of tokens are looked for in `folder`. Raises ManifestValueError."""
        tokens = [_token(text, folder) for text in self.tokens]
        try:
            return Policy.of(
                issuers=self.issuers,
                accounts=self.accounts,
                operators=self.operators,
                tokens=tokens,
                pins={subject: Pin(pin.min_revision, pin.sha256) for subject, pin in self.pins.items()},
            )
        except PolicyTokenError as error:
            raise ManifestValueError(f"policy.tokens[{error.index}]: {error.reason}") from error


def _token(text: str, folder: Path | None) -> str:
    if text.startswith(_JWT_BEGINNING) and text.count(".") == 2:
        return text
    path = (folder or Path()) / text
    try:
        with open_regular_file(path) as file:
            content = file.read(MAX_TOKEN_BYTES + 2)
    except (OSError, ValueError) as error:
        text = f"policy.tokens: {printable(str(path))} cannot be read: {why_unreadable(error)}"
        raise ManifestValueError(text) from error
    return content.decode("ascii", errors="replace").strip()
