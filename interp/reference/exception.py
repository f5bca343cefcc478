"""Reduction of exceptions: throwing, handlers and their catch clauses (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction.
Spec: exec/instructions
"""

from __future__ import annotations

from dataclasses import dataclass

from interp.errors import TrapKind, UncaughtException
from interp.execution.runtime import ExnInst
from interp.reference.configuration import MAX_BACKTRACE, VALUE, Block, Config, Context, block_of, operand, rule
from interp.reference.control import br, enter_block
from interp.syntax.instructions import Catch, Instr
from interp.syntax.types import DefType


@dataclass(slots=True, eq=False)
class Handler(Context):
    """handler_n{catch*}: the catch clauses that are still to be tried.  Spec: exec/runtime#exception-handlers"""

    catches: tuple[Catch, ...] = ()


@operand("try_table")
def prepare_try_table(instr: Instr, types: list[DefType]) -> tuple[Block, tuple[Catch, ...]]:
    """The block to enter, and its catch clauses."""
    _, catches, body = instr.immediates
    return block_of(instr, body, types), catches


@rule("try_table", "Step_read/try_table")
def try_table(c: Config, x: tuple[Block, tuple[Catch, ...]]) -> str:
    """val^m (try_table bt catch* instr*) ~> (handler_n{catch*} (label_n{eps} val^m instr*))"""
    block, catches = x
    vals = c.vals[len(c.vals) - block.params :]
    del c.vals[len(c.vals) - block.params :]
    c.enter(Handler("handler", (), block.arity, c.frame, vals=vals, catches=catches))
    enter_block(c, block)
    return "Step_read/try_table"


@rule("throw", "Step/throw")
def throw(c: Config, x: int) -> str:
    """val^n (throw x) ~> (ref.exn a) throw_ref, exn a = {tag, val^n}"""
    tag = c.frame.module.tags[x]
    n = len(tag.type.functype.params)
    first = len(c.vals) - n
    fields = c.vals[first:]
    del c.vals[first:]
    c.vals.append(ExnInst(c.meter, tag, fields))
    c.insert(((throw_ref, None, c.current()),))
    return "Step/throw"


@rule(
    "throw_ref",
    "Step_read/throw_ref-null",
    "Step_read/throw_ref-instrs",
    "Step_read/throw_ref-label",
    "Step_read/throw_ref-frame",
    "Step_read/throw_ref-handler-empty",
    "Step_read/throw_ref-handler-next",
    "Step_read/throw_ref-handler-catch",
    "Step_read/throw_ref-handler-catch_ref",
    "Step_read/throw_ref-handler-catch_all",
    "Step_read/throw_ref-handler-catch_all_ref",
)
def throw_ref(c: Config, x: None) -> str:
    """(ref.exn a) throw_ref consumes what stands around it, then the contexts one by one, until a handler catches."""
    ctx, instr = c.ctx, c.current()
    exn: ExnInst | None = c.vals.pop()
    if exn is None:
        return c.trap(TrapKind.NULL_EXCEPTION_REFERENCE, "Step_read/throw_ref-null")
    if c.thrown is not exn:
        c.thrown, c.thrown_at = exn, c.backtrace(MAX_BACKTRACE)
    if not ctx.empty():
        ctx.clear()
        name = "Step_read/throw_ref-instrs"
    elif isinstance(ctx, Handler) and ctx.catches:
        return handle(c, ctx, exn, instr)
    elif ctx.kind == "top":
        c.ended = UncaughtException(exception=exn, backtrace=c.thrown_at)
        return VALUE
    else:
        c.leave()
        name = THROUGH[ctx.kind]
    c.vals.append(exn)
    c.insert(((throw_ref, None, instr),))
    return name


THROUGH = {
    "label": "Step_read/throw_ref-label",
    "frame": "Step_read/throw_ref-frame",
    "handler": "Step_read/throw_ref-handler-empty",
}


def handle(c: Config, ctx: Handler, exn: ExnInst, instr: Instr) -> str:
    """(handler_n{catch catch'*} (ref.exn a) throw_ref) ~> val* (br l) if the first clause catches, else try the next"""
    catch = ctx.catches[0]
    if catch.tagidx is not None and ctx.frame.module.tags[catch.tagidx] is not exn.tag:
        ctx.catches = ctx.catches[1:]
        c.vals.append(exn)
        c.insert(((throw_ref, None, instr),))
        return "Step_read/throw_ref-handler-next"
    c.leave()
    c.thrown = None
    if catch.tagidx is not None:
        c.vals.extend(exn.fields)
    if catch.takes_ref:
        c.vals.append(exn)
    c.insert(((br, catch.labelidx, instr),))
    return f"Step_read/throw_ref-handler-{catch.keyword}"
