"""Typing of variable, table, memory, numeric and vector instructions."""

from __future__ import annotations

from typing_cases import Typing

MEMORY = "(memory 1)"
MEMORY64 = "(memory i64 1)"
TABLE = "(table $t 1 funcref)"
EXTERNS = "(table $x 1 externref)"
TABLE64 = "(table $t i64 1 funcref)"
LARGE = "(table $l i64 1 funcref)"
ELEM = "(elem $e funcref)"
DATA = '(data $d "")'
V = "(v128.const i64x2 0 0)"

VARIABLES: tuple[Typing, ...] = (
    Typing("local.get", "(local i32) (drop (local.get 0))", "[] -> [i32]", "(local (ref func)) (drop (local.get 0))"),
    Typing(
        "local.set", "(local f32) (local.set 0 (f32.const 1))", "[f32] -> []", "(local f32) (local.set 0 (f64.const 1))"
    ),
    Typing(
        "local.tee",
        "(local anyref) (drop (local.tee 0 (ref.null none)))",
        "[nullref] -> [anyref]",
        "(local f32) (drop (local.tee 0 (f64.const 1)))",
    ),
    Typing(
        "global.get",
        "(drop (global.get 0))",
        "[] -> [i64]",
        "(drop (global.get 1))",
        fields="(global (mut i64) (i64.const 1))",
    ),
    Typing(
        "global.set",
        "(global.set 0 (i64.const 1))",
        "[i64] -> []",
        "(global.set 1 (i64.const 1))",
        fields="(global (mut i64) (i64.const 1)) (global i64 (i64.const 1))",
    ),
)
"""Variables."""

TABLES: tuple[Typing, ...] = (
    Typing(
        "table.get",
        "(drop (table.get $t (i64.const 0)))",
        "[i64] -> [funcref]",
        "(drop (table.get $t (i32.const 0)))",
        fields=TABLE64,
    ),
    Typing(
        "table.set",
        "(table.set $t (i32.const 0) (ref.null nofunc))",
        "[i32 nullfuncref] -> []",
        "(table.set $t (i32.const 0) (ref.null extern))",
        fields=TABLE,
    ),
    Typing("table.size", "(drop (table.size $t))", "[] -> [i64]", "(drop (table.size 1))", fields=TABLE64),
    Typing(
        "table.grow",
        "(drop (table.grow $t (ref.null func) (i64.const 0)))",
        "[funcref i64] -> [i64]",
        "(drop (table.grow $t (ref.null func) (i32.const 0)))",
        fields=TABLE64,
    ),
    Typing(
        "table.fill",
        "(table.fill $t (i64.const 0) (ref.null func) (i64.const 0))",
        "[i64 funcref i64] -> []",
        "(table.fill $t (i64.const 0) (ref.null func) (i32.const 0))",
        fields=TABLE64,
    ),
    Typing(
        "table.copy",
        "(table.copy $t $l (i32.const 0) (i64.const 0) (i32.const 0))",
        "[i32 i64 i32] -> []",
        "(table.copy $t $l (i32.const 0) (i64.const 0) (i64.const 0))",
        fields=f"{TABLE} {LARGE}",
    ),
    Typing(
        "table.copy",
        "(table.copy $l $l (i64.const 0) (i64.const 0) (i64.const 0))",
        "[i64 i64 i64] -> []",
        "(table.copy $x $l (i32.const 0) (i64.const 0) (i32.const 0))",
        fields=f"{EXTERNS} {LARGE}",
    ),
    Typing(
        "table.init",
        "(table.init $l $e (i64.const 0) (i32.const 0) (i32.const 0))",
        "[i64 i32 i32] -> []",
        "(table.init $x $e (i32.const 0) (i32.const 0) (i32.const 0))",
        fields=f"{EXTERNS} {LARGE} {ELEM}",
    ),
    Typing("elem.drop", "(elem.drop $e)", "[] -> []", "(elem.drop 1)", fields=ELEM),
)
"""Tables."""

