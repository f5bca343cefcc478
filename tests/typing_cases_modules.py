"""Matching of types, validity of types and of modules, and linking."""

from __future__ import annotations

from typing_cases import Fields, Linking, Subtyping

S = "(type $s (struct))"
A = "(type $a (array i8))"
F = "(type $f (func))"

SUBTYPING: tuple[Subtyping, ...] = (
    Subtyping("Numtype_sub/", "i32", "i32", "i64"),
    Subtyping("Vectype_sub/", "v128", "v128", "i64"),
    Subtyping("Heaptype_sub/refl", "(ref any)", "(ref any)", "(ref func)"),
    Subtyping("Heaptype_sub/trans", "(ref i31)", "(ref any)", "(ref extern)"),
    Subtyping("Heaptype_sub/eq-any", "(ref eq)", "(ref any)", "(ref i31)"),
    Subtyping("Heaptype_sub/i31-eq", "(ref i31)", "(ref eq)", "(ref struct)"),
    Subtyping("Heaptype_sub/struct-eq", "(ref struct)", "(ref eq)", "(ref array)"),
    Subtyping("Heaptype_sub/array-eq", "(ref array)", "(ref eq)", "(ref i31)"),
    Subtyping("Heaptype_sub/struct", "(ref $s)", "(ref struct)", "(ref array)", S),
    Subtyping("Heaptype_sub/array", "(ref $a)", "(ref array)", "(ref struct)", A),
    Subtyping("Heaptype_sub/func", "(ref $f)", "(ref func)", "(ref any)", F),
    Subtyping("Heaptype_sub/def", "(ref $s)", "(ref $t)", "(ref $a)", f"{S} (type $t (struct)) {A}"),
    Subtyping("Heaptype_sub/typeidx-l", "(ref $s)", "(ref eq)", "(ref func)", S),
    Subtyping("Heaptype_sub/typeidx-r", "(ref none)", "(ref $s)", "(ref $f)", f"{S} {F}"),
    Subtyping("Heaptype_sub/none", "(ref none)", "(ref i31)", "(ref func)"),
    Subtyping("Heaptype_sub/nofunc", "(ref nofunc)", "(ref $f)", "(ref $s)", f"{F} {S}"),
    Subtyping("Heaptype_sub/noexn", "(ref noexn)", "(ref exn)", "(ref any)"),
    Subtyping("Heaptype_sub/noextern", "(ref noextern)", "(ref extern)", "(ref any)"),
    Subtyping("Reftype_sub/nonnull", "(ref i31)", "(ref eq)", "(ref array)"),
    Subtyping("Reftype_sub/null", "(ref i31)", "(ref null eq)", "(ref null array)"),
    Subtyping("Reftype_sub/null", "(ref null i31)", "(ref null i31)", "(ref i31)"),
    Subtyping("Valtype_sub/num", "f32", "f32", "f64"),
    Subtyping("Valtype_sub/vec", "v128", "v128", "(ref any)"),
    Subtyping("Valtype_sub/ref", "(ref none)", "(ref struct)", "i32"),
    Subtyping(
        "Deftype_sub/refl", "(ref $s)", "(ref $t)", "(ref $u)", f"{S} (type $t (struct)) (type $u (struct (field i8)))"
    ),
    Subtyping(
        "Deftype_sub/super",
        "(ref $2)",
        "(ref $0)",
        "(ref $3)",
        "(type $0 (sub (struct))) (type $1 (sub $0 (struct))) (type $2 (sub $1 (struct))) (type $3 (sub $2 (struct)))",
    ),
)
"""Matching of value types."""

BOTTOM: tuple[Fields, ...] = (
    Fields(
        "Valtype_sub/bot",
        "(func (result v128) (unreachable) (select))",
        "(func (result v128) (unreachable) (select (f32.const 1) (i32.const 1)))",
    ),
    Fields(
        "Heaptype_sub/bot",
        "(func (result (ref array)) (unreachable) (ref.as_non_null))",
        "(func (result i32) (unreachable) (ref.as_non_null))",
    ),
    Fields(
        "Resulttype_sub/",
        "(func $g (result nullref i32) (unreachable)) (func (result anyref i32) (call $g))",
        "(func $g (result nullref i32) (unreachable)) (func (result i32 anyref) (call $g))",
    ),
)
"""Matching that cannot be seen from the types of parameters alone."""


def extends(lower: str, upper: str, fields: str = "") -> str:
    """Fields that are valid if one composite type matches another."""
    return f"{fields} (type $upper (sub {upper})) (type $lower (sub $upper {lower}))"


