"""Cases of the reduction rules of structure and array instructions."""

from __future__ import annotations

from rule_cases import Case, returns, traps

S = "(type $s (struct (field i64) (field (mut i8))))"
A = "(type $a (array (mut i16)))"
F = "(type $f (array (mut funcref)))"
ELEM = "(elem $e funcref (ref.null func))"
DATA = '(data $d "\\01\\02\\03")'
NEW_A = "(array.new_default $a (i32.const 3))"
NEW_F = "(array.new_default $f (i32.const 2))"
NEW_F1 = "(array.new_default $f (i32.const 1))"

STRUCTURES: tuple[Case, ...] = (
    returns(
        "struct.new",
        "(result (ref $s)) (struct.new $s (i64.const 5) (i32.const 257))",
        "(i64.const 5) (i32.const 257) (struct.new 0) ↪ (ref.struct 0)",
        fields=S,
    ),
    returns(
        "struct.new_default",
        "(result (ref $s)) (struct.new_default $s)",
        "(struct.new_default 0) ↪ (i64.const 0) (i32.const 0) (struct.new 0)",
        run="struct.new_default struct.new",
        fields=S,
    ),
    traps(
        "struct.get-null",
        "(result i64) (struct.get $s 0 (ref.null $s))",
        "ref.null (struct.get 0 0) ↪ trap",
        run="ref.null struct.get-null",
        fields=S,
    ),
    returns(
        "struct.get-struct",
        "(result i32) (struct.get_s $s 1 (struct.new $s (i64.const 5) (i32.const 255)))",
        "(ref.struct 0) (struct.get_s 0 1) ↪ (i32.const -1)",
        run="struct.new struct.get-struct",
        fields=S,
    ),
    traps(
        "struct.set-null",
        "(struct.set $s 1 (ref.null $s) (i32.const 5))",
        "ref.null (i32.const 5) (struct.set 0 1) ↪ trap",
        run="ref.null struct.set-null",
        fields=S,
    ),
    returns(
        "struct.set-struct",
        "(struct.set $s 1 (struct.new_default $s) (i32.const 257))",
        "(ref.struct 0) (i32.const 257) (struct.set 0 1) ↪ ε",
        run="struct.new_default struct.new struct.set-struct",
        fields=S,
    ),
)
"""Structures."""

ARRAYS_MAKING_THEM: tuple[Case, ...] = (
    returns(
        "array.new",
        "(result (ref $a)) (array.new $a (i32.const 5) (i32.const 2))",
        "(i32.const 5) (i32.const 2) (array.new 0) ↪ (i32.const 5) (i32.const 5) (array.new_fixed 0 2)",
        run="array.new array.new_fixed",
        fields=A,
    ),
    returns(
        "array.new_default",
        "(result (ref $a)) (array.new_default $a (i32.const 2))",
        "(i32.const 2) (array.new_default 0) ↪ (i32.const 0) (i32.const 0) (array.new_fixed 0 2)",
        run="array.new_default array.new_fixed",
        fields=A,
    ),
    returns(
        "array.new_fixed",
        "(result (ref $a)) (array.new_fixed $a 2 (i32.const 5) (i32.const 65537))",
        "(i32.const 5) (i32.const 65537) (array.new_fixed 0 2) ↪ (ref.array 0)",
        fields=A,
    ),
    traps(
        "array.new_elem-oob",
        "(result (ref $f)) (array.new_elem $f $e (i32.const 1) (i32.const 1))",
        "(i32.const 1) (i32.const 1) (array.new_elem 0 0) ↪ trap",
        fields=f"{F} {ELEM}",
    ),
    returns(
        "array.new_elem-alloc",
        "(result (ref $f)) (array.new_elem $f $e (i32.const 0) (i32.const 1))",
        "(i32.const 0) (i32.const 1) (array.new_elem 0 0) ↪ ref.null (array.new_fixed 0 1)",
        run="array.new_elem-alloc array.new_fixed",
        fields=f"{F} {ELEM}",
    ),
    traps(
        "array.new_data-oob",
        "(result (ref $a)) (array.new_data $a $d (i32.const 2) (i32.const 1))",
        "(i32.const 2) (i32.const 1) (array.new_data 0 0) ↪ trap",
        fields=f"{A} {DATA}",
    ),
    returns(
        "array.new_data-num",
        "(result (ref $a)) (array.new_data $a $d (i32.const 1) (i32.const 1))",
        "(i32.const 1) (i32.const 1) (array.new_data 0 0) ↪ (i32.const 770) (array.new_fixed 0 1)",
        run="array.new_data-num array.new_fixed",
        fields=f"{A} {DATA}",
    ),
)
"""Arrays: making them."""

