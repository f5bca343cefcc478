"""Chains of calls: one call at a time for each actor, and never a deadlock, whoever calls whom in which thread."""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from host_support import (
    TEST_CAPABILITY,
    Identities,
    ScriptedProvider,
    actors_that_know_each_other,
    add_all,
    eventually,
    in_thread,
    nested,
    script,
    still_well,
)

from host import Actor, Host, HostError, InvocationFailure, ProviderError
from host.turns import RESERVED_FRAMES
from interp.engine import ENGINES

MakeHost = Callable[..., Host]


def test_calls_along_a_chain_of_actors(host_on_engine: Host, identities: Identities) -> None:
    actors = actors_that_know_each_other(identities, 5)
    add_all(host_on_engine, actors)
    operation, payload = nested(actors, "echo", b"at the end")
    assert host_on_engine.call_actor(actors[0].public_key, operation, payload) == b"at the end"


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_actor_that_is_called_back_is_refused_at_once(
    host_on_engine: Host, identities: Identities, length: int
) -> None:
    """A calls itself; A calls B, B calls A; and so on."""
    actors = actors_that_know_each_other(identities, length)
    add_all(host_on_engine, actors)
    operation, payload = nested([*actors, actors[0]], "echo", b"")
    with pytest.raises(InvocationFailure) as caught:
        host_on_engine.call_actor(actors[0].public_key, operation, payload)
    path = " -> ".join(f"Actor {actor.public_key}" for actor in [*actors, actors[0]])
    assert f"Actor {actors[0].public_key} is waiting for this very call" in caught.value.message
    assert caught.value.message.endswith(path)
    assert still_well(host_on_engine, actors)


def test_a_provider_that_calls_its_caller_back_is_refused_at_once(host: Host, identities: Identities) -> None:
    def call_back(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        try:
            return provider.dispatcher.dispatch(actor, "echo", payload)
        except HostError as error:
            raise ProviderError(f"told: {error}") from error

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(CallBack=call_back))
    with pytest.raises(InvocationFailure, match=f"told: .*Actor {actor.public_key} is waiting for this very call"):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "CallBack", b"")))
    assert still_well(host, [actor])


def test_a_provider_that_calls_its_caller_back_from_another_thread_gives_up(
    make_host: MakeHost, identities: Identities
) -> None:
    def call_back(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        thread, outcome = in_thread(lambda: provider.dispatcher.dispatch(actor, "echo", payload))
        thread.join(20)
        return str(outcome[0]).encode()

    host = make_host(configure=lambda builder: builder.with_invocation_timeout(0.1))
    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(CallBack=call_back))
    answer = host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "CallBack", b"")))
    assert f"Actor {actor.public_key} was busy for 0.1 seconds, the call was given up" in answer.decode()
    assert still_well(host, [actor])


def test_two_actors_that_call_each_other_at_the_same_time(make_host: MakeHost, identities: Identities) -> None:
    """A -> B and B -> A in two threads, both under way before either calls: one is refused, the other succeeds."""
    meeting = threading.Barrier(2)

    def meet(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        meeting.wait(20)
        return b""

    host = make_host(configure=lambda builder: builder.with_invocation_timeout(60))
    actors = actors_that_know_each_other(identities, 2, TEST_CAPABILITY)
    add_all(host, actors, ScriptedProvider(Meet=meet))

    def call(first: Actor, second: Actor) -> object:
        payload = script((TEST_CAPABILITY, "Meet", b""), (second.public_key, "echo", b"met"))
        return host.call_actor(first.public_key, "host", payload)

    for _ in range(20):
        pairs = [in_thread(lambda: call(*actors)), in_thread(lambda: call(*reversed(actors)))]
        for thread, _ in pairs:
            thread.join(30)
            assert not thread.is_alive()
        results = [outcome[0] for _, outcome in pairs]
        refused = [result for result in results if isinstance(result, InvocationFailure)]
        assert results.count(b"met") == 1
        assert len(refused) == 1
        assert "deadlock" in refused[0].message
        assert any(actor.public_key in refused[0].message for actor in actors)
    assert still_well(host, actors)


@pytest.mark.usefixtures("eager_switching")
def test_a_ring_of_actors_in_many_threads_never_hangs(make_host: MakeHost, identities: Identities) -> None:
    host = make_host(configure=lambda builder: builder.with_invocation_timeout(60))
    actors = actors_that_know_each_other(identities, 4)
    add_all(host, actors)
    outcomes: list[str] = []

    def work(start: int) -> None:
        ring = [actors[(start + step) % len(actors)] for step in range(3)]
        operation, payload = nested(ring, "echo", b"round")
        for _ in range(25):
            try:
                outcomes.append(host.call_actor(ring[0].public_key, operation, payload).decode())
            except InvocationFailure as error:
                outcomes.append("deadlock" if "deadlock" in error.message else error.message)

    threads = [in_thread(lambda start=start: work(start)) for start in range(8)]
    for thread, outcome in threads:
        thread.join(60)
        assert outcome == [None]
    assert len(outcomes) == 8 * 25
    assert set(outcomes) <= {"round", "deadlock"}
    assert "round" in outcomes
    assert still_well(host, actors)


def test_one_call_at_a_time_in_the_order_of_asking(host: Host, identities: Identities) -> None:
    entered, leave, order = threading.Event(), threading.Event(), []

    def hold(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        order.append(payload)
        entered.set()
        leave.wait(20)
        return payload

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Hold=hold))
    turn = host._actors.get(actor.public_key)._turn

    def call(number: int) -> bytes:
        return host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Hold", bytes([number]))))

    threads = [in_thread(lambda: call(0))]
    assert entered.wait(20)
    for number in range(1, 6):
        threads.append(in_thread(lambda number=number: call(number)))
        assert eventually(lambda number=number: len(turn._queue) == number)
    assert order == [b"\0"]
    leave.set()
    for number, (thread, outcome) in enumerate(threads):
        thread.join(20)
        assert outcome == [bytes([number])]
    assert order == [bytes([number]) for number in range(6)]


