"""The instruction table (specification 2.4): each opcode is written down here, once.

A row gives mnemonic, opcode, how to read the immediates, the kind (the specification's production, which selects the
typing rule and the reduction rules), the type where it is the same everywhere, and the numerics function that is the
meaning of the instruction. Decoder, validator, machines, disassembler and documentation read this table; nine rows in
ten need no other code than the generic rule of their kind.

Spec: syntax/instructions, appendix/index-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from interp.execution import numerics as n
from interp.syntax.types import F32, F64, I32, I64, FuncType, NumType, TypeIdx, ValType


class Imm(Enum):
    """How an immediate is read, which also says what it is.  Spec: binary/instructions"""

    BLOCKTYPE = auto()
    LABELIDX = auto()
    LABELIDX_LIST = auto()
    FUNCIDX = auto()
    TYPEIDX = auto()
    TABLEIDX = auto()
    MEMIDX = auto()
    GLOBALIDX = auto()
    LOCALIDX = auto()
    ELEMIDX = auto()
    DATAIDX = auto()
    VALTYPE_LIST = auto()
    HEAPTYPE = auto()
    MEMARG = auto()
    I32 = auto()
    I64 = auto()
    F32 = auto()
    F64 = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One row. `opcode` is the byte, or prefix byte and number; `params` are the leading arguments of `sem` (widths),
    or for loads and stores (value type, width in bits, signed); `since` names version or proposal it came with."""

    mnemonic: str
    opcode: int | tuple[int, int]
    kind: str
    immediates: tuple[Imm, ...] = ()
    type: FuncType | None = None
    sem: Callable[..., Any] | None = None
    params: tuple[Any, ...] = ()
    since: str = "1.0"

    def __repr__(self) -> str:
        return f"<{self.mnemonic}>"

    @property
    def anchor(self) -> str:
        """Where the specification says what this instruction does: page and anchor, signedness left out."""
        if self.sem is not None:
            name = self.sem.__name__.removesuffix("_u").removesuffix("_s").replace("_", "-")
            return f"exec/numerics#op-{name.replace('iextend', 'iextendn')}"
        kind = f"{self.kind}-val" if self.kind in ("load", "store") else self.kind
        return f"exec/instructions#exec-{kind.replace('.', '-').replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class MemArg:
    """memarg: alignment as exponent of 2, offset in bytes, and the memory that is meant.

    Spec: syntax/instructions#memory-instructions
    """

    align: int
    offset: int
    memidx: int = 0


BlockType = TypeIdx | ValType | None
"""blocktype ::= typeidx | valtype?  Spec: syntax/instructions#control-instructions"""


@dataclass(frozen=True, slots=True, eq=False)
class Instr:
    """One instruction: its row, its immediates in the order of the row, its byte offset in the module.

    The immediates of `block` and `loop` are (blocktype, instr*), of `if` (blocktype, instr*, instr*).
    """

    op: Op
    immediates: tuple[Any, ...]
    offset: int


Expr = tuple[Instr, ...]
"""expr ::= instr* end.  Spec: syntax/instructions#expressions"""

END = 0x0B
ELSE = 0x05


def _num(t: NumType) -> int:
    return int(t.value[1:])


def _const(mnemonic: str, opcode: int, t: NumType) -> Op:
    return Op(mnemonic, opcode, "const", (Imm[t.name],), FuncType((), (t,)))


def _unop(mnemonic: str, opcode: int, t: NumType, sem: Callable[..., Any], *params: int, since: str = "1.0") -> Op:
    return Op(mnemonic, opcode, "unop", (), FuncType((t,), (t,)), sem, (_num(t), *params), since)


def _binop(mnemonic: str, opcode: int, t: NumType, sem: Callable[..., Any]) -> Op:
    return Op(mnemonic, opcode, "binop", (), FuncType((t, t), (t,)), sem, (_num(t),))


