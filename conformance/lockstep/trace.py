"""Traces: a module that tells the host what every instruction did, so that the first difference can be placed.

Behind each instruction that leaves values the host is told of them; behind each one that changes memories, tables or
globals, of their state; and of every block that is entered. What is told makes a list of events on each engine, and the
first one in which two lists differ belongs to the first instruction whose effect differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from conformance.lockstep.compare import Schedule, binaries_of
from conformance.lockstep.encode import encode
from conformance.lockstep.engines import is_exact
from conformance.lockstep.grammar.constants import const
from conformance.lockstep.grammar.plan import ins
from conformance.lockstep.host import Host
from conformance.lockstep.indices import imported, renumber_instr, size
from conformance.lockstep.indices import renumber as renumber_module
from conformance.lockstep.rewriting import Effect, Locals, effects, open_type, rewrite
from conformance.lockstep.run import Binary, Outcome, Run
from conformance.lockstep.values import Shown
from interp.binary.modules import decode
from interp.engine import Engine, Limits
from interp.errors import ExhaustionKind
from interp.syntax import modules as m
from interp.syntax.instructions import Instr
from interp.syntax.notation import show_instr
from interp.syntax.types import (
    EXNREF,
    EXTERNREF,
    FUNCREF,
    I32,
    V128,
    AbsHeapType,
    FuncType,
    NumType,
    RecType,
    RefType,
    SubType,
    TypeIdx,
    ValType,
)
from interp.validation.matching import match_valtype
from interp.validation.modules import ValidModule, validate

TOPS: tuple[RefType, ...] = (FUNCREF, EXTERNREF, RefType(True, AbsHeapType.ANY), EXNREF)
TRACED: tuple[ValType | None, ...] = (None, *NumType, V128, *TOPS)
"""What the host is told of: None is the state, the others are values of a type."""

PREFIX = "trace "
CHANGING = (
    "store", "vstore", "vstore_lane", "memory.fill", "memory.copy", "memory.init", "memory.grow", "global.set",
    "table.set", "table.fill", "table.copy", "table.init", "table.grow",
)  # fmt: skip
"""Kinds of instructions after which the state is told of."""

MAX_EVENTS = 100_000
SHOWN_BEFORE = 6
"""Events that are shown before the first difference."""


@dataclass(frozen=True, slots=True)
class Site:
    """An instruction of function `function`; None for the function's entry."""

    function: int
    instr: Instr | None

    def __str__(self) -> str:
        if self.instr is None:
            return f"entry of function {self.function}"
        return f"function {self.function}, byte {self.instr.offset:#x}: {show_instr(self.instr)}"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at a site: a value, or the state."""

    site: int
    what: Shown


@dataclass(frozen=True, slots=True)
class Traced:
    """A module that tells what it does, and the sites that it tells of by number."""

    wasm: bytes
    sites: tuple[Site, ...]


def traced_type(t: ValType) -> ValType | None:
    """As what type the host is told of a value; None for what cannot be told."""
    if t in TRACED:
        return t
    return next((top for top in TOPS if match_valtype(t, top)), None)


class Instrument:
    """Makes a traced module of a valid one."""

    def __init__(self, valid: ValidModule) -> None:
        self._valid = valid
        self._sites: list[Site] = []
        self._first = len(imported(valid.module, "func"))
        self._maps: Mapping[str, Callable[[int], int]] = {"func": lambda x: x if x < self._first else x + len(TRACED)}

    def traced(self) -> Traced:
        """The traced module."""
        valid, module = self._valid, self._valid.module
        funcs = [self._function(self._first + number, func) for number, func in enumerate(module.funcs)]
        types, imports = list(module.types), list(module.imports)
        for t in TRACED:
            ft = FuncType((I32,) if t is None else (I32, t), ())
            imports.append(
                m.Import("trace", f"{PREFIX}{t}", TypeIdx(len(valid.context.types) + len(types) - len(module.types)), 0)
            )
            types.append(m.Type(RecType((SubType(True, (), ft),)), 0))
        changed = renumber_module(replace(module, funcs=()), self._maps)
        exports = [*changed.exports, *self._more_exports()]
        made = replace(changed, types=tuple(types), imports=tuple(imports), funcs=tuple(funcs), exports=tuple(exports))
        return Traced(encode(made), tuple(self._sites))

    def _more_exports(self) -> Iterable[m.Export]:
        """Exports that make all of the state visible."""
        module = self._valid.module
        exported = {(export.kind, export.index) for export in module.exports}
        for kind in ("memory", "global", "table"):
            for x in range(size(module, kind)):
                if (kind, x) not in exported:
                    yield m.Export(f"{PREFIX}{kind} {x}", kind, x, 0)

    def _site(self, function: int, instr: Instr | None) -> Instr:
        """A new site, as a constant."""
        self._sites.append(Site(function, instr))
        return const(I32, len(self._sites) - 1)

    def _tell(self, t: ValType | None) -> Instr:
        return ins("call", self._first + TRACED.index(t))

    def _function(self, index: int, func: m.Func) -> m.Func:
        locals_ = Locals(self._valid, func)
        known = effects(self._valid.context, func)

        def change(old: Instr, new: Instr) -> list[Instr]:
            return self._change(index, old, new, known[old], locals_)

        body = rewrite(func.body, change)
        params = self._valid.context.functype(func.typeidx).params
        entry = [self._site(index, None), self._tell(None)]
        for x, t in enumerate(params):
            top = traced_type(t)
            if top is not None:
                entry += [self._site(index, None), ins("local.get", x), self._tell(top)]
        return m.Func(func.typeidx, (*func.locals, *locals_.types), (*entry, *body), 0, 0)

    def _change(self, index: int, old: Instr, new: Instr, effect: Effect, locals_: Locals) -> list[Instr]:
        new = renumber_instr(new, self._maps)
        if new.bodies:
            bodies = [(self._site(index, old), self._tell(None), *inner) for inner in new.bodies]
            new = Instr(new.op, (*new.immediates[: len(new.op.immediates)], *bodies), new.offset)
        if not effect.reachable:
            return [new]
        code = [new, *self._values(index, old, effect, locals_)]
        if old.op.kind in CHANGING:
            code += [self._site(index, old), self._tell(None)]
        return code

    def _values(self, index: int, old: Instr, effect: Effect, locals_: Locals) -> list[Instr]:
        """Tell of the values that an instruction has left, and leave them again."""
        types = [open_type(self._valid.context, t) for t in effect.pushed]
        tops = [traced_type(t) for t in effect.pushed]
        if not types or None in types or None in tops or old.op.kind in ("const", "vconst") or leaves(old):
            return []
        kept = [locals_.of(t, k) for k, t in enumerate(types) if t is not None]
        code = [ins("local.set", x) for x in reversed(kept)]
        for x, top in zip(kept, tops, strict=True):
            code += [self._site(index, old), ins("local.get", x), self._tell(top)]
        return code + [ins("local.get", x) for x in kept]


def leaves(instr: Instr) -> bool:
    """Whether what stands behind an instruction is never reached."""
    kind = instr.op.kind
    return kind in ("br", "br_table", "return", "unreachable", "throw", "throw_ref") or kind.startswith("return_call")


class TraceHost(Host):
    """A host that also keeps the events."""

    def __init__(self, run: Run, binary: Binary) -> None:
        super().__init__(run.show, binary.signatures)
        self.events: list[Event] = []
        self._run = run

    def function(self, name: str, ft: FuncType) -> Callable[..., Any]:
        """The host function that an import of this name gets."""
        if not name.startswith(PREFIX):
            return super().function(name, ft)
        t = ft.params[-1]

        def tell(site: int, *values: Any) -> None:
            if len(self.events) < MAX_EVENTS:
                self.events.append(Event(site, self._run.show(t, *values) if values else self._state()))

        return tell

    def _state(self) -> Shown:
        state = self._run.state()
        memories = [f"{name} {len(data)} {crc32(data):#x}" for name, data in state.memories.items()]
        others = [f"{name} {' '.join(each.text for each in shown)}" for name, shown in state.others.items()]
        return Shown(f"state {crc32('; '.join(memories + others).encode()):#010x}")


class TraceRun(Run):
    """A run of a traced module."""

    def __init__(self, engine: Engine, binary: Binary, limits: Limits) -> None:
        super().__init__(engine, binary, limits)
        self.host: TraceHost = TraceHost(self, binary)


def first_difference(
    engines: Mapping[str, Engine], wasm: bytes, schedule: Schedule, last: int
) -> tuple[str, ...] | None:
    """Where two engines first do different things, as lines of text, in the calls up to `last`; None if the traced
    module does the same on both."""
    traced = Instrument(validate(decode(wasm))).traced()
    binaries = binaries_of(validate(decode(traced.wasm)), traced.wasm, engines)
    if len(binaries) < len(engines):
        return None
    runs: list[TraceRun] = []
    outcomes: list[list[Outcome]] = []
    for name, engine in engines.items():
        limits = schedule.limits if is_exact(engine) else replace(schedule.limits, fuel=None)
        run = TraceRun(engine, binaries[name], limits)  # a second instance is left out: it would tell the same
        ends = [run.instantiate()]
        if ends[0].kind == "values":
            for call in schedule.calls[: last + 1]:
                ends.append(run.call(call))
                if ends[-1].detail == ExhaustionKind.DEADLINE.value:
                    break
        runs.append(run)
        outcomes.append(ends)
    return describe_difference(traced, tuple(engines), [run.host.events for run in runs], outcomes)


def describe_difference(
    traced: Traced, names: tuple[str, ...], events: list[list[Event]], outcomes: list[list[Outcome]]
) -> tuple[str, ...] | None:
    """The first difference of two lists of events, with what was the same just before."""
    left, right = events
    at = next(
        (x for x, (a, b) in enumerate(zip(left, right, strict=False)) if a.site != b.site or not a.what.equals(b.what)),
        min(len(left), len(right)),
    )
    if at == len(left) == len(right) and all(a.equals(b) for a, b in zip(*outcomes, strict=False)):
        return None
    lines = [f"  {traced.sites[each.site]} -> {each.what}" for each in left[max(0, at - SHOWN_BEFORE) : at]]
    lines = ["before that, on both:", *lines] if lines else []
    here = [each[at] if at < len(each) else None for each in events]
    one, two = here
    if one is not None and two is not None and one.site == two.site:
        lines += [f"the first instruction whose effect differs: {traced.sites[one.site]}"]
        lines += [f"  {name}: {each.what}" for name, each in zip(names, (one, two), strict=True)]
        return tuple(lines)
    lines.append("the first difference is where they went on:")
    for name, each, ends in zip(names, here, outcomes, strict=True):
        went = f"ended with {ends[-1]}" if each is None else f"{traced.sites[each.site]} -> {each.what}"
        lines.append(f"  {name}: {went}")
    return tuple(lines)
