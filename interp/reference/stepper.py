"""Watching a computation: step by step, up to a rule, a function or an instruction, and back again.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from interp.errors import BacktraceFrame, Exhaustion, ExhaustionKind, Trap, UncaughtException
from interp.execution.meter import has_headroom
from interp.execution.runtime import FuncInst, Store
from interp.reference.call import CALL_REF
from interp.reference.configuration import HOST_CALL, RULE_NAMES, Frame
from interp.reference.history import History
from interp.reference.machine import NO_MODULE
from interp.reference.observe import ObservedConfig, Stop
from interp.reference.record import Describer, StepRecord

CALL_RULE = "Step_read/call_ref-func"
"""The rule that enters a function."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where to stop: after a step by one of `rules`, after a call of one of `funcs`, or before the instruction at byte
    `offset` of the module. `text` is what it was made of."""

    text: str
    rules: frozenset[str] = frozenset()
    funcs: tuple[FuncInst, ...] = ()
    offset: int | None = None


def rules_like(pattern: str) -> frozenset[str]:
    """The rules that a name or a pattern with `*` and `?` means; the relation (`Step_pure/`) may be left out."""
    names = RULE_NAMES | {HOST_CALL}
    return frozenset(
        name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[2], pattern)
    )


class Ending(Enum):
    """How a computation ended."""

    VALUES = "values"
    TRAP = "trap"
    EXCEPTION = "exception"
    EXHAUSTION = "exhaustion"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a computation came to: `values` as terms, or the `error` that ended it (of HOST, whatever a host function
    raised)."""

    ending: Ending
    values: tuple[str, ...] = ()
    error: BaseException | None = None


class Reason(Enum):
    """Why `Stepper.run` returned."""

    BREAKPOINT = "breakpoint"
    END = "end"
    LIMIT = "limit"
    INTERRUPTED = "interrupted"
    START = "start"
    """The start, or as far back as can be gone."""


