"""Messaging, the same on every backend: subscriptions, queue groups, requests and replies, and what goes wrong."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from host_support import eventually
from hypothesis import given
from hypothesis import strategies as st
from messaging_support import Actors, publish, request
from provider_support import bind, remove
from servers import ServerProcess, nats_server

from host.codec.messaging import BrokerMessage
from host.providers.base import ProviderError
from host.providers.messaging import MemoryMessagingProvider, NatsMessagingProvider
from host.providers.messaging.provider import MessagingProvider
from host.providers.messaging.subjects import checked_pattern, checked_subject, matches

BACKENDS: dict[str, type[MessagingProvider]] = {"memory": MemoryMessagingProvider, "nats": NatsMessagingProvider}

MakeProvider = Callable[[], MessagingProvider]


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(params=BACKENDS)
def make(request: pytest.FixtureRequest, actors: Actors) -> MakeProvider:
    """Makes providers of a backend that deliver to `actors`; those of NATS use the test's server."""
    made = BACKENDS[request.param]
    url = f"nats://127.0.0.1:{request.getfixturevalue('nats').port}" if request.param == "nats" else None

    def make() -> MessagingProvider:
        provider = made()
        provider.configure_dispatch(actors)
        return provider if url is None else at_server(provider, url)

    return make


def at_server(provider: MessagingProvider, url: str) -> MessagingProvider:
    bind_there = provider.bind
    provider.bind = lambda actor, values: bind_there(actor, {"URL": url, **values})
    return provider


@pytest.fixture
def provider(make: MakeProvider) -> Iterator[MessagingProvider]:
    made = make()
    yield made
    made.stop()


def test_all_who_want_a_message_get_it_once(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="a.b, a.*, a.>")
    bind(provider, "M2", SUBSCRIPTION="a.>")
    bind(provider, "M3", SUBSCRIPTION="b")
    publish(provider, "MP", "a.b", b"text")
    assert sorted(actors.wait(2)) == [("M1", "a.b", b"text"), ("M2", "a.b", b"text")]


def test_patterns_that_overlap_bring_a_message_once(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "M1", SUBSCRIPTION="*.b,a.*, a.*,,>")
    for subject in ("a.b", "a.c", "c.b", "c"):
        publish(provider, "M1", subject)
    assert sorted(subject for _, subject, _ in actors.wait(4)) == ["a.b", "a.c", "c", "c.b"]


def test_messages_keep_their_order(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "M1", SUBSCRIPTION=">")
    for number in range(300):
        publish(provider, "M1", f"n.{number}")
    assert [subject for _, subject, _ in actors.wait(300)] == [f"n.{number}" for number in range(300)]


def test_one_of_a_queue_group_gets_a_message(provider: MessagingProvider, actors: Actors) -> None:
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


def test_a_request_gets_the_reply(provider: MessagingProvider, actors: Actors) -> None:
    actors.reactions["M1"] = lambda message: publish(provider, "M1", message.reply_to, message.body.upper())
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="upper")
    bind(provider, "M2", SUBSCRIPTION=">")
    assert request(provider, "MP", "upper", b"text") == b"TEXT"
    # Replies are for who has asked, and for nobody else.
    assert {subject for _, subject, _ in actors.wait(2)} == {"upper"}


def test_requests_at_a_time(provider: MessagingProvider, actors: Actors) -> None:
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


