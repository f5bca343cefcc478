"""Trust policies: each rule with its text, that none can be turned off or overruled, and where they are asked."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from host_support import Identities, scripted_guest

from host import Actor, Host, Manifest, ManifestError, Pin, Policy, PolicyFailure
from host.errors import HostError
from host.policy import Policies, PolicyTokenError
from wascap import (
    AccountMetadata,
    ActorMetadata,
    CapabilityProviderMetadata,
    Claims,
    KeyPair,
    KeyType,
    OperatorMetadata,
    encode,
    sign,
)

MakeHost = Callable[..., Host]


class Organisation:
    """An operator with a signing key, one account of it with a signing key, and their tokens."""

    def __init__(self, **times: int) -> None:
        self.operator, self.operator_signer = KeyPair.generate(KeyType.OPERATOR), KeyPair.generate(KeyType.OPERATOR)
        self.account, self.account_signer = KeyPair.generate(KeyType.ACCOUNT), KeyPair.generate(KeyType.ACCOUNT)
        self.operator_token = encode(
            Claims(
                issuer=self.operator.public_key,
                subject=self.operator.public_key,
                metadata=OperatorMetadata(valid_signers=(self.operator_signer.public_key,)),
            ),
            self.operator,
        )
        self.account_token = self.token_of_account(self.operator_signer, **times)

    def token_of_account(self, issuer: KeyPair, **times: int) -> str:
        metadata = AccountMetadata(valid_signers=(self.account_signer.public_key,))
        claims = Claims(issuer=issuer.public_key, subject=self.account.public_key, metadata=metadata, **times)
        return encode(claims, issuer)

    @property
    def tokens(self) -> list[str]:
        return [self.account_token, self.operator_token]

    def actor(self, signer: KeyPair | None = None, **metadata: object) -> Actor:
        key = signer or self.account
        module = KeyPair.generate(KeyType.MODULE).public_key
        claims = Claims(issuer=key.public_key, subject=module, metadata=ActorMetadata(**metadata))
        return Actor.from_bytes(sign(scripted_guest(), claims, key))


@pytest.fixture(scope="module")
def org() -> Organisation:
    return Organisation()


@pytest.fixture(scope="module")
def stranger() -> Organisation:
    return Organisation()


def refusal(policy: Policy, actor: Actor) -> str | None:
    """What the policy says of an actor, None if it allows."""
    found = [each.refusal for each in policy.judge(actor.claims, hashlib.sha256(actor.wasm).hexdigest())]
    refusals = [each for each in found if each is not None]
    assert all(each.fix and each.text.startswith(f"Refused by {each.rule}: ") for each in refusals)
    return refusals[0].text if refusals else None


def test_a_policy_without_rules_allows(org: Organisation) -> None:
    assert refusal(Policy.of(), org.actor()) is None
    assert refusal(Policy(), org.actor()) is None


def test_issuers(org: Organisation, stranger: Organisation) -> None:
    policy = Policy.of(issuers=[org.account_signer.public_key])
    assert refusal(policy, org.actor(org.account_signer)) is None
    refused = org.actor()
    assert refusal(policy, refused) == (
        f"Refused by policy.issuers: issuer {org.account.public_key} of {refused.public_key} is not among those that "
        "may run here"
    )
    assert refusal(Policy.of(issuers=[]), org.actor()) is not None


def test_accounts(org: Organisation, stranger: Organisation) -> None:
    bare = Policy.of(accounts=[org.account.public_key])
    assert refusal(bare, org.actor()) is None
    signed = org.actor(org.account_signer)
    assert refusal(bare, signed) == (
        f"Refused by policy.accounts: {signed.public_key}: no token in policy.tokens is of an account that issuer "
        f"{org.account_signer.public_key} signs for"
    )
    with_tokens = Policy.of(accounts=[org.account.public_key], tokens=org.tokens)
    assert refusal(with_tokens, signed) is None
    other = Policy.of(accounts=[stranger.account.public_key], tokens=org.tokens)
    assert refusal(other, signed) == (
        f"Refused by policy.accounts: {signed.public_key}: account {org.account.public_key} is not among those that "
        "may run here"
    )
    alone = Policy.of(accounts=[org.account.public_key], tokens=[org.account_token])
    assert refusal(alone, signed) == (
        f"Refused by policy.accounts: {signed.public_key}: policy.tokens has no token of an operator"
    )


def test_operators(org: Organisation, stranger: Organisation) -> None:
    policy = Policy.of(operators=[org.operator.public_key], tokens=[*stranger.tokens, *org.tokens])
    assert refusal(policy, org.actor()) is None
    assert refusal(policy, org.actor(org.account_signer)) is None
    for signer in (stranger.account, stranger.account_signer):
        refused = stranger.actor(signer)
        text = refusal(policy, refused)
        assert text is not None
        assert text.startswith(f"Refused by policy.operators: {refused.public_key}: Broken chain of provenance: ")
    both = Policy.of(operators=[org.operator.public_key], accounts=[stranger.account.public_key], tokens=org.tokens)
    assert refusal(both, org.actor()) is not None
    assert refusal(Policy.of(operators=[org.operator.public_key]), org.actor()) is not None
    assert refusal(Policy.of(operators=[], tokens=org.tokens), org.actor()) is not None


def test_an_account_that_the_operators_identity_key_or_another_key_issued(org: Organisation) -> None:
    for issuer in (org.operator, KeyPair.generate(KeyType.OPERATOR)):
        tokens = [org.token_of_account(issuer), org.operator_token]
        policy = Policy.of(operators=[org.operator.public_key], tokens=tokens)
        text = refusal(policy, org.actor())
        assert text is not None
        assert "Broken chain of provenance: account token: Invalid issuer" in text


def test_an_account_whose_time_is_over() -> None:
    expired = Organisation(expires=1)
    policy = Policy.of(operators=[expired.operator.public_key], tokens=expired.tokens)
    text = refusal(policy, expired.actor())
    assert text is not None
    assert text.endswith("Broken chain of provenance: account token: Module token has expired")


def test_tokens_that_are_none(org: Organisation) -> None:
    head, body, signature = org.account_token.split(".")
    forged = f"{head}.{body}.{org.operator_token.split('.')[2]}"
    actor_token = org.actor().token
    for token in ("", "x", f"{head}.{body}", forged, actor_token, f"{head}.{body}.{signature}A"):
        with pytest.raises(PolicyTokenError) as caught:
            Policy.of(tokens=[org.operator_token, token])
        assert caught.value.index == 1


def test_pins(org: Organisation) -> None:
    actor = org.actor(revision=3)
    digest = hashlib.sha256(actor.wasm).hexdigest()
    for pin in (Pin(), Pin(3), Pin(2, digest), Pin(None, digest.upper())):
        assert refusal(Policy.of(pins={actor.public_key: pin}), actor) is None
    assert refusal(Policy.of(pins={actor.public_key: Pin(4)}), actor) == (
        f"Refused by policy.pins.min_revision: {actor.public_key} has revision 3, and at least 4 is pinned"
    )
    assert refusal(Policy.of(pins={actor.public_key: Pin(0, "ab" * 32)}), actor) == (
        f"Refused by policy.pins.sha256: the file of {actor.public_key} has SHA-256 {digest}, and {'ab' * 32} is pinned"
    )
    unnumbered = org.actor()
    assert refusal(Policy.of(pins={unnumbered.public_key: Pin(1)}), unnumbered) is not None
    assert refusal(Policy.of(pins={actor.public_key: Pin(4)}), unnumbered) is None
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Policy.of(pins={actor.public_key: Pin(None, "abc")})


def test_the_claims_of_a_provider_archive(org: Organisation) -> None:
    metadata = CapabilityProviderMetadata(capability_id="wascc:x", vendor="v", target_hashes={}, revision=2)
    service = KeyPair.generate(KeyType.SERVICE).public_key
    claims = Claims(issuer=org.account.public_key, subject=service, metadata=metadata)
    policies = Policies([Policy.of(operators=[org.operator.public_key], tokens=org.tokens, pins={service: Pin(2)})])
    policies.check(claims, "00" * 32)
    policies.add(Policy.of(pins={service: Pin(3)}))
    with pytest.raises(PolicyFailure, match=r"policy.pins.min_revision"):
        policies.check(claims, "00" * 32)


def test_a_host_asks_all_policies_on_adding_and_on_replacing(
    make_host: MakeHost, org: Organisation, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    policy = Policy.of(issuers=[org.account.public_key, org.account_signer.public_key])
    host = make_host(configure=lambda builder: builder.with_policy(policy))
    with pytest.raises(PolicyFailure, match=r"policy\.issuers"):
        host.add_actor(identities.actor())
    actor = org.actor()
    host.add_actor(actor)
    stricter = Policy.of(pins={actor.public_key: Pin(1)})
    host.add_policy(Policy.of(pins={actor.public_key: Pin(0)}))
    assert "runs on" not in caplog.text
    host.add_policy(stricter)
    assert f"Actor {actor.public_key} runs on: Refused by policy.pins.min_revision: " in caplog.text
    with pytest.raises(PolicyFailure, match=r"policy\.pins\.min_revision"):
        host.replace_actor(actor)
    host.remove_policy(stricter)
    host.replace_actor(actor)
    assert host.call_actor(actor.public_key, "echo", b"?") == b"?"


class Allows:
    """An authorizer that allows everything."""

    def can_load(self, claims: object) -> bool:
        return True

    def can_invoke(self, claims: object, target: object, operation: str) -> bool:
        return True


def test_neither_authorizer_nor_another_policy_overrules(make_host: MakeHost, org: Organisation) -> None:
    host = make_host(
        configure=lambda builder: (
            builder.with_policy(Policy.of(issuers=[])).with_policy(Policy()).with_authorizer(Allows())
        )
    )
    with pytest.raises(PolicyFailure):
        host.add_actor(org.actor())


def policy_text(policy: str, actors: str = "[]") -> str:
    return f"actors: {actors}\ncapabilities: []\nbindings: []\npolicy: {policy}\n"


def test_a_policy_in_a_manifest(make_host: MakeHost, org: Organisation, stranger: Organisation, tmp_path: Path) -> None:
    ours, theirs = org.actor(), stranger.actor()
    (tmp_path / "ours.wasm").write_bytes(ours.wasm)
    (tmp_path / "theirs.wasm").write_bytes(theirs.wasm)
    (tmp_path / "operator.jwt").write_text(org.operator_token + "\n")
    policy = f"{{operators: [{org.operator.public_key}], tokens: [operator.jwt, {org.account_token}]}}"
    path = tmp_path / "manifest.yaml"
    host = make_host()
    path.write_text(policy_text(policy, "[ours.wasm, theirs.wasm]"))
    with pytest.raises(PolicyFailure, match=r"actors\[1\] \(theirs.wasm\): Refused by policy.operators: ") as caught:
        host.apply_manifest(Manifest.from_file(path))
    assert caught.value.prefix == "WebAssembly module authorization failure: "
    assert not host.actors()
    host.add_actor(theirs)
    host.remove_actor(theirs.public_key)
    path.write_text(policy_text(policy, "[ours.wasm]"))
    host.apply_manifest(Manifest.from_file(path))
    with pytest.raises(PolicyFailure, match=r"policy.operators"):
        host.add_actor(theirs)


@pytest.mark.parametrize(
    ("policy", "field", "text"),
    [
        ("{require_signature: false}", "policy.require_signature", "cannot be turned off: without a valid signature"),
        ("{require_signature: 'yes'}", "policy.require_signature", "must be true or false"),
        ("{issuers: [x]}", "policy.issuers[0]", "must be a public key of kind account"),
        ("{operators: [x]}", "policy.operators[0]", "must be a public key of kind operator"),
        ("{pins: {x: {}}}", "policy.pins.x", "must be a public key of kind module or service"),
        ("{pinned: {}}", "policy.pinned", "is not a field that manifests have"),
    ],
)
def test_what_is_no_policy(policy: str, field: str, text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_text(policy_text(policy))
    (problem,) = caught.value.problems
    assert problem.field_name.startswith(field)
    assert problem.text.startswith(text)
    assert problem.line == 4


def test_pins_of_manifests_are_checked(org: Organisation) -> None:
    key = org.actor().public_key
    for pin, text in (
        ("sha256: abc", "must be a SHA-256 digest"),
        ("min_revision: 2147483648", "must be less than"),
        ("min_revision: 1.5", "must be a whole number"),
    ):
        with pytest.raises(ManifestError, match=text):
            Manifest.from_text(policy_text(f"{{pins: {{{key}: {{{pin}}}}}}}"))
    manifest = Manifest.from_text(policy_text(f"{{require_signature: true, pins: {{{key}: {{min_revision: 0x10}}}}}}"))
    assert manifest.policy is not None
    assert manifest.policy.pins[key].min_revision == 16


def test_tokens_of_a_manifest_that_cannot_be_had(make_host: MakeHost, org: Organisation, tmp_path: Path) -> None:
    (tmp_path / "bad.jwt").write_text("no token")
    host = make_host()
    for token, text in (
        ("missing.jwt", f"policy.tokens: {tmp_path / 'missing.jwt'} cannot be read: No such file or directory"),
        ("bad.jwt", "policy.tokens[0]: JWT error: invalid token format"),
    ):
        (tmp_path / "manifest.yaml").write_text(policy_text(f"{{tokens: [{token}]}}"))
        with pytest.raises(HostError) as caught:
            host.apply_manifest(Manifest.from_file(tmp_path / "manifest.yaml"))
        assert caught.value.message == text


def test_an_unsigned_module_is_refused_with_and_without_a_policy(tmp_path: Path, make_host: MakeHost) -> None:
    (tmp_path / "unsigned.wasm").write_bytes(scripted_guest())
    for policy in ("", "policy: {require_signature: true}\n"):
        (tmp_path / "manifest.yaml").write_text(f"actors: [unsigned.wasm]\ncapabilities: []\nbindings: []\n{policy}")
        with pytest.raises(HostError, match="No embedded JWT in actor module"):
            make_host().apply_manifest(Manifest.from_file(tmp_path / "manifest.yaml"))


def test_claims_are_those_of_the_module(org: Organisation, make_host: MakeHost) -> None:
    """An actor object that claims another issuer than its module's token cannot get past a policy."""
    host = make_host(configure=lambda builder: builder.with_policy(Policy.of(issuers=[org.account.public_key])))
    refused = org.actor(org.account_signer)
    dressed = replace(refused, claims=replace(refused.claims, issuer=org.account.public_key))
    with pytest.raises(HostError, match="not the one that the module was signed with"):
        host.add_actor(dressed)
