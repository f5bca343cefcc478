"""Building hosts: labels, engines, another bus, and a start that fails."""

import logging

import pytest
from host_support import Identities

from host import HostBuilder, Invocation, InvocationFailure, InvocationResponse, MiscHostError
from host.bus import Handler, InProcessBus
from interp.engine import EngineUnavailable


class CountingBus(InProcessBus):
    """The bus inside the process, which notes what it carries, and whether that was signed."""

    description = "counting"

    def __init__(self) -> None:
        super().__init__()
        self.carried: list[tuple[str, str, bool]] = []
        self.closed = 0

    def request(self, subject: str, invocation: Invocation) -> InvocationResponse:
        response = super().request(subject, invocation)
        self.carried.append((subject, invocation.operation, invocation._token is not None))
        return response

    def close(self) -> None:
        self.closed += 1
        super().close()


class FullBus(CountingBus):
    def serve(self, subject: str, handler: Handler) -> None:
        raise MiscHostError("no room on this bus")


def test_start_up_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with HostBuilder().build() as host:
        labels = host.labels
        assert caplog.messages[:2] == [
            f"Detected Intrinsic host labels. hostcore.arch = {labels['hostcore.arch']}, "
            f"hostcore.os = {labels['hostcore.os']}, hostcore.family = {labels['hostcore.osfamily']}",
            "Initialized Message Bus (internal)",
        ]
        assert caplog.messages[2].startswith(f"Host ID is {host.id} (v")
        assert caplog.messages[-1] == "Native capability provider '(default,wascc:extras)' ready"
    assert "Shutting down host" in caplog.messages


def test_each_host_has_a_key_of_its_own() -> None:
    with HostBuilder().build() as first, HostBuilder().build() as second:
        assert first.id != second.id
        assert first.id in repr(first)


def test_engines_by_name(identities: Identities) -> None:
    with HostBuilder().with_engine("reference").build() as host:
        actor = identities.actor()
        host.add_actor(actor)
        assert host.call_actor(actor.public_key, "echo", memoryview(b"hi")) == b"hi"
        with pytest.raises(TypeError):
            host.call_actor(actor.public_key, "echo", 5)
    with pytest.raises(EngineUnavailable, match="no engine is called 'steam'"):
        HostBuilder().with_engine("steam").build()


@pytest.mark.parametrize("verified", [False, True])
def test_another_bus_carries_every_call(identities: Identities, verified: bool) -> None:
    """Inside the process an invocation is signed only if that is asked for."""
    bus = CountingBus()
    with HostBuilder().with_bus(bus).with_verified_invocations(verified).build() as host:
        actor = identities.actor("wascc:extras")
        host.add_actor(actor)
        host.call_actor(actor.public_key, "echo", b"")
        with pytest.raises(InvocationFailure):
            host.call_actor(actor.public_key, "unknown", b"")
    extras = "wasmbus.provider.wascc.extras.default"
    assert bus.carried == [
        (extras, "BindActor", verified),
        (f"wasmbus.actor.{actor.public_key}", "echo", verified),
        (f"wasmbus.actor.{actor.public_key}", "unknown", verified),
        (extras, "RemoveActor", verified),
    ]
    assert bus.closed == 1


def test_a_host_that_cannot_start_closes_its_bus() -> None:
    bus = FullBus()
    with pytest.raises(MiscHostError, match="no room"):
        HostBuilder().with_bus(bus).build()
    assert bus.closed == 1
