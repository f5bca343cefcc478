"""Typing of parametric and control instructions, and of references, structures and arrays."""

from __future__ import annotations

from typing_cases import Typing

S = "(type $s (struct (field i64) (field (mut i8)) (field (ref func))))"
PACKED = "(type $p (struct (field (mut i8))))"
A = "(type $a (array (mut i16)))"
CONSTANT = "(type $c (array i32))"
F = "(type $f (array (mut funcref)))"
R = "(type $r (array (mut (ref func))))"
T = "(type $t (func (param i32) (result i64)))"
TABLE = "(table $t 1 funcref)"
EXTERNS = "(table $x 1 externref)"
ELEM = "(elem $e funcref)"
DATA = '(data $d "")'
TAG = "(tag $e (param i32))"
G = "(func $g (param i32) (result i64) (unreachable))"
DECLARED = "(elem declare func $g) (func $g)"

PARAMETRIC: tuple[Typing, ...] = (
    Typing("nop", "(nop)", "[] -> []", None),
    Typing("unreachable", "(unreachable)", "[] -> []", None),
    Typing("drop", "(drop (i32.const 1))", "[i32] -> []", "(drop)"),
    Typing(
        "select-impl",
        "(drop (select (f32.const 1) (f32.const 2) (i32.const 1)))",
        "[f32 f32 i32] -> [f32]",
        "(drop (select (f32.const 1) (i32.const 2) (i32.const 1)))",
    ),
    Typing(
        "select-expl",
        "(drop (select (result funcref) (ref.null func) (ref.null nofunc) (i32.const 1)))",
        "[funcref nullfuncref i32] -> [funcref]",
        "(drop (select (result funcref) (ref.null func) (ref.null extern) (i32.const 1)))",
    ),
)
"""Parametric instructions."""

BLOCKS: tuple[Typing, ...] = (
    Typing(
        "block",
        "(i32.const 1) (block (param i32) (result i64) (drop) (i64.const 1)) (drop)",
        "[i32] -> [i64]",
        "(block (result i32)) (drop)",
    ),
    Typing("loop", "(i32.const 1) (loop (param i32) (drop))", "[i32] -> []", "(loop (i32.const 1))"),
    Typing(
        "if",
        "(i64.const 1) (if (param i64) (i32.const 1) (then (drop)) (else (drop)))",
        "[i64 i32] -> []",
        "(if (result i32) (i32.const 1) (then (i32.const 1))) (drop)",
    ),
)
"""Blocks."""

BRANCHES: tuple[Typing, ...] = (
    Typing("br", "(block (result i32) (br 0 (i32.const 1))) (drop)", "[i32] -> []", "(br 1)"),
    Typing(
        "br_if",
        "(block (result i32) (br_if 0 (i32.const 1) (i32.const 1))) (drop)",
        "[i32 i32] -> [i32]",
        "(block (result i32) (br_if 0 (i32.const 1))) (drop)",
    ),
    Typing(
        "br_table",
        (
            "(block (result (ref null func)) "
            "(block (result (ref null nofunc)) (br_table 0 1 (ref.null nofunc) (i32.const 1)))) (drop)"
        ),
        "[nullfuncref i32] -> []",
        "(block (result i32) (block (br_table 0 1 (i32.const 1) (i32.const 1))) (i32.const 1)) (drop)",
    ),
    Typing(
        "br_on_null",
        "(drop (br_on_null 0 (ref.null func)))",
        "[funcref] -> [(ref func)]",
        "(br_on_null 0 (i32.const 1)) (drop)",
    ),
    Typing(
        "br_on_non_null",
        "(block (result (ref func)) (br_on_non_null 0 (ref.null func)) (unreachable)) (drop)",
        "[funcref] -> []",
        "(br_on_non_null 0 (ref.null func))",
    ),
    Typing(
        "br_on_cast",
        "(block (result i31ref) (br_on_cast 0 eqref i31ref (ref.null eq)) (drop) (unreachable)) (drop)",
        "[eqref] -> [(ref eq)]",
        "(block (result i31ref) (br_on_cast 0 i31ref eqref (ref.null i31)) (unreachable)) (drop)",
    ),
    Typing(
        "br_on_cast_fail",
        ("(block (result (ref eq)) (br_on_cast_fail 0 eqref nullref (ref.null eq)) (drop) (unreachable)) (drop)"),
        "[eqref] -> [nullref]",
        "(block (result (ref eq)) (br_on_cast_fail 0 eqref (ref i31) (ref.null eq)) (unreachable)) (drop)",
    ),
)
"""Branches."""

