"""The cases of the conformance kit, by the part of the protocol that they show.

Source: docs/wapc.md
"""

from __future__ import annotations

from typing import NoReturn

from interp.engine import Limits
from wapc.conformance_kit import BUFFER, MEMORY_END, OPERATION, PAYLOAD, Case, Script, Step, numbers
from wapc.errors import (
    FAILED_WITHOUT_ERROR,
    NO_CALLBACK,
    SUCCEEDED_WITHOUT_RESPONSE,
    GuestCallFailure,
    PayloadTooLarge,
)
from wapc.protocol import MessageLimits

DANGLING = 0xFFFF_FFFF
HUGE = 0xFFFF_FFFF
OUT_OF_BOUNDS = "out of bounds memory access"
SMALL = MessageLimits(max_payload_bytes=100_000, max_name_bytes=8, max_error_bytes=8, max_log_bytes=8)


class _OwnError(Exception):
    """An exception without a text."""


def _pong(_binding: str, _namespace: str, _operation: str, payload: bytes) -> bytes:
    return b"pong " + payload


def _refuse(_binding: str, _namespace: str, _operation: str, _payload: bytes) -> NoReturn:
    raise ValueError("no such thing: żółw")


def _refuse_without_text(_binding: str, _namespace: str, _operation: str, _payload: bytes) -> NoReturn:
    raise _OwnError


def _refuse_strangely(_binding: str, _namespace: str, _operation: str, _payload: bytes) -> NoReturn:
    raise ValueError("a\udc80b")


def _answer_with_text(_binding: str, _namespace: str, _operation: str, _payload: bytes) -> bytes:
    return "text"  # type: ignore[return-value]


def _answer_as_told(_binding: str, _namespace: str, operation: str, _payload: bytes) -> bytes:
    if operation == "fail":
        raise ValueError("failed")
    return b"x" * 5


def _answer_too_much(_binding: str, _namespace: str, _operation: str, _payload: bytes) -> bytes:
    return bytes(100_001)


def _host_call() -> Script:
    return Script().host_call(b"b", b"n", b"o", b"p")


CALLED = (("b", "n", "o", b"p"),)


def _read_error(script: Script, length: int) -> bytes:
    """The script's end that answers with the host's error text."""
    return script.step(Step.HOST_ERROR, BUFFER).step(Step.RESPONSE, BUFFER, length).returns(1)


def _host_error_case(name: str, script: Script, text: str, **more: object) -> Case:
    """A host call that must fail with `text`."""
    error = text.encode()
    return Case(name, _read_error(script, len(error)), error, **more)  # type: ignore[arg-type]


def _failing(name: str, payload: bytes, text: str, **more: object) -> Case:
    """A call that must fail with `text`."""
    return Case(name, payload, None, GuestCallFailure, text, **more)  # type: ignore[arg-type]


def _trapping(name: str, script: Script, **more: object) -> Case:
    """A call that must trap on an address outside the memory."""
    return _failing(name, script.returns(1), OUT_OF_BOUNDS, text_starts=True, **more)


RESULTS = (
    Case("response and 1", Script().respond(b"ok").returns(1), b"ok"),
    Case("response and another non-zero result", Script().respond(b"ok").returns(2), b"ok"),
    Case("response and a negative result", Script().respond(b"ok").returns(-1), b"ok"),
    Case("empty response", Script().step(Step.RESPONSE, DANGLING, 0).returns(1), b""),
    Case("response counts where there is an error too", Script().respond(b"ok").error(b"no").returns(1), b"ok"),
    Case("last response wins", Script().respond(b"first").respond(b"last").returns(1), b"last"),
    _failing("last error wins", Script().error(b"first").error(b"last").returns(0), "last"),
    _failing("error and 0", Script().error(b"no").returns(0), "no"),
    _failing("error counts where there is a response too", Script().respond(b"ok").error(b"no").returns(0), "no"),
    _failing("empty error text", Script().step(Step.ERROR, DANGLING, 0).returns(0), ""),
    _failing("error and 1 without response", Script().error(b"no").returns(1), "no"),
    _failing("nothing and 1", Script().returns(1), SUCCEEDED_WITHOUT_RESPONSE),
    _failing("nothing and 0", Script().returns(0), FAILED_WITHOUT_ERROR),
    _failing("response and 0", Script().respond(b"ok").returns(0), FAILED_WITHOUT_ERROR),
    _failing(
        "error text that is not UTF-8",
        Script().error(b"a\xff\xc5b").returns(0),
        "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b",
    ),
)

REQUESTS = (
    Case(
        "operation in UTF-8",
        Script().step(Step.RESPONSE, OPERATION, 7).returns(1),
        "żółw".encode(),
        operation="żółw",
    ),
    Case(
        "request copied twice",
        Script().step(Step.REQUEST, BUFFER, PAYLOAD).step(Step.RESPONSE, BUFFER, 3).returns(1),
        b"run",
    ),
    Case(
        "response up to the end of memory",
        Script().step(Step.REQUEST, MEMORY_END - 3, PAYLOAD).step(Step.RESPONSE, MEMORY_END - 3, 3).returns(1),
        b"run",
    ),
    Case(
        "empty operation",
        Script().step(Step.REQUEST, DANGLING, PAYLOAD).respond(b"ok").returns(1),
        b"ok",
        operation="",
    ),
)

