"""The end of a host: calls under way finish, new ones are refused, everything is released, nobody waits for itself."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, eventually, in_thread

from host import Actor, Host, HostBuilder, HostError, HostShutDown, Manifest

MakeHost = Callable[..., Host]
HOLD = call_script(("default", TEST_CAPABILITY, "Hold", b""))


class Holding(ScriptedProvider):
    """A provider whose operation `Hold` waits until it is let go."""

    def __init__(self) -> None:
        super().__init__(Hold=Holding.hold)
        self.entered, self.leave = threading.Event(), threading.Event()

    def hold(self, actor: str, payload: bytes) -> bytes:
        self.entered.set()
        self.leave.wait(20)
        return b"held"


def bound(host: Host, actor: Actor, provider: ScriptedProvider) -> None:
    host.add_actor(actor)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)


def test_everything_is_released(make_host: MakeHost, identities: Identities) -> None:
    host = make_host()
    actor, provider = identities.actor(TEST_CAPABILITY), ScriptedProvider()
    bound(host, actor, provider)
    host.shutdown()
    host.shutdown()
    assert [name for name, _ in provider.events] == ["BindActor", "RemoveActor", "stop"]
    assert not host.actors()
    assert not host.bindings()
    assert not host.capabilities()


def test_a_host_that_is_down_refuses_everything(make_host: MakeHost, identities: Identities) -> None:
    host = make_host()
    actor, other, provider = identities.actor(TEST_CAPABILITY), identities.actor(), ScriptedProvider()
    bound(host, actor, provider)
    host.shutdown()
    attempts: list[Callable[[], object]] = [
        lambda: host.call_actor(actor.public_key, "echo", b""),
        lambda: host.add_actor(other),
        lambda: host.remove_actor(actor.public_key),
        lambda: host.replace_actor(actor),
        lambda: host.add_capability(ScriptedProvider()),
        lambda: host.remove_capability(TEST_CAPABILITY),
        lambda: host.set_binding(actor.public_key, TEST_CAPABILITY),
        lambda: host.remove_binding(actor.public_key, TEST_CAPABILITY),
        lambda: host.apply_manifest(Manifest(actors=[], capabilities=[], bindings=[])),
        lambda: provider.dispatcher.dispatch(actor.public_key, "echo", b""),
    ]
    for attempt in attempts:
        with pytest.raises(HostShutDown, match="The host is shutting down"):
            attempt()
    assert host.id.startswith("N")


def test_providers_finish_what_they_have_taken_while_calls_still_go_through(
    make_host: MakeHost, identities: Identities
) -> None:
    """What a provider has taken from outside may need several calls; it has them all before the host refuses any."""
    host = make_host()
    actor = identities.actor(TEST_CAPABILITY)
    answers = []

    class Outside(ScriptedProvider):
        def drain(self) -> None:
            answers.extend(self.dispatcher.dispatch(actor.public_key, "echo", b"%d" % number) for number in range(3))

    class Stuck(ScriptedProvider):
        def drain(self) -> None:
            answers.append(b"stuck")
            threading.Event().wait(60)

    class Failing(ScriptedProvider):
        def drain(self) -> None:
            raise RuntimeError("no")

    provider, failing = Outside(), Failing("test:failing")
    host.add_capability(failing)
    bound(host, actor, provider)
    host.shutdown()
    assert answers == [b"0", b"1", b"2"]
    assert [each.events[-1] for each in (provider, failing)] == [("stop", "")] * 2
    host = make_host(configure=lambda builder: builder.with_shutdown_timeout(0.1))
    host.add_capability(Stuck())
    host.shutdown()
    assert answers[3:] == [b"stuck"]
    assert not host.capabilities()


def test_a_shutdown_says_what_it_does_not_wait_for(
    make_host: MakeHost, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    host = make_host(configure=lambda builder: builder.with_shutdown_timeout(0.05))
    actor, provider = identities.actor(TEST_CAPABILITY), Holding()
    bound(host, actor, provider)
    calling, answer = in_thread(lambda: host.call_actor(actor.public_key, "host", HOLD))
    assert provider.entered.wait(20)
    host.shutdown()
    wanted = f"host of actor {actor.public_key} -> Hold of default,test:provider, for "
    assert any("without waiting any longer for " in text and wanted in text for text in caplog.messages)
    provider.leave.set()
    calling.join(20)
    assert answer == [b"held"]


def test_a_context_manager_shuts_down(identities: Identities) -> None:
    with HostBuilder().build() as host:
        host.add_actor(identities.actor())
    with pytest.raises(HostShutDown):
        host.add_actor(identities.actor())


def test_calls_under_way_finish_and_may_call_on(make_host: MakeHost, identities: Identities) -> None:
    """The held call calls another actor after the shutdown has begun: it is part of what is under way."""
    host, provider = make_host(), Holding()
    other = identities.actor()
    actor = identities.actor(TEST_CAPABILITY, other.public_key)
    host.add_actor(other)
    bound(host, actor, provider)
    script = HOLD + call_script(("", other.public_key, "echo", b"and on"))
    calling, answer = in_thread(lambda: host.call_actor(actor.public_key, "host", script))
    assert provider.entered.wait(20)
    closing, closed = in_thread(host.shutdown)
    assert eventually(lambda: host._core.gate.closed)
    with pytest.raises(HostShutDown):
        host.call_actor(actor.public_key, "echo", b"")
    closing.join(0.05)
    assert closing.is_alive()
    provider.leave.set()
    for thread in (calling, closing):
        thread.join(20)
        assert not thread.is_alive()
    assert answer == [b"and on"]
    assert closed == [None]
    assert provider.events[-1] == ("stop", "")


def test_a_call_that_does_not_end_is_not_waited_for_for_ever(make_host: MakeHost, identities: Identities) -> None:
    host = make_host(configure=lambda builder: builder.with_shutdown_timeout(0.05))
    provider, actor = Holding(), identities.actor(TEST_CAPABILITY)
    bound(host, actor, provider)
    calling, answer = in_thread(lambda: host.call_actor(actor.public_key, "host", HOLD))
    assert provider.entered.wait(20)
    running = host._actors.get(actor.public_key)
    host.shutdown()
    assert not host.actors()
    assert running._instances.states, "its call still runs"
    provider.leave.set()
    calling.join(20)
    assert answer == [b"held"]
    assert not running._instances.states, "the last call has closed it"


def test_a_shutdown_from_within_a_call_does_not_wait_for_itself(make_host: MakeHost, identities: Identities) -> None:
    def shut_down(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        host.shutdown()
        host.shutdown()
        return b"down"

    host = make_host()
    actor, provider = identities.actor(TEST_CAPABILITY), ScriptedProvider(ShutDown=shut_down)
    bound(host, actor, provider)
    script = call_script(("default", TEST_CAPABILITY, "ShutDown", b""))
    assert host.call_actor(actor.public_key, "host", script) == b"down"
    assert not host.actors()
    assert provider.events[-1] == ("stop", "")


def test_a_provider_that_shuts_down_while_it_is_stopped(make_host: MakeHost) -> None:
    class ShuttingDown(ScriptedProvider):
        def stop(self) -> None:
            host.shutdown()
            super().stop()

    host, provider = make_host(), ShuttingDown()
    host.add_capability(provider)
    host.shutdown()
    assert provider.events == [("stop", "")]


def test_many_threads_shut_down(make_host: MakeHost, identities: Identities) -> None:
    host, provider = make_host(), ScriptedProvider()
    bound(host, identities.actor(TEST_CAPABILITY), provider)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: host.shutdown(), range(8)))
    assert [name for name, _ in provider.events].count("stop") == 1
    assert not host.capabilities()


def test_a_failing_provider_does_not_keep_the_others_from_stopping(make_host: MakeHost, identities: Identities) -> None:
    class Failing(ScriptedProvider):
        def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
            if operation == "RemoveActor":
                raise RuntimeError("no")
            return super().handle_call(actor, operation, payload)

        def stop(self) -> None:
            raise RuntimeError("never")

    host, failing, last = make_host(), Failing(), ScriptedProvider("test:last")
    bound(host, identities.actor(TEST_CAPABILITY), failing)
    host.add_capability(last)
    host.shutdown()
    assert last.events == [("stop", "")]
    assert not host.capabilities()


def test_no_thread_is_left(make_host: MakeHost, identities: Identities) -> None:
    before = set(threading.enumerate())
    host, provider = make_host("reference"), ScriptedProvider()
    actor = identities.actor(TEST_CAPABILITY)
    bound(host, actor, provider)
    host.call_actor(actor.public_key, "echo", b"")
    host.shutdown()
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("eager_switching")
def test_a_shutdown_while_callers_keep_coming(make_host: MakeHost, identities: Identities) -> None:
    """Each call either has its answer or is refused because the host is down; nothing hangs, nothing is lost."""
    host = make_host()
    actor = identities.actor()
    host.add_actor(actor)
    started = threading.Semaphore(0)

    def work(_: int) -> tuple[int, str]:
        count = 0
        while True:
            try:
                assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
            except HostError as error:
                return count, type(error).__name__
            count += 1
            started.release()

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(work, number) for number in range(4)]
        for _ in range(20):
            assert started.acquire(timeout=20)
        host.shutdown()
        for result in results:
            _, ended_with = result.result(20)
            assert ended_with == "HostShutDown"


@pytest.mark.usefixtures("eager_switching")
def test_actors_that_are_added_during_a_shutdown_do_not_survive_it(make_host: MakeHost, identities: Identities) -> None:
    actors = [identities.actor() for _ in range(40)]
    host = make_host()
    begun = threading.Event()

    def add() -> None:
        for actor in actors:
            host.add_actor(actor)
            begun.set()

    adding, outcome = in_thread(add)
    assert begun.wait(20)
    host.shutdown()
    adding.join(20)
    assert outcome == [None] or isinstance(outcome[0], HostShutDown)
    assert not host.actors()


def test_a_shutdown_that_was_interrupted_can_be_gone_on_with(make_host: MakeHost, identities: Identities) -> None:
    host, ending = make_host(), threading.Event()

    class Draining(ScriptedProvider):
        def drain(self) -> None:
            ending.wait(20)

    provider = Draining()
    bound(host, identities.actor(TEST_CAPABILITY), provider)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            host.shutdown()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    ending.set()
    host.shutdown()
    assert [name for name, _ in provider.events] == ["BindActor", "RemoveActor", "stop"]
    assert not host.actors()
    with pytest.raises(HostShutDown):
        host.add_capability(ScriptedProvider())
