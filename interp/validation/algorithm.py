"""The validation algorithm (specification, appendix): one pass with a stack of operand types and a stack of control
frames. Unreachable code makes the operand stack polymorphic: below its height every pop succeeds with type bot.

Metavariables: t a value type, ft a function type, l a label index.
Spec: appendix/algorithm
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interp.errors import Invalid
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import BOT, FuncType, RefType, ResultType, ValType
from interp.validation.context import Context
from interp.validation.matching import match_valtype

MAX_OPERANDS = 1_000_000
"""Operands on the stack of one function while it is validated, so that small code cannot fill the memory."""


@dataclass(slots=True)
class ControlFrame:
    """A block being validated: the instruction that opened it (None for the body), its types, the height of the
    operand stack at its start, and the instructions still to come; `then` says that the `else` part is to follow."""

    instr: Instr | None
    type: FuncType
    height: int
    code: Iterator[Instr]
    otherwise: Expr | None = None
    unreachable: bool = False

    @property
    def label_types(self) -> ResultType:
        """What a branch to this frame's label takes."""
        return self.type.params if self.instr is not None and self.instr.op.kind == "loop" else self.type.results


class Validator:
    """The state of the algorithm for one expression."""

    __slots__ = ("constant", "context", "controls", "locals", "operands")

    def __init__(self, context: Context, locals_: ResultType, constant: bool = False) -> None:
        self.context = context
        self.locals = locals_
        self.constant = constant
        self.operands: list[ValType] = []
        self.controls: list[ControlFrame] = []

    def push(self, t: ValType) -> None:
        """push_val"""
        self.operands.append(t)

    def push_all(self, ts: ResultType) -> None:
        """push_vals"""
        self.operands.extend(ts)
        if len(self.operands) > MAX_OPERANDS:
            raise Invalid("too many operands")

    def pop(self) -> ValType:
        """pop_val: any type."""
        frame = self.controls[-1]
        if len(self.operands) == frame.height:
            if frame.unreachable:
                return BOT
            raise Invalid("type mismatch: the operand stack is empty")
        return self.operands.pop()

    def expect(self, t: ValType) -> ValType:
        """pop_val(t): a type that matches t."""
        actual = self.pop()
        if actual is not t and not match_valtype(actual, t):
            raise Invalid(f"type mismatch: expected {t}, found {actual}")
        return actual

    def expect_all(self, ts: ResultType) -> list[ValType]:
        """pop_vals: matching types, the last one on top; as they were found."""
        found = [self.expect(t) for t in reversed(ts)]
        found.reverse()
        return found

    def expect_ref(self) -> ValType:
        """pop_ref: any reference type."""
        actual = self.pop()
        if not isinstance(actual, RefType) and actual is not BOT:
            raise Invalid(f"type mismatch: expected a reference, found {actual}")
        return actual

    def push_control(self, instr: Instr | None, ft: FuncType, code: Expr, otherwise: Expr | None = None) -> None:
        """push_ctrl: open a block whose parameters are already popped."""
        self.controls.append(ControlFrame(instr, ft, len(self.operands), iter(code), otherwise))
        self.push_all(ft.params)

    def pop_control(self) -> ControlFrame:
        """pop_ctrl: close a block, which must leave exactly its results."""
        frame = self.controls[-1]
        self.expect_all(frame.type.results)
        if len(self.operands) != frame.height:
            raise Invalid(f"type mismatch: {len(self.operands) - frame.height} values remain at the end of the block")
        return self.controls.pop()

    def unreachable(self) -> None:
        """The rest of the block cannot be reached."""
        frame = self.controls[-1]
        del self.operands[frame.height :]
        frame.unreachable = True

    def label(self, l: int) -> ResultType:  # noqa: E741 — the specification's letter
        """C.labels[l]"""
        if l >= len(self.controls):
            raise Invalid(f"unknown label {l}")
        return self.controls[-1 - l].label_types