CALLS: tuple[Typing, ...] = (
    Typing("call", "(drop (call $g (i32.const 1)))", "[i32] -> [i64]", "(drop (call $g (i64.const 1)))", fields=G),
    Typing(
        "call_ref",
        "(drop (call_ref $t (i32.const 1) (ref.null $t)))",
        "[i32 (ref null (func [i32] -> [i64]))] -> [i64]",
        "(drop (call_ref $t (i32.const 1) (ref.null func)))",
        fields=T,
    ),
    Typing(
        "call_indirect",
        "(drop (call_indirect $t (param i32) (result i64) (i32.const 1) (i32.const 0)))",
        "[i32 i32] -> [i64]",
        "(call_indirect $x (i32.const 0))",
        fields=f"{EXTERNS} {TABLE}",
    ),
    Typing("return", "(return)", "[] -> []", "(result i32) (return)"),
    Typing(
        "return_call",
        "(result i64) (return_call $g (i32.const 1))",
        "[i32] -> []",
        "(return_call $g (i32.const 1))",
        fields=G,
    ),
    Typing(
        "return_call_ref",
        "(result i64) (return_call_ref $t (i32.const 1) (ref.null $t))",
        "[i32 (ref null (func [i32] -> [i64]))] -> []",
        "(return_call_ref $t (i32.const 1) (ref.null $t))",
        fields=T,
    ),
    Typing(
        "return_call_indirect",
        "(return_call_indirect $t (i32.const 0))",
        "[i32] -> []",
        "(return_call_indirect $t (result i32) (i32.const 0))",
        fields=TABLE,
    ),
)
"""Calls."""

EXCEPTIONS: tuple[Typing, ...] = (
    Typing("throw", "(throw $e (i32.const 1))", "[i32] -> []", "(throw $e)", fields=TAG),
    Typing("throw_ref", "(throw_ref (ref.null exn))", "[exnref] -> []", "(throw_ref (ref.null any))"),
    Typing(
        "try_table",
        "(result i32) (try_table (result i32) (catch $e 0) (i32.const 1))",
        "[] -> [i32]",
        "(try_table (catch $e 0))",
        fields=TAG,
    ),
    Typing(
        "try_table",
        "(result i32 exnref) (try_table (catch_ref $e 0)) (unreachable)",
        "[] -> []",
        "(result i32 i32) (try_table (catch_ref $e 0)) (unreachable)",
        fields=TAG,
    ),
    Typing(
        "try_table", "(try_table (catch_all 0))", "[] -> []", "(result i32) (try_table (catch_all 0)) (unreachable)"
    ),
    Typing(
        "try_table",
        "(result (ref exn)) (try_table (catch_all_ref 0)) (unreachable)",
        "[] -> []",
        "(try_table (catch_all_ref 0))",
    ),
)
"""Exceptions."""

