"""Cases of the reduction rules of numeric and vector instructions."""

from __future__ import annotations

from rule_cases import Case, returns, traps

ZERO = "(v128.const i64x2 0 0)"
VECTOR = "(v128.const i32x4 1 2 3 4)"

NUMERIC: tuple[Case, ...] = (
    returns("unop-val", "(result i32) (i32.clz (i32.const 1))", "(i32.const 1) i32.clz ↪ (i32.const 31)"),
    returns(
        "binop-val",
        "(result i32) (i32.sub (i32.const 5) (i32.const 6))",
        "(i32.const 5) (i32.const 6) i32.sub ↪ (i32.const -1)",
    ),
    traps(
        "binop-trap",
        "(result i32) (i32.div_u (i32.const 5) (i32.const 0))",
        "(i32.const 5) (i32.const 0) i32.div_u ↪ trap",
    ),
    traps(
        "binop-trap",
        "(result i32) (i32.div_s (i32.const 0x8000_0000) (i32.const -1))",
        "(i32.const -2147483648) (i32.const -1) i32.div_s ↪ trap",
    ),
    returns("testop", "(result i32) (i32.eqz (i32.const 0))", "(i32.const 0) i32.eqz ↪ (i32.const 1)"),
    returns(
        "relop",
        "(result i32) (f64.lt (f64.const 1) (f64.const nan))",
        "(f64.const 1.0) (f64.const nan:0x8000000000000) f64.lt ↪ (i32.const 0)",
    ),
    returns(
        "cvtop-val",
        "(result i64) (i64.extend_i32_s (i32.const -1))",
        "(i32.const -1) i64.extend_i32_s ↪ (i64.const -1)",
    ),
    traps("cvtop-trap", "(result i32) (i32.trunc_f64_u (f64.const -1))", "(f64.const -1.0) i32.trunc_f64_u ↪ trap"),
)
"""Numeric instructions."""

VECTOR_WHOLE_VECTORS: tuple[Case, ...] = (
    returns(
        "vvunop",
        f"(result v128) (v128.not {VECTOR})",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) v128.not "
            "↪ (v128.const i32x4 0xfffffffe 0xfffffffd 0xfffffffc 0xfffffffb)"
        ),
    ),
    returns(
        "vvbinop",
        f"(result v128) (v128.andnot {VECTOR} (v128.const i32x4 1 0 1 0))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.const i32x4 0x00000001 0x00000000 0x00000001 0x00000000) v128.andnot "
            "↪ (v128.const i32x4 0x00000000 0x00000002 0x00000002 0x00000004)"
        ),
    ),
    returns(
        "vvternop",
        f"(result v128) (v128.bitselect {VECTOR} (v128.const i32x4 5 6 7 8) (v128.const i32x4 -1 -1 0 0))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.const i32x4 0x00000005 0x00000006 0x00000007 0x00000008) "
            "(v128.const i32x4 0xffffffff 0xffffffff 0x00000000 0x00000000) v128.bitselect "
            "↪ (v128.const i32x4 0x00000001 0x00000002 0x00000007 0x00000008)"
        ),
    ),
    returns(
        "vvtestop",
        f"(result i32) (v128.any_true {VECTOR})",
        "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) v128.any_true ↪ (i32.const 1)",
    ),
)
"""Vector instructions: whole vectors."""

