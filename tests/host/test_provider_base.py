"""What every provider does: the system's operations, bindings, routing, and what is refused."""

import logging
from collections.abc import Callable, Mapping

import pytest
from provider_support import bind, remove

from host.codec import decode, encode
from host.codec.core import (
    CapabilityConfiguration,
    CapabilityDescriptor,
    Direction,
    HealthRequest,
    OperationDescriptor,
)
from host.codec.extras import GeneratorRequest
from host.codec.keyvalue import AddRequest, AddResponse
from host.providers.base import CapabilityProvider, Provider, ProviderError
from host.providers.extras import ExtrasProvider
from host.providers.http_server import HttpServerProvider
from host.providers.keyvalue import MemoryKeyValueProvider, SqliteKeyValueProvider
from host.providers.logs import LoggingProvider

PROVIDERS: dict[str, Callable[[], CapabilityProvider]] = {
    "wascc:http_server": HttpServerProvider,
    "wascc:keyvalue": SqliteKeyValueProvider,
    "wascc:keyvalue ": MemoryKeyValueProvider,
    "wascc:logging": LoggingProvider,
    "wascc:extras": ExtrasProvider,
}


class Recorder(Provider):
    """Records what happens to it; refuses to bind with a value REFUSE."""

    capability = "test:recorder"
    name = "Recorder"
    revision = 7
    long_description = "For tests."
    to_actor: Mapping[str, str] = {"Tell": "Tells the actor"}
    value_names = frozenset({"REFUSE", "COLOUR"})

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.route("Add", AddRequest, self.add, "Adds one")
        self.route("Forget", AddRequest, self.forget, "Has no result")

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        if "REFUSE" in values:
            raise ProviderError("refused as asked")
        self.events.append(f"bind {actor}")

    def unbind(self, actor: str) -> None:
        self.events.append(f"unbind {actor}")

    def close(self) -> None:
        self.events.append("close")

    def add(self, actor: str, request: AddRequest) -> AddResponse:
        return AddResponse(request.value + int(self.values_of(actor).get("COLOUR", "1")))

    def forget(self, actor: str, request: AddRequest) -> None:
        self.events.append(f"forget {request.key}")


class Actors:
    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        return payload


ADD = encode(AddRequest("k", 2))


def test_descriptor() -> None:
    expected = CapabilityDescriptor(
        id="test:recorder",
        name="Recorder",
        version=Recorder().descriptor.version,
        revision=7,
        long_description="For tests.",
        supported_operations=(
            OperationDescriptor("Tell", Direction.TO_ACTOR, "Tells the actor"),
            OperationDescriptor("Add", Direction.TO_PROVIDER, "Adds one"),
            OperationDescriptor("Forget", Direction.TO_PROVIDER, "Has no result"),
        ),
    )
    assert Recorder().descriptor == expected
    for payload in (b"", encode(HealthRequest())):
        reply = Recorder().handle_call("system", "GetCapabilityDescriptor", payload)
        assert decode(CapabilityDescriptor, reply) == expected


def test_life_of_a_binding() -> None:
    provider = Recorder()
    bind(provider, "MA")
    bind(provider, "MB", COLOUR="10")
    assert decode(AddResponse, provider.handle_call("MA", "Add", ADD)).value == 3
    assert decode(AddResponse, provider.handle_call("MB", "Add", ADD)).value == 12
    assert provider.handle_call("MA", "Forget", ADD) == b""
    bind(provider, "MA", COLOUR="20")
    assert decode(AddResponse, provider.handle_call("MA", "Add", ADD)).value == 22
    remove(provider, "MA")
    remove(provider, "MA")
    with pytest.raises(ProviderError, match=r"^MA is not bound to test:recorder$"):
        provider.handle_call("MA", "Add", ADD)
    provider.stop()
    provider.stop()
    assert provider.events == ["bind MA", "bind MB", "forget k", "bind MA", "unbind MA", "unbind MB", "close"]
    for operation in ("Add", "GetCapabilityDescriptor"):
        with pytest.raises(ProviderError, match="Recorder is stopped"):
            provider.handle_call("system" if operation != "Add" else "MB", operation, ADD)


