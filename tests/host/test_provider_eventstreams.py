"""What the operations of event streams do, the same on every backend."""

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from eventstreams_support import ACTOR, bound, id_of, query, write
from host_support import Identities, call_script
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from provider_support import refused
from redis_support import client_of, url_of
from servers import ServerProcess

from host import Host
from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.eventstreams import Event, StreamQuery, StreamResults, WriteResponse
from host.providers.base import ProviderError
from host.providers.eventstreams import (
    MemoryEventStreamsProvider,
    RedisEventStreamsProvider,
    SqliteEventStreamsProvider,
)
from host.providers.eventstreams.providers import EventStreamsProvider

MAX_U64 = 2**64 - 1


class Backend:
    """A backend whose time can be told, and a provider on it that is bound."""

    def __init__(self, kind: str, folder: Path, server: ServerProcess | None, **values: str) -> None:
        self.now: float | None = None
        self.client = None if server is None else client_of(server)
        self.values = values
        match kind:
            case "sqlite":
                self.values = {"PATH": str(folder / "events.db"), "SYNCHRONOUS": "normal", **values}
                self.make: Callable[[], EventStreamsProvider] = lambda: SqliteEventStreamsProvider(clock=self.clock)
            case "memory":
                self.make = lambda: MemoryEventStreamsProvider(clock=self.clock)
            case _:
                assert server is not None
                self.values = {"URL": url_of(server), **values}
                self.make = RedisEventStreamsProvider
        self.provider = bound(self.make(), **self.values)

    def clock(self) -> float:
        return time.time() if self.now is None else self.now

    def write_at(self, milliseconds: int, stream: str, values: dict[str, str]) -> None:
        """Write an event at a time, which must not be before that of the last one."""
        if self.client is None:
            self.now = milliseconds / 1000
            write(self.provider, stream, values)
            self.now = None
        else:
            written = self.client.xrevrange(stream, f"{milliseconds}", f"{milliseconds}", count=1)
            sequence = int(written[0][0].decode().split("-")[1]) + 1 if written else 0
            self.client.xadd(stream, values, id=f"{milliseconds}-{sequence}")

    def rebind(self, **values: str) -> None:
        bound(self.provider, **{**self.values, **values})


