"""Kernels on each engine: how long they run, and how long they take to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from benchmarks.errors import check_output
from benchmarks.kernels import KERNELS, RUN, Kernel
from benchmarks.results import Comparison, KernelResult, KernelsResult, Series
from benchmarks.timing import Effort, Progress, interleaved, loops_for, time_once
from interp.engine import Engine, Func, Limits

LOADS = 3
"""How often a kernel is loaded for one sample: loading is short."""


def measure_kernels(
    engines: Mapping[str, Engine],
    effort: Effort,
    progress: Progress = lambda _: None,
    kernels: Sequence[Kernel] = KERNELS,
) -> KernelsResult:
    """Seconds for loading each kernel and for one call of it. Raises BenchmarkError, WasmError."""
    wasms = {kernel.name: kernel.wasm() for kernel in kernels}
    loops: dict[tuple[str, str], int] = {}
    samplers: dict[tuple[str, str], Callable[[], _Sample]] = {}
    seconds = effort.sample_seconds(len(kernels) * len(engines))
    for kernel in kernels:
        for name, engine in engines.items():
            load = partial(load_kernel, engine, wasms[kernel.name])
            call = partial(load(), kernel.argument)
            check_output(f"kernel {kernel.name} on {name}", call(), kernel.expected(kernel.argument))
            key = (kernel.name, name)
            loops[key] = loops_for(call, seconds)
            samplers[key] = partial(_sample, load, call, loops[key])
    samples = interleaved(samplers, effort, progress)

    def comparison(kernel: Kernel, part: Callable[[_Sample], float], repeated: Callable[[int], int]) -> Comparison:
        keys = [(kernel.name, name) for name in engines]
        return Comparison(
            kernel.name, tuple(Series(key[1], tuple(map(part, samples[key])), repeated(loops[key])) for key in keys)
        )

    return KernelsResult(
        tuple(
            KernelResult(
                kernel.name,
                kernel.argument,
                load=comparison(kernel, lambda sample: sample.load, lambda _: LOADS),
                call=comparison(kernel, lambda sample: sample.call, lambda count: count),
            )
            for kernel in kernels
        )
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    load: float
    call: float


def _sample(load: Callable[[], object], call: Callable[[], object], loops: int) -> _Sample:
    return _Sample(time_once(load, LOADS), time_once(call, loops))


def load_kernel(engine: Engine, wasm: bytes) -> Func:
    """The function of a kernel, which is not limited: limits would cost the JIT time and the interpreter none."""
    instance = engine.store(Limits()).instantiate(engine.compile(wasm), ())
    return cast(Func, instance.exports[RUN])
