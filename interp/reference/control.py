"""Reduction of parametric and control instructions: blocks and branches (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction, `l` a label index; a rule function returns the
name of the rule that it applied.
Spec: exec/instructions
"""

from __future__ import annotations

from typing import Any

from interp.errors import TrapKind
from interp.execution.references import match_ref
from interp.reference.configuration import RULE_NAMES, Block, Code, Config, Context, block_of, operand, rule
from interp.syntax.instructions import Instr
from interp.syntax.types import DefType, RefType, close_heaptype


@rule("unreachable", "Step_pure/unreachable")
def unreachable(c: Config, x: None) -> str:
    """unreachable ~> trap"""
    return c.trap(TrapKind.UNREACHABLE, "Step_pure/unreachable")


@rule("nop", "Step_pure/nop")
def nop(c: Config, x: None) -> str:
    """nop ~> eps"""
    return "Step_pure/nop"


@rule("drop", "Step_pure/drop")
def drop(c: Config, x: None) -> str:
    """val drop ~> eps"""
    c.vals.pop()
    return "Step_pure/drop"


@rule("select", "Step_pure/select-true", "Step_pure/select-false")
def select(c: Config, x: Any) -> str:
    """val1 val2 (i32.const i) select ~> val1 if i != 0, else val2"""
    vals = c.vals
    i, val2 = vals.pop(), vals.pop()
    if i:
        return "Step_pure/select-true"
    vals[-1] = val2
    return "Step_pure/select-false"


@operand("block", "loop")
def prepare_block(instr: Instr, types: list[DefType]) -> Block:
    """The block to enter."""
    return block_of(instr, instr.immediates[1], types, loop=instr.op.kind == "loop")


@operand("if")
def prepare_if(instr: Instr, types: list[DefType]) -> tuple[Code, Code]:
    """The block instructions that the two arms stand for."""
    _, then, otherwise = instr.immediates
    arms = (block_of(instr, then, types), block_of(instr, otherwise, types))
    return ((block, arms[0], instr),), ((block, arms[1], instr),)


def enter_block(c: Config, x: Block) -> None:
    """val^m block ~> label_n{…} val^m instr* end"""
    vals, m = c.vals, x.params
    ctx = Context("label", x.code, x.arity, c.frame, x.loop)
    if m:
        ctx.vals = vals[-m:]
        del vals[-m:]
    c.enter(ctx)


@rule("block", "Step_read/block")
def block(c: Config, x: Block) -> str:
    """val^m (block bt instr*) ~> (label_n{eps} val^m instr*)"""
    enter_block(c, x)
    return "Step_read/block"


@rule("loop", "Step_read/loop")
def loop(c: Config, x: Block) -> str:
    """val^m (loop bt instr*) ~> (label_m{loop bt instr*} val^m instr*)"""
    enter_block(c, x)
    return "Step_read/loop"


@rule("if", "Step_pure/if-true", "Step_pure/if-false")
def if_(c: Config, x: tuple[Code, Code]) -> str:
    """(i32.const i) (if bt instr1* else instr2*) ~> (block bt instr1*) if i != 0, else (block bt instr2*)"""
    if c.vals.pop():
        c.insert(x[0])
        return "Step_pure/if-true"
    c.insert(x[1])
    return "Step_pure/if-false"


@rule("br", "Step_pure/br-label-zero", "Step_pure/br-label-succ", "Step_pure/br-handler")
def br(c: Config, l: int) -> str:  # noqa: E741
    """(label_n{instr'*} val'* val^n (br 0) instr*) ~> val^n instr'*; br l outside of it becomes br l-1"""
    instr = c.current()
    label = c.leave()
    if label.kind == "handler":
        c.vals.extend(label.vals)
        c.insert(((br, l, instr),))
        return "Step_pure/br-handler"
    if l > 0:
        c.vals.extend(label.vals)
        c.insert(((br, l - 1, instr),))
        return "Step_pure/br-label-succ"
    if label.arity:
        c.vals.extend(label.vals[-label.arity :])
    if label.loop:
        c.meter.tick()
        c.ctx.pc -= 1
    return "Step_pure/br-label-zero"


@operand("br_if", "br_on_null", "br_on_non_null")
def prepare_br_if(instr: Instr, types: list[DefType]) -> Code:
    """The `br` that a taken branch stands for."""
    return ((br, instr.immediates[0], instr),)


@rule("br_if", "Step_pure/br_if-true", "Step_pure/br_if-false")
def br_if(c: Config, x: Code) -> str:
    """(i32.const i) (br_if l) ~> (br l) if i != 0, else eps"""
    if c.vals.pop():
        c.insert(x)
        return "Step_pure/br_if-true"
    return "Step_pure/br_if-false"


