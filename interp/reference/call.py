"""Reduction of calls: by index, by reference, through tables, in tail position, and of the host (specification 4.6).

`c` is the configuration, `x` the operand prepared for the instruction.
Spec: exec/instructions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interp.errors import Trap, TrapKind, UncaughtException
from interp.execution.references import default_value
from interp.execution.runtime import ExnInst, FuncInst
from interp.reference.configuration import (
    HOST_CALL,
    RULE_NAMES,
    Code,
    Config,
    Context,
    Frame,
    Point,
    RuleFunction,
    operand,
    prepare,
    rule,
)
from interp.reference.exception import throw_ref
from interp.syntax.instructions import BY_MNEMONIC, Instr
from interp.syntax.types import DefType
from interp.validation.matching import match_deftype


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


@operand("return_call")
def prepare_return_call(instr: Instr, types: list[DefType]) -> tuple[int, Code]:
    """The function index, and the `return_call_ref` that the call stands for."""
    return instr.immediates[0], ((return_call_ref, TrapKind.NULL_FUNCTION_REFERENCE, instr),)


@rule("return_call", "Step_read/return_call")
def return_call(c: Config, x: tuple[int, Code]) -> str:
    """(return_call x) ~> (ref.func a) (return_call_ref dt)"""
    c.vals.append(c.frame.module.funcs[x[0]])
    c.insert(x[1])
    return "Step_read/return_call"


def lookup_and(last: RuleFunction, instr: Instr, types: list[DefType]) -> Code:
    """The `table.get` and `ref.cast` of an indirect call, and what calls the function then."""
    y, x = instr.immediates
    null = TrapKind.UNINITIALIZED_ELEMENT
    return ((call_table_get, x, instr), (call_ref_cast, types[y], instr), (last, null, instr))


@operand("call_indirect")
def prepare_call_indirect(instr: Instr, types: list[DefType]) -> Code:
    """The `table.get`, `ref.cast` and `call_ref` that the call stands for."""
    return lookup_and(call_ref, instr, types)


@operand("return_call_indirect")
def prepare_return_call_indirect(instr: Instr, types: list[DefType]) -> Code:
    """The `table.get`, `ref.cast` and `return_call_ref` that the call stands for."""
    return lookup_and(return_call_ref, instr, types)


@rule("return_call_indirect", "Step_pure/return_call_indirect")
def return_call_indirect(c: Config, x: Code) -> str:
    """(return_call_indirect x y) ~> (table.get x) (ref.cast (ref null y)) (return_call_ref y)"""
    c.insert(x)
    return "Step_pure/return_call_indirect"


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
    if func is not None and func.deftype is not x and not match_deftype(func.deftype, x):
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


@operand("call_ref", "return_call_ref")
def prepare_call_ref(instr: Instr, types: list[DefType]) -> TrapKind:
    """The trap of a null."""
    return TrapKind.NULL_FUNCTION_REFERENCE


@rule("call_ref", "Step_read/call_ref-func", "Step_read/call_ref-null")
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


@rule(
    "return_call_ref",
    "Step_read/return_call_ref-label",
    "Step_read/return_call_ref-handler",
    "Step_read/return_call_ref-frame-null",
    "Step_read/return_call_ref-frame-addr",
)
def return_call_ref(c: Config, x: TrapKind) -> str:
    """(frame_k{f} val'* val^n (ref.func a) (return_call_ref dt) instr*) ~> val^n (ref.func a) (call_ref dt), or trap;
    out of a label or handler it takes all values along"""
    instr = c.current()
    backtrace = c.backtrace() if c.ctx.kind == "frame" and c.vals[-1] is None else ()
    left = c.leave()
    if left.kind != "frame":
        c.vals.extend(left.vals)
        c.insert(((return_call_ref, x, instr),))
        return "Step_read/return_call_ref-label" if left.kind == "label" else "Step_read/return_call_ref-handler"
    func: FuncInst | None = left.vals.pop()
    if func is None:
        name = c.trap(x, "Step_read/return_call_ref-frame-null")
        c.ended = Trap(x, backtrace)
        return name
    n = len(func.type.params)
    if n:
        c.vals.extend(left.vals[-n:])
    c.vals.append(func)
    # For its caller the call goes on where it began: the tail call is an instruction of the function that is left.
    c.insert(((call_ref, x, c.current()),))
    return "Step_read/return_call_ref-frame-addr"


def call_host(c: Config, func: FuncInst, args: list[Any]) -> None:
    """val^n (ref.func a) (call_ref dt) ~> val^m: the host computes the results, and may call into the store. An
    exception of this store that the host lets through is thrown here.

    Spec: exec/instructions#host-functions
    """
    try:
        results = c.call_host(func, args)
    except UncaughtException as error:
        exn = error.exception
        if not isinstance(exn, ExnInst) or exn.meter is not c.meter:
            raise
        c.vals.append(exn)
        c.insert(((throw_ref, None, c.current()),))
    else:
        c.vals.extend(results)
    c.meter.check_deadline()


CALL_REF: Point = (call_ref, TrapKind.NULL_FUNCTION_REFERENCE, Instr(BY_MNEMONIC["call"], (0,), 0))
"""The point that calls the function reference on the operand stack."""

RULE_NAMES.update({"Step_read/ref.cast-fail", "Step_read/ref.cast-succeed"})