HOST_CALLS = (
    Case(
        "host call answered",
        _host_call().step(Step.HOST_RESPONSE, BUFFER).step(Step.RESPONSE, BUFFER, 6).returns(1),
        b"pong p",
        host=_pong,
        host_calls=CALLED,
    ),
    Case(
        "host call answered: result and lengths",
        _host_call().step(Step.RESPONSE_LEN).step(Step.ERROR_LEN).answers(),
        numbers(1, 6, 0),
        host=_pong,
        host_calls=CALLED,
    ),
    Case(
        "host call failed: result and lengths",
        _host_call().step(Step.RESPONSE_LEN).step(Step.ERROR_LEN).answers(),
        numbers(0, 0, len("no such thing: żółw".encode())),
        host=_refuse,
        host_calls=CALLED,
    ),
    Case(
        "accessors forget the host call before",
        Script()
        .host_call(b"", b"", b"good", b"")
        .step(Step.RESPONSE_LEN)
        .step(Step.ERROR_LEN)
        .host_call(b"", b"", b"fail", b"")
        .step(Step.RESPONSE_LEN)
        .step(Step.ERROR_LEN)
        .host_call(b"", b"", b"good", b"")
        .step(Step.RESPONSE_LEN)
        .step(Step.ERROR_LEN)
        .answers(),
        numbers(1, 5, 0, 0, 0, 6, 1, 5, 0),
        host=_answer_as_told,
        host_calls=(("", "", "good", b""), ("", "", "fail", b""), ("", "", "good", b"")),
    ),
    Case(
        "accessors before any host call",
        Script()
        .step(Step.HOST_RESPONSE, DANGLING)
        .step(Step.HOST_ERROR, DANGLING)
        .step(Step.RESPONSE_LEN)
        .step(Step.ERROR_LEN)
        .answers(),
        numbers(0, 0),
    ),
    Case(
        "host call with nothing but dangling pointers",
        Script().step(Step.HOST_CALL, DANGLING, 0, 1, 0, DANGLING, 0, 1, 0).answers(),
        numbers(1),
        host=_pong,
        host_calls=(("", "", "", b""),),
    ),
    _host_error_case("host call failed: text", _host_call(), "no such thing: żółw", host=_refuse, host_calls=CALLED),
    _host_error_case(
        "host exception without text", _host_call(), "_OwnError", host=_refuse_without_text, host_calls=CALLED
    ),
    _host_error_case(
        "host exception that is not Unicode", _host_call(), r"a\udc80b", host=_refuse_strangely, host_calls=CALLED
    ),
    _host_error_case("no callback", _host_call(), NO_CALLBACK),
    _host_error_case(
        "callback returns no bytes",
        _host_call(),
        "the host's callback returned str instead of bytes",
        host=_answer_with_text,
        host_calls=CALLED,
    ),
    _host_error_case(
        "binding that is not UTF-8",
        Script().host_call(b"\xff", b"n", b"o", b""),
        "binding is not valid UTF-8",
        host=_pong,
    ),
    _host_error_case(
        "namespace that is not UTF-8",
        Script().host_call(b"b", b"\xc0\x80", b"o", b""),
        "namespace is not valid UTF-8",
        host=_pong,
    ),
    _host_error_case(
        "operation that is not UTF-8",
        Script().host_call(b"b", b"n", b"\xed\xa0\x80", b""),
        "operation is not valid UTF-8",
        host=_pong,
    ),
    _failing(
        "guest fails because the host call did",
        _host_call().error(b"host").returns(0),
        "host",
        host=_refuse,
        host_calls=CALLED,
    ),
)

LOGS = (
    Case("log", Script().log("żółw".encode()).log(b"two").respond(b"").returns(1), b"", logs=("żółw", "two")),
    Case("empty log", Script().step(Step.LOG, DANGLING, 0).respond(b"").returns(1), b"", logs=("",)),
    Case(
        "log that is not UTF-8",
        Script().log(b"a\xffb").respond(b"").returns(1),
        b"",
        logs=("a\N{REPLACEMENT CHARACTER}b",),
    ),
    Case(
        "log is cut between characters",
        Script().log(b"1234567" + "ż".encode()).respond(b"").returns(1),
        b"",
        logs=("1234567",),
        message_limits=SMALL,
    ),
)

