"""Changing modules: every instruction may be replaced by others, which know what it takes and leaves.

Nothing here recurses, so code may be nested to any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from interp.syntax import modules as m
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import BOT, AbsHeapType, DefType, RefType, ResultType, TypeIdx, ValType
from interp.validation.context import Context
from interp.validation.derivation import Recorder, along, recorded, recorder
from interp.validation.modules import ValidModule

Change = Callable[[Instr, Instr], Iterable[Instr]]
"""An instruction as it was, and with what it holds already changed -> what stands in its place."""


@dataclass(slots=True)
class _Open:
    """A sequence of instructions being changed: what is left of it, what came of it, the block it stands in, and that
    block's bodies still to come and already changed."""

    left: Iterator[Instr]
    owner: Instr | None = None
    todo: tuple[Expr, ...] = ()
    done: tuple[Expr, ...] = ()
    out: list[Instr] = field(default_factory=list)


def rewrite(code: Expr, change: Change) -> Expr:
    """The code with every instruction replaced as `change` says, those inside a block before the block."""
    open_: list[_Open] = [_Open(iter(code))]
    while True:
        top = open_[-1]
        for instr in top.left:
            if instr.bodies:
                open_.append(_Open(iter(instr.bodies[0]), instr, instr.bodies[1:]))
                break
            top.out += change(instr, instr)
        else:
            open_.pop()
            owner, done = top.owner, (*top.done, tuple(top.out))
            if owner is None:
                return done[0]
            if top.todo:
                open_.append(_Open(iter(top.todo[0]), owner, top.todo[1:], done))
            else:
                immediates = owner.immediates[: len(owner.op.immediates)]
                open_[-1].out += change(owner, Instr(owner.op, (*immediates, *done), owner.offset))


@dataclass(frozen=True, slots=True)
class Effect:
    """What an instruction takes from the stack and leaves on it; whether it can be reached."""

    popped: ResultType
    pushed: ResultType
    reachable: bool


def effects(context: Context, func: m.Func) -> dict[Instr, Effect]:
    """The effect of each instruction of a function of a valid module; of a block, that of the block as a whole."""

    def effect(v: Recorder, instr: Instr) -> tuple[Instr, Effect]:
        reachable = not v.controls[-1].unreachable
        _, popped, pushed = recorded(v, instr)
        return instr, Effect(popped, pushed, reachable)

    return dict(along(recorder(context, func), effect))


def with_code(func: m.Func, code: Expr, extra: Iterable[ValType] = ()) -> m.Func:
    """The function with other code, and more locals."""
    return m.Func(func.typeidx, (*func.locals, *extra), code, func.offset, func.size)


def open_type(context: Context, t: ValType) -> ValType | None:
    """A closed type as the module writes it; None for a type of unreachable code, which cannot be written."""
    if not isinstance(t, RefType):
        return None if t is BOT else t
    if isinstance(t.heaptype, DefType):
        found = [x for x, deftype in enumerate(context.types) if deftype is t.heaptype]
        return RefType(t.null, TypeIdx(found[0])) if found else None
    return None if t.heaptype is AbsHeapType.BOT else t


class Locals:
    """More locals for a function, one of each type that is asked for, or several by number."""

    def __init__(self, valid: ValidModule, func: m.Func) -> None:
        self._first = len(valid.context.functype(func.typeidx).params) + len(func.locals)
        self._found: dict[tuple[ValType, int], int] = {}

    def of(self, t: ValType, number: int = 0) -> int:
        """The index of a local of a type."""
        return self._found.setdefault((t, number), self._first + len(self._found))

    @property
    def types(self) -> tuple[ValType, ...]:
        """The types of the locals that were asked for, in their order."""
        return tuple([t for t, _ in self._found])
