"""Smaller code: the edits that reduction tries, each of which may or may not leave a module valid.

Spec: valid/instructions#instruction-sequences
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.lockstep.grammar.constants import CONST, const
from conformance.lockstep.grammar.plan import ins
from conformance.lockstep.rewriting import Effect, rewrite
from interp.syntax.instructions import BLOCKS, Catch, Expr, Imm, Instr, MemArg
from interp.syntax.types import NumType, RefType, ResultType, ValType, VecType

Path = tuple[tuple[int, int], ...]
"""Where a sequence of instructions stands: from outside, the block in the sequence around it and which body of it."""

Effects = Mapping[Instr, Effect]


@dataclass(frozen=True, slots=True)
class Edit:
    """In the sequence at `path`, the instructions from `start` to before `stop` become `code`."""

    path: Path
    start: int
    stop: int
    code: Expr = ()

    def applied(self, body: Expr) -> Expr:
        """The code of a function after the edit."""
        outer: list[Expr] = [body]
        for at, which in self.path:
            outer.append(outer[-1][at].bodies[which])
        inner = outer.pop()
        inner = inner[: self.start] + self.code + inner[self.stop :]
        for at, which in reversed(self.path):
            around = outer.pop()
            block = around[at]
            bodies = (*block.bodies[:which], inner, *block.bodies[which + 1 :])
            immediates = (*block.immediates[: len(block.op.immediates)], *bodies)
            inner = (*around[:at], Instr(block.op, immediates, block.offset), *around[at + 1 :])
        return inner


def sequences(body: Expr) -> Iterator[tuple[Path, Expr]]:
    """All sequences of instructions of a function, the outer ones first."""
    todo: list[tuple[Path, Expr]] = [((), body)]
    while todo:
        path, code = todo.pop(0)
        yield path, code
        for at, instr in enumerate(code):
            todo += [((*path, (at, which)), inner) for which, inner in enumerate(instr.bodies)]


def removals(body: Expr, effects: Effects) -> Iterator[Edit]:
    """Remove what cannot be reached, and runs of instructions that leave the stack as it was, long ones first."""
    for path, code in sequences(body):
        dead = next((x for x, instr in enumerate(code) if not effects[instr].reachable), len(code))
        if dead < len(code):
            yield Edit(path, dead, len(code))
        for start in range(dead):
            ends = list(neutral_ends(code[:dead], start, effects))
            while ends:
                yield Edit(path, start, ends[-1])
                ends = ends[: len(ends) // 2]


def neutral_ends(code: Expr, start: int, effects: Effects) -> Iterator[int]:
    """Where runs of instructions end that begin at `start`, take nothing from below, and leave nothing."""
    height = 0
    for at in range(start, len(code)):
        effect = effects[code[at]]
        height -= len(effect.popped)
        if height < 0:
            return
        height += len(effect.pushed)
        if height == 0:
            yield at + 1


def unused(body: Expr, effects: Effects) -> Iterator[Edit]:
    """Remove values together with the drop that takes them away later; replace what only takes values by drops."""
    for path, code in sequences(body):
        for at, instr in enumerate(code):
            effect = effects[instr]
            if not effect.reachable:
                break
            if not effect.popped and len(effect.pushed) == 1:
                end = taker(code, at, effects)
                if end is not None and code[end].op.kind == "drop":
                    yield Edit(path, at, end + 1, code[at + 1 : end])
            if effect.popped and not effect.pushed and instr.op.kind != "drop" and not instr.bodies:
                yield Edit(path, at, at + 1, (ins("drop"),) * len(effect.popped))


def taker(code: Expr, at: int, effects: Effects) -> int | None:
    """Which instruction takes the one value that the instruction at `at` leaves; None if it is not among these."""
    height = 1
    for other in range(at + 1, len(code)):
        effect = effects[code[other]]
        if not effect.reachable:
            return None
        height -= len(effect.popped)
        if height <= 0:
            return other
        height += len(effect.pushed)
    return None


def origin(code: Expr, at: int, effects: Effects) -> int | None:
    """Where the code begins that makes the operands of the instruction at `at`; None if some come from below."""
    needed = len(effects[code[at]].popped)
    start = at
    while needed > 0:
        start -= 1
        if start < 0 or not effects[code[start]].reachable:
            return None
        effect = effects[code[start]]
        needed += len(effect.popped) - len(effect.pushed)
    return start if needed == 0 else None


def default(t: ValType) -> Instr | None:
    """The simplest value of a type; None for references that cannot be null."""
    if isinstance(t, NumType | VecType):
        return const(t, 0.0 if isinstance(t, NumType) and t.value[0] == "f" else 0)
    return ins("ref.null", t.heaptype) if isinstance(t, RefType) and t.null else None


def defaults(types: ResultType) -> Expr | None:
    """The simplest values of types."""
    values = [default(t) for t in types]
    return None if None in values else tuple([value for value in values if value is not None])


def simpler_values(body: Expr, effects: Effects) -> Iterator[Edit]:
    """Replace what gives values by constants, by one of its operands, or by dropping its operands."""
    for path, code in sequences(body):
        for at, instr in enumerate(code):
            effect = effects[instr]
            if not effect.pushed or not effect.reachable:
                continue
            start, values = origin(code, at, effects), defaults(effect.pushed)
            if start is not None and values is not None and (start < at or instr.op not in CONST.values()):
                yield Edit(path, start, at + 1, values)
            if start is not None and start < at:
                yield from operand_edits(path, code, start, at, effects)
            if effect.popped and values is not None:
                yield Edit(path, at, at + 1, (*[ins("drop")] * len(effect.popped), *values))


def operand_edits(path: Path, code: Expr, start: int, at: int, effects: Effects) -> Iterator[Edit]:
    """Replace an instruction by one of its operands."""
    stop = at
    while stop > start:
        first = origin(code, stop - 1, effects)
        if first is None or first < start:
            return
        if effects[code[stop - 1]].pushed == effects[code[at]].pushed:
            yield Edit(path, start, at + 1, code[first:stop])
        stop = first


def unwrapped(body: Expr, _: Effects) -> Iterator[Edit]:
    """Replace blocks by what they hold, ifs by one of their arms."""
    for path, code in sequences(body):
        for at, instr in enumerate(code):
            if instr.op not in BLOCKS:
                continue
            condition = (ins("drop"),) if instr.op.kind == "if" else ()
            for inner in instr.bodies:
                freed = lifted(inner)
                if freed is not None:
                    yield Edit(path, at, at + 1, (*condition, *freed))


def lifted(code: Expr) -> Expr | None:
    """The inside of a block without the block; None if something branches to it."""
    try:
        return tuple([_lift(instr) for instr in code])
    except _LabelUsedError:
        return None


class _LabelUsedError(Exception):
    """A block that is to go away is branched to."""


def _lift(instr: Instr) -> Instr:
    """An instruction with one block fewer around it."""
    depths = {instr: 0}
    todo = [instr]
    while todo:
        each = todo.pop()
        for inner in each.bodies:
            depths |= dict.fromkeys(inner, depths[each] + 1)
            todo += inner

    def label(x: int, depth: int) -> int:
        if x == depth:
            raise _LabelUsedError
        return x - (x > depth)

    def change(old: Instr, new: Instr) -> tuple[Instr]:
        return (_relabelled(new, depths[old], label),)

    return rewrite((instr,), change)[0]


def _relabelled(instr: Instr, depth: int, label: Any) -> Instr:
    """An instruction, `depth` blocks deep, with its labels changed."""
    immediates: list[Any] = []
    for imm, x in zip(instr.op.immediates, instr.immediates, strict=False):
        if imm is Imm.LABELIDX:
            immediates.append(label(x, depth))
        elif imm is Imm.LABELIDX_LIST:
            immediates.append(tuple([label(each, depth) for each in x]))
        elif imm is Imm.CATCH_LIST:
            catches: tuple[Catch, ...] = x
            immediates.append(tuple([replace(each, labelidx=label(each.labelidx, depth)) for each in catches]))
        else:
            immediates.append(x)
    return Instr(instr.op, (*immediates, *instr.bodies), instr.offset)


def simpler_immediates(body: Expr, _: Effects) -> Iterator[Edit]:
    """Make constants 0, 1 or -1, offsets 0, and lists of labels and of catch clauses shorter."""
    for path, code in sequences(body):
        for at, instr in enumerate(code):
            for new in _simpler(instr):
                yield Edit(path, at, at + 1, (new,))


def _simpler(instr: Instr) -> Iterator[Instr]:
    if not instr.immediates:
        return
    first, rest = instr.immediates[0], instr.immediates[1:]
    t = next((t for t, op in CONST.items() if op is instr.op), None)
    if t is not None and isinstance(first, int):
        for value in (0, 1, -1) if isinstance(t, NumType) else (0,):
            simple = const(t, value)
            if simple.immediates[0] != first:
                yield simple
            else:
                return
    elif isinstance(first, MemArg) and (first.offset or first.align):
        yield Instr(instr.op, (replace(first, offset=0, align=0), *rest), 0)
        if first.align:
            yield Instr(instr.op, (replace(first, align=0), *rest), 0)
    elif Imm.LABELIDX_LIST in instr.op.immediates and first:
        yield Instr(instr.op, ((), *rest), 0)
        yield Instr(instr.op, (first[: len(first) // 2], *rest), 0)
    elif Imm.CATCH_LIST in instr.op.immediates and rest[0]:
        yield Instr(instr.op, (first, rest[0][1:], *rest[1:]), 0)
        yield Instr(instr.op, (first, rest[0][:1], *rest[1:]), 0)
