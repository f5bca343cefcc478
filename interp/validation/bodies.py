"""Validation of function bodies from their tokens (`interp.syntax.modules.Code`), without an object per instruction.

This is the algorithm of `interp.validation.algorithm` with its state and its rules; only what is frequent is decided on
the spot. An instruction whose type depends on the context alone gets it from its rule, once for all places with the
same bytes. Where operands do not just have the types that are asked for, and for all other instructions, the rule
itself is applied. A body that is refused here is for the rules alone to judge, which then say what is wrong where.

The difference from the algorithm is a marker on the operand stack below the operands of each block: so a look at the
top of the stack shows when there are none left.

Metavariables: t a value type, x an index, l a label index, ft a function type.
Spec: valid/instructions, appendix/algorithm
"""

from __future__ import annotations

from typing import Any, cast

from interp.errors import Invalid
from interp.syntax import modules as m
from interp.syntax.instructions import BY_OPCODE, ELSE, END, Expr, Instr, Op
from interp.syntax.types import I32, FuncType, NumType, RefType, ResultType, ValType, VecType
from interp.validation.algorithm import MAX_OPERANDS, ControlFrame, Validator
from interp.validation.context import Context
from interp.validation.derivation import Recorder, recorded
from interp.validation.instructions import close, type_instr

FLOOR = cast(ValType, object())
"""The marker below the operands of a block, which is no type."""

CONTEXTUAL = frozenset({
    "load", "store", "vload", "vstore", "vload_lane", "vstore_lane", "memory.size", "memory.grow", "memory.fill",
    "memory.copy", "memory.init", "global.get", "global.set", "call", "call_indirect", "table.get", "table.set",
    "table.size", "struct.new", "struct.get", "struct.set", "array.get", "array.set", "array.len", "ref.null",
    "ref.func",
})  # fmt: skip
"""Kinds of instructions whose type depends on the context alone, as far as they are frequent; kinds whose rows have a
type are left out."""

LOCAL_GET, LOCAL_SET, LOCAL_TEE, PUSH, UNARY, BINARY, OTHER = range(7)
LOCALS = {"local.get": LOCAL_GET, "local.set": LOCAL_SET, "local.tee": LOCAL_TEE}

Case = tuple[int, Any, Any, Any, Any]
"""How a token is typed, and the instruction that its rule would be applied to: (LOCAL_…, x, _, _, instr),
(PUSH, _, _, t, instr) for [] -> t, (UNARY, _, t1, t, instr) for t1 -> t, (BINARY, t1, t2, t, instr) for t1 t2 -> t, and
(OTHER, handler, y, z, instr) for what handler(v, y, z, instr) does."""


class BodyValidator(Validator):
    """The state of the algorithm, with a FLOOR below the operands of each block."""

    __slots__ = ()

    def push_control(self, instr: Instr | None, ft: FuncType, code: Expr, otherwise: Expr | None = None) -> None:
        """push_ctrl"""
        self.operands.append(FLOOR)
        super().push_control(instr, ft, code, otherwise)

    def pop_control(self) -> ControlFrame:
        """pop_ctrl"""
        frame = super().pop_control()
        self.operands.pop()
        return frame


def by_rule(v: Validator, y: None, z: None, instr: Instr) -> None:
    """Any instruction, as its rule says."""
    type_instr(v, instr)


def apply(v: Validator, params: ResultType, results: ResultType, instr: Instr) -> None:
    """An instruction of type params -> results."""
    operands, n = v.operands, len(params)
    if n:
        if tuple(operands[-n:]) != params:
            type_instr(v, instr)
            return
        del operands[-n:]
    operands.extend(results)
    if len(operands) > MAX_OPERANDS:
        raise Invalid("too many operands")


def block(v: Validator, ft: FuncType, z: None, instr: Instr) -> None:
    """block or loop : [] -> t*"""
    v.operands.append(FLOOR)
    v.controls.append(ControlFrame(instr, ft, len(v.operands), 0, NOTHING))


def if_(v: Validator, ft: FuncType, z: None, instr: Instr) -> None:
    """if : i32 -> t*"""
    if v.operands[-1] is I32:
        v.operands[-1] = FLOOR
        v.controls.append(ControlFrame(instr, ft, len(v.operands), 0, NOTHING, ()))
    else:
        type_instr(v, instr)


def else_(v: Validator, y: None, z: None, instr: None) -> None:
    """The turn from one arm to the other."""
    close(v)


def end(v: Validator, y: None, z: None, instr: None) -> None:
    """The end of a block; an `if` that has come to it in its first arm has an empty second one."""
    operands, frame = v.operands, v.controls[-1]
    if frame.otherwise is not None:
        close(v)
    results = frame.type.results
    n = len(results)
    if not n and operands[-1] is FLOOR:
        operands.pop()
        v.controls.pop()
    elif n == 1 and operands[-1] is results[0] and operands[-2] is FLOOR:
        del operands[-2]
        v.controls.pop()
    else:
        close(v)


def br(v: Validator, l: int, z: None, instr: Instr) -> None:  # noqa: E741 — the specification's letter
    """br l"""
    if v.controls[-1 - l].label_types:
        type_instr(v, instr)
    else:
        v.unreachable()


