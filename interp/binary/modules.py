"""Modules of the binary format (specification 5.5): sections in their order, each read to its last byte.

Spec: binary/modules
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from interp.binary.code import CodeReader, FuncCode
from interp.binary.instructions import InstrReader
from interp.binary.reader import LONG, MAX_FUNCTION_LOCALS, MAX_MODULE_LOCALS, NUMTYPE_CODES, NUMTYPES
from interp.binary.tokens import Grammar, is_expression
from interp.syntax import features as f
from interp.syntax import modules as m
from interp.syntax.instructions import BY_MNEMONIC, Expr, Instr
from interp.syntax.types import FUNCREF, AbsHeapType, RefType, TypeIdx, ValType

T = TypeVar("T")

SECTIONS = (
    "type", "import", "func", "table", "memory", "tag", "global", "export", "start", "elem", "datacount", "code",
    "data",
)  # fmt: skip
"""Sections by name in the order they must come in; a name's place here is not its id (`SECTION_IDS`)."""

SECTION_IDS = {
    1: "type", 2: "import", 3: "func", 4: "table", 5: "memory", 6: "global", 7: "export", 8: "start", 9: "elem",
    10: "code", 11: "data", 12: "datacount", 13: "tag",
}  # fmt: skip
SECTION_FEATURES = {"datacount": f.BULK_MEMORY, "tag": f.EXCEPTIONS}

EXTERN_KINDS = ("func", "table", "memory", "global", "tag")
TABLE_WITH_INIT = 0x40
REF_FUNC = BY_MNEMONIC["ref.func"]