def test_waiting_is_bounded_in_number_and_time(make_host: MakeHost, identities: Identities) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        entered.set()
        leave.wait(20)
        return b"held"

    host = make_host(configure=lambda builder: builder.with_invocation_timeout(0.3).with_max_waiting(1))
    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Hold=hold))
    holding, held = in_thread(lambda: host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Hold", b""))))
    assert entered.wait(20)
    waiting, waited = in_thread(lambda: host.call_actor(actor.public_key, "echo", b""))
    assert eventually(lambda: bool(host._actors.get(actor.public_key)._turn._queue))
    with pytest.raises(InvocationFailure, match="is busy and 1 calls wait for it already"):
        host.call_actor(actor.public_key, "echo", b"")
    waiting.join(20)
    assert "was busy for 0.3 seconds" in str(waited[0])
    leave.set()
    holding.join(20)
    assert held == [b"held"]
    assert still_well(host, [actor])


def test_chains_are_only_so_deep(make_host: MakeHost, identities: Identities) -> None:
    host = make_host(configure=lambda builder: builder.with_max_call_depth(4))
    actors = actors_that_know_each_other(identities, 5)
    add_all(host, actors)
    operation, payload = nested(actors[:4], "echo", b"four")
    assert host.call_actor(actors[0].public_key, operation, payload) == b"four"
    operation, payload = nested(actors, "echo", b"five")
    with pytest.raises(InvocationFailure, match=f"Actor {actors[4].public_key} is refused: 4 nested calls"):
        host.call_actor(actors[0].public_key, operation, payload)
    assert still_well(host, actors)


def test_the_deepest_allowed_chain_fits_the_interpreters_stack(host_on_engine: Host, identities: Identities) -> None:
    """With the default depth, on every engine: an answer, or an error, but no crash and nobody stuck."""
    actors = actors_that_know_each_other(identities, 33)
    add_all(host_on_engine, actors)
    operation, payload = nested(actors[:32], "echo", b"deep")
    assert host_on_engine.call_actor(actors[0].public_key, operation, payload) == b"deep"
    operation, payload = nested(actors, "echo", b"deeper")
    with pytest.raises(InvocationFailure, match="32 nested calls at most"):
        host_on_engine.call_actor(actors[0].public_key, operation, payload)
    assert still_well(host_on_engine, actors)


@contextmanager
def room_on_the_stack(frames: int) -> Iterator[None]:
    """Leave the interpreter about so many frames."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_calls_that_nest_too_deep_for_the_stack_are_refused(
    make_host: MakeHost, identities: Identities, engine: str
) -> None:
    host_on_engine = make_host(engine)
    actors = actors_that_know_each_other(identities, 32)
    add_all(host_on_engine, actors)
    operation, payload = nested(actors, "echo", b"deep")
    for frames in range(RESERVED_FRAMES + 60, 400, 20):
        refusal = None
        try:
            with room_on_the_stack(frames):
                host_on_engine.call_actor(actors[0].public_key, operation, payload)
        except InvocationFailure as failure:
            refusal = failure.message
        if refusal is None:
            assert engine == "compiled", "only this engine makes the room that it needs"
        else:
            assert "is refused: the calls nest too deep" in refusal
        assert still_well(host_on_engine, actors)


def test_a_used_up_stack_leaves_nobody_stuck(make_host: MakeHost, identities: Identities) -> None:
    """Wherever the interpreter gives up, turns are passed on and instances go on."""
    host = make_host("reference")
    actors = actors_that_know_each_other(identities, 3)
    add_all(host, actors)
    operation, payload = nested(actors, "echo", b"deep")
    for frames in range(20, 120, 3):
        with suppress(InvocationFailure, RecursionError), room_on_the_stack(frames):
            host.call_actor(actors[0].public_key, operation, payload)
        assert still_well(host, actors)
