"""Conformance cases for waPC hosts and engines: one scripted guest, and what each script must come to.

The guest ("puppet", `tests/wapc/guests/puppet.wat`) does what the payload of its request says, so that a case can make
it say anything to its host, with any pointers. `run_case(case, engine, wasm)` runs one of `CASES` on any engine with
the compiled guest and raises ConformanceFailure where the outcome is another one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from interp.engine import Engine, Limits
from wapc.errors import WapcError
from wapc.host import WapcHost
from wapc.protocol import HostCall, MessageLimits

OPERATION = 0x1000
"""Where the puppet has the operation of its request."""
PAYLOAD = 0x10000
"""Where the puppet has its script, with the script's texts from TEXTS on."""
TEXTS = PAYLOAD + 0x8000
BUFFER = 0x30000
"""Memory of the puppet for a script's own use."""
MEMORY_END = 0x40000


class Step(IntEnum):
    """The instructions of a script; PUSH below means that a number goes to the list that ANSWER responds with."""

    RETURN = 0
    """(result) Return from `__guest_call`."""
    REQUEST = 1
    """(operation_ptr, ptr) `__guest_request`"""
    RESPONSE = 2
    """(ptr, length) `__guest_response`"""
    ERROR = 3
    """(ptr, length) `__guest_error`"""
    HOST_CALL = 4
    """(8 arguments) `__host_call`, PUSH its result."""
    RESPONSE_LEN = 5
    """PUSH `__host_response_len`."""
    HOST_RESPONSE = 6
    """(ptr) `__host_response`"""
    ERROR_LEN = 7
    """PUSH `__host_error_len`."""
    HOST_ERROR = 8
    """(ptr) `__host_error`"""
    LOG = 9
    """(ptr, length) `__console_log`"""
    TRAP = 10
    """unreachable"""
    LOOP = 11
    """An infinite loop."""
    RECURSE = 12
    """An infinite recursion."""
    GROW = 13
    """(pages) memory.grow, PUSH its result."""
    ANSWER = 14
    """Respond with the numbers pushed, as u32."""
    CALLS = 15
    """PUSH how many calls this instance has had."""


class Script:
    """A script for the puppet, built by chained calls; arguments are taken modulo 2**32."""

    def __init__(self) -> None:
        self._steps = bytearray()
        self._texts = bytearray()

    def step(self, step: Step, *arguments: int) -> Self:
        """Add one instruction."""
        self._steps += struct.pack(f"<B{len(arguments)}I", step, *(argument & 0xFFFF_FFFF for argument in arguments))
        return self

    def text(self, data: bytes) -> tuple[int, int]:
        """Put `data` into the script's memory; its address and length."""
        self._texts += data
        return TEXTS + len(self._texts) - len(data), len(data)

    def respond(self, data: bytes) -> Self:
        """Set the response."""
        return self.step(Step.RESPONSE, *self.text(data))

    def error(self, data: bytes) -> Self:
        """Set the error text."""
        return self.step(Step.ERROR, *self.text(data))

    def log(self, data: bytes) -> Self:
        """Log a text."""
        return self.step(Step.LOG, *self.text(data))

    def host_call(self, binding: bytes, namespace: bytes, operation: bytes, payload: bytes) -> Self:
        """Make a host call."""
        texts = [self.text(data) for data in (binding, namespace, operation, payload)]
        return self.step(Step.HOST_CALL, *(number for text in texts for number in text))

    def returns(self, result: int) -> bytes:
        """Return from the call: the payload that holds the whole script."""
        self.step(Step.RETURN, result)
        return bytes(self._steps).ljust(TEXTS - PAYLOAD, b"\0") + bytes(self._texts)

    def answers(self) -> bytes:
        """Respond with the numbers pushed, and return 1."""
        return self.step(Step.ANSWER).returns(1)


def numbers(*values: int) -> bytes:
    """What ANSWER responds with for these numbers pushed."""
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFF_FFFF for value in values))


CASE_LIMITS = Limits(deadline_seconds=30.0, max_memory_pages=16)
CASE_MESSAGE_LIMITS = MessageLimits()


@dataclass(frozen=True, slots=True)
class Case:
    """One call of the puppet and its outcome.

    `result` is the response, or None where the call must end in an error of class `error` whose text is `text` (or
    starts with it, if `text_starts`). `host_calls` is what the host's callback must have got, `logs` the texts logged.
    After the call the guest must serve again, and the instance that then serves must have had `calls` calls: 2 if it is
    the same one, 1 if it is a new one or the call never reached it.
    """

    name: str
    payload: bytes
    result: bytes | None = None
    error: type[WapcError] = WapcError
    text: str = ""
    text_starts: bool = False
    operation: str = "run"
    host: HostCall | None = None
    host_calls: tuple[tuple[str, str, str, bytes], ...] = ()
    logs: tuple[str, ...] = ()
    calls: int = 2
    limits: Limits = CASE_LIMITS
    message_limits: MessageLimits = CASE_MESSAGE_LIMITS


class ConformanceFailure(Exception):
    """A case came out otherwise: `case` is its name, `what` differs, `expected` and `found` are its two values."""

    def __init__(self, case: str, what: str, expected: object, found: object) -> None:
        super().__init__(f"{case}: {what} must be {expected!r}, but is {found!r}")
        self.case = case
        self.what = what
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class _Recorder:
    """The host's side of a case: passes host calls to its callback and remembers everything."""

    callback: HostCall | None
    calls: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    @property
    def host_call(self) -> HostCall | None:
        return None if self.callback is None else self._host_call

    def _host_call(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        self.calls.append((binding, namespace, operation, payload))
        return self.callback(binding, namespace, operation, payload) if self.callback else b""

    def console_log(self, _guest_id: int, text: str) -> None:
        self.logs.append(text)


def run_case(case: Case, engine: Engine | str, wasm: bytes) -> None:
    """Run one case on an engine, with the compiled puppet. Raises ConformanceFailure."""
    recorder = _Recorder(case.host)
    with WapcHost(
        engine,
        wasm,
        recorder.host_call,
        limits=case.limits,
        message_limits=case.message_limits,
        console_log=recorder.console_log,
    ) as host:
        _expect(case, "outcome", *_outcomes(case, lambda: host.call(case.operation, case.payload)))
        _expect(case, "host calls", list(case.host_calls), recorder.calls)
        _expect(case, "logs", list(case.logs), recorder.logs)
        calls = host.call("run", Script().step(Step.CALLS).answers())
        _expect(case, "calls of the instance", numbers(case.calls), calls)


def _expect(case: Case, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise ConformanceFailure(case.name, what, expected, found)


def _outcomes(case: Case, call: Callable[[], bytes]) -> tuple[object, object]:
    """The outcome that is expected and the one that is found, in a form that can be compared and shown."""
    try:
        found: object = call()
    except WapcError as error:
        text = error.text[: len(case.text)] if case.text_starts else error.text
        found = (type(error).__name__, text)
    return (case.result if case.result is not None else (case.error.__name__, case.text)), found
