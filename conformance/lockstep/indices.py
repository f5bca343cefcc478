"""Index spaces of a module: all uses of an index changed at once, items taken out that nothing uses.

Spec: syntax/modules#indices
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.lockstep.rewriting import rewrite
from interp.syntax import modules as m
from interp.syntax.instructions import Catch, Expr, Imm, Instr, MemArg
from interp.syntax.types import GlobalType, MemType, TableType, TypeIdx

Renumber = Mapping[str, Callable[[int], int]]
"""Space (func, table, memory, global, tag, elem, data) -> what becomes of each index; spaces left out stay."""

SPACES = {
    Imm.FUNCIDX: "func", Imm.TABLEIDX: "table", Imm.MEMIDX: "memory", Imm.GLOBALIDX: "global", Imm.TAGIDX: "tag",
    Imm.ELEMIDX: "elem", Imm.DATAIDX: "data",
}  # fmt: skip
FIELDS = {
    "func": "funcs", "table": "tables", "memory": "mems", "global": "globals", "tag": "tags", "elem": "elems",
    "data": "datas",
}  # fmt: skip
"""Space -> where a module has its own items of it."""

IMPORTED = {"func": TypeIdx, "table": TableType, "memory": MemType, "global": GlobalType, "tag": m.TagIdx}
"""Space -> what an import of it holds."""


class UsedError(ValueError):
    """The item that is to be taken out is used."""


def same(index: int) -> int:
    """The index as it is."""
    return index


def renumber_immediate(imm: Imm, value: Any, maps: Renumber) -> Any:
    """An immediate with its index changed."""
    if imm in SPACES:
        return maps.get(SPACES[imm], same)(value)
    if imm is Imm.MEMARG:
        arg: MemArg = value
        return replace(arg, memidx=maps.get("memory", same)(arg.memidx))
    if imm is Imm.CATCH_LIST:
        tag = maps.get("tag", same)
        catches: tuple[Catch, ...] = value
        return tuple([each if each.tagidx is None else replace(each, tagidx=tag(each.tagidx)) for each in catches])
    return value


def renumber_instr(instr: Instr, maps: Renumber) -> Instr:
    """An instruction with its indices changed, without what a block holds."""
    immediates = instr.op.immediates
    if not immediates:
        return instr
    changed = [renumber_immediate(imm, x, maps) for imm, x in zip(immediates, instr.immediates, strict=False)]
    return Instr(instr.op, (*changed, *instr.bodies), instr.offset)


def renumber(module: m.Module, maps: Renumber) -> m.Module:
    """The module with all uses of indices changed, but the same items."""

    def expr(code: Expr) -> Expr:
        return rewrite(code, lambda _, new: (renumber_instr(new, maps),))

    def mode(of: Any, space: str) -> Any:
        return m.Active(maps.get(space, same)(of.index), expr(of.offset)) if isinstance(of, m.Active) else of

    return replace(
        module,
        funcs=tuple([m.Func(f.typeidx, f.locals, expr(f.body), f.offset, f.size) for f in module.funcs]),
        tables=tuple([replace(t, init=None if t.init is None else expr(t.init)) for t in module.tables]),
        globals=tuple([replace(g, init=expr(g.init)) for g in module.globals]),
        elems=tuple([replace(e, init=tuple(map(expr, e.init)), mode=mode(e.mode, "table")) for e in module.elems]),
        datas=tuple([replace(d, mode=mode(d.mode, "memory")) for d in module.datas]),
        start=module.start and replace(module.start, funcidx=maps.get("func", same)(module.start.funcidx)),
        exports=tuple([replace(e, index=maps.get(e.kind, same)(e.index)) for e in module.exports]),
    )


def imported(module: m.Module, space: str) -> list[int]:
    """The positions in the list of imports of those of a space."""
    kind = IMPORTED.get(space)
    return [] if kind is None else [x for x, each in enumerate(module.imports) if isinstance(each.desc, kind)]


def size(module: m.Module, space: str) -> int:
    """How many indices a space has."""
    return len(imported(module, space)) + len(getattr(module, FIELDS[space]))


def without(module: m.Module, space: str, index: int) -> m.Module:
    """The module without an item, or import, and its exports.  Raises UsedError if anything else uses it."""
    exports = tuple([e for e in module.exports if (e.kind, e.index) != (space, index)])

    def renumbered(x: int) -> int:
        if x == index:
            raise UsedError(f"{space} {index} is used")
        return x - (x > index)

    changed = renumber(replace(module, exports=exports), {space: renumbered})
    positions = imported(module, space)
    if index < len(positions):
        at = positions[index]
        return replace(changed, imports=changed.imports[:at] + changed.imports[at + 1 :])
    own = getattr(changed, FIELDS[space])
    at = index - len(positions)
    return replace(changed, **{FIELDS[space]: own[:at] + own[at + 1 :]})
