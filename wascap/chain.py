"""The chain of provenance: an operator vouches for an account, the account for a module or a provider archive.

Protocol: docs/wascap.md#chain-of-provenance
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wascap.archives import ProviderArchive
from wascap.claims import AccountMetadata, ActorMetadata, Claims, MetadataT, OperatorMetadata
from wascap.clock import current_time
from wascap.embedding import extract
from wascap.errors import ChainError, ChainLink, InvalidIssuer, MissingToken, UntrustedOperator, WascapError, shown
from wascap.tokens import decode
from wascap.validation import entity_problems, validate


@dataclass(frozen=True, slots=True)
class ChainOfProvenance:
    """The claims of a chain that was verified as a whole."""

    operator: Claims[OperatorMetadata]
    account: Claims[AccountMetadata]
    actor: Claims[ActorMetadata]


def verify_chain(
    operator_token: str,
    account_token: str,
    actor_token: str,
    *,
    trusted_operators: Collection[str] | None = None,
    now: int | None = None,
) -> ChainOfProvenance:
    """Verify that an operator stands behind an account, and that account behind an actor, and return their claims.

    Every token must be signed by its issuer, in its time at `now` (seconds since 1970, default: the current time),
    and about and from keys of the right kinds. `trusted_operators` are the public keys that the root may be; with None
    the caller vouches for the operator's token, since anyone can issue one. The module's hash is checked by
    `verify_module_chain`.
    Raises ChainError, which names the first broken link from the root and the reason.
    Protocol: docs/wascap.md#chain-of-provenance
    """
    moment = current_time() if now is None else now
    operator, account = verify_account(operator_token, account_token, trusted_operators=trusted_operators, now=moment)
    with _blaming(ChainLink.ACTOR):
        actor = _verified(actor_token, ActorMetadata, moment)
        _require_issuer(account, actor.issuer)
    return ChainOfProvenance(operator, account, actor)


def verify_account(
    operator_token: str, account_token: str, *, trusted_operators: Collection[str] | None = None, now: int | None = None
) -> tuple[Claims[OperatorMetadata], Claims[AccountMetadata]]:
    """The first two links of `verify_chain`: that an operator stands behind an account. Raises ChainError.

    Protocol: docs/wascap.md#chain-of-provenance
    """
    moment = current_time() if now is None else now
    with _blaming(ChainLink.OPERATOR):
        operator = _verified(operator_token, OperatorMetadata, moment)
        if trusted_operators is not None and operator.subject not in trusted_operators:
            raise UntrustedOperator(operator.subject)
    with _blaming(ChainLink.ACCOUNT):
        account = _verified(account_token, AccountMetadata, moment)
        _require_account_issuer(operator, account)
    return operator, account


def may_issue(account: Claims[AccountMetadata], issuer: str) -> bool:
    """Whether what `issuer` has signed is issued by the account: by its own key or one of its valid signers."""
    return issuer in (account.subject, *(account.metadata.valid_signers or ()))


def verify_module_chain(
    operator_token: str,
    account_token: str,
    wasm: bytes,
    *,
    trusted_operators: Collection[str] | None = None,
    now: int | None = None,
) -> ChainOfProvenance:
    """As `verify_chain`, for the token inside a module, which must also be the very module that was signed.

    Raises ChainError. The module is looked at first: one that is malformed, altered or without a token breaks the
    actor's link, whatever the other tokens are worth.
    Protocol: docs/wascap.md#chain-of-provenance
    """
    with _blaming(ChainLink.ACTOR):
        token = extract(wasm)
        if token is None:
            raise MissingToken
    return verify_chain(operator_token, account_token, token.jwt, trusted_operators=trusted_operators, now=now)


def verify_archive_chain(
    operator_token: str,
    account_token: str,
    archive: ProviderArchive,
    *,
    trusted_operators: Collection[str] | None = None,
    now: int | None = None,
) -> None:
    """As `verify_module_chain`, for a provider archive, which must hold the very binaries that were signed.

    Raises ChainError. The archive is looked at first.
    Protocol: docs/wascap.md#chain-of-provenance
    """
    moment = current_time() if now is None else now
    with _blaming(ChainLink.PROVIDER):
        archive.verify(moment)
    _, account = verify_account(operator_token, account_token, trusted_operators=trusted_operators, now=moment)
    with _blaming(ChainLink.PROVIDER):
        _require_issuer(account, archive.claims.issuer)


@contextmanager
def _blaming(link: ChainLink) -> Iterator[None]:
    try:
        yield
    except WascapError as error:
        raise ChainError(link, error) from error


def _verified(token: str, metadata_class: type[MetadataT], now: int) -> Claims[MetadataT]:
    """The claims of a token that stands up on its own."""
    claims = decode(token, metadata_class)
    for problem in (*validate(token, now).problems, *entity_problems(claims)):
        raise problem
    return claims


def _require_issuer(account: Claims[AccountMetadata], issuer: str) -> None:
    if not may_issue(account, issuer):
        raise InvalidIssuer(f"{shown(issuer)} is neither the account nor among its valid signers")


def _require_account_issuer(operator: Claims[OperatorMetadata], account: Claims[AccountMetadata]) -> None:
    """An account comes from a signing key of the operator; the identity key issues nothing but its own token."""
    if account.issuer == operator.subject:
        raise InvalidIssuer("an account is issued by a signing key of the operator, not by its identity key")
    if account.issuer not in (operator.metadata.valid_signers or ()):
        raise InvalidIssuer(f"{shown(account.issuer)} is not among the operator's valid signers")
