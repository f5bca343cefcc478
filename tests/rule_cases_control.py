"""Cases of the reduction rules of parametric and control instructions: blocks, branches, calls, exceptions, traps."""

from __future__ import annotations

from rule_cases import Case, returns, runs, traps

G = "(elem declare func $g) (func $g)"
G_ONLY = "(func $g)"
FLAG = "(global $i (mut i32) (i32.const 1))"
E_I32 = "(tag $e (param i32))"
E = "(tag $e)"
T = "(type $t (func))"
TABLE_OF_G = "(table funcref (elem $g))"

PARAMETRIC: tuple[Case, ...] = (
    returns("nop", "nop", "nop ↪ ε"),
    traps("unreachable", "unreachable", "unreachable ↪ trap"),
    returns("drop", "(drop (i32.const 1))", "(i32.const 1) drop ↪ ε"),
    returns(
        "select-true",
        "(result i32) (select (i32.const 5) (i32.const 6) (i32.const 1))",
        "(i32.const 5) (i32.const 6) (i32.const 1) select ↪ (i32.const 5)",
    ),
    returns(
        "select-false",
        "(result i32) (select (i32.const 5) (i32.const 6) (i32.const 0))",
        "(i32.const 5) (i32.const 6) (i32.const 0) select ↪ (i32.const 6)",
    ),
)
"""Parametric instructions."""

BLOCKS: tuple[Case, ...] = (
    returns(
        "block",
        "(result i32) (i32.const 5) (block (param i32) (result i32) (nop))",
        "(i32.const 5) (block (type 1) …) ↪ (label_1{ε} (i32.const 5) nop)",
        run="block nop label-vals",
    ),
    returns(
        "loop",
        "(result i32) (i32.const 5) (loop (param i32) (result i32) (nop))",
        "(i32.const 5) (loop (type 1) …) ↪ (label_1{(loop (type 1) …)} (i32.const 5) nop)",
        run="loop nop label-vals",
    ),
    returns(
        "if-true",
        "(if (i32.const 1) (then (nop)) (else (unreachable)))",
        "(i32.const 1) (if …) ↪ (block …)",
        run="if-true block nop label-vals",
    ),
    returns(
        "if-false",
        "(if (i32.const 0) (then (unreachable)) (else (nop)))",
        "(i32.const 0) (if …) ↪ (block …)",
        run="if-false block nop label-vals",
    ),
    returns(
        "label-vals",
        "(result i32) (block (result i32) (i32.const 5))",
        "(label_1{ε} (i32.const 5)) ↪ (i32.const 5)",
        run="block label-vals",
    ),
)
"""Blocks."""

