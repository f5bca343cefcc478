"""Translation of parametric and control instructions: blocks, branches, calls, exceptions.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from interp.compiled.counting import Count, counted, secondary
from interp.compiled.facts import FULL, WIDTH, Fact, Facts
from interp.compiled.labels import Label, Region, is_temp
from interp.compiled.translate import Translator, translates
from interp.compiled.tree import (
    SELECT,
    Block,
    Branch,
    Do,
    Expr,
    Handler,
    Switch,
    TailCall,
    Try,
)
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.instructions import Catch, Instr
from interp.syntax.types import I32, AbsHeapType, FuncType, RefType, as_functype


@translates("unreachable", "throw", "throw_ref")
def unreachable(t: Translator, instr: Instr) -> None:
    """Control does not come behind it."""
    n = 0
    if instr.op.kind == "throw":
        n = len(t.context.tags[instr.immediates[0]].functype.params)
    elif instr.op.kind == "throw_ref":
        n = 1
    t.here().statements.append(Do(instr, t.pop_n(n), ()))
    t.current = None


@translates("nop")
def nop(t: Translator, instr: Instr) -> None:
    """Nothing."""


@translates("drop")
def drop(t: Translator, instr: Instr) -> None:
    """Forget an expression; an object that nothing else refers to is reclaimed at once."""
    e = t.stack.pop()
    if is_temp(e) and isinstance(e.type, RefType):
        t.assign((e.imm,), (t.const(e.type, None),), instr.offset)


@translates("select")
def select(t: Translator, instr: Instr) -> None:
    """Choose between two expressions, which have no effects."""
    a, b, condition = t.pop_n(3)
    type_ = a.type
    if instr.immediates:
        type_ = t.context.close_valtype(instr.immediates[0][0])
    t.push(t.expr(SELECT, type_, (condition, a, b), ()))


@translates("block")
def block(t: Translator, instr: Instr) -> None:
    """A label behind the block; nothing happens at its start."""
    ft = t.context.blocktype(instr.immediates[0])
    n = len(ft.params)
    t.settle_all(instr.offset)
    names = t.join_names(ft.results)
    label = Label("block", t.region, names, len(t.stack) - n, iter(instr.immediates[1]), instr.offset)
    t.labels.append(label)


@translates("loop")
def loop(t: Translator, instr: Instr) -> None:
    """A block that is begun anew: its parameters are variables, and what is known of what it assigns is guessed."""
    ft = t.context.blocktype(instr.immediates[0])
    t.settle_all(instr.offset)
    params = t.pop_n(len(ft.params))
    names = t.join_names(ft.params)
    if names:
        t.assign(names, params, instr.offset)
        for name in names:
            t.facts.pop(name, None)
    header = Block(None)
    guesses = guess(t, instr.offset)
    t.jump(header)
    label = Label("loop", t.region, names, len(t.stack), iter(instr.immediates[1]), instr.offset, header)
    label.start, label.guesses, label.outer_header = header, guesses, t.region.header
    header.offset = instr.offset
    t.place(header)
    t.region.header = header
    entry = t.facts
    changed = sum(1 << x for x in t.assigned[instr.offset].divisors)
    t.definitions = {name: e for name, e in t.definitions.items() if not (e.reads | 1 << int(name[1:])) & changed}
    begun = {
        f"l{x}": (instr.offset, f"l{x}", 0) for x in t.assigned[instr.offset].divisors if t.local_types[x] in WIDTH
    }
    t.origins = {name: origin for name, origin in t.origins.items() if name not in begun} | begun
    t.facts = {name: fact for name, fact in entry.items() if name not in guesses}
    t.facts.update({name: fact for name, fact in guesses.items() if fact != FULL[t.types[name]]})
    relation = t.loops.relations.get(instr.offset)
    count = None if relation is None else counted(t, relation, entry, header.state.last if header.state else None)
    if count is not None:
        label.relation = relation
        header.count = follow(t, label, count, entry)
    t.labels.append(label)
    t.stack.extend([t.var(name) for name in names])


def follow(t: Translator, label: Label, count: Count, entry: Facts) -> Count:
    """What follows from a loop being counted, of what it counts by and of the other locals that are stepped in it."""
    name, bound = count.relation.name, count.bound[1]
    steady, steps = True, t.loops.stepped.get(label.offset, {})
    if isinstance(count.step, str):
        steady = int(name[1:]) in t.assigned[label.offset].always and label.offset not in t.loops.unsteady
    others = {name: (count.step, count.fact)} if isinstance(count.step, int) else {}
    for other, step in steps.items() if steady else ():
        if other != name:
            N = WIDTH[t.types[other]]
            fact = secondary(entry.get(other) or FULL[t.types[other]], step, count.turns, N)
            if fact is not None:
                others[other] = (step if step < SIGN[N] else step - MODULUS[N], fact)
    for other, (_, fact) in [(name, (0, count.fact)), *others.items()]:
        t.facts[other] = fact
        label.guesses.pop(other, None)
    define_others(t, name, others, entry)
    needed = {*others, name} if bound is None else {*others, name, bound}
    starts = {other: entry.get(other) or FULL[t.types[other]] for other in needed}
    return replace(count, steady=steady, others=others, starts=starts)


def define_others(t: Translator, name: str, others: dict[str, tuple[int, Fact]], entry: Facts) -> None:
    """The other stepped locals of a counted loop by what it counts by, where both begin at known numbers: what a
    condition says of one then says something of the others."""
    start, step = entry.get(name), others.get(name, (0,))[0]
    if start is None or start[0] != start[1] or not step:
        return
    type_ = t.types[name]
    N = WIDTH[type_]
    for other, (size, _) in others.items():
        begin = entry.get(other)
        if other == name or begin is None or begin[0] != begin[1] or size % step or t.types[other] is not type_:
            continue
        ratio = size // step
        part = times(t, t.var(name), abs(ratio), N)
        c = t.const(type_, begin[0] - ratio * start[0] & MASK[N])
        t.definitions[other] = (
            t.expr("iadd", type_, (part, c), (N,)) if ratio > 0 else t.expr("isub", type_, (c, part), (N,))
        )


def times(t: Translator, e: Expr, n: int, N: int) -> Expr:
    """An integer times a number; a shift if that does."""
    if n & (n - 1):
        return t.expr("imul", e.type, (e, t.const(e.type, n & MASK[N])), (N,))
    return t.expr("ishl", e.type, (e, t.const(e.type, n.bit_length() - 1)), (N,))


def guess(t: Translator, offset: int) -> dict[str, Fact]:
    """What is guessed of the integers that a loop assigns."""
    guesses: dict[str, Fact] = {}
    for x, divisor in t.assigned[offset].divisors.items():
        name, type_ = f"l{x}", t.local_types[x]
        if type_ in WIDTH:
            guesses[name] = t.loops.fact((offset, name), t.facts.get(name) or FULL[type_], divisor, type_)
    return guesses


@translates("if")
def if_(t: Translator, instr: Instr) -> None:
    """Two arms; both find the parameters on the stack."""
    blocktype, then, otherwise = instr.immediates
    ft = t.context.blocktype(blocktype)
    (condition,) = t.pop_n(1)
    t.settle_all(instr.offset)
    params = t.pop_n(len(ft.params))
    label = Label("if", t.region, t.join_names(ft.results), len(t.stack), iter(then), instr.offset)
    label.params, label.otherwise = params, otherwise
    branch, arm, rest = t.here(), Block(None), Block(None)
    t.fork(condition, arm, rest)
    if otherwise or params or label.names:
        label.else_block = rest
    else:
        label.target = rest
    branch.terminator = Branch(condition, arm, rest)
    t.labels.append(label)
    t.place(arm)
    t.stack.extend(params)


@translates("br")
def br(t: Translator, instr: Instr) -> None:
    """Branch."""
    t.goto(t.label(instr.immediates[0]), instr.offset)


@translates("br_if")
def br_if(t: Translator, instr: Instr) -> None:
    """Branch or go on; what waits on the stack waits on."""
    condition = t.stack.pop()
    t.settle_all(instr.offset)
    t.branch_if(condition, t.label(instr.immediates[0]), instr.offset)


@translates("br_table")
def br_table(t: Translator, instr: Instr) -> None:
    """One of many branches; those with values get a block in which they are assigned."""
    labels, default = instr.immediates
    index = t.stack.pop()
    t.settle_all(instr.offset)
    if index.lo == index.hi:
        return t.goto(t.label(labels[index.lo] if index.lo < len(labels) else default), instr.offset)
    origin, facts = t.here(), t.facts
    targets: dict[int, Block] = {}
    waiting: list[tuple[Block, Label]] = []
    for labelidx in dict.fromkeys((*labels, default)):
        label = t.label(labelidx)
        t.function.reused.update([e.imm for e in t.values(label) if is_temp(e)])
        target = t.direct(label)
        if target is None:
            target = Block(None)
            waiting.append((target, label))
        t.current, t.facts = origin, facts
        targets[labelidx] = t.edge(target)
    origin.terminator = Switch(index, tuple([targets[labelidx] for labelidx in (*labels, default)]))
    for target, label in waiting:
        t.place(target)
        t.goto(label, instr.offset)
    t.current = None
    return None


@translates("return")
def return_(t: Translator, instr: Instr) -> None:
    """Branch to the function's label."""
    t.goto(t.labels[0], instr.offset)


