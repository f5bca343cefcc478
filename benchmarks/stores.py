"""How long one change takes in each store of the key-value and event stream providers: `python -m benchmarks.stores`.

With the URL of a Redis server, that one is measured too; its keys `benchmark:counter` and `benchmark:stream` are used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from host.codec import Message, encode
from host.codec.core import OP_BIND_ACTOR, SYSTEM_ACTOR, CapabilityConfiguration
from host.codec.eventstreams import OP_WRITE_EVENT, Event
from host.codec.keyvalue import OP_ADD, AddRequest
from host.providers.base import CapabilityProvider, ProviderError
from host.providers.eventstreams import (
    MemoryEventStreamsProvider,
    RedisEventStreamsProvider,
    SqliteEventStreamsProvider,
)
from host.providers.keyvalue import MemoryKeyValueProvider, RedisKeyValueProvider, SqliteKeyValueProvider
from host.providers.sqlite_files import SYNCHRONOUS

Factory = Callable[[], CapabilityProvider]

ACTOR = "benchmark"
ADD = AddRequest("counter", 1)
WRITE = Event("", "stream", {"name": "value"})


def milliseconds(
    provider: CapabilityProvider, values: dict[str, str], operation: str, request: Message, times: int
) -> tuple[float, float]:
    """The median and the 99th percentile of so many calls, one after another. Raises ProviderError."""
    payload = encode(request)
    durations = []
    try:
        provider.handle_call(SYSTEM_ACTOR, OP_BIND_ACTOR, encode(CapabilityConfiguration(ACTOR, values)))
        for _ in range(times):
            start = time.perf_counter()
            provider.handle_call(ACTOR, operation, payload)
            durations.append((time.perf_counter() - start) * 1000)
    finally:
        provider.stop()
    durations.sort()
    return durations[times // 2], durations[times * 99 // 100]


def report(url: str | None = None, times: int = 2000) -> Iterator[str]:
    """Lines of a table: store, operation, median and 99th percentile. Raises ProviderError."""
    with TemporaryDirectory() as folder:
        for store, keyvalue, eventstreams, values in _stores(folder, url):
            for provider, operation, request in ((keyvalue(), OP_ADD, ADD), (eventstreams(), OP_WRITE_EVENT, WRITE)):
                its_own = {"PATH": f"{values['PATH']}-{operation}"} if "PATH" in values else {}
                median, slow = milliseconds(provider, {**values, **its_own}, operation, request, times)
                yield f"{store:16} {operation:12} median {median:7.3f} ms   p99 {slow:7.3f} ms"


def _stores(folder: str, url: str | None) -> Iterator[tuple[str, Factory, Factory, dict[str, str]]]:
    yield "in memory", MemoryKeyValueProvider, MemoryEventStreamsProvider, {}
    for synchronous in SYNCHRONOUS.choices:
        values = {SYNCHRONOUS: synchronous, "PATH": str(Path(folder) / synchronous)}
        yield f"SQLite, {synchronous}", SqliteKeyValueProvider, SqliteEventStreamsProvider, values
    if url is not None:
        yield "Redis", RedisKeyValueProvider, RedisEventStreamsProvider, {"URL": url, "PREFIX": "benchmark:"}


if __name__ == "__main__":
    try:
        for line in report(sys.argv[1] if len(sys.argv) > 1 else None):
            print(line, flush=True)
    except ProviderError as error:
        sys.exit(str(error))
