"""Messaging in memory: subjects, subscriptions, queue groups, requests and replies, and what goes wrong."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.messaging import BrokerMessage, RequestMessage
from host.providers.base import ProviderError
from host.providers.messaging import MemoryMessagingProvider
from host.providers.messaging.subjects import checked_pattern, checked_subject, matches


class Actors:
    """A dispatcher that notes what actors get; what they do then is given by actor."""

    def __init__(self) -> None:
        self.got: list[tuple[str, BrokerMessage]] = []
        self.reactions: dict[str, Callable[[BrokerMessage], None]] = {}
        self.changed = threading.Condition()

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        assert operation == "DeliverMessage"
        message = decode(BrokerMessage, payload)
        if actor in self.reactions:
            self.reactions[actor](message)
        with self.changed:
            self.got.append((actor, message))
            self.changed.notify_all()
        return b"\xc0"

    def wait(self, number: int) -> list[tuple[str, str, bytes]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= number, timeout=10), self.got
        time.sleep(0.02)
        return [(actor, message.subject, message.body) for actor, message in self.got]


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[MemoryMessagingProvider]:
    made = MemoryMessagingProvider()
    made.configure_dispatch(actors)
    yield made
    made.stop()


def bind(provider: MemoryMessagingProvider, actor: str, /, **values: str) -> None:
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration(actor, values)))


def publish(provider: MemoryMessagingProvider, actor: str, subject: str, body: bytes = b"", reply_to: str = "") -> None:
    assert provider.handle_call(actor, "Publish", encode(BrokerMessage(subject, reply_to, body))) == b""


def request(
    provider: MemoryMessagingProvider, actor: str, subject: str, body: bytes = b"", timeout: int = 5000
) -> bytes:
    return provider.handle_call(actor, "Request", encode(RequestMessage(subject, body, timeout=timeout)))


def test_all_who_want_a_message_get_it_once(provider: MemoryMessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="a.b, a.*, a.>")
    bind(provider, "M2", SUBSCRIPTION="a.>")
    bind(provider, "M3", SUBSCRIPTION="b")
    publish(provider, "MP", "a.b", b"text")
    assert sorted(actors.wait(2)) == [("M1", "a.b", b"text"), ("M2", "a.b", b"text")]


def test_messages_keep_their_order(provider: MemoryMessagingProvider, actors: Actors) -> None:
    bind(provider, "M1", SUBSCRIPTION=">")
    for number in range(300):
        publish(provider, "M1", f"n.{number}")
    assert [subject for _, subject, _ in actors.wait(300)] == [f"n.{number}" for number in range(300)]


def test_one_of_a_queue_group_gets_a_message(provider: MemoryMessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    for actor in ("M1", "M2"):
        bind(provider, actor, SUBSCRIPTION="jobs", QUEUEGROUP_NAME="workers")
    bind(provider, "M3", SUBSCRIPTION="jobs", QUEUEGROUP_NAME="others")
    bind(provider, "M4", SUBSCRIPTION="jobs")
    for number in range(20):
        publish(provider, "MP", "jobs", bytes([number]))
    got = actors.wait(60)
    assert sorted(body for actor, _, body in got if actor in ("M1", "M2")) == [bytes([n]) for n in range(20)]
    assert {actor for actor, _, _ in got} == {"M1", "M2", "M3", "M4"}
    assert all(sum(actor == each for actor, _, _ in got) == 20 for each in ("M3", "M4"))


def test_a_request_gets_the_reply(provider: MemoryMessagingProvider, actors: Actors) -> None:
    actors.reactions["M1"] = lambda message: publish(provider, "M1", message.reply_to, message.body.upper())
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="upper")
    bind(provider, "M2", SUBSCRIPTION=">")
    assert request(provider, "MP", "upper", b"text") == b"TEXT"
    # Replies are for who has asked, and for nobody else.
    assert {subject for _, subject, _ in actors.wait(2)} == {"upper"}


def test_requests_at_a_time(provider: MemoryMessagingProvider, actors: Actors) -> None:
    actors.reactions["M1"] = lambda message: publish(provider, "M1", message.reply_to, message.body * 2)
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="twice")
    found: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda number: found.append(
                request(provider, "MP", "twice", bytes([number])) == bytes([number] * 2)
            ),
            args=(number,),
        )
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


def test_a_request_without_an_answer(provider: MemoryMessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    with pytest.raises(ProviderError, match=r"^nobody has subscribed to a$"):
        request(provider, "MP", "a")
    bind(provider, "M1", SUBSCRIPTION="a")
    with pytest.raises(ProviderError, match=r"^no reply from a within 50 ms$"):
        request(provider, "MP", "a", timeout=50)
    for timeout in (0, -1, 10**12):
        with pytest.raises(ProviderError, match="the timeout must be from 1 to 3600000 ms"):
            request(provider, "MP", "a", timeout=timeout)


def test_an_actor_that_fails_is_no_matter_of_the_publisher(
    provider: MemoryMessagingProvider, actors: Actors, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: BrokerMessage) -> None:
        if message.body == b"bad":
            raise RuntimeError("it\nfailed")

    actors.reactions["M1"] = fail
    bind(provider, "M1", SUBSCRIPTION="a")
    publish(provider, "M1", "a", b"bad")
    publish(provider, "M1", "a", b"good")
    assert actors.wait(1) == [("M1", "a", b"good")]
    assert caplog.messages == [r"wascc:messaging: M1 did not take a message to a: it\nfailed"]


def test_who_is_too_slow_loses_messages(
    provider: MemoryMessagingProvider, actors: Actors, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    actors.reactions["M1"] = lambda _: (go.wait(10), None)[1]
    bind(provider, "M1", SUBSCRIPTION="a", MAX_PENDING="3")
    publish(provider, "M1", "a", b"first")
    time.sleep(0.1)
    for number in range(5):
        publish(provider, "M1", "a", bytes([number]))
    go.set()
    assert [body for _, _, body in actors.wait(4)] == [b"first", b"\0", b"\1", b"\2"]
    assert len([message for message in caplog.messages if "too slow" in message]) == 2


def test_binding_again_and_removing(provider: MemoryMessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="a")
    bind(provider, "M1", SUBSCRIPTION="b")
    publish(provider, "MP", "a")
    publish(provider, "MP", "b")
    assert actors.wait(1) == [("M1", "b", b"")]
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("M1")))
    publish(provider, "MP", "b")
    time.sleep(0.1)
    assert len(actors.got) == 1
    with pytest.raises(ProviderError, match="is not bound"):
        publish(provider, "M1", "b")


def test_nothing_runs_behind_the_end(actors: Actors) -> None:
    before = threading.active_count()
    provider = MemoryMessagingProvider()
    provider.configure_dispatch(actors)
    for number in range(5):
        bind(provider, f"M{number}", SUBSCRIPTION=">")
    assert threading.active_count() == before + 5
    provider.stop()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


BAD = ["", ".", "a..b", ".a", "a.", "a b", "a\nb", "a\x1bb", "x" * 2000]


@pytest.mark.parametrize("subject", [*BAD, "a.*", ">"])
def test_what_is_no_subject(provider: MemoryMessagingProvider, subject: str) -> None:
    bind(provider, "MP")
    for call in (publish, request):
        with pytest.raises(ProviderError, match="is no subject") as caught:
            call(provider, "MP", subject)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", [*BAD[1:], ">.a"])
def test_what_is_no_pattern_is_refused_when_binding(provider: MemoryMessagingProvider, pattern: str) -> None:
    with pytest.raises(ProviderError, match="is no subject to subscribe to"):
        bind(provider, "M1", SUBSCRIPTION=pattern)


TOKENS = st.sampled_from(["a", "b", "ab"])


@given(st.lists(TOKENS | st.just("*"), min_size=1, max_size=4), st.booleans(), st.lists(TOKENS, min_size=1, max_size=5))
def test_patterns_match_as_expressions_do(wanted: list[str], rest: bool, tokens: list[str]) -> None:
    pattern, subject = ".".join([*wanted, *([">"] if rest else [])]), ".".join(tokens)
    assert (checked_pattern(pattern), checked_subject(subject)) == (pattern, subject)
    expression = r"\.".join([r"[^.]+" if token == "*" else token for token in wanted]) + (r"\..+" if rest else "")
    assert matches(pattern, subject) == (re.fullmatch(expression, subject) is not None)
