"""The compiled engine as a runner of computations in one store.

Spec: exec/modules#invocation
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from interp.compiled import any_address
from interp.compiled.cache import PENDING
from interp.compiled.limits import SLACK, STACK, Ticks
from interp.compiled.linking import LinkedInstance
from interp.compiled.names import f32_nan
from interp.compiled.python_code import Options
from interp.compiled.traps import Thrown, backtrace, of_engine, trap_of
from interp.compiled.units import Units
from interp.errors import ExecutionError, Exhaustion, ExhaustionKind, UncaughtException
from interp.execution.constants import evaluate, initialise
from interp.execution.meter import has_headroom
from interp.execution.runtime import ExnInst, FuncInst, ModuleInst, Store
from interp.syntax.instructions import Expr
from interp.syntax.types import F32, AddrType
from interp.validation.modules import ValidModule
from interp.validation.types import MAX_PAGES

PYTHON_DEPTH = 10_000
"""From this limit of nested calls on, Python's own limit is used: it costs nothing, but is exact to some frames only.
"""

UNITS = "compiled"
"""Where a valid module keeps its units."""


class CompiledMachine:
    """Runs computations in one store.  Implements `interp.execution.modules.Executor`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        limits = store.meter.limits
        self.ticks = Ticks(store.meter)
        self.counts_depth = limits.max_call_depth < PYTHON_DEPTH or sys.implementation.name != "cpython"
        self.options = Options(
            fuel=limits.fuel is not None,
            time=limits.deadline_seconds is not None,
            depth=self.counts_depth,
        )
        self.frames = limits.max_call_depth * 2 + SLACK if self.counts_depth else limits.max_call_depth + SLACK
        store.adopt = self.adopt

    def options_of(self, moduleinst: ModuleInst) -> Options:
        """What the code of an instance counts and relies on. A memory that does not begin with 4 GiB never has them."""
        if not moduleinst.mems:
            return self.options
        full = MAX_PAGES[AddrType.I32]
        whole = any(mem.type.addrtype is AddrType.I32 and mem.limit == full for mem in moduleinst.mems)
        views = self.options.views and any_address.available()
        return replace(self.options, whole=whole or self.options.whole, views=views)

    def adopt(self, func: FuncInst) -> None:
        """Make a host function something that code can call."""
        func.prepared = self.host_call(func)

    def host_call(self, func: FuncInst) -> Callable[..., Any]:
        """A function that calls the host and gives what code expects: None, one value, or a tuple."""
        host, meter = func.host, self.store.meter
        if host is None:
            raise TypeError("function without code or host")
        results, params = len(func.type.results), func.type.params
        of_f32 = F32 in params

        def call(*args: Any) -> Any:
            if of_f32:
                args = tuple([f32_nan(z) if t is F32 else z for t, z in zip(params, args, strict=True)])
            try:
                values = host(*args)
            except UncaughtException as error:
                exn = error.exception
                if not isinstance(exn, ExnInst) or exn.meter is not meter:
                    raise
                raise Thrown(exn) from error
            meter.check_deadline()
            return values[0] if results == 1 else tuple(values) if results else None

        return call

    def prepare(self, moduleinst: ModuleInst, valid: ValidModule) -> None:
        """Make the instance ready to be linked, function by function."""
        units = valid.prepared.get(UNITS)
        if units is None:
            units = valid.prepared[UNITS] = Units(valid, lambda: "module")
        moduleinst.prepared = LinkedInstance(self, moduleinst, units)

    def invoke(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """Call a function with values of its parameters' types.  Spec: exec/modules#invocation"""
        result = self.run(func.prepared, args)
        types = func.type.results
        if not types:
            return ()
        values = (result,) if len(types) == 1 else result
        if F32 in types:
            return [f32_nan(z) if t is F32 else z for t, z in zip(types, values, strict=True)]
        found: Sequence[Any] = values
        return found

    def run(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Call generated code within the limits of the store; an outermost call has fuel and time anew.

        Raises Trap | Exhaustion | UncaughtException, and whatever a host function raises.
        """
        meter = self.store.meter
        depth, reentry = meter.depth, meter.reentry
        outermost = reentry == 0
        key = None
        try:
            meter.enter()
            if outermost:
                if self.options.metered:
                    self.ticks.begin()
                key = STACK.enter(self.frames)
            return function(*args)
        except Exception as error:
            raised = self.meaning(error)
            if raised is error:
                raise
            raise raised from error
        finally:
            if key is not None:
                STACK.leave(key)
            # Set rather than counted down, so that a KeyboardInterrupt at any place leaves them right.
            meter.depth, meter.reentry = depth, reentry
            if outermost and PENDING.shelves:
                PENDING.write_when_due()

    def meaning(self, error: Exception) -> Exception:
        """What an exception that left generated code stands for; itself, if it is what it says."""
        if isinstance(error, ExecutionError):
            if not error.backtrace:
                error.backtrace = backtrace(error.__traceback__)
            return error
        if isinstance(error, Thrown):
            return UncaughtException(exception=error.exn, backtrace=backtrace(error.__traceback__))
        if isinstance(error, RecursionError):
            if not of_engine(error.__traceback__) and has_headroom():
                return error
            return Exhaustion(ExhaustionKind.CALL_STACK, backtrace(error.__traceback__))
        if isinstance(error, IndexError | ZeroDivisionError | AttributeError):
            return trap_of(error) or error
        return error

    def evaluate(self, moduleinst: ModuleInst, expr: Expr) -> Any:
        """The value of a constant expression.  Spec: exec/instructions#expressions"""
        return evaluate(self.store, moduleinst, expr)

    def execute(self, moduleinst: ModuleInst, instrs: Expr) -> None:
        """Run the instructions that instantiation is reduced to.  Spec: exec/modules#instantiation"""
        initialise(self.store, moduleinst, instrs, lambda funcidx: void(self.invoke(moduleinst.funcs[funcidx], ())))


def void(_: object) -> None:
    """Nothing."""
