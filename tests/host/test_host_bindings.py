"""Providers and bindings: loading, configuring, named bindings, and taking things away again."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, in_thread

from host import (
    Actor,
    AuthorizationFailure,
    CapabilityProviderError,
    Host,
    HostError,
    InvocationFailure,
    MiscHostError,
    Provider,
    ProviderError,
)
from host.codec import decode
from host.codec.core import CapabilityConfiguration, CapabilityDescriptor

MakeHost = Callable[..., Host]


class Remembering(ScriptedProvider):
    """Keeps the configuration of each actor, and answers `Who` with its own name."""

    def __init__(self, name: str = "", capability: str = TEST_CAPABILITY, **operations: Callable[..., bytes]) -> None:
        super().__init__(capability, **{"Who": lambda provider, actor, payload: name.encode(), **operations})
        self.bound: dict[str, dict[str, str]] = {}
        self.history: list[tuple[str, str]] = []

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        if actor == "system" and operation in {"BindActor", "RemoveActor"}:
            configuration = decode(CapabilityConfiguration, payload)
            self.history.append((operation, configuration.module))
            if operation == "BindActor":
                self.bound[configuration.module] = dict(configuration.values)
            else:
                assert configuration.values == {}
                del self.bound[configuration.module]
        return super().handle_call(actor, operation, payload)


def who(host: Host, actor: Actor, binding: str = "default") -> bytes:
    return host.call_actor(actor.public_key, "host", call_script((binding, TEST_CAPABILITY, "Who", b"")))


@pytest.fixture
def actor(host: Host, identities: Identities) -> Actor:
    added = identities.actor(TEST_CAPABILITY, "wascc:logging", name="Tester", tags=("x", "y"))
    host.add_actor(added)
    return added


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


def test_the_same_name_twice(host: Host) -> None:
    first = Remembering()
    host.add_capability(first)
    second = Remembering()
    with pytest.raises(CapabilityProviderError) as caught:
        host.add_capability(second)
    assert str(caught.value) == (
        f"Capability provider error: Capability provider {TEST_CAPABILITY} cannot be bound to the same name (default) "
        "twice, loading failed."
    )
    assert second.events == []
    assert second.dispatcher is None
    with pytest.raises(CapabilityProviderError, match="is loaded already"):
        host.add_capability(first, "other")
    assert ("default", TEST_CAPABILITY) in host.capabilities()


def test_ids_that_would_share_a_subject(host: Host) -> None:
    """`a:b` and `A.B` are one address on the bus: the second is refused, and the first goes on."""
    first, second = Remembering("first", "a:b"), Remembering("second", "A.B")
    host.add_capability(first)
    with pytest.raises(MiscHostError, match="is served already"):
        host.add_capability(second)
    assert second.events == [("stop", "")]
    assert list(host.capabilities()) == [("default", "wascc:extras"), ("default", "a:b")]
    host.remove_capability("a:b")
    host.add_capability(Remembering("second", "A.B"))


def test_removing_a_provider_and_adding_it_again(
    host: Host, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    actors = [identities.actor(TEST_CAPABILITY, "test:other") for _ in range(2)]
    first, other = Remembering("first"), Remembering("other", "test:other")
    host.add_capability(first)
    host.add_capability(other)
    for actor in actors:
        host.add_actor(actor)
        host.set_binding(actor.public_key, TEST_CAPABILITY)
        host.set_binding(actor.public_key, "test:other")
    host.remove_capability(TEST_CAPABILITY)
    assert f"Terminating native capability provider default,{TEST_CAPABILITY}" in caplog.messages
    assert first.bound == {}
    assert first.events[-1] == ("stop", "")
    assert {binding.capability_id for binding in host.bindings()} == {"test:other"}
    assert len(host.bindings()) == 2
    with pytest.raises(CapabilityProviderError) as caught:
        host.remove_capability(TEST_CAPABILITY)
    assert caught.value.message == "No such capability"
    with pytest.raises(CapabilityProviderError, match="has been removed"):
        first.dispatcher.dispatch(actors[0].public_key, "echo", b"")

    second = Remembering("second")
    host.add_capability(second)
    with pytest.raises(InvocationFailure, match="with no subscribers"):
        who(host, actors[0])
    host.set_binding(actors[0].public_key, TEST_CAPABILITY)
    assert who(host, actors[0]) == b"second"
    assert list(second.bound) == [actors[0].public_key]


def test_removing_a_provider_lets_its_calls_finish(host: Host, identities: Identities) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        entered.set()
        leave.wait(20)
        return b"late but there" if ("stop", "") not in provider.events else b"stopped under my feet"

    actor, provider = identities.actor(TEST_CAPABILITY), Remembering(Hold=hold)
    host.add_actor(actor)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    script = call_script(("default", TEST_CAPABILITY, "Hold", b""))
    calling, answer = in_thread(lambda: host.call_actor(actor.public_key, "host", script))
    assert entered.wait(20)
    removing, removed = in_thread(lambda: host.remove_capability(TEST_CAPABILITY))
    removing.join(0.1)
    assert removing.is_alive()
    leave.set()
    for thread in (calling, removing):
        thread.join(20)
    assert answer == [b"late but there"]
    assert removed == [None]
    assert provider.events[-1] == ("stop", "")


def test_a_provider_may_remove_itself_and_its_caller(host: Host, identities: Identities) -> None:
    """Removal from within a call of what is removed does not wait for itself."""

    def remove_all(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        host.remove_actor(actor)
        host.remove_capability(TEST_CAPABILITY)
        return b"done"

    actor, provider = identities.actor(TEST_CAPABILITY), Remembering(RemoveAll=remove_all)
    host.add_actor(actor)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    script = call_script(("default", TEST_CAPABILITY, "RemoveAll", b""))
    assert host.call_actor(actor.public_key, "host", script) == b"done"
    assert not host.actors()
    assert not host.bindings()
    assert ("default", TEST_CAPABILITY) not in host.capabilities()
    host.add_actor(actor)
    assert host.call_actor(actor.public_key, "count", b"") == b"\1"


class NoDescriptor(ScriptedProvider):
    descriptor = None


class RaisingDescriptor(ScriptedProvider):
    @property
    def descriptor(self) -> CapabilityDescriptor:
        raise ValueError("secret")


class RaisingConfigure(ScriptedProvider):
    def configure_dispatch(self, dispatcher: object) -> None:
        raise ProviderError("not today")


class RaisingStop(ScriptedProvider):
    def stop(self) -> None:
        raise ValueError("secret")


def test_odd_providers(host: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    actor_key = identities.key().public_key
    for provider in (
        NoDescriptor(),
        RaisingDescriptor(),
        RaisingConfigure(),
        ScriptedProvider(""),
        ScriptedProvider("a\nb"),
        ScriptedProvider(actor_key),
        ScriptedProvider("x" * 1000),
        object(),
    ):
        with pytest.raises(CapabilityProviderError):
            host.add_capability(provider)
        assert list(host.capabilities()) == [("default", "wascc:extras")]
    host.add_capability(RaisingStop())
    host.remove_capability(TEST_CAPABILITY)
    assert list(host.capabilities()) == [("default", "wascc:extras")]
    assert "secret" not in caplog.text


def test_providers_of_the_base_class(host: Host, actor: Actor) -> None:
    """What providers are normally made of works the same."""

    class Binder(Provider):
        capability = TEST_CAPABILITY
        name = "Binder"
        long_description = "Takes bindings"

    provider = Binder()
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert provider.values_of(actor.public_key)["__wascc_name"] == "Tester"
    host.remove_capability(TEST_CAPABILITY)
    with pytest.raises(CapabilityProviderError, match="already has a dispatcher"):
        host.add_capability(provider)
    host.add_capability(Binder())


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