BRANCHES: tuple[Case, ...] = (
    returns(
        "br-label-zero",
        "(result i32) (block (result i32) (i32.const 5) (br 0 (i32.const 6)) (unreachable))",
        "(label_1{ε} (i32.const 5) (i32.const 6) (br 0) unreachable) ↪ (i32.const 6)",
        run="block br-label-zero",
    ),
    returns(
        "br-label-zero",
        "(loop (br_if 0 (global.get $i) (global.set $i (i32.const 0))))",
        "(label_0{(loop …)} (br 0)) ↪ (loop …)",
        run=("loop global.get global.set br_if-true br-label-zero loop global.get global.set br_if-false label-vals"),
        fields=FLAG,
    ),
    returns(
        "br-label-zero",
        (
            "(result i32) (i32.const 5) "
            "(loop (param i32) (result i32) (br_if 0 (global.get $i) (global.set $i (i32.const 0))))"
        ),
        "(label_1{(loop (type 1) …)} (i32.const 5) (br 0)) ↪ (i32.const 5) (loop (type 1) …)",
        run=("loop global.get global.set br_if-true br-label-zero loop global.get global.set br_if-false label-vals"),
        fields=FLAG,
    ),
    returns(
        "br-label-succ",
        "(block (block (br 1 (i32.const 5)) (unreachable)) (unreachable))",
        "(label_0{ε} (i32.const 5) (br 1) unreachable) ↪ (i32.const 5) (br 0)",
        run="block block br-label-succ br-label-zero",
    ),
    returns(
        "br-handler",
        "(block (try_table (br 1)))",
        "(handler_0{ε} (br 0)) ↪ (br 0)",
        run="block try_table br-label-succ br-handler br-label-zero",
    ),
    returns(
        "br_if-true",
        "(block (br_if 0 (i32.const 1)))",
        "(i32.const 1) (br_if 0) ↪ (br 0)",
        run="block br_if-true br-label-zero",
    ),
    returns(
        "br_if-false",
        "(block (br_if 0 (i32.const 0)))",
        "(i32.const 0) (br_if 0) ↪ ε",
        run="block br_if-false label-vals",
    ),
    returns(
        "br_table-lt",
        "(block (block (br_table 0 1 (i32.const 0))))",
        "(i32.const 0) (br_table 0 1) ↪ (br 0)",
        run="block block br_table-lt br-label-zero label-vals",
    ),
    returns(
        "br_table-ge",
        "(block (block (br_table 0 1 (i32.const 9))))",
        "(i32.const 9) (br_table 0 1) ↪ (br 1)",
        run="block block br_table-ge br-label-succ br-label-zero",
    ),
    returns(
        "br_on_null-null",
        "(block (br_on_null 0 (ref.null func)) (unreachable))",
        "ref.null (br_on_null 0) ↪ (br 0)",
        run="block ref.null br_on_null-null br-label-zero",
    ),
    returns(
        "br_on_null-addr",
        "(block (br_on_null 0 (ref.func $g)) (drop))",
        "(ref.func 0) (br_on_null 0) ↪ (ref.func 0)",
        run="block ref.func br_on_null-addr drop label-vals",
        fields=G,
    ),
    returns(
        "br_on_non_null-null",
        "(result (ref func)) (br_on_non_null 0 (ref.null func)) (ref.func $g)",
        "ref.null (br_on_non_null 0) ↪ ε",
        run="ref.null br_on_non_null-null ref.func",
        fields=G,
    ),
    runs(
        "br_on_non_null-addr",
        "(result (ref func)) (br_on_non_null 0 (ref.func $g)) (unreachable)",
        "(ref.func 0) (br_on_non_null 0) ↪ (ref.func 0) (br 0)",
        run="call_ref-func ref.func br_on_non_null-addr br-label-zero frame-vals",
        fields=G,
    ),
    runs(
        "br_on_cast-succeed",
        "(result i31ref) (br_on_cast 0 anyref i31ref (ref.null any)) (unreachable)",
        "ref.null (br_on_cast 0 anyref i31ref) ↪ ref.null (br 0)",
        run="call_ref-func ref.null br_on_cast-succeed br-label-zero frame-vals",
    ),
    traps(
        "br_on_cast-fail",
        "(result (ref i31)) (br_on_cast 0 anyref (ref i31) (ref.null any)) (unreachable)",
        "ref.null (br_on_cast 0 anyref (ref i31)) ↪ ref.null",
        run="ref.null br_on_cast-fail unreachable trap-instrs",
    ),
    returns(
        "br_on_cast_fail-succeed",
        "(result anyref) (br_on_cast_fail 0 anyref (ref i31) (ref.i31 (i32.const 5)))",
        "(ref.i31 5) (br_on_cast_fail 0 anyref (ref i31)) ↪ (ref.i31 5)",
        run="ref.i31 br_on_cast_fail-succeed",
    ),
    runs(
        "br_on_cast_fail-fail",
        "(result anyref) (br_on_cast_fail 0 anyref (ref i31) (ref.null any)) (unreachable)",
        "ref.null (br_on_cast_fail 0 anyref (ref i31)) ↪ ref.null (br 0)",
        run="call_ref-func ref.null br_on_cast_fail-fail br-label-zero frame-vals",
    ),
)
"""Branches."""

