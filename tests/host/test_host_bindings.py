"""Bindings: checks, configuration, named bindings, and taking them away again."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import (
    TEST_CAPABILITY,
    Identities,
    Remembering,
    ScriptedProvider,
    call_script,
    in_thread,
    script,
    who,
)

from host import (
    Actor,
    AuthorizationFailure,
    CapabilityProviderError,
    Host,
    HostError,
    InvocationFailure,
    MiscHostError,
    ProviderError,
)
from host.codec import decode

MakeHost = Callable[..., Host]


def test_loading_and_binding(host: Host, actor: Actor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    provider = Remembering("me")
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"URL": "redis://secret@host"})
    assert provider.bound[actor.public_key] == {
        "URL": "redis://secret@host",
        "__wascc_issuer": actor.issuer,
        "__wascc_capabilities": f"{TEST_CAPABILITY},wascc:logging",
        "__wascc_name": "Tester",
        "__wascc_expires": "0",
        "__wascc_tags": "x,y",
    }
    (binding,) = host.bindings()
    assert (binding.actor, binding.capability_id, binding.binding_name) == (
        actor.public_key,
        TEST_CAPABILITY,
        "default",
    )
    assert binding.values == {"URL": "redis://secret@host"}
    assert who(host, actor) == b"me"
    for line in (
        f"Loaded native capability provider 'Scripted' v1.0 (3) for {TEST_CAPABILITY}/default",
        f"Native capability provider '(default,{TEST_CAPABILITY})' ready",
        f"Attempting to bind actor {actor.public_key} to default,{TEST_CAPABILITY}",
    ):
        assert line in caplog.messages
    assert "secret" not in caplog.text
    assert "secret" not in repr(binding)
    assert host.capabilities()["default", TEST_CAPABILITY] == provider.descriptor


def test_expiry_is_passed_to_the_provider(host: Host, identities: Identities) -> None:
    actor, provider = identities.actor(TEST_CAPABILITY, expires=4_000_000_000), Remembering()
    host.add_actor(actor)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert provider.bound[actor.public_key]["__wascc_expires"] == "4000000000"
    assert provider.bound[actor.public_key]["__wascc_name"] == "Unnamed"


def test_named_bindings(host: Host, identities: Identities) -> None:
    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor)
    for name in ("default", "source1", "source 2"):
        host.add_capability(Remembering(name), name)
        host.set_binding(actor.public_key, TEST_CAPABILITY, name)
    assert who(host, actor, "source1") == b"source1"
    assert who(host, actor, "source 2") == b"source 2"
    for blank in ("default", "", "  \t"):
        assert who(host, actor, blank) == b"default"
    with pytest.raises(InvocationFailure, match="with no subscribers"):
        who(host, actor, "source3")
    host.remove_capability(TEST_CAPABILITY, "source1")
    assert [binding.binding_name for binding in host.bindings()] == ["default", "source 2"]
    assert who(host, actor) == b"default"


@pytest.mark.parametrize("name", ["", "  ", "a.b", "a*", ">", "a\nb", "x" * 300])
def test_names_that_bindings_cannot_have(host: Host, actor: Actor, name: str) -> None:
    with pytest.raises(MiscHostError, match="cannot name a binding"):
        host.add_capability(Remembering(), name)
    with pytest.raises(MiscHostError, match="cannot name a binding"):
        host.set_binding(actor.public_key, TEST_CAPABILITY, name)


def test_checks_before_binding_and_their_order(host: Host, actor: Actor, identities: Identities) -> None:
    stranger = identities.key().public_key
    with pytest.raises(MiscHostError) as unknown:
        host.set_binding(stranger, "wascc:messaging")
    assert str(unknown.value) == "waSCC Host Error: Attempted to bind non-existent actor"
    with pytest.raises(AuthorizationFailure) as unauthorized:
        host.set_binding(actor.public_key, "wascc:messaging")
    assert str(unauthorized.value) == (
        "WebAssembly module authorization failure: Unauthorized binding: "
        f"actor {actor.public_key} is not authorized to use capability wascc:messaging."
    )
    with pytest.raises(CapabilityProviderError) as unserved:
        host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert str(unserved.value) == (
        f"Capability provider error: Failed to configure default,{TEST_CAPABILITY} - "
        "Attempted bus call for wasmbus.provider.test.provider.default with no subscribers"
    )
    assert host.bindings() == ()


def test_the_authorizer_may_refuse_a_binding(make_host: MakeHost, identities: Identities) -> None:
    asked = []

    class Authorizer:
        def can_load(self, claims: object) -> bool:
            return True

        def can_invoke(self, claims: object, target: object, operation: str) -> bool:
            asked.append((target.capability_id, target.binding, operation))
            return False

    host = make_host(configure=lambda builder: builder.with_authorizer(Authorizer()))
    actor, provider = identities.actor(TEST_CAPABILITY), Remembering()
    host.add_actor(actor)
    host.add_capability(provider, "b")
    with pytest.raises(AuthorizationFailure, match="Unauthorized binding"):
        host.set_binding(actor.public_key, TEST_CAPABILITY, "b")
    assert asked == [(TEST_CAPABILITY, "b", "BindActor")]
    assert provider.events == []


def test_a_provider_needs_a_binding_even_without_values(host: Host, actor: Actor) -> None:
    host.add_capability(Remembering("me"))
    with pytest.raises(InvocationFailure, match="with no subscribers"):
        who(host, actor)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert who(host, actor) == b"me"


@pytest.mark.parametrize("error", [ProviderError("port 80 is taken"), ValueError("password"), OSError(98, "In use")])
def test_a_failed_binding_is_none(host: Host, actor: Actor, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise error

    provider = Remembering("me", BindActor=fail)
    host.add_capability(provider)
    with pytest.raises(CapabilityProviderError, match=f"Failed to configure default,{TEST_CAPABILITY} - ") as caught:
        host.set_binding(actor.public_key, TEST_CAPABILITY, values={"SECRET": "password"})
    assert "password" not in str(caught.value) + caplog.text
    assert host.bindings() == ()
    with pytest.raises(InvocationFailure, match="with no subscribers"):
        who(host, actor)
    with pytest.raises(AuthorizationFailure, match="not bound"):
        provider.dispatcher.dispatch(actor.public_key, "echo", b"")
    del provider.operations["BindActor"]
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert who(host, actor) == b"me"


def test_binding_again_configures_anew(host: Host, actor: Actor) -> None:
    provider = Remembering("me")
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"A": "1"})
    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"B": "2"})
    assert provider.bound[actor.public_key]["B"] == "2"
    assert "A" not in provider.bound[actor.public_key]
    (binding,) = host.bindings()
    assert binding.values == {"B": "2"}

    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise ProviderError("no")

    provider.operations["BindActor"] = fail
    with pytest.raises(CapabilityProviderError):
        host.set_binding(actor.public_key, TEST_CAPABILITY, values={"C": "3"})
    assert host.bindings() == (binding,), "the earlier binding goes on"
    assert who(host, actor) == b"me"


@pytest.mark.parametrize("values", [{"__wascc_issuer": "me"}, {"__wascc_new": ""}, {"A": 1}, {2: "b"}, {"A": "\ud800"}])
def test_values_that_cannot_be_sent(host: Host, actor: Actor, values: dict[str, str]) -> None:
    provider = Remembering()
    host.add_capability(provider)
    with pytest.raises(MiscHostError):
        host.set_binding(actor.public_key, TEST_CAPABILITY, values=values)
    assert provider.history == []
    assert host.bindings() == ()


def test_later_changes_of_the_callers_values_change_nothing(host: Host, actor: Actor) -> None:
    host.add_capability(Remembering())
    values = {"A": "1"}
    host.set_binding(actor.public_key, TEST_CAPABILITY, values=values)
    values["A"] = "2"
    assert host.bindings()[0].values == {"A": "1"}


def test_removing_a_binding(host: Host, actor: Actor) -> None:
    provider = Remembering("me")
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    host.remove_binding(actor.public_key, TEST_CAPABILITY)
    assert provider.bound == {}
    assert host.bindings() == ()
    with pytest.raises(InvocationFailure, match="with no subscribers"):
        who(host, actor)
    with pytest.raises(MiscHostError) as caught:
        host.remove_binding(actor.public_key, TEST_CAPABILITY)
    assert str(caught.value).startswith("waSCC Host Error: Failed to remove binding: ")

    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise ProviderError("cannot")

    host.set_binding(actor.public_key, TEST_CAPABILITY)
    provider.operations["RemoveActor"] = fail
    with pytest.raises(MiscHostError, match=r"Failed to remove binding: .*cannot"):
        host.remove_binding(actor.public_key, TEST_CAPABILITY)
    assert host.bindings() == ()


def test_values_for_the_actor_itself(host: Host, identities: Identities) -> None:
    """The capability id is the actor's own key: the guest gets the configuration (here: it has no such operation)."""
    actor = identities.actor()
    with pytest.raises(MiscHostError, match="Attempted to bind non-existent actor"):
        host.set_binding(actor.public_key, actor.public_key)
    host.add_actor(actor)
    for origin in (actor.public_key, "system"):
        with pytest.raises(CapabilityProviderError) as caught:
            host.set_binding(origin, actor.public_key, values={"A": "B"})
        assert caught.value.message.startswith(f"Failed to configure {actor.public_key} - failed to invoke actor: ")
        assert "bad dispatch" in caught.value.message
    with pytest.raises(AuthorizationFailure):
        host.set_binding(actor.public_key, identities.key().public_key)
    assert host.bindings() == ()


