"""Calls between actors and providers: one at a time, never a deadlock, whoever calls whom from whichever thread."""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, eventually, in_thread

from host import Actor, AuthorizationFailure, CallRefused, Host, HostError, InvocationFailure, ProviderError
from host.turns import RESERVED_FRAMES

MakeHost = Callable[..., Host]


def script(*calls: tuple[str, str, bytes]) -> bytes:
    return call_script(*(("default", *call) for call in calls))


def actors_that_know_each_other(identities: Identities, count: int, *capabilities: str) -> list[Actor]:
    keys = [identities.key() for _ in range(count)]
    names = [key.public_key for key in keys]
    return [identities.actor(*names, *capabilities, key=key) for key in keys]


def add_all(host: Host, actors: list[Actor], provider: ScriptedProvider | None = None) -> None:
    if provider is not None:
        host.add_capability(provider)
    for actor in actors:
        host.add_actor(actor)
        if provider is not None:
            host.set_binding(actor.public_key, TEST_CAPABILITY)


def nested(chain: list[Actor], operation: str, payload: bytes) -> tuple[str, bytes]:
    """The call to the first actor of a chain that ends with an operation of the last."""
    for actor in reversed(chain[1:]):
        operation, payload = "host", script((actor.public_key, operation, payload))
    return operation, payload


def still_well(host: Host, actors: list[Actor]) -> bool:
    return all(host.call_actor(actor.public_key, "echo", b"?") == b"?" for actor in actors)


def test_actor_to_provider_and_back(host_on_engine: Host, identities: Identities) -> None:
    """A provider may call other actors while it serves one."""

    def relay(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        return provider.dispatcher.dispatch(other.public_key, "echo", actor.encode() + payload)

    actor, other = identities.actor(TEST_CAPABILITY), identities.actor(TEST_CAPABILITY)
    add_all(host_on_engine, [actor, other], ScriptedProvider(Relay=relay))
    answer = host_on_engine.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Relay", b"!")))
    assert answer == actor.public_key.encode() + b"!"


def test_texts_of_failures_that_a_guest_sees(host_on_engine: Host, identities: Identities) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise ProviderError("the disk is full")

    actor = identities.actor(TEST_CAPABILITY, "wascc:unbound")
    add_all(host_on_engine, [actor], ScriptedProvider(Fail=fail))
    seen = "waSCC Host Error: Invocation failure: failed to invoke actor: Guest call failure: "
    cases = {
        (TEST_CAPABILITY, "Fail"): (
            "Invocation failure: failed to invoke capability: Error occurred during host call: the disk is full"
        ),
        (TEST_CAPABILITY, "Unknown"): (
            "Invocation failure: failed to invoke capability: Error occurred during host call: bad dispatch"
        ),
        ("wascc:messaging", "Publish"): (
            f"WebAssembly module authorization failure: Actor {actor.public_key} attempted to call Publish on "
            "wascc:messaging,default - PERMISSION DENIED."
        ),
        ("wascc:unbound", "Get"): (
            "waSCC Host Error: Attempted bus call for wasmbus.provider.wascc.unbound.default."
            f"{actor.public_key} with no subscribers"
        ),
    }
    for (namespace, operation), text in cases.items():
        with pytest.raises(InvocationFailure) as caught:
            host_on_engine.call_actor(actor.public_key, "host", script((namespace, operation, b"")))
        assert str(caught.value) == seen + text


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (ValueError("password hunter2"), "ValueError in provider default,test:provider: see the log of the host"),
        (OSError(28, "No space left on device"), "OSError in provider default,test:provider: No space left on device"),
        (RecursionError(), "RecursionError in provider default,test:provider: see the log of the host"),
        (ProviderError("as it says"), "as it says"),
    ],
    ids=repr,
)
def test_whatever_a_provider_raises_is_an_error_of_the_call(
    host: Host, identities: Identities, caplog: pytest.LogCaptureFixture, raised: Exception, shown: str
) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise raised

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Fail=fail))
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Fail", b"")))
    assert caught.value.message.endswith(f"failed to invoke capability: Error occurred during host call: {shown}")
    assert "hunter2" not in caplog.text
    assert still_well(host, [actor])


@pytest.mark.parametrize("answer", [None, "text", 5])
def test_a_provider_must_answer_with_bytes(host: Host, identities: Identities, answer: object) -> None:
    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Odd=lambda provider, actor, payload: answer))
    with pytest.raises(InvocationFailure, match="answered with"):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Odd", b"")))


def test_operations_of_the_host_are_not_for_others(host: Host, identities: Identities) -> None:
    """An actor can neither configure its provider, nor configure or replace another actor; a provider neither."""

    def dispatch(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        return provider.dispatcher.dispatch(other.public_key, payload.decode(), b"")

    actor, other = actors_that_know_each_other(identities, 2, TEST_CAPABILITY)
    provider = ScriptedProvider(Dispatch=dispatch)
    add_all(host, [actor, other], provider)
    provider.events.clear()
    for operation in ("BindActor", "RemoveActor", "GetCapabilityDescriptor"):
        with pytest.raises(InvocationFailure, match="bad dispatch"):
            host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, operation, b"x")))
    assert provider.events == []
    for operation in ("BindActor", "RemoveActor", "PerformLiveUpdate"):
        with pytest.raises(InvocationFailure, match=f"{operation} is an operation of the host alone"):
            host.call_actor(actor.public_key, "host", script((other.public_key, operation, b"x")))
        with pytest.raises(InvocationFailure, match=f"{operation} is an operation of the host alone"):
            host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Dispatch", operation.encode())))
    with pytest.raises(InvocationFailure, match="An actor is replaced through its host"):
        host.call_actor(actor.public_key, "PerformLiveUpdate", identities.sign(identities.key()))


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