CALLS: tuple[Case, ...] = (
    returns(
        "call",
        "(call $g)",
        "(call 0) ↪ (ref.func 0) (call_ref 0)",
        run="call call_ref-func label-vals frame-vals",
        fields=G_ONLY,
    ),
    traps(
        "call_ref-null",
        "(call_ref $t (ref.null $t))",
        "ref.null (call_ref 0) ↪ trap",
        run="ref.null call_ref-null",
        fields=T,
    ),
    returns(
        "call_ref-func",
        "(param i64) (result i32) (local f32) (i32.const 5)",
        (
            "(i64.const 7) (ref.func 0) (call_ref 0) "
            "↪ (frame_1{locals (i64.const 7) (f32.const 0.0)} (label_1{ε} (i32.const 5)))"
        ),
        run="",
        args=(7,),
    ),
    returns(
        "call_indirect",
        "(call_indirect (i32.const 0))",
        "(call_indirect (type 0)) ↪ (table.get 0) (ref.cast (ref null 0)) (call_ref 0)",
        run="call_indirect table.get-val ref.cast-succeed call_ref-func label-vals frame-vals",
        fields=f"{TABLE_OF_G} {G_ONLY}",
    ),
    traps(
        "table.get-oob",
        "(call_indirect (i32.const 1))",
        "(i32.const 1) (table.get 0) ↪ trap",
        run="call_indirect table.get-oob trap-instrs",
        fields="(table 1 funcref)",
    ),
    traps(
        "ref.cast-fail",
        "(call_indirect (i32.const 0))",
        "(ref.func 0) (ref.cast (ref null 1)) ↪ trap",
        run="call_indirect table.get-val ref.cast-fail trap-instrs",
        fields=f"{TABLE_OF_G} (func $g (param i32))",
    ),
    traps(
        "call_ref-null",
        "(call_indirect (i32.const 0))",
        "ref.null (call_ref 0) ↪ trap",
        run="call_indirect table.get-val ref.cast-succeed call_ref-null",
        fields="(table 1 funcref)",
    ),
    returns(
        "return_call",
        "(return_call $g)",
        "(return_call 0) ↪ (ref.func 0) (return_call_ref 0)",
        run="return_call return_call_ref-label return_call_ref-frame-addr call_ref-func",
        fields=G_ONLY,
    ),
    returns(
        "return_call_ref-label",
        "(block (i32.const 5) (return_call_ref $t (ref.func $g)))",
        (
            "(label_0{ε} (i32.const 5) (ref.func 0) (return_call_ref 0)) "
            "↪ (i32.const 5) (ref.func 0) (return_call_ref 0)"
        ),
        run="block ref.func return_call_ref-label return_call_ref-label return_call_ref-frame-addr call_ref-func",
        fields=f"{T} {G}",
    ),
    returns(
        "return_call_ref-handler",
        "(try_table (return_call_ref $t (ref.func $g)))",
        "(handler_0{ε} (ref.func 0) (return_call_ref 0)) ↪ (ref.func 0) (return_call_ref 0)",
        run=(
            "try_table ref.func return_call_ref-label return_call_ref-handler return_call_ref-label "
            "return_call_ref-frame-addr call_ref-func"
        ),
        fields=f"{T} {G}",
    ),
    runs(
        "return_call_ref-frame-null",
        "(return_call_ref $t (ref.null $t))",
        "(frame_0{locals ε} ref.null (return_call_ref 0)) ↪ trap",
        run="call_ref-func ref.null return_call_ref-label return_call_ref-frame-null",
        fields=T,
    ),
    returns(
        "return_call_ref-frame-addr",
        "(i32.const 5) (return_call $g (i32.const 6))",
        (
            "(frame_0{locals ε} (i32.const 5) (i32.const 6) (ref.func 0) (return_call_ref 0)) "
            "↪ (i32.const 6) (ref.func 0) (call_ref 0)"
        ),
        run="return_call return_call_ref-label return_call_ref-frame-addr call_ref-func",
        fields="(func $g (param i32))",
    ),
    returns(
        "return_call_indirect",
        "(return_call_indirect (i32.const 0))",
        "(return_call_indirect (type 0)) ↪ (table.get 0) (ref.cast (ref null 0)) (return_call_ref 0)",
        run=(
            "return_call_indirect table.get-val ref.cast-succeed return_call_ref-label return_call_ref-frame-addr "
            "call_ref-func"
        ),
        fields=f"{TABLE_OF_G} {G_ONLY}",
    ),
    returns("frame-vals", "(result i32) (i32.const 5)", "(frame_1{locals ε} (i32.const 5)) ↪ (i32.const 5)", run=""),
    runs(
        "return-label",
        "(block (return))",
        "(label_0{ε} return) ↪ return",
        run="call_ref-func block return-label return-label return-frame",
    ),
    runs(
        "return-handler",
        "(try_table (return))",
        "(handler_0{ε} return) ↪ return",
        run="call_ref-func try_table return-label return-handler return-label return-frame",
    ),
    runs(
        "return-frame",
        "(result i32) (i32.const 5) (return (i32.const 6))",
        "(frame_1{locals ε} (i32.const 5) (i32.const 6) return) ↪ (i32.const 6)",
        run="call_ref-func return-label return-frame",
    ),
)
"""Calls."""

