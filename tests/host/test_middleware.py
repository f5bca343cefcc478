"""The chain of middleware: its order, one execution, what it may change, and that whatever fails refuses the call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, add_all, in_thread, script

from host import (
    Actor,
    ActorEntity,
    Host,
    HostBuilder,
    HostShutDown,
    Invocation,
    InvocationFailure,
    InvocationResponse,
    Middleware,
    MiddlewareError,
    Next,
)

Hook = Callable[[Invocation, Next], InvocationResponse | bytes]


class Hooked(Middleware):
    """Does with each call what a function does; the host's own operations pass."""

    def __init__(self, hook: Hook, capability_hook: Hook | None = None) -> None:
        self.hook = hook
        self.capability_hook = capability_hook
        self.events: list[str] = []

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse | bytes:
        return self.hook(invocation, call_next)

    def capability_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse | bytes:
        return self.capability_hook(invocation, call_next) if self.capability_hook else call_next(invocation)

    def start(self, host: Host) -> None:
        self.events.append("start")

    def close(self) -> None:
        self.events.append("close")


class Noting(Middleware):
    """Notes what passes, before and after."""

    def __init__(self, name: str, notes: list[tuple[str, str, str]]) -> None:
        self.name = name
        self.notes = notes

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        self.notes.append((self.name, "actor", invocation.operation))
        response = call_next(invocation)
        self.notes.append((self.name, "actor done", invocation.operation))
        return response

    def capability_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        self.notes.append((self.name, "capability", invocation.operation))
        response = call_next(invocation)
        self.notes.append((self.name, "capability done", invocation.operation))
        return response


@pytest.fixture
def executed() -> list[bytes]:
    """The payloads that reached the provider's operation `Count`."""
    return []


@pytest.fixture
def counted(host: Host, actor: Actor, executed: list[bytes]) -> Iterator[Callable[[bytes], bytes]]:
    """Has the actor call `Count` of a provider with a payload, which is answered by how often that was done."""

    def count(provider: ScriptedProvider, caller: str, payload: bytes) -> bytes:
        executed.append(payload)
        return str(len(executed)).encode()

    host.add_capability(ScriptedProvider(Count=count))
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    return lambda payload: host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Count", payload)))


def refused(host: Host, actor: Actor, text: str) -> InvocationFailure:
    with pytest.raises(InvocationFailure) as failure:
        host.call_actor(actor.public_key, "echo", b"payload")
    assert failure.value.answer == f"failed to invoke actor: Middleware error: {text}"
    assert isinstance(failure.value.__cause__, MiddlewareError)
    return failure.value


def test_first_added_is_outermost_on_every_kind_of_call(identities: Identities) -> None:
    notes: list[tuple[str, str, str]] = []
    builder = HostBuilder().with_middleware(Noting("outer", notes)).with_middleware(Noting("inner", notes))
    with builder.build() as host:
        actor = identities.actor(TEST_CAPABILITY)
        provider = ScriptedProvider(Hello=lambda provider, caller, payload: b"hello")
        add_all(host, [actor], provider)
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Hello", b"")))
        provider.dispatcher.dispatch(actor.public_key, "echo", b"")
    nested = [("outer", ""), ("inner", ""), ("inner", " done"), ("outer", " done")]

    def through(kind: str, operation: str) -> list[tuple[str, str, str]]:
        return [(name, kind + done, operation) for name, done in nested]

    call = through("actor", "host")
    assert notes == [
        *through("capability", "BindActor"),
        *call[:2],
        *through("capability", "Hello"),
        *call[2:],
        *through("actor", "echo"),
        *through("capability", "RemoveActor"),
    ]


def test_many_middlewares_run_the_operation_once(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    for _ in range(5):
        host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation)))
    assert counted(b"a").endswith(b"1")
    assert executed == [b"a"]