ADDRESSES = (
    _trapping("response over the end of memory", Script().step(Step.RESPONSE, MEMORY_END - 1, 2)),
    _trapping("response outside of memory", Script().step(Step.RESPONSE, DANGLING, 1)),
    _trapping("response of huge length", Script().step(Step.RESPONSE, 0, HUGE)),
    _trapping("response of huge length at a huge address", Script().step(Step.RESPONSE, DANGLING, HUGE)),
    _trapping("error outside of memory", Script().step(Step.ERROR, MEMORY_END, 1)),
    _trapping("error of huge length", Script().step(Step.ERROR, 0, HUGE)),
    _trapping("log outside of memory", Script().step(Step.LOG, DANGLING, 1)),
    _trapping("log of huge length", Script().step(Step.LOG, 0, HUGE)),
    _trapping("request to outside of memory", Script().step(Step.REQUEST, 0, MEMORY_END - 1)),
    _trapping("operation to outside of memory", Script().step(Step.REQUEST, MEMORY_END - 2, PAYLOAD)),
    _trapping("binding outside of memory", Script().step(Step.HOST_CALL, 0, HUGE, 1, 0, 1, 0, 1, 0), host=_pong),
    _trapping("namespace outside of memory", Script().step(Step.HOST_CALL, 1, 0, DANGLING, 1, 1, 0, 1, 0), host=_pong),
    _trapping(
        "host operation outside of memory", Script().step(Step.HOST_CALL, 1, 0, 1, 0, MEMORY_END, 1, 1, 0), host=_pong
    ),
    _trapping("host payload outside of memory", Script().step(Step.HOST_CALL, 1, 0, 1, 0, 1, 0, 9, HUGE), host=_pong),
    _trapping(
        "host response to outside of memory",
        _host_call().step(Step.HOST_RESPONSE, MEMORY_END - 5),
        host=_pong,
        host_calls=CALLED,
    ),
    _trapping(
        "host error to outside of memory", _host_call().step(Step.HOST_ERROR, DANGLING), host=_refuse, host_calls=CALLED
    ),
)

SIZES = (
    Case(
        "response too large",
        Script().step(Step.RESPONSE, 0, 100_001).returns(1),
        error=PayloadTooLarge,
        text="response of 100001 bytes is larger than the limit of 100000 bytes",
        message_limits=SMALL,
    ),
    Case(
        "request too large",
        bytes(100_001),
        error=PayloadTooLarge,
        text="request payload of 100001 bytes is larger than the limit of 100000 bytes",
        message_limits=SMALL,
        calls=1,
    ),
    Case(
        "operation too long",
        b"",
        error=PayloadTooLarge,
        text="operation of 9 bytes is larger than the limit of 8 bytes",
        operation="123456789",
        message_limits=SMALL,
        calls=1,
    ),
    Case(
        "host call payload too large",
        Script().step(Step.HOST_CALL, 1, 0, 1, 0, 1, 0, 0, 100_001).step(Step.ERROR_LEN).answers(),
        numbers(0, 8),
        host=_pong,
        message_limits=SMALL,
    ),
    Case(
        "host call name too long",
        Script().host_call(b"123456789", b"", b"", b"").step(Step.ERROR_LEN).answers(),
        numbers(0, 8),
        host=_pong,
        message_limits=SMALL,
    ),
    Case(
        "host response too large",
        _host_call().step(Step.RESPONSE_LEN).step(Step.ERROR_LEN).answers(),
        numbers(0, 0, 8),
        host=_answer_too_much,
        host_calls=CALLED,
        message_limits=SMALL,
    ),
    _failing("error text is cut", Script().error("1234567ż".encode()).returns(0), "1234567", message_limits=SMALL),
)

LIMITS = (
    _failing("trap", Script().step(Step.TRAP).returns(1), "unreachable", text_starts=True),
    _failing("trap after an error text", Script().error(b"because").step(Step.TRAP).returns(1), "because"),
    _failing(
        "trap after a response", Script().respond(b"ok").step(Step.TRAP).returns(1), "unreachable", text_starts=True
    ),
    _failing(
        "infinite loop",
        Script().error(b"not this text").step(Step.LOOP).returns(1),
        "guest code interrupted, execution deadline exceeded",
        limits=Limits(deadline_seconds=0.3),
        calls=1,
    ),
    _failing(
        "fuel",
        Script().step(Step.LOOP).returns(1),
        "guest code interrupted, fuel exhausted",
        limits=Limits(fuel=20_000),
        calls=1,
    ),
    _failing(
        "infinite recursion",
        Script().step(Step.RECURSE).returns(1),
        "guest code interrupted, call stack exhausted",
        calls=1,
    ),
    Case("memory up to the limit", Script().step(Step.GROW, 12).answers(), numbers(4)),
    Case(
        "memory that has grown is the host's too",
        Script()
        .step(Step.GROW, 1)
        .step(Step.REQUEST, MEMORY_END + 65536 - 3, PAYLOAD)
        .step(Step.RESPONSE, MEMORY_END + 65536 - 3, 3)
        .returns(1),
        b"run",
    ),
    Case("memory beyond the limit", Script().step(Step.GROW, 13).step(Step.GROW, HUGE).answers(), numbers(-1, -1)),
)

CASES: tuple[Case, ...] = RESULTS + REQUESTS + HOST_CALLS + LOGS + ADDRESSES + SIZES + LIMITS
