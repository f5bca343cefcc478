"""The waPC protocol as a state object: no engine, no input or output.

`CallState` holds what one guest and its host have exchanged in the current call. Its methods named like the functions
of import module `wapc` are what these functions do; reading and writing the guest's memory is by two callables that
are attached. `HOST_FUNCTIONS` lists the functions with their types.

Pointers and lengths arrive as the i32 that the guest passed, signed or unsigned. A range that is not inside the memory
ends in the Trap of the memory; a length of zero touches no memory.

Source: docs/wapc.md, sections "Host functions" and "One call"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from interp.syntax.types import I32, FuncType
from wapc.console import Console, cut
from wapc.errors import (
    FAILED_WITHOUT_ERROR,
    NO_CALLBACK,
    SUCCEEDED_WITHOUT_RESPONSE,
    GuestAborted,
    GuestCallFailure,
    PayloadTooLarge,
    WapcError,
)

HostCall = Callable[[str, str, str, bytes], bytes]
"""The host's callback: binding, namespace, operation, payload -> response. An exception of it is the guest's host
error, with the exception's text."""

Read = Callable[[int, int], bytes]
Write = Callable[[int, bytes], None]

_U32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """How large messages may be, in bytes.

    `max_payload_bytes` holds for requests, responses, and both directions of host calls; `max_name_bytes` for
    operation, binding and namespace: what is larger is refused. Error texts and log texts are cut to `max_error_bytes`
    and `max_log_bytes`; one call logs no more than about `max_log_bytes_per_call`.
    """

    max_payload_bytes: int = 64 * 2**20
    max_name_bytes: int = 4096
    max_error_bytes: int = 65536
    max_log_bytes: int = 8192
    max_log_bytes_per_call: int = 2**20


