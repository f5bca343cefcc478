"""Subjects, and the bus inside one process."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from host.bus import Bus, Handler, InProcessBus
from host.entities import ActorEntity
from host.errors import HostShutDown, MiscHostError, NoSubscribers
from host.invocation import Invocation, InvocationResponse
from host.subjects import actor_subject, bound_subject, provider_subject
from wascap import KeyPair, KeyType

KEY = KeyPair.generate(KeyType.SERVER)
SYSTEM = ActorEntity("system")


def invocation(payload: bytes = b"") -> Invocation:
    return Invocation.create(KEY, KEY.public_key, SYSTEM, ActorEntity("MX"), "Test", payload)


def echo(call: Invocation) -> InvocationResponse:
    return InvocationResponse(call.payload, None, call.id)


def test_subjects() -> None:
    assert actor_subject("MB4O") == "wasmbus.actor.MB4O"
    assert actor_subject("MB4O", "acme") == "acme.wasmbus.actor.MB4O"
    assert provider_subject("wascc:keyvalue", "default") == "wasmbus.provider.wascc.keyvalue.default"
    assert provider_subject("Acme:Key Value", "Source1", "ns") == "ns.wasmbus.provider.acme.key_value.Source1"
    assert bound_subject("wascc:keyvalue", "default", "MASC") == "wasmbus.provider.wascc.keyvalue.default.MASC"


def test_a_request_is_answered_in_the_callers_thread() -> None:
    bus: Bus = InProcessBus()
    threads = []

    def handler(call: Invocation) -> InvocationResponse:
        threads.append(threading.get_ident())
        return echo(call)

    bus.serve("s", handler)
    before = threading.active_count()
    assert bus.request("s", invocation(b"hello")).payload == b"hello"
    assert threads == [threading.get_ident()]
    assert threading.active_count() == before


def test_nobody_there() -> None:
    bus = InProcessBus()
    with pytest.raises(NoSubscribers) as caught:
        bus.request("wasmbus.actor.MX", invocation())
    assert caught.value.message == "Attempted bus call for wasmbus.actor.MX with no subscribers"
    bus.serve("wasmbus.actor.MX", echo)
    bus.remove("wasmbus.actor.MX")
    bus.remove("wasmbus.actor.MX")
    with pytest.raises(NoSubscribers):
        bus.request("wasmbus.actor.MX", invocation())


def test_one_server_for_each_subject() -> None:
    bus = InProcessBus()
    bus.serve("s", echo)
    with pytest.raises(MiscHostError, match="s is served already"):
        bus.serve("s", echo)
    bus.remove("s")
    bus.serve("s", echo)


def test_an_answer_to_another_call_is_refused() -> None:
    bus = InProcessBus()
    bus.serve("s", lambda call: InvocationResponse(b"yours?", None, invocation().id))
    with pytest.raises(MiscHostError, match="came for another one"):
        bus.request("s", invocation())


def test_concurrent_callers_get_their_own_answers() -> None:
    bus = InProcessBus()
    meeting = threading.Barrier(8)

    def handler(call: Invocation) -> InvocationResponse:
        meeting.wait(20)
        return echo(call)

    bus.serve("s", handler)
    payloads = [str(number).encode() for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda payload: bus.request("s", invocation(payload)).payload, payloads))
    assert answers == payloads


def test_a_call_under_way_ends_although_its_subject_is_removed() -> None:
    bus = InProcessBus()

    def handler(call: Invocation) -> InvocationResponse:
        bus.remove("s")
        return echo(call)

    bus.serve("s", handler)
    assert bus.request("s", invocation(b"x")).payload == b"x"


def test_a_closed_bus_refuses_everything() -> None:
    bus = InProcessBus()
    bus.serve("s", echo)
    bus.close()
    bus.close()
    with pytest.raises(HostShutDown):
        bus.request("s", invocation())
    with pytest.raises(HostShutDown):
        bus.serve("t", echo)
    bus.remove("s")


def test_serving_and_removing_from_many_threads() -> None:
    """However the threads interleave, a request finds a server or is told that there is none."""
    bus = InProcessBus()
    handler: Handler = echo

    def work(number: int) -> int:
        answered = 0
        for _ in range(200):
            with suppress(MiscHostError):
                bus.serve("s", handler)
            with suppress(NoSubscribers):
                answered += bus.request("s", invocation(b"x")).payload == b"x"
            bus.remove("s")
        return answered

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) > 0
