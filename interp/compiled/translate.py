"""From a validated function to basic blocks: the operand stack becomes expression trees, control becomes edges.

Instructions are taken one by one, with a stack of pending expressions instead of values and a stack of the blocks that
are open. An expression waits on the stack until it is used, unless a local or global that it reads is about to change:
then it is settled into a temporary. Code that cannot be reached is not translated.

What is known of integers is followed along the edges. At the start of a loop it is guessed from what holds before it;
if a branch back does not keep to a guess, the function is translated once more without it.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.compiled.counting import derive
from interp.compiled.facts import FULL, RULES, WIDTH, Facts, constant, join, narrow, refine, trailing_zeros
from interp.compiled.guesses import Guesses, Turn
from interp.compiled.labels import Label, Region, exit_number, is_temp
from interp.compiled.scan import assigned
from interp.compiled.simplify import COMMUTATIVE, simplify
from interp.compiled.tree import (
    CONST,
    VAR,
    Assign,
    Block,
    Branch,
    Definitions,
    Do,
    Exit,
    Expr,
    Function,
    Jump,
    Last,
    Origins,
    Return,
    State,
)
from interp.execution.values import MASK
from interp.syntax.instructions import Instr
from interp.syntax.modules import Func
from interp.syntax.types import I32, I64, FuncType, ValType
from interp.validation.context import Context

MAX_SIZE = 24
"""Operators of one expression; a larger one is settled, since Python nests parentheses only so deep."""

MAX_DEFINITION = 3
"""Operators of an expression that a local is remembered to have been assigned."""

MAX_PASSES = 5
"""Translations of one function, until nothing is guessed any more."""

FULL_I32, FULL_I64 = FULL[I32], FULL[I64]

MEMORY_END = (1 << 32) - (1 << 16)
"""Where a memory of i32 addresses ends at the latest, unless it begins with 4 GiB: it may grow to one page less (see
`interp.execution.runtime`), so that an address that was just used can be stepped over what was there."""

Handlers = dict[str, Callable[["Translator", Instr], None]]
HANDLERS: Handlers = {}


def translates(*kinds: str) -> Callable[[Callable[[Translator, Instr], None]], Callable[[Translator, Instr], None]]:
    """Register what translates instructions of these kinds."""

    def register(function: Callable[[Translator, Instr], None]) -> Callable[[Translator, Instr], None]:
        HANDLERS.update(dict.fromkeys(kinds, function))
        return function

    return register


class Translator:
    """Translates one function."""

    def __init__(self, context: Context, func: Func, memory_end: int = MEMORY_END) -> None:
        self.context = context
        self.memory_end = memory_end
        self.func = func
        self.functype: FuncType = context.functype(func.typeidx)
        self.local_types: list[ValType] = [*self.functype.params, *map(context.close_valtype, func.locals)]
        self.assigned = assigned(func.body)
        self.loops: Guesses = Guesses(self.assigned, self.local_types)
        self.end = func.offset + func.size - 1

    def translate(self) -> Function:
        """The function as basic blocks."""
        for _ in range(MAX_PASSES):
            self.loops.begin()
            function = self.run()
            if self.loops.hold():
                return function
        self.loops.give_up()
        return self.run()

    def run(self) -> Function:
        """One translation."""
        n = len(self.functype.params)
        params = tuple([f"l{x}" for x in range(n)])
        self.types: dict[str, ValType] = {f"l{x}": t for x, t in enumerate(self.local_types)}
        self.function = Function(params, self.functype.results, self.types, [])
        self.temps = self.joins = 0
        self.stack: list[Expr] = []
        self.region = Region()
        self.current: Block | None = None
        self.facts: Facts = {}
        self.definitions: Definitions = {}
        self.origins: Origins = {}
        self.last: Last = None
        self.set = (1 << n) - 1
        self.unset: set[int] = set()
        self.position = 0
        for x in range(n, len(self.local_types)):
            if self.local_types[x] in WIDTH:
                self.facts[f"l{x}"] = constant(0)
        self.labels = [Label("func", self.region, (), 0, iter(self.func.body))]
        self.place(Block(None))
        self.walk()
        self.function.blocks = self.region.blocks
        self.function.defaults = [f"l{x}" for x in sorted(self.unset)]
        return self.function

    def walk(self) -> None:
        """Translate all code, without recursion however deep the blocks are nested."""
        while self.labels:
            label = self.labels[-1]
            for instr in label.code:
                if self.current is None:
                    break
                self.position = instr.offset
                handler = HANDLERS.get(instr.op.kind)
                if handler is None:
                    self.apply(instr)
                else:
                    handler(self, instr)
                if self.labels[-1] is not label:
                    break
            if self.labels[-1] is label:
                self.close(label)

    # ---- The stack of pending expressions.

    def push(self, e: Expr) -> None:
        """One more pending expression; a large one is settled at once."""
        if e.size > MAX_SIZE:
            e = self.settled(e, 0)
        self.stack.append(e)

    def pop_n(self, n: int) -> tuple[Expr, ...]:
        """The last n pending expressions, which are used now."""
        if not n:
            return ()
        args = tuple(self.stack[-n:])
        del self.stack[-n:]
        return args

    def temp(self, t: ValType) -> str:
        """A new temporary."""
        self.temps += 1
        name = f"t{self.temps}"
        self.types[name] = t
        return name

    def join_names(self, ts: tuple[ValType, ...]) -> tuple[str, ...]:
        """Variables for the values that are there where control joins."""
        names = []
        for t in ts:
            self.joins += 1
            names.append(f"r{self.joins}")
            self.types[names[-1]] = t
        return tuple(names)

    def var(self, name: str) -> Expr:
        """A variable, with what is known of it."""
        t = self.types[name]
        reads = 1 << int(name[1:]) if name[0] == "l" else 0
        e = Expr(VAR, t, imm=name, reads=reads)
        if t is I32:
            e.lo, e.hi, e.zeros = self.facts.get(name, FULL_I32)
        elif t is I64:
            e.lo, e.hi, e.zeros = self.facts.get(name, FULL_I64)
        return e

    def const(self, t: ValType, value: Any) -> Expr:
        """A constant."""
        e = Expr(CONST, t, imm=value)
        if t is I32 or t is I64:
            e.lo = e.hi = value
            e.zeros = trailing_zeros(value)
        return e

    def settled(self, e: Expr, offset: int) -> Expr:
        """A temporary that holds the expression from now on."""
        name = self.temp(e.type)
        self.assign((name,), (e,), offset)
        return self.var(name)

    def settle(self, condition: Callable[[Expr], bool], offset: int) -> None:
        """Settle the pending expressions for which the condition holds."""
        for index, e in enumerate(self.stack):
            if e.op != CONST and condition(e):
                self.stack[index] = self.settled(e, offset)

    def settle_globals(self, offset: int) -> None:
        """A global is about to change."""
        self.settle(lambda e: e.reads_global, offset)

    def settle_all(self, offset: int) -> None:
        """Control is about to leave the block: only constants and temporaries go on waiting."""
        self.settle(lambda e: not is_temp(e), offset)

    # ---- Statements.

    def assign(self, names: tuple[str, ...], exprs: tuple[Expr, ...], offset: int) -> None:
        """names := exprs"""
        self.here().statements.append(Assign(names, exprs, offset))
        for name, e in zip(names, exprs, strict=True):
            self.learn(name, e)

    def learn(self, name: str, e: Expr) -> None:
        """A variable has the value of an expression now."""
        t = e.type
        if name[0] == "l":
            self.define(name, e)
        if t is I32 or t is I64:
            self.facts[name] = (e.lo, e.hi, e.zeros)
            if self.origins:
                self.originate(name, e)

    def originate(self, name: str, e: Expr) -> None:
        """Note what a variable has to do with the values that locals had at the start of this turn of a loop."""
        c = 0
        if e.op == "iadd" and e.args[1].op == CONST:
            e, c = e.args[0], e.args[1].imm
        found = self.origins.get(e.imm) if e.op == VAR else None
        self.origins.pop(name, None)
        if found is not None:
            loop, x, added = found
            self.origins[name] = loop, x, added + c & MASK[WIDTH[e.type]]

    def define(self, name: str, e: Expr) -> None:
        """A local is assigned: what was known of it, or by way of it, is not known any more."""
        mask = 1 << int(name[1:])
        self.set |= mask
        if self.last is not None and self.last[0].reads & mask:
            self.last = None
        kept = self.definitions
        if kept:
            kept = {other: known for other, known in kept.items() if other != name and not known.reads & mask}
        if e.size <= MAX_DEFINITION and e.reads and not e.reads & mask and not e.reads_global and e.type in WIDTH:
            kept = {**kept, name: e}
        self.definitions = kept

    def here(self) -> Block:
        """The block that is being filled."""
        if self.current is None:
            raise RuntimeError("code that cannot be reached is not translated")
        return self.current

    def do(self, instr: Instr, args: tuple[Expr, ...], ts: tuple[ValType, ...]) -> tuple[Expr, ...]:
        """Apply an instruction with effects; its results."""
        names = tuple(map(self.temp, ts))
        self.here().statements.append(Do(instr, args, names))
        return tuple([self.var(name) for name in names])

    def push_do(self, instr: Instr, args: tuple[Expr, ...], *ts: ValType) -> None:
        """Apply an instruction with effects and push its results."""
        self.stack.extend(self.do(instr, args, ts))

    def apply(self, instr: Instr) -> None:
        """An instruction whose meaning is a numerics function of its operands alone."""
        op = instr.op
        if op.type is None or op.sem is None:
            raise NotImplementedError(op.mnemonic)
        args = self.pop_n(len(op.type.params))
        self.push(self.expr(op.sem.__name__, op.type.results[0], args, op.params))

    def expr(self, op: str, t: ValType, args: tuple[Expr, ...], params: tuple[Any, ...]) -> Expr:
        """An expression, in its simplest form, with what is known of it."""
        if op == "iadd" and args[0].op == VAR and args[0].hi > self.facts.get(args[0].imm, FULL_I64)[1]:
            # Something was learned of the variable while its value waited.
            args = (self.var(args[0].imm), args[1])
        if op in COMMUTATIVE and args[0].op == CONST:
            args = (args[1], args[0])
        simple = simplify(self, op, t, args, params)
        if simple is not None:
            return simple
        e = Expr(op, t, args, params)
        rule = RULES.get(op)
        if t in WIDTH:
            e.lo, e.hi, e.zeros = FULL[t] if rule is None else rule(*params, *args)
        return e

    # ---- Blocks and edges.

    def place(self, block: Block) -> None:
        """The block follows here; what is known at its start is what holds on all edges to it."""
        block.index = len(self.region.blocks)
        block.outer = self.region.header
        self.region.blocks.append(block)
        self.current = block
        state = block.state
        if state is not None:
            self.facts, self.definitions, self.last = dict(state.facts), state.definitions, state.last
            self.origins, self.set = state.origins, state.set

    def edge(self, target: Block, facts: Facts | None = None, last: Last = None) -> Block:
        """Control may go from here to `target`; `facts` hold then, and `last` if it came from nowhere else."""
        facts = self.facts if facts is None else facts
        if target.index >= 0:
            target.back_edges += 1
            self.check_guesses(target, facts, last)
            return target
        target.sources.append(self.here())
        state = target.state
        if state is None:
            target.state = State(dict(facts), self.definitions, dict(self.origins), last, self.set)
        else:
            state.facts = {name: join(fact, facts[name]) for name, fact in state.facts.items() if name in facts}
            mine = self.definitions
            state.definitions = {name: e for name, e in state.definitions.items() if mine.get(name) is e}
            if state.origins:
                known = self.origins
                state.origins = {name: origin for name, origin in state.origins.items() if known.get(name) == origin}
            state.last = None
            state.set &= self.set
        return target

    def fork(self, condition: Expr, then: Block, otherwise: Block) -> None:
        """Edges to two blocks, by a condition."""
        taken = dict(self.facts)
        self.refine(taken, condition, True)
        self.refine(self.facts, condition, False)
        self.edge(then, taken, (condition, True))
        self.edge(otherwise, self.facts, (condition, False))

    def refine(self, facts: Facts, condition: Expr, holds: bool) -> None:
        """Add to `facts` what follows from a condition: of the variables in it, of those they are defined by, and of
        those that are defined by these."""
        refine(facts, condition, holds)
        reads = condition.reads
        if not reads:
            return
        for name, e in self.definitions.items():
            if reads >> int(name[1:]) & 1 and name in facts:
                lo, hi, _ = facts[name]
                narrow(facts, e, lo, hi)
                reads |= e.reads
        for name, e in self.definitions.items():
            if e.reads & reads:
                lo, hi, zeros = facts.get(name) or FULL[e.type]
                derived = derive(e, facts)
                lo, hi = max(lo, derived[0]), min(hi, derived[1])
                if lo <= hi:
                    facts[name] = lo, hi, max(zeros, derived[2])

    def check_guesses(self, header: Block, facts: Facts, last: Last) -> None:
        """A branch back to a loop: note the guesses that do not hold there."""
        label = next(label for label in reversed(self.labels) if label.start is header)
        self.loops.check(label, header, self.types, Turn(facts, self.origins, last, self.position))

    def jump(self, target: Block) -> None:
        """End the block: go on at `target`."""
        self.here().terminator = Jump(self.edge(target, None, self.last))
        self.current = None

    def goto(self, label: Label, offset: int) -> None:
        """End the block with a branch to a label; its values are the last ones on the stack."""
        values = self.values(label)
        if label.kind == "func":
            self.here().terminator = Return(values, offset)
            self.current = None
            return
        if values:
            self.assign(label.names, values, offset)
        self.go(label)

    def values(self, label: Label) -> tuple[Expr, ...]:
        """The pending expressions that a branch to a label takes along."""
        n = len(self.functype.results) if label.kind == "func" else len(label.names)
        return tuple(self.stack[len(self.stack) - n :])

    def go(self, label: Label) -> None:
        """End the block with a branch to a label whose values are assigned."""
        if label.region is not self.region:
            number = exit_number(self.region, label)
            facts = self.region.facts
            if number == len(facts):
                facts.append(dict(self.facts))
            else:
                facts[number] = {
                    name: join(fact, self.facts[name]) for name, fact in facts[number].items() if name in self.facts
                }
            self.here().terminator = Exit(number)
            self.current = None
            return
        if label.target is None:
            label.target = Block(None)
        self.jump(label.target)

    def direct(self, label: Label) -> Block | None:
        """The block that a branch to a label leads to, if nothing needs to be done on the way."""
        if label.kind == "func" or label.names or label.region is not self.region:
            return None
        if label.target is None:
            label.target = Block(None)
        return label.target

    def branch_if(self, condition: Expr, label: Label, offset: int) -> None:
        """Branch to a label if the condition holds, else go on behind."""
        block, rest = self.here(), Block(None)
        self.function.reused.update([e.imm for e in self.values(label) if is_temp(e)])
        target = self.direct(label)
        if target is not None:
            self.fork(condition, target, rest)
        else:
            target = Block(None)
            self.fork(condition, target, rest)
            self.place(target)
            self.goto(label, offset)
        block.terminator = Branch(condition, target, rest)
        self.place(rest)

    def label(self, l: int) -> Label:  # noqa: E741 — the specification's letter
        """The label of that index."""
        return self.labels[-1 - l]

    def close(self, label: Label) -> None:
        """The end of a block, or of one arm of an `if`."""
        if self.current is not None:
            if label.kind == "loop":
                self.leave_loop(label)
            elif label.target is not None or label.kind != "block":
                self.goto(label, self.end)
        if self.current is None:
            del self.stack[label.height :]
        if label.else_block is not None:
            self.place(label.else_block)
            label.else_block = None
            label.code = iter(label.otherwise)
            self.stack.extend(label.params)
            return
        self.labels.pop()
        if label.kind == "loop":
            self.region.header = label.outer_header
        elif label.kind == "try_table":
            self.close_region(label)
        if label.target is not None and label.target.sources and label.kind != "loop":
            self.place(label.target)
            self.stack.extend([self.var(name) for name in label.names])

    def leave_loop(self, label: Label) -> None:
        """What follows a loop that is begun anew somewhere is a block outside of it."""
        if label.start is not None and label.start.back_edges:
            rest = Block(None)
            self.settle_all(self.end)
            self.jump(rest)
            self.region.header = label.outer_header
            self.place(rest)

    def close_region(self, label: Label) -> None:
        """The end of the body of a `try_table`: go on outside where its code branched to."""
        region = self.region
        try_ = label.try_
        if try_ is None:
            raise RuntimeError("not the label of a try_table")
        self.region = label.region
        self.current = origin = label.start
        for outside, facts in zip(region.exits, region.facts, strict=True):
            block = Block(None)
            block.sources.append(self.here())
            block.state = State(facts, {}, {}, None, label.set)
            try_.exits.append(block)
            self.place(block)
            self.go(outside) if outside.kind != "func" else self.goto(outside, self.end)
            self.current = origin
        for handler in try_.handlers:
            handler.target.sources.append(self.here())
            handler.target.state = State({}, {}, {}, None, label.set)
            self.place(handler.target)
            outside = label.around[handler.catch.labelidx]
            self.stack.extend([self.var(name) for name in handler.names])
            self.goto(outside, label.offset)
            del self.stack[label.height :]
            self.current = origin
        self.current = None