REFERENCES: tuple[Typing, ...] = (
    Typing("ref.null", "(drop (ref.null func))", "[] -> [funcref]", "(drop (ref.null 9))"),
    Typing(
        "ref.func",
        "(drop (ref.func $g))",
        "[] -> [(ref (func [] -> []))]",
        "(drop (ref.func $h))",
        fields=f"{DECLARED} (func $h)",
    ),
    Typing(
        "ref.is_null",
        "(drop (ref.is_null (ref.null func)))",
        "[funcref] -> [i32]",
        "(drop (ref.is_null (i32.const 1)))",
    ),
    Typing(
        "ref.as_non_null",
        "(drop (ref.as_non_null (ref.null func)))",
        "[funcref] -> [(ref func)]",
        "(drop (ref.as_non_null (i32.const 1)))",
    ),
    Typing(
        "ref.eq",
        "(drop (ref.eq (ref.null i31) (ref.null struct)))",
        "[i31ref structref] -> [i32]",
        "(drop (ref.eq (ref.null i31) (ref.null any)))",
    ),
    Typing(
        "ref.test",
        "(drop (ref.test (ref i31) (ref.null any)))",
        "[anyref] -> [i32]",
        "(drop (ref.test (ref i31) (ref.null func)))",
    ),
    Typing(
        "ref.cast",
        "(drop (ref.cast (ref i31) (ref.null any)))",
        "[anyref] -> [(ref i31)]",
        "(drop (ref.cast (ref i31) (ref.null extern)))",
    ),
    Typing("ref.i31", "(drop (ref.i31 (i32.const 1)))", "[i32] -> [(ref i31)]", "(drop (ref.i31 (i64.const 1)))"),
    Typing("i31.get", "(drop (i31.get_s (ref.null i31)))", "[i31ref] -> [i32]", "(drop (i31.get_s (ref.null eq)))"),
)
"""References."""

STRUCTURES: tuple[Typing, ...] = (
    Typing(
        "struct.new",
        "(drop (struct.new $s (i64.const 1) (i32.const 1) (ref.func $g)))",
        "[i64 i32 (ref (func [] -> []))] -> [(ref (struct (field i64) (field (mut i8)) (field (ref func))))]",
        "(drop (struct.new $s (i64.const 1) (i32.const 1)))",
        fields=f"{S} {DECLARED}",
    ),
    Typing(
        "struct.new_default",
        "(drop (struct.new_default $p))",
        "[] -> [(ref (struct (field (mut i8))))]",
        "(drop (struct.new_default $s))",
        fields=f"{S} {PACKED}",
    ),
    Typing(
        "struct.get",
        "(drop (struct.get_u $s 1 (ref.null $s)))",
        "[(ref null (struct (field i64) (field (mut i8)) (field (ref func))))] -> [i32]",
        "(drop (struct.get $s 1 (ref.null $s)))",
        fields=S,
    ),
    Typing(
        "struct.get",
        "(drop (struct.get $s 0 (ref.null $s)))",
        "[(ref null (struct (field i64) (field (mut i8)) (field (ref func))))] -> [i64]",
        "(drop (struct.get_u $s 0 (ref.null $s)))",
        fields=S,
    ),
    Typing(
        "struct.set",
        "(struct.set $s 1 (ref.null $s) (i32.const 1))",
        "[(ref null (struct (field i64) (field (mut i8)) (field (ref func)))) i32] -> []",
        "(struct.set $s 0 (ref.null $s) (i64.const 1))",
        fields=S,
    ),
)
"""Structures."""