def called_type(t: Translator, instr: Instr) -> FuncType:
    """The type of the function that is called."""
    kind, x = instr.op.kind, instr.immediates[0]
    return as_functype(t.context.funcs[x]) if kind in ("call", "return_call") else t.context.functype(x)


@translates("call", "call_ref", "call_indirect")
def call(t: Translator, instr: Instr) -> None:
    """A call may change globals."""
    ft = called_type(t, instr)
    args = t.pop_n(len(ft.params) + (instr.op.kind != "call"))
    t.settle_globals(instr.offset)
    t.push_do(instr, args, *ft.results)


@translates("return_call", "return_call_ref", "return_call_indirect")
def return_call(t: Translator, instr: Instr) -> None:
    """Leave the function with what a call gives; inside a `try_table` its handlers do not see that call."""
    ft = called_type(t, instr)
    args = t.pop_n(len(ft.params) + (instr.op.kind != "return_call"))
    t.here().terminator = TailCall(instr, args)
    t.function.tail_calls = True
    t.current = None


@translates("try_table")
def try_table(t: Translator, instr: Instr) -> None:
    """A region of its own, and a block for each catch clause that assigns what was caught and branches."""
    blocktype, catches, body = instr.immediates
    ft = t.context.blocktype(blocktype)
    t.settle_all(instr.offset)
    params = t.pop_n(len(ft.params))
    handlers = []
    for catch in reached(catches):
        ts = () if catch.tagidx is None else t.context.tags[catch.tagidx].functype.params
        ts = (*ts, RefType(False, AbsHeapType.EXN)) if catch.takes_ref else ts
        handlers.append(Handler(catch, t.join_names(ts), Block(None)))
    region = Region()
    try_ = Try(region.blocks, [], tuple(handlers), instr)
    label = Label("try_table", t.region, t.join_names(ft.results), len(t.stack), iter(body), instr.offset)
    label.start, label.try_, label.around, label.set = t.here(), try_, t.labels[::-1], t.set
    t.here().terminator = try_
    t.labels.append(label)
    t.region = region
    t.place(Block(None))
    t.stack.extend(params)


