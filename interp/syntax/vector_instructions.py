"""The rows of the instruction table for vector instructions (specification 2.4), strict and relaxed, and for their
loads and stores.

`params` are the shapes that `sem` takes first: one, or the shape converted from and the shape converted to; 128 where
the lanes do not matter. Those of loads and stores are the type, the width of the access in bits, for `vload` the
variant (val, pack, splat, zero), and then what `sem` takes first, which makes the vector of the integer in memory.

Spec: syntax/instructions#vector-instructions, binary/instructions#vector-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.execution import numerics as n
from interp.syntax.features import RELAXED_SIMD, SIMD
from interp.syntax.row import Imm, Op
from interp.syntax.shapes import F32X4, F64X2, I8X16, I16X8, I32X4, I64X2, Shape
from interp.syntax.types import I32, V128, FuncType

PREFIX = 0xFD
"""The byte before the number of a vector instruction."""

Sem = Callable[..., Any]

UNARY = FuncType((V128,), (V128,))
BINARY = FuncType((V128, V128), (V128,))
TERNARY = FuncType((V128, V128, V128), (V128,))
TEST = FuncType((V128,), (I32,))
SHIFT = FuncType((V128, I32), (V128,))


def _unary(mnemonic: str, number: int, kind: str, sem: Sem, *params: Shape | int, since: str = SIMD) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (), UNARY, sem, params, since)


def _binary(mnemonic: str, number: int, kind: str, sem: Sem, *params: Shape | int, since: str = SIMD) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (), BINARY, sem, params, since)


def _ternary(mnemonic: str, number: int, kind: str, sem: Sem, *params: Shape | int, since: str = SIMD) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (), TERNARY, sem, params, since)


def _test(mnemonic: str, number: int, kind: str, sem: Sem, *params: Shape | int) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (), TEST, sem, params, SIMD)


def _vshiftop(mnemonic: str, number: int, sem: Sem, sh: Shape) -> Op:
    return Op(mnemonic, (PREFIX, number), "vshiftop", (), SHIFT, sem, (sh,), SIMD)


def _vsplat(mnemonic: str, number: int, sh: Shape, sem: Sem) -> Op:
    return Op(mnemonic, (PREFIX, number), "vsplat", (), FuncType((sh.unpacked,), (V128,)), sem, (sh,), SIMD)


def _lane(mnemonic: str, number: int, kind: str, imm: Imm, sh: Shape, sem: Sem) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (imm,), None, sem, (sh,), SIMD)


def _vload(mnemonic: str, number: int, width: int, variant: str, sem: Sem | None = None, *params: Shape) -> Op:
    return Op(mnemonic, (PREFIX, number), "vload", (Imm.MEMARG,), None, sem, (V128, width, variant, *params), SIMD)


def _lane_access(mnemonic: str, number: int, kind: str, sh: Shape, sem: Sem) -> Op:
    return Op(mnemonic, (PREFIX, number), kind, (Imm.MEMARG, Imm.LANEIDX), None, sem, (V128, sh.N, sh), SIMD)


STRICT = (
    _vload("v128.load", 0, 128, "val"),
    _vload("v128.load8x8_s", 1, 64, "pack", n.ivextend_low_s, I8X16, I16X8),
    _vload("v128.load8x8_u", 2, 64, "pack", n.ivextend_low_u, I8X16, I16X8),
    _vload("v128.load16x4_s", 3, 64, "pack", n.ivextend_low_s, I16X8, I32X4),
    _vload("v128.load16x4_u", 4, 64, "pack", n.ivextend_low_u, I16X8, I32X4),
    _vload("v128.load32x2_s", 5, 64, "pack", n.ivextend_low_s, I32X4, I64X2),
    _vload("v128.load32x2_u", 6, 64, "pack", n.ivextend_low_u, I32X4, I64X2),
    _vload("v128.load8_splat", 7, 8, "splat", n.ivsplat, I8X16),
    _vload("v128.load16_splat", 8, 16, "splat", n.ivsplat, I16X8),
    _vload("v128.load32_splat", 9, 32, "splat", n.ivsplat, I32X4),
    _vload("v128.load64_splat", 10, 64, "splat", n.ivsplat, I64X2),
    Op("v128.store", (PREFIX, 11), "vstore", (Imm.MEMARG,), None, None, (V128, 128), SIMD),
    Op("v128.const", (PREFIX, 12), "vconst", (Imm.V128,), FuncType((), (V128,)), None, (), SIMD),
    _lane("i8x16.shuffle", 13, "vshuffle", Imm.LANEIDX_16, I8X16, n.ivshuffle),
    _binary("i8x16.swizzle", 14, "vswizzlop", n.ivswizzle, I8X16),
    _vsplat("i8x16.splat", 15, I8X16, n.ivsplat),
    _vsplat("i16x8.splat", 16, I16X8, n.ivsplat),
    _vsplat("i32x4.splat", 17, I32X4, n.ivsplat),
    _vsplat("i64x2.splat", 18, I64X2, n.ivsplat),
    _vsplat("f32x4.splat", 19, F32X4, n.fvsplat),
    _vsplat("f64x2.splat", 20, F64X2, n.fvsplat),
    _lane("i8x16.extract_lane_s", 21, "vextract_lane", Imm.LANEIDX, I8X16, n.ivextract_lane_s),
    _lane("i8x16.extract_lane_u", 22, "vextract_lane", Imm.LANEIDX, I8X16, n.ivextract_lane_u),
    _lane("i8x16.replace_lane", 23, "vreplace_lane", Imm.LANEIDX, I8X16, n.ivreplace_lane),
    _lane("i16x8.extract_lane_s", 24, "vextract_lane", Imm.LANEIDX, I16X8, n.ivextract_lane_s),
    _lane("i16x8.extract_lane_u", 25, "vextract_lane", Imm.LANEIDX, I16X8, n.ivextract_lane_u),
    _lane("i16x8.replace_lane", 26, "vreplace_lane", Imm.LANEIDX, I16X8, n.ivreplace_lane),
    _lane("i32x4.extract_lane", 27, "vextract_lane", Imm.LANEIDX, I32X4, n.ivextract_lane_u),
    _lane("i32x4.replace_lane", 28, "vreplace_lane", Imm.LANEIDX, I32X4, n.ivreplace_lane),
    _lane("i64x2.extract_lane", 29, "vextract_lane", Imm.LANEIDX, I64X2, n.ivextract_lane_u),
    _lane("i64x2.replace_lane", 30, "vreplace_lane", Imm.LANEIDX, I64X2, n.ivreplace_lane),
    _lane("f32x4.extract_lane", 31, "vextract_lane", Imm.LANEIDX, F32X4, n.fvextract_lane),
    _lane("f32x4.replace_lane", 32, "vreplace_lane", Imm.LANEIDX, F32X4, n.fvreplace_lane),
    _lane("f64x2.extract_lane", 33, "vextract_lane", Imm.LANEIDX, F64X2, n.fvextract_lane),
    _lane("f64x2.replace_lane", 34, "vreplace_lane", Imm.LANEIDX, F64X2, n.fvreplace_lane),
    _binary("i8x16.eq", 35, "vrelop", n.iveq, I8X16),
    _binary("i8x16.ne", 36, "vrelop", n.ivne, I8X16),
    _binary("i8x16.lt_s", 37, "vrelop", n.ivlt_s, I8X16),
    _binary("i8x16.lt_u", 38, "vrelop", n.ivlt_u, I8X16),
    _binary("i8x16.gt_s", 39, "vrelop", n.ivgt_s, I8X16),
    _binary("i8x16.gt_u", 40, "vrelop", n.ivgt_u, I8X16),
    _binary("i8x16.le_s", 41, "vrelop", n.ivle_s, I8X16),
    _binary("i8x16.le_u", 42, "vrelop", n.ivle_u, I8X16),
    _binary("i8x16.ge_s", 43, "vrelop", n.ivge_s, I8X16),
    _binary("i8x16.ge_u", 44, "vrelop", n.ivge_u, I8X16),
    _binary("i16x8.eq", 45, "vrelop", n.iveq, I16X8),
    _binary("i16x8.ne", 46, "vrelop", n.ivne, I16X8),
    _binary("i16x8.lt_s", 47, "vrelop", n.ivlt_s, I16X8),
    _binary("i16x8.lt_u", 48, "vrelop", n.ivlt_u, I16X8),
    _binary("i16x8.gt_s", 49, "vrelop", n.ivgt_s, I16X8),
    _binary("i16x8.gt_u", 50, "vrelop", n.ivgt_u, I16X8),
    _binary("i16x8.le_s", 51, "vrelop", n.ivle_s, I16X8),
    _binary("i16x8.le_u", 52, "vrelop", n.ivle_u, I16X8),
    _binary("i16x8.ge_s", 53, "vrelop", n.ivge_s, I16X8),
    _binary("i16x8.ge_u", 54, "vrelop", n.ivge_u, I16X8),
    _binary("i32x4.eq", 55, "vrelop", n.iveq, I32X4),
    _binary("i32x4.ne", 56, "vrelop", n.ivne, I32X4),
    _binary("i32x4.lt_s", 57, "vrelop", n.ivlt_s, I32X4),
    _binary("i32x4.lt_u", 58, "vrelop", n.ivlt_u, I32X4),
    _binary("i32x4.gt_s", 59, "vrelop", n.ivgt_s, I32X4),
    _binary("i32x4.gt_u", 60, "vrelop", n.ivgt_u, I32X4),
    _binary("i32x4.le_s", 61, "vrelop", n.ivle_s, I32X4),
    _binary("i32x4.le_u", 62, "vrelop", n.ivle_u, I32X4),
    _binary("i32x4.ge_s", 63, "vrelop", n.ivge_s, I32X4),
    _binary("i32x4.ge_u", 64, "vrelop", n.ivge_u, I32X4),
    _binary("f32x4.eq", 65, "vrelop", n.fveq, F32X4),
    _binary("f32x4.ne", 66, "vrelop", n.fvne, F32X4),
    _binary("f32x4.lt", 67, "vrelop", n.fvlt, F32X4),
    _binary("f32x4.gt", 68, "vrelop", n.fvgt, F32X4),
    _binary("f32x4.le", 69, "vrelop", n.fvle, F32X4),
    _binary("f32x4.ge", 70, "vrelop", n.fvge, F32X4),
    _binary("f64x2.eq", 71, "vrelop", n.fveq, F64X2),
    _binary("f64x2.ne", 72, "vrelop", n.fvne, F64X2),
    _binary("f64x2.lt", 73, "vrelop", n.fvlt, F64X2),
    _binary("f64x2.gt", 74, "vrelop", n.fvgt, F64X2),
    _binary("f64x2.le", 75, "vrelop", n.fvle, F64X2),
    _binary("f64x2.ge", 76, "vrelop", n.fvge, F64X2),
    _unary("v128.not", 77, "vvunop", n.inot, 128),
    _binary("v128.and", 78, "vvbinop", n.iand, 128),
    _binary("v128.andnot", 79, "vvbinop", n.iandnot, 128),
    _binary("v128.or", 80, "vvbinop", n.ior, 128),
    _binary("v128.xor", 81, "vvbinop", n.ixor, 128),
    _ternary("v128.bitselect", 82, "vvternop", n.ibitselect, 128),
    _test("v128.any_true", 83, "vvtestop", n.inez, 128),
    _lane_access("v128.load8_lane", 84, "vload_lane", I8X16, n.ivreplace_lane),
    _lane_access("v128.load16_lane", 85, "vload_lane", I16X8, n.ivreplace_lane),
    _lane_access("v128.load32_lane", 86, "vload_lane", I32X4, n.ivreplace_lane),
    _lane_access("v128.load64_lane", 87, "vload_lane", I64X2, n.ivreplace_lane),
    _lane_access("v128.store8_lane", 88, "vstore_lane", I8X16, n.ivextract_lane_u),
    _lane_access("v128.store16_lane", 89, "vstore_lane", I16X8, n.ivextract_lane_u),
    _lane_access("v128.store32_lane", 90, "vstore_lane", I32X4, n.ivextract_lane_u),
    _lane_access("v128.store64_lane", 91, "vstore_lane", I64X2, n.ivextract_lane_u),
    _vload("v128.load32_zero", 92, 32, "zero"),
    _vload("v128.load64_zero", 93, 64, "zero"),
    _unary("f32x4.demote_f64x2_zero", 94, "vcvtop", n.vdemote_zero, F64X2, F32X4),
    _unary("f64x2.promote_low_f32x4", 95, "vcvtop", n.vpromote_low, F32X4, F64X2),
    _unary("i8x16.abs", 96, "vunop", n.ivabs, I8X16),
    _unary("i8x16.neg", 97, "vunop", n.ivneg, I8X16),
    _unary("i8x16.popcnt", 98, "vunop", n.ivpopcnt, I8X16),
    _test("i8x16.all_true", 99, "vtestop", n.ivall_true, I8X16),
    _test("i8x16.bitmask", 100, "vbitmask", n.ivbitmask, I8X16),
    _binary("i8x16.narrow_i16x8_s", 101, "vnarrow", n.ivnarrow_s, I16X8, I8X16),
    _binary("i8x16.narrow_i16x8_u", 102, "vnarrow", n.ivnarrow_u, I16X8, I8X16),
    _unary("f32x4.ceil", 103, "vunop", n.fvceil, F32X4),
    _unary("f32x4.floor", 104, "vunop", n.fvfloor, F32X4),
    _unary("f32x4.trunc", 105, "vunop", n.fvtrunc, F32X4),
    _unary("f32x4.nearest", 106, "vunop", n.fvnearest, F32X4),
    _vshiftop("i8x16.shl", 107, n.ivshl, I8X16),
    _vshiftop("i8x16.shr_s", 108, n.ivshr_s, I8X16),
    _vshiftop("i8x16.shr_u", 109, n.ivshr_u, I8X16),
    _binary("i8x16.add", 110, "vbinop", n.ivadd, I8X16),
    _binary("i8x16.add_sat_s", 111, "vbinop", n.ivadd_sat_s, I8X16),
    _binary("i8x16.add_sat_u", 112, "vbinop", n.ivadd_sat_u, I8X16),
    _binary("i8x16.sub", 113, "vbinop", n.ivsub, I8X16),
    _binary("i8x16.sub_sat_s", 114, "vbinop", n.ivsub_sat_s, I8X16),
    _binary("i8x16.sub_sat_u", 115, "vbinop", n.ivsub_sat_u, I8X16),
    _unary("f64x2.ceil", 116, "vunop", n.fvceil, F64X2),
    _unary("f64x2.floor", 117, "vunop", n.fvfloor, F64X2),
    _binary("i8x16.min_s", 118, "vbinop", n.ivmin_s, I8X16),
    _binary("i8x16.min_u", 119, "vbinop", n.ivmin_u, I8X16),
    _binary("i8x16.max_s", 120, "vbinop", n.ivmax_s, I8X16),
    _binary("i8x16.max_u", 121, "vbinop", n.ivmax_u, I8X16),
    _unary("f64x2.trunc", 122, "vunop", n.fvtrunc, F64X2),
    _binary("i8x16.avgr_u", 123, "vbinop", n.ivavgr_u, I8X16),
    _unary("i16x8.extadd_pairwise_i8x16_s", 124, "vextunop", n.ivextadd_pairwise_s, I8X16, I16X8),
    _unary("i16x8.extadd_pairwise_i8x16_u", 125, "vextunop", n.ivextadd_pairwise_u, I8X16, I16X8),
    _unary("i32x4.extadd_pairwise_i16x8_s", 126, "vextunop", n.ivextadd_pairwise_s, I16X8, I32X4),
    _unary("i32x4.extadd_pairwise_i16x8_u", 127, "vextunop", n.ivextadd_pairwise_u, I16X8, I32X4),
    _unary("i16x8.abs", 128, "vunop", n.ivabs, I16X8),
    _unary("i16x8.neg", 129, "vunop", n.ivneg, I16X8),
    _binary("i16x8.q15mulr_sat_s", 130, "vbinop", n.ivq15mulr_sat_s, I16X8),
    _test("i16x8.all_true", 131, "vtestop", n.ivall_true, I16X8),
    _test("i16x8.bitmask", 132, "vbitmask", n.ivbitmask, I16X8),
    _binary("i16x8.narrow_i32x4_s", 133, "vnarrow", n.ivnarrow_s, I32X4, I16X8),
    _binary("i16x8.narrow_i32x4_u", 134, "vnarrow", n.ivnarrow_u, I32X4, I16X8),
    _unary("i16x8.extend_low_i8x16_s", 135, "vcvtop", n.ivextend_low_s, I8X16, I16X8),
    _unary("i16x8.extend_high_i8x16_s", 136, "vcvtop", n.ivextend_high_s, I8X16, I16X8),
    _unary("i16x8.extend_low_i8x16_u", 137, "vcvtop", n.ivextend_low_u, I8X16, I16X8),
    _unary("i16x8.extend_high_i8x16_u", 138, "vcvtop", n.ivextend_high_u, I8X16, I16X8),
    _vshiftop("i16x8.shl", 139, n.ivshl, I16X8),
    _vshiftop("i16x8.shr_s", 140, n.ivshr_s, I16X8),
    _vshiftop("i16x8.shr_u", 141, n.ivshr_u, I16X8),
    _binary("i16x8.add", 142, "vbinop", n.ivadd, I16X8),
    _binary("i16x8.add_sat_s", 143, "vbinop", n.ivadd_sat_s, I16X8),
    _binary("i16x8.add_sat_u", 144, "vbinop", n.ivadd_sat_u, I16X8),
    _binary("i16x8.sub", 145, "vbinop", n.ivsub, I16X8),
    _binary("i16x8.sub_sat_s", 146, "vbinop", n.ivsub_sat_s, I16X8),
    _binary("i16x8.sub_sat_u", 147, "vbinop", n.ivsub_sat_u, I16X8),
    _unary("f64x2.nearest", 148, "vunop", n.fvnearest, F64X2),
    _binary("i16x8.mul", 149, "vbinop", n.ivmul, I16X8),
    _binary("i16x8.min_s", 150, "vbinop", n.ivmin_s, I16X8),
    _binary("i16x8.min_u", 151, "vbinop", n.ivmin_u, I16X8),
    _binary("i16x8.max_s", 152, "vbinop", n.ivmax_s, I16X8),
    _binary("i16x8.max_u", 153, "vbinop", n.ivmax_u, I16X8),
    _binary("i16x8.avgr_u", 155, "vbinop", n.ivavgr_u, I16X8),
    _binary("i16x8.extmul_low_i8x16_s", 156, "vextbinop", n.ivextmul_low_s, I8X16, I16X8),
    _binary("i16x8.extmul_high_i8x16_s", 157, "vextbinop", n.ivextmul_high_s, I8X16, I16X8),
    _binary("i16x8.extmul_low_i8x16_u", 158, "vextbinop", n.ivextmul_low_u, I8X16, I16X8),
    _binary("i16x8.extmul_high_i8x16_u", 159, "vextbinop", n.ivextmul_high_u, I8X16, I16X8),
    _unary("i32x4.abs", 160, "vunop", n.ivabs, I32X4),
    _unary("i32x4.neg", 161, "vunop", n.ivneg, I32X4),
    _test("i32x4.all_true", 163, "vtestop", n.ivall_true, I32X4),
    _test("i32x4.bitmask", 164, "vbitmask", n.ivbitmask, I32X4),
    _unary("i32x4.extend_low_i16x8_s", 167, "vcvtop", n.ivextend_low_s, I16X8, I32X4),
    _unary("i32x4.extend_high_i16x8_s", 168, "vcvtop", n.ivextend_high_s, I16X8, I32X4),
    _unary("i32x4.extend_low_i16x8_u", 169, "vcvtop", n.ivextend_low_u, I16X8, I32X4),
    _unary("i32x4.extend_high_i16x8_u", 170, "vcvtop", n.ivextend_high_u, I16X8, I32X4),
    _vshiftop("i32x4.shl", 171, n.ivshl, I32X4),
    _vshiftop("i32x4.shr_s", 172, n.ivshr_s, I32X4),
    _vshiftop("i32x4.shr_u", 173, n.ivshr_u, I32X4),
    _binary("i32x4.add", 174, "vbinop", n.ivadd, I32X4),
    _binary("i32x4.sub", 177, "vbinop", n.ivsub, I32X4),
    _binary("i32x4.mul", 181, "vbinop", n.ivmul, I32X4),
    _binary("i32x4.min_s", 182, "vbinop", n.ivmin_s, I32X4),
    _binary("i32x4.min_u", 183, "vbinop", n.ivmin_u, I32X4),
    _binary("i32x4.max_s", 184, "vbinop", n.ivmax_s, I32X4),
    _binary("i32x4.max_u", 185, "vbinop", n.ivmax_u, I32X4),
    _binary("i32x4.dot_i16x8_s", 186, "vextbinop", n.ivdot_s, I16X8, I32X4),
    _binary("i32x4.extmul_low_i16x8_s", 188, "vextbinop", n.ivextmul_low_s, I16X8, I32X4),
    _binary("i32x4.extmul_high_i16x8_s", 189, "vextbinop", n.ivextmul_high_s, I16X8, I32X4),
    _binary("i32x4.extmul_low_i16x8_u", 190, "vextbinop", n.ivextmul_low_u, I16X8, I32X4),
    _binary("i32x4.extmul_high_i16x8_u", 191, "vextbinop", n.ivextmul_high_u, I16X8, I32X4),
    _unary("i64x2.abs", 192, "vunop", n.ivabs, I64X2),
    _unary("i64x2.neg", 193, "vunop", n.ivneg, I64X2),
    _test("i64x2.all_true", 195, "vtestop", n.ivall_true, I64X2),
    _test("i64x2.bitmask", 196, "vbitmask", n.ivbitmask, I64X2),
    _unary("i64x2.extend_low_i32x4_s", 199, "vcvtop", n.ivextend_low_s, I32X4, I64X2),
    _unary("i64x2.extend_high_i32x4_s", 200, "vcvtop", n.ivextend_high_s, I32X4, I64X2),
    _unary("i64x2.extend_low_i32x4_u", 201, "vcvtop", n.ivextend_low_u, I32X4, I64X2),
    _unary("i64x2.extend_high_i32x4_u", 202, "vcvtop", n.ivextend_high_u, I32X4, I64X2),
    _vshiftop("i64x2.shl", 203, n.ivshl, I64X2),
    _vshiftop("i64x2.shr_s", 204, n.ivshr_s, I64X2),
    _vshiftop("i64x2.shr_u", 205, n.ivshr_u, I64X2),
    _binary("i64x2.add", 206, "vbinop", n.ivadd, I64X2),
    _binary("i64x2.sub", 209, "vbinop", n.ivsub, I64X2),
    _binary("i64x2.mul", 213, "vbinop", n.ivmul, I64X2),
    _binary("i64x2.eq", 214, "vrelop", n.iveq, I64X2),
    _binary("i64x2.ne", 215, "vrelop", n.ivne, I64X2),
    _binary("i64x2.lt_s", 216, "vrelop", n.ivlt_s, I64X2),
    _binary("i64x2.gt_s", 217, "vrelop", n.ivgt_s, I64X2),
    _binary("i64x2.le_s", 218, "vrelop", n.ivle_s, I64X2),
    _binary("i64x2.ge_s", 219, "vrelop", n.ivge_s, I64X2),
    _binary("i64x2.extmul_low_i32x4_s", 220, "vextbinop", n.ivextmul_low_s, I32X4, I64X2),
    _binary("i64x2.extmul_high_i32x4_s", 221, "vextbinop", n.ivextmul_high_s, I32X4, I64X2),
    _binary("i64x2.extmul_low_i32x4_u", 222, "vextbinop", n.ivextmul_low_u, I32X4, I64X2),
    _binary("i64x2.extmul_high_i32x4_u", 223, "vextbinop", n.ivextmul_high_u, I32X4, I64X2),
    _unary("f32x4.abs", 224, "vunop", n.fvabs, F32X4),
    _unary("f32x4.neg", 225, "vunop", n.fvneg, F32X4),
    _unary("f32x4.sqrt", 227, "vunop", n.fvsqrt, F32X4),
    _binary("f32x4.add", 228, "vbinop", n.fvadd, F32X4),
    _binary("f32x4.sub", 229, "vbinop", n.fvsub, F32X4),
    _binary("f32x4.mul", 230, "vbinop", n.fvmul, F32X4),
    _binary("f32x4.div", 231, "vbinop", n.fvdiv, F32X4),
    _binary("f32x4.min", 232, "vbinop", n.fvmin, F32X4),
    _binary("f32x4.max", 233, "vbinop", n.fvmax, F32X4),
    _binary("f32x4.pmin", 234, "vbinop", n.fvpmin, F32X4),
    _binary("f32x4.pmax", 235, "vbinop", n.fvpmax, F32X4),
    _unary("f64x2.abs", 236, "vunop", n.fvabs, F64X2),
    _unary("f64x2.neg", 237, "vunop", n.fvneg, F64X2),
    _unary("f64x2.sqrt", 239, "vunop", n.fvsqrt, F64X2),
    _binary("f64x2.add", 240, "vbinop", n.fvadd, F64X2),
    _binary("f64x2.sub", 241, "vbinop", n.fvsub, F64X2),
    _binary("f64x2.mul", 242, "vbinop", n.fvmul, F64X2),
    _binary("f64x2.div", 243, "vbinop", n.fvdiv, F64X2),
    _binary("f64x2.min", 244, "vbinop", n.fvmin, F64X2),
    _binary("f64x2.max", 245, "vbinop", n.fvmax, F64X2),
    _binary("f64x2.pmin", 246, "vbinop", n.fvpmin, F64X2),
    _binary("f64x2.pmax", 247, "vbinop", n.fvpmax, F64X2),
    _unary("i32x4.trunc_sat_f32x4_s", 248, "vcvtop", n.vtrunc_sat_s, F32X4, I32X4),
    _unary("i32x4.trunc_sat_f32x4_u", 249, "vcvtop", n.vtrunc_sat_u, F32X4, I32X4),
    _unary("f32x4.convert_i32x4_s", 250, "vcvtop", n.vconvert_s, I32X4, F32X4),
    _unary("f32x4.convert_i32x4_u", 251, "vcvtop", n.vconvert_u, I32X4, F32X4),
    _unary("i32x4.trunc_sat_f64x2_s_zero", 252, "vcvtop", n.vtrunc_sat_s, F64X2, I32X4),
    _unary("i32x4.trunc_sat_f64x2_u_zero", 253, "vcvtop", n.vtrunc_sat_u, F64X2, I32X4),
    _unary("f64x2.convert_low_i32x4_s", 254, "vcvtop", n.vconvert_low_s, I32X4, F64X2),
    _unary("f64x2.convert_low_i32x4_u", 255, "vcvtop", n.vconvert_low_u, I32X4, F64X2),
)

RELAXED = (
    _binary("i8x16.relaxed_swizzle", 256, "vswizzlop", n.ivrelaxed_swizzle, I8X16, since=RELAXED_SIMD),
    _unary("i32x4.relaxed_trunc_f32x4_s", 257, "vcvtop", n.vrelaxed_trunc_s, F32X4, I32X4, since=RELAXED_SIMD),
    _unary("i32x4.relaxed_trunc_f32x4_u", 258, "vcvtop", n.vrelaxed_trunc_u, F32X4, I32X4, since=RELAXED_SIMD),
    _unary("i32x4.relaxed_trunc_f64x2_s_zero", 259, "vcvtop", n.vrelaxed_trunc_s, F64X2, I32X4, since=RELAXED_SIMD),
    _unary("i32x4.relaxed_trunc_f64x2_u_zero", 260, "vcvtop", n.vrelaxed_trunc_u, F64X2, I32X4, since=RELAXED_SIMD),
    _ternary("f32x4.relaxed_madd", 261, "vternop", n.fvrelaxed_madd, F32X4, since=RELAXED_SIMD),
    _ternary("f32x4.relaxed_nmadd", 262, "vternop", n.fvrelaxed_nmadd, F32X4, since=RELAXED_SIMD),
    _ternary("f64x2.relaxed_madd", 263, "vternop", n.fvrelaxed_madd, F64X2, since=RELAXED_SIMD),
    _ternary("f64x2.relaxed_nmadd", 264, "vternop", n.fvrelaxed_nmadd, F64X2, since=RELAXED_SIMD),
    _ternary("i8x16.relaxed_laneselect", 265, "vternop", n.ivrelaxed_laneselect, I8X16, since=RELAXED_SIMD),
    _ternary("i16x8.relaxed_laneselect", 266, "vternop", n.ivrelaxed_laneselect, I16X8, since=RELAXED_SIMD),
    _ternary("i32x4.relaxed_laneselect", 267, "vternop", n.ivrelaxed_laneselect, I32X4, since=RELAXED_SIMD),
    _ternary("i64x2.relaxed_laneselect", 268, "vternop", n.ivrelaxed_laneselect, I64X2, since=RELAXED_SIMD),
    _binary("f32x4.relaxed_min", 269, "vbinop", n.fvrelaxed_min, F32X4, since=RELAXED_SIMD),
    _binary("f32x4.relaxed_max", 270, "vbinop", n.fvrelaxed_max, F32X4, since=RELAXED_SIMD),
    _binary("f64x2.relaxed_min", 271, "vbinop", n.fvrelaxed_min, F64X2, since=RELAXED_SIMD),
    _binary("f64x2.relaxed_max", 272, "vbinop", n.fvrelaxed_max, F64X2, since=RELAXED_SIMD),
    _binary("i16x8.relaxed_q15mulr_s", 273, "vbinop", n.ivrelaxed_q15mulr_s, I16X8, since=RELAXED_SIMD),
    _binary("i16x8.relaxed_dot_i8x16_i7x16_s", 274, "vextbinop", n.ivrelaxed_dot_s, I8X16, I16X8, since=RELAXED_SIMD),
    _ternary(
        "i32x4.relaxed_dot_i8x16_i7x16_add_s",
        275,
        "vextternop",
        n.ivrelaxed_dot_add_s,
        I8X16,
        I32X4,
        since=RELAXED_SIMD,
    ),
)

VECTOR: tuple[Op, ...] = STRICT + RELAXED
