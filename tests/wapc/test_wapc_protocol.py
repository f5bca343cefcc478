"""The protocol's state object, without any engine: memory is a bytearray."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.errors import Trap, TrapKind
from wapc import CallState, GuestAborted, GuestCallFailure, MessageLimits, PayloadTooLarge, WapcError
from wapc.console import Console
from wapc.protocol import HOST_FUNCTIONS

HostCallback = Callable[[str, str, str, bytes], bytes]


class Memory:
    """A guest memory that traps outside of its bytes and remembers the largest read."""

    def __init__(self, size: int = 65536) -> None:
        self.bytes = bytearray(size)
        self.largest_read = 0

    def _check(self, address: int, n: int) -> None:
        if address < 0 or address + n > len(self.bytes):
            raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)

    def read(self, address: int, n: int) -> bytes:
        self._check(address, n)
        self.largest_read = max(self.largest_read, n)
        return bytes(self.bytes[address : address + n])

    def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        self.bytes[address : address + len(data)] = data


def make_state(
    host_call: HostCallback | None = None, limits: MessageLimits | None = None
) -> tuple[CallState, Memory, list[str]]:
    logs: list[str] = []
    memory = Memory()
    console = Console(1, lambda _id, text: logs.append(text), 1000)
    state = CallState(host_call, console, limits or MessageLimits())
    state.attach(memory.read, memory.write)
    return state, memory, logs


def test_the_nine_host_functions() -> None:
    shown = {name: str(functype) for name, (functype, _function) in HOST_FUNCTIONS.items()}
    i32 = "i32 i32 i32 i32 i32 i32 i32 i32"
    assert shown == {
        "__guest_request": "[i32 i32] -> []",
        "__guest_response": "[i32 i32] -> []",
        "__guest_error": "[i32 i32] -> []",
        "__host_call": f"[{i32}] -> [i32]",
        "__host_response_len": "[] -> [i32]",
        "__host_response": "[i32] -> []",
        "__host_error_len": "[] -> [i32]",
        "__host_error": "[i32] -> []",
        "__console_log": "[i32 i32] -> []",
    }


def test_lengths_are_of_the_utf8_operation_and_the_payload() -> None:
    state, _memory, _logs = make_state()
    assert state.begin("żółw".encode(), b"123") == (7, 3)


def test_pointers_are_unsigned_whatever_their_sign() -> None:
    state, _memory, _logs = make_state()
    state.begin(b"", b"")
    for pointer in (-1, 0xFFFF_FFFF):
        with pytest.raises(Trap, match="out of bounds memory access"):
            state.guest_response(pointer, 1)
        state.guest_response(pointer, 0)
    assert state.result(1) == b""


def test_a_huge_length_is_never_read() -> None:
    state, memory, _logs = make_state()
    state.begin(b"", b"")
    for length in (-1, 2**31, 65537):
        with pytest.raises(Trap):
            state.guest_response(0, length)
        with pytest.raises(Trap):
            state.guest_error(0, length)
        with pytest.raises(Trap):
            state.console_log(0, length)
    assert memory.largest_read <= 1


def test_long_error_and_log_texts_are_cut_before_they_are_copied() -> None:
    state, memory, logs = make_state(limits=MessageLimits(max_error_bytes=10, max_log_bytes=7))
    memory.bytes[:] = b"x" * len(memory.bytes)
    state.begin(b"", b"")
    state.console_log(0, 65536)
    state.guest_error(0, 65536)
    assert logs == ["x" * 7]
    with pytest.raises(GuestCallFailure, match=r"^Guest call failure: x{10}$"):
        state.result(0)
    assert memory.largest_read <= 11


def test_without_a_request_nothing_is_copied() -> None:
    state, memory, _logs = make_state()
    state.guest_request(0, 0)
    state.begin(b"op", b"payload")
    state.end()
    state.guest_request(0, 0)
    assert not any(memory.bytes)


def test_a_new_call_forgets_the_one_before() -> None:
    state, memory, _logs = make_state(lambda *_: b"response")
    state.begin(b"", b"")
    memory.write(0, b"text")
    state.guest_response(0, 4)
    state.guest_error(0, 4)
    assert state.host_call(0, 0, 0, 0, 0, 0, 0, 0) == 1
    state.begin(b"", b"")
    assert state.host_response_len() == 0
    with pytest.raises(GuestCallFailure, match="No error message OR response set for call success"):
        state.result(1)


def test_the_callbacks_exception_is_kept_for_diagnosis() -> None:
    def refuse(*_: object) -> bytes:
        raise KeyError("no such key")

    state, _memory, _logs = make_state(refuse)
    state.begin(b"", b"")
    assert state.host_call(0, 0, 0, 0, 0, 0, 0, 0) == 0
    with pytest.raises(GuestCallFailure) as caught:
        state.result(0)
    assert isinstance(caught.value.host_exception, KeyError)
    assert caught.value.__cause__ is caught.value.host_exception


def test_a_host_call_that_went_well_clears_the_exception() -> None:
    answers = iter([ValueError("first"), b"second"])

    def host_call(*_: object) -> bytes:
        answer = next(answers)
        if isinstance(answer, bytes):
            return answer
        raise answer

    state, _memory, _logs = make_state(host_call)
    state.begin(b"", b"")
    assert [state.host_call(0, 0, 0, 0, 0, 0, 0, 0) for _ in range(2)] == [0, 1]
    with pytest.raises(GuestCallFailure) as caught:
        state.result(0)
    assert caught.value.host_exception is None


def test_what_is_no_exception_passes_through_a_host_call() -> None:
    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    state, _memory, _logs = make_state(interrupt)
    state.begin(b"", b"")
    with pytest.raises(KeyboardInterrupt):
        state.host_call(0, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("response", [bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a_b_c_")[::2]])
def test_a_callback_may_return_any_bytes(response: bytes) -> None:
    state, memory, _logs = make_state(lambda *_: response)
    state.begin(b"", b"")
    assert state.host_call(0, 0, 0, 0, 0, 0, 0, 0) == 1
    state.host_response(8)
    assert memory.read(8, state.host_response_len()) == bytes(response)


def test_before_its_memory_is_known_a_host_function_fails() -> None:
    state = CallState(lambda *_: b"", Console(1, lambda _id, _text: None, 1000), MessageLimits())
    for call in (
        lambda: state.console_log(0, 0),
        lambda: state.guest_response(0, 0),
        lambda: state.host_response(0),
        lambda: state.host_call(0, 0, 0, 0, 0, 0, 0, 0),
    ):
        with pytest.raises(WapcError, match="start function"):
            call()


def test_assemblyscript_abort() -> None:
    state, memory, _logs = make_state()
    text = "żółw \N{TURTLE}".encode("utf-16-le")
    memory.write(96, len(text).to_bytes(4, "little") + text)
    with pytest.raises(GuestAborted, match=r"^żółw 🐢;  \(4294967295,2\)$"):
        state.abort(100, 0, -1, 2)
    memory.write(96, b"\xff\xff\xff\xff")
    with pytest.raises(Trap):
        state.abort(100, 0, 0, 0)


def test_assemblyscript_abort_with_half_a_surrogate_pair() -> None:
    state, memory, _logs = make_state()
    memory.write(96, b"\x02\x00\x00\x00\x00\xd8")
    with pytest.raises(GuestAborted) as caught:
        state.abort(100, 0, 0, 0)
    caught.value.text.encode()


@given(
    returned=st.integers(-(2**31), 2**31 - 1),
    response=st.none() | st.binary(max_size=50),
    error=st.none() | st.binary(max_size=50),
)
def test_result_rules(returned: int, response: bytes | None, error: bytes | None) -> None:
    state, memory, _logs = make_state()
    state.begin(b"op", b"")
    if response is not None:
        memory.write(0, response)
        state.guest_response(0, len(response))
    if error is not None:
        memory.write(100, error)
        state.guest_error(100, len(error))
    if returned and response is not None:
        assert state.result(returned) == response
        return
    with pytest.raises(GuestCallFailure) as caught:
        state.result(returned)
    if error is not None:
        assert caught.value.text == error.decode("utf-8", "replace")
    else:
        expected = (
            "No error message OR response set for call success" if returned else "No error message set for call failure"
        )
        assert caught.value.text == expected


@given(
    names=st.tuples(st.text(), st.text(), st.text()),
    payload=st.binary(),
    response=st.binary(),
)
def test_a_host_call_carries_everything(names: tuple[str, str, str], payload: bytes, response: bytes) -> None:
    calls = []

    def host_call(*arguments: object) -> bytes:
        calls.append(arguments)
        return response

    state, memory, _logs = make_state(host_call)
    arguments, address = [], 16
    for data in (*(name.encode() for name in names), payload):
        memory.write(address, data)
        arguments += [address, len(data)]
        address += len(data)
    state.begin(b"", b"")
    assert state.host_call(*arguments) == 1
    assert calls == [(*names, payload)]
    state.host_response(32768)
    assert memory.read(32768, state.host_response_len()) == response


@given(error=st.text(min_size=1))
def test_a_host_error_reaches_the_guest_as_text(error: str) -> None:
    def refuse(*_: object) -> bytes:
        raise ValueError(error)

    state, memory, _logs = make_state(refuse, MessageLimits(max_error_bytes=20))
    state.begin(b"", b"")
    assert state.host_call(0, 0, 0, 0, 0, 0, 0, 0) == 0
    assert state.host_error_len() <= 20
    state.host_error(0)
    text = memory.read(0, state.host_error_len()).decode()
    assert error.startswith(text)
    assert len(error.encode()) > 16 or text == error


def test_payload_too_large_tells_the_numbers() -> None:
    state, _memory, _logs = make_state(limits=MessageLimits(max_payload_bytes=3))
    with pytest.raises(PayloadTooLarge) as caught:
        state.begin(b"", b"1234")
    assert (caught.value.what, caught.value.size, caught.value.limit) == ("request payload", 4, 3)
