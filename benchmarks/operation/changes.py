"""How long one change of a store takes, one after another: an operation of the key-value provider, and one of the event
stream provider, on each of their backends and settings of these that say when a change is on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.errors import BenchmarkError
from benchmarks.stores import APPENDFSYNC, MEMORY, REDIS, SQLITE, RedisStore
from benchmarks.timing import Progress
from host import HostError, ProviderError, find_provider
from host.codec import Message, encode
from host.codec.core import OP_BIND_ACTOR, SYSTEM_ACTOR, CapabilityConfiguration
from host.codec.eventstreams import OP_WRITE_EVENT, Event
from host.codec.keyvalue import OP_ADD, AddRequest
from host.providers.sqlite_files import SYNCHRONOUS

ACTOR = "benchmark"
CHANGES: Sequence[tuple[str, str, Message]] = (
    ("keyvalue", OP_ADD, AddRequest("counter", 1)),
    ("eventstreams", OP_WRITE_EVENT, Event("", "stream", {"name": "value"})),
)
"""How the names of the providers begin, and what is measured of each."""


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """How many seconds each call of an operation took on a store with such a setting."""

    store: str
    operation: str
    seconds: tuple[float, ...]

    def latency(self, part: float) -> float:
        """The seconds within which this part of the calls, at least 0 and below 1, was done."""
        return sorted(self.seconds)[int(part * len(self.seconds))]


def measure_changes(stores: Sequence[str], calls: int, progress: Progress = lambda _: None) -> tuple[ChangeResult, ...]:
    """Call each operation so many times on each of these stores. Raises BenchmarkError."""
    results = []
    with TemporaryDirectory(prefix="wascc-bench-") as folder, ExitStack() as running:
        backends = [backend for store in stores for backend in _backends(store, Path(folder), running)]
        for number, (title, suffix, values) in enumerate(backends, 1):
            for provider, operation, request in CHANGES:
                its_own = {"PATH": f"{values['PATH']}-{provider}"} if "PATH" in values else {}
                seconds = _timed(f"{provider}{suffix}", {**values, **its_own}, operation, request, calls)
                results.append(ChangeResult(title, operation, seconds))
            progress(number / len(backends))
    return tuple(results)


def _backends(store: str, folder: Path, running: ExitStack) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Titles, how the names of the providers end, and the values of an actor's binding; servers end with `running`."""
    if store == MEMORY:
        yield MEMORY, "_memory", {}
    if store == SQLITE:
        for synchronous in SYNCHRONOUS.choices:
            values = {SYNCHRONOUS: synchronous, "PATH": str(folder / synchronous)}
            yield f"{SQLITE}, {synchronous}", "", values
    if store == REDIS:
        for appendfsync in APPENDFSYNC:
            place = folder / appendfsync
            place.mkdir()
            server = running.enter_context(RedisStore(place, appendfsync))
            yield f"{REDIS}, {appendfsync}", "_redis", server.values


def _timed(name: str, values: dict[str, str], operation: str, request: Message, calls: int) -> tuple[float, ...]:
    payload = encode(request)
    seconds = []
    try:
        provider = find_provider(name)
        try:
            provider.handle_call(SYSTEM_ACTOR, OP_BIND_ACTOR, encode(CapabilityConfiguration(ACTOR, values)))
            for _ in range(calls):
                begin = perf_counter()
                provider.handle_call(ACTOR, operation, payload)
                seconds.append(perf_counter() - begin)
        finally:
            provider.stop()
    except (HostError, ProviderError) as error:
        raise BenchmarkError(f"{name}: {error}") from error
    return tuple(seconds)
