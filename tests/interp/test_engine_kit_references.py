"""The engine kit, part 4: references, tags and exceptions. Runs on every engine."""

from __future__ import annotations

import pytest

from interp.engine import Limits, Reference, Tag
from interp.errors import Exhaustion, ExhaustionKind, Invalid, Trap, TrapKind, UncaughtException, Unlinkable
from interp.syntax.types import (
    EXNREF,
    I32,
    I64,
    AbsHeapType,
    ExportType,
    FuncType,
    ImportType,
    RefType,
    TagType,
    functype_deftype,
)

ANYREF = RefType(True, AbsHeapType.ANY)
NO_PARAMS = FuncType((), ())

REFERENCES = """(module
  (type $s (sub (struct (field i32)))) (type $t (sub $s (struct (field i32) (field i8)))) (type $a (array (mut i16)))
  (import "h" "f" (func $h (param anyref) (result anyref)))
  (func (export "struct") (param i32) (result structref) (struct.new $s (local.get 0)))
  (func (export "sub") (param i32) (result structref) (struct.new $t (local.get 0) (i32.const 0)))
  (func (export "array") (result arrayref) (array.new $a (i32.const 3) (i32.const 4)))
  (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
  (func (export "field") (param (ref null $s)) (result i32) (struct.get $s 0 (local.get 0)))
  (func (export "not_null") (param (ref $s)) (result i32) (struct.get $s 0 (local.get 0)))
  (func (export "len") (param arrayref) (result i32) (array.len (local.get 0)))
  (func (export "number") (param i31ref) (result i32) (i31.get_s (local.get 0)))
  (func (export "eq") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))
  (func (export "any") (param anyref) (result anyref) (local.get 0))
  (func (export "outside") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "inside") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "host") (param anyref) (result anyref) (call $h (local.get 0)))
  (func (export "cast") (param anyref) (result i32) (struct.get $t 0 (ref.cast (ref $t) (local.get 0))))
  (global (export "g") (mut anyref) (ref.null any))
  (table (export "t") 2 anyref)
)"""
THROUGH = ("any", "outside", "inside", "extern", "host")


@pytest.fixture
def references(store, instantiate):
    return instantiate(REFERENCES, [store.func_alloc(FuncType((ANYREF,), (ANYREF,)), lambda ref: ref)])


class TestReferences:
    def test_what_they_refer_to(self, references):
        made = {name: references[name](7) for name in ("struct", "sub", "i31")}
        made["array"] = references["array"]()
        kinds = {name: ref.heaptype for name, ref in made.items()}
        struct, array, i31 = AbsHeapType.STRUCT, AbsHeapType.ARRAY, AbsHeapType.I31
        assert kinds == {"struct": struct, "sub": struct, "array": array, "i31": i31}
        assert all(isinstance(ref, Reference) for ref in made.values())

    def test_they_can_be_passed_back(self, references):
        struct, array, i31 = references["struct"](7), references["array"](), references["i31"](-5)
        assert (references["field"](struct), references["len"](array), references["number"](i31)) == (7, 4, -5)
        for name in THROUGH:
            for ref in (struct, array, i31):
                back = references[name](ref)
                assert back.heaptype is ref.heaptype
                assert references["eq"](back, ref) == 1
            assert references[name](None) is None

    def test_identity(self, references):
        eq, struct = references["eq"], references["struct"]
        one = struct(7)
        assert (eq(one, one), eq(one, struct(7)), eq(one, None), eq(None, None)) == (1, 0, 0, 1)
        assert (eq(references["i31"](3), references["i31"](3)), eq(references["i31"](3), references["i31"](4))) == (
            1,
            0,
        )

    def test_casts_know_the_type(self, references):
        assert references["cast"](references["sub"](6)) == 6
        for ref in (references["struct"](6), references["array"](), references["i31"](6), "text", None):
            with pytest.raises(Trap) as caught:
                references["cast"](ref)
            assert caught.value.kind is TrapKind.CAST_FAILURE

    def test_objects_of_the_host_are_references_too(self, references):
        for thing in ("text", 5, object(), [1]):
            for name in THROUGH:
                assert references[name](thing) is thing

    def test_globals_and_tables_hold_them(self, references):
        struct, thing = references["struct"](7), object()
        for ref in (struct, thing):
            references["g"].value = ref
            references["t"].set(1, ref)
        assert references["g"].value is references["t"].get(1) is thing
        references["t"].set(0, struct)
        assert references["field"](references["t"].get(0)) == 7

    @pytest.mark.parametrize(
        ("name", "arg"),
        [("field", "text"), ("field", 7), ("not_null", None), ("len", "text"), ("number", 5), ("any", "function")],
    )
    def test_what_the_type_does_not_allow(self, references, name, arg):
        with pytest.raises(TypeError):
            references[name](references["struct"] if arg == "function" else arg)

    def test_references_of_other_types(self, references):
        for ref in (references["array"](), references["i31"](0)):
            with pytest.raises(TypeError):
                references["field"](ref)
        with pytest.raises(TypeError):
            references["len"](references["struct"](0))

    def test_results_of_host_functions_are_checked(self, store, instantiate):
        for wrong in (5, "text", None):
            functype = FuncType((), (RefType(False, AbsHeapType.STRUCT),))
            exports = instantiate(
                """(module (import "h" "f" (func $f (result (ref struct))))
                  (func (export "f") (result structref) (call $f)))""",
                [store.func_alloc(functype, lambda wrong=wrong: wrong)],
            )
            with pytest.raises(TypeError):
                exports["f"]()

    def test_they_belong_to_their_store(self, engine, references, instantiate):
        other = engine.store()
        theirs = instantiate(REFERENCES, [other.func_alloc(FuncType((ANYREF,), (ANYREF,)), lambda ref: ref)], other)
        with pytest.raises(ValueError, match="another store"):
            theirs["any"](references["struct"](7))


