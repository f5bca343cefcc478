"""Clients of the counter in trouble, in a process of their own: they count what was acknowledged, and go on whatever
happens.

    python -m benchmarks.operation.churn_load

reads one `Task` on stdin, as JSON, prints a line with the number of acknowledged requests now and then, and at the end
an `Outcome`. Each client has one connection, which it makes anew when it was lost, and at most one request on its way.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import perf_counter

from benchmarks.load_generator import HOST

REPORT_EVERY = 25
PAUSE_SECONDS = 0.02
"""How long a client waits after a request that was not acknowledged."""

LOST = "connection lost"
HUNG = "no answer in time"
HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: *(\d+)\r\n", re.DOTALL | re.IGNORECASE)
COUNTER = re.compile(rb'\{"counter":(\d+)\}')


@dataclass(frozen=True, slots=True)
class Task:
    """So many `requests` to be acknowledged, over so many `connections`, to a port of this machine; beside them a
    request that traps the actor every `trap_seconds`. A request without an answer after `request_seconds` hangs; after
    `total_seconds` all of it is given up."""

    port: int
    requests: int
    connections: int
    trap_seconds: float
    request_seconds: float
    total_seconds: float


@dataclass(slots=True)
class Outcome:
    """What came of it: the counters of the acknowledged requests, how often each other answer came, the latencies of
    the acknowledged ones in seconds, how many traps were asked for, and how long it took (seconds)."""

    counters: list[int] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    traps: int = 0
    seconds: float = 0.0


class Client:
    """One connection."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> tuple[str, bytes]:
        """The status and the body of an answer; instead of a status LOST or HUNG."""
        try:
            async with asyncio.timeout(self._task.request_seconds):
                return await self._get(path)
        except TimeoutError:
            self.close()
            return HUNG, b""
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self.close()
            return LOST, b""

    async def _get(self, path: str) -> tuple[str, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._task.port)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        found = HEAD.match(head)
        if found is None:
            raise ValueError("that is no answer")
        body = await reader.readexactly(int(found[2]))
        if b"connection: close" in head.lower():
            self.close()
        return found[1].decode(), body

    def close(self) -> None:
        """Close the connection; the next request makes another one."""
        if self._streams is not None:
            with suppress(OSError, RuntimeError):
                self._streams[1].close()
            self._streams = None


async def run(task: Task, report: Callable[[int], None]) -> Outcome:
    """Carry out a task."""
    outcome, others, begin = Outcome(), Counter[str](), perf_counter()

    async def count() -> None:
        client = Client(task)
        while len(outcome.counters) < task.requests and perf_counter() - begin < task.total_seconds:
            sent = perf_counter()
            status, body = await client.get("/count")
            counter = COUNTER.fullmatch(body)
            if status == "200" and counter is not None:
                outcome.counters.append(int(counter[1]))
                outcome.latencies.append(perf_counter() - sent)
                if len(outcome.counters) % REPORT_EVERY == 0:
                    report(len(outcome.counters))
            else:
                others[status] += 1
                await asyncio.sleep(PAUSE_SECONDS)
        client.close()

    async def trap() -> None:
        client = Client(task)
        while True:
            await asyncio.sleep(task.trap_seconds)
            outcome.traps += 1
            # Both are traps; the second one when the sum has been made, so that it counts but nobody is told.
            status, _ = await client.get("/trap" if outcome.traps % 2 else "/late")
            if status in (LOST, HUNG):
                others[status] += 1

    trapping = asyncio.ensure_future(trap())
    try:
        await asyncio.gather(*(count() for _ in range(task.connections)))
    finally:
        trapping.cancel()
    outcome.others, outcome.seconds = dict(others), perf_counter() - begin
    return outcome


def main() -> None:
    """Carry out the task that comes in."""
    task = Task(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(asyncio.run(run(task, lambda count: print(count, flush=True))))), flush=True)


if __name__ == "__main__":
    main()
