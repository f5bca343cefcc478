"""Entities, invocations and their tokens: the vector of the protocol, and every single thing that can be forged."""

import dataclasses
import time

import pytest

from host.entities import ActorEntity, CapabilityEntity, is_actor_key, target_entity
from host.errors import AntiforgeryFailure
from host.invocation import Invocation, InvocationResponse, check_antiforgery
from wascap import Claims, InvocationMetadata, KeyPair, KeyType, decode, encode

SEED = "SNAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2D5U"
HOST = "NAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RSWB"
HASH = "6CA647ADCDDAF9303E8BA39794B46F61D01D9C8CDD2701CD120CE0FF7343464E"
ORIGIN = ActorEntity("testing")
TARGET = CapabilityEntity("wascc:messaging", "default")


def create(key: KeyPair | None = None, payload: bytes = bytes([1, 2, 3, 4])) -> Invocation:
    key = key or KeyPair.from_seed(SEED)
    return Invocation.create(key, key.public_key, ORIGIN, TARGET, "OP_TESTING", payload)


def received(invocation: Invocation, token: str | None = None, **changes: object) -> Invocation:
    """The invocation as another host gets it, with changes made on the way."""
    fields = {
        "origin": invocation.origin,
        "target": invocation.target,
        "operation": invocation.operation,
        "payload": invocation.payload,
        "invocation_id": invocation.id,
        "host_id": invocation.host_id,
        "encoded_claims": invocation.encoded_claims if token is None else token,
    }
    return Invocation.received(**(fields | changes))


def signed(invocation: Invocation, key: KeyPair, metadata: dict[str, str] | None = None, **changes: object) -> str:
    """A token for the invocation with some claims changed."""
    urls = {"target_url": invocation.target_url, "origin_url": invocation.origin_url, "hash": invocation.hash}
    claims = {"issuer": key.public_key, "subject": invocation.id} | changes
    return encode(Claims(**claims, metadata=InvocationMetadata(**(urls | (metadata or {})))), key)


def test_vector_of_the_protocol() -> None:
    invocation = create()
    assert invocation.host_id == HOST
    assert invocation.origin_url == "wasmbus://testing"
    assert invocation.target_url == "wasmbus://wascc/messaging/default/OP_TESTING"
    assert invocation.hash == HASH
    claims = decode(invocation.encoded_claims, InvocationMetadata)
    assert claims.issuer == HOST
    assert claims.subject == invocation.id
    assert claims.metadata == InvocationMetadata(invocation.target_url, invocation.origin_url, HASH)
    check_antiforgery(invocation)
    check_antiforgery(received(invocation))


@pytest.mark.parametrize(
    ("entity", "url"),
    [
        (ActorEntity("MABC"), "wasmbus://MABC"),
        (CapabilityEntity("wascc:keyvalue", "default"), "wasmbus://wascc/keyvalue/default"),
        (CapabilityEntity("Acme:Key Value", "My Source"), "wasmbus://acme/key_value/my_source"),
    ],
)
def test_urls(entity: ActorEntity | CapabilityEntity, url: str) -> None:
    assert entity.url == url


def test_what_a_guest_means() -> None:
    key = KeyPair.generate(KeyType.MODULE).public_key
    assert is_actor_key(key)
    assert target_entity(key, "whatever") == ActorEntity(key)
    assert target_entity(key[:-1], "x") == CapabilityEntity(key[:-1], "x")
    account = KeyPair.generate(KeyType.ACCOUNT).public_key
    assert target_entity(account, "x") == CapabilityEntity(account, "x")
    for blank in ("", " ", "\t \n"):
        assert target_entity("wascc:keyvalue", blank) == CapabilityEntity("wascc:keyvalue", "default")


def test_the_token_is_made_when_it_is_read_and_then_kept() -> None:
    invocation = create()
    assert invocation._token is None
    assert invocation.encoded_claims == invocation.encoded_claims
    assert invocation._token == invocation.encoded_claims


