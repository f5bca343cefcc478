"""Kernels on each engine: how long they run, how long they take to load, and how many instructions they execute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from benchmarks.errors import BenchmarkError, check_output
from benchmarks.kernels import KERNELS, RUN, Kernel
from benchmarks.results import Comparison, KernelResult, KernelsResult, Series
from benchmarks.timing import Effort, Progress, interleaved, loops_for, time_once
from interp.binary.modules import decode
from interp.engine import Engine, Func, Limits
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, Store
from interp.reference.configuration import Code, Config, Frame
from interp.reference.control import CALL_REF, end_of_context
from interp.reference.machine import NO_MODULE, Machine
from interp.validation.modules import validate

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
    counts = {kernel.name: count_instructions(wasms[kernel.name], kernel.argument) for kernel in kernels}
    loops: dict[tuple[str, str], int] = {}
    samplers: dict[tuple[str, str], Callable[[], _Sample]] = {}
    seconds = effort.sample_seconds(len(kernels) * len(engines))
    for kernel in kernels:
        for name, engine in engines.items():
            load = partial(_load, engine, wasms[kernel.name])
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
                counts[kernel.name],
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


def _load(engine: Engine, wasm: bytes) -> Func:
    """The function of a kernel, which is not limited: limits would cost the JIT time and the interpreter none."""
    instance = engine.store(Limits()).instantiate(engine.compile(wasm), ())
    return cast(Func, instance.exports[RUN])


class CountingConfig(Config):
    """A configuration that counts the instructions which are not in the program: those that a rule puts in the place
    of another one on its way to the result."""

    __slots__ = ("inserted",)

    def __init__(self, store: Store, frame: Frame, code: Code) -> None:
        self.inserted = 0
        super().__init__(store, frame, code)

    def insert(self, code: Code) -> None:
        """Put points in front of the instructions that follow."""
        self.inserted += len(code)
        super().insert(code)


def count_instructions(wasm: bytes, *args: Any) -> int:
    """How many instructions `run` of a module without imports executes, called with these values.

    A `loop` counts once for each time round, as the reduction rules have it; `end` and `else` are no instructions.
    Raises WasmError, BenchmarkError (it trapped).
    """
    store = Store(Meter(Limits()))
    machine = Machine(store)
    moduleinst = instantiate(store, validate(decode(wasm)), (), machine)
    function = cast(FuncInst, moduleinst.exports[RUN])
    config = CountingConfig(store, Frame([], function.module or NO_MODULE), (CALL_REF,))
    config.vals.extend((*args, function))
    points = -1  # CALL_REF is not in the program either
    while True:
        context = config.ctx
        if context.pc < len(context.code):
            rule, operand, _ = context.code[context.pc]
            context.pc += 1
            rule(config, operand)
            points += 1
        elif context.rest:
            context.code, context.pc = context.rest.pop()
        elif context.kind == "top":
            break
        else:
            end_of_context(config)
    if config.trapped is not None:
        raise BenchmarkError(f"the kernel trapped: {config.trapped}")
    return points - config.inserted
