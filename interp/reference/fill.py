"""A whole configuration as the specification writes it: one nested term. The machine keeps it as a stack of contexts;
`fill` puts them into one another again. The result is data (`to_json`), and text for people, of bounded length.
Spec: exec/runtime#configurations, exec/runtime#evaluation-contexts
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from interp.errors import ExecutionError, UncaughtException
from interp.execution.runtime import Store
from interp.reference.configuration import Context, Point, function_name
from interp.reference.observe import ObservedConfig, Position, catches_of
from interp.reference.record import Describer
from interp.reference.terms import ELLIPSIS, EPSILON, show_head, show_sequence
from interp.syntax.notation import show_catch

MAX_TERMS = 100_000
"""Values and instructions in the data of one configuration; of each context that goes beyond, none are listed."""

OUTER, INNER = 2, 12
"""Contexts shown to people: the outermost and the innermost ones."""

LINE = 100
"""Characters of a line shown to people, without its indentation."""


@dataclass(frozen=True, slots=True)
class ContextTerm:
    """A context: `kind` is top, frame, label or handler, `arity` what a branch or return takes along. `held` is what
    stands in its braces: the locals of a frame, what a branch to a label goes on with, the clauses of a handler.
    `operands` are its values, `instructions` what is left to do after them, and after the next context if there is one.
    `more` counts operands and instructions that are not listed."""

    kind: str
    arity: int
    function: int | None
    name: str | None
    held: tuple[str, ...]
    operands: tuple[str, ...]
    instructions: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class ConfigurationTerm:
    """A configuration: the sizes of the store's parts, the values of its globals, and the contexts, the outermost
    first."""

    store: dict[str, int]
    globals: tuple[str, ...]
    contexts: tuple[ContextTerm, ...]

    def to_json(self) -> dict[str, Any]:
        """The configuration as data."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The nested term, a line for each part."""
        sizes = ", ".join(f"{name} {size}" for name, size in self.store.items() if size)
        yield f"store: {sizes or EPSILON}"
        if self.globals:
            yield f"globals: {show_head(self.globals, LINE)}"
        yield from nested(self.contexts)


def nested(contexts: Sequence[ContextTerm]) -> list[str]:
    """Contexts in one another; of many, those in the middle are left out."""
    skipped = range(OUTER + 1, max(len(contexts) - INNER, OUTER + 1))
    shown = [ctx for depth, ctx in enumerate(contexts) if depth not in skipped]
    lines: list[str] = []
    for depth, ctx in enumerate(shown):
        if skipped and depth == skipped[0]:
            lines.append(f"{indent(depth)}{ELLIPSIS} {len(skipped)} contexts {ELLIPSIS}")
        lines += [f"{indent(depth)}{line}" for line in opening(ctx)]
    for depth, ctx in reversed(list(enumerate(shown))):
        if ctx.instructions:
            lines.append(f"{indent(depth + (ctx.kind != 'top'))}{show_head(ctx.instructions, LINE)}")
        elif ctx is shown[-1] and not ctx.operands:
            lines.append(f"{indent(depth + 1)}{EPSILON}")
        lines[-1] += ")" if ctx.kind != "top" else ""
    return lines


def opening(ctx: ContextTerm) -> Iterator[str]:
    """How a context begins, and its operands."""
    if ctx.kind != "top":
        locals_ = "locals " if ctx.kind == "frame" else ""
        yield f"({ctx.kind}_{ctx.arity}{{{locals_}{show_head(ctx.held, LINE)}}}"
    if ctx.operands:
        yield f"{'  ' if ctx.kind != 'top' else ''}{show_sequence(ctx.operands, LINE)}"


def indent(depth: int) -> str:
    """The indentation of what stands in so many contexts, the top one included."""
    return "  " * max(depth - 1, 0)


def fill(config: ObservedConfig, describer: Describer) -> ConfigurationTerm:
    """The term that a configuration stands for."""
    room = MAX_TERMS
    terms: list[ContextTerm] = []
    for index in range(len(config.contexts)):
        term = context_term(config, index, describer, room)
        room -= len(term.operands) + len(term.instructions)
        terms.append(term)
    if config.ended is not None and len(terms) == 1 and not terms[0].instructions:
        operands, instructions = ended_terms(config.ended, describer)
        terms = [replace(terms[0], operands=operands, instructions=instructions)]
    store = config.store
    globals_ = tuple(describer.terms.values((inst.type.valtype, inst.value) for inst in store.globals[:MAX_TERMS]))
    return ConfigurationTerm(sizes(store), globals_, tuple(terms))


def ended_terms(ended: ExecutionError, describer: Describer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Operands and instructions at the end of a computation that ended in a trap or an exception."""
    if isinstance(ended, UncaughtException):
        return (f"(ref.{describer.terms.address(ended.exception)})",), ("throw_ref",)
    return (), ("trap",)


def sizes(store: Store) -> dict[str, int]:
    """How much there is in a store."""
    structs, arrays, exns = store.meter.addresses
    return {
        "funcs": len(store.funcs), "tables": len(store.tables), "elements": sum(len(t.refs) for t in store.tables),
        "mems": len(store.mems), "bytes": sum(len(mem.bytes) for mem in store.mems), "globals": len(store.globals),
        "tags": len(store.tags), "structs": structs, "arrays": arrays, "exns": exns,
    }  # fmt: skip


def context_term(config: ObservedConfig, index: int, describer: Describer, room: int) -> ContextTerm:
    """A context of a configuration, the outermost being number 0; `room` is how many terms may be listed."""
    ctx = config.contexts[index]
    frame, func = ctx.frame, ctx.frame.func
    operands = operand_terms(config, index, describer, room)
    left = sum(len(code) - pc for code, pc in ((ctx.code, ctx.pc), *ctx.rest))
    remaining = describer.remaining(frame, ctx.code, ctx.pc, ctx.rest)
    instructions = tuple(islice(remaining, max(room - len(operands), 0)))
    opener = opener_of(config.contexts, index)
    if ctx.kind == "frame":
        held = describer.locals(frame, frame.locals, room)
    elif ctx.kind == "handler":
        held = list(map(show_catch, catches_of(ctx)))
    else:
        held = [describer.point(opener, frame)] if ctx.loop and opener is not None else []
    more = len(ctx.vals) - len(operands) + left - len(instructions)
    name = function_name(func) if func is not None else None
    funcidx = func.funcidx if func is not None else None
    return ContextTerm(ctx.kind, ctx.arity, funcidx, name, tuple(held), operands, instructions, more)


def operand_terms(config: ObservedConfig, index: int, describer: Describer, limit: int) -> tuple[str, ...]:
    """The operands of a context of a configuration, the top ones if there are more than `limit`."""
    ctx = config.contexts[index]
    vals = ctx.vals[max(len(ctx.vals) - limit, 0) :] if limit > 0 else []
    opener = opener_of(config.contexts, index)
    entered = index < len(config.contexts) - 1
    at = Position(
        ctx.kind, ctx.frame, ctx.code, ctx.pc, ctx.rest, entered, opener[2] if opener else None, config.carried
    )
    return tuple(describer.shown(describer.types.operands(at, vals, len(ctx.vals)), vals, ctx.frame))


def opener_of(contexts: Sequence[Context], index: int) -> Point | None:
    """The instruction that opened a context."""
    around = index - 1
    while around >= 0 and contexts[around].kind == "handler":
        around -= 1
    if around < 0 or not contexts[around].pc:
        return None
    return contexts[around].code[contexts[around].pc - 1]
