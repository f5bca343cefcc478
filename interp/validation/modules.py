"""Validation of modules (specification 3.5), in the order of the rule Module_ok.

Spec: valid/modules
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from interp.errors import Invalid
from interp.syntax import features as f
from interp.syntax import modules as m
from interp.syntax.instructions import Instr
from interp.syntax.types import (
    ExportType,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemType,
    TableType,
    TagType,
    TypeIdx,
    is_defaultable,
)
from interp.validation.context import Context, lookup
from interp.validation.instructions import expr_ok
from interp.validation.matching import match_reftype
from interp.validation.types import globaltype_ok, memtype_ok, tabletype_ok, tagtype_ok, type_ok

MAX_MEMORIES, MAX_TABLES = 100, 100
"""As other engines limit them.  Spec: appendix/implementation#syntactic-limits"""


@dataclass(frozen=True, slots=True)
class ValidModule:
    """A module that validates, with what validation found out: its context and the types of imports and exports."""

    module: m.Module
    context: Context
    imports: tuple[ImportType, ...]
    exports: tuple[ExportType, ...]


@contextmanager
def rule(name: str, offset: int, function: int | None = None) -> Iterator[None]:
    """Say which rule failed, in which function, and where, in an Invalid that does not know yet."""
    try:
        yield
    except Invalid as error:
        where = error.offset if error.offset is not None else offset
        raise Invalid(error.message, error.rule or name, function, where, error.feature) from None


def validate(module: m.Module, features: frozenset[str] = f.VERSION_3) -> ValidModule:
    """|- module : externtype* -> externtype*, with no more than the features (names of `interp.syntax.features`).

    Raises Invalid.  Spec: appendix/embedding#module-validate
    """
    context = Context(features=features)
    for type_ in module.types:
        with rule("Type_ok", type_.offset):
            type_ok(context, type_.rectype)
    imports = tuple([import_ok(context, imported) for imported in module.imports])
    imported_funcs = len(context.funcs)
    for index, func in enumerate(module.funcs, imported_funcs):
        with rule("Func_ok", func.offset, index):
            context.functype(func.typeidx)
            context.funcs.append(context.deftype(func.typeidx))
    context.refs.update(declared_refs(module))
    for table in module.tables:
        with rule("Table_ok", table.offset):
            table_ok(context, table)
    for mem in module.mems:
        with rule("Mem_ok", mem.offset):
            add_mem(context, memtype_ok(mem.type))
    for tag in module.tags:
        with rule("Tag_ok", tag.offset):
            context.tags.append(tag_ok(context, tag.typeidx))
    # Before garbage collection, constant expressions could only see imported globals.
    own_globals: list[GlobalType] = context.globals if f.GC in features else []
    for global_ in module.globals:
        with rule("Global_ok", global_.offset):
            own_globals.append(global_ok(context, global_))
    segments_ok(context, module)
    if own_globals is not context.globals:
        context.globals.extend(own_globals)
    for index, func in enumerate(module.funcs, imported_funcs):
        with rule("Func_ok", func.offset, index):
            func_ok(context, func)
    if module.start is not None:
        with rule("Start_ok", module.start.offset):
            if context.func(module.start.funcidx) != FuncType((), ()):
                raise Invalid("start function must have type [] -> []")
    return ValidModule(module, context, imports, exports_ok(context, module))


def global_ok(context: Context, global_: m.Global) -> GlobalType:
    """C |- global : globaltype.  Spec: valid/modules#globals"""
    globaltype = globaltype_ok(context, global_.type)
    expr_ok(context, global_.init, (globaltype.valtype,), constant=True)
    return globaltype


def func_ok(context: Context, func: m.Func) -> None:
    """C |- func : deftype.  Spec: valid/modules#functions"""
    ft = context.functype(func.typeidx)
    closed = {t: context.close_valtype(t) for t in dict.fromkeys(func.locals)}
    locals_ = ft.params + tuple([closed[t] for t in func.locals])
    unset: frozenset[int] = frozenset()
    if not all(map(is_defaultable, closed.values())):
        unset = frozenset(x for x in range(len(ft.params), len(locals_)) if not is_defaultable(locals_[x]))
    expr_ok(context, func.body, ft.results, locals_, unset=unset)