def br_if(v: Validator, l: int, z: None, instr: Instr) -> None:  # noqa: E741 — the specification's letter
    """br_if l"""
    if v.operands[-1] is I32 and not v.controls[-1 - l].label_types:
        v.operands.pop()
    else:
        type_instr(v, instr)


def drop(v: Validator, y: None, z: None, instr: Instr) -> None:
    """drop"""
    if v.operands[-1] is FLOOR:
        type_instr(v, instr)
    else:
        v.operands.pop()


def select(v: Validator, y: None, z: None, instr: Instr) -> None:
    """select, in the form without a type or with it."""
    operands = v.operands
    if not instr.immediates and operands[-1] is I32 and operands[-2] in NUMBERS and operands[-2] is operands[-3]:
        del operands[-2:]
    else:
        type_instr(v, instr)


NOTHING = iter(())
"""The instructions of a block that nobody asks for."""
NUMBERS: frozenset[ValType] = frozenset([*NumType, *VecType])
BLOCK_HANDLERS = {"block": block, "loop": block, "if": if_}
LABEL_HANDLERS = {"br": br, "br_if": br_if}
HANDLERS = {"drop": drop, "select": select}


class Cases(dict[bytes, Case]):
    """Token of well-formed code -> how it is typed in a context, found out when it is first asked for.

    Equal types are one object in it wherever that is possible, since the same object is seen at once to be equal.
    """

    def __init__(self, context: Context, code: m.Code) -> None:
        """`code` is that of any function of the module."""
        super().__init__()
        self[bytes([END])] = (OTHER, end, None, None, None)
        self[bytes([ELSE])] = (OTHER, else_, None, None, None)
        self._context = context
        self._code = code
        # In code that cannot be reached there are all the operands that a rule asks for.
        self._recorder = Recorder(context, ())
        self._recorder.push_control(None, FuncType((), ()), ())
        self._recorder.unreachable()
        self._ops: dict[Op, Case] = {}
        self._types: dict[RefType, RefType] = {}

    def __missing__(self, token: bytes) -> Case:
        op = BY_OPCODE.get(token[0])
        if op is not None and op.type is not None:
            # Then immediates do not matter, and there may be a great many different ones.
            found = self._ops.get(op)
            if found is None:
                found = self._ops[op] = self._typed(Instr(op, (), 0), op.type.params, op.type.results)
        else:
            found = self._case(self._code.instr(token))
        self[token] = found
        return found

    def _case(self, instr: Instr) -> Case:
        kind = instr.op.kind
        if kind in LOCALS:
            return LOCALS[kind], instr.immediates[0], None, None, instr
        if kind in BLOCK_HANDLERS:
            ft = self._context.blocktype(instr.immediates[0])
            return OTHER, by_rule if ft.params else BLOCK_HANDLERS[kind], ft, None, instr
        if kind in LABEL_HANDLERS:
            return OTHER, LABEL_HANDLERS[kind], instr.immediates[0], None, instr
        if kind in CONTEXTUAL or instr.op.type is not None:
            self._recorder.operands.clear()
            _, params, results = recorded(self._recorder, instr)
            return self._typed(instr, params, results)
        return OTHER, HANDLERS.get(kind, by_rule), None, None, instr

    def _typed(self, instr: Instr, params: ResultType, results: ResultType) -> Case:
        params, results = self.same(params), self.same(results)
        if len(results) != 1 or len(params) > 2:
            return OTHER, apply, params, results, instr
        if not params:
            return PUSH, None, None, results[0], instr
        if len(params) == 1:
            return UNARY, None, params[0], results[0], instr
        return BINARY, params[0], params[1], results[0], instr

    def same(self, ts: ResultType) -> ResultType:
        """The same types, equal ones as one object."""
        return tuple([self._types.setdefault(t, t) if isinstance(t, RefType) else t for t in ts])

    def body_ok(self, code: m.Code, locals_: ResultType, results: ResultType) -> bool:
        """Whether the body of a function, all of whose locals have a value, is found to be valid here; one that is not
        may be valid too.  Spec: valid/modules#functions"""
        tokens = code.tokens()
        if tokens is None:
            return False
        v = BodyValidator(self._context, self.same(locals_))
        v.push_control(None, FuncType((), results), ())
        try:
            self._type_all(v, tokens)
        except (Invalid, IndexError):
            return False
        return not v.controls

    def _type_all(self, v: BodyValidator, tokens: list[bytes]) -> None:
        operands, locals_ = v.operands, v.locals
        for case, x, y, z, instr in map(self.__getitem__, tokens):
            if case == LOCAL_GET:
                operands.append(locals_[x])
            elif case == PUSH:
                operands.append(z)
            elif case == BINARY:
                if operands[-1] is y and operands[-2] is x:
                    operands.pop()
                    operands[-1] = z
                else:
                    type_instr(v, instr)
            elif case == OTHER:
                x(v, y, z, instr)
            elif case == UNARY:
                if operands[-1] is y:
                    operands[-1] = z
                else:
                    type_instr(v, instr)
            elif operands[-1] is not locals_[x]:
                type_instr(v, instr)
            elif case == LOCAL_SET:
                operands.pop()