def test_calls_that_nest_too_deep_for_the_stack_are_refused(host_on_engine: Host, identities: Identities) -> None:
    actors = actors_that_know_each_other(identities, 32)
    add_all(host_on_engine, actors)
    operation, payload = nested(actors, "echo", b"deep")
    for frames in range(RESERVED_FRAMES + 60, 400, 20):
        with pytest.raises(InvocationFailure) as caught, room_on_the_stack(frames):
            host_on_engine.call_actor(actors[0].public_key, operation, payload)
        assert "is refused: the calls nest too deep" in caught.value.message
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


def test_a_failure_along_the_way_keeps_its_cause(host: Host, identities: Identities) -> None:
    original = ProviderError("the root of it")

    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise original

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Fail=fail))
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Fail", b"")))
    causes = []
    error: BaseException | None = caught.value
    while error is not None:
        causes.append(error)
        error = error.__cause__
    assert original in causes


def test_an_interrupt_in_a_provider_passes_and_leaves_the_actor_well(host: Host, identities: Identities) -> None:
    def interrupt(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise KeyboardInterrupt

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Interrupt=interrupt))
    with pytest.raises(KeyboardInterrupt):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Interrupt", b"")))
    assert still_well(host, [actor])


def test_dispatch_only_to_bound_actors(host: Host, identities: Identities) -> None:
    provider = ScriptedProvider()
    bound, unbound = identities.actor(TEST_CAPABILITY), identities.actor(TEST_CAPABILITY)
    add_all(host, [bound], provider)
    host.add_actor(unbound)
    assert provider.dispatcher.dispatch(bound.public_key, "echo", b"x") == b"x"
    with pytest.raises(AuthorizationFailure, match="not bound to it"):
        provider.dispatcher.dispatch(unbound.public_key, "echo", b"x")
    host.remove_binding(bound.public_key, TEST_CAPABILITY)
    with pytest.raises(AuthorizationFailure, match="not bound to it"):
        provider.dispatcher.dispatch(bound.public_key, "echo", b"x")


def test_a_provider_may_call_the_actor_while_it_is_being_bound(host: Host, identities: Identities) -> None:
    seen: list[bytes] = []

    def bind(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        seen.append(provider.dispatcher.dispatch(key.public_key, "echo", b"hello"))
        return b""

    key = identities.key()
    add_all(host, [identities.actor(TEST_CAPABILITY, key=key)], ScriptedProvider(BindActor=bind))
    assert seen == [b"hello"]


@pytest.mark.parametrize("verified", [False, True])
def test_many_callers(make_host: MakeHost, identities: Identities, verified: bool) -> None:
    """Every answer goes to the one who asked, also where every invocation is signed and checked."""
    host = make_host(configure=lambda builder: builder.with_verified_invocations(verified))
    actors = [identities.actor(TEST_CAPABILITY) for _ in range(3)]
    add_all(host, actors, ScriptedProvider(Upper=lambda provider, actor, payload: payload.upper()))

    def call(number: int) -> bool:
        text = f"payload {number}".encode()
        actor = actors[number % 3].public_key
        return host.call_actor(actor, "host", script((TEST_CAPABILITY, "Upper", text))) == text.upper()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(120)))


def test_verified_invocations_refuse_a_forged_one(make_host: MakeHost, identities: Identities) -> None:
    """What comes over the bus without a token of the host's key does not reach the actor."""
    from host import ActorEntity, Invocation
    from host.subjects import actor_subject

    host = make_host(configure=lambda builder: builder.with_verified_invocations())
    actor = identities.actor()
    host.add_actor(actor)
    target = ActorEntity(actor.public_key)
    forged = Invocation.received(ActorEntity("system"), target, "echo", b"x", "some id", host.id, "no.token.here")
    response = host._core.bus.request(actor_subject(actor.public_key), forged)
    assert response.error.startswith("Antiforgery check failure: ")
    assert response.payload == b""


def test_the_subject_of_a_binding_is_for_its_actor_alone(host: Host, identities: Identities) -> None:
    from host import ActorEntity, CapabilityEntity
    from host.subjects import bound_subject, provider_subject

    actor = identities.actor(TEST_CAPABILITY)
    add_all(host, [actor], ScriptedProvider(Op=lambda provider, actor, payload: b"done"))
    target = CapabilityEntity(TEST_CAPABILITY, "default")
    subject = bound_subject(TEST_CAPABILITY, "default", actor.public_key)
    assert host._core.call(subject, ActorEntity(actor.public_key), target, "Op", b"") == b"done"
    with pytest.raises(InvocationFailure, match="not from the actor that this subject belongs to"):
        host._core.call(subject, ActorEntity(identities.key().public_key), target, "Op", b"")
    root = provider_subject(TEST_CAPABILITY, "default")
    with pytest.raises(InvocationFailure) as caught:
        host._core.call(root, ActorEntity("system"), target, "Op", b"")
    assert caught.value.answer.endswith("Attempted to invoke binding-required operation on unbound provider")
    with pytest.raises(InvocationFailure, match="BindActor is an operation of the host alone"):
        host._core.call(root, ActorEntity(actor.public_key), target, "BindActor", b"")
    assert host._core.call(root, ActorEntity("system"), target, "BindActor", b"") == b""


def test_call_refused_is_what_a_program_can_catch(host: Host, identities: Identities) -> None:
    """Behind the texts, the exception says what happened."""
    actors = actors_that_know_each_other(identities, 1)
    add_all(host, actors)
    operation, payload = nested([actors[0], actors[0]], "echo", b"")
    with pytest.raises(InvocationFailure) as caught:
        host.call_actor(actors[0].public_key, operation, payload)
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, CallRefused):
        error = error.__cause__
    assert isinstance(error, CallRefused)