ARRAYS: tuple[Typing, ...] = (
    Typing(
        "array.new",
        "(drop (array.new $a (i32.const 1) (i32.const 1)))",
        "[i32 i32] -> [(ref (array (mut i16)))]",
        "(drop (array.new $a (i64.const 1) (i32.const 1)))",
        fields=A,
    ),
    Typing(
        "array.new_default",
        "(drop (array.new_default $a (i32.const 1)))",
        "[i32] -> [(ref (array (mut i16)))]",
        "(drop (array.new_default $r (i32.const 1)))",
        fields=f"{A} {R}",
    ),
    Typing(
        "array.new_fixed",
        "(drop (array.new_fixed $a 2 (i32.const 1) (i32.const 1)))",
        "[i32 i32] -> [(ref (array (mut i16)))]",
        "(drop (array.new_fixed $a 2 (i32.const 1)))",
        fields=A,
    ),
    Typing(
        "array.new_elem",
        "(drop (array.new_elem $f $e (i32.const 0) (i32.const 0)))",
        "[i32 i32] -> [(ref (array (mut funcref)))]",
        "(drop (array.new_elem $r $e (i32.const 0) (i32.const 0)))",
        fields=f"{F} {R} {ELEM}",
    ),
    Typing(
        "array.new_data",
        "(drop (array.new_data $a $d (i32.const 0) (i32.const 0)))",
        "[i32 i32] -> [(ref (array (mut i16)))]",
        "(drop (array.new_data $f $d (i32.const 0) (i32.const 0)))",
        fields=f"{A} {F} {DATA}",
    ),
    Typing(
        "array.get",
        "(drop (array.get_u $a (ref.null $a) (i32.const 0)))",
        "[(ref null (array (mut i16))) i32] -> [i32]",
        "(drop (array.get $a (ref.null $a) (i32.const 0)))",
        fields=A,
    ),
    Typing(
        "array.get",
        "(drop (array.get $c (ref.null $c) (i32.const 0)))",
        "[(ref null (array i32)) i32] -> [i32]",
        "(drop (array.get_s $c (ref.null $c) (i32.const 0)))",
        fields=CONSTANT,
    ),
    Typing(
        "array.set",
        "(array.set $a (ref.null $a) (i32.const 0) (i32.const 1))",
        "[(ref null (array (mut i16))) i32 i32] -> []",
        "(array.set $c (ref.null $c) (i32.const 0) (i32.const 1))",
        fields=f"{A} {CONSTANT}",
    ),
    Typing(
        "array.len", "(drop (array.len (ref.null array)))", "[arrayref] -> [i32]", "(drop (array.len (ref.null eq)))"
    ),
    Typing(
        "array.fill",
        "(array.fill $a (ref.null $a) (i32.const 0) (i32.const 1) (i32.const 1))",
        "[(ref null (array (mut i16))) i32 i32 i32] -> []",
        "(array.fill $c (ref.null $c) (i32.const 0) (i32.const 1) (i32.const 1))",
        fields=f"{A} {CONSTANT}",
    ),
    Typing(
        "array.copy",
        "(array.copy $f $r (ref.null $f) (i32.const 0) (ref.null $r) (i32.const 0) (i32.const 0))",
        "[(ref null (array (mut funcref))) i32 (ref null (array (mut (ref func)))) i32 i32] -> []",
        "(array.copy $r $f (ref.null $r) (i32.const 0) (ref.null $f) (i32.const 0) (i32.const 0))",
        fields=f"{F} {R}",
    ),
    Typing(
        "array.init_elem",
        "(array.init_elem $f $e (ref.null $f) (i32.const 0) (i32.const 0) (i32.const 0))",
        "[(ref null (array (mut funcref))) i32 i32 i32] -> []",
        "(array.init_elem $r $e (ref.null $r) (i32.const 0) (i32.const 0) (i32.const 0))",
        fields=f"{F} {R} {ELEM}",
    ),
    Typing(
        "array.init_data",
        "(array.init_data $a $d (ref.null $a) (i32.const 0) (i32.const 0) (i32.const 0))",
        "[(ref null (array (mut i16))) i32 i32 i32] -> []",
        "(array.init_data $c $d (ref.null $c) (i32.const 0) (i32.const 0) (i32.const 0))",
        fields=f"{A} {CONSTANT} {DATA}",
    ),
)
"""Arrays."""

EXTERNAL_REFERENCES: tuple[Typing, ...] = (
    Typing(
        "extern.convert_any",
        "(drop (extern.convert_any (ref.null any)))",
        "[anyref] -> [externref]",
        "(drop (extern.convert_any (ref.null func)))",
    ),
    Typing(
        "any.convert_extern",
        "(drop (any.convert_extern (ref.null extern)))",
        "[externref] -> [anyref]",
        "(drop (any.convert_extern (ref.null any)))",
    ),
)
"""External references."""

CASES = (*PARAMETRIC, *BLOCKS, *BRANCHES, *CALLS, *EXCEPTIONS, *REFERENCES, *STRUCTURES, *ARRAYS, *EXTERNAL_REFERENCES)