HEAP = """(module
  (type $n (struct (field (ref null $n)))) (type $a (array (mut i64)))
  (global $list (mut (ref null $n)) (ref.null $n))
  (func (export "more") (param i32)
    (loop (global.set $list (struct.new $n (global.get $list)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "drop") (global.set $list (ref.null $n)))
  (func (export "array") (param i32) (result i32) (array.len (array.new_default $a (local.get 0))))
)"""


class TestHeap:
    def test_it_is_limited(self, engine, instantiate):
        exports = instantiate(HEAP, into=engine.store(Limits(max_heap_fields=5000)))
        for name, n in (("more", 100_000), ("array", 100_000), ("array", 2**32 - 1)):
            with pytest.raises(Exhaustion) as caught:
                exports[name](n)
            assert caught.value.what is ExhaustionKind.HEAP
            exports["drop"]()
        exports["more"](2500)

    def test_what_is_dropped_does_not_count(self, engine, instantiate):
        exports = instantiate(HEAP, into=engine.store(Limits(max_heap_fields=5000)))
        for _ in range(20):
            exports["more"](2000)
            exports["drop"]()
            assert exports["array"](4000) == 4000

    def test_a_memory_does_not_change_its_own_limit(self, engine, instantiate):
        text = """(module (memory (export "m") 1 {maximum}) (type $a (array i32))
          (func (export "array") (param i32) (result i32) (array.len (array.new_default $a (local.get 0)))))"""
        store = engine.store(Limits(max_heap_fields=100_000, max_memory_pages=3))
        small = instantiate(text.format(maximum=2), into=store)
        assert small["array"](90_000) == 90_000
        large = instantiate(text.format(maximum=""), into=store)
        for exports, growth in ((small, 1), (large, 2)):
            assert exports["m"].grow(growth + 1) is None
            assert exports["m"].grow(growth) == 1


TAGS = """(module
  (tag $e (export "e") (param i32)) (tag $other (export "other") (param i32)) (tag (export "none"))
  (func (export "throw") (param i32) (throw $e (local.get 0)))
  (func (export "throw_other") (param i32) (throw $other (local.get 0)))
)"""
CATCHES = """(module
  (import "m" "e" (tag $e (param i32))) (import "m" "throw" (func $throw (param i32)))
  (export "again" (tag $e))
  (func (export "catch") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (local.get 0))) (i32.const -1)))
  (func (export "catch_ref") (param i32) (result exnref) (local $n exnref)
    (block $h (result i32 exnref)
      (try_table (catch_ref $e $h) (call $throw (local.get 0))) (unreachable))
    (local.set $n) (drop) (local.get $n))
  (func (export "catch_all") (param i32) (result i32)
    (block $h (try_table (catch_all $h) (call $throw (local.get 0))) (return (i32.const 0))) (i32.const 1))
  (func (export "throw_ref") (param exnref) (throw_ref (local.get 0)))
  (func (export "rethrow") (param exnref) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (throw_ref (local.get 0))) (i32.const -1)))
)"""
ONE_I32 = TagType(functype_deftype(FuncType((I32,), ())))


