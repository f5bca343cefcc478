"""Loads an HTTP server over a number of connections, in a process of its own.

    python -m benchmarks.load_generator

reads one `Task` a line on stdin, as JSON, and answers each with one line, a `Window` or an error. Every connection is
kept open and sends its next request when the answer to the last one is complete (a closed loop). The window begins when
every connection has had an answer; answers after its end are awaited but not counted in it.

Responses are taken apart here and not by an HTTP library, so that the generator needs much less time than the server
that it loads. That suffices for servers of which the answer is known; anything else ends the task with an error.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import asdict, dataclass
from time import perf_counter, process_time

HOST = "127.0.0.1"
MAX_ANSWER_BYTES = 65536
SPARE_SECONDS = 60.0
"""How long the first answers and the last ones may take beside the window."""

MICROSECONDS = 1_000_000
HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,6})\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Task:
    """Requests to `path` on a port of this machine, for `seconds`; each body must match the pattern `expected`."""

    port: int
    path: str
    expected: str
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: the latencies in microseconds of the answers inside the window of `seconds`, the number of
    `answers` in all, and the seconds of processor time that this process took for the window."""

    seconds: float
    latencies: list[int]
    answers: int
    generator_seconds: float


class LoadError(Exception):
    """A server did not answer as expected."""


class _Run:
    """One task under way."""

    def __init__(self, task: Task, loop: asyncio.AbstractEventLoop) -> None:
        request = f"GET {task.path} HTTP/1.1\r\nhost: {HOST}:{task.port}\r\naccept: */*\r\n\r\n"
        self.request = request.encode("ascii")
        self.expected = re.compile(task.expected.encode("ascii"))
        self.done: asyncio.Future[None] = loop.create_future()
        self._task = task
        self._loop = loop
        self._without_answer = self._active = task.connections
        self._begin: float | None = None
        self._processor_begin = 0.0
        self._ended: tuple[float, float] | None = None
        self._latencies: list[int] = []
        self._answers = 0

    def answered(self, latency: float, first: bool) -> bool:
        """Take note of an answer; whether the connection is to send another request."""
        self._answers += 1
        if self._ended is not None:
            self._active -= 1
            if not self._active and not self.done.done():
                self.done.set_result(None)
            return False
        if self._begin is not None:
            self._latencies.append(round(latency * MICROSECONDS))
        elif first:
            self._without_answer -= 1
            if not self._without_answer:
                self._begin, self._processor_begin = perf_counter(), process_time()
                self._loop.call_later(self._task.seconds, self._end)
        return True

    def failed(self, text: str) -> None:
        """End the task with an error."""
        if not self.done.done():
            self.done.set_exception(LoadError(text))

    def outcome(self) -> Outcome:
        """What came of it, once `done`."""
        if self._begin is None or self._ended is None:
            raise LoadError("the load did not begin")
        end, processor_end = self._ended
        return Outcome(end - self._begin, self._latencies, self._answers, processor_end - self._processor_begin)

    def _end(self) -> None:
        self._ended = (perf_counter(), process_time())


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self._first = True
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.failed("the server closed a connection")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            body = self._body()
        except LoadError as error:
            self._run.failed(str(error))
            return
        if body is None:
            return
        latency = perf_counter() - self._sent
        if not self._run.expected.fullmatch(body):
            self._run.failed(f"the server answered {body[:100]!r}")
        elif self._run.answered(latency, self._first):
            self._first = False
            self._send()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        self._buffer = b""
        self._sent = perf_counter()
        if self._transport is not None:
            self._transport.write(self._run.request)

    def _body(self) -> bytes | None:
        """The body of the answer, None while it is not complete. Raises LoadError."""
        if len(self._buffer) > MAX_ANSWER_BYTES:
            raise LoadError(f"an answer is longer than {MAX_ANSWER_BYTES} bytes")
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return None
        length = CONTENT_LENGTH.search(self._buffer, 0, end + 2)
        if length is None or not self._buffer.startswith(b"HTTP/1.1 200 "):
            raise LoadError(f"the server answered {self._buffer[:100]!r}")
        body = self._buffer[end + len(HEAD_END) :]
        if len(body) > int(length[1]):
            raise LoadError("an answer is longer than it says")
        return body if len(body) == int(length[1]) else None


async def generate(task: Task) -> Outcome:
    """Carry out a task. Raises LoadError, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    run = _Run(task, loop)
    connections = [_Connection(run) for _ in range(task.connections)]
    try:
        async with asyncio.timeout(task.seconds + SPARE_SECONDS):
            for connection in connections:
                await loop.create_connection(lambda connection=connection: connection, HOST, task.port)  # type: ignore[misc]
            await run.done
    finally:
        for connection in connections:
            connection.close()
        # Asked for, so that nobody is told of an error that nobody has waited for.
        _ = run.done.done() and run.done.exception()
    return run.outcome()


def main() -> None:
    """Carry out the tasks that come in, until there are no more."""
    for line in sys.stdin:
        try:
            answer = asdict(asyncio.run(generate(Task(**json.loads(line)))))
        except (LoadError, OSError, TimeoutError) as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
