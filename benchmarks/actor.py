"""The counter actor of `examples/counter`: what it is called with, a host that answers it in memory, what must come."""

from __future__ import annotations

from pathlib import Path

import msgpack

from benchmarks.errors import BenchmarkError, WrongOutputError, check_output
from host.codec import CodecError, decode, decode_empty, encode
from host.codec.core import OP_HEALTH_REQUEST, HealthRequest
from host.codec.http import OP_HANDLE_REQUEST, Request, Response
from host.codec.keyvalue import CAPABILITY, OP_ADD

COUNTER = Path(__file__).parents[1] / "examples" / "counter" / "counter.wasm"

PATH = "/bench"
KEY = ":bench"
"""Where the actor keeps the counter of PATH."""

HEADERS = {"host": "localhost:8081", "user-agent": "curl/8.5.0", "accept": "*/*"}

HANDLE_REQUEST = (OP_HANDLE_REQUEST, encode(Request("GET", PATH, "", HEADERS)))
HEALTH = (OP_HEALTH_REQUEST, encode(HealthRequest()))


def counter_wasm() -> bytes:
    """The signed module. Raises BenchmarkError where it is not: it comes with a checkout, not with the package."""
    try:
        return COUNTER.read_bytes()
    except OSError as error:
        raise BenchmarkError(
            "the counter actor comes with a checkout of wascc, not with an installed package; there it is"
            f" `python -m benchmarks` ({error.strerror or error}: {COUNTER})"
        ) from error


def body(count: int) -> bytes:
    """What the actor answers to the request that makes the counter `count`."""
    return b'{"counter":%d}' % count


def check_health(answer: bytes) -> None:
    """Check an answer to HEALTH, which has no content. Raises WrongOutputError."""
    try:
        decode_empty(answer)
    except CodecError as error:
        raise WrongOutputError(f"health of the counter actor: {error}") from error


class Counters:
    """The host's side of the actor: answers Add from a dictionary. `added` counts the calls."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.added = 0

    def __call__(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        """Carry out one host call. Raises BenchmarkError for any but Add."""
        if (namespace, operation) != (CAPABILITY, OP_ADD):
            raise BenchmarkError(f"the actor called {operation} on {namespace}")
        request = msgpack.unpackb(payload)
        key = request["key"]
        self.values[key] = value = self.values.get(key, 0) + request["value"]
        self.added += 1
        answer: bytes = msgpack.packb({"value": value})
        return answer

    def check(self, answer: bytes) -> None:
        """Check that an answer to HANDLE_REQUEST says what was counted. Raises WrongOutputError."""
        response = decode(Response, answer)
        check_output("counter actor", (response.status_code, response.body), (200, body(self.added)))
        check_output("counter", self.values, {KEY: self.added})
