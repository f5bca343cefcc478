"""Providers in a host: loading, odd ones, removal, and adding them again."""

import logging
import threading
from collections.abc import Callable

import pytest
from host_support import (
    TEST_CAPABILITY,
    Identities,
    Remembering,
    ScriptedProvider,
    call_script,
    in_thread,
    who,
)

from host import (
    Actor,
    CapabilityProviderError,
    Host,
    InvocationFailure,
    MiscHostError,
    Provider,
    ProviderError,
)
from host.codec.core import CapabilityDescriptor

MakeHost = Callable[..., Host]


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