def import_ok(context: Context, imported: m.Import) -> ImportType:
    """C |- import : externtype.  Spec: valid/modules#imports"""
    externtype: ExternType
    with rule("Import_ok", imported.offset):
        desc = imported.desc
        if isinstance(desc, TypeIdx):
            externtype = context.functype(desc.index)
            context.funcs.append(context.deftype(desc.index))
        elif isinstance(desc, TableType):
            externtype = tabletype_ok(context, desc)
            add_table(context, externtype)
        elif isinstance(desc, MemType):
            externtype = memtype_ok(desc)
            add_mem(context, externtype)
        elif isinstance(desc, m.TagIdx):
            externtype = tag_ok(context, desc.typeidx)
            context.tags.append(externtype)
        else:
            externtype = globaltype_ok(context, desc)
            context.globals.append(externtype)
    return ImportType(imported.module, imported.name, externtype)


def tag_ok(context: Context, typeidx: int) -> TagType:
    """C |- tag : tagtype.  Spec: valid/modules#tags"""
    context.functype(typeidx)
    return tagtype_ok(TagType(context.deftype(typeidx)))


def table_ok(context: Context, table: m.Table) -> None:
    """C |- table ok.  Spec: valid/modules#tables"""
    tabletype = tabletype_ok(context, table.type)
    if table.init is not None:
        expr_ok(context, table.init, (tabletype.reftype,), constant=True)
    elif not tabletype.reftype.null:
        raise Invalid("type mismatch: a table of references that cannot be null needs an initial value")
    add_table(context, tabletype)


def add_mem(context: Context, memtype: MemType) -> None:
    """One more memory; the first one needs no feature.  Raises Invalid."""
    if context.mems:
        context.need(f.MULTI_MEMORY, "multiple memories")
    if len(context.mems) >= MAX_MEMORIES:
        raise Invalid(f"too many memories: {MAX_MEMORIES} are possible")
    context.mems.append(memtype)


def add_table(context: Context, tabletype: TableType) -> None:
    """One more table; the first one needs no feature.  Raises Invalid."""
    if context.tables:
        context.need(f.REFERENCE_TYPES, "multiple tables")
    if len(context.tables) >= MAX_TABLES:
        raise Invalid(f"too many tables: {MAX_TABLES} are possible")
    context.tables.append(tabletype)


def segments_ok(context: Context, module: m.Module) -> None:
    """C |- elem : reftype and C |- data ok.  Spec: valid/modules#element-segments, valid/modules#data-segments"""
    for elem in module.elems:
        with rule("Elem_ok", elem.offset):
            reftype = context.close_reftype(elem.type.null, elem.type.heaptype)
            for expr in elem.init:
                expr_ok(context, expr, (reftype,), constant=True)
            if isinstance(elem.mode, m.Active):
                table = lookup(context.tables, elem.mode.index, "table")
                if not match_reftype(reftype, table.reftype):
                    raise Invalid(f"type mismatch: elements of {reftype} for a table of {table.reftype}")
                expr_ok(context, elem.mode.offset, (table.addrtype.numtype,), constant=True)
            context.elems.append(reftype)
    for data in module.datas:
        with rule("Data_ok", data.offset):
            if isinstance(data.mode, m.Active):
                mem = lookup(context.mems, data.mode.index, "memory")
                expr_ok(context, data.mode.offset, (mem.addrtype.numtype,), constant=True)
    context.datas = len(module.datas)


def exports_ok(context: Context, module: m.Module) -> tuple[ExportType, ...]:
    """C |- export : name externtype, all names different.  Spec: valid/modules#exports"""
    funcs = [context.func(index) for index in range(len(context.funcs))]
    spaces: dict[str, Sequence[ExternType]] = {
        "func": funcs, "table": context.tables, "memory": context.mems, "global": context.globals, "tag": context.tags,
    }  # fmt: skip
    names: set[str] = set()
    exports: list[ExportType] = []
    for export in module.exports:
        with rule("Export_ok", export.offset):
            what = "function" if export.kind == "func" else export.kind
            exports.append(ExportType(export.name, lookup(spaces[export.kind], export.index, what)))
            if export.name in names:
                raise Invalid(f"duplicate export name {export.name!a}")
            names.add(export.name)
    return tuple(exports)


def declared_refs(module: m.Module) -> Iterator[int]:
    """funcidx(module without funcs and start): functions that globals, tables, segments and exports mention."""
    exprs = [global_.init for global_ in module.globals]
    exprs += [table.init for table in module.tables if table.init is not None]
    exprs += [expr for elem in module.elems for expr in elem.init]
    for expr in exprs:
        yield from (instr.immediates[0] for instr in expr if is_ref_func(instr))
    yield from (export.index for export in module.exports if export.kind == "func")


def is_ref_func(instr: Instr) -> bool:
    """Whether an instruction is `ref.func x`."""
    return instr.op.kind == "ref.func"


__all__ = ["ValidModule", "validate"]
