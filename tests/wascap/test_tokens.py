"""Tokens: those that the originals published, exact bytes, round trips of every kind, and strict reading."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wascap import (
    MAX_TOKEN_BYTES,
    AccountMetadata,
    ActorMetadata,
    CapabilityProviderMetadata,
    Claims,
    ClusterMetadata,
    DecodeError,
    InvalidAlgorithm,
    InvalidHeader,
    InvalidIssuer,
    InvalidTokenFormat,
    InvocationMetadata,
    KeyPair,
    KeyType,
    MissingIssuer,
    MissingMetadata,
    MissingSubject,
    OperatorMetadata,
    SerializationError,
    SignatureError,
    TokenTooLarge,
    Utf8Error,
    WascapError,
    decode,
    encode,
    entity_problems,
    validate,
)

TOKENS = Path(__file__).parent / "tokens"
PUBLISHED = {
    "account": AccountMetadata,
    "provider": CapabilityProviderMetadata,
    "gantry": ActorMetadata,
    "echo": ActorMetadata,
}
KEY = KeyPair.from_seed("SAAGJYAKODWV42YVRMUAIQFT6KFYT4R6A2LAS3WCH3BJ3KSBFKQOAU5LEU")
HEADER = "eyJ0eXAiOiJqd3QiLCJhbGciOiJFZDI1NTE5In0"
ECHO_JSON = (
    '{"jti":"DAqsxkrrRvcPTTzjDwRjHK","iat":1592226557,"iss":"AAGRUXXTGSP4C27RWPTMCHCJF56JD53EQPA2R7RPC5VI4E274KPRMMJ5",'
    '"sub":"MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2","wascap":{"name":"Echo Actor","hash":'
    '"5FCFF41C3E1A3EE89E10C23EFCCC17E08AFEF2CDC04F77364F108DBBA5480816","tags":["example","echo"],'
    '"caps":["wascc:http_server"],"prov":false}}'
)
ECHO = Claims(
    id="DAqsxkrrRvcPTTzjDwRjHK",
    issued_at=1592226557,
    issuer=KEY.public_key,
    subject="MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2",
    metadata=ActorMetadata(
        name="Echo Actor",
        module_hash="5FCFF41C3E1A3EE89E10C23EFCCC17E08AFEF2CDC04F77364F108DBBA5480816",
        tags=("example", "echo"),
        capabilities=("wascc:http_server",),
    ),
)


def segment(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def payload(token: str) -> str:
    text = token.split(".")[1]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def forged(claims_json: str | bytes, header: str = '{"typ":"jwt","alg":"Ed25519"}') -> str:
    """A token of any content with a right signature by KEY."""
    signed = f"{segment(header)}.{segment(claims_json)}"
    return f"{signed}.{segment(KEY.sign(signed.encode()))}"


def echo_with(**changes: object) -> str:
    """The echo token with some claims changed; None removes a claim."""
    claims = {**json.loads(ECHO_JSON), **changes}
    return forged(json.dumps({key: value for key, value in claims.items() if value is not None}))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tokens_are_read_validated_and_written_to_the_byte(name: str) -> None:
    token = (TOKENS / f"{name}.jwt").read_text().strip()
    claims = decode(token, PUBLISHED[name])
    assert validate(token).ok
    assert entity_problems(claims) == ()
    as_if_ours = replace(claims, issuer=KEY.public_key)
    assert payload(encode(as_if_ours, KEY)) == payload(token).replace(claims.issuer, KEY.public_key)


def test_published_account_token() -> None:
    claims = decode((TOKENS / "account.jwt").read_text().strip(), AccountMetadata)
    assert claims == Claims(
        id="mvbtx6lSdiFoBB3gZe7Rdu",
        issued_at=1584992003,
        issuer="OAWETPB4Q67MOOFMP5YNXYBQ3PM3K2VXYDUVKUG2AOLRR5E74J3CIXAJ",
        subject="ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW",
        metadata=AccountMetadata(name="waSCC Official", valid_signers=()),
    )


def test_a_token_from_before_there_was_metadata() -> None:
    token = (TOKENS / "without_metadata.jwt").read_text().strip()
    assert validate(token).ok
    assert decode(token).display_name == "Anonymous"
    with pytest.raises(MissingMetadata, match="JWT error: "):
        decode(token, ActorMetadata)


def test_the_echo_token_to_the_byte() -> None:
    token = encode(ECHO, KEY)
    assert token.startswith(f"{HEADER}.")
    assert payload(token) == ECHO_JSON
    assert decode(token, ActorMetadata) == ECHO
    assert validate(token).ok


ALL_KEYS = {
    "actor": (
        ActorMetadata("n", "H", ("t",), ("c",), -1, "v", "a", True),
        '{"name":"n","hash":"H","tags":["t"],"caps":["c"],"rev":-1,"ver":"v","call_alias":"a","prov":true}',
    ),
    "bare actor": (ActorMetadata(tags=None, capabilities=None), '{"hash":"","prov":false}'),
    "default actor": (ActorMetadata(), '{"hash":"","tags":[],"caps":[],"prov":false}'),
    "account": (AccountMetadata("n", ("s",)), '{"name":"n","valid_signers":["s"]}'),
    "bare account": (AccountMetadata(), '{"name":null,"valid_signers":null}'),
    "operator": (OperatorMetadata("n", ()), '{"name":"n","valid_signers":[]}'),
    "bare cluster": (ClusterMetadata(), '{"name":null,"valid_signers":null}'),
    "provider": (
        CapabilityProviderMetadata(
            "n", capability_id="c", vendor="w", revision=2, version="v", target_hashes={"x86_64-linux": "H"}
        ),
        '{"name":"n","capid":"c","vendor":"w","rev":2,"ver":"v","target_hashes":{"x86_64-linux":"H"}}',
    ),
    "bare provider": (
        CapabilityProviderMetadata(capability_id="c", vendor="w", target_hashes={}),
        '{"name":null,"capid":"c","vendor":"w","target_hashes":{}}',
    ),
    "invocation": (
        InvocationMetadata(target_url="t", origin_url="o", hash="H"),
        '{"target_url":"t","origin_url":"o","hash":"H"}',
    ),
}


@pytest.mark.parametrize("kind", ALL_KEYS)
def test_key_order_on_the_wire(kind: str) -> None:
    metadata, expected = ALL_KEYS[kind]
    claims = Claims(expires=9, id="i", issued_at=1, issuer=KEY.public_key, subject="s", not_before=5, metadata=metadata)
    assert payload(encode(claims, KEY)) == (
        f'{{"exp":9,"jti":"i","iat":1,"iss":"{KEY.public_key}","sub":"s","nbf":5,"wascap":{expected}}}'
    )


def test_claims_without_metadata_times_or_id() -> None:
    claims = Claims(issuer=KEY.public_key, subject="s", metadata=None)
    written = json.loads(payload(encode(claims, KEY)))
    assert list(written) == ["jti", "iat", "iss", "sub"]
    assert len(written["jti"]) == 22


def test_text_is_written_as_the_original_writes_it() -> None:
    name = 'é😀"\\/\b\f\n\r\t\x01\x1f\x7f'
    written = payload(encode(replace(ECHO, metadata=ActorMetadata(name=name)), KEY))
    assert r'"name":"é😀\"\\/\b\f\n\r\t\u0001\u001f' + "\x7f" in written


u64 = st.integers(0, 2**64 - 1)
i32 = st.integers(-(2**31), 2**31 - 1)
maybe_text = st.none() | st.text()
texts = st.none() | st.lists(st.text()).map(tuple)
metadata_of_any_kind = st.one_of(
    st.builds(
        ActorMetadata, maybe_text, st.text(), texts, texts, st.none() | i32, maybe_text, maybe_text, st.booleans()
    ),
    st.builds(AccountMetadata, maybe_text, texts),
    st.builds(OperatorMetadata, maybe_text, texts),
    st.builds(ClusterMetadata, maybe_text, texts),
    st.builds(InvocationMetadata, st.text(), st.text(), st.text()),
    st.builds(
        CapabilityProviderMetadata,
        maybe_text,
        revision=st.none() | i32,
        version=maybe_text,
        capability_id=st.text(),
        vendor=st.text(),
        target_hashes=st.dictionaries(st.text(), st.text()),
    ),
)
claims_of_any_kind = st.builds(
    Claims,
    expires=st.none() | u64,
    id=st.text(),
    issued_at=u64,
    issuer=st.just(KEY.public_key),
    subject=st.text(min_size=1),
    not_before=st.none() | u64,
    metadata=metadata_of_any_kind,
)


@given(claims_of_any_kind)
def test_claims_of_every_kind_round_trip(claims: Claims) -> None:
    token = encode(claims, KEY)
    assert decode(token, type(claims.metadata)) == claims
    validation = validate(token)
    assert validation.signature_valid
    assert "\n" not in validation.expires_human + validation.not_before_human


def test_an_actor_reads_as_an_account_but_not_the_other_way_round() -> None:
    assert decode(encode(ECHO, KEY), AccountMetadata).metadata == AccountMetadata(name="Echo Actor")
    with pytest.raises(SerializationError, match="`hash` is missing"):
        decode((TOKENS / "account.jwt").read_text().strip(), ActorMetadata)


def test_optional_and_unknown_fields() -> None:
    metadata = {"hash": "H", "prov": True, "name": None, "tags": None, "later": [1, {"a": 2}]}
    claims = decode(echo_with(wascap=metadata, aud="x", wascap_revision=3), ActorMetadata)
    assert claims.metadata == ActorMetadata(module_hash="H", tags=None, capabilities=None, provider=True)
    assert decode(echo_with(wascap={"hash": ""}), ActorMetadata).metadata.provider is False


@pytest.mark.parametrize(
    "changes",
    [
        *({key: value} for key in ("exp", "nbf", "iat") for value in (-1, 2**64, 1.0, True, "1", [], 1e300)),
        *({key: value} for key in ("jti", "iss", "sub") for value in (1, True, [], {}, "\ud800")),
        *({"wascap": value} for value in ([], "x", 1, False)),
        {"iat": None},
        {"jti": None},
        {"iss": None},
        {"sub": None},
    ],
    ids=str,
)
def test_claims_of_wrong_types_are_refused(changes: dict[str, object]) -> None:
    token = echo_with(**changes)
    for read in (decode, validate):
        with pytest.raises(SerializationError, match=r"^Serialization error: "):
            read(token)


@pytest.mark.parametrize(
    ("metadata_class", "good", "bad"),
    [
        (
            ActorMetadata,
            {"hash": "H"},
            {"hash": [1, None], "tags": ["x", [1]], "caps": [{}, [None]], "rev": [2**31, 1.5, True, "1"], "ver": [1]}
            | {"call_alias": [1], "prov": [0, "true", None], "name": [1, [], "\udfff"]},
        ),
        (AccountMetadata, {}, {"name": [1], "valid_signers": ["A", {}, ["a", 1]]}),
        (OperatorMetadata, {}, {"name": [1], "valid_signers": ["A", {}, ["a", None]]}),
        (ClusterMetadata, {}, {"name": [False], "valid_signers": [0, [[]]]}),
        (
            CapabilityProviderMetadata,
            {"capid": "c", "vendor": "v", "target_hashes": {}},
            {
                "capid": [1, None],
                "vendor": [[]],
                "target_hashes": [None, [], {"a": 1}, {"\ud800": "a"}],
                "rev": [-(2**31) - 1],
            },
        ),
        (
            InvocationMetadata,
            {"target_url": "t", "origin_url": "o", "hash": "h"},
            {"target_url": [None, 1], "origin_url": [None, 1], "hash": [None, 1]},
        ),
    ],
)
def test_metadata_of_wrong_types_is_refused(
    metadata_class, good: dict[str, object], bad: dict[str, list[object]]
) -> None:
    decode(echo_with(wascap=good), metadata_class)
    for key in good:
        with pytest.raises(SerializationError, match=f"`{key}` is missing"):
            decode(echo_with(wascap={other: good[other] for other in good if other != key}), metadata_class)
    for key, values in bad.items():
        for value in values:
            with pytest.raises(SerializationError, match=f"`{key}` is not"):
                decode(echo_with(wascap={**good, key: value}), metadata_class)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": -1},
        {"expires": 1.5},
        {"not_before": 2**64},
        {"issued_at": True},
        {"issued_at": None},
        {"id": 7},
        {"subject": "\ud800"},
        {"metadata": ActorMetadata(tags="text")},
        {"metadata": ActorMetadata(capabilities=(1,))},
        {"metadata": ActorMetadata(provider=None)},
        {"metadata": ActorMetadata(revision=2**31)},
        {"metadata": CapabilityProviderMetadata(capability_id="c", vendor="v", target_hashes={1: "h"})},
    ],
    ids=str,
)
def test_wrong_values_are_not_written(changes: dict[str, object]) -> None:
    with pytest.raises(SerializationError):
        encode(replace(ECHO, **changes), KEY)


def test_encode_needs_the_issuers_own_seed() -> None:
    with pytest.raises(InvalidIssuer):
        encode(ECHO, KeyPair.generate(KeyType.ACCOUNT))
    with pytest.raises(SignatureError):
        encode(ECHO, KeyPair.from_public_key(KEY.public_key))
    with pytest.raises(MissingIssuer):
        encode(replace(ECHO, issuer=""), KEY)
    with pytest.raises(MissingSubject):
        encode(replace(ECHO, subject=""), KEY)
    with pytest.raises(TokenTooLarge):
        encode(replace(ECHO, metadata=ActorMetadata(name="x" * MAX_TOKEN_BYTES)), KEY)


TOKEN = encode(ECHO, KEY)
HEAD, BODY, SIGNATURE = TOKEN.split(".")


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", InvalidTokenFormat),
        ("a.b", InvalidTokenFormat),
        (TOKEN + ".", InvalidTokenFormat),
        (TOKEN + ".x", InvalidTokenFormat),
        ("..", SerializationError),
        (TOKEN + "\n", DecodeError),
        (" " + TOKEN, DecodeError),
        (TOKEN + "==", DecodeError),
        (f"{HEAD}.{BODY[:8]} {BODY[8:]}.{SIGNATURE}", DecodeError),
        (f"{HEAD}.{BODY[:8]}+{BODY[9:]}.{SIGNATURE}", DecodeError),
        (f"{HEAD}.{BODY[:8]}é{BODY[9:]}.{SIGNATURE}", DecodeError),
        (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}", DecodeError),
        (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}", DecodeError),
        (f"{HEAD}.{BODY[:-1]}.{SIGNATURE}", DecodeError),
        (f"{HEAD}.{segment(bytes([0xFF, 0xFE]))}.{SIGNATURE}", Utf8Error),
        (f"{HEAD}.{segment('{')}.{SIGNATURE}", SerializationError),
        (f"{HEAD}.{segment('[]')}.{SIGNATURE}", SerializationError),
        (f"{HEAD}.{segment('null')}.{SIGNATURE}", SerializationError),
        ("ddd.123.notajwt", WascapError),
        ("\ud800.\ud800.\ud800", DecodeError),
        ("x" * (MAX_TOKEN_BYTES + 1), TokenTooLarge),
    ],
)
def test_tokens_of_wrong_form_are_refused(token: str, error: type[WascapError]) -> None:
    for read in (decode, validate):
        with pytest.raises(error):
            read(token)


@pytest.mark.parametrize(
    ("header", "error", "text"),
    [
        ('{"typ":"jwt","alg":"none"}', InvalidAlgorithm, "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        ('{"typ":"jwt","alg":"HS256"}', InvalidAlgorithm, "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        ('{"typ":"jwt","alg":"ed25519"}', InvalidAlgorithm, "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        ('{"typ":"jwt","alg":["Ed25519"]}', InvalidAlgorithm, "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        ('{"typ":"jwt"}', InvalidAlgorithm, "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        ('{"typ":"JWT","alg":"Ed25519"}', InvalidHeader, "JWT error: Invalid header"),
        ('{"alg":"Ed25519"}', InvalidHeader, "JWT error: Invalid header"),
        ('{"typ":"x","typ":"jwt","alg":"Ed25519"}', SerializationError, "the key 'typ' occurs twice"),
    ],
)
def test_wrong_headers_are_refused(header: str, error: type[WascapError], text: str) -> None:
    for read in (decode, validate):
        with pytest.raises(error, match=text):
            read(forged(ECHO_JSON, header))


@pytest.mark.parametrize(
    "claims_json",
    [
        ECHO_JSON.replace('"iat"', '"iss":"A","iat"'),
        ECHO_JSON.replace('"prov"', '"prov":true,"prov"'),
        ECHO_JSON.replace('"iat"', '"x":{"a":1,"\\u0061":2},"iat"'),
        ECHO_JSON.replace("1592226557", "NaN"),
        ECHO_JSON.replace('"iat"', '"x":Infinity,"iat"'),
        ECHO_JSON.replace("1592226557", "1" * 5000),
        ECHO_JSON.replace('"iat"', f'"x":{"[" * 40}{"]" * 40},"iat"'),
        '{"a":' * 9000 + "1" + "}" * 1000,
        "[" * 49_000,
        '{"a":"' + "[" * 100 + '\\"' + '\\"' * 20_000,
        "﻿" + ECHO_JSON,
        ECHO_JSON + "x",
        ECHO_JSON + ECHO_JSON,
    ],
    ids=range(13),
)
def test_json_that_is_not_strict_is_refused(claims_json: str) -> None:
    for read in (decode, validate):
        with pytest.raises(SerializationError):
            read(forged(claims_json))


def test_brackets_in_strings_do_not_nest() -> None:
    name = '[{"\\' * 1000
    assert decode(encode(replace(ECHO, metadata=ActorMetadata(name=name)), KEY), ActorMetadata).display_name == name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["hash", "caps", "name"]), inner),
    max_leaves=8,
)
claim_keys = st.sampled_from(["exp", "jti", "iat", "iss", "sub", "nbf", "wascap"])


@given(
    st.text()
    | st.text(".eyJhA-_", max_size=300)
    | st.binary().map(forged)
    | st.dictionaries(claim_keys, json_values).map(lambda value: echo_with(**value))
    | st.dictionaries(claim_keys, json_values).map(lambda value: forged(json.dumps(value)))
)
@settings(max_examples=150)
def test_any_text_is_a_token_or_refused(text: str) -> None:
    for metadata_class in (None, ActorMetadata, AccountMetadata, CapabilityProviderMetadata, InvocationMetadata):
        try:
            claims = decode(text, metadata_class)
        except WascapError as error:
            str(error).encode()
        else:
            assert text == f"{HEADER}.{text.split('.')[1]}.{text.split('.')[2]}"
            assert isinstance(claims.issuer, str)
    try:
        validate(text, now=0)
    except WascapError as error:
        str(error).encode()
