"""Calls from actors to providers and back: answers, texts of failures, and what is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import (
    TEST_CAPABILITY,
    Identities,
    ScriptedProvider,
    actors_that_know_each_other,
    add_all,
    nested,
    script,
    still_well,
)

from host import AuthorizationFailure, CallRefused, Host, InvocationFailure, ProviderError

MakeHost = Callable[..., Host]


def test_actor_to_provider_and_back(host_on_engine: Host, identities: Identities) -> None:
    """A provider may call other actors while it serves one."""

    def relay(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        return provider.dispatcher.dispatch(other.public_key, "echo", actor.encode() + payload)

    actor, other = identities.actor(TEST_CAPABILITY), identities.actor(TEST_CAPABILITY)
    add_all(host_on_engine, [actor, other], ScriptedProvider(Relay=relay))
    answer = host_on_engine.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Relay", b"!")))
    assert answer == actor.public_key.encode() + b"!"


def test_texts_of_failures_that_a_guest_sees(host_on_engine: Host, identities: Identities) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise ProviderError("the disk is full")

    actor = identities.actor(TEST_CAPABILITY, "wascc:unbound")
    add_all(host_on_engine, [actor], ScriptedProvider(Fail=fail))
    seen = "waSCC Host Error: Invocation failure: failed to invoke actor: Guest call failure: "
    cases = {
        (TEST_CAPABILITY, "Fail"): (
            "Invocation failure: failed to invoke capability: Error occurred during host call: the disk is full"
        ),
        (TEST_CAPABILITY, "Unknown"): (
            "Invocation failure: failed to invoke capability: Error occurred during host call: bad dispatch"
        ),
        ("wascc:messaging", "Publish"): (
            f"WebAssembly module authorization failure: Actor {actor.public_key} attempted to call Publish on "
            "wascc:messaging,default - PERMISSION DENIED."
        ),
        ("wascc:unbound", "Get"): (
            "waSCC Host Error: Attempted bus call for wasmbus.provider.wascc.unbound.default."
            f"{actor.public_key} with no subscribers"
        ),
    }
    for (namespace, operation), text in cases.items():
        with pytest.raises(InvocationFailure) as caught:
            host_on_engine.call_actor(actor.public_key, "host", script((namespace, operation, b"")))
        assert str(caught.value) == seen + text


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (ValueError("password hunter2"), "ValueError in provider default,test:provider: see the log of the host"),
        (OSError(28, "No space left on device"), "OSError in provider default,test:provider: No space left on device"),
        (RecursionError(), "RecursionError in provider default,test:provider: see the log of the host"),
        (ProviderError("as it says"), "as it says"),
    ],
    ids=repr,
)
def test_whatever_a_provider_raises_is_an_error_of_the_call(
    host: Host, identities: Identities, caplog: pytest.LogCaptureFixture, raised: Exception, shown: str
) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise raised

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Fail=fail))
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Fail", b"")))
    assert caught.value.message.endswith(f"failed to invoke capability: Error occurred during host call: {shown}")
    assert "hunter2" not in caplog.text
    assert still_well(host, [actor])


@pytest.mark.parametrize("answer", [None, "text", 5])
def test_a_provider_must_answer_with_bytes(host: Host, identities: Identities, answer: object) -> None:
    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Odd=lambda provider, actor, payload: answer))
    with pytest.raises(InvocationFailure, match="answered with"):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Odd", b"")))


def test_operations_of_the_host_are_not_for_others(host: Host, identities: Identities) -> None:
    """An actor can neither configure its provider, nor configure or replace another actor; a provider neither."""

    def dispatch(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        return provider.dispatcher.dispatch(other.public_key, payload.decode(), b"")

    actor, other = actors_that_know_each_other(identities, 2, TEST_CAPABILITY)
    core_operations = ("BindActor", "RemoveActor", "GetCapabilityDescriptor")
    callers: list[str] = []

    def record(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        callers.append(actor)
        return b""

    trusting = ScriptedProvider(Dispatch=dispatch, **dict.fromkeys(core_operations, record))
    add_all(host, [actor, other], trusting)
    for operation in core_operations:
        with pytest.raises(InvocationFailure, match="bad dispatch"):
            host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, operation, b"x")))
    assert set(callers) == {"system"}
    for operation in ("BindActor", "RemoveActor", "PerformLiveUpdate"):
        with pytest.raises(InvocationFailure, match=f"{operation} is an operation of the host alone"):
            host.call_actor(actor.public_key, "host", script((other.public_key, operation, b"x")))
        with pytest.raises(InvocationFailure, match=f"{operation} is an operation of the host alone"):
            host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Dispatch", operation.encode())))
    with pytest.raises(InvocationFailure, match="An actor is replaced through its host"):
        host.call_actor(actor.public_key, "PerformLiveUpdate", identities.sign(identities.key()))


def test_a_failure_along_the_way_keeps_its_cause(host: Host, identities: Identities) -> None:
    original = ProviderError("the root of it")

    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise original

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Fail=fail))
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Fail", b"")))
    causes = []
    error: BaseException | None = caught.value
    while error is not None:
        causes.append(error)
        error = error.__cause__
    assert original in causes


def test_an_interrupt_in_a_provider_passes_and_leaves_the_actor_well(host: Host, identities: Identities) -> None:
    def interrupt(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise KeyboardInterrupt

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Interrupt=interrupt))
    with pytest.raises(KeyboardInterrupt):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Interrupt", b"")))
    assert still_well(host, [actor])


def test_dispatch_only_to_bound_actors(host: Host, identities: Identities) -> None:
    provider = ScriptedProvider()
    bound, unbound = identities.actor(TEST_CAPABILITY), identities.actor(TEST_CAPABILITY)
    add_all(host, [bound], provider)
    host.add_actor(unbound)
    assert provider.dispatcher.dispatch(bound.public_key, "echo", b"x") == b"x"
    with pytest.raises(AuthorizationFailure, match="not bound to it"):
        provider.dispatcher.dispatch(unbound.public_key, "echo", b"x")
    host.remove_binding(bound.public_key, TEST_CAPABILITY)
    with pytest.raises(AuthorizationFailure, match="not bound to it"):
        provider.dispatcher.dispatch(bound.public_key, "echo", b"x")


def test_a_provider_may_call_the_actor_while_it_is_being_bound(host: Host, identities: Identities) -> None:
    seen: list[bytes] = []

    def bind(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        seen.append(provider.dispatcher.dispatch(key.public_key, "echo", b"hello"))
        return b""

    key = identities.key()
    add_all(host, [identities.actor(TEST_CAPABILITY, key=key)], ScriptedProvider(BindActor=bind))
    assert seen == [b"hello"]


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("verified", [False, True])
def test_many_callers(make_host: MakeHost, identities: Identities, verified: bool) -> None:
    """Every answer goes to the one who asked, also where every invocation is signed and checked."""
    host = make_host(configure=lambda builder: builder.with_verified_invocations(verified))
    actors = [identities.actor(TEST_CAPABILITY) for _ in range(3)]
    add_all(host, actors, ScriptedProvider(Upper=lambda provider, actor, payload: payload.upper()))

    def call(number: int) -> bool:
        text = f"payload {number}".encode()
        actor = actors[number % 3].public_key
        return host.call_actor(actor, "host", script((TEST_CAPABILITY, "Upper", text))) == text.upper()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(120)))


def test_verified_invocations_refuse_a_forged_one(make_host: MakeHost, identities: Identities) -> None:
    """What comes over the bus without a token of the host's key does not reach the actor."""
    from host import ActorEntity, Invocation
    from host.subjects import actor_subject

    host = make_host(configure=lambda builder: builder.with_verified_invocations())
    actor = identities.actor()
    host.add_actor(actor)
    target = ActorEntity(actor.public_key)
    forged = Invocation.received(ActorEntity("system"), target, "echo", b"x", "some id", host.id, "no.token.here")
    response = host._core.bus.request(actor_subject(actor.public_key), forged)
    assert response.error.startswith("Antiforgery check failure: ")
    assert response.payload == b""


