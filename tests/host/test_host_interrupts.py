"""Interrupts: KeyboardInterrupt at any place of a call leaves the host able to go on."""

import random
import signal
import time
from collections.abc import Callable
from types import FrameType

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, add_all, call_script

from host import Actor, Host, InvocationFailure
from host.chains import current_chain

MakeHost = Callable[..., Host]
ROUNDS = 1500


@pytest.fixture
def called(make_host: MakeHost, identities: Identities) -> tuple[Host, Actor, bytes]:
    """A host, an actor and the payload of a call that goes on to a provider and to another actor."""
    host = make_host()
    other = identities.actor()
    actor = identities.actor(TEST_CAPABILITY, other.public_key)
    host.add_actor(other)
    add_all(host, [actor], ScriptedProvider(Answer=lambda *_: b"answer"))
    payload = call_script(("default", TEST_CAPABILITY, "Answer", b""), ("default", other.public_key, "echo", b"echo"))
    return host, actor, payload


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_place_of_a_call(called: tuple[Host, Actor, bytes]) -> None:
    host, actor, payload = called
    interrupted, places = 0, random.Random(20)  # noqa: S311

    def interrupt(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_name in {"__del__", "remove"}:
                # Python itself passes over whatever is raised in there.
                return
            if frame.f_code is Host.call_actor.__code__:
                raise KeyboardInterrupt
            frame = frame.f_back

    def call() -> bytes:
        return host.call_actor(actor.public_key, "host", payload)

    expected = call()
    begin = time.perf_counter()
    for _ in range(20):
        call()
    seconds = (time.perf_counter() - begin) / 20
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(ROUNDS):
            try:
                signal.setitimer(signal.ITIMER_REAL, places.uniform(1e-6, seconds))
                call()
            except (KeyboardInterrupt, InvocationFailure):
                # After an interrupt at the end of `with lock`, Python leaves the lock a second time, which is an error.
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            chain = current_chain()
            assert (chain.held, chain.hops, chain.waiting_for) == ([], [], None)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > ROUNDS / 4
    assert call() == expected
    assert [state.waiting for state in host.actor_states()] == [0, 0]
