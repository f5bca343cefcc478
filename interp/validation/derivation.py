"""Typing derivations: how each instruction of a function comes to its type, which rule says so, and what of the context
the rule asks for.

Validation itself (`interp.validation.instructions`) does not build them; here the same rules run once more, on request,
over a function of a module that is known to be valid.
Spec: valid/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from interp.syntax import modules as m
from interp.syntax.instructions import Imm, Instr, MemArg
from interp.syntax.notation import show_instr
from interp.syntax.types import BOT, FuncType, ResultType, ValType, show_resulttype
from interp.validation.algorithm import Validator
from interp.validation.context import Context
from interp.validation.instructions import close, rule_name, type_instr

MAX_SHOWN = 16
"""Operands below an instruction that a node holds; all of them, for every instruction, could fill the memory."""

MAX_INDENTATION = 40
"""Columns that deeply nested instructions are indented by."""


@dataclass(frozen=True, slots=True)
class Node:
    """C |- instr : popped -> pushed, by `rule`.

    `depth` counts the blocks around the instruction in its function, `operands` are the types on the operand stack of
    the innermost block before it (the last MAX_SHOWN of `height`), `context` what the rule looked up, each as text such
    as `C.locals[0] = i32`. In code that cannot be reached, operands that are not there have the types that the rule
    asks for, or bot where any will do.
    """

    instr: Instr
    rule: str
    depth: int
    operands: ResultType
    height: int
    popped: ResultType
    pushed: ResultType
    context: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The node as data."""
        return {
            "offset": self.instr.offset,
            "instruction": show_instr(self.instr),
            "rule": self.rule,
            "depth": self.depth,
            "operands": list(map(str, self.operands)),
            "height": self.height,
            "popped": list(map(str, self.popped)),
            "pushed": list(map(str, self.pushed)),
            "context": list(self.context),
        }


class Recorder(Validator):
    """A validator that knows which operands an instruction took or asked for: `taken`, the last one first, which stood
    from the height `low` on."""

    __slots__ = ("low", "taken")

    def start(self) -> None:
        """An instruction begins."""
        self.low = len(self.operands)
        self.taken: list[ValType] = []

    def pop(self) -> ValType:
        """pop_val, noted if the operand was there before the instruction, or comes out of unreachable code."""
        height = len(self.operands)
        t = super().pop()
        if len(self.operands) in (height, self.low - 1):
            self.low = len(self.operands)
            self.taken.append(t)
        return t

    def expect(self, t: ValType) -> ValType:
        """pop_val(t); of what comes out of unreachable code, the type that it has to be."""
        actual = super().expect(t)
        if actual is BOT and self.taken:
            self.taken[-1] = t
        return actual

    def check_all(self, ts: ResultType) -> list[ValType]:
        """What pop_vals would take, noted as far as it was there before the instruction."""
        found = super().check_all(ts)
        height = len(self.operands) - len(found)
        if height < self.low:
            self.taken.extend(reversed(found[: self.low - height]))
            self.low = height
        self.taken.extend(reversed(ts[: len(ts) - len(found)]))
        return found


def recorder(context: Context, func: m.Func) -> Recorder:
    """A validator at the start of a function of a valid module."""
    ft = context.functype(func.typeidx)
    v = Recorder(context, ft.params + tuple([context.close_valtype(t) for t in func.locals]))
    v.start()
    v.push_control(None, FuncType((), ft.results), func.body)
    return v


T = TypeVar("T")


def along(v: Recorder, step: Callable[[Recorder, Instr], T]) -> Iterator[T]:
    """What `step`, which types an instruction, gives for each one of a function; those of a block behind the block."""
    while v.controls:
        frame = v.controls[-1]
        for instr in frame.code:
            yield step(v, instr)
            if v.controls[-1] is not frame:
                break
        else:
            close(v)


def derive(context: Context, func: m.Func) -> Iterator[Node]:
    """The derivation of a function of a valid module, instruction by instruction."""
    return along(recorder(context, func), node_of)


Effect = tuple[Instr, ResultType, ResultType]
"""An instruction, what it pops and what it pushes."""


