"""Reduction of parametric and control instructions, blocks and calls (specification 4.6.1-4.6.3, 4.6.9, 4.6.10).

`c` is the configuration, `x` the operand prepared for the instruction, `l` a label index; a rule function returns the
name of the rule that it applied.
Spec: exec/instructions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interp.errors import TrapKind
from interp.execution.runtime import FuncInst
from interp.reference.configuration import (
    HOST_CALL,
    RULE_NAMES,
    Block,
    Code,
    Config,
    Context,
    Frame,
    Point,
    block_of,
    operand,
    prepare,
    rule,
)
from interp.syntax.instructions import BY_MNEMONIC, Instr
from interp.syntax.types import DefType, NumType


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


@rule("br", "Step_pure/br-label-zero", "Step_pure/br-label-succ")
def br(c: Config, l: int) -> str:  # noqa: E741
    """(label_n{instr'*} val'* val^n (br 0) instr*) ~> val^n instr'*; br l outside of it becomes br l-1"""
    instr = c.current()
    label = c.leave()
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


@operand("br_if")
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


@rule("return", "Step_pure/return-frame", "Step_pure/return-label")
def return_(c: Config, x: None) -> str:
    """(frame_n{f} val'* val^n return instr*) ~> val^n; out of a label it takes all values along"""
    instr = c.current()
    left = c.leave()
    if left.kind == "label":
        c.vals.extend(left.vals)
        c.insert(((return_, None, instr),))
        return "Step_pure/return-label"
    if left.arity:
        c.vals.extend(left.vals[-left.arity :])
    return "Step_pure/return-frame"


def end_of_context(c: Config) -> str:
    """(label_n{instr*} val*) ~> val* and (frame_n{f} val^n) ~> val^n: no instruction is left in the context."""
    left = c.leave()
    c.vals.extend(left.vals)
    return "Step_pure/label-vals" if left.kind == "label" else "Step_pure/frame-vals"


@operand("call")
def prepare_call(instr: Instr, types: list[DefType]) -> tuple[int, Code]:
    """The function index, and the `call_ref` that the call stands for."""
    return instr.immediates[0], ((call_ref, TrapKind.NULL_FUNCTION_REFERENCE, instr),)


@rule("call", "Step_read/call")
def call(c: Config, x: tuple[int, Code]) -> str:
    """(call x) ~> (ref.func a) (call_ref dt)"""
    c.vals.append(c.frame.module.funcs[x[0]])
    c.insert(x[1])
    return "Step_read/call"


@operand("call_indirect")
def prepare_call_indirect(instr: Instr, types: list[DefType]) -> Code:
    """The `table.get`, `ref.cast` and `call_ref` that the call stands for."""
    y, x = instr.immediates
    null = TrapKind.UNINITIALIZED_ELEMENT
    return ((call_table_get, x, instr), (call_ref_cast, types[y], instr), (call_ref, null, instr))


@rule("call_indirect", "Step_pure/call_indirect")
def call_indirect(c: Config, x: Code) -> str:
    """(call_indirect x y) ~> (table.get x) (ref.cast (ref null y)) (call_ref y)"""
    c.insert(x)
    return "Step_pure/call_indirect"


def call_table_get(c: Config, x: int) -> str:
    """table.get on the way of call_indirect, whose traps the specification's test suite words in its own way."""
    i = c.vals.pop()
    refs = c.frame.module.tables[x].refs
    if i >= len(refs):
        return c.trap(TrapKind.UNDEFINED_ELEMENT, "Step_read/table.get-oob")
    c.vals.append(refs[i])
    return "Step_read/table.get-val"


def call_ref_cast(c: Config, x: DefType) -> str:
    """ref.cast on the way of call_indirect"""
    func: FuncInst | None = c.vals[-1]
    if func is not None and func.deftype is not x and func.deftype != x:
        c.vals.pop()
        return c.trap(TrapKind.INDIRECT_CALL_TYPE_MISMATCH, "Step_read/ref.cast-fail")
    return "Step_read/ref.cast-succeed"


@dataclass(slots=True, eq=False)
class PreparedFunc:
    """A function ready to be called: its code and the first values of its locals behind the parameters."""

    code: Code
    locals: tuple[Any, ...]


def prepare_func(func: FuncInst) -> PreparedFunc:
    """Prepare a function on its first call.  Spec: exec/runtime#default-values"""
    if func.code is None or func.module is None:
        raise TypeError("a host function has no code")
    defaults = tuple([default_value(t) for t in func.code.locals])
    prepared = func.prepared = PreparedFunc(prepare(func.code.body, func.module.types), defaults)
    return prepared


def default_value(t: Any) -> Any:
    """default_t.  Spec: exec/runtime#default-values"""
    if isinstance(t, NumType):
        return 0 if t.value[0] == "i" else 0.0
    return None


def call_ref(c: Config, x: TrapKind) -> str:
    """val^n (ref.func a) (call_ref dt) ~> (frame_m{val^n default*} (label_m{eps} instr*)); x is the trap of a null"""
    vals = c.vals
    func: FuncInst | None = vals.pop()
    if func is None:
        return c.trap(x, "Step_read/call_ref-null")
    n = len(func.type.params)
    args = vals[-n:] if n else []
    if n:
        del vals[-n:]
    if func.module is None:
        call_host(c, func, args)
        return HOST_CALL
    prepared = func.prepared or prepare_func(func)
    args.extend(prepared.locals)
    c.meter.push(len(args))
    m = len(func.type.results)
    frame = Frame(args, func.module, func)
    c.enter(Context("frame", (), m, frame))
    c.enter(Context("label", prepared.code, m, frame))
    return "Step_read/call_ref-func"


def call_host(c: Config, func: FuncInst, args: list[Any]) -> None:
    """val^n (ref.func a) (call_ref dt) ~> val^m: the host computes the results, and may call into the store.

    Spec: exec/instructions#host-functions
    """
    if func.host is None:
        raise TypeError("function without code or host")
    c.vals.extend(func.host(*args))
    c.meter.check_deadline()


CALL_REF: Point = (call_ref, TrapKind.NULL_FUNCTION_REFERENCE, Instr(BY_MNEMONIC["call"], (0,), 0))
"""The point that calls the function reference on the operand stack."""

RULE_NAMES.update(
    {
        "Step_pure/label-vals",
        "Step_pure/frame-vals",
        "Step_read/call_ref-func",
        "Step_read/call_ref-null",
        "Step_read/ref.cast-fail",
        "Step_read/ref.cast-succeed",
    }
)
