"""The reference machine: `step` applies one reduction rule to a configuration and says which.

`run` repeats steps until the computation ends; `invoke`, `evaluate` and `execute` are what an embedder needs.
Spec: exec/instructions
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from interp.errors import ExecutionError, Exhaustion, ExhaustionKind
from interp.execution.meter import has_headroom
from interp.execution.runtime import FuncInst, ModuleInst, Store
from interp.reference import (
    array,
    call,
    control,
    exception,
    memory,
    numeric,
    reference,
    structure,
    table,
    variable,
    vector,
    vector_memory,
)
from interp.reference.call import CALL_REF
from interp.reference.configuration import RULE_NAMES, VALUE, Code, Config, Frame, prepare
from interp.reference.control import end_of_context
from interp.reference.observe import ObservedConfig, run_watched
from interp.syntax.instructions import Expr
from interp.syntax.modules import Module
from interp.validation.modules import ValidModule

CHAPTERS = (
    control,
    call,
    exception,
    variable,
    memory,
    vector_memory,
    table,
    reference,
    structure,
    array,
    numeric,
    vector,
)
"""The modules whose rules are registered."""

FINISHED = None
"""What `step` gives when no rule applies any more."""

NO_MODULE = ModuleInst(Module())


def step(c: Config) -> str | None:
    """config ~> config: apply one rule and give its name, such as `Step_read/block`; FINISHED when only values, or a
    trap, are left. Raises Exhaustion, and whatever a host function raises."""
    while True:
        ctx = c.ctx
        pc = ctx.pc
        if pc < len(ctx.code):
            ctx.pc = pc + 1
            function, operand, _ = ctx.code[pc]
            name = function(c, operand)
            if name != VALUE:
                return name
        elif ctx.rest:
            ctx.code, ctx.pc = ctx.rest.pop()
        elif ctx.kind == "top":
            return FINISHED
        else:
            return end_of_context(c)


def run(c: Config) -> list[Any]:
    """config ~>* val*: the values, as `step` repeated would give them.  Raises Trap | Exhaustion."""
    try:
        while True:
            ctx = c.ctx
            code = ctx.code
            pc, end = ctx.pc, len(code)
            while pc < end:
                function, operand, _ = code[pc]
                ctx.pc = pc + 1
                function(c, operand)
                if c.ctx is not ctx or ctx.code is not code:
                    break
                pc += 1
            else:
                if ctx.rest:
                    ctx.code, ctx.pc = ctx.rest.pop()
                elif ctx.kind == "top":
                    break
                else:
                    end_of_context(c)
    except ExecutionError as error:
        c.locate(error)
        raise
    return c.results()


def run_counting(c: Config, applied: Counter[str]) -> list[Any]:
    """`run`, and count in `applied` how often each rule is applied, by its name."""
    try:
        while (name := step(c)) is not FINISHED:
            applied[name] += 1
    except ExecutionError as error:
        c.locate(error)
        raise
    return c.results()


class Machine:
    """Runs computations in one store.  Implements `interp.execution.modules.Executor`.

    `applied` counts how often each rule is applied, once somebody has put a Counter there; all computations are then
    observed, and slower.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.applied: Counter[str] | None = None

    def start(self, frame: Frame, code: Code, vals: Sequence[Any] = (), observed: bool = False) -> Config:
        """The configuration that a computation begins with."""
        if self.store.watcher is not None:
            config: Config = ObservedConfig(self.store, frame, code)
        else:
            config = Config(self.store, frame, code, observed or self.applied is not None)
        config.vals.extend(vals)
        return config

    def run(self, config: Config) -> list[Any]:
        """Run a configuration within the limits of the store; an outermost one has fuel and time anew."""
        meter = self.store.meter
        depth, slots, reentry = meter.depth, meter.slots, meter.reentry
        try:
            meter.enter()
            if isinstance(config, ObservedConfig) and self.store.watcher is not None:
                return run_watched(config, self.store.watcher)
            return run(config) if self.applied is None else run_counting(config, self.applied)
        except RecursionError as error:
            if has_headroom():
                raise
            raise Exhaustion(ExhaustionKind.CALL_STACK) from error
        finally:
            # Set rather than counted down, so that a KeyboardInterrupt at any place leaves them right.
            meter.depth, meter.slots, meter.reentry = depth, slots, reentry

    def prepare(self, moduleinst: ModuleInst, valid: ValidModule) -> None:
        """Functions are prepared at their first call."""

    def invoke(self, func: FuncInst, args: Sequence[Any]) -> list[Any]:
        """Call a function with values of its parameters' types.  Spec: exec/modules#invocation"""
        return self.run(self.start(Frame([], func.module or NO_MODULE), (CALL_REF,), (*args, func)))

    def evaluate(self, moduleinst: ModuleInst, expr: Expr) -> Any:
        """The value of a constant expression.  Spec: exec/instructions#expressions"""
        return self.run(self.start(Frame([], moduleinst), prepare(expr, moduleinst.types)))[-1]

    def execute(self, moduleinst: ModuleInst, instrs: Expr) -> None:
        """Run instructions that leave no value."""
        self.run(self.start(Frame([], moduleinst), prepare(instrs, moduleinst.types)))


__all__ = ["FINISHED", "RULE_NAMES", "Machine", "run", "step"]
