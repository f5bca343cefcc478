"""The reference machine from inside: its instructions counted, its steps taken one by one and recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from benchmarks.errors import BenchmarkError
from benchmarks.kernels import RUN
from interp.binary.modules import decode
from interp.engine import Limits
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, Store
from interp.execution.values import signed_
from interp.reference.call import CALL_REF
from interp.reference.configuration import Code, Config, Frame
from interp.reference.control import end_of_context
from interp.reference.machine import NO_MODULE, Machine
from interp.reference.stepper import Stepper
from interp.validation.modules import validate

BATCH = 500
"""Steps whose records are kept at the same time."""


def instance(wasm: bytes) -> tuple[Store, FuncInst]:
    """A store with an instance of a module without imports, and the function `run` of it. Raises WasmError."""
    store = Store(Meter(Limits()))
    moduleinst = instantiate(store, validate(decode(wasm)), (), Machine(store))
    return store, cast(FuncInst, moduleinst.exports[RUN])


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
    store, function = instance(wasm)
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
    if config.ended is not None:
        raise BenchmarkError(f"the kernel trapped: {config.ended}")
    return points - config.inserted


def load_recorded(wasm: bytes) -> Callable[[int], object]:
    """The function `run` of a kernel, run in a way that it could be gone back in, while what each step does is taken
    down: records are made, BATCH of them at a time, and dropped. It raises BenchmarkError if it traps."""
    store, function = instance(wasm)
    (t,) = function.type.results

    def run(n: int) -> object:
        stepper = Stepper(store, function, (n,))
        more = True
        while more:
            more = stepper.history.capture(BATCH, [])
        if stepper.config.ended is not None:
            raise BenchmarkError(f"the kernel trapped: {stepper.config.ended}")
        (value,) = stepper.config.vals
        return signed_(int(str(t)[1:]), value) if isinstance(value, int) else value

    return run


def describe_steps(wasm: bytes, argument: int, count: int) -> Callable[[], int]:
    """What makes the records of the first steps of `run` as people read them, at most `count`, and drops them; it gives
    their number."""
    store, function = instance(wasm)
    return lambda: sum(1 for _ in Stepper(store, function, (argument,)).trace(count))
