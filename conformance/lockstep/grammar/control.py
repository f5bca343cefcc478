"""Control instructions: blocks with parameters and results, loops that end, branches of all kinds, calls, exceptions.

Loops are counted: every branch back goes through a counter that nothing else sets. Calls go to functions that were
written before, whose cost is known.
Spec: syntax/instructions#control-instructions
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import MAX_REPEATS, UNREACHABLE, Body, Code, Label, statement, value
from conformance.lockstep.grammar.rows import mnemonic, width
from conformance.lockstep.grammar.values import comparison
from interp.execution import numerics
from interp.syntax.instructions import Catch
from interp.syntax.types import EXNREF, I32, I64, AbsHeapType, FuncType, RefType, ResultType, ValType

NONNULL_EXN = RefType(False, AbsHeapType.EXN)


def condition(body: Body) -> Code:
    """An i32 to branch on; mostly a comparison."""
    return (comparison(body, I32) if body.c.chance(60) and not body.enough() else None) or body.value(I32)


def some_types(body: Body, most: int) -> ResultType:
    """Up to `most` types."""
    return tuple([body.c.weighted(body.plan.palette) for _ in range(body.c.below(most + 1))])


def block_of(body: Body, ft: FuncType) -> Code:
    """A block, if or loop with this type, its parameters included."""
    form = body.c.weighted(((4, "block"), (5, "if"), (4, "loop"), (1, "plain loop")))
    operands = body.operands(ft.params)
    if form == "loop":
        return operands + counted_loop(body, ft)
    if form == "if":
        operands += condition(body)
    label = Label(ft.params, ends=False) if form == "plain loop" else Label(ft.results)
    with body.inside(label):
        then = body.sequence(ft)
        parts = [then]
        if form == "if" and (ft.params != ft.results or body.c.chance(60)):
            parts.append(body.sequence(ft))
        elif form == "if":
            parts.append([])
    return [*operands, body.block("loop" if form == "plain loop" else form, ft, *parts)]


@value(7)
def block_value(body: Body, t: ValType) -> Code:
    """A block that gives a value, perhaps more than one."""
    extra = some_types(body, 1) if body.c.chance(25) else ()
    code = block_of(body, FuncType(some_types(body, 2) if body.c.chance(40) else (), (t, *extra)))
    return code + body.discard(extra)


@statement(7)
def block_statement(body: Body) -> Code:
    """A block that gives nothing, or something that is not wanted."""
    results = some_types(body, 2) if body.c.chance(25) else ()
    code = block_of(body, FuncType(some_types(body, 2) if body.c.chance(30) else (), results))
    return code + body.discard(results)


def counted_loop(body: Body, ft: FuncType) -> Code:
    """A loop that runs a few times, its parameters on the stack already: one of several shapes."""
    room = MAX_REPEATS // body.repeats
    if room < 2:
        with body.inside(Label(ft.results)):
            inner = body.sequence(ft)
        return [body.block("block", ft, inner)]
    trips = body.c.between(2, min(room, body.c.pick((2, 3, 5, 8))))
    t = I64 if body.plan.profile.wide and body.c.chance(20) else I32
    counter = body.new_local(t)
    body.protected.add(counter)
    body.ticks += body.repeats * (trips - 1)
    shape = body.c.pick((count_down, count_up, while_loop))
    return shape(body, ft, counter, trips)


def count_down(body: Body, ft: FuncType, counter: int, trips: int) -> Code:
    """do … while (--counter), the loop's parameters going round on the stack."""
    t, N = body.locals[counter], width(body.locals[counter])
    code = [body.const(t, trips), body.ins("local.set", counter)]
    with body.inside(Label(ft.params, ends=False), trips):
        inner = body.sequence(FuncType(ft.params, ft.params))
        if body.c.chance(30):
            inner += early_repeat(body, counter, ft.params)
        inner += [body.ins("local.get", counter), body.const(t, 1), body.ins(mnemonic(numerics.isub, N))]
        inner.append(body.ins("local.tee", counter))
        if t == I64:
            inner += [body.const(I64, 0), body.ins(mnemonic(numerics.ine, 64))]
        inner += [body.ins("br_if", 0), *body.discard(ft.params)]
        inner += body.operands(ft.results)
    return [*code, body.block("loop", ft, inner)]