MEMORIES: tuple[Typing, ...] = (
    Typing("memory.size", "(drop (memory.size))", "[] -> [i64]", "(drop (memory.size 1))", fields=MEMORY64),
    Typing(
        "memory.grow",
        "(drop (memory.grow (i64.const 1)))",
        "[i64] -> [i64]",
        "(drop (memory.grow (i32.const 1)))",
        fields=MEMORY64,
    ),
    Typing(
        "memory.fill",
        "(memory.fill (i64.const 0) (i32.const 0) (i64.const 0))",
        "[i64 i32 i64] -> []",
        "(memory.fill (i64.const 0) (i64.const 0) (i64.const 0))",
        fields=MEMORY64,
    ),
    Typing(
        "memory.copy",
        "(memory.copy 0 1 (i64.const 0) (i32.const 0) (i32.const 0))",
        "[i64 i32 i32] -> []",
        "(memory.copy 0 1 (i64.const 0) (i32.const 0) (i64.const 0))",
        fields=f"{MEMORY64} {MEMORY}",
    ),
    Typing(
        "memory.init",
        "(memory.init $d (i64.const 0) (i32.const 0) (i32.const 0))",
        "[i64 i32 i32] -> []",
        "(memory.init 1 (i64.const 0) (i32.const 0) (i32.const 0))",
        fields=f"{MEMORY64} {DATA}",
    ),
    Typing("data.drop", "(data.drop $d)", "[] -> []", "(data.drop 1)", fields=DATA),
    Typing(
        "load-val",
        "(drop (f32.load (i64.const 0)))",
        "[i64] -> [f32]",
        "(drop (f32.load align=8 (i64.const 0)))",
        fields=MEMORY64,
    ),
    Typing(
        "load-pack",
        "(drop (i64.load32_s offset=4294967295 (i32.const 0)))",
        "[i32] -> [i64]",
        "(drop (i64.load32_s align=8 (i32.const 0)))",
        fields=MEMORY,
    ),
    Typing(
        "store-val",
        "(f32.store (i32.const 0) (f32.const 1))",
        "[i32 f32] -> []",
        "(f32.store (i32.const 0) (f64.const 1))",
        fields=MEMORY,
    ),
    Typing(
        "store-pack",
        "(i64.store8 (i32.const 0) (i64.const 1))",
        "[i32 i64] -> []",
        "(i64.store8 align=2 (i32.const 0) (i64.const 1))",
        fields=MEMORY,
    ),
    Typing(
        "vload-val",
        "(drop (v128.load (i32.const 0)))",
        "[i32] -> [v128]",
        "(drop (v128.load align=32 (i32.const 0)))",
        fields=MEMORY,
    ),
    Typing(
        "vload-pack",
        "(drop (v128.load8x8_s (i32.const 0)))",
        "[i32] -> [v128]",
        "(drop (v128.load8x8_s align=16 (i32.const 0)))",
        fields=MEMORY,
    ),
    Typing(
        "vload-splat",
        "(drop (v128.load8_splat (i32.const 0)))",
        "[i32] -> [v128]",
        "(drop (v128.load8_splat align=2 (i32.const 0)))",
        fields=MEMORY,
    ),
    Typing(
        "vload-zero",
        "(drop (v128.load32_zero (i32.const 0)))",
        "[i32] -> [v128]",
        "(drop (v128.load32_zero align=8 (i32.const 0)))",
        fields=MEMORY,
    ),
    Typing(
        "vload_lane",
        f"(drop (v128.load32_lane 3 (i32.const 0) {V}))",
        "[i32 v128] -> [v128]",
        f"(drop (v128.load32_lane 4 (i32.const 0) {V}))",
        fields=MEMORY,
    ),
    Typing(
        "vstore",
        f"(v128.store (i32.const 0) {V})",
        "[i32 v128] -> []",
        "(v128.store (i32.const 0) (i64.const 0))",
        fields=MEMORY,
    ),
    Typing(
        "vstore_lane",
        f"(v128.store64_lane 1 (i32.const 0) {V})",
        "[i32 v128] -> []",
        f"(v128.store64_lane 2 (i32.const 0) {V})",
        fields=MEMORY,
    ),
)
"""Memories."""

NUMBERS: tuple[Typing, ...] = (
    Typing("const", "(drop (f64.const 1))", "[] -> [f64]", None),
    Typing("unop", "(drop (f32.neg (f32.const 1)))", "[f32] -> [f32]", "(drop (f32.neg (f64.const 1)))"),
    Typing(
        "binop",
        "(drop (i64.add (i64.const 1) (i64.const 1)))",
        "[i64 i64] -> [i64]",
        "(drop (i64.add (i64.const 1) (i32.const 1)))",
    ),
    Typing("testop", "(drop (i64.eqz (i64.const 1)))", "[i64] -> [i32]", "(drop (i64.eqz (i32.const 1)))"),
    Typing(
        "relop",
        "(drop (f64.lt (f64.const 1) (f64.const 1)))",
        "[f64 f64] -> [i32]",
        "(drop (f64.lt (f64.const 1) (f32.const 1)))",
    ),
    Typing(
        "cvtop", "(drop (i32.trunc_f64_s (f64.const 1)))", "[f64] -> [i32]", "(drop (i32.trunc_f64_s (f32.const 1)))"
    ),
)
"""Numbers."""

