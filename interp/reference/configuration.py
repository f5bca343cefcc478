"""Configurations (specification 4.2.13): the state of the machine between two steps.

The specification writes a configuration as one nested term, `label_n{…} (… label_m{…} …) end`, and lets a step happen
deep inside it. Here the path to that place is kept as a stack of contexts, so that a step costs the same at any depth.
Each context has its own operands and the instructions that follow; `config.ctx` is the innermost one.

Instructions are prepared before they run: a `Point` is the rule function of the instruction, the operand that the
function needs, and the instruction itself. A rule that rewrites an instruction into others puts their points in front
of the rest (`insert`).

Spec: exec/runtime#configurations
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from interp.binary.names import function_names
from interp.errors import BacktraceFrame, ExecutionError, Trap, TrapKind
from interp.execution.meter import Meter
from interp.execution.runtime import FuncInst, ModuleInst, Store
from interp.syntax.instructions import Expr, Instr, Op
from interp.syntax.types import DefType, FuncType, TypeIdx, as_functype

VALUE = ""
"""What a point returns that is a value already: the specification has no rule for it, and no step is counted."""

HOST_CALL = "host-call"
"""The name of the one reduction that the specification describes but does not name: a host function is called."""

MAX_BACKTRACE = 64
"""Functions named in the backtrace of a trap."""

RuleFunction = Callable[["Config", Any], str]
Point = tuple[RuleFunction, Any, Instr]
Code = tuple[Point, ...]


@dataclass(slots=True, eq=False)
class Frame:
    """frame: the locals of an active function and its module instance.  Spec: exec/runtime#activation-frames"""

    locals: list[Any]
    module: ModuleInst
    func: FuncInst | None = None


@dataclass(slots=True, eq=False)
class Context:
    """One context of the zipper, of kind "label", "handler", "frame", or "top" for the outermost.

    `arity` counts the values that a branch to a label, or a return from a frame, takes along; a branch to the label of
    a `loop` starts the loop again. `rest` holds what follows `code` as (code, pc), the next last.
    """

    kind: str
    code: Code
    arity: int
    frame: Frame
    loop: bool = False
    pc: int = 0
    vals: list[Any] = field(default_factory=list)
    rest: list[tuple[Code, int]] = field(default_factory=list)
    waiting: int = 0

    def empty(self) -> bool:
        """Whether nothing is left in this context, neither values nor instructions."""
        return not self.vals and self.pc == len(self.code) and all(pc == len(code) for code, pc in self.rest)

    def clear(self) -> None:
        """Drop the values and the instructions."""
        self.vals.clear()
        self.rest.clear()
        self.code, self.pc = (), 0


SLOTS_PER_CONTEXT = 4
"""What a context counts for in the limit of the locals and operands of all active functions."""


