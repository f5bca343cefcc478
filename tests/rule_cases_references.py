"""Cases of the reduction rules of references, i31 and external references."""

from __future__ import annotations

from rule_cases import Case, returns, traps

G = "(elem declare func $g) (func $g)"
T_U = "(rec (type $t (sub (struct))) (type $u (sub $t (struct))))"

REFERENCE: tuple[Case, ...] = (
    returns("ref.null", "(result funcref) (ref.null func)", "(ref.null func) ↪ ref.null"),
    returns("ref.func", "(result funcref) (ref.func $g)", "(ref.func 0) ↪ (ref.func 0)", fields=G),
    returns(
        "ref.is_null-true",
        "(result i32) (ref.is_null (ref.null func))",
        "ref.null ref.is_null ↪ (i32.const 1)",
        run="ref.null ref.is_null-true",
    ),
    returns(
        "ref.is_null-false",
        "(result i32) (ref.is_null (ref.func $g))",
        "(ref.func 0) ref.is_null ↪ (i32.const 0)",
        run="ref.func ref.is_null-false",
        fields=G,
    ),
    traps(
        "ref.as_non_null-null",
        "(result (ref func)) (ref.as_non_null (ref.null func))",
        "ref.null ref.as_non_null ↪ trap",
        run="ref.null ref.as_non_null-null",
    ),
    returns(
        "ref.as_non_null-addr",
        "(result (ref func)) (ref.as_non_null (ref.func $g))",
        "(ref.func 0) ref.as_non_null ↪ (ref.func 0)",
        run="ref.func ref.as_non_null-addr",
        fields=G,
    ),
    returns(
        "ref.eq-null",
        "(result i32) (ref.eq (ref.null i31) (ref.null none))",
        "ref.null ref.null ref.eq ↪ (i32.const 1)",
        run="ref.null ref.null ref.eq-null",
    ),
    returns(
        "ref.eq-true",
        "(result i32) (ref.eq (ref.i31 (i32.const 5)) (ref.i31 (i32.const 5)))",
        "(ref.i31 5) (ref.i31 5) ref.eq ↪ (i32.const 1)",
        run="ref.i31 ref.i31 ref.eq-true",
    ),
    returns(
        "ref.eq-false",
        "(result i32) (ref.eq (ref.i31 (i32.const 5)) (ref.null none))",
        "(ref.i31 5) ref.null ref.eq ↪ (i32.const 0)",
        run="ref.i31 ref.null ref.eq-false",
    ),
    returns(
        "ref.test-true",
        "(result i32) (ref.test i31ref (ref.null any))",
        "ref.null (ref.test i31ref) ↪ (i32.const 1)",
        run="ref.null ref.test-true",
    ),
    returns(
        "ref.test-false",
        "(result i32) (ref.test (ref i31) (ref.null any))",
        "ref.null (ref.test (ref i31)) ↪ (i32.const 0)",
        run="ref.null ref.test-false",
    ),
    returns(
        "ref.cast-succeed",
        "(result anyref) (ref.cast i31ref (ref.null any))",
        "ref.null (ref.cast i31ref) ↪ ref.null",
        run="ref.null ref.cast-succeed",
    ),
    traps(
        "ref.cast-fail",
        "(result anyref) (ref.cast (ref i31) (ref.null any))",
        "ref.null (ref.cast (ref i31)) ↪ trap",
        run="ref.null ref.cast-fail",
    ),
    returns(
        "ref.cast-succeed",
        "(result (ref struct)) (ref.cast (ref $t) (struct.new $u))",
        "(ref.struct 0) (ref.cast (ref 0)) ↪ (ref.struct 0)",
        run="struct.new ref.cast-succeed",
        fields=T_U,
    ),
    traps(
        "ref.cast-fail",
        "(result (ref struct)) (ref.cast (ref $u) (struct.new $t))",
        "(ref.struct 0) (ref.cast (ref 1)) ↪ trap",
        run="struct.new ref.cast-fail",
        fields=T_U,
    ),
)
"""Reference instructions."""

SCALAR_REFERENCES: tuple[Case, ...] = (
    returns("ref.i31", "(result i31ref) (ref.i31 (i32.const -1))", "(i32.const -1) ref.i31 ↪ (ref.i31 2147483647)"),
    traps(
        "i31.get-null",
        "(result i32) (i31.get_s (ref.null i31))",
        "ref.null i31.get_s ↪ trap",
        run="ref.null i31.get-null",
    ),
    returns(
        "i31.get-num",
        "(result i32) (i31.get_s (ref.i31 (i32.const -1)))",
        "(ref.i31 2147483647) i31.get_s ↪ (i32.const -1)",
        run="ref.i31 i31.get-num",
    ),
)
"""Scalar references."""

EXTERNAL_REFERENCES: tuple[Case, ...] = (
    returns(
        "extern.convert_any-null",
        "(result externref) (extern.convert_any (ref.null any))",
        "ref.null extern.convert_any ↪ ref.null",
        run="ref.null extern.convert_any-null",
    ),
    returns(
        "extern.convert_any-addr",
        "(result externref) (extern.convert_any (ref.i31 (i32.const 5)))",
        "(ref.i31 5) extern.convert_any ↪ (ref.extern (ref.i31 5))",
        run="ref.i31 extern.convert_any-addr",
    ),
    returns(
        "any.convert_extern-null",
        "(result anyref) (any.convert_extern (ref.null extern))",
        "ref.null any.convert_extern ↪ ref.null",
        run="ref.null any.convert_extern-null",
    ),
    returns(
        "any.convert_extern-addr",
        "(result anyref) (any.convert_extern (extern.convert_any (ref.i31 (i32.const 5))))",
        "(ref.extern (ref.i31 5)) any.convert_extern ↪ (ref.i31 5)",
        run="ref.i31 extern.convert_any-addr any.convert_extern-addr",
    ),
)
"""External references."""

CASES = (*REFERENCE, *SCALAR_REFERENCES, *EXTERNAL_REFERENCES)
