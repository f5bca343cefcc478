"""Any chain of middleware, against a model: what is executed, with which payload, and what the caller gets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from host import ActorEntity, Invocation, InvocationResponse, Middleware, MiddlewareError, Next
from host.middleware import MiddlewareChain
from wascap import KeyPair, KeyType

KEY = KeyPair.generate(KeyType.SERVER)
ACTOR = ActorEntity("M" + "A" * 55)
BEHAVIOURS = ("pass", "change", "halt", "fail", "refuse", "fail after", "twice", "twice, caught", "forge", "nothing")


class Behaving(Middleware):
    """One of the behaviours, under a name by which its marks are known."""

    def __init__(self, mark: bytes, behaviour: str) -> None:
        self.mark = mark
        self.behaviour = behaviour

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse | bytes:
        match self.behaviour:
            case "halt":
                return self.mark
            case "fail":
                raise ValueError("secret")
            case "refuse":
                raise MiddlewareError("refused")
            case "forge":
                return call_next(replace(invocation, operation="other"))
            case "nothing":
                return None  # type: ignore[return-value]
            case "change":
                response = call_next(invocation.with_payload(invocation.payload + self.mark))
                return replace(response, payload=response.payload + self.mark)
        response = call_next(invocation)
        if self.behaviour == "fail after":
            raise OSError("secret")
        if self.behaviour == "twice":
            call_next(invocation)
        if self.behaviour == "twice, caught":
            with suppress(MiddlewareError):
                call_next(invocation)
        return response


ERRORS = {
    "fail": "Behaving failed with ValueError",
    "refuse": "refused",
    "forge": "Behaving passed a call on with another call than the one that came: only the payload may be changed",
    "nothing": "Behaving answered with NoneType, not with a response",
    "fail after": "Behaving failed with OSError",
    "twice": "Behaving passed a call on a second time",
}
BEFORE = {"fail", "refuse", "forge", "nothing"}


def expected(chain: Sequence[tuple[bytes, str]], payload: bytes) -> tuple[list[bytes], bytes, str | None]:
    """What is executed, and the payload and error that the caller gets."""
    if not chain:
        return [payload], b"answer", None
    (mark, behaviour), inner = chain[0], chain[1:]
    if behaviour == "halt":
        return [], mark, None
    if behaviour in BEFORE:
        return [], b"", ERRORS[behaviour]
    executed, answer, error = expected(inner, payload + mark if behaviour == "change" else payload)
    if behaviour in ERRORS:
        return executed, b"", ERRORS[behaviour]
    return executed, answer + mark if behaviour == "change" else answer, error


@given(st.lists(st.sampled_from(BEHAVIOURS), max_size=7), st.binary(max_size=8))
def test_any_chain_does_what_the_model_says(behaviours: list[str], payload: bytes) -> None:
    marks = [(f"<{number}>".encode(), behaviour) for number, behaviour in enumerate(behaviours)]
    executed: list[bytes] = []
    chain = MiddlewareChain()

    def handle(invocation: Invocation) -> InvocationResponse:
        executed.append(invocation.payload)
        return InvocationResponse(b"answer", None, invocation.id)

    for mark, behaviour in marks:
        chain.add(Behaving(mark, behaviour), None)  # type: ignore[arg-type]
    invocation = Invocation.create(KEY, KEY.public_key, ACTOR, ACTOR, "operation", payload)
    response = chain.around("actor", handle)(invocation)
    runs, answer, error = expected(marks, payload)
    assert executed == runs
    assert len(executed) <= 1
    assert response.invocation_id == invocation.id
    assert response.payload == answer
    assert response.error == (error and f"failed to invoke actor: Middleware error: {error}")