def uncaught(call, *args):
    """The exception that a call ends in."""
    with pytest.raises(UncaughtException) as caught:
        call(*args)
    return caught.value


class TestTags:
    def test_types(self, engine, store, wasm, instantiate):
        tags = instantiate(TAGS)
        assert isinstance(tags["e"], Tag)
        assert tags["e"].type == ONE_I32
        assert tags["none"].type == TagType(functype_deftype(NO_PARAMS))
        module = engine.compile(wasm(CATCHES))
        assert module.imports == (ImportType("m", "e", ONE_I32), ImportType("m", "throw", FuncType((I32,), ())))
        assert module.exports[0] == ExportType("again", ONE_I32)

    def test_a_tag_exported_again_is_the_same(self, instantiate):
        tags = instantiate(TAGS)
        again = instantiate(CATCHES, [tags["e"], tags["throw"]])["again"]
        assert again is tags["e"]
        assert again is not tags["other"]

    def test_exceptions_are_told_apart_by_their_tag(self, instantiate):
        tags = instantiate(TAGS)
        catches = instantiate(CATCHES, [tags["e"], tags["throw"]])
        assert (catches["catch"](7), catches["catch_all"](7)) == (7, 1)
        catches = instantiate(CATCHES, [tags["e"], tags["throw_other"]])
        uncaught(catches["catch"], 7)
        assert catches["catch_all"](7) == 1

    def test_alloc(self, store, instantiate):
        tag = store.tag_alloc(ONE_I32)
        assert isinstance(tag, Tag)
        assert tag.type == ONE_I32
        throws = instantiate(
            '(module (import "m" "e" (tag $e (param i32))) (export "e" (tag $e))'
            ' (func (export "throw") (param i32) (throw $e (local.get 0))))',
            [tag],
        )
        assert throws["e"] is tag
        assert instantiate(CATCHES, [tag, throws["throw"]])["catch"](9) == 9
        uncaught(instantiate(CATCHES, [store.tag_alloc(ONE_I32), throws["throw"]])["catch"], 9)

    def test_the_types_must_match(self, store, instantiate):
        tags = instantiate(TAGS)
        for wrong in (tags["none"], store.tag_alloc(TagType(functype_deftype(FuncType((I64,), ())))), tags["throw"]):
            with pytest.raises(Unlinkable):
                instantiate(CATCHES, [wrong, tags["throw"]])

    def test_a_tag_has_no_results(self, store):
        with pytest.raises(Invalid):
            store.tag_alloc(TagType(functype_deftype(FuncType((), (I32,)))))

    def test_a_tag_belongs_to_its_store(self, engine, instantiate):
        tags = instantiate(TAGS)
        with pytest.raises(ValueError, match="another store"):
            instantiate(CATCHES, [engine.store().tag_alloc(ONE_I32), tags["throw"]])


