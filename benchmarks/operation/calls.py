"""Calls of a guest that answers with what it gets: `WapcHost.call`, beside the Python SDK of Extism.

Extism calls plugins on the same JIT. Both guests are some hundred bytes of WebAssembly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.errors import BenchmarkError, check_output
from benchmarks.operation.guests import guest
from benchmarks.results import Comparison, series
from benchmarks.timing import Effort, Progress, time_all
from wapc import WapcHost

EXTISM = "Extism"
PAYLOAD = bytes(range(64))
OPERATION = "echo"
LIMIT = 2.0
"""At most so many times a call of Extism."""


def measure_echo(engines: Sequence[str], effort: Effort, progress: Progress = lambda _: None) -> Comparison:
    """Seconds for a call of 64 bytes, on these engines and on Extism. Raises BenchmarkError."""
    hosts = {f"WapcHost, {engine}": WapcHost(engine, guest("echo")) for engine in engines}
    calls: dict[str, Callable[[], bytes]] = {
        name: partial(host.call, OPERATION, PAYLOAD) for name, host in hosts.items()
    }
    calls[EXTISM] = _extism()
    try:
        for name, call in calls.items():
            check_output(name, bytes(call()), PAYLOAD)
        timed = time_all(calls, effort, progress)
    finally:
        for host in hosts.values():
            host.close()
    return Comparison("echo of 64 bytes", tuple(series(name, timed[name]) for name in calls))


def _extism() -> Callable[[], bytes]:
    try:
        import extism  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise BenchmarkError("Extism comes with an extra: pip install 'wascc[bench]'") from error
    plugin = extism.Plugin(guest("echo_extism"))
    return partial(plugin.call, OPERATION, PAYLOAD)