def test_ids_differ_and_payloads_are_not_shown() -> None:
    first, second = create(payload=b"hunter2"), create(payload=b"hunter2")
    assert first.id != second.id
    assert len(first.id) == 36
    assert "hunter2" not in repr(first)
    assert "hunter2" not in repr(InvocationResponse(b"hunter2", None, first.id))
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.operation = "other"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"payload": b"\x01\x02\x03\x05"}, "Invocation hash does not match signed claims hash"),
        ({"operation": "OP_OTHER"}, "Invocation hash does not match signed claims hash"),
        (
            {"target": CapabilityEntity("wascc:keyvalue", "default")},
            "Invocation hash does not match signed claims hash",
        ),
        ({"target": CapabilityEntity("wascc:messaging", "other")}, "Invocation hash does not match signed claims hash"),
        ({"target": ActorEntity("testing")}, "Invocation hash does not match signed claims hash"),
        ({"origin": ActorEntity("system")}, "Invocation hash does not match signed claims hash"),
        ({"invocation_id": "another"}, "Subject of invocation claims token does not match invocation ID"),
        ({"host_id": "another"}, "Invocation claims issuer does not match invocation host"),
    ],
)
def test_a_changed_invocation_is_found_out(change: dict[str, object], text: str) -> None:
    with pytest.raises(AntiforgeryFailure) as caught:
        check_antiforgery(received(create(), **change))
    assert caught.value.message == text


def test_each_claim_is_checked_in_order() -> None:
    key = KeyPair.from_seed(SEED)
    other = KeyPair.generate(KeyType.SERVER)
    invocation = create(key)
    now = int(time.time())
    head, body, _ = invocation.encoded_claims.split(".")
    foreign_signature = signed(invocation, other).split(".")[2]
    wrong = {"target_url": "wasmbus://x", "origin_url": "wasmbus://y", "hash": "00"}
    cases = [
        (signed(invocation, other, wrong, subject="z", expires=now - 10), "Invocation claims token expired"),
        (f"{head}.{body}.{foreign_signature}", "Invocation claims signature invalid"),
        (
            signed(invocation, other, wrong, subject="z", not_before=now + 1000),
            "Attempt to use invocation before claims token allows",
        ),
        (signed(invocation, other, wrong, subject="z"), "Invocation hash does not match signed claims hash"),
        (
            signed(invocation, other, {**wrong, "hash": HASH}, subject="z"),
            "Subject of invocation claims token does not match invocation ID",
        ),
        (signed(invocation, other, {**wrong, "hash": HASH}), "Invocation claims issuer does not match invocation host"),
        (
            signed(invocation, key, {**wrong, "hash": HASH}),
            "Invocation claims and invocation target URL do not match",
        ),
        (
            signed(invocation, key, {"origin_url": "wasmbus://y"}),
            "Invocation claims and invocation origin URL do not match",
        ),
    ]
    for token, text in cases:
        with pytest.raises(AntiforgeryFailure) as caught:
            check_antiforgery(received(invocation, token))
        assert caught.value.message == text
    check_antiforgery(received(invocation, signed(invocation, key, expires=now + 10, not_before=now)))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 100_000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(AntiforgeryFailure):
        check_antiforgery(received(create(), token))


def test_an_invocation_without_key_or_token_vouches_for_nothing() -> None:
    invocation = create()
    bare = Invocation(
        invocation.origin, invocation.target, invocation.operation, invocation.payload, invocation.id, HOST
    )
    assert bare.encoded_claims == ""
    with pytest.raises(AntiforgeryFailure):
        check_antiforgery(bare)


def test_an_operation_too_long_for_a_token_is_refused_not_a_crash() -> None:
    key = KeyPair.from_seed(SEED)
    with pytest.raises(AntiforgeryFailure):
        check_antiforgery(Invocation.create(key, HOST, ORIGIN, TARGET, "O" * 100_000, b""))
