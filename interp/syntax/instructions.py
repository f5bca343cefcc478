"""The instruction table (specification 2.4): each opcode is written down here, once.

A row gives mnemonic, opcode, how to read the immediates, the kind (the specification's production, which selects the
typing rule and the reduction rules), the type where it is the same everywhere, and the numerics function that is the
meaning of the instruction. Decoder, validator, machines, disassembler and documentation read this table; nine rows in
ten need no other code than the generic rule of their kind. The long groups have files of their own.

Spec: syntax/instructions, appendix/index-instructions
"""

from __future__ import annotations

from typing import Any

from interp.syntax import features as f
from interp.syntax.numeric_instructions import NUMERIC
from interp.syntax.row import CATCHES, ELSE, END, BlockType, Catch, Expr, Imm, Instr, MemArg, Op
from interp.syntax.types import F32, F64, I32, I64, NumType
from interp.syntax.vector_instructions import VECTOR


def _load(mnemonic: str, opcode: int, t: NumType, width: int, signed: bool = False) -> Op:
    return Op(mnemonic, opcode, "load", (Imm.MEMARG,), params=(t, width, signed))


def _store(mnemonic: str, opcode: int, t: NumType, width: int) -> Op:
    return Op(mnemonic, opcode, "store", (Imm.MEMARG,), params=(t, width))


def _op(
    mnemonic: str,
    opcode: int | tuple[int, int],
    *immediates: Imm,
    since: str = f.CORE,
    kind: str = "",
    params: tuple[Any, ...] = (),
) -> Op:
    return Op(mnemonic, opcode, kind or mnemonic, immediates, params=params, since=since)


CONTROL = (
    _op("unreachable", 0x00),
    _op("nop", 0x01),
    _op("block", 0x02, Imm.BLOCKTYPE),
    _op("loop", 0x03, Imm.BLOCKTYPE),
    _op("if", 0x04, Imm.BLOCKTYPE),
    _op("throw", 0x08, Imm.TAGIDX, since=f.EXCEPTIONS),
    _op("throw_ref", 0x0A, since=f.EXCEPTIONS),
    _op("br", 0x0C, Imm.LABELIDX),
    _op("br_if", 0x0D, Imm.LABELIDX),
    _op("br_table", 0x0E, Imm.LABELIDX_LIST, Imm.LABELIDX),
    _op("return", 0x0F),
    _op("call", 0x10, Imm.FUNCIDX),
    _op("call_indirect", 0x11, Imm.TYPEIDX, Imm.TABLEIDX),
    _op("return_call", 0x12, Imm.FUNCIDX, since=f.TAIL_CALL),
    _op("return_call_indirect", 0x13, Imm.TYPEIDX, Imm.TABLEIDX, since=f.TAIL_CALL),
    _op("call_ref", 0x14, Imm.TYPEIDX, since=f.FUNCTION_REFERENCES),
    _op("return_call_ref", 0x15, Imm.TYPEIDX, since=f.FUNCTION_REFERENCES),
    _op("try_table", 0x1F, Imm.BLOCKTYPE, Imm.CATCH_LIST, since=f.EXCEPTIONS),
    _op("br_on_null", 0xD5, Imm.LABELIDX, since=f.FUNCTION_REFERENCES),
    _op("br_on_non_null", 0xD6, Imm.LABELIDX, since=f.FUNCTION_REFERENCES),
    _op("br_on_cast", (0xFB, 24), Imm.CASTOP, Imm.LABELIDX, Imm.HEAPTYPE, Imm.HEAPTYPE, since=f.GC),
    _op("br_on_cast_fail", (0xFB, 25), Imm.CASTOP, Imm.LABELIDX, Imm.HEAPTYPE, Imm.HEAPTYPE, since=f.GC),
)

