"""The rows of the instruction table for numeric instructions (specification 2.4).

Spec: syntax/instructions#numeric-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.execution import numerics as n
from interp.syntax.features import SATURATING_FLOAT_TO_INT, SIGN_EXTENSION
from interp.syntax.row import Imm, Op
from interp.syntax.types import F32, F64, I32, I64, FuncType, NumType


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
    _unop("i32.extend8_s", 0xC0, I32, n.iextend_s, 8, since=SIGN_EXTENSION),
    _unop("i32.extend16_s", 0xC1, I32, n.iextend_s, 16, since=SIGN_EXTENSION),
    _unop("i64.extend8_s", 0xC2, I64, n.iextend_s, 8, since=SIGN_EXTENSION),
    _unop("i64.extend16_s", 0xC3, I64, n.iextend_s, 16, since=SIGN_EXTENSION),
    _unop("i64.extend32_s", 0xC4, I64, n.iextend_s, 32, since=SIGN_EXTENSION),
    _cvtop("i32.trunc_sat_f32_s", (0xFC, 0), F32, I32, n.trunc_sat_s, SATURATING_FLOAT_TO_INT),
    _cvtop("i32.trunc_sat_f32_u", (0xFC, 1), F32, I32, n.trunc_sat_u, SATURATING_FLOAT_TO_INT),
    _cvtop("i32.trunc_sat_f64_s", (0xFC, 2), F64, I32, n.trunc_sat_s, SATURATING_FLOAT_TO_INT),
    _cvtop("i32.trunc_sat_f64_u", (0xFC, 3), F64, I32, n.trunc_sat_u, SATURATING_FLOAT_TO_INT),
    _cvtop("i64.trunc_sat_f32_s", (0xFC, 4), F32, I64, n.trunc_sat_s, SATURATING_FLOAT_TO_INT),
    _cvtop("i64.trunc_sat_f32_u", (0xFC, 5), F32, I64, n.trunc_sat_u, SATURATING_FLOAT_TO_INT),
    _cvtop("i64.trunc_sat_f64_s", (0xFC, 6), F64, I64, n.trunc_sat_s, SATURATING_FLOAT_TO_INT),
    _cvtop("i64.trunc_sat_f64_u", (0xFC, 7), F64, I64, n.trunc_sat_u, SATURATING_FLOAT_TO_INT),
)