VECTOR_LANES: tuple[Case, ...] = (
    returns(
        "vunop-val",
        f"(result v128) (i32x4.neg {VECTOR})",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) i32x4.neg "
            "↪ (v128.const i32x4 0xffffffff 0xfffffffe 0xfffffffd 0xfffffffc)"
        ),
    ),
    returns(
        "vbinop-val",
        f"(result v128) (i32x4.sub {ZERO} {VECTOR})",
        (
            "(v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000) "
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) i32x4.sub "
            "↪ (v128.const i32x4 0xffffffff 0xfffffffe 0xfffffffd 0xfffffffc)"
        ),
    ),
    returns(
        "vternop-val",
        (
            "(result v128) (f32x4.relaxed_madd (v128.const f32x4 2 2 2 2) (v128.const f32x4 1 0 1 0) "
            "(v128.const f32x4 0 0 1 1))"
        ),
        (
            "(v128.const i32x4 0x40000000 0x40000000 0x40000000 0x40000000) "
            "(v128.const i32x4 0x3f800000 0x00000000 0x3f800000 0x00000000) "
            "(v128.const i32x4 0x00000000 0x00000000 0x3f800000 0x3f800000) f32x4.relaxed_madd "
            "↪ (v128.const i32x4 0x40000000 0x00000000 0x40400000 0x3f800000)"
        ),
    ),
    returns(
        "vtestop",
        f"(result i32) (i32x4.all_true {VECTOR})",
        "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) i32x4.all_true ↪ (i32.const 1)",
    ),
    returns(
        "vrelop",
        f"(result v128) (i32x4.eq {VECTOR} (v128.const i32x4 1 0 3 0))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.const i32x4 0x00000001 0x00000000 0x00000003 0x00000000) i32x4.eq "
            "↪ (v128.const i32x4 0xffffffff 0x00000000 0xffffffff 0x00000000)"
        ),
    ),
    returns(
        "vshiftop",
        f"(result v128) (i32x4.shl {VECTOR} (i32.const 33))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) (i32.const 33) i32x4.shl "
            "↪ (v128.const i32x4 0x00000002 0x00000004 0x00000006 0x00000008)"
        ),
    ),
    returns(
        "vbitmask",
        "(result i32) (i32x4.bitmask (v128.const i32x4 -1 0 -1 0))",
        "(v128.const i32x4 0xffffffff 0x00000000 0xffffffff 0x00000000) i32x4.bitmask ↪ (i32.const 5)",
    ),
    returns(
        "vswizzlop",
        f"(result v128) (i8x16.swizzle {VECTOR} (v128.const i32x4 0x04 0 0 -1))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.const i32x4 0x00000004 0x00000000 0x00000000 0xffffffff) i8x16.swizzle "
            "↪ (v128.const i32x4 0x01010102 0x01010101 0x01010101 0x00000000)"
        ),
    ),
    returns(
        "vshuffle",
        (f"(result v128) (i8x16.shuffle 16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 {VECTOR} (v128.const i32x4 9 0 0 0))"),
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.const i32x4 0x00000009 0x00000000 0x00000000 0x00000000) "
            "(i8x16.shuffle 16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) "
            "↪ (v128.const i32x4 0x00000009 0x00000002 0x00000003 0x00000004)"
        ),
    ),
    returns(
        "vsplat",
        "(result v128) (i32x4.splat (i32.const 5))",
        "(i32.const 5) i32x4.splat ↪ (v128.const i32x4 0x00000005 0x00000005 0x00000005 0x00000005)",
    ),
    returns(
        "vextract_lane-num",
        f"(result i32) (i32x4.extract_lane 1 {VECTOR})",
        ("(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) (i32x4.extract_lane 1) ↪ (i32.const 2)"),
    ),
    returns(
        "vextract_lane-pack",
        "(result i32) (i8x16.extract_lane_s 0 (v128.const i32x4 0xff 0 0 0))",
        ("(v128.const i32x4 0x000000ff 0x00000000 0x00000000 0x00000000) (i8x16.extract_lane_s 0) ↪ (i32.const -1)"),
    ),
    returns(
        "vreplace_lane",
        f"(result v128) (i32x4.replace_lane 1 {VECTOR} (i32.const 5))",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) (i32.const 5) (i32x4.replace_lane 1) "
            "↪ (v128.const i32x4 0x00000001 0x00000005 0x00000003 0x00000004)"
        ),
    ),
)
"""Vector instructions: lanes."""

VECTOR_BETWEEN_SHAPES: tuple[Case, ...] = (
    returns(
        "vextunop",
        "(result v128) (i32x4.extadd_pairwise_i16x8_u (v128.const i32x4 0x0001_0002 0 0 0))",
        (
            "(v128.const i32x4 0x00010002 0x00000000 0x00000000 0x00000000) i32x4.extadd_pairwise_i16x8_u "
            "↪ (v128.const i32x4 0x00000003 0x00000000 0x00000000 0x00000000)"
        ),
    ),
    returns(
        "vextbinop",
        "(result v128) (i64x2.extmul_low_i32x4_s (v128.const i32x4 -1 0 0 0) (v128.const i32x4 5 0 0 0))",
        (
            "(v128.const i32x4 0xffffffff 0x00000000 0x00000000 0x00000000) "
            "(v128.const i32x4 0x00000005 0x00000000 0x00000000 0x00000000) i64x2.extmul_low_i32x4_s "
            "↪ (v128.const i32x4 0xfffffffb 0xffffffff 0x00000000 0x00000000)"
        ),
    ),
    returns(
        "vextternop",
        (
            "(result v128) (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.const i32x4 2 0 0 0) "
            "(v128.const i32x4 3 0 0 0) (v128.const i32x4 4 0 0 0))"
        ),
        (
            "(v128.const i32x4 0x00000002 0x00000000 0x00000000 0x00000000) "
            "(v128.const i32x4 0x00000003 0x00000000 0x00000000 0x00000000) "
            "(v128.const i32x4 0x00000004 0x00000000 0x00000000 0x00000000) i32x4.relaxed_dot_i8x16_i7x16_add_s "
            "↪ (v128.const i32x4 0x0000000a 0x00000000 0x00000000 0x00000000)"
        ),
    ),
    returns(
        "vnarrow",
        "(result v128) (i16x8.narrow_i32x4_u (v128.const i32x4 -1 5 0x10000 0) (v128.const i32x4 7 0 0 0))",
        (
            "(v128.const i32x4 0xffffffff 0x00000005 0x00010000 0x00000000) "
            "(v128.const i32x4 0x00000007 0x00000000 0x00000000 0x00000000) i16x8.narrow_i32x4_u "
            "↪ (v128.const i32x4 0x00050000 0x0000ffff 0x00000007 0x00000000)"
        ),
    ),
    returns(
        "vcvtop",
        f"(result v128) (f32x4.convert_i32x4_s {VECTOR})",
        (
            "(v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) f32x4.convert_i32x4_s "
            "↪ (v128.const i32x4 0x3f800000 0x40000000 0x40400000 0x40800000)"
        ),
    ),
)
"""Vector instructions: between shapes."""

CASES = (*NUMERIC, *VECTOR_WHOLE_VECTORS, *VECTOR_LANES, *VECTOR_BETWEEN_SHAPES)