REFERENCE = (
    _op("ref.null", 0xD0, Imm.HEAPTYPE, since=f.REFERENCE_TYPES),
    _op("ref.is_null", 0xD1, since=f.REFERENCE_TYPES),
    _op("ref.func", 0xD2, Imm.FUNCIDX, since=f.REFERENCE_TYPES),
    _op("ref.eq", 0xD3, since=f.GC),
    _op("ref.as_non_null", 0xD4, since=f.FUNCTION_REFERENCES),
    _op("ref.test", (0xFB, 20), Imm.HEAPTYPE, since=f.GC, params=(False,)),
    _op("ref.test null", (0xFB, 21), Imm.HEAPTYPE, since=f.GC, kind="ref.test", params=(True,)),
    _op("ref.cast", (0xFB, 22), Imm.HEAPTYPE, since=f.GC, params=(False,)),
    _op("ref.cast null", (0xFB, 23), Imm.HEAPTYPE, since=f.GC, kind="ref.cast", params=(True,)),
)

AGGREGATE = (
    _op("struct.new", (0xFB, 0), Imm.TYPEIDX, since=f.GC),
    _op("struct.new_default", (0xFB, 1), Imm.TYPEIDX, since=f.GC),
    _op("struct.get", (0xFB, 2), Imm.TYPEIDX, Imm.FIELDIDX, since=f.GC, params=(None,)),
    _op("struct.get_s", (0xFB, 3), Imm.TYPEIDX, Imm.FIELDIDX, since=f.GC, kind="struct.get", params=(True,)),
    _op("struct.get_u", (0xFB, 4), Imm.TYPEIDX, Imm.FIELDIDX, since=f.GC, kind="struct.get", params=(False,)),
    _op("struct.set", (0xFB, 5), Imm.TYPEIDX, Imm.FIELDIDX, since=f.GC),
    _op("array.new", (0xFB, 6), Imm.TYPEIDX, since=f.GC),
    _op("array.new_default", (0xFB, 7), Imm.TYPEIDX, since=f.GC),
    _op("array.new_fixed", (0xFB, 8), Imm.TYPEIDX, Imm.U32, since=f.GC),
    _op("array.new_data", (0xFB, 9), Imm.TYPEIDX, Imm.DATAIDX, since=f.GC),
    _op("array.new_elem", (0xFB, 10), Imm.TYPEIDX, Imm.ELEMIDX, since=f.GC),
    _op("array.get", (0xFB, 11), Imm.TYPEIDX, since=f.GC, params=(None,)),
    _op("array.get_s", (0xFB, 12), Imm.TYPEIDX, since=f.GC, kind="array.get", params=(True,)),
    _op("array.get_u", (0xFB, 13), Imm.TYPEIDX, since=f.GC, kind="array.get", params=(False,)),
    _op("array.set", (0xFB, 14), Imm.TYPEIDX, since=f.GC),
    _op("array.len", (0xFB, 15), since=f.GC),
    _op("array.fill", (0xFB, 16), Imm.TYPEIDX, since=f.GC),
    _op("array.copy", (0xFB, 17), Imm.TYPEIDX, Imm.TYPEIDX, since=f.GC),
    _op("array.init_data", (0xFB, 18), Imm.TYPEIDX, Imm.DATAIDX, since=f.GC),
    _op("array.init_elem", (0xFB, 19), Imm.TYPEIDX, Imm.ELEMIDX, since=f.GC),
    _op("any.convert_extern", (0xFB, 26), since=f.GC),
    _op("extern.convert_any", (0xFB, 27), since=f.GC),
    _op("ref.i31", (0xFB, 28), since=f.GC),
    _op("i31.get_s", (0xFB, 29), since=f.GC, kind="i31.get", params=(True,)),
    _op("i31.get_u", (0xFB, 30), since=f.GC, kind="i31.get", params=(False,)),
)

PARAMETRIC = (
    _op("drop", 0x1A),
    _op("select", 0x1B),
    _op("select t", 0x1C, Imm.VALTYPE_LIST, since=f.REFERENCE_TYPES, kind="select"),
)

VARIABLE = (
    _op("local.get", 0x20, Imm.LOCALIDX),
    _op("local.set", 0x21, Imm.LOCALIDX),
    _op("local.tee", 0x22, Imm.LOCALIDX),
    _op("global.get", 0x23, Imm.GLOBALIDX),
    _op("global.set", 0x24, Imm.GLOBALIDX),
)

