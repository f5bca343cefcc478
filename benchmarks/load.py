"""How long a module takes from its bytes to its answers, phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

from benchmarks.engines import FrontEnd, front_end
from benchmarks.errors import check_output
from benchmarks.modules import Program
from benchmarks.results import EngineLoad, LoadResult, Phase, Series
from benchmarks.timing import Effort, Progress, interleaved, time_once
from interp.engine import Engine

MAX_CALLS = 20
"""Calls of one instance: the first, and enough to see when they get no faster any more."""

MIN_CALLS = 2


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds for each phase, and for each call, in one round."""

    phases: Mapping[Phase, float]
    calls: tuple[float, ...]


def measure_load(
    engines: Mapping[str, Engine],
    program: Program,
    effort: Effort,
    progress: Progress = lambda _: None,
) -> LoadResult:
    """Seconds for each phase of loading and calling a program, in a new instance for each round.

    Raises BenchmarkError, WasmError, WapcError, ArgumentError: what is wrong with the module or its call.
    """
    samplers = _checked_samplers(engines, program, effort)
    rounds = interleaved(samplers, effort, progress)
    loads = tuple(_engine_load(name, rounds[name]) for name in engines)
    return LoadResult(program.name, len(program.wasm), program.call, loads)


def _checked_samplers(
    engines: Mapping[str, Engine], program: Program, effort: Effort
) -> dict[str, Callable[[], _Round]]:
    """A sampler for each engine, once all have been found to give the same results."""
    samplers: dict[str, Callable[[], _Round]] = {}
    answers: list[str] = []
    spare_seconds = effort.sample_seconds(len(engines)) / 2
    for name, engine in engines.items():
        calls = 0
        module = engine.compile(program.wasm)
        if program.startable:
            with program.start(engine, module) as running:
                if running.call is not None:
                    answers.append(repr(running.call()))
                    check_output(f"{program.name} on {name}", answers[-1], answers[0])
                    running.check()
                    calls = _calls_for(running.call, spare_seconds) if running.repeatable else 1
        samplers[name] = partial(_sample, engine, program, front_end(engine, program.wasm), calls)
    return samplers


def _calls_for(call: Callable[[], object], seconds: float) -> int:
    return max(MIN_CALLS, min(MAX_CALLS, int(seconds / time_once(call))))


def _sample(engine: Engine, program: Program, parts: FrontEnd, calls: int) -> _Round:
    phases = {phase: time_once(part) for phase, part in parts}
    begin = perf_counter()
    module = engine.compile(program.wasm)
    compiled = perf_counter()
    phases[Phase.COMPILE] = compiled - begin
    if not program.startable:
        return _Round(phases, ())
    with program.start(engine, module) as running:
        phases[Phase.INSTANTIATE] = perf_counter() - compiled
        times = tuple(time_once(running.call) for _ in range(calls)) if running.call else ()
        if times:
            running.check()
            phases[Phase.FIRST_CALL] = times[0]
        if len(times) >= MIN_CALLS:
            phases[Phase.STEADY_CALL] = median(times[len(times) // 2 :])
    return _Round(phases, times)


def _engine_load(name: str, rounds: tuple[_Round, ...]) -> EngineLoad:
    phases = [phase for phase in Phase if phase in rounds[0].phases]
    return EngineLoad(
        name,
        tuple(Series(phase.value, tuple(each.phases[phase] for each in rounds)) for phase in phases),
        tuple(each.calls for each in rounds),
    )