def test_a_request_without_an_answer(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    with pytest.raises(ProviderError, match=r"^nobody has subscribed to a$"):
        request(provider, "MP", "a")
    bind(provider, "M1", SUBSCRIPTION="a")
    with pytest.raises(ProviderError, match=r"^no reply from a within 50 ms$"):
        request(provider, "MP", "a", timeout=50)
    for timeout in (0, -1, 10**12):
        with pytest.raises(ProviderError, match="the timeout must be from 1 to 3600000 ms"):
            request(provider, "MP", "a", timeout=timeout)


def test_who_is_removed_waits_no_longer(provider: MessagingProvider, actors: Actors) -> None:
    refusals: list[str] = []

    def ask() -> None:
        with pytest.raises(ProviderError) as caught:
            request(provider, "M1", "silent", timeout=60_000)
        refusals.append(str(caught.value))

    bind(provider, "M1")
    bind(provider, "M2", SUBSCRIPTION="silent")
    asking = threading.Thread(target=ask)
    asking.start()
    actors.wait(1)
    start = time.monotonic()
    remove(provider, "M1")
    asking.join(20)
    assert time.monotonic() - start < 10
    assert len(refusals) == 1


def test_an_actor_that_fails_is_no_matter_of_the_publisher(
    provider: MessagingProvider, actors: Actors, caplog: pytest.LogCaptureFixture
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


@pytest.mark.parametrize("limit", [{"MAX_PENDING": "3"}, {"MAX_PENDING_BYTES": "12"}])
def test_who_is_too_slow_loses_messages(
    provider: MessagingProvider, actors: Actors, caplog: pytest.LogCaptureFixture, limit: dict[str, str]
) -> None:
    go, busy = threading.Event(), threading.Event()
    actors.reactions["M1"] = lambda _: (busy.set(), go.wait(10))
    bind(provider, "M1", SUBSCRIPTION="a", **limit)
    publish(provider, "M1", "a", b"first")
    assert busy.wait(10)
    for number in range(5):
        publish(provider, "M1", "a", bytes([number]) * 4)
    assert eventually(lambda: sum("too slow, a message to a was dropped" in line for line in caplog.messages) == 2)
    go.set()
    assert [body[:1] for _, _, body in actors.wait(4)] == [b"f", b"\0", b"\1", b"\2"]
    publish(provider, "M1", "a", b"last")
    assert actors.wait(5)[-1] == ("M1", "a", b"last")


def test_binding_again_and_removing(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="a")
    bind(provider, "M1", SUBSCRIPTION="b")
    publish(provider, "MP", "a")
    publish(provider, "MP", "b")
    assert actors.wait(1) == [("M1", "b", b"")]
    remove(provider, "M1")
    publish(provider, "MP", "b")
    time.sleep(0.1)
    assert len(actors.got) == 1
    with pytest.raises(ProviderError, match="is not bound"):
        publish(provider, "M1", "b")


def test_a_host_that_shuts_down_has_what_waits_handed_over(provider: MessagingProvider, actors: Actors) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()
    actors.reactions["M1"] = lambda _: (entered.release(), leave.wait(20))
    bind(provider, "MP")
    bind(provider, "M1", SUBSCRIPTION="a")
    for number in range(50):
        publish(provider, "MP", "a", b"%d" % number)
    assert entered.acquire(timeout=20)
    draining = threading.Thread(target=provider.drain)
    draining.start()
    draining.join(0.2)
    assert draining.is_alive(), "the first message is still at work"
    leave.set()
    draining.join(20)
    assert [message.body for _, message in actors.got] == [b"%d" % number for number in range(50)]
    provider.drain()
    publish(provider, "MP", "a", b"an actor may still publish")


def test_an_actor_that_never_ends_does_not_hold_up_the_shutdown(
    provider: MessagingProvider, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.providers.messaging.provider.DRAIN_SECONDS", 0.1)
    entered, leave = threading.Event(), threading.Event()
    actors.reactions["M1"] = lambda _: (entered.set(), leave.wait(20))
    bind(provider, "M1", SUBSCRIPTION="a")
    publish(provider, "M1", "a")
    assert entered.wait(20)
    provider.drain()
    assert not actors.got
    leave.set()


def test_nothing_runs_behind_the_end(make: MakeProvider) -> None:
    before = threading.active_count()
    provider = make()
    for number in range(5):
        bind(provider, f"M{number}", SUBSCRIPTION=">")
    assert threading.active_count() >= before + 5
    provider.stop()
    assert eventually(lambda: threading.active_count() <= before)
    with pytest.raises(ProviderError, match="is stopped"):
        publish(provider, "M1", "a")


INJECTION = "a 0\r\n\r\nPUB stolen 0\r\n"
BAD = ["", ".", "a..b", ".a", "a.", "a b", "a\nb", "a\tb", "a\x1bb", "a\0b", "x" * 1025, "\U0001f600" * 300, INJECTION]


@pytest.mark.parametrize("subject", [*BAD, "a.*", ">", "a*", "a.b>"])
def test_what_is_no_subject(provider: MessagingProvider, subject: str) -> None:
    bind(provider, "MP")
    for call in (publish, request):
        with pytest.raises(ProviderError, match="is no subject") as caught:
            call(provider, "MP", subject)
        assert "\n" not in str(caught.value)
    if subject:
        with pytest.raises(ProviderError, match="is no subject"):
            publish(provider, "MP", "a", reply_to=subject)


def test_the_longest_subject(provider: MessagingProvider, actors: Actors) -> None:
    bind(provider, "M1", SUBSCRIPTION="*")
    for subject in ("x" * 1024, "\U0001f600" * 256, "§$%&'\"%s{0}"):
        publish(provider, "M1", subject, reply_to=subject)
        with pytest.raises(ProviderError, match="no reply from"):
            request(provider, "M1", subject, timeout=1)
    assert len(actors.wait(6)) == 6


@pytest.mark.parametrize("pattern", [*BAD[1:], ">.a", ">.>", "a*", "a.>b", "a,b c"])
def test_what_is_no_pattern_is_refused_when_binding(provider: MessagingProvider, pattern: str) -> None:
    with pytest.raises(ProviderError, match="is no subject to subscribe to"):
        bind(provider, "M1", SUBSCRIPTION=pattern)
    with pytest.raises(ProviderError, match="M1 is not bound"):
        publish(provider, "M1", "a")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"QUEUEGROUP_NAME": "a 1\r\nSUB > 2"}, r"^'a 1\\r\\nSUB > 2' cannot name a queue group$"),
        ({"MAX_PENDING": "0"}, "^MAX_PENDING must be an integer from 1 to 1000000, not '0'$"),
        ({"MAX_PENDING_BYTES": "many"}, "^MAX_PENDING_BYTES must be an integer from 1 to 4294967296, not 'many'$"),
    ],
)
def test_values_that_are_refused_leave_the_binding_as_it_was(
    provider: MessagingProvider, actors: Actors, values: dict[str, str], text: str
) -> None:
    bind(provider, "M1", SUBSCRIPTION="a")
    with pytest.raises(ProviderError, match=text):
        bind(provider, "M1", SUBSCRIPTION="b", **values)
    publish(provider, "M1", "b")
    publish(provider, "M1", "a")
    assert actors.wait(1) == [("M1", "a", b"")]


TOKENS = st.sampled_from(["a", "b", "ab"])


@given(st.lists(TOKENS | st.just("*"), min_size=1, max_size=4), st.booleans(), st.lists(TOKENS, min_size=1, max_size=5))
def test_patterns_match_as_expressions_do(wanted: list[str], rest: bool, tokens: list[str]) -> None:
    pattern, subject = ".".join([*wanted, *([">"] if rest else [])]), ".".join(tokens)
    assert (checked_pattern(pattern), checked_subject(subject)) == (pattern, subject)
    expression = r"\.".join([r"[^.]+" if token == "*" else token for token in wanted]) + (r"\..+" if rest else "")
    assert matches(pattern, subject) == (re.fullmatch(expression, subject) is not None)