def test_the_subject_of_a_binding_is_for_its_actor_alone(host: Host, identities: Identities) -> None:
    from host import ActorEntity, CapabilityEntity
    from host.subjects import bound_subject, provider_subject

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Op=lambda provider, actor, payload: b"done"))
    target = CapabilityEntity(TEST_CAPABILITY, "default")
    subject = bound_subject(TEST_CAPABILITY, "default", actor.public_key)
    assert host._core.call(subject, ActorEntity(actor.public_key), target, "Op", b"") == b"done"
    with pytest.raises(InvocationFailure, match="not from the actor that this subject belongs to"):
        host._core.call(subject, ActorEntity(identities.key().public_key), target, "Op", b"")
    root = provider_subject(TEST_CAPABILITY, "default")
    with pytest.raises(InvocationFailure) as caught:
        host._core.call(root, ActorEntity("system"), target, "Op", b"")
    assert caught.value.answer.endswith("Attempted to invoke binding-required operation on unbound provider")
    with pytest.raises(InvocationFailure, match="BindActor is an operation of the host alone"):
        host._core.call(root, ActorEntity(actor.public_key), target, "BindActor", b"")
    assert host._core.call(root, ActorEntity("system"), target, "BindActor", b"") == b""


def test_call_refused_is_what_a_program_can_catch(host: Host, identities: Identities) -> None:
    """Behind the texts, the exception says what happened."""
    actors = actors_that_know_each_other(identities, 1)
    add_all(host, actors)
    operation, payload = nested([actors[0], actors[0]], "echo", b"")
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actors[0].public_key, operation, payload)
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, CallRefused):
        error = error.__cause__
    assert isinstance(error, CallRefused)