@pytest.fixture(params=["sqlite", "memory", "redis"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    server = request.getfixturevalue("redis") if request.param == "redis" else None
    made = Backend(request.param, tmp_path, server)
    yield made
    made.provider.stop()


@pytest.fixture
def provider(backend: Backend) -> EventStreamsProvider:
    return backend.provider


def test_described(provider: EventStreamsProvider) -> None:
    assert {each.name for each in provider.descriptor.supported_operations} == {"WriteEvent", "QueryStream"}
    assert provider.descriptor.id == "wascc:eventstreams"


def test_what_is_written_is_read(provider: EventStreamsProvider) -> None:
    events = [{"a": "1"}, {"ключ": "Käse\0\n", "": "", "z": "x" * 10_000}, {"a": "1"}]
    before = time.time()
    ids = [write(provider, "ström", values) for values in events]
    assert query(provider, "ström") == tuple(
        Event(event_id, "ström", values) for event_id, values in zip(ids, events, strict=True)
    )
    assert all(before - 1 <= id_of(event_id)[0] / 1000 <= time.time() + 1 for event_id in ids)
    assert query(provider, "other") == ()
    write(provider, "", {"of": "the empty name"})
    assert [event.values for event in query(provider, "")] == [{"of": "the empty name"}]


def test_the_order_of_values_stays(provider: EventStreamsProvider) -> None:
    names = [f"name {number}" for number in range(50, 0, -1)]
    write(provider, "s", dict.fromkeys(names, "v"))
    assert list(query(provider, "s")[0].values) == names


def test_ids_are_given_and_go_up(provider: EventStreamsProvider) -> None:
    payload = encode(Event("my own id", "s", {"a": "b"}))
    first = decode(WriteResponse, provider.handle_call(ACTOR, "WriteEvent", payload)).event_id
    ids = [first, *(write(provider, "s", {"a": "b"}) for _ in range(500))]
    assert all(id_of(one) < id_of(other) for one, other in pairwise(ids))
    assert [event.event_id for event in query(provider, "s")] == ids


def test_ids_go_up_when_the_clock_goes_back(backend: Backend) -> None:
    later = int(time.time() + 3600) * 1000
    backend.write_at(later, "s", {"n": "0"})
    written = [write(backend.provider, "s", {"n": str(number)}) for number in (1, 2, 3)]
    assert [id_of(each) for each in written] == [(later, 1), (later, 2), (later, 3)]
    assert [event.values["n"] for event in query(backend.provider, "s")] == ["0", "1", "2", "3"]
    assert id_of(write(backend.provider, "other stream", {"a": "b"}))[0] < later


def test_seconds(backend: Backend) -> None:
    for milliseconds in (1_000, 1_999, 2_000, 2_000, 2_500, 3_000, 4_000):
        backend.write_at(milliseconds, "s", {"at": str(milliseconds)})
    for within, count, expected in (
        (None, 0, [1000, 1999, 2000, 2000, 2500, 3000, 4000]),
        (None, 3, [1000, 1999, 2000]),
        (None, MAX_U64, [1000, 1999, 2000, 2000, 2500, 3000, 4000]),
        ((2, 2), 0, [2000, 2000, 2500]),
        ((2, 2), 1, [2000]),
        ((2, 3), 0, [2000, 2000, 2500, 3000]),
        ((0, 1), 0, [1000, 1999]),
        ((0, MAX_U64), 0, [1000, 1999, 2000, 2000, 2500, 3000, 4000]),
        ((4, MAX_U64), 9, [4000]),
        ((5, MAX_U64), 0, []),
        ((3, 2), 0, []),
        ((MAX_U64, MAX_U64), 0, []),
        ((MAX_U64, 0), 0, []),
    ):
        found = [int(event.values["at"]) for event in query(backend.provider, "s", within, count)]
        assert found == expected, (within, count)


def test_only_the_last_events_are_kept(backend: Backend) -> None:
    for number in range(10):
        write(backend.provider, "s", {"n": str(number)})
    backend.rebind(MAX_EVENTS="4")
    assert len(query(backend.provider, "s")) == 10, "until the next one is written"
    for number in range(10, 13):
        write(backend.provider, "s", {"n": str(number)})
        assert [event.values["n"] for event in query(backend.provider, "s")] == [
            str(each) for each in range(number - 3, number + 1)
        ]
    backend.rebind(MAX_EVENTS="1")
    last = write(backend.provider, "s", {"n": "last"})
    assert query(backend.provider, "s") == (Event(last, "s", {"n": "last"}),)


def test_refused(backend: Backend) -> None:
    provider = backend.provider
    assert refused(lambda: write(provider, "s", {})) == "an event needs at least one value"
    too_many = {str(number): "" for number in range(100_001)}
    assert refused(lambda: write(provider, "s", too_many)) == "an event has at most 100000 values"
    del too_many["0"]
    write(provider, "most", too_many)
    assert query(provider, "most")[0].values == too_many
    assert query(provider, "s") == ()
    assert "MAX_EVENTS must be an integer from 0 to 1000000000" in refused(lambda: backend.rebind(MAX_EVENTS="-1"))
    assert refused(lambda: provider.handle_call(ACTOR, "QueryStream", b"\x80")) == (
        "QueryStream: StreamQuery.streamId: missing"
    )
    assert refused(lambda: provider.handle_call(ACTOR, "DeliverEvent", b"")) == "bad dispatch"


def test_answers_too_large_for_a_message(provider: EventStreamsProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(100):
        write(provider, "s", {"a": "x" * 1000})
    assert len(query(provider, "s")) == 100
    monkeypatch.setattr("host.providers.answers.MAX_PAYLOAD_BYTES", 50_000)
    too_large = "the values are over the limit of 50000 bytes or 1000000 values for an answer"
    assert refused(lambda: query(provider, "s")) == too_large
    assert refused(lambda: query(provider, "s", (0, MAX_U64), 99)) == too_large
    assert len(query(provider, "s", count=40)) == 40


def test_answers_of_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.providers.answers.MAX_VALUES", 9)
    provider = MemoryEventStreamsProvider()
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MACTOR", {})))
    for _ in range(4):
        write(provider, "s", {"a": "", "b": ""})
    assert len(query(provider, "s", count=3)) == 3
    with pytest.raises(ProviderError, match="bytes or 9 values for an answer"):
        query(provider, "s")
    provider.stop()


def test_actors_with_the_same_settings_share_streams(backend: Backend) -> None:
    provider = backend.provider
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MOTHER", backend.values)))
    write(provider, "s", {"by": "other"}, actor="MOTHER")
    assert [event.values for event in query(provider, "s")] == [{"by": "other"}]
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("MOTHER")))
    assert refused(lambda: write(provider, "s", {"a": "b"}, actor="MOTHER")).startswith("MOTHER is not bound")
    assert len(query(provider, "s")) == 1


def test_an_actor_in_a_host(backend: Backend, host: Host, identities: Identities) -> None:
    actor = identities.actor("wascc:eventstreams")
    host.add_actor(actor)
    host.add_capability(backend.make())
    host.set_binding(actor.public_key, "wascc:eventstreams", values=backend.values)

    def call(operation: str, payload: bytes) -> bytes:
        script = call_script(("default", "wascc:eventstreams", operation, payload))
        reply: bytes = host.call_actor(actor.public_key, "host", script)
        return reply

    written = decode(WriteResponse, call("WriteEvent", encode(Event("", "s", {"a": "b"})))).event_id
    found = decode(StreamResults, call("QueryStream", encode(StreamQuery("s", count=0))))
    assert found == StreamResults((Event(written, "s", {"a": "b"}),))
    host.remove_binding(actor.public_key, "wascc:eventstreams")
    host.set_binding(actor.public_key, "wascc:eventstreams", values=backend.values)
    assert decode(StreamResults, call("QueryStream", encode(StreamQuery("s", count=0)))) == found


class StoresAgree(RuleBasedStateMachine):
    """Any sequence of operations has the same answers from SQLite, memory and Redis, and from plain lists."""

    server: ServerProcess

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        client_of(self.server).flushall()
        self.backends = [
            Backend(kind, Path(self.folder.name), self.server if kind == "redis" else None, MAX_EVENTS="5")
            for kind in ("sqlite", "memory", "redis")
        ]
        self.model: dict[str, list[dict[str, str]]] = {}

    def teardown(self) -> None:
        for each in self.backends:
            each.provider.stop()
        self.folder.cleanup()

    @rule(
        stream=st.sampled_from(["s", "t"]),
        values=st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.text("xé\0"), max_size=3
        ),
    )
    def write(self, stream: str, values: dict[str, str]) -> None:
        for each in self.backends:
            if values:
                write(each.provider, stream, values)
            else:
                refused(lambda each=each: write(each.provider, stream, values))
        if values:
            self.model[stream] = [*self.model.get(stream, []), values][-5:]

    @rule(stream=st.sampled_from(["s", "t", "u"]), count=st.integers(0, 7))
    def query(self, stream: str, count: int) -> None:
        for each in self.backends:
            found = [dict(event.values) for event in query(each.provider, stream, count=count)]
            assert found == self.model.get(stream, [])[: count or None]