class TestExceptions:
    def test_one_that_leaves_the_call(self, instantiate):
        exports = instantiate(TAGS)
        error = uncaught(exports["throw"], 3)
        assert error.exception.heaptype is AbsHeapType.EXN
        assert [frame.function for frame in error.backtrace] == [0]

    def test_those_that_left_do_not_stay_on_the_heap(self, engine, instantiate):
        throw = instantiate(TAGS, into=engine.store(Limits(max_heap_fields=1000)))["throw"]
        for n in range(3000):
            try:
                throw(n)
            except UncaughtException:
                continue

    def test_one_that_leaves_the_start_function(self, instantiate):
        error = uncaught(instantiate, "(module (tag $e) (func $f (throw $e)) (start $f))")
        assert error.exception.heaptype is AbsHeapType.EXN
        assert [frame.function for frame in error.backtrace] == [0]
        assert instantiate("(module)") == {}

    def test_it_can_be_passed_back(self, instantiate):
        tags = instantiate(TAGS)
        catches = instantiate(CATCHES, [tags["e"], tags["throw"]])
        for exception in (uncaught(tags["throw"], 5).exception, catches["catch_ref"](5)):
            assert isinstance(exception, Reference)
            assert catches["rethrow"](exception) == 5
            assert catches["rethrow"](uncaught(catches["throw_ref"], exception).exception) == 5
        uncaught(catches["rethrow"], uncaught(tags["throw_other"], 5).exception)

    def test_only_exceptions_are_exnrefs(self, instantiate):
        tags = instantiate(TAGS)
        rethrow = instantiate(CATCHES, [tags["e"], tags["throw"]])["rethrow"]
        for wrong in ("text", 5, tags["throw"], tags["e"]):
            with pytest.raises(TypeError):
                rethrow(wrong)
        with pytest.raises(Trap) as caught:
            rethrow(None)
        assert caught.value.kind is TrapKind.NULL_EXCEPTION_REFERENCE

    def test_a_host_function_lets_it_through(self, store, instantiate):
        tags = instantiate(TAGS)
        passed = []

        def through(n):
            try:
                tags["throw"](n)
            except UncaughtException as error:
                passed.append(error.exception)
                raise

        catches = instantiate(CATCHES, [tags["e"], store.func_alloc(FuncType((I32,), ()), through)])
        assert [catches["catch"](n) for n in (1, 2)] == [1, 2]
        assert catches["catch_all"](3) == 1
        assert catches["rethrow"](catches["catch_ref"](4)) == 4
        assert [catches["rethrow"](exception) for exception in passed] == [1, 2, 3, 4]
        uncaught(instantiate(CATCHES, [tags["other"], store.func_alloc(FuncType((I32,), ()), through)])["catch"], 5)

    def test_through_several_host_functions(self, store, instantiate):
        tags = instantiate(TAGS)
        outer = tags["throw"]
        for _ in range(5):
            inner = store.func_alloc(FuncType((I32,), ()), lambda n, outer=outer: outer(n + 1))
            text = """(module (import "a" "f" (func $f (param i32)))
              (func (export "f") (param i32) (call $f (local.get 0))))"""
            outer = instantiate(text, [inner])["f"]
        assert instantiate(CATCHES, [tags["e"], outer])["catch"](10) == 15

    def test_a_host_function_throws(self, store, instantiate):
        tags = instantiate(TAGS)
        exception = uncaught(tags["throw"], 8).exception

        def throw(_):
            raise UncaughtException(exception=exception)

        assert instantiate(CATCHES, [tags["e"], store.func_alloc(FuncType((I32,), ()), throw)])["catch"](0) == 8

    def test_an_exception_of_the_host_is_none_of_webassembly(self, store, engine, instantiate):
        tags = instantiate(TAGS)
        elsewhere = engine.store()
        foreign = uncaught(instantiate(TAGS, into=elsewhere)["throw"], 1)
        for raised in (ValueError("x"), UncaughtException(), foreign):

            def fail(_, raised=raised):
                raise raised

            catches = instantiate(CATCHES, [tags["e"], store.func_alloc(FuncType((I32,), ()), fail)])
            for name in ("catch", "catch_all"):
                with pytest.raises(type(raised)) as caught:
                    catches[name](0)
                assert caught.value is raised

    def test_exceptions_of_the_host_type(self, store, instantiate):
        seen = []
        host = store.func_alloc(FuncType((EXNREF,), (EXNREF,)), lambda ref: seen.append(ref) or ref)
        exports = instantiate(
            """(module (tag $e (param i32)) (import "h" "f" (func $h (param exnref) (result exnref)))
              (func (export "f") (param i32) (result i32) (local $n exnref)
                (block $h (result i32 exnref) (try_table (catch_ref $e $h) (throw $e (local.get 0))) (unreachable))
                (local.set $n) (drop)
                (block $c (result i32)
                  (try_table (catch $e $c) (throw_ref (call $h (local.get $n)))) (i32.const -1))))""",
            [host],
        )
        assert exports["f"](6) == 6
        assert [ref.heaptype for ref in seen] == [AbsHeapType.EXN]