def early_repeat(body: Body, counter: int, params: ResultType) -> Code:
    """A branch back from the middle of a loop that counts down, with the parameters on the stack."""
    t, N = body.locals[counter], width(body.locals[counter])
    more = [body.ins("local.get", counter), body.const(t, 1), body.ins(mnemonic(numerics.igt_u, N))]
    with body.inside(Label(params)):
        down = [body.ins("local.get", counter), body.const(t, 1), body.ins(mnemonic(numerics.isub, N))]
        inner = [*down, body.ins("local.set", counter), *condition(body)]
        # The counter went down already: leaving the branch out only ends the loop earlier, unless it was at its end.
        restored = [body.ins("local.get", counter), body.const(t, 1), body.ins(mnemonic(numerics.iadd, N))]
        inner += [body.ins("br_if", 1), *restored, body.ins("local.set", counter)]
    return [*more, body.block("if", FuncType(params, params), inner, [])]


def count_up(body: Body, ft: FuncType, counter: int, trips: int) -> Code:
    """for (counter = start; ; counter += step), ended by one of several comparisons."""
    t, N = body.locals[counter], width(body.locals[counter])
    step = body.c.pick((1, 1, 4, 8, 3))
    start = body.c.pick((0, 0, 1, -step, -3 * step, 2 ** (N - 1) - 4 * step))
    end = start + trips * step
    sems = [numerics.ine] if end >= 2 ** (N - 1) else [numerics.ine, numerics.ilt_s]
    if start >= 0:
        sems.append(numerics.ilt_u)
    code = [body.const(t, start), body.ins("local.set", counter)]
    with body.inside(Label(ft.params, ends=False), trips):
        inner = body.sequence(FuncType(ft.params, ft.params))
        inner += [body.ins("local.get", counter), body.const(t, step), body.ins(mnemonic(numerics.iadd, N))]
        inner += [body.ins("local.tee", counter), body.const(t, end), body.ins(mnemonic(body.c.pick(sems), N))]
        inner += [body.ins("br_if", 0), *body.discard(ft.params)]
        inner += body.operands(ft.results)
    return [*code, body.block("loop", ft, inner)]


def while_loop(body: Body, ft: FuncType, counter: int, trips: int) -> Code:
    """block { loop { if at the end: leave; …; repeat } }, the parameters kept in locals, left by br_if or br_table."""
    t, N = body.locals[counter], width(body.locals[counter])
    code = [*body.discard(ft.params), body.const(t, 0), body.ins("local.set", counter)]
    nothing = FuncType((), ())
    with body.inside(Label(())), body.inside(Label((), ends=False), trips):
        done = [body.ins("local.get", counter), body.const(t, trips), body.ins(mnemonic(numerics.ige_u, N))]
        inner = [*done, body.ins("br_if", 1), *body.sequence(nothing)]
        inner += [body.ins("local.get", counter), body.const(t, 1), body.ins(mnemonic(numerics.iadd, N))]
        inner.append(body.ins("local.set", counter))
        if body.c.chance(30):
            labels = tuple([0] * body.c.between(0, 3))
            inner += [*body.value(I32), body.ins("br_table", labels, 0)]
        else:
            inner.append(body.ins("br", 0))
    loop = body.block("loop", nothing, inner)
    return [*code, body.block("block", nothing, [loop]), *body.operands(ft.results)]


def targets(body: Body, types: ResultType) -> list[int]:
    """Labels that may be branched to with these types on the stack."""
    found = enumerate(reversed(body.labels))
    return [x for x, label in found if label.ends and label.types == types]


@value(6)
def branch_if_value(body: Body, t: ValType) -> Code | None:
    """A value that a conditional branch takes along, or else leaves."""
    found = targets(body, (t,))
    if not found:
        return None
    code = [*body.operands((t,)), *condition(body)]
    return [*code, body.ins("br_if", body.c.pick(found))]


@value(3)
def block_left_with_value(body: Body, t: ValType) -> Code:
    """A block from whose inside a value is taken along, with others below it on the stack."""
    ft = FuncType((), (t,))
    with body.inside(Label(ft.results)):
        below = some_types(body, 2)
        code = [*body.operands((*below, t)), *condition(body), body.ins("br_if", 0)]
        code += [*body.discard((*below, t)), *body.sequence(ft, 2)]
    return [body.block("block", ft, code)]


@statement(4)
def branch_if(body: Body) -> Code | None:
    """A conditional branch out of a block or function, with all the values it takes."""
    labels = [x for x, label in enumerate(reversed(body.labels)) if label.ends]
    if not labels:
        return None
    x = body.c.pick(labels)
    types = body.labels[-1 - x].types
    return [*body.operands(types), *condition(body), body.ins("br_if", x), *body.discard(types)]


@statement(3)
def leave(body: Body) -> Code | None:
    """An if whose inside leaves: by a branch, a return, or a trap."""
    found = targets(body, ())
    test = condition(body)
    with body.inside(Label(())):
        code = body.statements(1)
        form = body.c.below(10)
        if found and form < 5:
            code.append(body.ins("br", body.c.pick(found) + 1))
        elif form < 9:
            code += [*body.operands(body.type.results), body.ins("return")]
        else:
            code.append(body.ins("unreachable"))
        code += body.unreachable(())
    return [*test, body.block("if", FuncType((), ()), code, [])]


