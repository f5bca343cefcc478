"""Allocation and instantiation of modules (specification 4.7), shared by the pure engines.

An engine brings an `Executor`, which evaluates constant expressions and runs the instructions that instantiation is
reduced to: segments are copied by table.init and memory.init, then dropped, and the start function is called, exactly
as the specification writes it. So a segment is checked only when its turn comes: where a later one traps, what was
copied before stays copied, and the segments that were not reached are not dropped.

Spec: exec/modules
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from interp.errors import Unlinkable
from interp.execution.runtime import (
    DataInst,
    ElemInst,
    ExternInst,
    FuncInst,
    GlobalInst,
    MemInst,
    ModuleInst,
    Store,
    TableInst,
    TagInst,
)
from interp.syntax import modules as m
from interp.syntax.instructions import BY_MNEMONIC, Expr, Instr, Op
from interp.syntax.types import ExternType, ImportType, TypeIdx, extern_kind
from interp.validation.matching import match_deftype, match_externtype
from interp.validation.modules import ValidModule


class Executor(Protocol):
    """What instantiation asks of an engine."""

    def prepare(self, moduleinst: ModuleInst, valid: ValidModule) -> None:
        """The instance has its functions, memories, tables and tags now; none of its code has run."""

    def evaluate(self, moduleinst: ModuleInst, expr: Expr) -> Any:
        """The value of a constant expression."""

    def execute(self, moduleinst: ModuleInst, instrs: Expr) -> None:
        """Run instructions that leave no value. Raises Trap | Exhaustion."""


def externtype_of(extern: ExternInst) -> ExternType:
    """The type of an instance as it is now.  Spec: valid/matching#external-values"""
    if isinstance(extern, FuncInst | GlobalInst | TagInst):
        return extern.type
    return extern.current_type()


def match_import(extern: ExternInst, imported: ImportType, declared: Any) -> bool:
    """Whether an instance may be what a module imports; functions match by their defined types."""
    if isinstance(extern, FuncInst):
        return declared is not None and match_deftype(extern.deftype, declared)
    return match_externtype(externtype_of(extern), imported.type)


def instantiate(store: Store, valid: ValidModule, externs: Sequence[ExternInst], executor: Executor) -> ModuleInst:
    """Link, allocate, initialise, start.  Raises Unlinkable | Trap | Exhaustion.

    Spec: exec/modules#instantiation
    """
    link(valid, externs)
    moduleinst = allocate(store, valid, externs, executor)
    executor.execute(moduleinst, tuple(initialisation(valid.module)))
    return moduleinst


def link(valid: ValidModule, externs: Sequence[ExternInst]) -> None:
    """Check that each extern matches its import.  Raises Unlinkable."""
    if len(externs) != len(valid.imports):
        raise Unlinkable(f"{len(valid.imports)} imports are needed, {len(externs)} are given")
    for imported, extern, source in zip(valid.imports, externs, valid.module.imports, strict=True):
        declared = valid.context.types[source.desc.index] if isinstance(source.desc, TypeIdx) else None
        if not match_import(extern, imported, declared):
            given = externtype_of(extern)
            raise Unlinkable(
                f"incompatible import type for {imported.module!a} {imported.name!a}: "
                f"needs {extern_kind(imported.type)} {imported.type}, is given {extern_kind(given)} {given}"
            )


def allocate(store: Store, valid: ValidModule, externs: Sequence[ExternInst], executor: Executor) -> ModuleInst:
    """allocmodule, with the initial values evaluated as soon as what they may mention is there.

    Spec: exec/modules#alloc-module
    """
    module, context = valid.module, valid.context
    inst = ModuleInst(module, types=list(context.types))
    spaces: dict[type, list[Any]] = {
        FuncInst: inst.funcs, TableInst: inst.tables, MemInst: inst.mems, GlobalInst: inst.globals, TagInst: inst.tags,
    }  # fmt: skip
    for extern in externs:
        spaces[type(extern)].append(extern)
    for func in module.funcs:
        inst.funcs.append(store.alloc_func(inst, inst.types[func.typeidx], func, len(inst.funcs)))
    inst.tags += [store.alloc_tag(tagtype) for tagtype in context.tags[len(inst.tags) :]]
    inst.mems += [store.alloc_mem(memtype) for memtype in context.mems[len(inst.mems) :]]
    executor.prepare(inst, valid)
    for global_ in module.globals:
        globaltype = context.globals[len(inst.globals)]
        inst.globals.append(store.alloc_global(globaltype, executor.evaluate(inst, global_.init)))
    for table in module.tables:
        ref = None if table.init is None else executor.evaluate(inst, table.init)
        inst.tables.append(store.alloc_table(context.tables[len(inst.tables)], ref))
    inst.elems = [ElemInst(tuple([executor.evaluate(inst, expr) for expr in elem.init])) for elem in module.elems]
    inst.datas = [DataInst(data.init) for data in module.datas]
    kinds: dict[str, Sequence[ExternInst]] = {
        "func": inst.funcs, "table": inst.tables, "memory": inst.mems, "global": inst.globals, "tag": inst.tags,
    }  # fmt: skip
    inst.exports = {export.name: kinds[export.kind][export.index] for export in module.exports}
    return inst


def initialisation(module: m.Module) -> Iterator[Instr]:
    """The instructions that fill tables and memories and call the start function."""
    for index, elem in enumerate(module.elems):
        if isinstance(elem.mode, m.Active):
            yield from run_segment("table.init", "elem.drop", index, elem.mode, len(elem.init), elem.offset)
        elif isinstance(elem.mode, m.Declarative):
            yield instr("elem.drop", elem.offset, index)
    for index, data in enumerate(module.datas):
        if isinstance(data.mode, m.Active):
            yield from run_segment("memory.init", "data.drop", index, data.mode, len(data.init), data.offset)
    if module.start is not None:
        yield instr("call", module.start.offset, module.start.funcidx)


def run_segment(init: str, drop: str, index: int, mode: m.Active, n: int, offset: int) -> Iterator[Instr]:
    """runelem and rundata: copy all of an active segment, then drop it.  Spec: exec/modules#instantiation"""
    yield from mode.offset
    yield instr("i32.const", offset, 0)
    yield instr("i32.const", offset, n)
    yield instr(init, offset, index, mode.index)
    yield instr(drop, offset, index)


def instr(mnemonic: str, offset: int, *immediates: Any) -> Instr:
    """An instruction made here rather than read."""
    op: Op = BY_MNEMONIC[mnemonic]
    return Instr(op, immediates, offset)


__all__ = ["Executor", "externtype_of", "instantiate", "instr"]
