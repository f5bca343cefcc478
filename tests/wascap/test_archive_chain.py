"""The chain of provenance of a provider archive: operator, account, archive; by a program and by the command."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests_support import wascc
from wascap import (
    AccountMetadata,
    CapabilityProviderMetadata,
    ChainError,
    ChainLink,
    Claims,
    ExpiredToken,
    InvalidBinaryHash,
    InvalidIssuer,
    KeyPair,
    KeyType,
    OperatorMetadata,
    ProviderArchive,
    UntrustedOperator,
    VerifyError,
    WascapError,
    encode,
    verify_archive_chain,
)

OPERATOR, OPERATOR_SIGNER = (KeyPair.generate(KeyType.OPERATOR) for _ in range(2))
ACCOUNT, ACCOUNT_SIGNER, STRANGER = (KeyPair.generate(KeyType.ACCOUNT) for _ in range(3))
SERVICE = KeyPair.generate(KeyType.SERVICE)
OPERATOR_TOKEN = encode(
    Claims(
        issuer=OPERATOR.public_key,
        subject=OPERATOR.public_key,
        metadata=OperatorMetadata("Operator", (OPERATOR_SIGNER.public_key,)),
    ),
    OPERATOR,
)
ACCOUNT_CLAIMS = Claims(
    issuer=OPERATOR_SIGNER.public_key,
    subject=ACCOUNT.public_key,
    metadata=AccountMetadata("Account", (ACCOUNT_SIGNER.public_key,)),
)
ACCOUNT_TOKEN = encode(ACCOUNT_CLAIMS, OPERATOR_SIGNER)


def archive_by(issuer: KeyPair, **claims: int) -> ProviderArchive:
    metadata = CapabilityProviderMetadata(capability_id="wascc:keyvalue", vendor="acme", target_hashes={})
    body = Claims(issuer=issuer.public_key, subject=SERVICE.public_key, metadata=metadata, **claims)
    return ProviderArchive.sign(body, {"x86_64-linux": b"\x7fELF"}, issuer)


@pytest.mark.parametrize("issuer", [ACCOUNT, ACCOUNT_SIGNER])
def test_a_good_chain(issuer: KeyPair) -> None:
    trusted = [OPERATOR.public_key]
    verify_archive_chain(OPERATOR_TOKEN, ACCOUNT_TOKEN, archive_by(issuer), trusted_operators=trusted)


GOOD = archive_by(ACCOUNT)
FORGED = encode(replace(ACCOUNT_CLAIMS, issuer=STRANGER.public_key), STRANGER)


@pytest.mark.parametrize(
    ("archive", "account", "link", "reason"),
    [
        (archive_by(STRANGER), ACCOUNT_TOKEN, ChainLink.PROVIDER, InvalidIssuer),
        (archive_by(ACCOUNT, expires=1), ACCOUNT_TOKEN, ChainLink.PROVIDER, ExpiredToken),
        (replace(GOOD, binaries={"x86_64-linux": b"other"}), ACCOUNT_TOKEN, ChainLink.PROVIDER, InvalidBinaryHash),
        (replace(GOOD, token=GOOD.token[:-8] + "AAAAAAAA"), ACCOUNT_TOKEN, ChainLink.PROVIDER, WascapError),
        (GOOD, FORGED, ChainLink.ACCOUNT, InvalidIssuer),
        (GOOD, ACCOUNT_TOKEN.rpartition(".")[0] + "." + "A" * 86, ChainLink.ACCOUNT, VerifyError),
        (GOOD, "", ChainLink.ACCOUNT, WascapError),
    ],
)
def test_a_broken_chain(archive: ProviderArchive, account: str, link: ChainLink, reason: type[WascapError]) -> None:
    with pytest.raises(ChainError) as caught:
        verify_archive_chain(OPERATOR_TOKEN, account, archive)
    assert caught.value.link is link
    assert isinstance(caught.value.reason, reason)


def test_an_operator_that_is_not_trusted() -> None:
    with pytest.raises(ChainError) as caught:
        verify_archive_chain(OPERATOR_TOKEN, ACCOUNT_TOKEN, GOOD, trusted_operators=[STRANGER.public_key])
    assert isinstance(caught.value.reason, UntrustedOperator)


def test_the_command(tmp_path: Path) -> None:
    files = {"operator": OPERATOR_TOKEN + "\n", "account": ACCOUNT_TOKEN}
    for name, token in files.items():
        (tmp_path / name).write_text(token)
    (tmp_path / "good.par").write_bytes(GOOD.to_bytes())
    (tmp_path / "bad.par").write_bytes(archive_by(STRANGER).to_bytes())
    chain = ("--operator", tmp_path / "operator", "--account", tmp_path / "account")
    assert wascc("par", "verify", tmp_path / "good.par", *chain, "--trust", OPERATOR.public_key).returncode == 0
    for archive, options in (("bad.par", ()), ("good.par", ("--trust", STRANGER.public_key))):
        done = wascc("par", "verify", tmp_path / archive, *chain, *options)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "Broken chain of provenance" in done.stderr
    for options in (chain[:2], chain[2:], ("--trust", "x")):
        assert wascc("par", "verify", tmp_path / "good.par", *options).returncode == 2
