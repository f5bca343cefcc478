"""Modules as bytes: the way back from what the decoder makes of them, for modules that were generated or changed here.

Custom sections are left out, for what they say of offsets and names would no longer hold. Decoding what `encode` gives
yields the module again, but for offsets.

Spec: binary/modules
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from conformance.fuzz.code import encoded as opcode_of
from conformance.fuzz.framing import Section, join, join_bodies, uleb
from interp.binary.instructions import EMPTY_BLOCKTYPE, MEMIDX_FLAG
from interp.binary.modules import EXTERN_KINDS, SECTION_IDS, SECTIONS, TABLE_WITH_INIT
from interp.binary.reader import ARRAY, FUNC, HEAPTYPES, NUMTYPES, PACKTYPES, REC, REF, REF_NULL, STRUCT, SUB, SUB_FINAL
from interp.execution.values import fbits, signed_
from interp.syntax import modules as m
from interp.syntax.instructions import CATCHES, ELSE, END, BlockType, Catch, Expr, Imm, Instr, MemArg, Op
from interp.syntax.types import (
    FUNCREF,
    AbsHeapType,
    AddrType,
    CompType,
    DefType,
    FieldType,
    FuncType,
    GlobalType,
    HeapType,
    Limits,
    MemType,
    PackType,
    RecType,
    RefType,
    StorageType,
    StructType,
    SubType,
    TableType,
    TypeIdx,
)

_NUMTYPE_CODES = {t: code for code, t in NUMTYPES.items()}
_PACKTYPE_CODES = {t: code for code, t in PACKTYPES.items()}
_HEAPTYPE_CODES = {t: code for code, t in HEAPTYPES.items()}
_SECTION_NUMBERS = {name: number for number, name in SECTION_IDS.items()}
NONNULL_FUNC = RefType(False, AbsHeapType.FUNC)
"""The type of the elements of a segment that is written with function indices."""


class EncodeError(ValueError):
    """What is to be written has no binary form, such as a type that is closed already."""


def sleb(value: int) -> bytes:
    """An integer of either sign as signed LEB128.  Spec: binary/values#integers"""
    result = bytearray()
    while not -0x40 <= value < 0x40:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value & 0x7F)
    return bytes(result)


def vec(items: Iterable[bytes]) -> bytes:
    """vec(B): the count, then the items.  Spec: binary/conventions#vectors"""
    written = list(items)
    return uleb(len(written)) + b"".join(written)


def name(text: str) -> bytes:
    """name.  Spec: binary/values#names"""
    data = text.encode()
    return uleb(len(data)) + data


def heaptype(t: HeapType) -> bytes:
    """heaptype.  Raises EncodeError.  Spec: binary/types#heap-types"""
    if isinstance(t, TypeIdx):
        return sleb(t.index)
    code = _HEAPTYPE_CODES.get(t) if isinstance(t, AbsHeapType) else None
    if code is None:
        raise EncodeError(f"{t} has no binary form")
    return bytes([code])


def storagetype(t: StorageType) -> bytes:
    """valtype or packtype.  Raises EncodeError.  Spec: binary/types#value-types"""
    if isinstance(t, RefType):
        if t.null and isinstance(t.heaptype, AbsHeapType):
            return heaptype(t.heaptype)
        return bytes([REF_NULL if t.null else REF]) + heaptype(t.heaptype)
    code = _PACKTYPE_CODES.get(t) if isinstance(t, PackType) else _NUMTYPE_CODES.get(t)
    if code is None:
        raise EncodeError(f"{t} has no binary form")
    return bytes([code])


def resulttype(types: Iterable[StorageType]) -> bytes:
    """resulttype.  Spec: binary/types#result-types"""
    return vec(map(storagetype, types))


def comptype(t: CompType) -> bytes:
    """comptype.  Spec: binary/types#composite-types"""

    def field(fieldtype: FieldType) -> bytes:
        return storagetype(fieldtype.storagetype) + bytes([fieldtype.mut])

    if isinstance(t, FuncType):
        return bytes([FUNC]) + resulttype(t.params) + resulttype(t.results)
    if isinstance(t, StructType):
        return bytes([STRUCT]) + vec(map(field, t.fields))
    return bytes([ARRAY]) + field(t.field)


