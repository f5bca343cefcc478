"""Function bodies in the making: locals, labels, how much may still be written, and how long it may run.

Productions write code for a goal: `value` productions leave one value of a type, `statement` productions leave the
operand stack as it was. They are registered with a weight, and give None where they cannot be used, before they have
changed anything. Operands may have statements between them, so values wait on the stack while anything happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from conformance.lockstep.choices import Choices
from conformance.lockstep.grammar.constants import const, constant
from conformance.lockstep.grammar.notes import note, summary
from conformance.lockstep.grammar.plan import Plan, ins
from interp.syntax import modules as m
from interp.syntax.instructions import BY_MNEMONIC, BlockType, Instr
from interp.syntax.types import FuncType, RefType, ResultType, TypeIdx, ValType

Code = list[Instr]
MAX_TICKS = 400
"""Function entries and backward branches of one call, as far as they can be told in advance."""

MAX_REPEATS = 24
"""How often the loops around an instruction may let it run."""

TRIES = 5
"""Productions that are tried before the simplest one is taken."""

MAX_NEAR = 6
"""Locals of a type among which one is chosen to be read: the latest ones, so that what was computed is used."""

MAX_DEPTH = 7
"""Blocks and operands that are nested by chance; deeper nesting is made on purpose."""


@dataclass(slots=True)
class Label:
    """What a branch to a block takes; `ends` is false for loops, which are not branched back to just so."""

    types: ResultType
    ends: bool = True


class Body:
    """The body of function number `number` of a plan's own functions.

    `protected` locals control how long something runs and are only read, `hidden` ones have no value everywhere.
    `repeats` is how often the code that is being written may run in one call of the function, `ticks` what of fuel a
    call may take.
    """

    def __init__(self, plan: Plan, c: Choices, number: int, ticks_of: Sequence[int]) -> None:
        self.plan = plan
        self.c = c
        self.number = number
        self.type = plan.funcs[number]
        self.index = len(plan.imports) + number
        self.locals: list[ValType] = list(self.type.params)
        self.protected: set[int] = set()
        self.hidden: set[int] = set()
        self.labels: list[Label] = [Label(self.type.results)]
        self.left = plan.profile.size * c.between(50, 150) // 100
        self.depth = 0
        self.repeats = 1
        self.ticks = 1
        self._ticks_of = ticks_of
        self.is_leaf = number < plan.leaves

    # --- what there is

    def new_local(self, t: ValType) -> int:
        """One more local. One of a type without a default is for who asks for it: nobody else knows where it is set."""
        self.locals.append(t)
        if isinstance(t, RefType) and not t.null:
            self.hidden.add(len(self.locals) - 1)
        return len(self.locals) - 1

    def locals_of(self, t: ValType) -> list[int]:
        """Locals that hold a value of a type."""
        return [x for x, own in enumerate(self.locals) if x not in self.hidden and self.plan.matches(own, t)]

    def settable(self, t: ValType | None = None) -> list[int]:
        """Locals that may be set, to values of a type."""
        return [
            x
            for x, own in enumerate(self.locals)
            if x not in self.protected | self.hidden and (t is None or self.plan.matches(t, own))
        ]

    def some_local(self, t: ValType) -> int:
        """A local that may be set and holds exactly values of a type; a new one if there is none."""
        found = [x for x in self.settable() if self.locals[x] == t]
        return self.c.pick(found) if found and self.c.chance(75) else self.new_local(t)

    def enough(self) -> bool:
        """Whether what is written should come to an end."""
        return self.left <= 0 or self.depth > MAX_DEPTH

    def affordable(self, callee: int) -> bool:
        """Whether a function is written already, and a call of it fits in what a call of this one may take."""
        return callee < self.index and self.ticks + self.repeats * self.ticks_of(callee) <= MAX_TICKS

    def ticks_of(self, funcidx: int) -> int:
        """What a call of an earlier function may take; host functions that call back take as much as a leaf."""
        own = funcidx - len(self.plan.imports)
        return self._ticks_of[own] if own >= 0 else 20

    def charge(self, callee: int) -> None:
        """A call of a function is written here."""
        self.ticks += self.repeats * self.ticks_of(callee)

    # --- what is written

    def ins(self, mnemonic: str, *immediates: Any) -> Instr:
        """One instruction."""
        self.left -= 1
        return ins(mnemonic, *immediates)

    def const(self, t: ValType, value: Any) -> Instr:
        """A constant, integers of either sign."""
        self.left -= 1
        return const(t, value)

    def blocktype(self, ft: FuncType) -> BlockType:
        """A block type in its shortest form."""
        if ft.params or len(ft.results) > 1:
            return TypeIdx(self.plan.typeidx(ft))
        return ft.results[0] if ft.results else None

    def block(self, mnemonic: str, ft: FuncType, *parts: Any) -> Instr:
        """A block around bodies, which are lists; `parts` may begin with catch clauses."""
        self.left -= 1
        parts = tuple([tuple(part) for part in parts])
        return Instr(BY_MNEMONIC[mnemonic], (self.blocktype(ft), *parts), 0)

    @contextmanager
    def inside(self, label: Label, repeats: int = 1) -> Iterator[None]:
        """What is written meanwhile stands inside a block, and runs so many times as often."""
        before = self.repeats, self.depth
        self.labels.append(label)
        self.repeats *= repeats
        self.depth += 1
        try:
            yield
        finally:
            self.labels.pop()
            self.repeats, self.depth = before

    def value(self, t: ValType) -> Code:
        """Code that leaves a value of a type."""
        if not self.enough():
            self.depth += 1
            try:
                for _ in range(TRIES):
                    code = self.c.weighted(VALUES)(self, t)
                    if code is not None:
                        return code
            finally:
                self.depth -= 1
        return self.leaf(t)

    def leaf(self, t: ValType) -> Code:
        """The simplest code that leaves a value of a type: a constant or a local."""
        found = self.locals_of(t)[-MAX_NEAR:]
        if isinstance(t, RefType):
            if found and t.null and self.c.chance(60):
                return [self.ins("local.get", self.c.pick(found))]
            return self.some_reference(t)
        if found and self.c.chance(70):
            return [self.ins("local.get", self.c.pick(found))]
        return [self.const(t, constant(self.c, t))]

    def latest(self, t: ValType) -> Code:
        """The value of one of the latest locals, so that it is seen from outside."""
        found = self.locals_of(t)[-MAX_NEAR:] if not isinstance(t, RefType) or t.null else []
        return [self.ins("local.get", self.c.pick(found))] if found else self.value(t)

    def some_reference(self, t: RefType) -> Code:
        """A reference, made as simply as possible; null where that is allowed and nothing else is to be had."""
        first = self.c.below(len(REFERENCES))
        for make in REFERENCES[first:] + REFERENCES[:first]:
            code = make(self, t)
            if code is not None:
                return code
        if t.null:
            return [self.ins("ref.null", t.heaptype)]
        return [self.ins("ref.null", t.heaptype), self.ins("ref.as_non_null")]

    def operands(self, types: ResultType) -> Code:
        """Values of these types; now and then something happens while the first ones wait."""
        code: Code = []
        for k, t in enumerate(types):
            if k and not self.enough() and self.c.chance(14):
                code += self.disturb(code[-1])
            code += self.value(t)
        return code

    def disturb(self, last: Instr) -> Code:
        """A statement; one that sets the local that was just read, if one was."""
        if last.op.kind in ("local.get", "local.tee") and last.immediates[0] not in self.protected:
            x = last.immediates[0]
            return [*self.value(self.locals[x]), self.ins("local.set", x)]
        return self.statement()

    def statement(self) -> Code:
        """Code that leaves the stack as it was."""
        if self.enough():
            return []
        self.depth += 1
        try:
            for _ in range(TRIES):
                code = self.c.weighted(STATEMENTS)(self)
                if code is not None:
                    return code
        finally:
            self.depth -= 1
        return [self.ins("nop")]

    def statements(self, most: int) -> Code:
        """Some statements."""
        return [instr for _ in range(self.c.below(most + 1)) for instr in self.statement()]

    def discard(self, types: ResultType) -> Code:
        """Take values off the stack: drop them, or keep them in locals."""
        code: Code = []
        for t in reversed(types):
            found = self.settable(t)
            if found and self.c.chance(50):
                code.append(self.ins("local.set", self.c.pick(found)))
            elif self.plan.checksum is not None and not isinstance(t, RefType) and self.c.chance(25):
                code += note(self, t)
            else:
                code.append(self.ins("drop"))
        return code

    def sequence(self, ft: FuncType, most: int = 4) -> Code:
        """The body of a block whose label is in place already: from parameters on the stack to results."""
        code, waiting = self.take(ft.params)
        code += self.statements(most)
        label = self.labels[-1]
        if len(self.labels) == 1:
            code += summary(self)
            if self.c.chance(70):
                return code + self.discard(waiting) + [instr for t in ft.results for instr in self.latest(t)]
        if label.ends and self.c.chance(12):
            branch = "return" if len(self.labels) == 1 and self.c.chance(50) else "br"
            code += self.operands(ft.results)
            code.append(self.ins(branch, *((0,) if branch == "br" else ())))
            return code + self.unreachable(ft.results)
        if waiting != ft.results[: len(waiting)]:
            code += self.discard(waiting)
            waiting = ()
        return code + self.operands(ft.results[len(waiting) :])

    def take(self, params: ResultType) -> tuple[Code, ResultType]:
        """Begin with values on the stack: work on the last one, keep some in locals, leave others waiting. Also gives
        what then waits."""
        if not params:
            return [], ()
        if self.c.chance(35):
            return [], params
        waiting = params[: self.c.below(len(params))]
        return self.discard(params[len(waiting) :]), waiting

    def unreachable(self, results: ResultType) -> Code:
        """Code that is never run, up to the end of a block with these results, or only the last of them."""
        code: Code = []
        if self.enough() or self.c.chance(40):
            return code
        ticks = self.ticks
        for _ in range(self.c.below(3)):
            code += self.c.weighted(UNREACHABLE)(self)
        kept = self.c.below(len(results) + 1)
        code += self.operands(results[len(results) - kept :])
        self.ticks = ticks
        return code


Value = Callable[[Body, ValType], Code | None]
Statement = Callable[[Body], Code | None]
Reference = Callable[[Body, RefType], Code | None]
VALUES: list[tuple[int, Value]] = []
STATEMENTS: list[tuple[int, Statement]] = []
REFERENCES: list[Reference] = []
UNREACHABLE: list[tuple[int, Callable[[Body], Code]]] = [(2, Body.statement)]
"""The productions, with how often each is tried."""


def value(weight: int) -> Callable[[Value], Value]:
    """Register a production of values."""

    def register(production: Value) -> Value:
        VALUES.append((weight, production))
        return production

    return register


def statement(weight: int) -> Callable[[Statement], Statement]:
    """Register a production of statements."""

    def register(production: Statement) -> Statement:
        STATEMENTS.append((weight, production))
        return production

    return register


def finish(body: Body, code: Code) -> m.Func:
    """The function."""
    params = len(body.type.params)
    return m.Func(body.plan.typeidx(body.type), tuple(body.locals[params:]), tuple(code), 0, 0)