def reached(catches: tuple[Catch, ...]) -> Iterator[Catch]:
    """The clauses up to the first one that catches everything."""
    for catch in catches:
        yield catch
        if catch.tagidx is None:
            return


@translates("br_on_null", "br_on_non_null")
def br_on_null(t: Translator, instr: Instr) -> None:
    """Branch on a null, which is dropped; or on all others, which are taken along."""
    ref = t.stack.pop()
    t.settle_all(instr.offset)
    if not is_temp(ref):
        ref = t.settled(ref, instr.offset)
    is_null = t.expr("ref.is_null", I32, (ref,), ())
    label = t.label(instr.immediates[0])
    if instr.op.kind == "br_on_null":
        t.branch_if(is_null, label, instr.offset)
        t.stack.append(ref)
    else:
        t.stack.append(ref)
        t.branch_if(t.expr("ieqz", I32, (is_null,), (32,)), label, instr.offset)
        t.stack.pop()


@translates("br_on_cast", "br_on_cast_fail")
def br_on_cast(t: Translator, instr: Instr) -> None:
    """Branch on a reference's type; the reference stays on the stack either way."""
    (_, null2), l, _, ht2 = instr.immediates  # noqa: E741
    ref = t.stack.pop()
    t.settle_all(instr.offset)
    if not is_temp(ref):
        ref = t.settled(ref, instr.offset)
    condition = t.expr("ref.test", I32, (ref,), (null2, ht2))
    if instr.op.kind == "br_on_cast_fail":
        condition = t.expr("ieqz", I32, (condition,), (32,))
    t.stack.append(ref)
    t.branch_if(condition, t.label(l), instr.offset)