def nested(body: Body, results: ResultType, count: int) -> Code:
    """`count` blocks in each other around a br_table that leaves one of them, each with code behind it."""
    for _ in range(count):
        body.labels.append(Label(results))
    labels = tuple([body.c.below(count) for _ in range(body.c.pick((0, 1, 2, 3, 5, 9, 20)))])
    code = [*body.operands(results), *selector(body), body.ins("br_table", labels, body.c.below(count))]
    if body.c.chance(20):
        code += body.unreachable(results)
    for _ in range(count):
        body.labels.pop()
        # Each block is entered with nothing and left with the results, on which the code behind it works.
        code = [body.block("block", FuncType((), results), code)]
        if not body.enough():
            code += [*body.statements(2), *rework(body, results)]
    return code


def rework(body: Body, results: ResultType) -> Code:
    """Exchange values on the stack for others."""
    if not results or body.c.chance(50):
        return []
    return [*body.discard(results[-1:]), *body.operands(results[-1:])]


def selector(body: Body) -> Code:
    """An index for br_table: mostly small."""
    code = body.value(I32)
    if body.c.chance(75):
        code += [body.const(I32, body.c.pick((3, 7, 15))), body.ins(mnemonic(numerics.iand, 32))]
    return code


@value(2)
def switch_value(body: Body, t: ValType) -> Code:
    """br_table with a value."""
    return nested(body, (t,), body.c.between(1, 4))


@statement(2)
def switch(body: Body) -> Code:
    """br_table."""
    return nested(body, (), body.c.between(1, 5))


def callable_functions(body: Body) -> list[int]:
    """Imported functions, and those that were written before this one."""
    return [x for x in range(body.index) if body.affordable(x)]


def call_of(body: Body, funcidx: int) -> Code:
    """A call of a function, with its operands; through a table or a reference where that is possible."""
    body.charge(funcidx)
    ft = body.plan.functype(funcidx)
    code = body.operands(ft.params)
    typeidx = body.plan.typeidx(ft)
    if funcidx in body.plan.leaf_indices() and not body.is_leaf:
        form = body.c.below(10)
        places = [(x, k) for x, k in table_places(body) if k == funcidx]
        if places and form < 5:
            x, t = body.c.pick(places)[0], body.plan.tables[0].addrtype.numtype
            return [*code, body.const(t, x), body.ins("call_indirect", typeidx, 0)]
        if form < 7 and body.plan.profile.references:
            return [*code, body.ins("ref.func", funcidx), body.ins("call_ref", typeidx)]
    return [*code, body.ins("call", funcidx)]


def table_places(body: Body) -> list[tuple[int, int]]:
    """Index in the first table -> function that was there at the start."""
    if not body.plan.tables:
        return []
    return [(x, code[0].immediates[0]) for x, code in enumerate(body.plan.elems[0].init)]


@value(6)
def call_value(body: Body, t: ValType) -> Code | None:
    """The result of a call, or one of several."""
    found = [x for x in callable_functions(body) if t in body.plan.functype(x).results]
    if not found:
        return None
    x = body.c.pick(found)
    results = body.plan.functype(x).results
    at = body.c.pick([k for k, result in enumerate(results) if result == t])
    code = call_of(body, x) + body.discard(results[at + 1 :])
    if at == 0:
        return code
    kept = body.some_local(t)
    return [*code, body.ins("local.set", kept), *[body.ins("drop")] * at, body.ins("local.get", kept)]


@statement(4)
def call_statement(body: Body) -> Code | None:
    """A call whose results are not used, or kept in locals."""
    found = callable_functions(body)
    if not found:
        return None
    x = body.c.pick(found)
    return call_of(body, x) + body.discard(body.plan.functype(x).results)


@statement(2)
def blind_call(body: Body) -> Code | None:
    """call_indirect at any index: of a function, of one with another type, of null, or of nothing."""
    leaves = [x for x in body.plan.leaf_indices() if body.affordable(x)]
    if not body.plan.tables or body.is_leaf or len(leaves) < body.plan.leaves:
        return None
    body.charge(max(leaves, key=body.ticks_of))
    ft = body.plan.functype(body.c.pick(leaves))
    table = body.c.pick([x for x, t in enumerate(body.plan.tables) if t.reftype.heaptype is AbsHeapType.FUNC])
    t = body.plan.tables[table].addrtype.numtype
    index = [*body.value(t), body.const(t, body.c.pick((1, 3, 7))), body.ins(mnemonic(numerics.iand, width(t)))]
    code = [*body.operands(ft.params), *index, body.ins("call_indirect", body.plan.typeidx(ft), table)]
    return code + body.discard(ft.results)


