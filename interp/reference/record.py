"""Step records: what one step of the machine did, for people and programs to read.

Everything that shows execution is a view of a `StepRecord`. `Describer` makes it of what was taken down while the step
was taken (`interp.reference.observe.Captured`), adding types and notation.
Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from interp.execution.runtime import (
    ArrayInst,
    DataInst,
    ElemInst,
    ExnInst,
    FuncInst,
    GlobalInst,
    MemInst,
    StructInst,
    TableInst,
)
from interp.reference.anchors import address
from interp.reference.configuration import HOST_CALL, Code, Context, Frame, Point, function_name
from interp.reference.observe import MAX_CAPTURED, Captured, Entered, Position, catches_of, is_value
from interp.reference.operand_types import OperandTypes, Types, caught_types, type_of
from interp.reference.stands_for import instruction, is_own, is_trap, kind_of
from interp.reference.terms import (
    ELLIPSIS,
    EPSILON,
    MAX_AFTER,
    MAX_BODY,
    STEPS_TO,
    Terms,
    show_head,
    show_plain,
    show_sequence,
)
from interp.syntax.notation import show_catch
from interp.syntax.types import ArrayType, PackType, StorageType, StructType

MAX_LOCALS = 16
"""Locals of a frame that are shown in a term."""

MAX_CONTENTS = 160
"""Characters of what a place held, or holds."""

TAKES = {
    "if": 1, "br_if": 1, "br_table": 1, "br_on_null": 1, "br_on_non_null": 1, "br_on_cast": 1, "br_on_cast_fail": 1,
    "call": 0, "call_indirect": 0, "return_call": 0, "return_call_indirect": 0,
}  # fmt: skip
"""Operands in the redex of instructions whose type has more: their rules leave the others where they are."""


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change of the state. `what` is local, global, memory, table, elem, data, struct, array or exn; `address` the
    address of the instance in the store (of a segment its index in the module, None for locals); `index` the first
    local, element, field or byte that was written (None where all was); `count` how many were. Bytes are hexadecimal,
    everything else is a term."""

    what: str
    address: int | None
    index: int | None
    count: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step: `redex ↪ result` by `rule`.

    `index` counts steps from 1. `function` is the index in its module of the function that the redex stands in, `name`
    its name, `depth` the number of active functions; `offset` is where the instruction stands in the module (bytes),
    None at the end of a block. `popped` and `pushed` are operands, as terms; at `address` the specification states the
    rule.
    """

    index: int
    rule: str
    redex: str
    result: str
    address: str
    function: int | None
    name: str | None
    offset: int | None
    depth: int
    popped: tuple[str, ...]
    pushed: tuple[str, ...]
    changes: tuple[ChangeRecord, ...]

    def __str__(self) -> str:
        return f"{self.redex} {STEPS_TO} {self.result}"

    def to_json(self) -> dict[str, Any]:
        """The record as data."""
        return asdict(self)


class Describer:
    """Makes records. `types` finds the types of operands, `terms` shows values."""

    def __init__(self, types: OperandTypes | None = None, terms: Terms | None = None) -> None:
        self.types = types or OperandTypes()
        self.terms = terms or Terms()

    def record(self, index: int, fields: Sequence[Any]) -> StepRecord:
        """The record of the step with this number."""
        step = Captured(*fields)
        if step.opener is not None:
            redex, result, popped, pushed = self.left(step)
        else:
            redex, result, popped, pushed = self.reduced(step)
        func = step.ctx.frame.func
        return StepRecord(
            index,
            step.rule,
            show_sequence(redex),
            show_sequence(result),
            address(step.rule),
            func.funcidx if func is not None else None,
            function_name(func) if func is not None else None,
            offset_of(step),
            step.depth,
            tuple(popped),
            tuple(pushed),
            tuple(self.changes(step)),
        )

    def reduced(self, step: Captured) -> tuple[list[str], list[str], list[str], list[str]]:
        """Redex, result, operands popped and pushed of a step that left no context."""
        frame, point = step.ctx.frame, step.code[step.pc]
        callee = step.operands[-1] if step.operands and isinstance(step.operands[-1], FuncInst) else None
        instr = self.point(point, frame, callee)
        if step.rule.endswith("-instrs"):
            return self.cleared(step, instr)
        effect = self.types.effect(point, frame, callee)
        kind = kind_of(point[0])
        known = () if effect is None else effect.popped
        takes = 1 if callee is None and kind.endswith("call_ref") else TAKES.get(kind, len(known))
        taken = known[len(known) - takes :]
        count = len(taken)
        popped = self.shown(taken, last(step.operands, count), frame)
        redex = [*[ELLIPSIS] * (count > len(popped)), *popped, instr]
        if step.rule.endswith("-next"):
            handlers = [self.context(handler, None, " ".join(redex), held) for handler, held in next_clause(step)]
            return handlers[:1], handlers[1:], popped, popped
        if step.entered:
            return redex, [self.entered(step.entered, point, popped)], popped, []
        values = last(step.new_operands, step.new_height - step.height + count)
        if step.inserted is None:
            types: Types = list(effect.pushed) if effect is not None and step.rule != HOST_CALL else []
            if step.rule == HOST_CALL and callee is not None:
                types = list(callee.type.results)
            pushed = self.shown(types, values, frame)
            return redex, pushed, popped, pushed
        types = self.inserted_types(step, values, list(taken))
        pushed = self.shown(types, values, frame)
        return redex, [*pushed, *self.code(step.inserted, frame, values)], popped, pushed

    def inserted_types(self, step: Captured, values: Sequence[Any], taken: Types) -> Types:
        """The types of the values that a rule left before the code that it inserted: what the code asks for, or what
        they were in the redex."""
        if step.inserted is None or not values:
            return []
        callee = values[-1] if isinstance(values[-1], FuncInst) else None
        asked = self.types.demand(step.inserted, step.ctx.frame, callee).asked[-len(values) :]
        same: Types = [t for t, _ in zip(taken, values, strict=False)]
        rest = len(values) - len(asked)
        return [*same[:rest], *[None] * (rest - len(same[:rest])), *asked]

    def cleared(self, step: Captured, instr: str) -> tuple[list[str], list[str], list[str], list[str]]:
        """`val* trap instr* ↪ trap`, and the same for an exception."""
        frame = step.ctx.frame
        types = self.types.operands(
            Position(step.ctx.kind, step.ctx.frame, step.code, step.pc, step.rest), step.operands, step.height
        )
        values = self.shown(types, step.operands, frame)
        after = [
            part
            for part in [show_head(self.remaining(frame, step.code, step.pc + 1, step.rest), MAX_AFTER)]
            if part != EPSILON
        ]
        kept = [values[-1]] if step.new_height else []
        return [*values, instr, *after], [*kept, instr], values, kept

    def left(self, step: Captured) -> tuple[list[str], list[str], list[str], list[str]]:
        """Redex, result, operands popped and pushed of a step that left a context."""
        left, frame = step.ctx, step.ctx.frame
        opener = (step.opener or ())[step.opener_pc - 1] if step.opener_pc else None
        ended = step.pc == len(step.code)
        at = Position(
            left.kind,
            frame,
            step.code,
            step.pc,
            step.rest,
            False,
            opener[2] if opener and ended else None,
            step.carried,
        )
        types = self.types.operands(at, step.operands, step.height)
        body = self.shown(types, step.operands, frame)
        if step.height > len(step.operands):
            body.insert(0, ELLIPSIS)
        text = [show_sequence(body)] if body or ended else []
        if not ended:
            callee = step.operands[-1] if step.operands and isinstance(step.operands[-1], FuncInst) else None
            text.append(self.point(step.code[step.pc], frame, callee))
            after = show_head(self.remaining(frame, step.code, step.pc + 1, step.rest), MAX_AFTER)
            text += [after] if after != EPSILON else []
        redex = [self.context(left, opener, " ".join(text))]
        values = last(step.new_operands, step.new_height - step.outer)
        pushed = self.shown(self.taken_along(step, types, values), values, frame)
        result = list(pushed)
        if step.inserted is not None:
            result += self.code(step.inserted, frame, values)
        elif left.loop and step.rule.endswith("br-label-zero") and opener is not None:
            result.append(self.point(opener, frame))
        return redex, result, [], pushed

    def taken_along(self, step: Captured, types: Types, values: Sequence[Any]) -> Types:
        """The types of the operands that came out of a context: the last ones of it, or those of an exception."""
        count = len(values)
        before = last(step.operands, count)
        if len(before) == count and all(new is old for new, old in zip(values, before, strict=True)):
            return types[len(types) - count :]
        caught = caught_types(catches_of(step.ctx), step.ctx.frame)
        return caught if len(caught) == count else [None] * count

    def context(self, ctx: Context, opener: Point | None, body: str, held: Sequence[Any] | None = None) -> str:
        """A label, frame or handler as a term; `held` are its locals or catch clauses, if not those that it has now."""
        frame = ctx.frame
        if ctx.kind == "frame":
            inside = f"locals {show_head(self.locals(frame, frame.locals if held is None else held))}"
        elif ctx.kind == "handler":
            inside = show_head(map(show_catch, catches_of(ctx) if held is None else held))
        else:
            inside = self.point(opener, frame) if ctx.loop and opener is not None else EPSILON
        return f"({ctx.kind}_{ctx.arity}{{{inside}}} {body})"

    def locals(self, frame: Frame, locals_: Sequence[Any], limit: int = MAX_LOCALS) -> list[str]:
        """The locals of a frame, `limit` of them at most."""
        types: Types = list(self.types.locals_of(frame)[: max(limit, 0)])
        shown = self.shown(types, locals_[: len(types)], frame)
        return [*shown, ELLIPSIS] if len(frame.locals) > len(shown) else shown

    def entered(self, contexts: Sequence[Entered], point: Point, popped: Sequence[str]) -> str:
        """The contexts that a step entered, one in the other; the operands in the innermost one are the last ones of
        those that it took."""
        ctx, code, operands, held = contexts[0]
        if len(contexts) > 1:
            body = self.entered(contexts[1:], point, popped)
        else:
            taken = popped[len(popped) - len(operands) :]
            body = show_head(chain(taken, self.remaining(ctx.frame, code, 0, ())), MAX_BODY)
        return self.context(ctx, point, body, held)

    def point(self, point: Point, frame: Frame, callee: FuncInst | None = None) -> str:
        """An instruction as a term."""
        if is_trap(point):
            return "trap"
        callee = callee or self.types.callee(point, frame)
        instr = instruction(point, callee, callee.module.types if callee and callee.module else frame.module.types)
        if instr is not None:
            return show_plain(instr)
        kind = kind_of(point[0])
        return f"({kind} {callee.deftype})" if callee is not None and kind.endswith("call_ref") else kind

    def code(self, code: Code, frame: Frame, operands: Sequence[Any] = ()) -> list[str]:
        """Inserted code, whose values get the types that the instructions behind them ask for."""
        callee = operands[-1] if operands and isinstance(operands[-1], FuncInst) else None
        demand = self.types.demand(code, frame, callee)
        return [
            self.terms.value(demand.values.get(index), point[1], frame.module.types)
            if is_value(point[0])
            else self.point(point, frame, callee)
            for index, point in enumerate(code)
        ]

    def remaining(self, frame: Frame, code: Code, pc: int, rest: Sequence[tuple[Code, int]]) -> Iterator[str]:
        """The instructions that are left in a context, as far as they are asked for."""
        for points, start in ((code, pc), *reversed(rest)):
            inserted = self.types.demand(points, frame).values if start < len(points) and not is_own(points[0]) else {}
            for index in range(start, len(points)):
                point = points[index]
                if index in inserted:
                    yield self.terms.value(inserted[index], point[1], frame.module.types)
                else:
                    yield self.point(point, frame)

    def shown(self, types: Sequence[StorageType | None], vals: Sequence[Any], frame: Frame) -> list[str]:
        """Operands as terms; `types` are those of the last ones, or of more."""
        module_types = frame.module.types
        padded = [*[None] * (len(vals) - len(types)), *types[max(len(types) - len(vals), 0) :]]
        return [
            self.terms.value(t if isinstance(t, PackType) else type_of(t, val), val, module_types)
            for t, val in zip(padded, vals, strict=True)
        ]

    def changes(self, step: Captured) -> Iterator[ChangeRecord]:
        """What the step changed in the state."""
        frame = step.ctx.frame
        if step.rule in ALLOCATING:
            yield self.allocated(step.new_operands[-1], frame)
        for (owner, _, start, stop), old, new in step.changes:
            what, number, t = self.described(owner, start or 0, frame)
            count = 1 if start is None or stop is None else stop - start
            if count == 0:
                continue
            yield ChangeRecord(what, number, start, count, self.contents(t, old, frame), self.contents(t, new, frame))

    def allocated(self, ref: Any, frame: Frame) -> ChangeRecord:
        """An object that a step made: nothing before, its fields now."""
        if isinstance(ref, ExnInst):
            types: list[StorageType | None] = list(ref.tag.type.functype.params)
        else:
            types = [field_type(ref, index) for index in range(min(len(ref.fields), MAX_CAPTURED))]
        fields = ref.fields[: len(types)]
        return ChangeRecord(
            str(ref.heaptype),
            ref.addr,
            None,
            len(ref.fields),
            EPSILON,
            show_head(self.shown(types, fields, frame), MAX_CONTENTS),
        )

    def described(self, owner: Any, index: int, frame: Frame) -> tuple[str, int | None, StorageType | None]:
        """What an instance is, its address, and the type of its element at an index (None for bytes)."""
        if isinstance(owner, Frame):
            return "local", None, self.types.locals_of(owner)[index]
        if isinstance(owner, StructInst | ArrayInst):
            return str(owner.heaptype), owner.addr, field_type(owner, index)
        if isinstance(owner, ElemInst | DataInst):
            what, segments = (
                ("elem", frame.module.elems) if isinstance(owner, ElemInst) else ("data", frame.module.datas)
            )
            return what, next((number for number, segment in enumerate(segments) if segment is owner), None), None
        what, t = STORED[type(owner)]
        return what, owner.addr, t(owner)

    def contents(self, t: StorageType | None, part: Any, frame: Frame) -> str:
        """Bytes or values as text."""
        if isinstance(part, bytes):
            return show_head((f"{byte:02x}" for byte in part), MAX_CONTENTS)
        values = part if isinstance(part, tuple) else (part,)
        return show_head(self.shown([t] * len(values), values, frame), MAX_CONTENTS)


ALLOCATING = frozenset({"Step/struct.new", "Step/array.new_fixed", "Step/throw"})
"""Rules that add an object to the store, and leave a reference to it."""


def offset_of(step: Captured) -> int | None:
    """Where the instruction of a step stands in the module (bytes), if that is in the function of the step: what is on
    its way out of a function that was called has none there."""
    func = step.ctx.frame.func
    if func is None or func.code is None or step.pc >= len(step.code):
        return None
    offset = step.code[step.pc][2].offset
    return offset if func.code.offset <= offset < func.code.offset + func.code.size else None


STORED: dict[type, tuple[str, Callable[[Any], StorageType | None]]] = {
    GlobalInst: ("global", lambda inst: inst.type.valtype),
    TableInst: ("table", lambda inst: inst.type.reftype),
    MemInst: ("memory", lambda inst: None),
}
"""Instances with an address: what they are called, and the type of what they hold (None for bytes)."""


def field_type(ref: StructInst | ArrayInst, index: int) -> StorageType | None:
    """The type of a field or element."""
    comptype = ref.deftype.expand()
    if isinstance(comptype, ArrayType):
        return comptype.field.storagetype
    return comptype.fields[index].storagetype if isinstance(comptype, StructType) else None


def last(vals: Sequence[Any], count: int) -> Sequence[Any]:
    """The last ones, `count` of them if there are so many."""
    return vals[max(len(vals) - max(count, 0), 0) :]


def next_clause(step: Captured) -> Iterator[tuple[Context, Sequence[Any]]]:
    """A handler and its catch clauses, before and after it goes on to the next one."""
    ctx, _, _, held = step.entered[0]
    yield ctx, held
    yield ctx, held[1:]