def _testop(mnemonic: str, opcode: int, t: NumType, sem: Callable[..., Any]) -> Op:
    return Op(mnemonic, opcode, "testop", (), FuncType((t,), (I32,)), sem, (_num(t),))


def _relop(mnemonic: str, opcode: int, t: NumType, sem: Callable[..., Any]) -> Op:
    return Op(mnemonic, opcode, "relop", (), FuncType((t, t), (I32,)), sem, (_num(t),))


def _cvtop(
    mnemonic: str, opcode: int | tuple[int, int], t1: NumType, t2: NumType, sem: Callable[..., Any], since: str = "1.0"
) -> Op:
    params = (t1.value, t2.value) if sem is n.reinterpret else (_num(t1), _num(t2))
    return Op(mnemonic, opcode, "cvtop", (), FuncType((t1,), (t2,)), sem, params, since)


def _load(mnemonic: str, opcode: int, t: NumType, width: int, signed: bool = False) -> Op:
    return Op(mnemonic, opcode, "load", (Imm.MEMARG,), params=(t, width, signed))


def _store(mnemonic: str, opcode: int, t: NumType, width: int) -> Op:
    return Op(mnemonic, opcode, "store", (Imm.MEMARG,), params=(t, width))


def _op(mnemonic: str, opcode: int | tuple[int, int], *immediates: Imm, since: str = "1.0", kind: str = "") -> Op:
    return Op(mnemonic, opcode, kind or mnemonic, immediates, since=since)


_SAT, _SIGN, _BULK, _REF = "sat-float", "sign-ext", "bulk-memory", "reference-types"

CONTROL = (
    _op("unreachable", 0x00),
    _op("nop", 0x01),
    _op("block", 0x02, Imm.BLOCKTYPE),
    _op("loop", 0x03, Imm.BLOCKTYPE),
    _op("if", 0x04, Imm.BLOCKTYPE),
    _op("br", 0x0C, Imm.LABELIDX),
    _op("br_if", 0x0D, Imm.LABELIDX),
    _op("br_table", 0x0E, Imm.LABELIDX_LIST, Imm.LABELIDX),
    _op("return", 0x0F),
    _op("call", 0x10, Imm.FUNCIDX),
    _op("call_indirect", 0x11, Imm.TYPEIDX, Imm.TABLEIDX),
)

REFERENCE = (
    _op("ref.null", 0xD0, Imm.HEAPTYPE, since=_REF),
    _op("ref.is_null", 0xD1, since=_REF),
    _op("ref.func", 0xD2, Imm.FUNCIDX, since=_REF),
)

PARAMETRIC = (
    _op("drop", 0x1A),
    _op("select", 0x1B),
    _op("select t", 0x1C, Imm.VALTYPE_LIST, since=_REF, kind="select"),
)

VARIABLE = (
    _op("local.get", 0x20, Imm.LOCALIDX),
    _op("local.set", 0x21, Imm.LOCALIDX),
    _op("local.tee", 0x22, Imm.LOCALIDX),
    _op("global.get", 0x23, Imm.GLOBALIDX),
    _op("global.set", 0x24, Imm.GLOBALIDX),
)

TABLE = (
    _op("table.get", 0x25, Imm.TABLEIDX, since=_REF),
    _op("table.set", 0x26, Imm.TABLEIDX, since=_REF),
    _op("table.init", (0xFC, 12), Imm.ELEMIDX, Imm.TABLEIDX, since=_BULK),
    _op("elem.drop", (0xFC, 13), Imm.ELEMIDX, since=_BULK),
    _op("table.copy", (0xFC, 14), Imm.TABLEIDX, Imm.TABLEIDX, since=_BULK),
    _op("table.grow", (0xFC, 15), Imm.TABLEIDX, since=_REF),
    _op("table.size", (0xFC, 16), Imm.TABLEIDX, since=_REF),
    _op("table.fill", (0xFC, 17), Imm.TABLEIDX, since=_REF),
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
    _op("memory.init", (0xFC, 8), Imm.DATAIDX, Imm.MEMIDX, since=_BULK),
    _op("data.drop", (0xFC, 9), Imm.DATAIDX, since=_BULK),
    _op("memory.copy", (0xFC, 10), Imm.MEMIDX, Imm.MEMIDX, since=_BULK),
    _op("memory.fill", (0xFC, 11), Imm.MEMIDX, since=_BULK),
)

