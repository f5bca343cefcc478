"""What a module holds, as text for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interp.binary.names import function_names, names_of
from interp.errors import printable
from interp.syntax.modules import Active, Func, Module, TagIdx
from interp.syntax.notation import listing
from interp.syntax.types import EXTERN_KINDS, FuncType, TypeIdx


class NoSuchFunctionError(LookupError):
    """The module has no function of that index or name."""


DESCRIPTION_KINDS = {**EXTERN_KINDS, TypeIdx: "func", TagIdx: "tag"}


def typedefs(module: Module) -> Iterator[str]:
    """The types that function signatures do not show: structures, arrays, sub types, recursive types."""
    names = names_of(module).types
    index = 0
    for type_ in module.types:
        group = type_.rectype.subtypes
        for subtype in group:
            plain = len(group) == 1 and subtype.final and not subtype.supertypes
            if not plain or not isinstance(subtype.comptype, FuncType):
                name = f" {printable(names[index])}" if index in names else ""
                yield f"type {index}{name} {subtype}{f' (rec of {len(group)})' if len(group) > 1 else ''}"
            index += 1


def functype_of(module: Module, typeidx: int) -> str:
    """The notation of a function type; a type index that is out of range is shown as it is."""
    types = [subtype.comptype for type_ in module.types for subtype in type_.rectype.subtypes]
    return str(types[typeidx]) if typeidx < len(types) else f"(type {typeidx})"


def imported(module: Module, kind: str) -> int:
    """How many imports come before the module's own definitions of a kind."""
    return sum(DESCRIPTION_KINDS[type(i.desc)] == kind for i in module.imports)


def selected(module: Module, function: str | None) -> Iterator[tuple[int, Func]]:
    """The functions to show, with their indices.  Raises NoSuchFunctionError."""
    first = imported(module, "func")
    funcs = list(enumerate(module.funcs, first))
    if function is None:
        yield from funcs
        return
    names = function_names(module)
    exported = {e.index for e in module.exports if e.kind == "func" and e.name == function}
    found = [(i, f) for i, f in funcs if str(i) == function or names.get(i) == function or i in exported]
    if not found:
        brought = any(str(i) == function or names.get(i) == function for i in range(first))
        more = ": it imports it" if brought else ""
        raise NoSuchFunctionError(f"the module defines no function {function!r}{more}")
    yield from found


def counts(module: Module) -> dict[str, int]:
    """The sections that are there, by the number of their entries."""
    sections: dict[str, Any] = {
        "types": module.types, "imports": module.imports, "functions": module.funcs, "tables": module.tables,
        "memories": module.mems, "tags": module.tags, "globals": module.globals, "exports": module.exports,
        "elements": module.elems, "data": module.datas, "custom sections": module.customs,
    }  # fmt: skip
    return {name: len(entries) for name, entries in sections.items() if entries}


def summary(module: Module) -> Iterator[str]:
    """All but the code, a line each."""
    yield ", ".join(f"{n} {name}" for name, n in counts(module).items()) or "an empty module"
    yield from typedefs(module)
    for i in module.imports:
        yield f"import {printable(i.module)} {printable(i.name)} {described(module, i.desc)}"
    for kind, first, types in (
        ("table", imported(module, "table"), [table.type for table in module.tables]),
        ("memory", imported(module, "memory"), [mem.type for mem in module.mems]),
        ("global", imported(module, "global"), [global_.type for global_ in module.globals]),
        ("tag", imported(module, "tag"), [functype_of(module, tag.typeidx) for tag in module.tags]),
    ):
        yield from (f"{kind} {index} {t}" for index, t in enumerate(types, first))
    for e in module.exports:
        yield f"export {printable(e.name) or repr('')} {e.kind} {e.index}"
    if module.start is not None:
        yield f"start function {module.start.funcidx}"
    for index, elem in enumerate(module.elems):
        yield f"elem {index} {mode_of(elem.mode)} {elem.type}, {len(elem.init)} elements"
    for index, data in enumerate(module.datas):
        yield f"data {index} {mode_of(data.mode)}, {len(data.init)} bytes"
    for custom in module.customs:
        yield f"custom section {printable(custom.name)}, {len(custom.data)} bytes at {custom.offset:#x}"


def described(module: Module, desc: Any) -> str:
    """Kind and type of an import."""
    shown = desc
    if isinstance(desc, TypeIdx):
        shown = functype_of(module, desc.index)
    elif isinstance(desc, TagIdx):
        shown = functype_of(module, desc.typeidx)
    return f"{DESCRIPTION_KINDS[type(desc)]} {shown}"


def mode_of(mode: Any) -> str:
    """active 0, passive, or declarative."""
    return f"active {mode.index}" if isinstance(mode, Active) else type(mode).__name__.lower()


def dump_text(module: Module, function: str | None) -> Iterator[str]:
    """The lines of `wascc dump`: the summary (unless one function is asked for) and the code."""
    names = function_names(module)
    functions = list(selected(module, function))
    if function is None:
        yield from summary(module)
    for index, func in functions:
        name = f" {printable(names[index])}" if index in names else ""
        yield f"\nfunction {index}{name} {functype_of(module, func.typeidx)}"
        if func.locals:
            yield f"          locals {' '.join(map(str, func.locals))}"
        for offset, depth, text in listing(func.body, func.offset + func.size - 1):
            yield f"{offset:#08x}  {'  ' * min(depth, 40)}{text}"


def dump_json(module: Module, function: str | None) -> dict[str, Any]:
    """The same as data."""
    names = function_names(module)
    return {
        "sections": counts(module),
        "imports": [{"module": i.module, "name": i.name} for i in module.imports],
        "exports": [{"name": e.name, "kind": e.kind, "index": e.index} for e in module.exports],
        "functions": [
            {
                "index": index,
                "name": names.get(index),
                "type": functype_of(module, func.typeidx),
                "locals": [str(t) for t in func.locals],
                "instructions": [
                    {"offset": offset, "depth": depth, "text": text}
                    for offset, depth, text in listing(func.body, func.offset + func.size - 1)
                ],
            }
            for index, func in selected(module, function)
        ],
        "customs": [{"name": c.name, "bytes": len(c.data), "offset": c.offset} for c in module.customs],
    }