class ModuleReader(InstrReader):
    """Reads one module; `read()` gives it. If `lazy`, it passes over the bodies of functions."""

    def __init__(self, data: bytes, features: frozenset[str] = f.VERSION_3, lazy: bool = False) -> None:
        super().__init__(data, features)
        self.lazy = lazy
        self.typeidxs: tuple[int, ...] = ()
        self.data_count: int | None = None
        self.local_count = 0
        self.sections: dict[str, Any] = {}
        self.customs: list[m.Custom] = []

    def read(self) -> m.Module:
        """module: magic, version, sections.  Raises Malformed.  Spec: binary/modules#binary-module"""
        self.read_preamble()
        last = -1
        while self.pos < self.end:
            start = self.pos
            section_id = self.read_byte()
            size = self.read_uint()
            if size > self.end - self.pos:
                raise self.malformed("length out of bounds")
            with self.window(size, "section size mismatch"):
                if section_id == 0:
                    self.customs.append(self.read_custom(start))
                    continue
                name = SECTION_IDS.get(section_id)
                if name is None:
                    raise self.malformed(f"malformed section id {section_id}", start)
                self.need(SECTION_FEATURES.get(name, f.CORE), f"malformed section id {section_id}", start)
                if SECTIONS.index(name) <= last:
                    raise self.malformed("unexpected content after last section", start)
                last = SECTIONS.index(name)
                self.sections[name] = getattr(self, f"read_{name}_section")()
        return self.assemble()

    def read_preamble(self) -> None:
        """magic and version.  Spec: binary/modules#binary-magic"""
        if self.data[:4] != b"\0asm":
            short = b"\0asm".startswith(self.data[:4])
            raise self.malformed("unexpected end" if short else "magic header not detected")
        if self.data[4:8] != b"\1\0\0\0":
            short = b"\1\0\0\0".startswith(self.data[4:8])
            raise self.malformed("unexpected end" if short else "unknown binary version", 4)
        self.pos = 8

    def assemble(self) -> m.Module:
        """The module from its sections, whose counts must agree."""
        bodies = self.sections.get("code", ())
        datas = self.sections.get("data", ())
        if len(bodies) != len(self.typeidxs):
            raise self.malformed("function and code section have inconsistent lengths")
        if self.data_count is not None and self.data_count != len(datas):
            raise self.malformed("data count and data section have inconsistent lengths")
        get = self.sections.get
        return m.Module(
            types=get("type", ()), imports=get("import", ()), funcs=bodies, tables=get("table", ()),
            mems=get("memory", ()), tags=get("tag", ()), globals=get("global", ()), elems=get("elem", ()), datas=datas,
            start=get("start"), exports=get("export", ()), customs=tuple(self.customs),
        )  # fmt: skip

    def read_custom(self, start: int) -> m.Custom:
        """customsec.  Spec: binary/modules#custom-section"""
        return m.Custom(self.read_str(), self.read_exactly(), start)

    def read_type_section(self) -> tuple[m.Type, ...]:
        """typesec.  Spec: binary/modules#type-section"""
        return self.read_vec(lambda: m.Type(offset=self.pos, rectype=self.read_rectype()))

    def read_import_section(self) -> tuple[m.Import, ...]:
        """importsec.  Spec: binary/modules#import-section"""
        return self.read_vec(self.read_import)

    def read_import(self) -> m.Import:
        """import."""
        start = self.pos
        module, name = self.read_str(), self.read_str()
        kind = self.read_byte()
        readers: tuple[Callable[[], Any], ...] = (
            lambda: TypeIdx(self.read_uint()), self.read_tabletype, self.read_memtype, self.read_globaltype,
            lambda: m.TagIdx(self.read_tagtype()),
        )  # fmt: skip
        self.check_extern_kind(kind, "malformed import kind")
        return m.Import(module, name, readers[kind](), start)

    def check_extern_kind(self, kind: int, message: str) -> None:
        """Malformed unless the byte just read is the kind of an import or export."""
        if kind >= len(EXTERN_KINDS):
            raise self.malformed(message, self.pos - 1)
        if EXTERN_KINDS[kind] == "tag":
            self.need(f.EXCEPTIONS, message, self.pos - 1)

    def read_func_section(self) -> tuple[int, ...]:
        """funcsec: the type indices of the functions whose code follows.  Spec: binary/modules#function-section"""
        self.typeidxs = self.read_vec(self.read_uint)
        return self.typeidxs

    def read_table_section(self) -> tuple[m.Table, ...]:
        """tablesec.  Spec: binary/modules#table-section"""
        return self.read_vec(self.read_table)

    def read_table(self) -> m.Table:
        """table: its type, or two bytes, its type and an expression."""
        start = self.pos
        if start >= self.end or self.data[start] != TABLE_WITH_INIT:
            return m.Table(self.read_tabletype(), None, start)
        self.need(f.FUNCTION_REFERENCES, "malformed reference type", start)
        self.pos += 1
        self.read_reserved()
        return m.Table(self.read_tabletype(), self.read_expression(), start)

    def read_tag_section(self) -> tuple[m.Tag, ...]:
        """tagsec.  Spec: binary/modules#tag-section"""
        return self.read_vec(lambda: m.Tag(offset=self.pos, typeidx=self.read_tagtype()))

    def read_memory_section(self) -> tuple[m.Mem, ...]:
        """memsec.  Spec: binary/modules#memory-section"""
        return self.read_vec(lambda: m.Mem(offset=self.pos, type=self.read_memtype()))

    def read_global_section(self) -> tuple[m.Global, ...]:
        """globalsec.  Spec: binary/modules#global-section"""
        return self.read_vec(
            lambda: m.Global(offset=self.pos, type=self.read_globaltype(), init=self.read_expression())
        )

    def read_export_section(self) -> tuple[m.Export, ...]:
        """exportsec.  Spec: binary/modules#export-section"""
        return self.read_vec(self.read_export)

    def read_export(self) -> m.Export:
        """export."""
        start = self.pos
        name = self.read_str()
        kind = self.read_byte()
        self.check_extern_kind(kind, "malformed export kind")
        return m.Export(name, EXTERN_KINDS[kind], self.read_uint(), start)

    def read_start_section(self) -> m.Start:
        """startsec.  Spec: binary/modules#start-section"""
        return m.Start(offset=self.pos, funcidx=self.read_uint())

    def read_elem_section(self) -> tuple[m.Elem, ...]:
        """elemsec.  Spec: binary/modules#element-section"""
        return self.read_vec(self.read_elem)

    def read_elem(self) -> m.Elem:
        """elem: bit 0 says passive or declarative, bit 1 explicit table or declarative, bit 2 expressions."""
        start = self.pos
        flags = self.read_uint()
        if flags > 7:
            raise self.malformed("malformed elements segment kind", start)
        if flags:
            self.need(f.BULK_MEMORY, "malformed elements segment kind", start)
        mode: m.Active | m.Passive | m.Declarative
        if flags & 1:
            mode = m.Declarative() if flags & 2 else m.Passive()
        else:
            mode = m.Active(self.read_uint() if flags & 2 else 0, self.read_expression())
        reftype = self.read_elem_type(flags)
        item: Callable[[], Expr] = self.read_expression if flags & 4 else self.read_ref_func
        return m.Elem(reftype, self.read_vec(item), mode, start)

    def read_elem_type(self, flags: int) -> RefType:
        """A reference type where expressions follow, else the element kind 0x00 of functions; both may be left out."""
        if flags & 4:
            return self.read_reftype() if flags & 3 else FUNCREF
        if flags & 3 and self.read_byte() != 0:
            raise self.malformed("malformed element kind", self.pos - 1)
        return RefType(False, AbsHeapType.FUNC) if f.FUNCTION_REFERENCES in self.features else FUNCREF

    def read_ref_func(self) -> Expr:
        """A function index, which abbreviates the expression `ref.func x`."""
        return (Instr(offset=self.pos, op=REF_FUNC, immediates=(self.read_uint(),)),)

    def read_datacount_section(self) -> int:
        """datacntsec.  Spec: binary/modules#data-count-section"""
        self.data_count = self.read_uint()
        return self.data_count

    def read_code_section(self) -> tuple[m.Func, ...]:
        """codesec: a body for each function of the function section.  Spec: binary/modules#code-section"""
        count = self.read_uint()
        if count != len(self.typeidxs):
            raise self.malformed("function and code section have inconsistent lengths")
        reader = CodeReader(self.data, self.features, self.data_count is not None, self.end - self.pos)
        if self.lazy:
            return tuple([self.pass_over_code(typeidx, reader) for typeidx in self.typeidxs])
        grammar = reader.grammar(reader.size)
        return tuple([self.read_code(typeidx, reader, grammar) for typeidx in self.typeidxs])

    def pass_over_code(self, typeidx: int, reader: CodeReader) -> m.Func:
        """code, of which only the locals are read."""
        size = self.read_uint()
        start, stop, end = self.pos, self.stop_of(size), self.end
        self.end = stop
        locals_, begin = self.read_locals(), self.pos
        self.pos, self.end = stop, end
        return m.Func(typeidx, locals_, FuncCode(reader, begin, stop, start, None), start, size)

    def read_code(self, typeidx: int, reader: CodeReader, grammar: Grammar | None) -> m.Func:
        """code: size, locals, expression.  Spec: binary/modules#code-section"""
        size = self.read_uint()
        start = self.pos
        with self.window(size, "END opcode expected"):
            func = m.Func(typeidx, self.read_locals(), self.read_body(reader, start, grammar), start, size)
        if self.uses_data_count and self.data_count is None:
            raise self.malformed("data count section required", start)
        return func

    def read_body(self, reader: CodeReader, offset: int, grammar: Grammar | None) -> Expr | m.Code:
        """The rest of the function at `offset`, left for `reader` to read when somebody asks for it if the grammar says
        that it is well-formed."""
        start, stop = self.pos, self.end
        if grammar is not None and is_expression(grammar, self.data, start, stop):
            self.pos = stop
            return FuncCode(reader, start, stop, offset, grammar)
        return self.read_expression()

    def read_locals(self) -> tuple[ValType, ...]:
        """locals: runs of one type; their sum is checked before they are spread out."""
        start = self.pos
        counts, types = self.read_runs(self.read_uint())
        count = sum(counts)
        self.local_count += count
        if count > MAX_FUNCTION_LOCALS or self.local_count > MAX_MODULE_LOCALS:
            raise self.malformed("too many locals", start)
        spread: list[ValType] = []
        for length, valtype in zip(counts, types, strict=True):
            spread += [valtype] * length
        return tuple(spread)

    def read_runs(self, number: int) -> tuple[Sequence[int], Sequence[ValType]]:
        """So many runs of locals, each a count and a type, which most of the time are two bytes."""
        start, stop = self.pos, self.pos + 2 * number
        if number and stop <= self.end:
            counts, codes = self.data[start:stop:2], self.data[start + 1 : stop : 2]
            if max(counts) < LONG and not codes.translate(None, NUMTYPE_CODES):
                self.pos = stop
                return counts, [NUMTYPES[code] for code in codes]
        runs = [(self.read_uint(), self.read_valtype()) for _ in range(number)]
        return [count for count, _ in runs], [valtype for _, valtype in runs]

    def read_data_section(self) -> tuple[m.Data, ...]:
        """datasec.  Spec: binary/modules#data-section"""
        return self.read_vec(self.read_data)

    def read_data(self) -> m.Data:
        """data."""
        start = self.pos
        flags = self.read_uint()
        if flags > 2:
            raise self.malformed("malformed data segment kind", start)
        if flags:
            self.need(f.BULK_MEMORY, "malformed data segment kind", start)
        mode: m.Active | m.Passive = m.Passive()
        if flags != 1:
            mode = m.Active(self.read_uint() if flags == 2 else 0, self.read_expression())
        return m.Data(self.read_length_prefixed_bytes(), mode, start)


def decode(wasm: bytes, features: frozenset[str] = f.VERSION_3, lazy: bool = False) -> m.Module:
    """The module that the bytes stand for; what needs a feature (a name of `interp.syntax.features`) that is not in
    `features` has no meaning.  Raises Malformed, and TypeError for what is no bytes.

    If `lazy`, the bodies of functions (not their locals) are passed over: then `Func.body` raises Malformed if one is,
    and `validate` looks at all of them unless it is told `lazy` too.

    Spec: appendix/embedding#module-decode
    """
    return ModuleReader(bytes(memoryview(wasm)), features, lazy).read()
