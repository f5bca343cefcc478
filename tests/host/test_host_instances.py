"""Instances of an actor: as many as it may have, supervised, within limits of its own."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import (
    TEST_CAPABILITY,
    Identities,
    ScriptedProvider,
    add_all,
    eventually,
    in_thread,
    script,
    still_well,
)

from host import ActorBusy, ActorSettings, Host, InvocationFailure, MiscHostError
from host.instances import FIRST_DELAY

MakeHost = Callable[..., Host]
MEET = script((TEST_CAPABILITY, "Meet", b""))


class Meeting(ScriptedProvider):
    """Lets calls go on when so many of them are there at the same time."""

    def __init__(self, parties: int) -> None:
        super().__init__(Meet=lambda provider, actor, payload: self.meet())
        self.barrier = threading.Barrier(parties, timeout=20)

    def meet(self) -> bytes:
        self.barrier.wait()
        return b"met"


def add_with(host: Host, identities: Identities, provider: ScriptedProvider | None, **settings: object) -> str:
    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor, ActorSettings(**settings))
    if provider is not None:
        host.add_capability(provider)
        host.set_binding(actor.public_key, TEST_CAPABILITY)
    return actor.public_key


def test_instances_handle_calls_at_the_same_time(host_on_engine: Host, identities: Identities) -> None:
    actor = add_with(host_on_engine, identities, Meeting(4), instances=4)
    assert len(host_on_engine.actor_states()[0].instances) == 1, "further ones are made when calls need them"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: host_on_engine.call_actor(actor, "host", MEET), range(12))) == [b"met"] * 12
    (state,) = host_on_engine.actor_states()
    assert sorted(instance.number for instance in state.instances) == [1, 2, 3, 4]
    assert sum(instance.calls for instance in state.instances) == state.calls == 12
    assert not any(instance.busy for instance in state.instances)
    pages = [divmod(instance.memory_bytes or 0, 65536) for instance in state.instances]
    assert all(whole >= 1 and rest == 0 for whole, rest in pages)
    assert (state.failures, state.waiting, state.supervision.replaced) == (0, 0, 0)


def test_an_actor_with_a_free_instance_may_call_itself(host: Host, identities: Identities) -> None:
    actor = add_with(host, identities, None, instances=2)
    assert host.call_actor(actor, "host", script((actor, "echo", b"me"))) == b"me"
    twice = script((actor, "host", script((actor, "echo", b"me"))))
    with pytest.raises(InvocationFailure, match="waiting for this very call"):
        host.call_actor(actor, "host", twice)


def test_a_full_queue_is_busy(host: Host, identities: Identities) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def hold(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        entered.release()
        leave.wait(20)
        return b"held"

    settings = {"instances": 2, "max_waiting": 1, "wait_seconds": 0.2}
    actor = add_with(host, identities, ScriptedProvider(Hold=hold), **settings)
    held = [in_thread(lambda: host.call_actor(actor, "host", script((TEST_CAPABILITY, "Hold", b"")))) for _ in range(2)]
    assert entered.acquire(timeout=20)
    assert entered.acquire(timeout=20)
    waiting, waited = in_thread(lambda: host.call_actor(actor, "echo", b""))
    assert eventually(lambda: host.actor_states()[0].waiting == 1)
    with pytest.raises(InvocationFailure, match="is busy and 1 calls wait for it already") as full:
        host.call_actor(actor, "echo", b"")
    assert isinstance(full.value.__cause__, ActorBusy)
    waiting.join(20)
    assert isinstance(waited[0].__cause__, ActorBusy)
    assert "was busy for 0.2 seconds, the call was given up; it does host of actor M" in str(waited[0])
    assert "-> Hold of default,test:provider, for " in str(waited[0])
    leave.set()
    for thread, outcome in held:
        thread.join(20)
        assert outcome == [b"held"]
    assert still_well(host, [next(iter(host.actor_states())).actor])


@pytest.mark.parametrize("operation", ["trap", "spin"])
def test_an_instance_that_was_ended_is_replaced(
    host_on_engine: Host, identities: Identities, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    actor = add_with(host_on_engine, identities, None, limits={"deadline_seconds": 0.3})
    assert host_on_engine.call_actor(actor, "count", b"") == b"\1"
    with pytest.raises(InvocationFailure):
        host_on_engine.call_actor(actor, operation, b"")
    assert host_on_engine.call_actor(actor, "count", b"") == b"\1", "a new instance counts anew"
    (state,) = host_on_engine.actor_states()
    assert [(instance.number, instance.calls) for instance in state.instances] == [(2, 1)]
    assert (state.calls, state.failures, state.supervision.replaced) == (3, 1, 1)
    assert state.supervision.last_failure
    assert state.supervision.last_failure_at == pytest.approx(time.time(), abs=30)
    assert any(message.startswith(f"Instance 1 of actor {actor} is replaced: ") for message in caplog.messages)


def test_an_error_that_the_guest_answers_with_replaces_nothing(host: Host, identities: Identities) -> None:
    actor = add_with(host, identities, None)
    with pytest.raises(InvocationFailure, match="too bad"):
        host.call_actor(actor, "fail", b"too bad")
    (state,) = host.actor_states()
    assert [instance.number for instance in state.instances] == [1]
    assert (state.failures, state.supervision.replaced) == (1, 0)


def test_new_instances_that_keep_failing_are_made_later_and_later(host: Host, identities: Identities) -> None:
    actor = add_with(host, identities, None)
    begin = time.monotonic()
    for _ in range(5):
        with pytest.raises(InvocationFailure):
            host.call_actor(actor, "trap", b"")
    assert time.monotonic() - begin >= FIRST_DELAY * (1 + 2 + 4)
    supervision = host.actor_states()[0].supervision
    assert supervision.failures_in_a_row == 5
    assert 0 < supervision.backing_off_seconds <= FIRST_DELAY * 8
    assert host.call_actor(actor, "echo", b"well") == b"well"
    supervision = host.actor_states()[0].supervision
    assert (supervision.failures_in_a_row, supervision.backing_off_seconds) == (0, 0)


def test_a_back_off_that_takes_longer_than_a_call_may_wait_is_refused(host: Host, identities: Identities) -> None:
    actor = add_with(host, identities, None, wait_seconds=0.03)
    for _ in range(4):
        with pytest.raises(InvocationFailure):
            host.call_actor(actor, "trap", b"")
    with pytest.raises(InvocationFailure, match="new instances fail again and again") as refused:
        host.call_actor(actor, "echo", b"")
    assert isinstance(refused.value.__cause__, ActorBusy)
    assert eventually(lambda: host.actor_states()[0].supervision.backing_off_seconds == 0)
    assert host.call_actor(actor, "echo", b"well") == b"well"


def test_an_update_ends_a_back_off(host: Host, identities: Identities) -> None:
    key = identities.key()
    host.add_actor(identities.actor(key=key))
    for _ in range(8):
        with pytest.raises(InvocationFailure):
            host.call_actor(key.public_key, "trap", b"")
    waiting, outcome = in_thread(lambda: host.call_actor(key.public_key, "version", b""))
    host.replace_actor(identities.actor(key=key, version="2"))
    waiting.join(20)
    assert outcome == [b"2"]
    assert host.actor_states()[0].supervision.failures_in_a_row == 0


def test_traps_hurt_no_other_call(host: Host, identities: Identities) -> None:
    """Of many callers some are trapped; all the others are answered."""
    actor = add_with(host, identities, None, instances=4)

    def call(number: int) -> bytes:
        if number % 10 == 0:
            with pytest.raises(InvocationFailure, match="unreachable"):
                host.call_actor(actor, "trap", b"")
            return b""
        return host.call_actor(actor, "echo", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(200)))
    assert answers == [b"" if number % 10 == 0 else b"%d" % number for number in range(200)]
    (state,) = host.actor_states()
    assert state.supervision.replaced == state.failures == 20


def test_limits_of_its_own(make_host: MakeHost, identities: Identities) -> None:
    host = make_host("compiled")
    strict = add_with(host, identities, None, limits={"fuel": 500})
    free = add_with(host, identities, None, limits={"deadline_seconds": 0.2})
    with pytest.raises(InvocationFailure, match="fuel exhausted"):
        host.call_actor(strict, "spin", b"")
    with pytest.raises(InvocationFailure, match=r"execution deadline exceeded: spin has 0\.2 s$"):
        host.call_actor(free, "spin", b"")


def test_a_deadline_names_the_hop_that_took_the_time(host_on_engine: Host, identities: Identities) -> None:
    def slow(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        time.sleep(0.3)
        return b""

    provider = ScriptedProvider(Slow=slow, Fast=lambda provider, actor, payload: b"")
    actor = add_with(host_on_engine, identities, provider, limits={"deadline_seconds": 0.2})
    calls = script(
        (TEST_CAPABILITY, "Fast", b""), (TEST_CAPABILITY, "Slow", b""), *[(TEST_CAPABILITY, "Fast", b"")] * 9
    )
    with pytest.raises(
        InvocationFailure, match=r"host has 0\.2 s, and 0\.\d+ s of them went to Slow of default,test:pr"
    ):
        host_on_engine.call_actor(actor, "host", calls)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"instances": 0}, "instances must be a whole number from 1 to 256, not 0"),
        ({"instances": 1.5}, "instances must be a whole number"),
        ({"instances": True}, "instances must be"),
        ({"max_waiting": -1}, "max_waiting must be a whole number from 0 to 1000000, not -1"),
        ({"wait_seconds": 0}, "wait_seconds must be a number from 0.001"),
        ({"wait_seconds": float("nan")}, "wait_seconds must be a number"),
        ({"limits": {"fule": 1}}, "there is no limit 'fule'; there are fuel, deadline_seconds"),
        ({"limits": {"fuel": 0.5}}, "fuel must be a whole number from 1 to 9223372036854775807, not 0.5"),
        ({"limits": {"deadline_seconds": "1"}}, "deadline_seconds must be a number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(MiscHostError, match=text):
        ActorSettings(**settings)


def test_removal_ends_all_instances(host: Host, identities: Identities) -> None:
    actor = add_with(host, identities, Meeting(3), instances=3)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: host.call_actor(actor, "host", MEET), range(3))) == {b"met"}
    running = host._actors.get(actor)
    assert len(running._instances.states) == 3
    host.remove_actor(actor)
    assert running._instances.states == ()
    assert host.actor_states() == ()


@pytest.mark.usefixtures("eager_switching")
def test_updates_under_load_with_traps(host: Host, identities: Identities) -> None:
    """Callers, trappers and updates at the same time: each call gets its own answer, and no instance is left over."""
    key = identities.key()
    host.add_actor(identities.actor(key=key), ActorSettings(instances=3))
    done = threading.Event()

    def call(number: int) -> int:
        count = 0
        while not done.is_set():
            count += 1
            text = b"%d/%d" % (number, count)
            assert host.call_actor(key.public_key, "echo", text) == text
        return count

    def trap() -> None:
        while not done.wait(0.01):
            with pytest.raises(InvocationFailure):
                host.call_actor(key.public_key, "trap", b"")

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(call, number) for number in range(3)]
        trapping = pool.submit(trap)
        for version in range(10):
            host.replace_actor(identities.actor(key=key, version=str(version)))
            time.sleep(0.02)
        done.set()
        assert all(result.result(20) > 0 for result in results)
        assert trapping.result(20) is None
    assert len(host.actor_states()[0].instances) <= 3


def test_states_while_calls_run(host: Host, identities: Identities) -> None:
    """Looking at the state meets calls at any moment and never fails."""
    actor = identities.actor()
    add_all(host, [actor])
    done = threading.Event()
    looking, outcome = in_thread(lambda: [host.actor_states() for _ in iter(done.is_set, True)] and None)
    for number in range(500):
        assert host.call_actor(actor.public_key, "echo", b"%d" % number) == b"%d" % number
    done.set()
    looking.join(20)
    assert outcome == [None]
