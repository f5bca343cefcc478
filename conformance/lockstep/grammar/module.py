"""Whole modules: the functions of a plan, each written by its body, and what is exported."""

from __future__ import annotations

from collections.abc import Callable

from conformance.lockstep.choices import Choices
from conformance.lockstep.grammar import aggregates, control, loops, memories, patterns, references, values
from conformance.lockstep.grammar.body import Body, Code, Label, finish
from conformance.lockstep.grammar.constants import constant
from conformance.lockstep.grammar.patterns import deep, long_run
from conformance.lockstep.grammar.plan import HOST_MODULE, Plan, plan
from conformance.lockstep.grammar.rows import mnemonic
from conformance.lockstep.grammar.values import work
from interp.execution import numerics
from interp.syntax import modules as m
from interp.syntax.types import I32, FuncType, NumType, RecType, TypeIdx, VecType

PRODUCTIONS = (values, memories, control, references, aggregates, patterns, loops)
"""The modules whose productions are registered."""

RECURSION_MASKS = (3, 7)
TAIL_RECURSION_MASK = 63


def generate(c: Choices, size: int | None = None) -> m.Module:
    """A valid module, which exports everything. `size`, if given, is about how many instructions each of its functions
    has at most."""
    made = plan(c, size)
    ticks: list[int] = []
    funcs: list[m.Func] = []
    for number, ft in enumerate(made.funcs):
        body = Body(made, c, number, ticks)
        write: Callable[[Body], Code] = function
        if ft.params[:1] == (I32,) and c.chance(30):
            write = tail_recursive if made.profile.tail_calls and c.chance(60) else recursive
        funcs.append(finish(body, write(body)))
        ticks.append(body.ticks)
    start = None
    if c.chance(50) and FuncType((), ()) in made.funcs:
        start = m.Start(len(made.imports) + made.funcs.index(FuncType((), ())), 0)
    return assemble(made, tuple(funcs), start)


def function(body: Body) -> Code:
    """Any code, now and then with one thing in it that is done on purpose."""
    code = beginning(body)
    if body.c.chance(15):
        code += body.statement()
        code += body.c.weighted(((3, deep), (2, long_run)))(body)
    while not body.enough() and len(code) < 2 * body.plan.profile.size:
        code += (work(body) if body.c.chance(45) else None) or body.statement()
        if body.c.chance(10):
            break
    return code + body.sequence(FuncType((), body.type.results))


def beginning(body: Body) -> Code:
    """Some locals get values worth working with."""
    code: Code = []
    for _ in range(body.c.between(1, 4)):
        t = body.c.weighted(body.plan.palette)
        if isinstance(t, NumType | VecType):
            code += [body.const(t, constant(body.c, t)), body.ins("local.set", body.new_local(t))]
    return code


def bounded(body: Body, mask: int) -> Code:
    """The beginning of a function that calls itself: its first parameter says how often at most, and ends it at 0."""
    body.protected.add(0)
    code = [body.ins("local.get", 0), body.const(I32, mask), body.ins(mnemonic(numerics.iand, 32))]
    code += [body.ins("local.tee", 0), body.ins(mnemonic(numerics.ieqz, 32))]
    with body.inside(Label(())):
        end = [*body.statements(1), *body.operands(body.type.results), body.ins("return")]
    return [*code, body.block("if", FuncType((), ()), end, [])]


def own_arguments(body: Body) -> Code:
    """The arguments of a call of the function itself."""
    less = [body.ins("local.get", 0), body.const(I32, 1), body.ins(mnemonic(numerics.isub, 32))]
    return less + body.operands(body.type.params[1:])


def recursive(body: Body) -> Code:
    """A function that calls itself once or twice, values waiting on the stack meanwhile."""
    calls = body.c.between(1, 2)
    mask = RECURSION_MASKS[0] if calls == 2 else body.c.pick(RECURSION_MASKS)
    code = bounded(body, mask) + beginning(body) + body.statements(2)
    for _ in range(calls):
        waiting = body.operands(tuple([body.c.weighted(body.plan.palette) for _ in range(body.c.below(2))]))
        code += [*waiting, *own_arguments(body), body.ins("call", body.index)]
        code += body.discard(body.type.results)
        code += [body.ins("drop")] * bool(waiting)
        code += body.statements(2)
    body.ticks *= (mask + 1) if calls == 1 else 2 ** (mask + 1)
    return code + body.operands(body.type.results)


def tail_recursive(body: Body) -> Code:
    """A function that ends by calling itself."""
    code = bounded(body, TAIL_RECURSION_MASK) + beginning(body) + body.statements(3)
    code += [*own_arguments(body), body.ins("return_call", body.index)]
    body.ticks *= TAIL_RECURSION_MASK + 1
    return code + body.unreachable(body.type.results)


def assemble(made: Plan, funcs: tuple[m.Func, ...], start: m.Start | None) -> m.Module:
    """The module of a plan and its functions."""
    imports = [m.Import(HOST_MODULE, name, TypeIdx(made.typeidx(ft)), 0) for name, ft in made.imports]
    exports = [m.Export(f"f{x}", "func", len(imports) + x, 0) for x in range(len(funcs))]
    exports += [m.Export(f"h{x}", "func", x, 0) for x in range(len(imports))]
    if made.imports_memory:
        imports.append(m.Import(HOST_MODULE, "memory", made.mems[0], 0))
    if made.imports_global:
        imports.append(m.Import(HOST_MODULE, "global", made.globals[0][0], 0))
    exports += [m.Export(f"m{x}", "memory", x, 0) for x in range(len(made.mems))]
    exports += [m.Export(f"t{x}", "table", x, 0) for x in range(len(made.tables))]
    exports += [m.Export(f"g{x}", "global", x, 0) for x in range(len(made.globals))]
    exports += [m.Export(f"e{x}", "tag", x, 0) for x in range(len(made.tags))]
    tags = tuple([m.Tag(made.typeidx(ft), 0) for ft in made.tags])
    return m.Module(
        types=tuple([m.Type(RecType((subtype,)), 0) for subtype in made.types]),
        imports=tuple(imports),
        funcs=funcs,
        tables=tuple([m.Table(t, None, 0) for t in made.tables]),
        mems=tuple([m.Mem(t, 0) for t in made.mems[made.imports_memory :]]),
        tags=tags,
        globals=tuple([m.Global(gt, init, 0) for gt, init in made.globals[made.imports_global :]]),
        elems=tuple(made.elems),
        datas=tuple(made.datas),
        start=start,
        exports=tuple(exports),
    )