class Stepper:
    """A computation that is watched: a function of a store, called with values of its parameters' types.

    The store must not be used otherwise as long as steps are taken. The limits of the store hold as for any call; the
    time for the deadline is that which the steps take.
    """

    def __init__(self, store: Store, func: FuncInst, args: Sequence[Any], describer: Describer | None = None) -> None:
        config = ObservedConfig(store, Frame([], NO_MODULE), (CALL_REF,))
        config.vals.extend((*args, func))
        self.func = func
        self.describer = describer or Describer()
        self.describer.types.func = func
        self.history = History(config)
        self.config = config
        self.breakpoints: list[Breakpoint] = []
        self._failure: tuple[int, BaseException] | None = None
        self._end: int | None = None
        self.met = False

    @property
    def index(self) -> int:
        """Steps taken to where the computation stands now."""
        return self.history.index

    @property
    def floor(self) -> int:
        """The first step that can be gone back to; 0 as long as nothing had to be forgotten."""
        return self.history.floor

    @property
    def depth(self) -> int:
        """Active functions."""
        depth: int = self.history.counters["depth"]
        return depth

    @property
    def backtrace(self) -> tuple[BacktraceFrame, ...]:
        """The active functions, innermost first."""
        return self.config.backtrace()

    def interrupt(self) -> None:
        """Make `run` and `trace` return soon; may be called from a signal handler or another thread."""
        self.history.interrupted = True

    @property
    def outcome(self) -> Outcome | None:
        """How the computation ended, if it stands at its end."""
        if self._failure is not None and self._failure[0] == self.index:
            return outcome_of(self._failure[1])
        if self._end != self.index:
            return None
        if self.config.ended is not None:
            return outcome_of(self.config.ended)
        vals = self.config.contexts[0].vals
        types = self.func.module.types if self.func.module is not None else ()
        shown = self.describer.terms.values(zip(self.func.type.results, vals, strict=True), types)
        return Outcome(Ending.VALUES, tuple(shown))

    def step(self) -> StepRecord | None:
        """Take one step; None at the end."""
        return next(self.trace(1), None)

    def trace(self, limit: int, to_breakpoint: bool = False) -> Iterator[StepRecord]:
        """Take up to `limit` steps, one whenever the next record is asked for; not beyond a breakpoint, if so wanted.
        `met` tells afterwards whether there was one."""
        self.history.interrupted = False
        self.met = False
        stop, offsets = self._stops() if to_breakpoint else (None, frozenset())
        end = self.index + limit
        while self.index < end and not self.met and not self.history.interrupted:
            log: list[Any] = []
            self._advance(partial(self.history.capture, 1, log, offsets))
            if not log:
                break
            self.met = self.history.observer.stopped or (stop is not None and stop(self.config, log[0][0]))
            yield self.describer.record(self.index, log[0])

    def _advance(self, take: Callable[[], bool]) -> None:
        """Take steps, and note an end."""
        if self.outcome is not None:
            return
        try:
            if not take():
                self._end = self.index
        except RecursionError as error:
            self._failure = self.index, error if has_headroom() else Exhaustion(ExhaustionKind.CALL_STACK)
        except (Exception, SystemExit) as error:
            self._failure = self.index, error

    def last(self) -> StepRecord | None:
        """The record of the step before; None at the start."""
        if self.index <= self.floor:
            return None
        met = self.met
        self.history.back_to(self.index - 1)
        record = self.step()
        self.met = met
        return record

    def run(self, limit: int, stop: Stop | None = None) -> Reason:
        """Take up to `limit` steps, until `stop` says so or a breakpoint is met."""
        self.history.interrupted = False
        stops, offsets = self._stops(stop)
        before = self.index
        self._advance(lambda: self.history.run(limit, stops, offsets))
        self.met = self.history.observer.stopped and self.index > before
        if self.met:
            return Reason.BREAKPOINT
        if self.outcome is not None:
            return Reason.END
        return Reason.INTERRUPTED if self.history.interrupted else Reason.LIMIT

    def _stops(self, stop: Stop | None = None) -> tuple[Stop | None, frozenset[int]]:
        """What makes a run stop: a function to ask after each step, and byte offsets."""
        rules = frozenset(name for point in self.breakpoints for name in point.rules)
        funcs = {func for point in self.breakpoints for func in point.funcs}
        offsets = frozenset(point.offset for point in self.breakpoints if point.offset is not None)

        def stops(c: ObservedConfig, rule: str) -> bool:
            if rule in rules or (stop is not None and stop(c, rule)):
                return True
            if not funcs:
                return False
            called = c.frame.func if rule == CALL_RULE else self.history.called if rule == HOST_CALL else None
            return called in funcs

        return (stops if rules or funcs or stop is not None else None), offsets

    def over(self, limit: int) -> Reason:
        """Take steps until the instruction that is next is done, with all that it calls."""
        depth = self.depth

        def done(c: ObservedConfig, rule: str) -> bool:
            return c.meter.depth < depth or (c.meter.depth == depth and c.is_original())

        return self.run(limit, done)

    def out(self, limit: int) -> Reason:
        """Take steps until the innermost function returns."""
        depth = self.depth
        return self.run(limit, lambda c, rule: c.meter.depth < depth)

    def back(self, count: int = 1) -> int:
        """Go back so many steps, as far as possible; how many it were."""
        before = self.index
        self.history.interrupted = False
        self.history.back_to(max(before - count, 0))
        return before - self.index

    def reverse(self) -> Reason:
        """Go back to where a breakpoint was met last, or to the start."""
        self.history.interrupted = False
        stops, offsets = self._stops()
        upper, including = self.index, False
        while upper > self.floor:
            start = self.history.checkpoint_before(upper)
            self.history.back_to(start)
            met = None
            while self.index < upper and not self.history.interrupted:
                self.history.run(upper - self.index, stops, offsets)
                if self.history.observer.stopped and (including or self.index < upper):
                    met = self.index
            if self.history.interrupted:
                return Reason.INTERRUPTED
            if met is not None:
                self.history.back_to(met)
                return Reason.BREAKPOINT
            self.history.back_to(start)
            upper, including = start, True
        return Reason.START


def outcome_of(error: BaseException) -> Outcome:
    """The outcome of a computation that an error ended."""
    kinds = {Trap: Ending.TRAP, UncaughtException: Ending.EXCEPTION, Exhaustion: Ending.EXHAUSTION}
    return Outcome(next((kinds[kind] for kind in kinds if isinstance(error, kind)), Ending.HOST), error=error)
