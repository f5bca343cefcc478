"""A guest that does anything at all, on every engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp.engine import Engine, Limits
from wapc import WapcError, WapcHost
from wapc.conformance_kit import Script, Step

U32 = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 0x10000, 0x3FFFF, 0x40000, 2**31, 2**32 - 1])
ARGUMENTS = {
    Step.REQUEST: 2,
    Step.RESPONSE: 2,
    Step.ERROR: 2,
    Step.HOST_CALL: 8,
    Step.RESPONSE_LEN: 0,
    Step.HOST_RESPONSE: 1,
    Step.ERROR_LEN: 0,
    Step.HOST_ERROR: 1,
    Step.LOG: 2,
    Step.TRAP: 0,
    Step.GROW: 1,
    Step.ANSWER: 0,
    Step.CALLS: 0,
}
STEPS = st.lists(
    st.sampled_from(sorted(ARGUMENTS)).flatmap(
        lambda step: st.tuples(st.just(step), st.lists(U32, min_size=ARGUMENTS[step], max_size=ARGUMENTS[step]))
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, returned=U32, answers=st.booleans())
def test_whatever_a_guest_does_is_a_response_or_a_wapc_error(
    steps: list[tuple[Step, list[int]]], returned: int, answers: bool, engine: Engine, guest: Callable[[str], bytes]
) -> None:
    script = Script()
    for step, arguments in steps:
        script.step(step, *arguments)

    def host_call(_binding: str, _namespace: str, operation: str, payload: bytes) -> bytes:
        if not answers:
            raise ValueError(operation)
        return payload

    limits = Limits(fuel=100_000, deadline_seconds=20, max_memory_pages=64)
    with WapcHost(engine, guest("puppet"), host_call, limits=limits, console_log=lambda *_: None) as host:
        with suppress(WapcError):
            assert isinstance(host.call("run", script.returns(returned)), bytes)
        assert host.call("run", Script().respond(b"alive").returns(1)) == b"alive"