VECTORS: tuple[Typing, ...] = (
    Typing("vconst", f"(drop {V})", "[] -> [v128]", None),
    Typing("vvunop", f"(drop (v128.not {V}))", "[v128] -> [v128]", "(drop (v128.not (i64.const 0)))"),
    Typing("vvbinop", f"(drop (v128.and {V} {V}))", "[v128 v128] -> [v128]", f"(drop (v128.and {V} (i64.const 0)))"),
    Typing(
        "vvternop",
        f"(drop (v128.bitselect {V} {V} {V}))",
        "[v128 v128 v128] -> [v128]",
        f"(drop (v128.bitselect {V} {V} (i64.const 0)))",
    ),
    Typing("vvtestop", f"(drop (v128.any_true {V}))", "[v128] -> [i32]", "(drop (v128.any_true (i64.const 0)))"),
    Typing("vunop", f"(drop (i8x16.neg {V}))", "[v128] -> [v128]", "(drop (i8x16.neg (i64.const 0)))"),
    Typing("vbinop", f"(drop (i16x8.add {V} {V}))", "[v128 v128] -> [v128]", f"(drop (i16x8.add {V} (i64.const 0)))"),
    Typing(
        "vternop",
        f"(drop (f32x4.relaxed_madd {V} {V} {V}))",
        "[v128 v128 v128] -> [v128]",
        f"(drop (f32x4.relaxed_madd {V} {V} (i64.const 0)))",
    ),
    Typing("vtestop", f"(drop (i32x4.all_true {V}))", "[v128] -> [i32]", "(drop (i32x4.all_true (i64.const 0)))"),
    Typing("vrelop", f"(drop (f64x2.lt {V} {V}))", "[v128 v128] -> [v128]", f"(drop (f64x2.lt {V} (i64.const 0)))"),
    Typing(
        "vshiftop",
        f"(drop (i64x2.shl {V} (i32.const 1)))",
        "[v128 i32] -> [v128]",
        "(drop (i64x2.shl (i64.const 0) (i32.const 1)))",
    ),
    Typing("vbitmask", f"(drop (i8x16.bitmask {V}))", "[v128] -> [i32]", "(drop (i8x16.bitmask (i64.const 0)))"),
    Typing(
        "vswizzlop",
        f"(drop (i8x16.swizzle {V} {V}))",
        "[v128 v128] -> [v128]",
        f"(drop (i8x16.swizzle {V} (i64.const 0)))",
    ),
    Typing(
        "vshuffle",
        f"(drop (i8x16.shuffle 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 {V} {V}))",
        "[v128 v128] -> [v128]",
        f"(drop (i8x16.shuffle 31 31 31 31 31 31 31 31 31 31 31 31 31 31 31 32 {V} {V}))",
    ),
    Typing("vsplat", "(drop (i8x16.splat (i32.const 1)))", "[i32] -> [v128]", "(drop (i8x16.splat (i64.const 1)))"),
    Typing(
        "vextract_lane", f"(drop (f64x2.extract_lane 1 {V}))", "[v128] -> [f64]", f"(drop (f64x2.extract_lane 2 {V}))"
    ),
    Typing(
        "vreplace_lane",
        f"(drop (i16x8.replace_lane 7 {V} (i32.const 1)))",
        "[v128 i32] -> [v128]",
        f"(drop (i16x8.replace_lane 8 {V} (i32.const 1)))",
    ),
    Typing(
        "vextunop",
        f"(drop (i16x8.extadd_pairwise_i8x16_s {V}))",
        "[v128] -> [v128]",
        "(drop (i16x8.extadd_pairwise_i8x16_s (i64.const 0)))",
    ),
    Typing(
        "vextbinop",
        f"(drop (i16x8.extmul_low_i8x16_s {V} {V}))",
        "[v128 v128] -> [v128]",
        f"(drop (i16x8.extmul_low_i8x16_s {V} (i64.const 0)))",
    ),
    Typing(
        "vextternop",
        f"(drop (i32x4.relaxed_dot_i8x16_i7x16_add_s {V} {V} {V}))",
        "[v128 v128 v128] -> [v128]",
        f"(drop (i32x4.relaxed_dot_i8x16_i7x16_add_s {V} {V} (i64.const 0)))",
    ),
    Typing(
        "vnarrow",
        f"(drop (i8x16.narrow_i16x8_s {V} {V}))",
        "[v128 v128] -> [v128]",
        f"(drop (i8x16.narrow_i16x8_s {V} (i64.const 0)))",
    ),
    Typing(
        "vcvtop",
        f"(drop (f32x4.convert_i32x4_s {V}))",
        "[v128] -> [v128]",
        "(drop (f32x4.convert_i32x4_s (i64.const 0)))",
    ),
)
"""Vectors."""

CASES = (*VARIABLES, *TABLES, *MEMORIES, *NUMBERS, *VECTORS)
