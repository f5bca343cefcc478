"""The core rule, its texts, and that an authorizer can only say no more often."""

import logging

import pytest
from host_support import Identities

from host.authorization import AllowAll, authorized_target, check_loadable, judge_binding
from host.entities import ActorEntity, CapabilityEntity, Entity
from host.errors import AuthorizationFailure
from host.verdicts import require
from wascap import ActorMetadata, Claims, KeyPair, KeyType

ACCOUNT = KeyPair.generate(KeyType.ACCOUNT)
ACTOR = KeyPair.generate(KeyType.MODULE).public_key
CALLEE = KeyPair.generate(KeyType.MODULE).public_key
STORE = CapabilityEntity("wascc:keyvalue", "default")


def claims_of(*capabilities: str, provider: bool = False) -> Claims[ActorMetadata]:
    metadata = ActorMetadata(capabilities=capabilities, provider=provider)
    return Claims(issuer=ACCOUNT.public_key, subject=ACTOR, metadata=metadata)


class Answering:
    """An authorizer that answers everything with one value, or raises it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Entity | None, str]] = []

    def can_load(self, claims: Claims[ActorMetadata]) -> bool:
        return self._answer(claims.subject, None, "")

    def can_invoke(self, claims: Claims[ActorMetadata], target: Entity, operation: str) -> bool:
        return self._answer(claims.subject, target, operation)

    def _answer(self, subject: str, target: Entity | None, operation: str) -> bool:
        self.asked.append((subject, target, operation))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


NOT_TRUE = [False, None, 1, "yes", object(), ValueError("broken")]


def test_allowed() -> None:
    authorizer = Answering(True)
    claims = claims_of("wascc:keyvalue", CALLEE)
    assert authorized_target(claims, authorizer, "", "wascc:keyvalue", "Add") == STORE
    assert authorized_target(claims, authorizer, "b", "wascc:keyvalue", "Add") == CapabilityEntity(
        "wascc:keyvalue", "b"
    )
    assert authorized_target(claims, authorizer, "b", CALLEE, "Ask") == ActorEntity(CALLEE)
    assert authorized_target(claims, authorizer, "b", ACTOR, "Self") == ActorEntity(ACTOR)
    assert authorizer.asked[0] == (ACTOR, STORE, "Add")


@pytest.mark.parametrize("provider", [False, True])
def test_the_exact_text_of_a_denial(provider: bool, caplog: pytest.LogCaptureFixture) -> None:
    claims = claims_of("wascc:keyvalue", provider=provider)
    with pytest.raises(AuthorizationFailure) as caught:
        authorized_target(claims, AllowAll(), "default", "wascc:messaging", "Publish")
    role = "Provider" if provider else "Actor"
    text = f"{role} {ACTOR} attempted to call Publish on wascc:messaging,default - PERMISSION DENIED."
    assert caught.value.message == text
    assert str(caught.value) == f"WebAssembly module authorization failure: {text}"
    assert text in caplog.text


def test_the_core_rule_is_asked_first_and_is_not_overruled() -> None:
    authorizer = Answering(True)
    for namespace in ("wascc:messaging", CALLEE, "", "WASCC:KEYVALUE", "wascc:keyvalue "):
        with pytest.raises(AuthorizationFailure, match="PERMISSION DENIED"):
            authorized_target(claims_of("wascc:keyvalue"), authorizer, "default", namespace, "Op")
    no_list = Claims(issuer=ACCOUNT.public_key, subject=ACTOR, metadata=ActorMetadata(capabilities=None))
    with pytest.raises(AuthorizationFailure, match="PERMISSION DENIED"):
        authorized_target(no_list, authorizer, "default", "wascc:keyvalue", "Op")
    assert authorizer.asked == []


@pytest.mark.parametrize("answer", NOT_TRUE, ids=lambda answer: type(answer).__name__)
def test_only_true_allows(answer: object) -> None:
    claims, authorizer = claims_of("wascc:keyvalue"), Answering(answer)
    with pytest.raises(AuthorizationFailure) as caught:
        authorized_target(claims, authorizer, "default", "wascc:keyvalue", "Add")
    expected = f"Actor {ACTOR} attempted to call Add on wascc:keyvalue,default - Authorizer denied access"
    assert caught.value.message == expected
    with pytest.raises(AuthorizationFailure, match="Unauthorized binding"):
        require(judge_binding(claims, authorizer, STORE, "BindActor"))
    with pytest.raises(AuthorizationFailure, match="Authorization hook denied access to module"):
        check_loadable(Identities().actor(), authorizer)


def test_binding_needs_the_claim_and_the_authorizer() -> None:
    authorizer = Answering(True)
    require(judge_binding(claims_of("wascc:keyvalue"), authorizer, STORE, "BindActor"))
    assert authorizer.asked == [(ACTOR, STORE, "BindActor")]
    unclaimed = CapabilityEntity("wascc:messaging", "x")
    with pytest.raises(AuthorizationFailure) as caught:
        require(judge_binding(claims_of("wascc:keyvalue"), authorizer, unclaimed, "BindActor"))
    assert caught.value.message == (
        f"Unauthorized binding: actor {ACTOR} is not authorized to use capability wascc:messaging."
    )


def test_hostile_names_cannot_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with pytest.raises(AuthorizationFailure):
        authorized_target(claims_of(), AllowAll(), "b", "x\nFORGED \x1b[31m line", "Op\r\u2028" + "A" * 100_000)
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 5000
