"""Verdicts on tokens: every documented outcome, human words for times, forged and altered tokens."""

from dataclasses import replace
from itertools import product

import pytest

from wascap import (
    AccountMetadata,
    ActorMetadata,
    CapabilityProviderMetadata,
    Claims,
    ClusterMetadata,
    CodecFailure,
    EncryptionError,
    ExpiredToken,
    InvalidIssuer,
    InvalidKeyLength,
    InvalidPrefix,
    InvalidSubject,
    InvocationMetadata,
    KeyPair,
    KeyType,
    Metadata,
    MissingIssuer,
    MissingSubject,
    OperatorMetadata,
    TokenTooEarly,
    TokenValidation,
    VerifyError,
    WascapError,
    encode,
    entity_problems,
    human_time,
    validate,
)
from wascap.encoding import base64url_encode, json_encode

NOW = 1_600_000_000
ACCOUNT = KeyPair.from_seed("SAAGJYAKODWV42YVRMUAIQFT6KFYT4R6A2LAS3WCH3BJ3KSBFKQOAU5LEU")
KEYS = {key_type: KeyPair.generate(key_type) for key_type in KeyType}
CLAIMS = Claims(
    issuer=ACCOUNT.public_key,
    subject=KEYS[KeyType.MODULE].public_key,
    issued_at=NOW,
    metadata=ActorMetadata(name="Echo"),
)


def token_of(**changes: object) -> str:
    return encode(replace(CLAIMS, **changes), ACCOUNT)


def raw_token(claims: dict[str, object], key: KeyPair = ACCOUNT) -> str:
    header = base64url_encode(json_encode({"typ": "jwt", "alg": "Ed25519"}))
    signed = f"{header}.{base64url_encode(json_encode(claims))}"
    return f"{signed}.{base64url_encode(key.sign(signed.encode()))}"


def test_a_token_without_times() -> None:
    validation = validate(token_of(), NOW)
    assert validation == TokenValidation(
        expired=False,
        cannot_use_yet=False,
        expires_human="never",
        not_before_human="immediately",
        signature_valid=True,
    )
    assert validation.ok


def test_the_current_time_is_the_default() -> None:
    assert validate(token_of(expires=1)).expired
    assert validate(token_of(not_before=2**63)).cannot_use_yet


def test_not_yet() -> None:
    validation = validate(token_of(not_before=NOW + 1000), NOW)
    assert validation.cannot_use_yet
    assert not validation.ok
    assert validation.not_before_human == "in 16 minutes"
    assert [str(problem) for problem in validation.problems] == ["Module cannot be used yet"]
    assert type(validation.problems[0]) is TokenTooEarly


def test_expired() -> None:
    validation = validate(token_of(expires=NOW - 30_000), NOW)
    assert validation.expired
    assert not validation.ok
    assert validation.expires_human == "8 hours ago"
    assert [str(problem) for problem in validation.problems] == ["Module token has expired"]
    assert type(validation.problems[0]) is ExpiredToken


def test_the_times_themselves_are_still_good() -> None:
    validation = validate(token_of(expires=NOW, not_before=NOW), NOW)
    assert validation.ok
    assert (validation.expires_human, validation.not_before_human) == ("now", "now")


def test_times_at_the_end_of_the_range() -> None:
    validation = validate(token_of(expires=2**64 - 1, not_before=2**64 - 1), NOW)
    assert validation.expires_human == "in 584942417304 years"
    assert validation.cannot_use_yet
    assert validate(token_of(expires=0, not_before=0), NOW).expires_human == "50 years ago"


def test_a_forged_signature_is_a_verdict_not_an_error() -> None:
    signed = token_of().rsplit(".", 1)[0]
    other = KeyPair.generate(KeyType.ACCOUNT)
    for signature in (other.sign(signed.encode()), b"", b"short", bytes(64), bytes(65), b"\xff" * 64):
        validation = validate(f"{signed}.{base64url_encode(signature)}", NOW)
        assert not validation.signature_valid
        assert not validation.ok
        assert type(validation.problems[0]) is VerifyError


def test_a_signature_cannot_be_moved_to_other_claims() -> None:
    head, _, signature = token_of().split(".")
    other_body = token_of(subject=KEYS[KeyType.MODULE].public_key[::-1]).split(".")[1]
    assert not validate(f"{head}.{other_body}.{signature}", NOW).signature_valid


def test_the_same_signature_in_its_other_algebraic_form_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signed = token_of().rsplit(".", 1)[0]
    signature = ACCOUNT.sign(signed.encode())
    shifted = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not validate(f"{signed}.{base64url_encode(signature[:32] + shifted)}", NOW).signature_valid