RECURSIVE = "(rec (type $0 (sub (struct (field {upper})))) (type $1 (sub $0 (struct (field (ref {lower}))))) {more})"


def recursive(lower: str, upper: str, more: str = "") -> str:
    """Fields that are valid if a type of a recursive group matches another type while the group itself is checked."""
    return RECURSIVE.format(lower=lower, upper=upper, more=more)


COMPOSITE: tuple[Fields, ...] = (
    Fields("Packtype_sub/", extends("(array i8)", "(array i8)"), extends("(array i8)", "(array i16)")),
    Fields("Storagetype_sub/val", extends("(array i31ref)", "(array eqref)"), extends("(array i32)", "(array i64)")),
    Fields("Storagetype_sub/pack", extends("(array i16)", "(array i16)"), extends("(array i8)", "(array i32)")),
    Fields(
        "Fieldtype_sub/const",
        extends("(array nullref)", "(array anyref)"),
        extends("(array (mut i8))", "(array i8)"),
    ),
    Fields(
        "Fieldtype_sub/var",
        extends("(array (mut anyref))", "(array (mut anyref))"),
        extends("(array (mut nullref))", "(array (mut anyref))"),
    ),
    Fields(
        "Comptype_sub/struct",
        extends("(struct (field i8) (field i64))", "(struct (field i8))"),
        extends("(struct (field i8))", "(struct (field i8) (field i64))"),
    ),
    Fields("Comptype_sub/array", extends("(array i8)", "(array i8)"), extends("(array i8)", "(struct (field i8))")),
    Fields(
        "Comptype_sub/func",
        extends("(func (param anyref) (result nullref))", "(func (param nullref) (result anyref))"),
        extends("(func (param nullref))", "(func (param anyref))"),
    ),
    Fields("Heaptype_sub/rec-struct", recursive("$1", "(ref struct)"), recursive("$1", "(ref array)")),
    Fields(
        "Heaptype_sub/rec-array",
        recursive("$2", "(ref array)", "(type $2 (array i8))"),
        recursive("$2", "(ref struct)", "(type $2 (array i8))"),
    ),
    Fields(
        "Heaptype_sub/rec-func",
        recursive("$2", "(ref func)", "(type $2 (func))"),
        recursive("$2", "(ref any)", "(type $2 (func))"),
    ),
    Fields("Heaptype_sub/rec-sub", recursive("$1", "(ref $0)"), recursive("$0", "(ref $1)")),
)
"""Matching of composite types, as one extends another."""

TYPES: tuple[Fields, ...] = (
    Fields("Heaptype_ok/abs", "(type (func (param (ref exn))))", None),
    Fields("Heaptype_ok/typeuse", f"{F} (func (param (ref $f)))", "(type (func (param (ref 1))))"),
    Fields("Typeuse_ok/typeidx", f"{S} (type (array (ref $s)))", "(type (array (ref 1))) (type (struct))"),
    Fields(
        "Typeuse_ok/rec", "(rec (type (array (ref 1))) (type (struct)))", "(rec (type (array (ref 2))) (type (struct)))"
    ),
    Fields("Comptype_ok/struct", "(type (struct (field i8) (field v128)))", "(type (struct (field (ref 7))))"),
    Fields("Comptype_ok/array", "(type (array (mut f64)))", "(type (array (ref 7)))"),
    Fields("Comptype_ok/func", "(type (func (param i32 i64) (result f32 f64)))", "(type (func (result (ref 7))))"),
    Fields("Subtype_ok/", "(type $0 (sub (func))) (type (sub $0 (func)))", "(type $0 (func)) (type (sub $0 (func)))"),
    Fields("Rectype_ok/empty", "(rec)", None),
    Fields(
        "Rectype_ok/cons",
        "(rec (type $0 (sub (struct))) (type $1 (sub $0 (struct))))",
        "(rec (type $0 (sub $1 (struct))) (type $1 (sub (struct))))",
    ),
    Fields("Limits_ok/", "(memory 1 1)", "(memory 2 1)"),
    Fields("Memtype_ok/", "(memory 0 65536)", "(memory 0 65537)"),
    Fields("Memtype_ok/", "(memory i64 0 0x1_0000_0000_0000)", "(memory i64 0 0x1_0000_0000_0001)"),
    Fields("Tabletype_ok/", f"{F} (table 0 0xffff_ffff (ref null $f))", "(table 0 (ref null 7))"),
    Fields("Tabletype_ok/", "(table i64 0 0xffff_ffff_ffff_ffff funcref)", "(table i64 1 0 funcref)"),
    Fields("Globaltype_ok/", '(import "" "" (global (mut (ref any))))', '(import "" "" (global (ref 7)))'),
    Fields("Tagtype_ok/", "(tag (param i32))", f"{S} (tag (type $s))"),
    Fields("Externtype_ok/tag", '(import "" "" (tag))', f'{S} (import "" "" (tag (type $s)))'),
    Fields("Externtype_ok/global", '(import "" "" (global i32))', '(import "" "" (global (ref 7)))'),
    Fields("Externtype_ok/mem", '(import "" "" (memory 1 2))', '(import "" "" (memory 2 1))'),
    Fields("Externtype_ok/table", '(import "" "" (table 1 2 funcref))', '(import "" "" (table 2 1 funcref))'),
    Fields("Externtype_ok/func", f'{F} (import "" "" (func (type $f)))', f'{S} (import "" "" (func (type $s)))'),
    Fields(
        "Blocktype_ok/valtype",
        "(func (block (result i32) (i32.const 1)) drop)",
        "(func (block (result (ref 7)) unreachable) drop)",
    ),
    Fields("Blocktype_ok/typeidx", f"{F} (func (block (type $f)))", f"{S} (func (block (type $s)))"),
)
"""Validity of types."""