def test_a_middleware_added_later_counts_from_the_next_call_on_and_a_removed_one_no_more(
    host: Host, actor: Actor
) -> None:
    halting = Hooked(lambda invocation, call_next: b"halted")
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    host.add_middleware(halting)
    assert host.middleware() == (halting,)
    assert host.call_actor(actor.public_key, "echo", b"x") == b"halted"
    host.remove_middleware(halting)
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    assert halting.events == ["start", "close"]
    with pytest.raises(MiddlewareError, match="Hooked is not in this host"):
        host.remove_middleware(halting)


def test_halting_skips_the_rest_of_the_chain_and_the_operation(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    notes: list[tuple[str, str, str]] = []
    passing = Hooked(lambda invocation, call_next: call_next(invocation), lambda invocation, call_next: b"own")
    host.add_middleware(passing)
    host.add_middleware(Noting("inner", notes))
    assert counted(b"a").endswith(b"own")
    assert executed == []
    assert [kind for _, kind, _ in notes] == ["actor", "actor done"]


def test_halting_with_an_error(host: Host, actor: Actor) -> None:
    host.add_middleware(Hooked(lambda invocation, _: InvocationResponse(b"", "not today", invocation.id)))
    with pytest.raises(InvocationFailure) as failure:
        host.call_actor(actor.public_key, "echo", b"")
    assert failure.value.answer == "not today"


def test_the_payload_and_the_answer_may_be_changed(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    def change(invocation: Invocation, call_next: Next) -> bytes:
        return b"<" + call_next(invocation.with_payload(invocation.payload.upper())).payload + b">"

    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), change))
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), change))
    assert counted(b"a").endswith(b"<<1>>")
    assert executed == [b"A"]


@pytest.mark.parametrize("verified", [False, True])
def test_a_changed_payload_passes_the_antiforgery_check(identities: Identities, verified: bool) -> None:
    tokens: list[str] = []

    def change(invocation: Invocation, call_next: Next) -> InvocationResponse:
        changed = invocation.with_payload(b"changed")
        tokens.append(changed.encoded_claims)
        assert changed.encoded_claims != invocation.encoded_claims
        return call_next(changed)

    with HostBuilder().with_verified_invocations(verified).with_middleware(Hooked(change)).build() as host:
        actor = identities.actor()
        host.add_actor(actor)
        assert host.call_actor(actor.public_key, "echo", b"x") == b"changed"
    assert len(tokens) == 1


def other_identity(invocation: Invocation, field: str) -> Invocation:
    stranger = ActorEntity("M" + "A" * 55)
    values = {"origin": stranger, "target": stranger, "operation": "other", "id": "0", "host_id": "N"}
    return replace(invocation, **{field: values[field]})


@pytest.mark.parametrize("field", ["origin", "target", "operation", "id", "host_id"])
def test_another_identity_is_not_passed_on(host: Host, actor: Actor, field: str) -> None:
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(other_identity(invocation, field))))
    refused(
        host, actor, "Hooked passed a call on with another call than the one that came: only the payload may be changed"
    )


def test_only_a_payload_of_bytes_is_passed_on(host: Host, actor: Actor) -> None:
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation.with_payload("text"))))
    refused(host, actor, "Hooked passed a call on with a payload of str, not of bytes")


def test_a_second_execution_is_refused_even_if_the_middleware_does_not_mind(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    caught: list[MiddlewareError] = []

    def twice(invocation: Invocation, call_next: Next) -> InvocationResponse:
        response = call_next(invocation)
        try:
            return call_next(invocation)
        except MiddlewareError as error:
            caught.append(error)
            return response

    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), twice))
    assert counted(b"a").endswith(b"1")
    assert executed == [b"a"]
    assert [error.message for error in caught] == ["Hooked passed a call on a second time"]


def test_calling_twice_is_an_error_of_the_call(host: Host, actor: Actor) -> None:
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(call_next(invocation) and invocation)))
    refused(host, actor, "Hooked passed a call on a second time")


