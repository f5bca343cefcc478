"""The name section (specification, appendix Custom Sections): names for people, never trusted, never an error.

Spec: appendix/custom#name-section
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from interp.binary.reader import StrictReader
from interp.errors import Malformed
from interp.syntax.modules import Module

NameMap = dict[int, str]
"""Index -> name.  Spec: appendix/custom#name-maps"""

IndirectNameMap = dict[int, NameMap]
"""Index -> index inside of what that names -> name.  Spec: appendix/custom#name-maps"""


@dataclass(slots=True)
class Names:
    """What the name section says: the module's name, and names by index of functions, types and tags, of locals by
    function, and of fields by structure type."""

    module: str | None = None
    funcs: NameMap = field(default_factory=dict)
    locals: IndirectNameMap = field(default_factory=dict)
    types: NameMap = field(default_factory=dict)
    fields: IndirectNameMap = field(default_factory=dict)
    tags: NameMap = field(default_factory=dict)


def names_of(module: Module) -> Names:
    """The names of a module. A section that is missing gives none, a malformed one those before the fault."""
    names = Names()
    data = module.custom("name")
    if data is None:
        return names
    reader = StrictReader(data)
    try:
        while reader.pos < reader.end:
            subsection = reader.read_byte()
            size = reader.read_uint()
            read = SUBSECTIONS.get(subsection)
            if read is None:
                reader.read_exactly(size)
                continue
            with reader.window(size, "subsection size mismatch"):
                read(reader, names)
    except Malformed:
        pass
    return names


def read_name_map(reader: StrictReader, into: NameMap) -> None:
    """namemap; what was read before a fault stays.  Spec: appendix/custom#name-maps"""
    for _ in range(reader.read_uint()):
        index = reader.read_uint()
        into[index] = reader.read_str()


def read_indirect_name_map(reader: StrictReader, into: IndirectNameMap) -> None:
    """indirectnamemap.  Spec: appendix/custom#name-maps"""
    for _ in range(reader.read_uint()):
        read_name_map(reader, into.setdefault(reader.read_uint(), {}))


def read_module_name(reader: StrictReader, names: Names) -> None:
    """modulenamesubsec.  Spec: appendix/custom#module-names"""
    names.module = reader.read_str()


SUBSECTIONS: dict[int, Callable[[StrictReader, Names], None]] = {
    0: read_module_name,
    1: lambda reader, names: read_name_map(reader, names.funcs),
    2: lambda reader, names: read_indirect_name_map(reader, names.locals),
    4: lambda reader, names: read_name_map(reader, names.types),
    10: lambda reader, names: read_indirect_name_map(reader, names.fields),
    11: lambda reader, names: read_name_map(reader, names.tags),
}
"""Id of a subsection -> how it is read; others are left out.  Spec: appendix/custom#subsections"""


def function_names(module: Module) -> NameMap:
    """Function index -> name."""
    return names_of(module).funcs
