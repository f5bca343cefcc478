"""waPC guests as programs for every subject: what they ask their host for is recorded once and replayed to all."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.actor import HANDLE_REQUEST, HEALTH, Counters, counter_wasm
from benchmarks.errors import WrongOutputError
from benchmarks.subjects.program import GuestCall, HostCall, Program, answer_text
from interp.engine import Engine
from wapc import WapcHost
from wapc.guest import STARTER_TYPE, STARTERS
from wapc.protocol import HostCall as Callback

CALLS = 20
"""How many calls are recorded."""


PATIENCE = 0.5
"""Seconds of first calls that are looked at."""


@dataclass(slots=True)
class Recorder:
    """Answers host calls as another callback does, and keeps them."""

    callback: Callback
    calls: list[HostCall] = field(default_factory=list)

    def __call__(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        """Carry out one host call. Raises what the callback raises."""
        try:
            answer = bytes(self.callback(binding, namespace, operation, payload))
        except Exception as error:  # whatever a callback raises is the guest's host error
            text = str(error) or type(error).__name__
            self.calls.append(HostCall(binding, namespace, operation, payload, None, text))
            raise
        self.calls.append(HostCall(binding, namespace, operation, payload, answer))
        return answer


def record(
    name: str, wasm: bytes, request: tuple[str, bytes], callback: Callback, engine: Engine, calls: int = CALLS
) -> Program:
    """A guest that is called `calls` times with the same request (operation, payload), its host calls answered by
    `callback`. Raises WapcError, WasmError."""
    module = engine.compile(wasm)
    exported = {export.name: export.type for export in module.exports}
    recorder = Recorder(callback)
    with WapcHost(engine, wasm, recorder) as guest:
        answers = tuple(answer_text(guest.call(*request)) for _ in range(calls))
    operation, payload = request
    recorded = GuestCall(
        operation.encode(),
        payload,
        tuple((wanted.module, wanted.name) for wanted in module.imports),
        tuple(starter for starter in STARTERS if exported.get(starter) == STARTER_TYPE),
        tuple(recorder.calls),
    )
    return Program(name, wasm, guest=recorded, answers=answers, patience=PATIENCE)


def counter_programs(engine: Engine) -> tuple[Program, ...]:
    """The counter actor with a request that makes it call its host, and with one that does not.

    Raises BenchmarkError where the actor is not, or counts wrong.
    """
    wasm, counters = counter_wasm(), Counters()
    handling = record(f"counter: {HANDLE_REQUEST[0]}", wasm, HANDLE_REQUEST, counters, engine)
    if counters.added != CALLS:
        raise WrongOutputError(f"the counter actor counted {counters.added} instead of {CALLS} requests")
    return handling, record(f"counter: {HEALTH[0]}", wasm, HEALTH, counters, engine)