def test_every_problem_is_told() -> None:
    signed = token_of(expires=NOW - 50, not_before=NOW + 50).rsplit(".", 1)[0]
    problems = validate(f"{signed}.{base64url_encode(bytes(64))}", NOW).problems
    assert [type(problem) for problem in problems] == [VerifyError, ExpiredToken, TokenTooEarly]


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"iss": ""}, MissingIssuer, "Invalid JWT. WASCAP requires an issuer claim to be present"),
        ({"iss": "", "sub": ""}, MissingIssuer, "Invalid JWT. WASCAP requires an issuer claim to be present"),
        ({"sub": ""}, MissingSubject, "Invalid JWT. WASCAP requires a sub claim to be present"),
        ({"iss": "", "wascap": None}, MissingIssuer, "Invalid JWT. WASCAP requires an issuer claim to be present"),
    ],
)
def test_a_token_must_name_issuer_and_subject(changes: dict[str, object], error: type[WascapError], text: str) -> None:
    claims = {"jti": "i", "iat": 1, "iss": ACCOUNT.public_key, "sub": "M", **changes}
    with pytest.raises(error) as caught:
        validate(raw_token(claims), NOW)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("issuer", "error"),
    [
        ("nobody", InvalidKeyLength),
        (ACCOUNT.public_key.lower(), CodecFailure),
        ("P" + ACCOUNT.public_key[1:], InvalidPrefix),
        (ACCOUNT.public_key[:-1] + "A", EncryptionError),
        (ACCOUNT.seed, InvalidKeyLength),
    ],
)
def test_the_issuer_must_be_a_public_key(issuer: str, error: type[EncryptionError]) -> None:
    with pytest.raises(error, match=r"^Encryption error: "):
        validate(raw_token({"jti": "i", "iat": 1, "iss": issuer, "sub": "M"}), NOW)


def test_no_bit_of_a_token_can_be_flipped() -> None:
    token = token_of()
    for position, bit in product(range(len(token)), range(8)):
        altered = token[:position] + chr(ord(token[position]) ^ 1 << bit) + token[position + 1 :]
        try:
            validation = validate(altered, NOW)
        except WascapError:
            continue
        assert not validation.signature_valid, (position, bit)


MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (10, "now"),
        (11, "11 seconds"),
        (45, "45 seconds"),
        (46, "a minute"),
        (90, "a minute"),
        (91, "2 minutes"),
        (179, "2 minutes"),
        (180, "3 minutes"),
        (1000, "16 minutes"),
        (45 * MINUTE, "45 minutes"),
        (45 * MINUTE + 1, "an hour"),
        (90 * MINUTE, "an hour"),
        (90 * MINUTE + 1, "2 hours"),
        (30_000, "8 hours"),
        (22 * HOUR, "22 hours"),
        (22 * HOUR + 1, "a day"),
        (36 * HOUR, "a day"),
        (36 * HOUR + 1, "2 days"),
        (6 * DAY + 12 * HOUR, "6 days"),
        (6 * DAY + 12 * HOUR + 1, "a week"),
        (10 * DAY + 12 * HOUR, "a week"),
        (10 * DAY + 12 * HOUR + 1, "2 weeks"),
        (29 * DAY, "4 weeks"),
        (29 * DAY + 1, "a month"),
        (45 * DAY, "a month"),
        (45 * DAY + 1, "2 months"),
        (345 * DAY, "11 months"),
        (345 * DAY + 1, "a year"),
        (547 * DAY, "a year"),
        (547 * DAY + 1, "2 years"),
        (3 * 365 * DAY, "3 years"),
    ],
)
def test_human_time(seconds: int, words: str) -> None:
    assert human_time(NOW + seconds, NOW) == (words if words == "now" else f"in {words}")
    assert human_time(NOW - seconds, NOW) == (words if words == "now" else f"{words} ago")


PROVIDER = CapabilityProviderMetadata(capability_id="c", vendor="v", target_hashes={})
INVOCATION = InvocationMetadata(target_url="t", origin_url="o", hash="h")
RULES: list[tuple[Metadata, KeyType | None, KeyType | None]] = [
    (ActorMetadata(), KeyType.MODULE, KeyType.ACCOUNT),
    (PROVIDER, KeyType.SERVICE, KeyType.ACCOUNT),
    (AccountMetadata(), KeyType.ACCOUNT, KeyType.OPERATOR),
    (ClusterMetadata(), KeyType.CLUSTER, None),
    (INVOCATION, None, KeyType.SERVER),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[0].kind)
@pytest.mark.parametrize("issuer", KeyType)
@pytest.mark.parametrize("subject", KeyType)
def test_kinds_of_keys(
    rule: tuple[Metadata, KeyType | None, KeyType | None], issuer: KeyType, subject: KeyType
) -> None:
    metadata, subject_type, issuer_type = rule
    claims = Claims(issuer=KEYS[issuer].public_key, subject=KEYS[subject].public_key, metadata=metadata)
    expected: list[type[WascapError]] = [InvalidIssuer] if issuer_type not in (None, issuer) else []
    expected += [InvalidSubject] if subject_type not in (None, subject) else []
    assert [type(problem) for problem in entity_problems(claims)] == expected


def test_an_operator_issues_itself() -> None:
    operator, other = KEYS[KeyType.OPERATOR].public_key, KeyPair.generate(KeyType.OPERATOR).public_key
    assert entity_problems(Claims(issuer=operator, subject=operator, metadata=OperatorMetadata())) == ()
    problems = entity_problems(Claims(issuer=other, subject=operator, metadata=OperatorMetadata()))
    assert [str(problem) for problem in problems] == ["Invalid issuer: issuer and subject must be the same key"]


def test_a_subject_with_a_wrong_checksum_is_no_key() -> None:
    module = KEYS[KeyType.MODULE].public_key
    mistyped = module[:-1] + ("A" if module[-1] != "A" else "B")
    (problem,) = entity_problems(replace(CLAIMS, subject=mistyped))
    assert str(problem) == f"Invalid subject: '{mistyped}' is not a public key of kind module"
    (problem,) = entity_problems(replace(CLAIMS, subject="\x1b[31m" * 1000))
    assert "\x1b" not in str(problem)
    assert len(str(problem)) < 400