def test_a_call_cannot_be_passed_on_later_or_in_another_thread(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    kept: list[tuple[Invocation, Next]] = []
    elsewhere: list[object] = []

    def keep(invocation: Invocation, call_next: Next) -> bytes:
        kept.append((invocation, call_next))
        thread, outcome = in_thread(lambda: call_next(invocation))
        thread.join()
        elsewhere.extend(outcome)
        return b"halted"

    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), keep))
    assert counted(b"a").endswith(b"halted")
    invocation, call_next = kept[0]
    with pytest.raises(MiddlewareError, match="after its invocation had ended"):
        call_next(invocation)
    assert "from another thread" in str(elsewhere[0])
    assert executed == []


def fail(error: BaseException) -> Hook:
    def hook(invocation: Invocation, call_next: Next) -> bytes:
        raise error

    return hook


def test_a_failure_refuses_the_call_and_tells_nothing_of_its_text(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), fail(ValueError("password"))))
    with pytest.raises(InvocationFailure, match="Middleware error: Hooked failed with ValueError"):
        counted(b"a")
    assert executed == []
    assert "password" not in caplog.text
    assert "Middleware failure: Hooked failed with ValueError in capability_invoke at " in caplog.text


def test_a_middleware_error_is_passed_on_with_its_text(host: Host, actor: Actor) -> None:
    host.add_middleware(Hooked(fail(MiddlewareError("over the quota"))))
    refused(host, actor, "over the quota")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_programs_goes_through_and_nothing_runs(
    host: Host, actor: Actor, executed: list[bytes], counted: Callable[[bytes], bytes], kind: type[BaseException]
) -> None:
    failing = Hooked(fail(kind()))
    host.add_middleware(failing)
    with pytest.raises(kind):
        counted(b"a")
    assert executed == []
    host.remove_middleware(failing)
    assert counted(b"a").endswith(b"1")


def test_a_failure_after_the_operation_is_an_error_of_a_call_that_ran(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes]
) -> None:
    def fail_later(invocation: Invocation, call_next: Next) -> bytes:
        call_next(invocation)
        raise OSError("disk full")

    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), fail_later))
    with pytest.raises(InvocationFailure, match="Hooked failed with OSError"):
        counted(b"a")
    assert executed == [b"a"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "Hooked answered with NoneType, not with a response"),
        ("text", "Hooked answered with str, not with a response"),
        (InvocationResponse(b"", None, "another"), "Hooked answered with the response to another call"),
    ],
)
def test_only_answers_are_answers(host: Host, actor: Actor, answer: object, text: str) -> None:
    host.add_middleware(Hooked(lambda invocation, call_next: answer))
    refused(host, actor, text)


def test_outer_middleware_sees_the_errors_of_target_and_inner_middleware_as_responses(host: Host, actor: Actor) -> None:
    seen: list[tuple[str | None, str]] = []

    def look(invocation: Invocation, call_next: Next) -> InvocationResponse:
        response = call_next(invocation)
        seen.append((response.error, type(response.cause).__name__))
        return response

    host.add_middleware(Hooked(look))
    with pytest.raises(InvocationFailure):
        host.call_actor(actor.public_key, "unknown", b"")
    host.add_middleware(Hooked(fail(ValueError())))
    with pytest.raises(InvocationFailure):
        host.call_actor(actor.public_key, "echo", b"")
    assert seen[0][0].endswith("bad dispatch")
    assert seen[1] == ("failed to invoke actor: Middleware error: Hooked failed with ValueError", "MiddlewareError")


def test_a_refused_bindactor_leaves_no_binding(host: Host, actor: Actor) -> None:
    provider = ScriptedProvider()
    host.add_capability(provider)
    host.add_middleware(Hooked(lambda invocation, call_next: call_next(invocation), fail(MiddlewareError("closed"))))
    with pytest.raises(Exception, match=r"Failed to configure .*Middleware error: closed"):
        host.set_binding(actor.public_key, TEST_CAPABILITY)
    assert provider.events == []
    assert host.find_binding(actor.public_key, TEST_CAPABILITY) is None