def test_extras_work_through_the_host(host: Host, identities: Identities) -> None:
    from host.codec import encode
    from host.codec.extras import GeneratorRequest, GeneratorResult

    actor = identities.actor("wascc:extras")
    host.add_actor(actor)
    request = encode(GeneratorRequest(guid=False, sequence=True, random=False, min=0, max=0))
    script = call_script(("default", "wascc:extras", "RequestSequence", request))
    numbers = [
        decode(GeneratorResult, host.call_actor(actor.public_key, "host", script)).sequence_number for _ in range(3)
    ]
    assert numbers == [0, 1, 2]


@pytest.mark.usefixtures("eager_switching")
def test_binding_and_unbinding_from_many_threads_keeps_provider_and_host_agreed(
    host: Host, identities: Identities
) -> None:
    actor, provider = identities.actor(TEST_CAPABILITY), Remembering("me")
    host.add_actor(actor)
    host.add_capability(provider)

    def work(number: int) -> None:
        for _ in range(40):
            try:
                if number % 2:
                    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"N": str(number)})
                else:
                    host.remove_binding(actor.public_key, TEST_CAPABILITY)
            except HostError:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert bool(host.bindings()) == (actor.public_key in provider.bound)
    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"N": "last"})
    assert who(host, actor) == b"me"


