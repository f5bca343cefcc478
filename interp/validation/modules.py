"""Validation of modules (specification 3.5), in the order of the rule Module_ok.

Spec: valid/modules
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from interp.errors import Invalid
from interp.syntax import features as f
from interp.syntax import modules as m
from interp.syntax.instructions import Instr
from interp.syntax.types import (
    DefType,
    ExportType,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemType,
    TableType,
    TagType,
    TypeIdx,
)
from interp.validation.context import Context, lookup
from interp.validation.functions import FuncValidator, checked_at_use
from interp.validation.instructions import expr_ok
from interp.validation.matching import match_reftype
from interp.validation.types import globaltype_ok, memtype_ok, tabletype_ok, tagtype_ok, type_ok

MAX_MEMORIES, MAX_TABLES = 100, 100
"""As other engines limit them.  Spec: appendix/implementation#syntactic-limits"""


@dataclass(frozen=True, slots=True)
class ValidModule:
    """A module that validates, with what validation found out: its context and the types of imports and exports.

    If it was validated lazily, that is not yet known of its functions: whoever asks for the body of one in `module`
    gets a valid one or an error.
    """

    module: m.Module
    context: Context
    imports: tuple[ImportType, ...]
    exports: tuple[ExportType, ...]
    prepared: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What an engine made of the module, under its name, for all instances."""

    def validate_func(self, funcidx: int) -> None:
        """Make sure that a function is valid. `funcidx` counts imported ones too, whose bodies are not of this module.

        Raises Malformed and Invalid, every time it is called, IndexError if there is no such function.
        """
        index = funcidx - (len(self.context.funcs) - len(self.module.funcs))
        if index >= 0:
            _ = self.module.funcs[index].body


class Rule:
    """The block in which a rule is checked: an Invalid that does not know yet is told the rule, function and offset."""

    __slots__ = ("_function", "_name", "_offset")

    def __init__(self, name: str, offset: int, function: int | None = None) -> None:
        self._name, self._offset, self._function = name, offset, function

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Invalid):
            where = error.offset if error.offset is not None else self._offset
            raise Invalid(error.message, error.rule or self._name, self._function, where, error.feature) from None


def validate(module: m.Module, features: frozenset[str] = f.VERSION_3, lazy: bool = False) -> ValidModule:
    """|- module : externtype* -> externtype*, with no more than the features (names of `interp.syntax.features`).

    If `lazy`, all but the bodies and locals of functions is validated now, and these when `Func.body` of
    `ValidModule.module`, another module than the one given, is asked for: it raises what is raised here otherwise.

    Raises Invalid; Malformed too, of bodies that `decode` has passed over.  Spec: appendix/embedding#module-validate
    """
    context = Context(features=features)
    for type_ in module.types:
        with Rule("Type_ok", type_.offset):
            type_ok(context, type_.rectype)
    imports = tuple([import_ok(context, imported) for imported in module.imports])
    add_funcs(context, module.funcs)
    context.refs.update(declared_refs(module))
    for table in module.tables:
        with Rule("Table_ok", table.offset):
            table_ok(context, table)
    for mem in module.mems:
        with Rule("Mem_ok", mem.offset):
            add_mem(context, memtype_ok(mem.type))
    for tag in module.tags:
        with Rule("Tag_ok", tag.offset):
            context.tags.append(tag_ok(context, tag.typeidx))
    # Before garbage collection, constant expressions could only see imported globals.
    own_globals: list[GlobalType] = context.globals if f.GC in features else []
    for global_ in module.globals:
        with Rule("Global_ok", global_.offset):
            own_globals.append(global_ok(context, global_))
    segments_ok(context, module)
    if own_globals is not context.globals:
        context.globals.extend(own_globals)
    module = funcs_ok(context, module, lazy)
    if module.start is not None:
        with Rule("Start_ok", module.start.offset):
            if context.func(module.start.funcidx) != FuncType((), ()):
                raise Invalid("start function must have type [] -> []")
    return ValidModule(module, context, imports, exports_ok(context, module))


def add_funcs(context: Context, funcs: Sequence[m.Func]) -> None:
    """The types of functions, whose code comes later.  Raises Invalid."""
    deftypes: dict[int, DefType] = {}
    for x, func in enumerate(funcs, len(context.funcs)):
        if func.typeidx not in deftypes:
            with Rule("Func_ok", func.offset, x):
                context.functype(func.typeidx)
            deftypes[func.typeidx] = context.deftype(func.typeidx)
        context.funcs.append(deftypes[func.typeidx])


def funcs_ok(context: Context, module: m.Module, lazy: bool) -> m.Module:
    """C |- func : deftype, for all functions; if lazy, for each one when its body is asked for in the module that comes
    back.  Raises Invalid, Malformed."""
    validator = FuncValidator(context)
    funcs = list(enumerate(module.funcs, len(context.funcs) - len(module.funcs)))
    if lazy:
        return replace(module, funcs=tuple([checked_at_use(func, x, validator) for x, func in funcs]))
    for x, func in funcs:
        validator.validate(func, x)
    return module


def global_ok(context: Context, global_: m.Global) -> GlobalType:
    """C |- global : globaltype.  Spec: valid/modules#globals"""
    globaltype = globaltype_ok(context, global_.type)
    expr_ok(context, global_.init, (globaltype.valtype,), constant=True)
    return globaltype


def import_ok(context: Context, imported: m.Import) -> ImportType:
    """C |- import : externtype.  Spec: valid/modules#imports"""
    externtype: ExternType
    with Rule("Import_ok", imported.offset):
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
        with Rule("Elem_ok", elem.offset):
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
        with Rule("Data_ok", data.offset):
            if isinstance(data.mode, m.Active):
                mem = lookup(context.mems, data.mode.index, "memory")
                expr_ok(context, data.mode.offset, (mem.addrtype.numtype,), constant=True)
    context.datas = len(module.datas)


def exports_ok(context: Context, module: m.Module) -> tuple[ExportType, ...]:
    """C |- export : name externtype, all names different.  Spec: valid/modules#exports"""
    spaces: dict[str, Sequence[ExternType]] = {
        "table": context.tables, "memory": context.mems, "global": context.globals, "tag": context.tags,
    }  # fmt: skip
    names: set[str] = set()
    exports: list[ExportType] = []
    for export in module.exports:
        x, kind = export.index, export.kind
        with Rule("Export_ok", export.offset):
            externtype = context.func(x) if kind == "func" else lookup(spaces[kind], x, kind)
            exports.append(ExportType(export.name, externtype))
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