def effects_of(context: Context, func: m.Func) -> Iterator[Effect]:
    """What the instructions of a function of a valid module pop and push; without those whose row has a type."""
    return filter(None, along(recorder(context, func), effect_of))


def effect_of(v: Recorder, instr: Instr) -> Effect | None:
    """Type one instruction: what it pops and pushes; None if its row says so."""
    if instr.op.type is not None:
        type_instr(v, instr)
        return None
    return recorded(v, instr)


def recorded(v: Recorder, instr: Instr) -> Effect:
    """Type one instruction: what it pops and pushes."""
    depth = len(v.controls)
    v.start()
    type_instr(v, instr)
    pushed = v.controls[-1].type.results if len(v.controls) > depth else tuple(v.operands[v.low :])
    return instr, tuple(reversed(v.taken)), pushed


def node_of(v: Recorder, instr: Instr) -> Node:
    """Type one instruction, and say how."""
    depth, base = len(v.controls), v.controls[-1].height
    height = len(v.operands) - base
    operands = tuple(v.operands[max(base, len(v.operands) - MAX_SHOWN) :])
    used = tuple(looked_up(v, instr))
    _, popped, pushed = recorded(v, instr)
    return Node(instr, rule_name(instr), depth - 1, operands, height, popped, pushed, used)


def looked_up(v: Validator, instr: Instr) -> Iterator[str]:
    """What an instruction names of the context, with what it finds there."""
    c = v.context
    for kind, x in zip(instr.op.immediates, instr.immediates, strict=False):
        if kind is Imm.LOCALIDX:
            yield f"C.locals[{x}] = {v.local(x)}"
        elif kind is Imm.LABELIDX:
            yield f"C.labels[{x}] = {show_resulttype(v.label(x))}"
        elif kind is Imm.FUNCIDX:
            yield f"C.funcs[{x}] = {c.func(x)}"
        elif kind is Imm.TYPEIDX:
            yield f"C.types[{x}] = {c.deftype(x)}"
        elif kind is Imm.GLOBALIDX:
            yield f"C.globals[{x}] = {c.globals[x]}"
        elif kind is Imm.TABLEIDX:
            yield f"C.tables[{x}] = {c.tables[x]}"
        elif kind in (Imm.MEMIDX, Imm.MEMARG):
            index = x.memidx if isinstance(x, MemArg) else x
            yield f"C.mems[{index}] = {c.mems[index]}"
        elif kind is Imm.TAGIDX:
            yield f"C.tags[{x}] = {c.tags[x]}"
        elif kind is Imm.ELEMIDX:
            yield f"C.elems[{x}] = {c.elems[x]}"
        elif kind is Imm.DATAIDX:
            yield f"C.datas[{x}] = ok"
    if instr.op.kind == "return":
        yield f"C.return = {show_resulttype(v.controls[0].type.results)}"


def show_node(node: Node) -> Iterator[str]:
    """A node as two lines: offset (bytes), instruction and type; the rule, what it looked up, the operands before."""
    indentation = " " * min(2 * node.depth, MAX_INDENTATION)
    types = f"{show_resulttype(node.popped)} -> {show_resulttype(node.pushed)}"
    yield f"{node.instr.offset:#08x}  {indentation}{show_instr(node.instr)} : {types}"
    operands = show_resulttype(node.operands)
    more = f" above {node.height - len(node.operands)} more" if node.height > len(node.operands) else ""
    yield f"          {indentation}  {', '.join([node.rule, *node.context])}; operands {operands}{more}"


def derivation_text(context: Context, func: m.Func) -> Iterator[str]:
    """The lines of a derivation."""
    ft = context.functype(func.typeidx)
    yield f"Func_ok: {ft}{f', locals {show_resulttype(func.locals)}' if func.locals else ''}"
    for node in derive(context, func):
        yield from show_node(node)


def derivation_json(context: Context, func: m.Func) -> dict[str, Any]:
    """A derivation as data."""
    return {
        "rule": "Func_ok",
        "type": str(context.functype(func.typeidx)),
        "locals": list(map(str, func.locals)),
        "instructions": [node.to_json() for node in derive(context, func)],
    }