@statement(6)
def tail_call(body: Body) -> Code | None:
    """A tail call of an earlier function with the same results, inside an if."""
    if not body.plan.profile.tail_calls:
        return None
    found = [x for x in callable_functions(body) if body.plan.functype(x).results == body.type.results]
    if not found:
        return None
    test = condition(body)
    with body.inside(Label(())):
        code = call_of(body, body.c.pick(found))
        last = code.pop()
        code.append(body.ins(f"return_{last.op.mnemonic}", *last.immediates))
        code += body.unreachable(())
    return [*test, body.block("if", FuncType((), ()), code, [])]


@statement(4)
def throw(body: Body) -> Code | None:
    """An exception, thrown inside an if."""
    if not body.plan.tags:
        return None
    x = body.c.below(len(body.plan.tags))
    test = condition(body)
    with body.inside(Label(())):
        code = [*body.operands(body.plan.tags[x].params), body.ins("throw", x), *body.unreachable(())]
    return [*test, body.block("if", FuncType((), ()), code, [])]


def try_block(body: Body, results: ResultType) -> Code | None:
    """A try_table around some code that may throw, with a handler that works on what was thrown."""
    if not body.plan.tags:
        return None
    x = body.c.below(len(body.plan.tags))
    keyword = body.c.pick(("catch", "catch_ref", "catch_all", "catch_all_ref"))
    clause = Catch(keyword, None if keyword.startswith("catch_all") else x, 0)
    caught = () if clause.tagidx is None else body.plan.tags[x].params
    caught += (NONNULL_EXN,) if clause.takes_ref else ()
    clauses = [clause, *second_clause(body)]
    with body.inside(Label(results)):
        with body.inside(Label(caught)):
            with body.inside(Label(results)):
                code = body.statements(1) + throw_often(body) + body.sequence(FuncType((), results), 2)
            code = [body.block("try_table", FuncType((), results), clauses, code), body.ins("br", 1)]
        handler = [body.block("block", FuncType((), caught), code), *handle(body, caught, clause)]
        handler += body.operands(results)
    return [body.block("block", FuncType((), results), handler)]


def second_clause(body: Body) -> list[Catch]:
    """Perhaps another clause, for a tag without values, that leaves the same block or the one around it."""
    empty = [x for x, ft in enumerate(body.plan.tags) if not ft.params]
    found = [x for x, label in enumerate(reversed(body.labels)) if label.ends and not label.types]
    if not empty or not found or body.c.chance(50):
        return []
    # The labels of the two blocks that are not open yet lie in between.
    return [Catch("catch", body.c.pick(empty), body.c.pick(found) + 2)]


def throw_often(body: Body) -> Code:
    """Something that throws under a condition, or nothing."""
    return (throw(body) or []) if body.c.chance(70) else []


def handle(body: Body, caught: ResultType, clause: Catch) -> Code:
    """Take what was thrown off the stack: throw the exception again, keep it, or keep its values."""
    if not clause.takes_ref:
        return body.discard(caught)
    again = body.c.below(4)
    if again == 0:
        test = condition(body)
        x = body.new_local(EXNREF)
        with body.inside(Label(())):
            inner = [body.ins("local.get", x), body.ins("throw_ref"), *body.unreachable(())]
        code = [body.ins("local.set", x), *test, body.block("if", FuncType((), ()), inner, [])]
        return code + body.discard(caught[:-1])
    return body.discard(caught)


@value(4)
def try_value(body: Body, t: ValType) -> Code | None:
    """A value from a try_table or its handler."""
    return try_block(body, (t,))


@statement(4)
def try_statement(body: Body) -> Code | None:
    """A try_table."""
    return try_block(body, ())


@statement(1)
def throw_ref(body: Body) -> Code | None:
    """throw_ref of any exception, or null, inside an if."""
    if not body.plan.tags:
        return None
    test = condition(body)
    with body.inside(Label(())):
        code = [*body.value(EXNREF), body.ins("throw_ref"), *body.unreachable(())]
    return [*test, body.block("if", FuncType((), ()), code, [])]


def dead_branch(body: Body) -> Code:
    """In unreachable code: branches without their operands, and the end of everything again."""
    form = body.c.below(3)
    if form == 0:
        return [body.ins("unreachable")]
    x = body.c.pick([x for x, label in enumerate(reversed(body.labels)) if label.ends] or [len(body.labels) - 1])
    return [body.ins("br", x)] if form == 1 else [body.const(I32, 0), body.ins("br_table", (x, x), x)]


UNREACHABLE.append((2, dead_branch))