def test_changes_of_one_binding_wait_for_each_other(host: Host, actor: Actor, identities: Identities) -> None:
    entered, leave = threading.Event(), threading.Event()

    def bind(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        if b"slow" in payload:
            entered.set()
            leave.wait(20)
        return b""

    other, provider = identities.actor(TEST_CAPABILITY), Remembering("me", BindActor=bind)
    host.add_actor(other)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    binding, bound = in_thread(lambda: host.set_binding(actor.public_key, TEST_CAPABILITY, values={"A": "slow"}))
    assert entered.wait(20)
    removing, removed = in_thread(lambda: host.remove_binding(actor.public_key, TEST_CAPABILITY))
    removing.join(0.1)
    assert removing.is_alive()
    host.set_binding(other.public_key, TEST_CAPABILITY)
    leave.set()
    for thread in (binding, removing):
        thread.join(20)
    assert bound == removed == [None]
    assert [name for name, module in provider.history if module == actor.public_key] == [
        "BindActor",
        "BindActor",
        "RemoveActor",
    ]
    assert [each.actor for each in host.bindings()] == [other.public_key]


def test_an_actor_removed_while_it_is_being_bound_leaves_no_binding(host: Host, identities: Identities) -> None:
    entered, leave = threading.Event(), threading.Event()

    def bind(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        entered.set()
        leave.wait(20)
        return b""

    actor, provider = identities.actor(TEST_CAPABILITY), Remembering(BindActor=bind)
    host.add_actor(actor)
    host.add_capability(provider)
    binding, outcome = in_thread(lambda: host.set_binding(actor.public_key, TEST_CAPABILITY))
    assert entered.wait(20)
    host.remove_actor(actor.public_key)
    leave.set()
    binding.join(20)
    assert isinstance(outcome[0], CapabilityProviderError)
    assert "removed meanwhile" in str(outcome[0])
    assert provider.bound == {}
    assert host.bindings() == ()


def test_what_an_actor_asks_for_while_it_is_being_bound_waits(host: Host, identities: Identities) -> None:
    """A provider calls the actor from a thread of its own before BindActor has returned, and the actor calls back."""
    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor)
    answers: list[object] = []

    class Eager(ScriptedProvider):
        def handle_call(self, caller: str, operation: str, payload: bytes) -> bytes:
            if operation != "BindActor":
                return super().handle_call(caller, operation, payload)
            call = script((TEST_CAPABILITY, "Op", b""))
            thread, outcome = in_thread(lambda: self.dispatcher.dispatch(actor.public_key, "host", call))
            thread.join(0.2)
            answers.append(list(outcome))
            self.late = thread, outcome
            return b""

    provider = Eager(Op=lambda provider, actor, payload: b"done")
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    thread, outcome = provider.late
    thread.join(20)
    assert (answers, outcome) == ([[]], [b"done"])


def test_nothing_is_served_where_binding_fails(host: Host, identities: Identities) -> None:
    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor)

    class Refusing(ScriptedProvider):
        def handle_call(self, caller: str, operation: str, payload: bytes) -> bytes:
            raise ProviderError("no")

    host.add_capability(Refusing())
    for _ in range(2):
        with pytest.raises(CapabilityProviderError, match="no"):
            host.set_binding(actor.public_key, TEST_CAPABILITY)
    with pytest.raises(HostError, match="with no subscribers"):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Op", b"")))