TABLE = (
    _op("table.get", 0x25, Imm.TABLEIDX, since=f.REFERENCE_TYPES),
    _op("table.set", 0x26, Imm.TABLEIDX, since=f.REFERENCE_TYPES),
    _op("table.init", (0xFC, 12), Imm.ELEMIDX, Imm.TABLEIDX, since=f.BULK_MEMORY),
    _op("elem.drop", (0xFC, 13), Imm.ELEMIDX, since=f.BULK_MEMORY),
    _op("table.copy", (0xFC, 14), Imm.TABLEIDX, Imm.TABLEIDX, since=f.BULK_MEMORY),
    _op("table.grow", (0xFC, 15), Imm.TABLEIDX, since=f.REFERENCE_TYPES),
    _op("table.size", (0xFC, 16), Imm.TABLEIDX, since=f.REFERENCE_TYPES),
    _op("table.fill", (0xFC, 17), Imm.TABLEIDX, since=f.REFERENCE_TYPES),
)

MEMORY = (
    _load("i32.load", 0x28, I32, 32),
    _load("i64.load", 0x29, I64, 64),
    _load("f32.load", 0x2A, F32, 32),
    _load("f64.load", 0x2B, F64, 64),
    _load("i32.load8_s", 0x2C, I32, 8, signed=True),
    _load("i32.load8_u", 0x2D, I32, 8),
    _load("i32.load16_s", 0x2E, I32, 16, signed=True),
    _load("i32.load16_u", 0x2F, I32, 16),
    _load("i64.load8_s", 0x30, I64, 8, signed=True),
    _load("i64.load8_u", 0x31, I64, 8),
    _load("i64.load16_s", 0x32, I64, 16, signed=True),
    _load("i64.load16_u", 0x33, I64, 16),
    _load("i64.load32_s", 0x34, I64, 32, signed=True),
    _load("i64.load32_u", 0x35, I64, 32),
    _store("i32.store", 0x36, I32, 32),
    _store("i64.store", 0x37, I64, 64),
    _store("f32.store", 0x38, F32, 32),
    _store("f64.store", 0x39, F64, 64),
    _store("i32.store8", 0x3A, I32, 8),
    _store("i32.store16", 0x3B, I32, 16),
    _store("i64.store8", 0x3C, I64, 8),
    _store("i64.store16", 0x3D, I64, 16),
    _store("i64.store32", 0x3E, I64, 32),
    _op("memory.size", 0x3F, Imm.MEMIDX),
    _op("memory.grow", 0x40, Imm.MEMIDX),
    _op("memory.init", (0xFC, 8), Imm.DATAIDX, Imm.MEMIDX, since=f.BULK_MEMORY),
    _op("data.drop", (0xFC, 9), Imm.DATAIDX, since=f.BULK_MEMORY),
    _op("memory.copy", (0xFC, 10), Imm.MEMIDX, Imm.MEMIDX, since=f.BULK_MEMORY),
    _op("memory.fill", (0xFC, 11), Imm.MEMIDX, since=f.BULK_MEMORY),
)

OPS: tuple[Op, ...] = CONTROL + REFERENCE + AGGREGATE + PARAMETRIC + VARIABLE + TABLE + MEMORY + NUMERIC + VECTOR
BY_MNEMONIC: dict[str, Op] = {op.mnemonic: op for op in OPS}
BY_OPCODE: dict[int | tuple[int, int], Op] = {op.opcode: op for op in OPS}
BLOCKS: frozenset[Op] = frozenset(op for op in OPS if Imm.BLOCKTYPE in op.immediates)
PREFIXES: frozenset[int] = frozenset(op.opcode[0] for op in OPS if isinstance(op.opcode, tuple))

__all__ = [
    "BLOCKS",
    "BY_MNEMONIC",
    "BY_OPCODE",
    "CATCHES",
    "ELSE",
    "END",
    "OPS",
    "PREFIXES",
    "BlockType",
    "Catch",
    "Expr",
    "Imm",
    "Instr",
    "MemArg",
    "Op",
]
