"""Trust policies: which operators, accounts and issuers may run something in a host, and which revision or file of it.

A policy comes on top of the claims check and the authorizer, and can only say no more often. Its rules and texts:
`docs/security.md`, section "Policy".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from host.errors import PolicyFailure
from host.logs import printable
from host.verdicts import Verdict, require
from wascap import (
    AccountMetadata,
    ChainError,
    Claims,
    KeyPair,
    KeyType,
    OperatorMetadata,
    VerifyError,
    WascapError,
    decode,
    validate,
)
from wascap.chain import may_issue, verify_account
from wascap.validation import entity_problems

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def is_sha256(text: str) -> bool:
    """Whether this is a SHA-256 digest in hexadecimal."""
    return _SHA256.fullmatch(text) is not None


class PolicyTokenError(ValueError):
    """A token that a policy was given is not one of an operator or an account: `index` says which, `reason` why."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"token {index}: {reason}")
        self.index = index
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pin:
    """What a subject must be: of this revision or a later one, the file with this SHA-256 (hexadecimal)."""

    min_revision: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a host trusts. A rule that is None is not asked; each one that is given must allow. Made by `of`."""

    issuers: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    operators: frozenset[str] | None = None
    pins: Mapping[str, Pin] = field(default_factory=lambda: MappingProxyType({}))
    operator_tokens: tuple[str, ...] = field(default=(), repr=False)
    account_tokens: tuple[tuple[str, Claims[AccountMetadata]], ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls,
        *,
        issuers: Iterable[str] | None = None,
        accounts: Iterable[str] | None = None,
        operators: Iterable[str] | None = None,
        tokens: Iterable[str] = (),
        pins: Mapping[str, Pin] | None = None,
    ) -> Policy:
        """A policy of these public keys, and signed tokens of operators and accounts in any order.

        Raises PolicyTokenError: a token is unreadable, forged, or of another kind. Its time is looked at later, when
        something is loaded. Raises ValueError for a pin that is no digest.
        """
        for pin in (pins or {}).values():
            if pin.sha256 is not None and not is_sha256(pin.sha256):
                raise ValueError("the digest of a pin is 64 hexadecimal digits")
        operator_tokens, account_tokens = [], []
        for index, token in enumerate(tokens):
            try:
                account = _account_of(token)
            except WascapError as error:
                raise PolicyTokenError(index, printable(str(error))) from error
            if account is None:
                operator_tokens.append(token)
            else:
                account_tokens.append((token, account))
        return cls(
            None if issuers is None else frozenset(issuers),
            None if accounts is None else frozenset(accounts),
            None if operators is None else frozenset(operators),
            MappingProxyType(dict(pins or {})),
            tuple(operator_tokens),
            tuple(account_tokens),
        )

    def judge(self, claims: Claims[Any], sha256: str) -> Iterator[Verdict]:
        """What each rule says of something with these claims, whose own token is known to be good; `sha256` is the
        digest of the whole file in hexadecimal. The errors are PolicyFailures."""
        shown = printable(claims.subject)
        if self.issuers is not None:
            yield self._verdict(
                "issuers",
                claims.issuer in self.issuers,
                f"issuer {printable(claims.issuer)} of {shown} is not among those that may run here",
                f"add {printable(claims.issuer)} to policy.issuers, or have a key that is there sign the module",
            )
        if self.accounts is not None or self.operators is not None:
            yield self._judge_chain(claims)
        pin = self.pins.get(claims.subject)
        if pin is not None and pin.min_revision is not None:
            revision = getattr(claims.metadata, "revision", None) or 0
            yield self._verdict(
                "pins.min_revision",
                revision >= pin.min_revision,
                f"{shown} has revision {revision}, and at least {pin.min_revision} is pinned",
                f"load revision {pin.min_revision} or a later one; wascc claims sign gives a module one with --rev",
            )
        if pin is not None and pin.sha256 is not None:
            yield self._verdict(
                "pins.sha256",
                sha256.lower() == pin.sha256.lower(),
                f"the file of {shown} has SHA-256 {sha256.lower()}, and {pin.sha256.lower()} is pinned",
                "load the pinned file, or pin the digest of this one once you trust it",
            )

    def _judge_chain(self, claims: Claims[Any]) -> Verdict:
        rule = "accounts" if self.operators is None else "operators"
        if self.operators is None and claims.issuer in (self.accounts or ()):
            return Verdict(f"policy.{rule}")
        problems: list[str] = []
        for token, account in self.account_tokens:
            if not may_issue(account, claims.issuer):
                continue
            if self.accounts is not None and account.subject not in self.accounts:
                problems.append(f"account {printable(account.subject)} is not among those that may run here")
                rule = "accounts"
                continue
            problem = self._chain_problem(token)
            if problem is None:
                return Verdict(f"policy.{rule}")
            problems.append(problem)
        if not problems:
            problems.append(
                f"no token in policy.tokens is of an account that issuer {printable(claims.issuer)} signs for"
            )
        fix = "add the signed tokens of its account and operator to policy.tokens, and their keys to the policy"
        return self._verdict(rule, False, f"{printable(claims.subject)}: {problems[-1]}", fix)

    def _chain_problem(self, account_token: str) -> str | None:
        """Why no operator stands behind an account, None if one does."""
        problem = "policy.tokens has no token of an operator"
        for operator_token in self.operator_tokens:
            try:
                verify_account(operator_token, account_token, trusted_operators=self.operators)
            except ChainError as error:
                problem = printable(str(error))
            else:
                return None
        return problem

    def _verdict(self, rule: str, allowed: bool, text: str, fix: str) -> Verdict:
        name = f"policy.{rule}"
        return Verdict(name, None if allowed else PolicyFailure(f"Refused by {name}: {text}", fix))


class Policies:
    """The policies of one host, all of which have to allow."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._lock = threading.Lock()
        self._policies = tuple(policies)

    def add(self, policy: Policy) -> None:
        """Ask this one too from now on."""
        with self._lock:
            self._policies = (*self._policies, policy)

    def remove(self, policy: Policy) -> None:
        """Ask this very one no more."""
        with self._lock:
            self._policies = tuple(each for each in self._policies if each is not policy)

    def judge(self, claims: Claims[Any], sha256: str) -> Iterator[Verdict]:
        """The verdicts of all policies, see `Policy.judge`."""
        for policy in self._policies:
            yield from policy.judge(claims, sha256)

    def check(self, claims: Claims[Any], sha256: str) -> None:
        """For whatever brings signed code into the host and has verified its token: the claims in it, and the SHA-256
        of the file. Raises PolicyFailure, with the text of the first rule that refuses."""
        require(self.judge(claims, sha256))


def _account_of(token: str) -> Claims[AccountMetadata] | None:
    """The claims of an account's token, None if it is an operator's. Raises WascapError."""
    if not validate(token).signature_valid:
        raise VerifyError
    account = decode(token, AccountMetadata)
    is_operator = KeyPair.from_public_key(account.subject).key_type is KeyType.OPERATOR
    for problem in entity_problems(decode(token, OperatorMetadata) if is_operator else account):
        raise problem
    return None if is_operator else account