def test_every_middleware_sees_every_call_of_many_threads_once(
    host: Host, counted: Callable[[bytes], bytes], executed: list[bytes], eager_switching: None
) -> None:
    lock = threading.Lock()
    seen: list[str] = []

    def note(invocation: Invocation, call_next: Next) -> InvocationResponse:
        with lock:
            seen.append(invocation.id)
        return call_next(invocation)

    host.add_middleware(Hooked(note, note))
    changing = Hooked(lambda invocation, call_next: call_next(invocation))
    threads = [in_thread(lambda: [counted(b"a") for _ in range(25)]) for _ in range(8)]
    for _ in range(20):
        host.add_middleware(changing)
        host.remove_middleware(changing)
    for thread, _ in threads:
        thread.join()
    assert all(isinstance(outcome[0], list) for _, outcome in threads)
    assert len(executed) == 200
    assert len(seen) == len(set(seen)) == 400


def test_what_cannot_start_is_not_added(host: Host, actor: Actor) -> None:
    class Unable(Middleware):
        def start(self, host: Host) -> None:
            raise OSError("the port is taken")

    with pytest.raises(MiddlewareError, match="Unable failed with OSError"):
        host.add_middleware(Unable())
    with pytest.raises(MiddlewareError, match="str is no middleware: it lacks actor_invoke"):
        host.add_middleware("middleware")
    passing = Hooked(lambda invocation, call_next: call_next(invocation))
    host.add_middleware(passing)
    with pytest.raises(MiddlewareError, match="added already"):
        host.add_middleware(passing)
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    assert host.middleware() == (passing,)
    with pytest.raises(MiddlewareError, match="Unable failed"):
        HostBuilder().with_middleware(Unable()).build()


@pytest.mark.parametrize("failure", [ValueError, SystemExit])
def test_the_end_of_the_host_closes_every_middleware_once_in_reverse_order(
    make_host: Callable[..., Host], caplog: pytest.LogCaptureFixture, failure: type[BaseException]
) -> None:
    closed: list[str] = []

    class Closing(Middleware):
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            raise failure("password")

    host = make_host()
    for name in ("outer", "inner"):
        host.add_middleware(Closing(name))
    host.shutdown()
    host.shutdown()
    assert closed == ["inner", "outer"]
    assert f"Middleware Closing does not close: {failure.__name__}" in caplog.text
    assert "password" not in caplog.text
    with pytest.raises(HostShutDown):
        host.add_middleware(Closing("late"))


def test_one_that_is_added_while_another_starts_comes_before_it(host: Host) -> None:
    first = Hooked(lambda invocation, call_next: call_next(invocation))

    class Adding(Middleware):
        def start(self, host: Host) -> None:
            host.add_middleware(first)
            with pytest.raises(MiddlewareError, match="added already"):
                host.add_middleware(self)

    second = Adding()
    host.add_middleware(second)
    assert host.middleware() == (first, second)


def test_one_that_is_still_starting_when_the_host_ends_is_closed(make_host: Callable[..., Host]) -> None:
    host = make_host(configure=lambda builder: builder.with_shutdown_timeout(0.05))
    starting, go_on = threading.Event(), threading.Event()

    class Slow(Hooked):
        def start(self, host: Host) -> None:
            starting.set()
            go_on.wait(20)
            super().start(host)

    slow = Slow(lambda invocation, call_next: call_next(invocation))
    thread, outcome = in_thread(lambda: host.add_middleware(slow))
    assert starting.wait(20)
    host.shutdown()
    go_on.set()
    thread.join()
    assert isinstance(outcome[0], HostShutDown)
    assert slow.events == ["start", "close"]
    assert host.middleware() == ()