def test_a_refused_binding_leaves_the_former_one() -> None:
    provider = Recorder()
    with pytest.raises(ProviderError, match="refused as asked"):
        bind(provider, "MA", REFUSE="")
    with pytest.raises(ProviderError, match="not bound"):
        provider.handle_call("MA", "Add", ADD)
    bind(provider, "MA", COLOUR="5")
    with pytest.raises(ProviderError, match="refused as asked"):
        bind(provider, "MA", REFUSE="")
    assert decode(AddResponse, provider.handle_call("MA", "Add", ADD)).value == 7


@pytest.mark.parametrize("actor", ["", "system"])
def test_what_cannot_be_bound(actor: str) -> None:
    with pytest.raises(ProviderError, match="is not an actor's public key"):
        bind(Recorder(), actor)


def test_undecodable_payloads() -> None:
    provider = Recorder()
    bind(provider, "MA")
    for actor, operation, payload, reason in (
        ("system", "BindActor", b"", "BindActor: CapabilityConfiguration: the payload ends too early"),
        ("system", "RemoveActor", b"\x80", "RemoveActor: CapabilityConfiguration.module: missing"),
        ("MA", "Add", b"\xc0", "Add: AddRequest: expected a map or an array, found nil"),
    ):
        with pytest.raises(ProviderError) as caught:
            provider.handle_call(actor, operation, payload)
        assert str(caught.value) == reason


def test_a_reply_out_of_range_is_an_error() -> None:
    provider = Recorder()
    bind(provider, "MA", COLOUR=str(2**31))
    with pytest.raises(ProviderError, match="2147483650 is not in the range of i32"):
        provider.handle_call("MA", "Add", ADD)


def test_unknown_values_are_warned_of_without_showing_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        bind(Recorder(), "MA", COLOR="hunter2", COLOUR="1", __wascc_name="n")
    assert caplog.messages == ["test:recorder does not know the configuration value COLOR"]


def test_the_dispatcher_is_given_once() -> None:
    provider = Recorder()
    with pytest.raises(ProviderError, match="not been given a dispatcher"):
        _ = provider.dispatcher
    actors = Actors()
    provider.configure_dispatch(actors)
    assert provider.dispatcher is actors
    with pytest.raises(ProviderError, match="already has a dispatcher"):
        provider.configure_dispatch(actors)


@pytest.mark.parametrize("capability", PROVIDERS)
def test_the_operations_of_the_system_are_only_for_the_system(capability: str) -> None:
    provider = PROVIDERS[capability]()
    provider.configure_dispatch(Actors())
    configuration = encode(CapabilityConfiguration("MA"))
    for actor, operation in (
        ("MA", "BindActor"),
        ("MA", "RemoveActor"),
        ("MA", "GetCapabilityDescriptor"),
        ("SYSTEM", "BindActor"),
        ("", "BindActor"),
        ("MA", "NoSuchOperation"),
        ("system", "NoSuchOperation"),
        ("system", ""),
    ):
        with pytest.raises(ProviderError, match=r"^bad dispatch$"):
            provider.handle_call(actor, operation, configuration)
    descriptor = decode(CapabilityDescriptor, provider.handle_call("system", "GetCapabilityDescriptor", b""))
    assert descriptor == provider.descriptor
    assert descriptor.id == capability.strip()
    provider.stop()
    provider.stop()


def test_calls_of_unbound_actors_are_refused() -> None:
    request = encode(GeneratorRequest(guid=True, sequence=False, random=False, min=0, max=0))
    with pytest.raises(ProviderError, match=r"^MA is not bound to wascc:extras$"):
        ExtrasProvider().handle_call("MA", "RequestGuid", request)
