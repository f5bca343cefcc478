"""Typing of instruction sequences and expressions (specification 3.4): a generic rule for every row of the instruction
table that has one type; the other rules stand in files by their part of the chapter.

An `Invalid` that leaves this module names rule and byte offset.
Spec: valid/instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.features import EXTENDED_CONST
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import FuncType, ResultType
from interp.validation import aggregates, control, memories, references, tables, vectors
from interp.validation.algorithm import Validator
from interp.validation.context import Context, lookup
from interp.validation.rules import RULES

CHAPTERS = (control, references, aggregates, tables, memories, vectors)
"""The modules whose typing rules are registered."""

CONSTANT_KINDS = frozenset({
    "const", "vconst", "ref.null", "ref.func", "ref.i31", "struct.new", "struct.new_default", "array.new",
    "array.new_default", "array.new_fixed", "any.convert_extern", "extern.convert_any",
})  # fmt: skip
"""Kinds of instructions that constant expressions may use.  Spec: valid/instructions#constant-expressions"""

CONSTANT_BINOPS = frozenset({"iadd", "isub", "imul"})
"""Numerics of the binary operators that constant expressions may use.  Spec: valid/instructions#constant-expressions"""


def rule_name(instr: Instr) -> str:
    """The specification's name of the rule that types an instruction."""
    kind = instr.op.kind
    if kind == "select":
        kind = "select-expl" if instr.immediates else "select-impl"
    elif kind in ("load", "store"):
        t, width = instr.op.params[:2]
        kind += "-val" if int(t.value[1:]) == width else "-pack"
    elif kind == "vload":
        kind += f"-{instr.op.params[2]}"
    return f"Instr_ok/{kind}"


def expr_ok(
    context: Context,
    expr: Expr,
    results: ResultType,
    locals_: ResultType = (),
    constant: bool = False,
    unset: frozenset[int] = frozenset(),
) -> None:
    """C |- expr : t*, without recursion however deep the blocks are nested; `unset` are the locals that have no value
    at the start.  Raises Invalid.

    Spec: valid/instructions#expressions
    """
    v = Validator(context, locals_, constant, unset)
    v.push_control(None, FuncType((), results), expr)
    instr: Instr | None = None
    try:
        while v.controls:
            frame = v.controls[-1]
            for instr in frame.code:
                type_instr(v, instr)
                if v.controls[-1] is not frame:
                    break
            else:
                instr = frame.instr
                close(v)
    except Invalid as error:
        if error.rule:
            raise
        rule = rule_name(instr) if instr is not None else "Instrs_ok/frame"
        offset = instr.offset if instr is not None else None
        raise Invalid(error.message, rule, offset=offset, feature=error.feature) from None


def type_instr(v: Validator, instr: Instr) -> None:
    """C |- instr : it"""
    op = instr.op
    if v.constant:
        check_constant(v, instr)
    ft = op.type
    if ft is None:
        RULES[op.kind](v, instr)
        return
    for t in reversed(ft.params):
        v.expect(t)
    v.operands.extend(ft.results)


def close(v: Validator) -> None:
    """The end of a block, or the turn from `then` to `else`."""
    frame = v.pop_control()
    if frame.otherwise is not None:
        v.push_control(frame.instr, frame.type, frame.otherwise)
    else:
        v.push_all(frame.type.results)


def check_constant(v: Validator, instr: Instr) -> None:
    """C |- instr const.  Spec: valid/instructions#constant-expressions"""
    op = instr.op
    if op.kind in CONSTANT_KINDS:
        return
    if op.kind == "binop" and op.sem is not None and op.sem.__name__ in CONSTANT_BINOPS:
        v.context.need(EXTENDED_CONST, "constant expression required")
        return
    if op.kind == "global.get" and not lookup(v.context.globals, instr.immediates[0], "global").mut:
        return
    raise Invalid("constant expression required", "Expr_const", offset=instr.offset)