ARRAYS_ELEMENTS: tuple[Case, ...] = (
    traps(
        "array.get-null",
        "(result i32) (array.get_s $a (ref.null $a) (i32.const 9))",
        "ref.null (i32.const 9) (array.get_s 0) ↪ trap",
        run="ref.null array.get-null",
        fields=A,
    ),
    traps(
        "array.get-oob",
        f"(result i32) (array.get_s $a {NEW_A} (i32.const 3))",
        "(ref.array 0) (i32.const 3) (array.get_s 0) ↪ trap",
        run="array.new_default array.new_fixed array.get-oob",
        fields=A,
    ),
    returns(
        "array.get-array",
        "(result i32) (array.get_s $a (array.new_fixed $a 1 (i32.const -1)) (i32.const 0))",
        "(ref.array 0) (i32.const 0) (array.get_s 0) ↪ (i32.const -1)",
        run="array.new_fixed array.get-array",
        fields=A,
    ),
    traps(
        "array.set-null",
        "(array.set $a (ref.null $a) (i32.const 9) (i32.const 5))",
        "ref.null (i32.const 9) (i32.const 5) (array.set 0) ↪ trap",
        run="ref.null array.set-null",
        fields=A,
    ),
    traps(
        "array.set-oob",
        f"(array.set $a {NEW_A} (i32.const 3) (i32.const 5))",
        "(ref.array 0) (i32.const 3) (i32.const 5) (array.set 0) ↪ trap",
        run="array.new_default array.new_fixed array.set-oob",
        fields=A,
    ),
    returns(
        "array.set-array",
        f"(array.set $a {NEW_A} (i32.const 2) (i32.const 5))",
        "(ref.array 0) (i32.const 2) (i32.const 5) (array.set 0) ↪ ε",
        run="array.new_default array.new_fixed array.set-array",
        fields=A,
    ),
    traps(
        "array.len-null",
        "(result i32) (array.len (ref.null $a))",
        "ref.null array.len ↪ trap",
        run="ref.null array.len-null",
        fields=A,
    ),
    returns(
        "array.len-array",
        f"(result i32) (array.len {NEW_A})",
        "(ref.array 0) array.len ↪ (i32.const 3)",
        run="array.new_default array.new_fixed array.len-array",
        fields=A,
    ),
)
"""Arrays: elements."""