MODULES: tuple[Fields, ...] = (
    Fields(
        "Catch_ok/catch",
        "(tag $e (param i32)) (func (result i32) (try_table (catch $e 0)) unreachable)",
        "(tag $e (param i32)) (func (try_table (catch $e 0)))",
    ),
    Fields(
        "Catch_ok/catch_ref",
        "(tag $e) (func (result exnref) (try_table (catch_ref $e 0)) unreachable)",
        "(tag $e) (func (result anyref) (try_table (catch_ref $e 0)) unreachable)",
    ),
    Fields(
        "Catch_ok/catch_all",
        "(func (try_table (catch_all 0)))",
        "(func (result i32) (try_table (catch_all 0)) unreachable)",
    ),
    Fields(
        "Catch_ok/catch_all_ref",
        "(func (result (ref exn)) (try_table (catch_all_ref 0)) unreachable)",
        "(func (result nullexnref) (try_table (catch_all_ref 0)) unreachable)",
    ),
    Fields(
        "Memarg_ok/",
        "(memory 1) (func (result i64) (i64.load8_u offset=0xffff_ffff align=1 (i32.const 0)))",
        "(memory 1) (func (result i64) (i64.load8_u align=2 (i32.const 0)))",
    ),
    Fields("Local_ok/set", "(func (local anyref) (drop (local.get 0)))", None),
    Fields(
        "Local_ok/unset",
        "(func (local (ref i31)) (local.set 0 (ref.i31 (i32.const 1))) (drop (local.get 0)))",
        "(func (local (ref i31)) (block (local.set 0 (ref.i31 (i32.const 1)))) (drop (local.get 0)))",
    ),
    Fields("Instrs_ok/empty", "(func)", "(func (result i32))"),
    Fields(
        "Instrs_ok/seq", "(func (result i32) (i32.const 1) (i32.eqz))", "(func (result i32) (i32.const 1) (i64.eqz))"
    ),
    Fields("Instrs_ok/sub", "(func (result anyref) (ref.null i31))", "(func (result i31ref) (ref.null any))"),
    Fields(
        "Instrs_ok/frame",
        "(func (result i64 i32) (i64.const 1) (i32.const 1) (i32.eqz))",
        "(func (result i32) (i64.const 1) (i32.const 1) (i32.eqz))",
    ),
    Fields(
        "Expr_const/",
        "(global i32 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3))))",
        "(global i32 (i32.and (i32.const 1) (i32.const 2)))",
    ),
    Fields("Expr_ok_const/", "(global i64 (i64.sub (i64.const 1) (i64.const 2)))", "(global i64 (i32.const 1))"),
    Fields(
        "Instr_const/global.get",
        "(global i32 (i32.const 1)) (global i32 (global.get 0))",
        "(global (mut i32) (i32.const 1)) (global i32 (global.get 0))",
    ),
    Fields(
        "Globals_ok/cons",
        "(global i32 (i32.const 1)) (global i32 (global.get 0))",
        "(global i32 (global.get 1)) (global i32 (i32.const 1))",
    ),
    Fields("Global_ok/", "(global anyref (ref.null none))", "(global (ref any) (ref.null none))"),
    Fields("Mem_ok/", "(memory 1)", "(memory 65537)"),
    Fields("Tag_ok/", "(tag (param i32))", "(tag (result i32))"),
    Fields("Table_ok/", "(table 1 (ref func) (ref.func $f)) (func $f)", "(table 1 (ref func))"),
    Fields(
        "Func_ok/",
        "(func (param i32) (result i32) (local i64) (local.get 0))",
        "(func (param i32) (result i32) (local i64) (local.get 1))",
    ),
    Fields("Data_ok/", '(memory 1) (data (i32.const 0) "")', '(data (i32.const 0) "")'),
    Fields("Datamode_ok/passive", '(data "")', None),
    Fields("Datamode_ok/active", '(memory i64 1) (data (i64.const 0) "")', '(memory i64 1) (data (i32.const 0) "")'),
    Fields("Elem_ok/", "(elem anyref (ref.null none))", "(elem anyref (ref.null func))"),
    Fields("Elemmode_ok/passive", "(elem func)", None),
    Fields(
        "Elemmode_ok/declare", "(elem declare func $f) (func $f (drop (ref.func $f)))", "(func $f (drop (ref.func $f)))"
    ),
    Fields(
        "Elemmode_ok/active",
        "(table 1 (ref func) (ref.func $f)) (elem (i32.const 0) func $f) (func $f)",
        "(table 1 externref) (elem (i32.const 0) func)",
    ),
    Fields("Start_ok/", "(func) (start 0)", "(func (result i32) unreachable) (start 0)"),
    Fields("Import_ok/", '(import "" "" (memory 1))', '(import "" "" (memory 65537))'),
    Fields("Export_ok/", '(func (export "a") (export "b"))', '(func (export "a") (export "a"))'),
    Fields("Externidx_ok/tag", '(tag) (export "" (tag 0))', '(export "" (tag 0))'),
    Fields("Externidx_ok/global", '(global i32 (i32.const 1)) (export "" (global 0))', '(export "" (global 0))'),
    Fields("Externidx_ok/mem", '(memory 1) (export "" (memory 0))', '(export "" (memory 0))'),
    Fields("Externidx_ok/table", '(table 1 funcref) (export "" (table 0))', '(export "" (table 0))'),
    Fields("Externidx_ok/func", '(func) (export "" (func 0))', '(export "" (func 0))'),
    Fields(
        "Module_ok/",
        '(import "" "" (global funcref)) (table 1 funcref (global.get 0))',
        "(global funcref (ref.null func)) (table 1 funcref (global.get 0))",
    ),
    Fields("Types_ok/cons", "(type (func)) (type (array (ref 0)))", "(type (array (ref 1))) (type (func))"),
)
"""Validity of instructions, expressions and modules."""