@rule("br_table", "Step_pure/br_table-lt", "Step_pure/br_table-ge")
def br_table(c: Config, x: tuple[tuple[int, ...], int]) -> str:
    """(i32.const i) (br_table l* l') ~> (br l*[i]) if i < |l*|, else (br l')"""
    labels, default = x
    i = c.vals.pop()
    if i < len(labels):
        c.insert(((br, labels[i], c.current()),))
        return "Step_pure/br_table-lt"
    c.insert(((br, default, c.current()),))
    return "Step_pure/br_table-ge"


@rule("br_on_null", "Step_pure/br_on_null-null", "Step_pure/br_on_null-addr")
def br_on_null(c: Config, x: Code) -> str:
    """val (br_on_null l) ~> (br l) if val is null, else val"""
    if c.vals[-1] is None:
        c.vals.pop()
        c.insert(x)
        return "Step_pure/br_on_null-null"
    return "Step_pure/br_on_null-addr"


@rule("br_on_non_null", "Step_pure/br_on_non_null-null", "Step_pure/br_on_non_null-addr")
def br_on_non_null(c: Config, x: Code) -> str:
    """val (br_on_non_null l) ~> eps if val is null, else val (br l)"""
    if c.vals[-1] is None:
        c.vals.pop()
        return "Step_pure/br_on_non_null-null"
    c.insert(x)
    return "Step_pure/br_on_non_null-addr"


@operand("br_on_cast", "br_on_cast_fail")
def prepare_br_on_cast(instr: Instr, types: list[DefType]) -> tuple[RefType, Code]:
    """The type after the cast, closed, and the `br` that a taken branch stands for."""
    (_, null2), l, _, ht2 = instr.immediates  # noqa: E741
    return RefType(null2, close_heaptype(ht2, types)), ((br, l, instr),)


@rule("br_on_cast", "Step_read/br_on_cast-succeed", "Step_read/br_on_cast-fail")
def br_on_cast(c: Config, x: tuple[RefType, Code]) -> str:
    """ref (br_on_cast l rt1 rt2) ~> ref (br l) if ref has type rt2, else ref"""
    if match_ref(c.vals[-1], x[0]):
        c.insert(x[1])
        return "Step_read/br_on_cast-succeed"
    return "Step_read/br_on_cast-fail"


@rule("br_on_cast_fail", "Step_read/br_on_cast_fail-succeed", "Step_read/br_on_cast_fail-fail")
def br_on_cast_fail(c: Config, x: tuple[RefType, Code]) -> str:
    """ref (br_on_cast_fail l rt1 rt2) ~> ref if ref has type rt2, else ref (br l)"""
    if match_ref(c.vals[-1], x[0]):
        return "Step_read/br_on_cast_fail-succeed"
    c.insert(x[1])
    return "Step_read/br_on_cast_fail-fail"


@rule("ref.as_non_null", "Step_pure/ref.as_non_null-null", "Step_pure/ref.as_non_null-addr")
def ref_as_non_null(c: Config, x: None) -> str:
    """ref ref.as_non_null ~> trap if ref is null, else ref"""
    if c.vals[-1] is None:
        c.vals.pop()
        return c.trap(TrapKind.NULL_REFERENCE, "Step_pure/ref.as_non_null-null")
    return "Step_pure/ref.as_non_null-addr"


@rule("return", "Step_pure/return-frame", "Step_pure/return-label", "Step_pure/return-handler")
def return_(c: Config, x: None) -> str:
    """(frame_n{f} val'* val^n return instr*) ~> val^n; out of a label or handler it takes all values along"""
    instr = c.current()
    left = c.leave()
    if left.kind != "frame":
        c.vals.extend(left.vals)
        c.insert(((return_, None, instr),))
        return "Step_pure/return-label" if left.kind == "label" else "Step_pure/return-handler"
    if left.arity:
        c.vals.extend(left.vals[-left.arity :])
    return "Step_pure/return-frame"


END_OF_CONTEXT = {kind: f"Step_pure/{kind}-vals" for kind in ("label", "handler", "frame")}
RULE_NAMES.update(END_OF_CONTEXT.values())


def end_of_context(c: Config) -> str:
    """(label_n{instr*} val*) ~> val*, and so for a handler or frame in which no instruction is left."""
    left = c.leave()
    c.vals.extend(left.vals)
    return END_OF_CONTEXT[left.kind]