def subtype(t: SubType) -> bytes:
    """subtype; a final one without supertypes is its composite type alone.  Spec: binary/types#recursive-types"""
    if t.final and not t.supertypes:
        return comptype(t.comptype)
    above = [uleb(use.index) for use in t.supertypes if not isinstance(use, DefType)]
    return bytes([SUB_FINAL if t.final else SUB]) + vec(above) + comptype(t.comptype)


def rectype(t: RecType) -> bytes:
    """rectype; one sub type stands alone.  Spec: binary/types#recursive-types"""
    if len(t.subtypes) == 1:
        return subtype(t.subtypes[0])
    return bytes([REC]) + vec(map(subtype, t.subtypes))


def limits(addrtype: AddrType, t: Limits) -> bytes:
    """limits with the address type.  Spec: binary/types#limits"""
    flags = (t.max is not None) | (addrtype is AddrType.I64) << 2
    return bytes([flags]) + uleb(t.min) + (b"" if t.max is None else uleb(t.max))


def tabletype(t: TableType) -> bytes:
    """tabletype.  Spec: binary/types#table-types"""
    return storagetype(t.reftype) + limits(t.addrtype, t.limits)


def globaltype(t: GlobalType) -> bytes:
    """globaltype.  Spec: binary/types#global-types"""
    return storagetype(t.valtype) + bytes([t.mut])


def blocktype(t: BlockType) -> bytes:
    """blocktype.  Spec: binary/instructions#control-instructions"""
    if t is None:
        return bytes([EMPTY_BLOCKTYPE])
    return sleb(t.index) if isinstance(t, TypeIdx) else storagetype(t)


def memarg(arg: MemArg) -> bytes:
    """memarg.  Spec: binary/instructions#memory-instructions"""
    if arg.memidx == 0:
        return uleb(arg.align) + uleb(arg.offset)
    return uleb(arg.align | MEMIDX_FLAG) + uleb(arg.memidx) + uleb(arg.offset)


def catch(clause: Catch) -> bytes:
    """catch.  Spec: binary/instructions#control-instructions"""
    tag = b"" if clause.tagidx is None else uleb(clause.tagidx)
    return bytes([CATCHES.index(clause.keyword)]) + tag + uleb(clause.labelidx)


def _castop(nulls: tuple[bool, bool]) -> bytes:
    return bytes([nulls[0] | nulls[1] << 1])


IMMEDIATES: dict[Imm, Callable[[Any], bytes]] = {
    **dict.fromkeys(
        (
            Imm.LABELIDX, Imm.FUNCIDX, Imm.TYPEIDX, Imm.TABLEIDX, Imm.MEMIDX, Imm.GLOBALIDX, Imm.LOCALIDX, Imm.ELEMIDX,
            Imm.DATAIDX, Imm.TAGIDX, Imm.FIELDIDX, Imm.U32, Imm.LANEIDX,
        ),
        uleb,
    ),
    Imm.BLOCKTYPE: blocktype,
    Imm.LABELIDX_LIST: lambda labels: vec(map(uleb, labels)),
    Imm.LANEIDX_16: bytes,
    Imm.CATCH_LIST: lambda clauses: vec(map(catch, clauses)),
    Imm.CASTOP: _castop,
    Imm.VALTYPE_LIST: resulttype,
    Imm.HEAPTYPE: heaptype,
    Imm.MEMARG: memarg,
    Imm.I32: lambda i: sleb(signed_(32, i)),
    Imm.I64: lambda i: sleb(signed_(64, i)),
    Imm.F32: lambda z: fbits(32, z).to_bytes(4, "little"),
    Imm.F64: lambda z: fbits(64, z).to_bytes(8, "little"),
    Imm.V128: lambda v: v.to_bytes(16, "little"),
}  # fmt: skip
"""How each kind of immediate is written."""

_OPCODES: dict[Op, bytes] = {}


def head(instr: Instr) -> bytes:
    """The opcode and the immediates of an instruction, without what a block holds."""
    op = instr.op
    opcode = _OPCODES.get(op)
    if opcode is None:
        opcode = _OPCODES[op] = opcode_of(op)
    if not op.immediates:
        return opcode
    return opcode + b"".join([IMMEDIATES[imm](x) for imm, x in zip(op.immediates, instr.immediates, strict=False)])


