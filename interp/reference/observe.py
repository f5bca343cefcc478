"""Steps that are watched: what they overwrite is kept, and on request what each of them did.

The loop here does what `interp.reference.machine.step` does. Of each step it takes down only what is at hand, without
text and without types (`Captured`); `interp.reference.record` makes of it what people read.
Spec: exec/instructions
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interp.errors import ExecutionError
from interp.execution.places import Place, Watcher, read_place
from interp.execution.runtime import FuncInst, Store
from interp.reference.configuration import (
    HOST_CALL,
    KINDS,
    NAMES,
    VALUE,
    Code,
    Config,
    Context,
    Frame,
    RuleFunction,
    trap,
)
from interp.reference.control import end_of_context
from interp.reference.exception import Handler, throw_ref
from interp.reference.writes import Writes, local_set, writes_of
from interp.syntax.instructions import Catch, Instr
from interp.syntax.types import ValType

MAX_CAPTURED = 64
"""Operands, and elements of a place, that are taken down for one step."""


class Position(NamedTuple):
    """Where a context of that kind and frame stands: its code, its pc, and the rest. `entered` says that the
    instruction before is at work in a context inside, `opener` is what opened the context, where that is known;
    `carried` is what was taken into it from others."""

    kind: str
    frame: Frame
    code: Code
    pc: int
    rest: Sequence[tuple[Code, int]]
    entered: bool = False
    opener: Instr | None = None
    carried: Carried | None = None


@dataclass(slots=True, eq=False)
class Carried:
    """What a branch, a return or an exception took out of a context into `ctx`, where it goes on with `code`: all its
    operands, or those of the exception.

    The context stood `at` that position, with `height` operands and `top` the last of them, and if it was a handler,
    with these catch clauses. `types`, once somebody looked, are the types of what was taken.
    """

    ctx: Context
    code: Code
    at: Position
    height: int
    top: Any
    catches: tuple[Catch, ...]
    types: list[ValType | None] | None = None


class ObservedConfig(Config):
    """A configuration that takes every step that the specification takes, and can be watched.

    `host` answers for host functions, if it is set. Of the context that was left last, `outer` counts the operands that
    stood around it, and `opener` is the code before whose pc the instruction stands that had opened it.
    """

    __slots__ = ("carried", "host", "opener", "outer")

    def __init__(self, store: Store, frame: Frame, code: Code) -> None:
        self.carried: Carried | None = None
        self.host: Callable[[FuncInst, Sequence[Any]], Sequence[Any]] | None = None
        self.outer = 0
        self.opener: tuple[Code, int] = (), 0
        super().__init__(store, frame, code, True)

    def insert(self, code: Code) -> None:
        """Put points in front of the instructions that follow. What was inserted before and is used up is forgotten,
        so that an instruction which reduces to itself again and again needs no more room each time."""
        ctx = self.ctx
        if ctx.pc < len(ctx.code) or not ctx.rest:
            ctx.rest.append((ctx.code, ctx.pc))
        ctx.code = code
        ctx.pc = 0

    def leave(self) -> Context:
        """Leave the innermost context, which is returned."""
        around = self.contexts[-2]
        self.outer = len(around.vals)
        if around.kind == "handler":
            around = self.contexts[-3]
        self.opener = around.code, around.pc
        return super().leave()

    def call_host(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """The results of a host function, from whoever answers for it here."""
        return super().call_host(func, args) if self.host is None else self.host(func, args)

    def settle(self) -> None:
        """Make values of the constants that are next, and leave code behind that is used up: no step, but the same
        configuration in the one form that people see."""
        ctx = self.ctx
        while True:
            if ctx.pc < len(ctx.code):
                function, operand, _ = ctx.code[ctx.pc]
                if not is_value(function) and not self.is_final(function):
                    return
                ctx.pc += 1
                function(self, operand)
            elif ctx.rest:
                ctx.code, ctx.pc = ctx.rest.pop()
            else:
                return

    def is_final(self, function: RuleFunction) -> bool:
        """Whether the next point is a trap, or an exception, that is all that is left."""
        ctx = self.ctx
        if ctx.kind != "top" or ctx.pc + 1 < len(ctx.code) or any(pc < len(code) for code, pc in ctx.rest):
            return False
        if function is throw_ref:
            return len(ctx.vals) == 1 and ctx.vals[0] is not None
        return function is trap and not ctx.vals

    def is_original(self) -> bool:
        """Whether no instruction is left that a rule inserted in the innermost context."""
        ctx = self.ctx
        return (not ctx.rest or ctx.pc == len(ctx.code)) and all(pc == len(code) for code, pc in ctx.rest[1:])

    def is_at(self, offsets: frozenset[int]) -> bool:
        """Whether the next instruction, or a constant before it, stands in its function at one of these offsets."""
        if not self.is_original():
            return False
        ctx = self.ctx
        code, pc = ctx.rest[0] if ctx.rest else (ctx.code, ctx.pc)
        for function, _, instr in code[pc:]:
            if instr.offset in offsets:
                return True
            if not is_value(function):
                return False
        return False

    def is_between(self) -> bool:
        """Whether operands are on their way out of contexts that were left: only `carried` tells their types."""
        carried = self.carried
        return carried is not None and carried.ctx is self.ctx and carried.code is self.ctx.code


Change = tuple[Place, Any, Any]
"""A place that a step wrote, what stood there, and what stands there now (MAX_CAPTURED elements of it at most)."""

Entered = tuple[Context, Code, tuple[Any, ...], tuple[Any, ...]]
"""A context that a step entered; at that time its code, its operands, and what it holds: the locals of a frame, or the
catch clauses of a handler (MAX_CAPTURED at most). Also the handler that goes on to its next clause, before that."""

OUTSIDE = frozenset({HOST_CALL, "Step_read/throw_ref-handler-next"})
"""Rules that change more than the operands and the code of the innermost context, and yet stay in it."""


class Captured(NamedTuple):
    """One step, as it is taken down while code runs.

    `code`, `pc`, `rest`, `height` and `operands` describe the innermost context `ctx` before the step (of the operands
    those at the top, of `height` in all), `depth` counts the active functions. Of the innermost context afterwards
    there are `new_height`, `new_operands`, and the code that the rule `inserted`. If `ctx` was left, `outer` counts the
    operands around it before that, and `opener` is the code before whose `opener_pc` the instruction stands that had
    opened it; otherwise `opener` is None.
    """

    rule: str
    ctx: Context
    depth: int
    code: Code
    pc: int
    rest: tuple[tuple[Code, int], ...]
    height: int
    operands: tuple[Any, ...]
    changes: tuple[Change, ...]
    new_height: int = 0
    new_operands: tuple[Any, ...] = ()
    inserted: Code | None = None
    entered: tuple[Entered, ...] = ()
    outer: int = 0
    opener: Code | None = None
    opener_pc: int = 0
    carried: Carried | None = None


def is_value(function: RuleFunction) -> bool:
    """Whether a rule function is that of a constant, for which there is no rule since it is a value already."""
    kind = KINDS.get(function)
    return kind is not None and not NAMES[kind]


def nowhere(c: Config, x: Any, instr: Instr) -> Place | None:
    """Where a value writes."""
    return None


class WritesOf(dict[RuleFunction, Writes | None]):
    """Where each rule function writes, looked up on its first use; `nowhere` for values, None for other functions that
    change nothing. Locals are part of the configuration, and looked at only if `of_locals`."""

    def __init__(self, of_locals: bool) -> None:
        super().__init__()
        self.of_locals = of_locals

    def __missing__(self, function: RuleFunction) -> Writes | None:
        found = nowhere if is_value(function) else writes_of(function)
        if KINDS.get(function) == "local.set" and not self.of_locals:
            found = None
        self[function] = found
        return found


Stop = Callable[[ObservedConfig, str], bool]
"""Whether to stop after a step by the rule of that name."""


class Observer:
    """Runs a configuration step by step.

    `steps` counts the steps taken. Whoever answers for host functions sets `host_changes` to what the last one changed,
    and may set `end` to 0 to have no step taken after this one.
    """

    __slots__ = ("config", "end", "host_changes", "steps", "stopped", "watcher", "writes", "writes_to_store")

    def __init__(self, config: ObservedConfig, watcher: Watcher) -> None:
        self.config = config
        self.watcher = watcher
        self.steps = 0
        self.stopped = False
        self.end = 0
        self.host_changes: tuple[Change, ...] = ()
        self.writes = WritesOf(of_locals=True)
        self.writes_to_store = WritesOf(of_locals=False)

    def run(self, limit: int, stop: Stop | None = None, offsets: frozenset[int] = frozenset(), after: int = 0) -> bool:
        """Take up to `limit` steps; False once no rule applies any more.

        `stopped` tells afterwards whether `stop` asked for it, or an instruction at one of `offsets` (bytes) is next,
        which counts when more than `after` steps were taken. Raises what a step raises; the configuration is then in
        the middle of that step.
        """
        c, writes = self.config, self.writes_to_store
        self.end = self.steps + limit
        self.stopped = False
        while self.steps < self.end:
            ctx = c.ctx
            code, pc = ctx.code, ctx.pc
            if pc < len(code):
                function, operand, instr = code[pc]
                if offsets and instr.offset in offsets and self.steps > after and not ctx.rest:
                    self.stopped = True
                    break
                writer = writes[function]
                if writer is not None and (place := writer(c, operand, instr)) is not None:
                    self.watcher.before(place)
                ctx.pc = pc + 1
                rule = function(c, operand)
                if rule == VALUE:
                    continue
            elif ctx.rest:
                ctx.code, ctx.pc = ctx.rest.pop()
                continue
            elif ctx.kind == "top":
                return False
            else:
                rule = end_of_context(c)
            self.steps += 1
            if c.ctx is not ctx and c.ctx.pc == 0:
                self.carry(ctx)
            if stop is not None and stop(c, rule):
                self.stopped = True
                break
        return True

    def capture(self, limit: int, log: list[Any]) -> bool:  # noqa: PLR0912 — calls would cost more than the step
        """As `run`, but what each step did is appended to `log`, as the fields of a `Captured` by position."""
        c, writes, contexts = self.config, self.writes, self.config.contexts
        depth, size, taken = c.meter.depth, len(contexts), len(log)
        self.end = taken + limit
        try:
            while len(log) < self.end:
                ctx = c.ctx
                code, pc, vals, place, old = ctx.code, ctx.pc, ctx.vals, None, None
                if pc < len(code):
                    function, operand, instr = code[pc]
                    writer = writes[function]
                    if writer is nowhere:
                        ctx.pc = pc + 1
                        function(c, operand)
                        continue
                    if writer is not None and (place := writer(c, operand, instr)) is not None:
                        if writer is not local_set:  # a local is kept with the configuration
                            self.watcher.before(place)
                        old = read_place(place, MAX_CAPTURED)
                elif ctx.rest:
                    ctx.code, ctx.pc = ctx.rest.pop()
                    continue
                elif ctx.kind == "top":
                    return False
                height = len(vals)
                operands = tuple(vals if height <= MAX_CAPTURED else vals[-MAX_CAPTURED:])
                rest = tuple(ctx.rest) if ctx.rest else ()
                if pc < len(code):
                    ctx.pc = pc + 1
                    rule = function(c, operand)
                    if rule == VALUE:
                        continue
                else:
                    rule = end_of_context(c)
                changes = () if place is None else (written(place, old),)
                if c.ctx is ctx and rule not in OUTSIDE:
                    new = len(vals)
                    top = tuple(vals if new <= MAX_CAPTURED else vals[-MAX_CAPTURED:])
                    inserted = None if ctx.code is code else ctx.code
                    log.append((rule, ctx, depth, code, pc, rest, height, operands, changes, new, top, inserted))
                else:
                    crossed = self.crossed(rule, ctx, size, changes)
                    log.append((rule, ctx, depth, code, pc, rest, height, operands, *crossed))
                    depth, size = c.meter.depth, len(contexts)
            return True
        finally:
            self.steps += len(log) - taken

    def carry(self, source: Context) -> None:
        """The innermost context is another one now, and at the start of its code. If `source` was left for it, note
        where its operands went."""
        c = self.config
        if c.ctx.rest:
            before = c.carried if c.carried is not None and c.carried.ctx is source else None
            at = Position(source.kind, source.frame, source.code, source.pc - 1, tuple(source.rest), carried=before)
            vals = source.vals
            c.carried = Carried(c.ctx, c.ctx.code, at, len(vals), vals[-1] if vals else None, catches_of(source))

    def crossed(self, rule: str, ctx: Context, size: int, changes: tuple[Change, ...]) -> tuple[Any, ...]:
        """The rest of a `Captured` for a step that entered or left contexts, of which there were `size`, or called the
        host."""
        c = self.config
        now, vals = c.ctx, c.vals
        if len(c.contexts) > size:
            return (changes, 0, (), None, tuple(map(entered, c.contexts[size:])))
        new = len(vals)
        top = tuple(vals if new <= MAX_CAPTURED else vals[-MAX_CAPTURED:])
        inserted = now.code if now.pc == 0 and now.rest else None
        if now is ctx:
            if rule == HOST_CALL:
                return (self.host_changes, new, top, inserted)
            around = c.contexts[-2]
            every = around.code[around.pc - 1][2].immediates[1]
            return (changes, new, top, inserted, ((ctx, ctx.code, (), every[-len(catches_of(ctx)) - 1 :]),))
        carried = c.carried
        if now.pc == 0:
            self.carry(ctx)
        return (changes, new, top, inserted, (), c.outer, *c.opener, carried)


def written(place: Place, old: Any) -> Change:
    """A place that was just written; where something was appended, up to the end that there is now."""
    owner, attribute, start, stop = place
    if start is not None and stop is None:
        place = owner, attribute, start, len(getattr(owner, attribute))
    return place, old, read_place(place, MAX_CAPTURED)


def entered(ctx: Context) -> Entered:
    """A context as it is now."""
    held: Sequence[Any] = ctx.frame.locals if ctx.kind == "frame" else catches_of(ctx)
    return ctx, ctx.code, tuple(ctx.vals[:MAX_CAPTURED]), tuple(held[:MAX_CAPTURED])


def catches_of(ctx: Context) -> tuple[Catch, ...]:
    """The catch clauses of a handler that are still to be tried; none of other contexts."""
    return ctx.catches if isinstance(ctx, Handler) else ()


def run_watched(c: ObservedConfig, watcher: Watcher) -> list[Any]:
    """config ~>* val*, as `interp.reference.machine.run`, the watcher told of what is overwritten.  Raises what it
    raises."""
    try:
        Observer(c, watcher).run(sys.maxsize)
    except ExecutionError as error:
        c.locate(error)
        raise
    return c.results()
