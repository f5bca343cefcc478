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
from interp.syntax.types import BOT, AbsHeapType, FuncType, RefType, ResultType, ValType
from interp.validation.context import Context, lookup
from interp.validation.matching import match_valtype

MAX_OPERANDS = 1_000_000
"""Operands on the stack of one function while it is validated, so that small code cannot fill the memory."""


@dataclass(slots=True)
class ControlFrame:
    """A block being validated: the instruction that opened it (None for the body), its types, the heights of the
    stacks of operands and of initialised locals at its start, and the instructions still to come; `otherwise` is the
    `else` part that is to follow."""

    instr: Instr | None
    type: FuncType
    height: int
    set_height: int
    code: Iterator[Instr]
    otherwise: Expr | None = None
    unreachable: bool = False

    @property
    def label_types(self) -> ResultType:
        """What a branch to this frame's label takes."""
        return self.type.params if self.instr is not None and self.instr.op.kind == "loop" else self.type.results


class Validator:
    """The state of the algorithm for one expression.

    `unset` holds the locals that have no default value and no value yet; `newly_set` those that got one, the last on
    top, so that the end of a block can forget them.
    """

    __slots__ = ("constant", "context", "controls", "locals", "newly_set", "operands", "unset")

    def __init__(
        self, context: Context, locals_: ResultType, constant: bool = False, unset: frozenset[int] = frozenset()
    ) -> None:
        self.context = context
        self.locals = locals_
        self.constant = constant
        self.operands: list[ValType] = []
        self.controls: list[ControlFrame] = []
        self.unset = set(unset)
        self.newly_set: list[int] = []

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
            raise mismatch(t, actual)
        return actual

    def expect_all(self, ts: ResultType) -> list[ValType]:
        """pop_vals: matching types, the last one on top; as they were found."""
        found = self.check_all(ts)
        del self.operands[len(self.operands) - len(found) :]
        return [BOT] * (len(ts) - len(found)) + found

    def check_all(self, ts: ResultType) -> list[ValType]:
        """The operands that pop_vals would take, which match; in unreachable code there may be fewer."""
        operands, frame = self.operands, self.controls[-1]
        found = operands[max(len(operands) - len(ts), frame.height) :]
        missing = len(ts) - len(found)
        wanted = ts[missing:]
        # Types are mostly the same, and that is seen at once however many they are.
        if tuple(found) != wanted:
            for actual, t in zip(reversed(found), reversed(wanted), strict=True):
                if actual is not t and not match_valtype(actual, t):
                    raise mismatch(t, actual)
        if missing and not frame.unreachable:
            raise Invalid("type mismatch: the operand stack is empty")
        return found

    def expect_ref(self) -> RefType:
        """pop_ref: any reference type; (ref bot) in unreachable code."""
        actual = self.pop()
        if actual is BOT:
            return RefType(False, AbsHeapType.BOT)
        if not isinstance(actual, RefType):
            raise Invalid(f"type mismatch: expected a reference, found {actual}")
        return actual

    def local(self, x: int) -> ValType:
        """The type of C.locals[x], set or not."""
        return lookup(self.locals, x, "local")

    def set_local(self, x: int) -> None:
        """set_local: from here to the end of the block the local has a value."""
        if x in self.unset:
            self.unset.remove(x)
            self.newly_set.append(x)

    def push_control(self, instr: Instr | None, ft: FuncType, code: Expr, otherwise: Expr | None = None) -> None:
        """push_ctrl: open a block whose parameters are already popped."""
        self.controls.append(ControlFrame(instr, ft, len(self.operands), len(self.newly_set), iter(code), otherwise))
        self.push_all(ft.params)

    def pop_control(self) -> ControlFrame:
        """pop_ctrl: close a block, which must leave exactly its results."""
        frame = self.controls[-1]
        self.expect_all(frame.type.results)
        if len(self.operands) != frame.height:
            raise Invalid(f"type mismatch: {len(self.operands) - frame.height} values remain at the end of the block")
        self.unset.update(self.newly_set[frame.set_height :])
        del self.newly_set[frame.set_height :]
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


def mismatch(expected: ValType, found: ValType) -> Invalid:
    """The error to raise for an operand of a wrong type."""
    return Invalid(f"type mismatch: expected {expected}, found {found}")