NUMERIC = (
    _const("i32.const", 0x41, I32),
    _const("i64.const", 0x42, I64),
    _const("f32.const", 0x43, F32),
    _const("f64.const", 0x44, F64),
    _testop("i32.eqz", 0x45, I32, n.ieqz),
    _relop("i32.eq", 0x46, I32, n.ieq),
    _relop("i32.ne", 0x47, I32, n.ine),
    _relop("i32.lt_s", 0x48, I32, n.ilt_s),
    _relop("i32.lt_u", 0x49, I32, n.ilt_u),
    _relop("i32.gt_s", 0x4A, I32, n.igt_s),
    _relop("i32.gt_u", 0x4B, I32, n.igt_u),
    _relop("i32.le_s", 0x4C, I32, n.ile_s),
    _relop("i32.le_u", 0x4D, I32, n.ile_u),
    _relop("i32.ge_s", 0x4E, I32, n.ige_s),
    _relop("i32.ge_u", 0x4F, I32, n.ige_u),
    _testop("i64.eqz", 0x50, I64, n.ieqz),
    _relop("i64.eq", 0x51, I64, n.ieq),
    _relop("i64.ne", 0x52, I64, n.ine),
    _relop("i64.lt_s", 0x53, I64, n.ilt_s),
    _relop("i64.lt_u", 0x54, I64, n.ilt_u),
    _relop("i64.gt_s", 0x55, I64, n.igt_s),
    _relop("i64.gt_u", 0x56, I64, n.igt_u),
    _relop("i64.le_s", 0x57, I64, n.ile_s),
    _relop("i64.le_u", 0x58, I64, n.ile_u),
    _relop("i64.ge_s", 0x59, I64, n.ige_s),
    _relop("i64.ge_u", 0x5A, I64, n.ige_u),
    _relop("f32.eq", 0x5B, F32, n.feq),
    _relop("f32.ne", 0x5C, F32, n.fne),
    _relop("f32.lt", 0x5D, F32, n.flt),
    _relop("f32.gt", 0x5E, F32, n.fgt),
    _relop("f32.le", 0x5F, F32, n.fle),
    _relop("f32.ge", 0x60, F32, n.fge),
    _relop("f64.eq", 0x61, F64, n.feq),
    _relop("f64.ne", 0x62, F64, n.fne),
    _relop("f64.lt", 0x63, F64, n.flt),
    _relop("f64.gt", 0x64, F64, n.fgt),
    _relop("f64.le", 0x65, F64, n.fle),
    _relop("f64.ge", 0x66, F64, n.fge),
    _unop("i32.clz", 0x67, I32, n.iclz),
    _unop("i32.ctz", 0x68, I32, n.ictz),
    _unop("i32.popcnt", 0x69, I32, n.ipopcnt),
    _binop("i32.add", 0x6A, I32, n.iadd),
    _binop("i32.sub", 0x6B, I32, n.isub),
    _binop("i32.mul", 0x6C, I32, n.imul),
    _binop("i32.div_s", 0x6D, I32, n.idiv_s),
    _binop("i32.div_u", 0x6E, I32, n.idiv_u),
    _binop("i32.rem_s", 0x6F, I32, n.irem_s),
    _binop("i32.rem_u", 0x70, I32, n.irem_u),
    _binop("i32.and", 0x71, I32, n.iand),
    _binop("i32.or", 0x72, I32, n.ior),
    _binop("i32.xor", 0x73, I32, n.ixor),
    _binop("i32.shl", 0x74, I32, n.ishl),
    _binop("i32.shr_s", 0x75, I32, n.ishr_s),
    _binop("i32.shr_u", 0x76, I32, n.ishr_u),
    _binop("i32.rotl", 0x77, I32, n.irotl),
    _binop("i32.rotr", 0x78, I32, n.irotr),
    _unop("i64.clz", 0x79, I64, n.iclz),
    _unop("i64.ctz", 0x7A, I64, n.ictz),
    _unop("i64.popcnt", 0x7B, I64, n.ipopcnt),
    _binop("i64.add", 0x7C, I64, n.iadd),
    _binop("i64.sub", 0x7D, I64, n.isub),
    _binop("i64.mul", 0x7E, I64, n.imul),
    _binop("i64.div_s", 0x7F, I64, n.idiv_s),
    _binop("i64.div_u", 0x80, I64, n.idiv_u),
    _binop("i64.rem_s", 0x81, I64, n.irem_s),
    _binop("i64.rem_u", 0x82, I64, n.irem_u),
    _binop("i64.and", 0x83, I64, n.iand),
    _binop("i64.or", 0x84, I64, n.ior),
    _binop("i64.xor", 0x85, I64, n.ixor),
    _binop("i64.shl", 0x86, I64, n.ishl),
    _binop("i64.shr_s", 0x87, I64, n.ishr_s),
    _binop("i64.shr_u", 0x88, I64, n.ishr_u),
    _binop("i64.rotl", 0x89, I64, n.irotl),
    _binop("i64.rotr", 0x8A, I64, n.irotr),
    _unop("f32.abs", 0x8B, F32, n.fabs),
    _unop("f32.neg", 0x8C, F32, n.fneg),
    _unop("f32.ceil", 0x8D, F32, n.fceil),
    _unop("f32.floor", 0x8E, F32, n.ffloor),
    _unop("f32.trunc", 0x8F, F32, n.ftrunc),
    _unop("f32.nearest", 0x90, F32, n.fnearest),
    _unop("f32.sqrt", 0x91, F32, n.fsqrt),
    _binop("f32.add", 0x92, F32, n.fadd),
    _binop("f32.sub", 0x93, F32, n.fsub),
    _binop("f32.mul", 0x94, F32, n.fmul),
    _binop("f32.div", 0x95, F32, n.fdiv),
    _binop("f32.min", 0x96, F32, n.fmin),
    _binop("f32.max", 0x97, F32, n.fmax),
    _binop("f32.copysign", 0x98, F32, n.fcopysign),
    _unop("f64.abs", 0x99, F64, n.fabs),
    _unop("f64.neg", 0x9A, F64, n.fneg),
    _unop("f64.ceil", 0x9B, F64, n.fceil),
    _unop("f64.floor", 0x9C, F64, n.ffloor),
    _unop("f64.trunc", 0x9D, F64, n.ftrunc),
    _unop("f64.nearest", 0x9E, F64, n.fnearest),
    _unop("f64.sqrt", 0x9F, F64, n.fsqrt),
    _binop("f64.add", 0xA0, F64, n.fadd),
    _binop("f64.sub", 0xA1, F64, n.fsub),
    _binop("f64.mul", 0xA2, F64, n.fmul),
    _binop("f64.div", 0xA3, F64, n.fdiv),
    _binop("f64.min", 0xA4, F64, n.fmin),
    _binop("f64.max", 0xA5, F64, n.fmax),
    _binop("f64.copysign", 0xA6, F64, n.fcopysign),
    _cvtop("i32.wrap_i64", 0xA7, I64, I32, n.wrap),
    _cvtop("i32.trunc_f32_s", 0xA8, F32, I32, n.trunc_s),
    _cvtop("i32.trunc_f32_u", 0xA9, F32, I32, n.trunc_u),
    _cvtop("i32.trunc_f64_s", 0xAA, F64, I32, n.trunc_s),
    _cvtop("i32.trunc_f64_u", 0xAB, F64, I32, n.trunc_u),
    _cvtop("i64.extend_i32_s", 0xAC, I32, I64, n.extend_s),
    _cvtop("i64.extend_i32_u", 0xAD, I32, I64, n.extend_u),
    _cvtop("i64.trunc_f32_s", 0xAE, F32, I64, n.trunc_s),
    _cvtop("i64.trunc_f32_u", 0xAF, F32, I64, n.trunc_u),
    _cvtop("i64.trunc_f64_s", 0xB0, F64, I64, n.trunc_s),
    _cvtop("i64.trunc_f64_u", 0xB1, F64, I64, n.trunc_u),
    _cvtop("f32.convert_i32_s", 0xB2, I32, F32, n.convert_s),
    _cvtop("f32.convert_i32_u", 0xB3, I32, F32, n.convert_u),
    _cvtop("f32.convert_i64_s", 0xB4, I64, F32, n.convert_s),
    _cvtop("f32.convert_i64_u", 0xB5, I64, F32, n.convert_u),
    _cvtop("f32.demote_f64", 0xB6, F64, F32, n.demote),
    _cvtop("f64.convert_i32_s", 0xB7, I32, F64, n.convert_s),
    _cvtop("f64.convert_i32_u", 0xB8, I32, F64, n.convert_u),
    _cvtop("f64.convert_i64_s", 0xB9, I64, F64, n.convert_s),
    _cvtop("f64.convert_i64_u", 0xBA, I64, F64, n.convert_u),
    _cvtop("f64.promote_f32", 0xBB, F32, F64, n.promote),
    _cvtop("i32.reinterpret_f32", 0xBC, F32, I32, n.reinterpret),
    _cvtop("i64.reinterpret_f64", 0xBD, F64, I64, n.reinterpret),
    _cvtop("f32.reinterpret_i32", 0xBE, I32, F32, n.reinterpret),
    _cvtop("f64.reinterpret_i64", 0xBF, I64, F64, n.reinterpret),
    _unop("i32.extend8_s", 0xC0, I32, n.iextend_s, 8, since=_SIGN),
    _unop("i32.extend16_s", 0xC1, I32, n.iextend_s, 16, since=_SIGN),
    _unop("i64.extend8_s", 0xC2, I64, n.iextend_s, 8, since=_SIGN),
    _unop("i64.extend16_s", 0xC3, I64, n.iextend_s, 16, since=_SIGN),
    _unop("i64.extend32_s", 0xC4, I64, n.iextend_s, 32, since=_SIGN),
    _cvtop("i32.trunc_sat_f32_s", (0xFC, 0), F32, I32, n.trunc_sat_s, _SAT),
    _cvtop("i32.trunc_sat_f32_u", (0xFC, 1), F32, I32, n.trunc_sat_u, _SAT),
    _cvtop("i32.trunc_sat_f64_s", (0xFC, 2), F64, I32, n.trunc_sat_s, _SAT),
    _cvtop("i32.trunc_sat_f64_u", (0xFC, 3), F64, I32, n.trunc_sat_u, _SAT),
    _cvtop("i64.trunc_sat_f32_s", (0xFC, 4), F32, I64, n.trunc_sat_s, _SAT),
    _cvtop("i64.trunc_sat_f32_u", (0xFC, 5), F32, I64, n.trunc_sat_u, _SAT),
    _cvtop("i64.trunc_sat_f64_s", (0xFC, 6), F64, I64, n.trunc_sat_s, _SAT),
    _cvtop("i64.trunc_sat_f64_u", (0xFC, 7), F64, I64, n.trunc_sat_u, _SAT),
)

OPS: tuple[Op, ...] = CONTROL + REFERENCE + PARAMETRIC + VARIABLE + TABLE + MEMORY + NUMERIC
BY_MNEMONIC: dict[str, Op] = {op.mnemonic: op for op in OPS}
BY_OPCODE: dict[int | tuple[int, int], Op] = {op.opcode: op for op in OPS}
PREFIXES: frozenset[int] = frozenset(op.opcode[0] for op in OPS if isinstance(op.opcode, tuple))
