"""The chain of provenance: good as a whole, and every broken link is named with its reason."""

import pickle
from dataclasses import replace

import pytest

from wascap import (
    AccountMetadata,
    ActorMetadata,
    ChainError,
    ChainLink,
    Claims,
    ExpiredToken,
    InvalidIssuer,
    InvalidModuleHash,
    InvalidSubject,
    InvalidTokenFormat,
    KeyPair,
    KeyType,
    MissingToken,
    OperatorMetadata,
    SerializationError,
    TokenTooEarly,
    UntrustedOperator,
    VerifyError,
    WascapError,
    WasmElementError,
    embed,
    encode,
    sign,
    verify_chain,
    verify_module_chain,
)

NOW = 1_600_000_000
OPERATOR, OPERATOR_SIGNER, STRANGER_OPERATOR = (KeyPair.generate(KeyType.OPERATOR) for _ in range(3))
ACCOUNT, ACCOUNT_SIGNER, STRANGER_ACCOUNT = (KeyPair.generate(KeyType.ACCOUNT) for _ in range(3))
MODULE = KeyPair.generate(KeyType.MODULE)
KEYS = {
    key.public_key: key
    for key in (OPERATOR, OPERATOR_SIGNER, STRANGER_OPERATOR, ACCOUNT, ACCOUNT_SIGNER, STRANGER_ACCOUNT, MODULE)
}
EMPTY = b"\0asm\x01\0\0\0"

GOOD: dict[ChainLink, Claims] = {
    ChainLink.OPERATOR: Claims(
        issuer=OPERATOR.public_key,
        subject=OPERATOR.public_key,
        expires=NOW + 10,
        metadata=OperatorMetadata("Operator", (OPERATOR_SIGNER.public_key,)),
    ),
    ChainLink.ACCOUNT: Claims(
        issuer=OPERATOR_SIGNER.public_key,
        subject=ACCOUNT.public_key,
        not_before=NOW - 10,
        metadata=AccountMetadata("Account", (ACCOUNT_SIGNER.public_key,)),
    ),
    ChainLink.ACTOR: Claims(
        issuer=ACCOUNT.public_key, subject=MODULE.public_key, metadata=ActorMetadata("Actor", "hash")
    ),
}


def tokens(changed: ChainLink | None = None, **changes: object) -> dict[ChainLink, str]:
    """The tokens of the good chain, but with the claims of one link changed and signed by the issuer they then name."""
    chain = {link: replace(claims, **changes) if link is changed else claims for link, claims in GOOD.items()}
    return {link: encode(claims, KEYS[claims.issuer]) for link, claims in chain.items()}


def verify(chain: dict[ChainLink, str], **options: object):
    return verify_chain(chain[ChainLink.OPERATOR], chain[ChainLink.ACCOUNT], chain[ChainLink.ACTOR], now=NOW, **options)


def test_a_good_chain() -> None:
    chain = verify(tokens(), trusted_operators={OPERATOR.public_key})
    assert [chain.operator, chain.account, chain.actor] == list(GOOD.values())


def test_an_actor_from_a_signing_key_of_the_account() -> None:
    chain = verify(tokens(ChainLink.ACTOR, issuer=ACCOUNT_SIGNER.public_key))
    assert chain.actor.issuer == ACCOUNT_SIGNER.public_key


BROKEN = [
    (ChainLink.OPERATOR, {"issuer": STRANGER_OPERATOR.public_key}, InvalidIssuer, "must be the same key"),
    (ChainLink.OPERATOR, {"issuer": ACCOUNT.public_key, "subject": ACCOUNT.public_key}, InvalidIssuer, "kind operator"),
    (ChainLink.OPERATOR, {"expires": NOW - 1}, ExpiredToken, "Module token has expired"),
    (ChainLink.OPERATOR, {"not_before": NOW + 1}, TokenTooEarly, "Module cannot be used yet"),
    (ChainLink.ACCOUNT, {"issuer": STRANGER_OPERATOR.public_key}, InvalidIssuer, "not among the operator's valid"),
    (ChainLink.ACCOUNT, {"issuer": OPERATOR.public_key}, InvalidIssuer, "not by its identity key"),
    (ChainLink.ACCOUNT, {"issuer": ACCOUNT.public_key}, InvalidIssuer, "not a public key of kind operator"),
    (ChainLink.ACCOUNT, {"subject": MODULE.public_key}, InvalidSubject, "not a public key of kind account"),
    (ChainLink.ACCOUNT, {"expires": NOW - 1}, ExpiredToken, "Module token has expired"),
    (ChainLink.ACCOUNT, {"not_before": NOW + 1}, TokenTooEarly, "Module cannot be used yet"),
    (ChainLink.ACTOR, {"issuer": STRANGER_ACCOUNT.public_key}, InvalidIssuer, "neither the account nor among"),
    (ChainLink.ACTOR, {"issuer": MODULE.public_key}, InvalidIssuer, "not a public key of kind account"),
    (ChainLink.ACTOR, {"issuer": OPERATOR_SIGNER.public_key}, InvalidIssuer, "not a public key of kind account"),
    (ChainLink.ACTOR, {"subject": ACCOUNT_SIGNER.public_key}, InvalidSubject, "not a public key of kind module"),
    (ChainLink.ACTOR, {"expires": NOW - 1}, ExpiredToken, "Module token has expired"),
    (ChainLink.ACTOR, {"not_before": NOW + 1}, TokenTooEarly, "Module cannot be used yet"),
]