def instruction_sequence(code: Expr) -> bytes:
    """instr*, without the `end`; blocks are written without recursion, so that they may nest to any depth."""
    out = bytearray()
    todo: list[bytes | Instr] = list(reversed(code))
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            out += item
            continue
        out += head(item)
        bodies = item.bodies
        if not bodies:
            continue
        todo.append(bytes([END]))
        if len(bodies) == 2 and bodies[1]:
            todo += reversed(bodies[1])
            todo.append(bytes([ELSE]))
        todo += reversed(bodies[0])
    return bytes(out)


def expr(code: Expr) -> bytes:
    """expr.  Spec: binary/instructions#expressions"""
    return instruction_sequence(code) + bytes([END])


def import_(imported: m.Import) -> bytes:
    """import.  Spec: binary/modules#import-section"""
    desc = imported.desc
    if isinstance(desc, TypeIdx):
        written = b"\x00" + uleb(desc.index)
    elif isinstance(desc, TableType):
        written = b"\x01" + tabletype(desc)
    elif isinstance(desc, MemType):
        written = b"\x02" + limits(desc.addrtype, desc.limits)
    elif isinstance(desc, GlobalType):
        written = b"\x03" + globaltype(desc)
    else:
        written = b"\x04\x00" + uleb(desc.typeidx)
    return name(imported.module) + name(imported.name) + written


def table(t: m.Table) -> bytes:
    """table.  Spec: binary/modules#table-section"""
    return tabletype(t.type) if t.init is None else bytes([TABLE_WITH_INIT, 0]) + tabletype(t.type) + expr(t.init)


def elem(segment: m.Elem) -> bytes:
    """elem: with function indices where that is possible, else with expressions.

    Spec: binary/modules#element-section
    """
    by_index = segment.type == NONNULL_FUNC and all(
        len(code) == 1 and code[0].op.kind == "ref.func" for code in segment.init
    )
    flags, mode, place = 0 if by_index else 4, segment.mode, b""
    if isinstance(mode, m.Active):
        place = expr(mode.offset)
        if mode.index or not (by_index or segment.type == FUNCREF):
            flags |= 2
            place = uleb(mode.index) + place
    else:
        flags |= 3 if isinstance(mode, m.Declarative) else 1
    kind = b"" if not flags & 3 else b"\x00" if by_index else storagetype(segment.type)
    items = [uleb(code[0].immediates[0]) if by_index else expr(code) for code in segment.init]
    return uleb(flags) + place + kind + vec(items)


def data(segment: m.Data) -> bytes:
    """data.  Spec: binary/modules#data-section"""
    contents = uleb(len(segment.init)) + segment.init
    mode = segment.mode
    if isinstance(mode, m.Passive):
        return b"\x01" + contents
    if mode.index:
        return b"\x02" + uleb(mode.index) + expr(mode.offset) + contents
    return b"\x00" + expr(mode.offset) + contents


def body(func: m.Func) -> bytes:
    """func: the locals in runs of one type, and the code.  Spec: binary/modules#code-section"""
    runs = [uleb(len(list(run))) + storagetype(t) for t, run in groupby(func.locals)]
    return vec(runs) + expr(func.body)


def encode(module: m.Module) -> bytes:
    """The binary form of a module, which need not be valid.  Raises EncodeError.  Spec: binary/modules#binary-module"""
    vectors: dict[str, list[bytes]] = {
        "type": [rectype(t.rectype) for t in module.types],
        "import": list(map(import_, module.imports)),
        "func": [uleb(func.typeidx) for func in module.funcs],
        "table": list(map(table, module.tables)),
        "memory": [limits(mem.type.addrtype, mem.type.limits) for mem in module.mems],
        "tag": [b"\x00" + uleb(tag.typeidx) for tag in module.tags],
        "global": [globaltype(g.type) + expr(g.init) for g in module.globals],
        "export": [name(e.name) + bytes([EXTERN_KINDS.index(e.kind)]) + uleb(e.index) for e in module.exports],
        "elem": list(map(elem, module.elems)),
        "data": list(map(data, module.datas)),
    }
    contents = {section: vec(items) for section, items in vectors.items() if items}
    if module.start is not None:
        contents["start"] = uleb(module.start.funcidx)
    if module.datas:
        contents["datacount"] = uleb(len(module.datas))
    if module.funcs:
        contents["code"] = join_bodies(list(map(body, module.funcs)))
    return join([Section(_SECTION_NUMBERS[s], contents[s]) for s in SECTIONS if s in contents])


__all__ = ["EncodeError", "encode", "expr", "instruction_sequence", "sleb"]
