"""Cases of the reduction rules of variable and table instructions."""

from __future__ import annotations

from rule_cases import Case, returns, traps

TABLE = "(table $t 2 funcref)"
ELEM = "(elem $e func 0)"

VARIABLES: tuple[Case, ...] = (
    returns("local.get", "(result i64) (local i64) (local.get 0)", "(local.get 0) ↪ (i64.const 0)"),
    returns("local.set", "(local i32) (local.set 0 (i32.const 5))", "(i32.const 5) (local.set 0) ↪ ε"),
    returns(
        "local.tee",
        "(result i32) (local i32) (local.tee 0 (i32.const 5))",
        "(i32.const 5) (local.tee 0) ↪ (i32.const 5) (i32.const 5) (local.set 0)",
        run="local.tee local.set",
    ),
    returns(
        "global.get",
        "(result i32) (global.get 0)",
        "(global.get 0) ↪ (i32.const 5)",
        fields="(global i32 (i32.const 5))",
    ),
    returns(
        "global.set",
        "(global.set 0 (i32.const 5))",
        "(i32.const 5) (global.set 0) ↪ ε",
        fields="(global (mut i32) (i32.const 0))",
    ),
)
"""Variable instructions."""

TABLES: tuple[Case, ...] = (
    traps(
        "table.get-oob",
        "(result funcref) (table.get $t (i32.const 2))",
        "(i32.const 2) (table.get 0) ↪ trap",
        fields=TABLE,
    ),
    returns(
        "table.get-val",
        "(result funcref) (table.get $t (i32.const 1))",
        "(i32.const 1) (table.get 0) ↪ ref.null",
        fields=TABLE,
    ),
    traps(
        "table.set-oob",
        "(table.set $t (i32.const 2) (ref.null func))",
        "(i32.const 2) ref.null (table.set 0) ↪ trap",
        run="ref.null table.set-oob",
        fields=TABLE,
    ),
    returns(
        "table.set-val",
        "(table.set $t (i32.const 1) (ref.null func))",
        "(i32.const 1) ref.null (table.set 0) ↪ ε",
        run="ref.null table.set-val",
        fields=TABLE,
    ),
    returns("table.size", "(result i32) (table.size $t)", "(table.size 0) ↪ (i32.const 2)", fields=TABLE),
    returns(
        "table.size",
        "(result i64) (table.size $t)",
        "(table.size 0) ↪ (i64.const 2)",
        fields="(table $t i64 2 funcref)",
    ),
    returns(
        "table.grow-succeed",
        "(result i32) (table.grow $t (ref.null func) (i32.const 1))",
        "ref.null (i32.const 1) (table.grow 0) ↪ (i32.const 2)",
        run="ref.null table.grow-succeed",
        fields=TABLE,
    ),
    returns(
        "table.grow-fail",
        "(result i32) (table.grow $t (ref.null func) (i32.const 1))",
        "ref.null (i32.const 1) (table.grow 0) ↪ (i32.const -1)",
        run="ref.null table.grow-fail",
        fields="(table $t 2 2 funcref)",
    ),
    returns(
        "table.grow-fail",
        "(result i64) (table.grow $t (ref.null func) (i64.const 1))",
        "ref.null (i64.const 1) (table.grow 0) ↪ (i64.const -1)",
        run="ref.null table.grow-fail",
        fields="(table $t i64 2 2 funcref)",
    ),
    traps(
        "table.fill-oob",
        "(table.fill $t (i32.const 2) (ref.null func) (i32.const 1))",
        "(i32.const 2) ref.null (i32.const 1) (table.fill 0) ↪ trap",
        run="ref.null table.fill-oob",
        fields=TABLE,
    ),
    traps(
        "table.fill-oob",
        "(table.fill $t (i32.const 3) (ref.null func) (i32.const 0))",
        "(i32.const 3) ref.null (i32.const 0) (table.fill 0) ↪ trap",
        run="ref.null table.fill-oob",
        fields=TABLE,
    ),
    returns(
        "table.fill-zero",
        "(table.fill $t (i32.const 2) (ref.null func) (i32.const 0))",
        "(i32.const 2) ref.null (i32.const 0) (table.fill 0) ↪ ε",
        run="ref.null table.fill-zero",
        fields=TABLE,
    ),
    returns(
        "table.fill-succ",
        "(table.fill $t (i32.const 1) (ref.null func) (i32.const 1))",
        (
            "(i32.const 1) ref.null (i32.const 1) (table.fill 0) "
            "↪ (i32.const 1) ref.null (table.set 0) (i32.const 2) ref.null (i32.const 0) "
            "(table.fill 0)"
        ),
        run="ref.null table.fill-succ table.set-val table.fill-zero",
        fields=TABLE,
    ),
    traps(
        "table.copy-oob",
        "(table.copy $t $t (i32.const 0) (i32.const 3) (i32.const 0))",
        "(i32.const 0) (i32.const 3) (i32.const 0) (table.copy 0 0) ↪ trap",
        fields=TABLE,
    ),
    returns(
        "table.copy-zero",
        "(table.copy $t $t (i32.const 2) (i32.const 2) (i32.const 0))",
        "(i32.const 2) (i32.const 2) (i32.const 0) (table.copy 0 0) ↪ ε",
        fields=TABLE,
    ),
    returns(
        "table.copy-le",
        "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1))",
        (
            "(i32.const 0) (i32.const 1) (i32.const 1) (table.copy 0 0) "
            "↪ (i32.const 0) (i32.const 1) (table.get 0) (table.set 0) (i32.const 1) (i32.const 2) (i32.const 0) "
            "(table.copy 0 0)"
        ),
        run="table.copy-le table.get-val table.set-val table.copy-zero",
        fields=TABLE,
    ),
    returns(
        "table.copy-gt",
        "(table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 1))",
        (
            "(i32.const 1) (i32.const 0) (i32.const 1) (table.copy 0 0) "
            "↪ (i32.const 1) (i32.const 0) (table.get 0) (table.set 0) (i32.const 1) (i32.const 0) (i32.const 0) "
            "(table.copy 0 0)"
        ),
        run="table.copy-gt table.get-val table.set-val table.copy-zero",
        fields=TABLE,
    ),
    returns(
        "table.copy-gt",
        "(table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 2))",
        (
            "(i32.const 1) (i32.const 0) (i32.const 2) (table.copy 0 0) "
            "↪ (i32.const 2) (i32.const 1) (table.get 0) (table.set 0) (i32.const 1) (i32.const 0) (i32.const 1) "
            "(table.copy 0 0)"
        ),
        run="table.copy-gt table.get-val table.set-val table.copy-gt table.get-val table.set-val table.copy-zero",
        fields="(table $t 3 funcref)",
    ),
    returns(
        "table.copy-le",
        "(table.copy $t $u (i32.const 0) (i64.const 1) (i32.const 1))",
        (
            "(i32.const 0) (i64.const 1) (i32.const 1) (table.copy 0 1) "
            "↪ (i32.const 0) (i64.const 1) (table.get 1) (table.set 0) (i32.const 1) (i64.const 2) (i32.const 0) "
            "(table.copy 0 1)"
        ),
        run="table.copy-le table.get-val table.set-val table.copy-zero",
        fields=f"{TABLE} (table $u i64 2 funcref)",
    ),
    traps(
        "table.init-oob",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 2))",
        "(i32.const 0) (i32.const 0) (i32.const 2) (table.init 0 0) ↪ trap",
        fields=f"{TABLE} {ELEM}",
    ),
    returns(
        "table.init-zero",
        "(table.init $t $e (i32.const 2) (i32.const 1) (i32.const 0))",
        "(i32.const 2) (i32.const 1) (i32.const 0) (table.init 0 0) ↪ ε",
        fields=f"{TABLE} {ELEM}",
    ),
    returns(
        "table.init-succ",
        "(table.init $t $e (i32.const 1) (i32.const 0) (i32.const 1))",
        (
            "(i32.const 1) (i32.const 0) (i32.const 1) (table.init 0 0) "
            "↪ (i32.const 1) (ref.func 0) (table.set 0) (i32.const 2) (i32.const 1) (i32.const 0) "
            "(table.init 0 0)"
        ),
        run="table.init-succ table.set-val table.init-zero",
        fields=f"{TABLE} {ELEM}",
    ),
    returns("elem.drop", "(elem.drop $e)", "(elem.drop 0) ↪ ε", fields=ELEM),
)
"""Table instructions."""

CASES = (*VARIABLES, *TABLES)
