"""The types of operands, which the machine itself does not know: an i32 and an i64 look alike on its stack.

They are found when somebody looks, from where a configuration stands in its code. Validation typed every instruction of
a function; along a block those types add up to the types on the stack. Where a rule inserted instructions, their own
types say what they ask of the operands that the rule left for them.
Spec: appendix/algorithm, exec/runtime#configurations
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interp.engine import Reference
from interp.errors import Invalid
from interp.execution.runtime import FuncInst, ModuleInst
from interp.reference.call import CALL_REF
from interp.reference.configuration import Code, Frame, Point
from interp.reference.observe import Carried, Position, is_value
from interp.reference.stands_for import instruction, is_own, is_trap, kind_of
from interp.syntax.instructions import Catch, Imm, Instr
from interp.syntax.modules import Func
from interp.syntax.types import BOT, EXNREF, FuncType, RefType, ResultType, ValType
from interp.validation import context as validation
from interp.validation.algorithm import Validator
from interp.validation.derivation import effects_of
from interp.validation.instructions import type_instr
from interp.validation.modules import validate

MAX_FUNCTIONS = 64
"""Functions whose types are kept; those of others are found again when they are looked at."""

CALLS = ("call", "return_call")
"""Calls of a function by its index."""

Types = list[ValType | None]
"""Types of operands, the top last; None where none is known."""


class Effect(NamedTuple):
    """What an instruction takes from the operand stack and leaves on it, by its type."""

    popped: ResultType
    pushed: ResultType


@dataclass(frozen=True, slots=True)
class FunctionTypes:
    """The effect of each instruction of a function that has not the same type everywhere, and the type of each block by
    its first instruction."""

    effects: dict[Instr, Effect]
    blocks: dict[Instr, FuncType]


class Demand(NamedTuple):
    """What inserted code asks of the operands below it, the types of the values in it by position, and how much it
    changes their number (None where that is not known)."""

    asked: ResultType
    values: dict[int, ValType]
    net: int | None


class Lone(Validator):
    """A validator for one instruction alone: what it asks for is noted, and taken as given."""

    __slots__ = ("asked",)

    def __init__(self, context: validation.Context, locals_: ResultType) -> None:
        super().__init__(context, locals_)
        self.asked: list[ValType] = []
        self.push_control(None, FuncType((), ()), ())
        self.controls[-1].unreachable = True

    def expect(self, t: ValType) -> ValType:
        """pop_val(t)"""
        if self.operands:
            return super().expect(t)
        self.asked.append(t)
        return t

    def expect_all(self, ts: ResultType) -> list[ValType]:
        """pop_vals(t*)"""
        found = [self.expect(t) for t in reversed(ts)]
        found.reverse()
        return found


class OperandTypes:
    """Finds types. `contexts` holds what validation knows of modules; it is made anew for those that are missing.
    `func` is the function that the computation began with."""

    def __init__(
        self, contexts: dict[ModuleInst, validation.Context] | None = None, func: FuncInst | None = None
    ) -> None:
        self.contexts = dict(contexts or {})
        self.func = func
        self.functions: OrderedDict[FuncInst, FunctionTypes] = OrderedDict()

    def context(self, moduleinst: ModuleInst) -> validation.Context:
        """C of a module."""
        found = self.contexts.get(moduleinst)
        if found is None:
            found = self.contexts[moduleinst] = validate(moduleinst.module, lazy=True).context
        return found

    def locals_of(self, frame: Frame) -> ResultType:
        """The types of a frame's locals."""
        func = frame.func
        if func is None or func.code is None:
            return ()
        context = self.context(frame.module)
        return func.type.params + tuple([context.close_valtype(t) for t in func.code.locals])

    def function(self, func: FuncInst) -> FunctionTypes:
        """The types of all instructions of a function that has code."""
        found = self.functions.get(func)
        if found is None:
            if func.code is None or func.module is None:
                return FunctionTypes({}, {})
            found = types_of(self.context(func.module), func.code)
            self.functions[func] = found
            if len(self.functions) > MAX_FUNCTIONS:
                self.functions.popitem(last=False)
        else:
            self.functions.move_to_end(func)
        return found

    def effect(self, point: Point, frame: Frame, callee: FuncInst | None = None) -> Effect | None:
        """The effect of an instruction of the function of `frame`, or inserted there; None where it is not known (of
        branches that were inserted, and of trap). `callee` is the function that a `call_ref` is about to call."""
        own = point[2].op.type
        if own is not None and is_own(point):
            return Effect(own.params, own.results)
        if is_own(point) and frame.func is not None:
            found = self.function(frame.func).effects.get(point[2])
            if found is not None:
                return found
        return self.effect_inserted(point, frame, callee)

    def effect_inserted(self, point: Point, frame: Frame, callee: FuncInst | None) -> Effect | None:
        """The effect of an inserted instruction."""
        kind = kind_of(point[0])
        if kind == "return":
            return None if frame.func is None else Effect(frame.func.type.results, ())
        if kind in ("call_ref", "return_call_ref"):
            callee = callee or self.callee(point, frame)
            if callee is not None:
                ref = RefType(True, callee.deftype)
                return Effect((*callee.type.params, ref), callee.type.results if kind == "call_ref" else ())
        instr = instruction(point)
        if instr is None or Imm.LABELIDX in instr.op.immediates:
            return None
        lone = Lone(self.context(frame.module), self.locals_of(frame))
        try:
            type_instr(lone, instr)
        except (Invalid, LookupError):
            return None
        lone.asked.reverse()
        return Effect(tuple(lone.asked), tuple(lone.operands))

    def callee(self, point: Point, frame: Frame) -> FuncInst | None:
        """The function that a call calls, if the code tells."""
        if point is CALL_REF:
            return self.func
        instr, funcs = point[2], frame.module.funcs
        return funcs[instr.immediates[0]] if instr.op.kind in CALLS and instr.immediates[0] < len(funcs) else None

    def demand(self, code: Code, frame: Frame, callee: FuncInst | None = None) -> Demand:
        """What a sequence of inserted instructions asks for."""
        asked: list[ValType] = []
        values: dict[int, ValType] = {}
        stack: list[int | ValType] = []
        for index, point in enumerate(code):
            if is_value(point[0]):
                stack.append(index)
                continue
            effect = None if is_trap(point) else self.effect(point, frame, callee)
            if effect is None:
                return Demand(tuple(reversed(asked)), values, None)
            for t in reversed(effect.popped):
                top = stack.pop() if stack else None
                if isinstance(top, int):
                    values[top] = t
                elif top is None:
                    asked.append(t)
            stack.extend(effect.pushed)
        return Demand(tuple(reversed(asked)), values, len(stack) - len(asked))

    def fold(self, types: Types, code: Code, frame: Frame, values: dict[int, ValType]) -> Types:
        """The operands after a sequence of instructions; `values` are the types of the values that a rule put there."""
        types = list(types)
        for index, point in enumerate(code):
            if index in values:
                types.append(values[index])
            elif (effect := self.effect(point, frame)) is not None:
                del types[max(len(types) - len(effect.popped), 0) :]
                types.extend(effect.pushed)
        return types

    def net(self, code: Code, frame: Frame, values: dict[int, ValType]) -> int | None:
        """By how much a sequence of instructions changes the number of operands; None if that is not known."""
        net = 0
        for index, point in enumerate(code):
            effect = self.effect(point, frame)
            if index in values or is_value(point[0]):
                net += 1
            elif effect is None:
                return None
            else:
                net += len(effect.pushed) - len(effect.popped)
        return net

    def operands(self, at: Position, vals: Sequence[Any], height: int | None = None) -> Types:
        """The types of the operands `vals` of a context, the top ones of `height` in all."""
        height = len(vals) if height is None else height
        types = self.all_operands(at, height, vals[-1] if vals else None)
        return [type_of(t, val) for t, val in zip(types[height - len(vals) :], vals, strict=True)]

    def all_operands(self, at: Position, height: int, top: Any) -> Types:
        """The types of all operands of a context, `height` of them; `top` is the last one."""
        types = self._operands(at, height, top)[:height]
        return types + [None] * (height - len(types))

    def _operands(self, at: Position, height: int, top: Any) -> Types:
        """The types from the bottom on; perhaps more, or fewer where not all are known."""
        frame, levels = at.frame, [*at.rest, (at.code, at.pc)]
        code, pc = levels[0]
        start = self._start(at, code)
        if start is None:
            inner, types, point = levels if code else levels[1:], [], None
            if not inner:
                return [] if at.entered else self._results(at)
        else:
            inner, point = levels[1:], code[pc - 1] if pc else None
            types = self.fold(start, code[: pc - 1] if inner or at.entered else code[:pc], frame, {})
        if at.entered:
            return types
        for index, (code, pc) in enumerate(inner):
            last = index == len(inner) - 1
            demand = self.demand(code, frame, top if isinstance(top, FuncInst) and pc == 0 else None)
            done = code[:pc] if last else code[: pc - 1]
            if last:
                net = self.net(done, frame, demand.values)
                first = height - net if net is not None else height
            else:
                first = self._first(types, point, demand, frame)
            types = self._begin(at, types, point, first, demand, code)
            types = self.fold(types, done, frame, demand.values)
            point = code[pc - 1] if pc else None
        return types

    def _start(self, at: Position, code: Code) -> Types | None:
        """The operands at the start of a block; None if the code is not that of a block."""
        func = at.frame.func
        if at.kind != "label" or func is None:
            return None
        if code:
            found = self.function(func).blocks.get(code[0][2]) if is_own(code[0]) else None
            return None if found is None else list(found.params)
        if at.opener is None:
            return []
        return list(self.context(at.frame.module).blocktype(at.opener.immediates[0]).params)

    def _results(self, at: Position) -> Types:
        """The operands of a frame or handler in which nothing is left to do."""
        func = at.frame.func
        if at.kind == "handler" and at.opener is not None:
            return list(self.context(at.frame.module).blocktype(at.opener.immediates[0]).results)
        return list(func.type.results) if at.kind == "frame" and func is not None else []

    def _first(self, types: Types, point: Point | None, demand: Demand, frame: Frame) -> int:
        """How many operands there were when a rule had inserted code that is to have the same type as `point`."""
        effect = None if point is None else self.effect(point, frame)
        if effect is None or demand.net is None:
            return len(types)
        return len(types) - len(effect.popped) + len(effect.pushed) - demand.net

    def _begin(self, at: Position, types: Types, point: Point | None, first: int, demand: Demand, code: Code) -> Types:
        """The `first` operands when a rule had inserted `code` in the place of `point`, before which were `types`: at
        the top is what the code asks for, below it what was there, or came out of another context."""
        below = first - len(demand.asked)
        carried = at.carried
        if carried is not None and carried.code is code:
            effect = None if point is None else self.effect(point, at.frame)
            base = types[: len(types) - len(effect.popped)] if effect is not None else types
            types = base + self.carried(carried) if below > len(base) else base
        return [*types[:below], *[None] * (below - len(types)), *demand.asked]

    def carried(self, carried: Carried) -> Types:
        """The types of what was taken out of a context; into which it may have been taken out of another one, and so on
        as deep as blocks are nested."""
        pending: list[Carried] = []
        one: Carried | None = carried
        while one is not None and one.types is None:
            pending.append(one)
            one = one.at.carried
        for one in reversed(pending):
            one.types = self._carried(one)
            one.at = one.at._replace(carried=None, rest=())
        return carried.types or []

    def _carried(self, carried: Carried) -> Types:
        """The types of what was taken out of one context, those of the contexts before being known."""
        if carried.catches and not carried.height:
            return caught_types(carried.catches, carried.at.frame)
        return self.all_operands(carried.at, carried.height, carried.top)