ARRAYS_RANGES: tuple[Case, ...] = (
    traps(
        "array.fill-null",
        "(array.fill $a (ref.null $a) (i32.const 9) (i32.const 5) (i32.const 0))",
        "ref.null (i32.const 9) (i32.const 5) (i32.const 0) (array.fill 0) ↪ trap",
        run="ref.null array.fill-null",
        fields=A,
    ),
    traps(
        "array.fill-oob",
        f"(array.fill $a {NEW_A} (i32.const 4) (i32.const 5) (i32.const 0))",
        "(ref.array 0) (i32.const 4) (i32.const 5) (i32.const 0) (array.fill 0) ↪ trap",
        run="array.new_default array.new_fixed array.fill-oob",
        fields=A,
    ),
    returns(
        "array.fill-zero",
        f"(array.fill $a {NEW_A} (i32.const 3) (i32.const 5) (i32.const 0))",
        "(ref.array 0) (i32.const 3) (i32.const 5) (i32.const 0) (array.fill 0) ↪ ε",
        run="array.new_default array.new_fixed array.fill-zero",
        fields=A,
    ),
    returns(
        "array.fill-succ",
        f"(array.fill $a {NEW_A} (i32.const 2) (i32.const 5) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 2) (i32.const 5) (i32.const 1) (array.fill 0) "
            "↪ (ref.array 0) (i32.const 2) (i32.const 5) (array.set 0) (ref.array 0) (i32.const 3) (i32.const 5) "
            "(i32.const 0) (array.fill 0)"
        ),
        run="array.new_default array.new_fixed array.fill-succ array.set-array array.fill-zero",
        fields=A,
    ),
    traps(
        "array.copy-null1",
        "(array.copy $a $a (ref.null $a) (i32.const 9) (ref.null $a) (i32.const 9) (i32.const 9))",
        "ref.null (i32.const 9) ref.null (i32.const 9) (i32.const 9) (array.copy 0 0) ↪ trap",
        run="ref.null ref.null array.copy-null1",
        fields=A,
    ),
    traps(
        "array.copy-null2",
        f"(array.copy $a $a {NEW_A} (i32.const 9) (ref.null $a) (i32.const 9) (i32.const 9))",
        "(ref.array 0) (i32.const 9) ref.null (i32.const 9) (i32.const 9) (array.copy 0 0) ↪ trap",
        run="array.new_default array.new_fixed ref.null array.copy-null2",
        fields=A,
    ),
    traps(
        "array.copy-oob1",
        f"(array.copy $a $a {NEW_A} (i32.const 4) {NEW_A} (i32.const 4) (i32.const 0))",
        "(ref.array 0) (i32.const 4) (ref.array 1) (i32.const 4) (i32.const 0) (array.copy 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.new_default array.new_fixed array.copy-oob1",
        fields=A,
    ),
    traps(
        "array.copy-oob2",
        f"(array.copy $a $a {NEW_A} (i32.const 3) {NEW_A} (i32.const 4) (i32.const 0))",
        "(ref.array 0) (i32.const 3) (ref.array 1) (i32.const 4) (i32.const 0) (array.copy 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.new_default array.new_fixed array.copy-oob2",
        fields=A,
    ),
    returns(
        "array.copy-zero",
        f"(array.copy $a $a {NEW_A} (i32.const 3) {NEW_A} (i32.const 3) (i32.const 0))",
        "(ref.array 0) (i32.const 3) (ref.array 1) (i32.const 3) (i32.const 0) (array.copy 0 0) ↪ ε",
        run="array.new_default array.new_fixed array.new_default array.new_fixed array.copy-zero",
        fields=A,
    ),
    returns(
        "array.copy-le",
        f"(array.copy $a $a {NEW_A} (i32.const 0) {NEW_A} (i32.const 1) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 0) (ref.array 1) (i32.const 1) (i32.const 1) (array.copy 0 0) "
            "↪ (ref.array 0) (i32.const 0) (ref.array 1) (i32.const 1) (array.get_s 0) (array.set 0) (ref.array 0) "
            "(i32.const 1) (ref.array 1) (i32.const 2) (i32.const 0) (array.copy 0 0)"
        ),
        run=(
            "array.new_default array.new_fixed array.new_default array.new_fixed array.copy-le array.get-array "
            "array.set-array array.copy-zero"
        ),
        fields=A,
    ),
    returns(
        "array.copy-gt",
        f"(array.copy $a $a {NEW_A} (i32.const 1) {NEW_A} (i32.const 0) (i32.const 2))",
        (
            "(ref.array 0) (i32.const 1) (ref.array 1) (i32.const 0) (i32.const 2) (array.copy 0 0) "
            "↪ (ref.array 0) (i32.const 2) (ref.array 1) (i32.const 1) (array.get_s 0) (array.set 0) (ref.array 0) "
            "(i32.const 1) (ref.array 1) (i32.const 0) (i32.const 1) (array.copy 0 0)"
        ),
        run=(
            "array.new_default array.new_fixed array.new_default array.new_fixed array.copy-gt array.get-array "
            "array.set-array array.copy-gt array.get-array array.set-array array.copy-zero"
        ),
        fields=A,
    ),
    returns(
        "array.copy-le",
        f"(array.copy $f $f {NEW_F} (i32.const 0) {NEW_F} (i32.const 1) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 0) (ref.array 1) (i32.const 1) (i32.const 1) (array.copy 0 0) "
            "↪ (ref.array 0) (i32.const 0) (ref.array 1) (i32.const 1) (array.get 0) (array.set 0) (ref.array 0) "
            "(i32.const 1) (ref.array 1) (i32.const 2) (i32.const 0) (array.copy 0 0)"
        ),
        run=(
            "array.new_default array.new_fixed array.new_default array.new_fixed array.copy-le array.get-array "
            "array.set-array array.copy-zero"
        ),
        fields=F,
    ),
    returns(
        "array.copy-gt",
        f"(array.copy $f $f {NEW_F} (i32.const 1) {NEW_F} (i32.const 0) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 1) (ref.array 1) (i32.const 0) (i32.const 1) (array.copy 0 0) "
            "↪ (ref.array 0) (i32.const 1) (ref.array 1) (i32.const 0) (array.get 0) (array.set 0) (ref.array 0) "
            "(i32.const 1) (ref.array 1) (i32.const 0) (i32.const 0) (array.copy 0 0)"
        ),
        run=(
            "array.new_default array.new_fixed array.new_default array.new_fixed array.copy-gt array.get-array "
            "array.set-array array.copy-zero"
        ),
        fields=F,
    ),
    traps(
        "array.init_elem-null",
        "(array.init_elem $f $e (ref.null $f) (i32.const 9) (i32.const 9) (i32.const 0))",
        "ref.null (i32.const 9) (i32.const 9) (i32.const 0) (array.init_elem 0 0) ↪ trap",
        run="ref.null array.init_elem-null",
        fields=f"{F} {ELEM}",
    ),
    traps(
        "array.init_elem-oob1",
        f"(array.init_elem $f $e {NEW_F1} (i32.const 2) (i32.const 2) (i32.const 0))",
        "(ref.array 0) (i32.const 2) (i32.const 2) (i32.const 0) (array.init_elem 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.init_elem-oob1",
        fields=f"{F} {ELEM}",
    ),
    traps(
        "array.init_elem-oob2",
        f"(array.init_elem $f $e {NEW_F1} (i32.const 1) (i32.const 2) (i32.const 0))",
        "(ref.array 0) (i32.const 1) (i32.const 2) (i32.const 0) (array.init_elem 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.init_elem-oob2",
        fields=f"{F} {ELEM}",
    ),
    returns(
        "array.init_elem-zero",
        f"(array.init_elem $f $e {NEW_F1} (i32.const 1) (i32.const 1) (i32.const 0))",
        "(ref.array 0) (i32.const 1) (i32.const 1) (i32.const 0) (array.init_elem 0 0) ↪ ε",
        run="array.new_default array.new_fixed array.init_elem-zero",
        fields=f"{F} {ELEM}",
    ),
    returns(
        "array.init_elem-succ",
        f"(array.init_elem $f $e {NEW_F1} (i32.const 0) (i32.const 0) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 0) (i32.const 0) (i32.const 1) (array.init_elem 0 0) "
            "↪ (ref.array 0) (i32.const 0) ref.null (array.set 0) (ref.array 0) (i32.const 1) "
            "(i32.const 1) (i32.const 0) (array.init_elem 0 0)"
        ),
        run="array.new_default array.new_fixed array.init_elem-succ array.set-array array.init_elem-zero",
        fields=f"{F} {ELEM}",
    ),
    traps(
        "array.init_data-null",
        "(array.init_data $a $d (ref.null $a) (i32.const 9) (i32.const 9) (i32.const 0))",
        "ref.null (i32.const 9) (i32.const 9) (i32.const 0) (array.init_data 0 0) ↪ trap",
        run="ref.null array.init_data-null",
        fields=f"{A} {DATA}",
    ),
    traps(
        "array.init_data-oob1",
        f"(array.init_data $a $d {NEW_A} (i32.const 4) (i32.const 4) (i32.const 0))",
        "(ref.array 0) (i32.const 4) (i32.const 4) (i32.const 0) (array.init_data 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.init_data-oob1",
        fields=f"{A} {DATA}",
    ),
    traps(
        "array.init_data-oob2",
        f"(array.init_data $a $d {NEW_A} (i32.const 0) (i32.const 2) (i32.const 1))",
        "(ref.array 0) (i32.const 0) (i32.const 2) (i32.const 1) (array.init_data 0 0) ↪ trap",
        run="array.new_default array.new_fixed array.init_data-oob2",
        fields=f"{A} {DATA}",
    ),
    returns(
        "array.init_data-zero",
        f"(array.init_data $a $d {NEW_A} (i32.const 3) (i32.const 3) (i32.const 0))",
        "(ref.array 0) (i32.const 3) (i32.const 3) (i32.const 0) (array.init_data 0 0) ↪ ε",
        run="array.new_default array.new_fixed array.init_data-zero",
        fields=f"{A} {DATA}",
    ),
    returns(
        "array.init_data-num",
        f"(array.init_data $a $d {NEW_A} (i32.const 0) (i32.const 1) (i32.const 1))",
        (
            "(ref.array 0) (i32.const 0) (i32.const 1) (i32.const 1) (array.init_data 0 0) "
            "↪ (ref.array 0) (i32.const 0) (i32.const 770) (array.set 0) (ref.array 0) (i32.const 1) "
            "(i32.const 3) (i32.const 0) (array.init_data 0 0)"
        ),
        run="array.new_default array.new_fixed array.init_data-num array.set-array array.init_data-zero",
        fields=f"{A} {DATA}",
    ),
)
"""Arrays: ranges."""

CASES = (*STRUCTURES, *ARRAYS_MAKING_THEM, *ARRAYS_ELEMENTS, *ARRAYS_RANGES)