def test_stores_agree(redis: ServerProcess) -> None:
    StoresAgree.server = redis
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))


@given(
    st.lists(st.integers(0, 9_999), max_size=30).map(sorted),
    st.tuples(st.integers(0, 11), st.integers(0, 11)),
    st.integers(0, 12),
)
@settings(max_examples=20, deadline=None)
def test_any_range(times: list[int], within: tuple[int, int], count: int) -> None:
    expected = [each for each in times if within[0] <= each // 1000 <= within[1]][: count or None]
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("sqlite", "memory"):
            backend = Backend(kind, Path(folder), None)
            for milliseconds in times:
                backend.write_at(milliseconds, "s", {"at": str(milliseconds)})
            assert [int(event.values["at"]) for event in query(backend.provider, "s", within, count)] == expected
            backend.provider.stop()


def test_memory_is_bounded() -> None:
    provider = bound(MemoryEventStreamsProvider(max_bytes=100_000))

    def fill(stream: Callable[[], str]) -> int:
        for number in range(1000):
            try:
                write(provider, stream(), {"a": "ä" * 100})
            except ProviderError as error:
                assert str(error) == "the store of event streams is full (100000 bytes)"  # noqa: PT017
                return number
        raise AssertionError("it is never full")

    assert 30 < fill(lambda: "s") < 200
    bound(provider, MAX_EVENTS="3")
    for _ in range(5000):
        write(provider, "s", {"a": "ä" * 100})
    assert len(query(provider, "s")) == 3
    names: Any = iter(range(1000))
    assert 20 < fill(lambda: str(next(names))) < 200