def caught_types(catches: Sequence[Catch], frame: Frame) -> Types:
    """The types of what the first clause of a handler hands on when it catches an exception."""
    if not catches:
        return []
    catch, tags = catches[0], frame.module.tags
    taken: ResultType = () if catch.tagidx is None else tags[catch.tagidx].type.functype.params
    return [*taken, EXNREF] if catch.takes_ref else list(taken)


def types_of(context: validation.Context, func: Func) -> FunctionTypes:
    """The types of all instructions of a function of a valid module, but for those that have one type everywhere."""
    same: dict[Effect, Effect] = {}
    effects: dict[Instr, Effect] = {}
    blocks: dict[Instr, FuncType] = {}
    if func.body:
        blocks[func.body[0]] = FuncType((), context.functype(func.typeidx).results)
    for instr, popped, pushed in effects_of(context, func):
        effect = Effect(popped, pushed)
        effects[instr] = same.setdefault(effect, effect)
        for body in instr.bodies:
            if body:
                blocks[body[0]] = context.blocktype(instr.immediates[0])
    return FunctionTypes(effects, blocks)


def type_of(t: ValType | None, val: Any) -> ValType | None:
    """The type of a value; if none was found, as far as the value itself tells."""
    if t is not None and t is not BOT:
        return t
    if isinstance(val, FuncInst):
        return RefType(False, val.deftype)
    return RefType(False, val.heaptype) if isinstance(val, Reference) else None