LINKING: tuple[Linking, ...] = (
    Linking("Limits_sub/max", "(memory 2 3)", "(memory 1 4)", "(memory 1 2)"),
    Linking("Limits_sub/max", "(memory 2 3)", "(memory 2)", "(memory 3)"),
    Linking("Limits_sub/eps", "(memory 2)", "(memory 1)", "(memory 1 4)"),
    Linking("Tagtype_sub/", "(tag (param i32))", "(tag (param i32))", "(tag (param i64))"),
    Linking("Globaltype_sub/const", "(global i31ref (ref.null i31))", "(global anyref)", "(global (mut i31ref))"),
    Linking("Globaltype_sub/var", "(global (mut anyref) (ref.null any))", "(global (mut anyref))", "(global anyref)"),
    Linking(
        "Globaltype_sub/var", "(global (mut i31ref) (ref.null i31))", "(global (mut i31ref))", "(global (mut anyref))"
    ),
    Linking("Memtype_sub/", "(memory i64 1)", "(memory i64 1)", "(memory 1)"),
    Linking("Tabletype_sub/", "(table 1 funcref)", "(table 1 funcref)", "(table 1 (ref null nofunc))"),
    Linking("Tabletype_sub/", "(table 1 nullref)", "(table 1 nullref)", "(table 1 anyref)"),
    Linking("Externtype_sub/tag", "(tag)", "(tag)", "(func)"),
    Linking("Externtype_sub/global", "(global i32 (i32.const 1))", "(global i32)", "(global i64)"),
    Linking("Externtype_sub/mem", "(memory 1)", "(memory 1)", "(table 1 funcref)"),
    Linking("Externtype_sub/table", "(table 1 funcref)", "(table 0 funcref)", "(memory 1)"),
    Linking("Externtype_sub/func", "(func (param i32))", "(func (param i32))", "(func (param i64))"),
)
"""Matching of external types, as something exported is imported."""