EXCEPTIONS: tuple[Case, ...] = (
    returns(
        "try_table",
        "(result i32) (i32.const 5) (try_table (param i32) (result i32) (nop))",
        "(i32.const 5) (try_table (type 1) …) ↪ (handler_1{ε} (label_1{ε} (i32.const 5) nop))",
        run="try_table nop label-vals handler-vals",
    ),
    returns(
        "handler-vals",
        "(result i32) (try_table (result i32) (i32.const 5))",
        "(handler_1{ε} (i32.const 5)) ↪ (i32.const 5)",
        run="try_table label-vals handler-vals",
    ),
    runs(
        "throw",
        "(throw $e (i32.const 5))",
        "(i32.const 5) (throw 0) ↪ (ref.exn 0) throw_ref",
        run="call_ref-func throw throw_ref-label throw_ref-frame",
        fields=E_I32,
    ),
    traps("throw_ref-null", "(throw_ref (ref.null exn))", "ref.null throw_ref ↪ trap", run="ref.null throw_ref-null"),
    runs(
        "throw_ref-instrs",
        "(i32.const 5) (throw $e) (nop)",
        "(i32.const 5) (ref.exn 0) throw_ref nop ↪ (ref.exn 0) throw_ref",
        run="call_ref-func throw throw_ref-instrs throw_ref-label throw_ref-frame",
        fields=E,
    ),
    runs(
        "throw_ref-label",
        "(block (throw $e))",
        "(label_0{ε} (ref.exn 0) throw_ref) ↪ (ref.exn 0) throw_ref",
        run="call_ref-func block throw throw_ref-label throw_ref-label throw_ref-frame",
        fields=E,
    ),
    runs(
        "throw_ref-frame",
        "(call $g)",
        "(frame_0{locals ε} (ref.exn 0) throw_ref) ↪ (ref.exn 0) throw_ref",
        run=("call_ref-func call call_ref-func throw throw_ref-label throw_ref-frame throw_ref-label throw_ref-frame"),
        fields=f"{E} (func $g (throw $e))",
    ),
    runs(
        "throw_ref-handler-empty",
        "(try_table (throw $e))",
        "(handler_0{ε} (ref.exn 0) throw_ref) ↪ (ref.exn 0) throw_ref",
        run=("call_ref-func try_table throw throw_ref-label throw_ref-handler-empty throw_ref-label throw_ref-frame"),
        fields=E,
    ),
    runs(
        "throw_ref-handler-catch",
        "(result i32) (try_table (catch $e 0) (throw $e (i32.const 5))) (unreachable)",
        "(handler_0{(catch 0 0)} (ref.exn 0) throw_ref) ↪ (i32.const 5) (br 0)",
        run="call_ref-func try_table throw throw_ref-label throw_ref-handler-catch br-label-zero frame-vals",
        fields=E_I32,
    ),
    returns(
        "throw_ref-handler-catch",
        "(block (block (try_table (catch $e 1) (throw $e))) (unreachable))",
        "(handler_0{(catch 0 1)} (ref.exn 0) throw_ref) ↪ (br 1)",
        run="block block try_table throw throw_ref-label throw_ref-handler-catch br-label-succ br-label-zero",
        fields=E,
    ),
    runs(
        "throw_ref-handler-catch_ref",
        "(result i32 exnref) (try_table (catch_ref $e 0) (throw $e (i32.const 5))) (unreachable)",
        "(handler_0{(catch_ref 0 0)} (ref.exn 0) throw_ref) ↪ (i32.const 5) (ref.exn 0) (br 0)",
        run="call_ref-func try_table throw throw_ref-label throw_ref-handler-catch_ref br-label-zero frame-vals",
        fields=E_I32,
    ),
    runs(
        "throw_ref-handler-catch_all",
        "(try_table (catch_all 0) (throw $e (i32.const 5))) (unreachable)",
        "(handler_0{(catch_all 0)} (ref.exn 0) throw_ref) ↪ (br 0)",
        run="call_ref-func try_table throw throw_ref-label throw_ref-handler-catch_all br-label-zero frame-vals",
        fields=E_I32,
    ),
    runs(
        "throw_ref-handler-catch_all_ref",
        "(result exnref) (try_table (catch_all_ref 0) (throw $e)) (unreachable)",
        "(handler_0{(catch_all_ref 0)} (ref.exn 0) throw_ref) ↪ (ref.exn 0) (br 0)",
        run=("call_ref-func try_table throw throw_ref-label throw_ref-handler-catch_all_ref br-label-zero frame-vals"),
        fields=E,
    ),
    runs(
        "throw_ref-handler-next",
        "(try_table (catch $d 0) (catch_all 0) (throw $e)) (unreachable)",
        (
            "(handler_0{(catch 0 0) (catch_all 0)} (ref.exn 0) throw_ref) "
            "↪ (handler_0{(catch_all 0)} (ref.exn 0) throw_ref)"
        ),
        run=(
            "call_ref-func try_table throw throw_ref-label throw_ref-handler-next throw_ref-handler-catch_all "
            "br-label-zero frame-vals"
        ),
        fields=f"(tag $d) {E}",
    ),
)
"""Exceptions."""

TRAPS: tuple[Case, ...] = (
    traps(
        "trap-instrs",
        "(i32.const 5) (unreachable) (nop)",
        "(i32.const 5) trap nop ↪ trap",
        run="unreachable trap-instrs",
    ),
    traps("trap-label", "(block (unreachable))", "(label_0{ε} trap) ↪ trap", run="block unreachable trap-label"),
    traps(
        "trap-handler",
        "(try_table (catch_all 0) (unreachable))",
        "(handler_0{(catch_all 0)} trap) ↪ trap",
        run="try_table unreachable trap-label trap-handler",
    ),
    traps(
        "trap-frame",
        "(call $g)",
        "(frame_0{locals ε} trap) ↪ trap",
        run="call call_ref-func unreachable trap-label trap-frame",
        fields="(func $g (unreachable))",
    ),
)
"""Traps."""

CASES = (*PARAMETRIC, *BLOCKS, *BRANCHES, *CALLS, *EXCEPTIONS, *TRAPS)