def expect(link: ChainLink, reason: type[WascapError], chain: dict[ChainLink, str], **options: object) -> ChainError:
    with pytest.raises(ChainError) as caught:
        verify(chain, **options)
    assert (caught.value.link, type(caught.value.reason)) == (link, reason)
    assert caught.value.__cause__ is caught.value.reason
    assert str(caught.value).startswith(f"Broken chain of provenance: {link.value} token: ")
    return caught.value


@pytest.mark.parametrize(("link", "changes", "reason", "text"), BROKEN)
def test_broken_links(link: ChainLink, changes: dict[str, object], reason: type[WascapError], text: str) -> None:
    assert text in str(expect(link, reason, tokens(link, **changes)))


@pytest.mark.parametrize("link", GOOD)
def test_forged_links(link: ChainLink) -> None:
    chain = tokens()
    body, _ = chain[link].rsplit(".", 1)
    other_signature = chain[ChainLink.ACTOR if link is not ChainLink.ACTOR else ChainLink.ACCOUNT].rsplit(".", 1)[1]
    expect(link, VerifyError, {**chain, link: f"{body}.{other_signature}"})


@pytest.mark.parametrize("link", GOOD)
def test_unreadable_links(link: ChainLink) -> None:
    expect(link, InvalidTokenFormat, {**tokens(), link: "nonsense"})


def test_tokens_of_another_kind() -> None:
    chain = tokens()
    expect(ChainLink.OPERATOR, InvalidIssuer, {**chain, ChainLink.OPERATOR: chain[ChainLink.ACTOR]})
    expect(ChainLink.ACCOUNT, InvalidSubject, {**chain, ChainLink.ACCOUNT: chain[ChainLink.OPERATOR]})
    expect(ChainLink.ACTOR, SerializationError, {**chain, ChainLink.ACTOR: chain[ChainLink.ACCOUNT]})


@pytest.mark.parametrize("signers", [None, ()])
def test_an_operator_without_signers_issues_no_accounts(signers: tuple[str, ...] | None) -> None:
    chain = tokens(ChainLink.OPERATOR, metadata=OperatorMetadata(valid_signers=signers))
    expect(ChainLink.ACCOUNT, InvalidIssuer, chain)


def test_the_identity_key_issues_no_accounts_even_if_it_lists_itself() -> None:
    chain = tokens(ChainLink.OPERATOR, metadata=OperatorMetadata(valid_signers=(OPERATOR.public_key,)))
    chain[ChainLink.ACCOUNT] = tokens(ChainLink.ACCOUNT, issuer=OPERATOR.public_key)[ChainLink.ACCOUNT]
    expect(ChainLink.ACCOUNT, InvalidIssuer, chain)


def test_the_root_must_be_trusted() -> None:
    expect(ChainLink.OPERATOR, UntrustedOperator, tokens(), trusted_operators=())
    expect(ChainLink.OPERATOR, UntrustedOperator, tokens(), trusted_operators=[STRANGER_OPERATOR.public_key])


def test_the_chain_of_a_module() -> None:
    chain = tokens()
    vouchers = (chain[ChainLink.OPERATOR], chain[ChainLink.ACCOUNT])
    signed = sign(EMPTY, GOOD[ChainLink.ACTOR], ACCOUNT)
    verified = verify_module_chain(*vouchers, signed, now=NOW, trusted_operators=[OPERATOR.public_key])
    assert verified.actor.subject == MODULE.public_key
    broken: list[tuple[bytes, type[WascapError]]] = [
        (EMPTY, MissingToken),
        (b"", WasmElementError),
        (signed + b"\x00\x02\x01a", InvalidModuleHash),
        (embed(EMPTY, chain[ChainLink.ACTOR]), InvalidModuleHash),
        (sign(EMPTY, replace(GOOD[ChainLink.ACTOR], expires=1), ACCOUNT), ExpiredToken),
    ]
    for wasm, reason in broken:
        with pytest.raises(ChainError) as caught:
            verify_module_chain(*vouchers, wasm, now=NOW)
        assert (caught.value.link, type(caught.value.reason)) == (ChainLink.ACTOR, reason)


def test_the_current_time_is_the_default() -> None:
    chain = tokens()
    with pytest.raises(ChainError, match="operator token: Module token has expired"):
        verify_chain(*chain.values())


def test_errors_survive_a_process_boundary() -> None:
    error = ChainError(ChainLink.ACCOUNT, WasmElementError("text", 7))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (made on the line itself)
    assert (str(copy), copy.link, copy.reason.offset) == (str(error), ChainLink.ACCOUNT, 7)
