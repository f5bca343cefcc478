"""How fast actors are called: `WapcHost.call` of the counter actor, its host calls answered in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.actor import HANDLE_REQUEST, HEALTH, Counters, check_health, counter_wasm
from benchmarks.results import CallsResult, Comparison, series
from benchmarks.timing import Effort, Progress, time_all
from interp.engine import Engine
from wapc import WapcHost


def measure_calls(
    engines: Mapping[str, Engine], effort: Effort, progress: Progress = lambda _: None, wasm: bytes | None = None
) -> CallsResult:
    """Seconds for one call of HandleRequest, which makes one host call, and of HealthRequest, which makes none.

    `wasm` is the counter actor (default: the one of the examples). Raises BenchmarkError, WapcError.
    """
    module = counter_wasm() if wasm is None else wasm
    counters = {name: Counters() for name in engines}
    guests = {name: WapcHost(engine, module, counters[name]) for name, engine in engines.items()}
    try:
        operations: dict[tuple[str, str], Callable[[], bytes]] = {}
        for name, guest in guests.items():
            counters[name].check(guest.call(*HANDLE_REQUEST))
            check_health(guest.call(*HEALTH))
            for operation, payload in (HANDLE_REQUEST, HEALTH):
                operations[operation, name] = partial(guest.call, operation, payload)
        timed = time_all(operations, effort, progress)
        for name, guest in guests.items():
            counters[name].check(guest.call(*HANDLE_REQUEST))
    finally:
        for guest in guests.values():
            guest.close()
    return CallsResult(
        tuple(
            Comparison(operation, tuple(series(name, timed[operation, name]) for name in engines))
            for operation, _ in (HANDLE_REQUEST, HEALTH)
        )
    )
