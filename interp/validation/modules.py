"""Validation of modules (specification 3.5), in the order of the rule Module_ok.

Spec: valid/modules
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from interp.errors import Invalid
from interp.syntax import modules as m
from interp.syntax.instructions import Instr
from interp.syntax.types import (
    AddrType,
    DefType,
    ExportType,
    ExternType,
    FuncType,
    ImportType,
    Limits,
    MemType,
    RecType,
    TableType,
    TypeIdx,
)
from interp.validation.context import Context, lookup
from interp.validation.instructions import expr_ok
from interp.validation.matching import match_reftype

MAX_PAGES = {AddrType.I32: 2**16, AddrType.I64: 2**48}
MAX_TABLE = {AddrType.I32: 2**32 - 1, AddrType.I64: 2**64 - 1}


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
        raise Invalid(error.message, error.rule or name, function, where) from None


def validate(module: m.Module) -> ValidModule:
    """|- module : externtype* -> externtype*.  Raises Invalid.  Spec: appendix/embedding#module-validate"""
    context = Context()
    for rectype in module.types:
        context.types.extend(roll(rectype))
    imports = tuple([import_ok(context, imported) for imported in module.imports])
    for index, func in enumerate(module.funcs, len(context.funcs)):
        with rule("Func_ok", func.offset, index):
            context.funcs.append(context.functype(func.typeidx))
    for table in module.tables:
        with rule("Table_ok", table.offset):
            table_ok(context, table)
    for mem in module.mems:
        with rule("Mem_ok", mem.offset):
            memtype_ok(mem.type)
            context.mems.append(mem.type)
    for global_ in module.globals:
        with rule("Global_ok", global_.offset):
            expr_ok(context, global_.init, (global_.type.valtype,), constant=True)
            context.globals.append(global_.type)
    context.elems.extend(elem.type for elem in module.elems)
    context.datas = len(module.datas)
    context.refs.update(declared_refs(module))
    segments_ok(context, module)
    imported_funcs = len(context.funcs) - len(module.funcs)
    for index, func in enumerate(module.funcs, imported_funcs):
        with rule("Func_ok", func.offset, index):
            ft = context.funcs[index]
            expr_ok(context, func.body, ft.results, ft.params + func.locals)
    if module.start is not None:
        with rule("Start_ok", module.start.offset):
            if lookup(context.funcs, module.start.funcidx, "function") != FuncType((), ()):
                raise Invalid("start function must have type [] -> []")
    return ValidModule(module, context, imports, exports_ok(context, module))


def roll(rectype: RecType) -> tuple[DefType, ...]:
    """The defined types of a recursive type.  Spec: valid/conventions#rolling-and-unrolling"""
    return tuple([DefType(rectype, index) for index in range(len(rectype.subtypes))])


def import_ok(context: Context, imported: m.Import) -> ImportType:
    """C |- import : externtype.  Spec: valid/modules#imports"""
    externtype: ExternType
    with rule("Import_ok", imported.offset):
        desc = imported.desc
        if isinstance(desc, TypeIdx):
            externtype = context.functype(desc.index)
            context.funcs.append(externtype)
        elif isinstance(desc, TableType):
            tabletype_ok(desc)
            context.tables.append(desc)
            externtype = desc
        elif isinstance(desc, MemType):
            memtype_ok(desc)
            context.mems.append(desc)
            externtype = desc
        else:
            context.globals.append(desc)
            externtype = desc
    return ImportType(imported.module, imported.name, externtype)


def limits_ok(limits: Limits, bound: int, message: str) -> None:
    """|- limits : bound.  Spec: valid/types#limits"""
    if limits.min > bound or (limits.max is not None and limits.max > bound):
        raise Invalid(message)
    if limits.max is not None and limits.min > limits.max:
        raise Invalid("size minimum must not be greater than maximum")


def memtype_ok(memtype: MemType) -> None:
    """|- memtype ok.  Spec: valid/types#memory-types"""
    limits_ok(memtype.limits, MAX_PAGES[memtype.addrtype], "memory size must be at most 65536 pages (4GiB)")


def tabletype_ok(tabletype: TableType) -> None:
    """|- tabletype ok.  Spec: valid/types#table-types"""
    limits_ok(tabletype.limits, MAX_TABLE[tabletype.addrtype], "table size must be at most 2^32-1")


def table_ok(context: Context, table: m.Table) -> None:
    """C |- table ok.  Spec: valid/modules#tables"""
    tabletype_ok(table.type)
    if table.init is not None:
        expr_ok(context, table.init, (table.type.reftype,), constant=True)
    elif not table.type.reftype.null:
        raise Invalid("type mismatch: a table of references that cannot be null needs an initial value")
    context.tables.append(table.type)


def segments_ok(context: Context, module: m.Module) -> None:
    """C |- elem : reftype and C |- data ok.  Spec: valid/modules#element-segments, valid/modules#data-segments"""
    for elem in module.elems:
        with rule("Elem_ok", elem.offset):
            for expr in elem.init:
                expr_ok(context, expr, (elem.type,), constant=True)
            if isinstance(elem.mode, m.Active):
                table = lookup(context.tables, elem.mode.index, "table")
                if not match_reftype(elem.type, table.reftype):
                    raise Invalid(f"type mismatch: elements of {elem.type} for a table of {table.reftype}")
                expr_ok(context, elem.mode.offset, (table.addrtype.numtype,), constant=True)
    for data in module.datas:
        with rule("Data_ok", data.offset):
            if isinstance(data.mode, m.Active):
                mem = lookup(context.mems, data.mode.index, "memory")
                expr_ok(context, data.mode.offset, (mem.addrtype.numtype,), constant=True)


def exports_ok(context: Context, module: m.Module) -> tuple[ExportType, ...]:
    """C |- export : name externtype, all names different.  Spec: valid/modules#exports"""
    spaces = {"func": context.funcs, "table": context.tables, "memory": context.mems, "global": context.globals}
    names: set[str] = set()
    exports: list[ExportType] = []
    for export in module.exports:
        with rule("Export_ok", export.offset):
            what = "function" if export.kind == "func" else export.kind
            space: list[ExternType] = spaces[export.kind]  # type: ignore[assignment]
            exports.append(ExportType(export.name, lookup(space, export.index, what)))
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