class CallState:
    """What guest and host exchange, and the nine host functions over it.

    `host_call` is the host's callback or None, `console` where the guest's log texts go.
    """

    def __init__(self, host_call: HostCall | None, console: Console, limits: MessageLimits) -> None:
        self._host_call = host_call
        self._console = console
        self._limits = limits
        self._read: Read | None = None
        self._write: Write | None = None
        self._clear()

    def _clear(self) -> None:
        self._request: tuple[bytes, bytes] | None = None
        self._response: bytes | None = None
        self._error: str | None = None
        self._host_response = b""
        self._host_error = b""
        self.host_exception: Exception | None = None

    def attach(self, read: Read, write: Write) -> None:
        """Use this guest memory: `read(address, n)` and `write(address, data)`, which trap outside of it."""
        self._read, self._write = read, write

    def begin(self, operation: bytes, payload: bytes) -> tuple[int, int]:
        """Start a call and return the arguments of `__guest_call`: length of the operation, length of the payload.

        Raises PayloadTooLarge.
        """
        self._require("operation", len(operation), self._limits.max_name_bytes)
        self._require("request payload", len(payload), self._limits.max_payload_bytes)
        if self._request is not None:
            self._clear()
        self._request = (operation, payload)
        return len(operation), len(payload)

    def end(self) -> None:
        """The call is over: nothing of it is kept."""
        self._clear()

    def result(self, returned: int) -> bytes:
        """The outcome of a call whose `__guest_call` returned `returned`. Raises GuestCallFailure."""
        if returned and self._response is not None:
            return self._response
        raise self.failure(SUCCEEDED_WITHOUT_RESPONSE if returned else FAILED_WITHOUT_ERROR) from self.host_exception

    def failure(self, text: str) -> GuestCallFailure:
        """The failure of a call that ended: with the error text the guest set, or else with `text`, which is cut."""
        return GuestCallFailure(
            self._cut_text(text).decode() if self._error is None else self._error, self.host_exception
        )

    # The functions of import module `wapc`.

    def guest_request(self, operation_ptr: int, ptr: int) -> None:
        """Copy the operation and the payload of the request to the guest; without a request do nothing."""
        if self._request is not None:
            operation, payload = self._request
            self._put(ptr, payload)
            self._put(operation_ptr, operation)

    def guest_response(self, ptr: int, length: int) -> None:
        """Take the response of the call; the last one counts. Raises PayloadTooLarge."""
        self._response = self._take("response", ptr, length, self._limits.max_payload_bytes)

    def guest_error(self, ptr: int, length: int) -> None:
        """Take the error text of the call; it is cut, and invalid UTF-8 in it is replaced."""
        self._error = self._take_cut(ptr, length, self._limits.max_error_bytes).decode("utf-8", "replace")

    def host_call(
        self,
        binding_ptr: int,
        binding_length: int,
        namespace_ptr: int,
        namespace_length: int,
        operation_ptr: int,
        operation_length: int,
        ptr: int,
        length: int,
    ) -> int:
        """Run the host's callback: 1 if it answered, 0 if there is a host error instead."""
        self._host_response = self._host_error = b""
        self.host_exception = None
        self._probe(0, 0)
        try:
            binding = self._name("binding", binding_ptr, binding_length)
            namespace = self._name("namespace", namespace_ptr, namespace_length)
            operation = self._name("operation", operation_ptr, operation_length)
            payload = self._take("host call payload", ptr, length, self._limits.max_payload_bytes)
        except WapcError as error:
            return self._fail(error)
        try:
            response = self._call_back(binding, namespace, operation, payload)
        except Exception as error:  # whatever the callback raises is the guest's to know
            return self._fail(error)
        self._host_response = response
        return 1

    def host_response_len(self) -> int:
        """Length of the last host call's response, 0 if there is none."""
        return len(self._host_response)

    def host_response(self, ptr: int) -> None:
        """Copy the last host call's response to the guest."""
        self._put(ptr, self._host_response)

    def host_error_len(self) -> int:
        """Length of the last host call's error text, 0 if there is none."""
        return len(self._host_error)

    def host_error(self, ptr: int) -> None:
        """Copy the last host call's error text to the guest."""
        self._put(ptr, self._host_error)

    def console_log(self, ptr: int, length: int) -> None:
        """Log a text of the guest; it is cut, and invalid UTF-8 in it is replaced."""
        self._console.log(self._take_cut(ptr, length, self._limits.max_log_bytes))

    # The function of import module `env` that AssemblyScript modules want.

    def abort(self, message_ptr: int, file_ptr: int, line: int, column: int) -> None:
        """AssemblyScript's abort. Raises GuestAborted with the message, and where in its source it happened."""
        message, file = self._assemblyscript_string(message_ptr), self._assemblyscript_string(file_ptr)
        raise GuestAborted(f"{message or 'abort'}; {file} ({line & _U32},{column & _U32})")

    def _assemblyscript_string(self, ptr: int) -> str:
        """A string of AssemblyScript: UTF-16 at `ptr`, its length in bytes in the four bytes before; null is empty."""
        ptr &= _U32
        if ptr < 4:
            return ""
        length = int.from_bytes(self._take("string length", ptr - 4, 4, 4), "little")
        return self._take_cut(ptr, length, self._limits.max_error_bytes & ~1).decode("utf-16-le", "replace")

    def _call_back(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        if self._host_call is None:
            raise WapcError(NO_CALLBACK)
        response = self._host_call(binding, namespace, operation, payload)
        if not isinstance(response, (bytes, bytearray, memoryview)):
            raise WapcError(f"the host's callback returned {type(response).__name__} instead of bytes")
        self._require("host response", memoryview(response).nbytes, self._limits.max_payload_bytes)
        return bytes(response)

    def _fail(self, error: Exception) -> int:
        self._host_error = self._cut_text(str(error) or type(error).__name__)
        self.host_exception = error
        return 0

    def _cut_text(self, text: str) -> bytes:
        return cut(text.encode("utf-8", "backslashreplace"), self._limits.max_error_bytes)

    def _name(self, what: str, ptr: int, length: int) -> str:
        try:
            return self._take(what, ptr, length, self._limits.max_name_bytes).decode()
        except UnicodeDecodeError as error:
            raise WapcError(f"{what} is not valid UTF-8") from error

    def _take(self, what: str, ptr: int, length: int, limit: int) -> bytes:
        """The guest's bytes. A range outside the memory traps even where it would also exceed the limit."""
        size = length & _U32
        if size > limit:
            self._probe(ptr, length)
            raise PayloadTooLarge(what, size, limit)
        if self._read is None:
            raise _too_early()
        return self._read(ptr & _U32, size) if size else b""

    def _take_cut(self, ptr: int, length: int, limit: int) -> bytes:
        read = self._probe(ptr, length)
        return cut(read(ptr & _U32, min(length & _U32, limit + 1)), limit) if length else b""

    def _probe(self, ptr: int, length: int) -> Read:
        """Trap unless the whole range is inside the memory, without reading it."""
        if self._read is None:
            raise _too_early()
        if length:
            self._read((ptr & _U32) + (length & _U32) - 1, 1)
        return self._read

    def _put(self, ptr: int, data: bytes) -> None:
        if self._write is None:
            raise _too_early()
        if data:
            self._write(ptr & _U32, data)

    @staticmethod
    def _require(what: str, size: int, limit: int) -> None:
        if size > limit:
            raise PayloadTooLarge(what, size, limit)


def _too_early() -> WapcError:
    return WapcError("a host function was called by the module's start function, before its memory is known")


def _type(params: int, results: int = 0) -> FuncType:
    return FuncType((I32,) * params, (I32,) * results)


HOST_FUNCTIONS: dict[str, tuple[FuncType, Callable[..., int | None]]] = {
    "__guest_request": (_type(2), CallState.guest_request),
    "__guest_response": (_type(2), CallState.guest_response),
    "__guest_error": (_type(2), CallState.guest_error),
    "__host_call": (_type(8, 1), CallState.host_call),
    "__host_response_len": (_type(0, 1), CallState.host_response_len),
    "__host_response": (_type(1), CallState.host_response),
    "__host_error_len": (_type(0, 1), CallState.host_error_len),
    "__host_error": (_type(1), CallState.host_error),
    "__console_log": (_type(2), CallState.console_log),
}
"""The functions of import module `wapc`: type, and what it does to a `CallState`."""

ABORT_TYPE = _type(4)
"""The type of `env.abort`."""