class Config:
    """config: store, frame and instructions. Unless `observed`, a rule that the specification applies once for each
    element of a range may be applied to the whole range in one step.

    `ended` is the trap or the uncaught exception that the computation ends with; `thrown` the exception on its way to
    a handler, and `thrown_at` the functions that were active where it was thrown.
    """

    __slots__ = ("contexts", "ctx", "ended", "frame", "meter", "observed", "store", "thrown", "thrown_at", "vals")

    def __init__(self, store: Store, frame: Frame, code: Code, observed: bool = False) -> None:
        self.store = store
        self.meter: Meter = store.meter
        self.observed = observed
        self.ended: ExecutionError | None = None
        self.thrown: Any = None
        self.thrown_at: tuple[BacktraceFrame, ...] = ()
        self.contexts: list[Context] = []
        self.vals: list[Any] = []
        self.enter(Context("top", code, 0, frame))

    def enter(self, ctx: Context) -> None:
        """Make `ctx` the innermost context; what waits around it takes memory until it is left."""
        if self.contexts:
            ctx.waiting = waiting = len(self.vals) + SLOTS_PER_CONTEXT
            self.meter.slots += waiting
        self.contexts.append(ctx)
        self.ctx = ctx
        self.vals = ctx.vals
        self.frame = ctx.frame

    def leave(self) -> Context:
        """Leave the innermost context, which is returned."""
        left = self.contexts.pop()
        self.meter.slots -= left.waiting
        if left.kind == "frame":
            self.meter.pop(len(left.frame.locals))
        self.ctx = ctx = self.contexts[-1]
        self.vals = ctx.vals
        self.frame = ctx.frame
        return left

    def insert(self, code: Code) -> None:
        """Put points in front of the instructions that follow."""
        ctx = self.ctx
        if ctx.pc < len(ctx.code):  # nothing is kept where nothing follows, so that tail calls do not grow
            ctx.rest.append((ctx.code, ctx.pc))
        ctx.code = code
        ctx.pc = 0

    def trap(self, kind: TrapKind, rule: str) -> str:
        """The instruction reduces to `trap`, by `rule`."""
        self.ended = Trap(kind, self.backtrace())
        self.insert(((trap, None, self.current()),))
        return rule

    def call_host(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """The results of a host function, which may call into the store."""
        if func.host is None:
            raise TypeError("function without code or host")
        results: Sequence[Any] = func.host(*args)
        return results

    def locate(self, error: ExecutionError) -> None:
        """Give an error that does not say where it happened the functions that are active."""
        if not error.backtrace:
            error.backtrace = self.backtrace()

    def results(self) -> list[Any]:
        """The values that a finished computation left.  Raises the trap or the exception that it ended with."""
        if self.ended is not None:
            raise self.ended
        return self.vals

    def current(self) -> Instr:
        """The instruction whose rule is being applied."""
        return self.ctx.code[self.ctx.pc - 1][2]

    def backtrace(self, limit: int = MAX_BACKTRACE) -> tuple[BacktraceFrame, ...]:
        """The active functions, innermost first, each with the instruction that it is at; `limit` at most."""
        frames: list[BacktraceFrame] = []
        offset: int | None = None
        for ctx in reversed(self.contexts):
            if offset is None and ctx.pc:
                offset = ctx.code[ctx.pc - 1][2].offset
            func = ctx.frame.func
            if ctx.kind == "frame" and func is not None:
                frames.append(BacktraceFrame(func.funcidx, function_name(func), offset))
                offset = None
                if len(frames) == limit:
                    break
        return tuple(frames)


def function_name(func: FuncInst) -> str | None:
    """The name of a function in the name section of its module."""
    module = func.module
    if module is None:
        return None
    if module.names is None:
        module.names = function_names(module.module)
    return module.names.get(func.funcidx)


def trap(c: Config, _: Any) -> str:
    """trap consumes what stands around it, then the contexts one by one."""
    ctx = c.ctx
    instr = c.current()
    if not ctx.empty():
        ctx.clear()
        ctx.code = ((trap, None, instr),)
        return "Step_pure/trap-instrs"
    if ctx.kind == "top":
        ctx.code, ctx.pc = (), 0
        return VALUE
    c.leave()
    c.insert(((trap, None, instr),))
    return f"Step_pure/trap-{ctx.kind}"


@dataclass(slots=True, eq=False)
class Block:
    """A block ready to be entered: the number of its parameters, the arity of its label, its code (on first entry)."""

    params: int
    arity: int
    loop: bool
    body: Expr
    types: list[DefType]
    _code: Code | None = None

    @property
    def code(self) -> Code:
        """The prepared instructions."""
        if self._code is None:
            self._code = prepare(self.body, self.types)
        return self._code


Prepare = Callable[[Instr, list[DefType]], Any]
RULES: dict[str, Callable[[Op], RuleFunction]] = {}
OPERANDS: dict[str, Prepare] = {}
RULE_NAMES: set[str] = {
    "Step_pure/trap-instrs",
    "Step_pure/trap-label",
    "Step_pure/trap-handler",
    "Step_pure/trap-frame",
}
KINDS: dict[RuleFunction, str] = {}
"""The kind of instruction that each rule function reduces; of a family, once an instruction of it was prepared."""

NAMES: dict[str, tuple[str, ...]] = {}
"""The rules of each kind of instruction; none for those that are values."""

_functions: dict[Op, RuleFunction] = {}


def family(kind: str, *names: str) -> Callable[[Callable[[Op], RuleFunction]], Callable[[Op], RuleFunction]]:
    """Register what makes the rule function of each row of a kind; `names` are the rules it applies."""

    def register(make: Callable[[Op], RuleFunction]) -> Callable[[Op], RuleFunction]:
        RULES[kind] = make
        NAMES[kind] = names
        RULE_NAMES.update(names)
        return make

    return register


def rule(kind: str, *names: str) -> Callable[[RuleFunction], RuleFunction]:
    """Register the one rule function of a kind of instruction; `names` are the rules it applies."""

    def register(function: RuleFunction) -> RuleFunction:
        RULES[kind] = lambda op: function
        KINDS[function] = kind
        NAMES[kind] = names
        RULE_NAMES.update(names)
        return function

    return register


def operand(*kinds: str) -> Callable[[Prepare], Prepare]:
    """Register what prepares the operand of a kind; without it the operand is the immediate, or all of them."""

    def register(function: Prepare) -> Prepare:
        OPERANDS.update(dict.fromkeys(kinds, function))
        return function

    return register


def point(instr: Instr, types: list[DefType]) -> Point:
    """The point of an instruction in a module with these types."""
    op = instr.op
    function = _functions.get(op)
    if function is None:
        function = _functions[op] = RULES[op.kind](op)
        KINDS[function] = op.kind
    prepared = OPERANDS.get(op.kind)
    if prepared is not None:
        return (function, prepared(instr, types), instr)
    immediates = instr.immediates
    return (function, immediates[0] if len(immediates) == 1 else immediates, instr)


def prepare(expr: Expr, types: list[DefType]) -> Code:
    """The points of a sequence of instructions; inner blocks wait until they are entered."""
    return tuple([point(instr, types) for instr in expr])


def block_of(instr: Instr, body: Expr, types: list[DefType], loop: bool = False) -> Block:
    """The block of a `block`, a `loop`, or one arm of an `if`.  Spec: exec/instructions#blocks"""
    blocktype = instr.immediates[0]
    ft = FuncType((), ()) if blocktype is None else FuncType((), (blocktype,))
    if isinstance(blocktype, TypeIdx):
        ft = as_functype(types[blocktype.index])
    return Block(len(ft.params), len(ft.params if loop else ft.results), loop, body, types)
