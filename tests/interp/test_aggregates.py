"""Structures, arrays, i31 and external references on the reference machine: rules, packing, arrays as lists, casts."""

import csv
import struct
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.engine import Limits, Store, load_engine
from interp.errors import Trap, TrapKind
from interp.execution.aggregates import fields_of, packfield, unpackfield, zsize
from interp.execution.values import fbits
from interp.syntax.types import EXTERNREF, F32, F64, I32, I64, V128, PackType
from tests_support import parse

ENGINE = load_engine("reference")
RULES = Path(__file__).parents[1] / "data" / "spectec-rules.csv"


@cache
def compiled(wat: str) -> Any:
    return ENGINE.compile(parse(wat))


def new_store(limits: Limits = Limits(), observed: bool = False) -> Any:  # noqa: B008
    """A store of the reference machine; if observed, it counts the rules that are applied."""
    store: Any = ENGINE.store(limits)
    if observed:
        store.runner.applied = Counter()
    return store


def exports_of(wat: str, store: Store | None = None, externs: tuple[Any, ...] = ()) -> Any:
    return (store or new_store()).instantiate(compiled(wat), externs).exports


def trap_of(call: Any, *args: Any) -> str:
    with pytest.raises(Trap) as caught:
        call(*args)
    return str(caught.value.kind.value)


TYPES = """
 (type $s (sub (struct (field $n (mut i32)) (field $r (mut (ref null $s))) (field $b (mut i8)))))
 (type $sub (sub $s (struct (field (mut i32)) (field (mut (ref null $s))) (field (mut i8)) (field f64))))
 (type $empty (struct))
 (type $a (array (mut i16)))
 (type $rs (array (mut (ref null $s))))
 (type $f (array (mut funcref)))
 (data $d "abcdefgh") (elem $e (ref null $s) (ref.null $s) (struct.new_default $s)) (elem $fs func $g $g)
 (func $g)
"""
END = ["Step_pure/label-vals", "Step_pure/frame-vals"]
NEW = ["Step_read/struct.new_default", "Step/struct.new"]
NEW_ARRAY = ["Step_read/array.new_default", "Step/array.new_fixed"]
DROP = ["Step_pure/drop"]
NULL_S, NULL_A = "(ref.null $s)", "(ref.null $a)"
S, A = "(struct.new_default $s)", "(array.new_default $a (i32.const 3))"


def rules_of(body: str) -> list[str]:
    """The rules that a body takes, each once for each time it is applied, in the order of their first application; a
    trap and the contexts that it consumes left out."""
    store = new_store(observed=True)
    exports = exports_of(f'(module {TYPES} (func (export "f") {body}))', store)
    store.runner.applied = applied = Counter[str]()
    try:
        exports["f"]()
    except Trap:
        return [name for name in applied.elements() if "/trap-" not in name][1:]
    return list((applied - Counter(END)).elements())[1:]


def i32(*numbers: int) -> str:
    return " ".join(f"(i32.const {number})" for number in numbers)


FILLED = ["Step_read/array.fill-succ"] * 2 + ["Step/array.set-array"] * 2 + ["Step_read/array.fill-zero"]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        (f"(drop (struct.new $s (i32.const 1) {NULL_S} (i32.const 2)))", ["Step_read/ref.null", "Step/struct.new"]),
        (f"(drop {S})", NEW),
        (f"(drop (struct.get $s $n {S}))", [*NEW, "Step_read/struct.get-struct"]),
        (f"(drop (struct.get_s $s $b {NULL_S}))", ["Step_read/ref.null", "Step_read/struct.get-null"]),
        (f"(struct.set $s $b {S} (i32.const 1))", [*NEW, "Step/struct.set-struct"]),
        (f"(struct.set $s $b {NULL_S} (i32.const 1))", ["Step_read/ref.null", "Step/struct.set-null"]),
        (f"(drop (array.new $a {i32(7, 2)}))", ["Step_pure/array.new", "Step/array.new_fixed"]),
        (f"(drop {A})", NEW_ARRAY),
        (f"(drop (array.new_fixed $a 2 {i32(1, 2)}))", ["Step/array.new_fixed"]),
        (f"(drop (array.new_elem $rs $e {i32(1, 2)}))", ["Step_read/array.new_elem-oob"]),
        (f"(drop (array.new_elem $rs $e {i32(0, 2)}))", ["Step_read/array.new_elem-alloc", "Step/array.new_fixed"]),
        (f"(drop (array.new_data $a $d {i32(7, 1)}))", ["Step_read/array.new_data-oob"]),
        (f"(drop (array.new_data $a $d {i32(0, 4)}))", ["Step_read/array.new_data-num", "Step/array.new_fixed"]),
        (f"(drop (array.get_u $a {NULL_A} {i32(0)}))", ["Step_read/ref.null", "Step_read/array.get-null"]),
        (f"(drop (array.get_u $a {A} {i32(3)}))", [*NEW_ARRAY, "Step_read/array.get-oob"]),
        (f"(drop (array.get_u $a {A} {i32(2)}))", [*NEW_ARRAY, "Step_read/array.get-array"]),
        (f"(array.set $a {NULL_A} {i32(0, 0)})", ["Step_read/ref.null", "Step/array.set-null"]),
        (f"(array.set $a {A} {i32(3, 0)})", [*NEW_ARRAY, "Step/array.set-oob"]),
        (f"(array.set $a {A} {i32(2, 0)})", [*NEW_ARRAY, "Step/array.set-array"]),
        (f"(drop (array.len {NULL_A}))", ["Step_read/ref.null", "Step_read/array.len-null"]),
        (f"(drop (array.len {A}))", [*NEW_ARRAY, "Step_read/array.len-array"]),
        (f"(array.fill $a {NULL_A} {i32(0, 0, 0)})", ["Step_read/ref.null", "Step_read/array.fill-null"]),
        (f"(array.fill $a {A} {i32(2, 0, 2)})", [*NEW_ARRAY, "Step_read/array.fill-oob"]),
        (f"(array.fill $a {A} {i32(3, 0, 0)})", [*NEW_ARRAY, "Step_read/array.fill-zero"]),
        (f"(array.fill $a {A} {i32(1, 7, 2)})", [*NEW_ARRAY, *FILLED]),
        (f"(drop (ref.eq {NULL_S} (ref.null i31)))", ["Step_read/ref.null"] * 2 + ["Step_pure/ref.eq-null"]),
        (
            f"(drop (ref.eq {S} {S}))",
            ["Step_read/struct.new_default"] * 2 + ["Step/struct.new"] * 2 + ["Step_pure/ref.eq-false"],
        ),
        (
            f"(drop (ref.eq (ref.i31 {i32(1)}) (ref.i31 {i32(1)})))",
            ["Step_pure/ref.i31"] * 2 + ["Step_pure/ref.eq-true"],
        ),
        (f"(drop (ref.test (ref $sub) {S}))", [*NEW, "Step_read/ref.test-false"]),
        (f"(drop (ref.test (ref $s) {S}))", [*NEW, "Step_read/ref.test-true"]),
        (f"(drop (ref.cast (ref $sub) {S}))", [*NEW, "Step_read/ref.cast-fail"]),
        (f"(drop (ref.cast (ref null $s) {NULL_S}))", ["Step_read/ref.null", "Step_read/ref.cast-succeed"]),
        (f"(drop (i31.get_s (ref.i31 {i32(1)})))", ["Step_pure/ref.i31", "Step_pure/i31.get-num"]),
        ("(drop (i31.get_s (ref.null i31)))", ["Step_read/ref.null", "Step_pure/i31.get-null"]),
        (f"(drop (extern.convert_any {NULL_S}))", ["Step_read/ref.null", "Step_pure/extern.convert_any-null"]),
        (f"(drop (extern.convert_any {S}))", [*NEW, "Step_pure/extern.convert_any-addr"]),
        ("(drop (any.convert_extern (ref.null extern)))", ["Step_read/ref.null", "Step_pure/any.convert_extern-null"]),
        (
            f"(drop (any.convert_extern (extern.convert_any {S})))",
            [*NEW, "Step_pure/extern.convert_any-addr", "Step_pure/any.convert_extern-addr"],
        ),
        ("(drop (ref.is_null (ref.func $g)))", ["Step_read/ref.func", "Step_pure/ref.is_null-false"]),
        (f"(drop (ref.is_null {NULL_S}))", ["Step_read/ref.null", "Step_pure/ref.is_null-true"]),
    ],
)
def test_which_rules_an_instruction_takes(body: str, rules: list[str]) -> None:
    dropped = DROP if body.startswith("(drop") and not any(name.endswith(TRAPPING) for name in rules) else []
    assert rules_of(body) == [*rules, *dropped]


TRAPPING = ("get-null", "len-null", "-oob", "cast-fail")


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        (f"(array.copy $a $a {NULL_A} {i32(0)} {A} {i32(0, 0)})", ["null1"]),
        (f"(array.copy $a $a {A} {i32(0)} {NULL_A} {i32(0, 0)})", ["null2"]),
        (f"(array.copy $a $a {A} {i32(2)} {A} {i32(0, 2)})", ["oob1"]),
        (f"(array.copy $a $a {A} {i32(0)} {A} {i32(2, 2)})", ["oob2"]),
        (f"(array.copy $a $a {A} {i32(3)} {A} {i32(3, 0)})", ["zero"]),
        (f"(array.copy $a $a {A} {i32(0)} {A} {i32(1, 2)})", ["le", "le", "zero"]),
        (f"(array.copy $a $a {A} {i32(1)} {A} {i32(0, 2)})", ["gt", "gt", "zero"]),
        (f"(array.init_data $a $d {NULL_A} {i32(0, 0, 0)})", ["null"]),
        (f"(array.init_data $a $d {A} {i32(3, 0, 1)})", ["oob1"]),
        (f"(array.init_data $a $d {A} {i32(0, 7, 1)})", ["oob2"]),
        (f"(array.init_data $a $d {A} {i32(3, 8, 0)})", ["zero"]),
        (f"(array.init_data $a $d {A} {i32(0, 1, 3)})", ["num", "num", "num", "zero"]),
        (f"(array.init_elem $f $fs (ref.null $f) {i32(0, 0, 0)})", ["null"]),
        (f"(array.init_elem $f $fs (array.new_default $f {i32(1)}) {i32(1, 0, 1)})", ["oob1"]),
        (f"(array.init_elem $f $fs (array.new_default $f {i32(1)}) {i32(0, 2, 1)})", ["oob2"]),
        (f"(array.init_elem $f $fs (array.new_default $f {i32(1)}) {i32(1, 2, 0)})", ["zero"]),
        (f"(array.init_elem $f $fs (array.new_default $f {i32(2)}) {i32(0, 0, 2)})", ["succ", "succ", "zero"]),
    ],
)
def test_which_rules_copying_takes(body: str, rules: list[str]) -> None:
    kind = body[1:].partition(" ")[0]
    assert [name.partition("-")[2] for name in rules_of(body) if name.startswith(f"Step_read/{kind}-")] == rules


def test_every_rule_of_aggregates_is_applied_in_these_tests() -> None:
    kinds = ("struct.", "array.", "i31.", "ref.eq", "ref.test", "ref.cast", "ref.i31", "ref.is", "any.", "extern.")
    with RULES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["relation"].startswith("Step")]
    wanted = {f"{row['relation']}/{row['rule']}" for row in rows if row["rule"].startswith(kinds)}
    marks: list[Any] = [*test_which_rules_an_instruction_takes.pytestmark, *test_which_rules_copying_takes.pytestmark]  # type: ignore[attr-defined]
    seen = {name for mark in marks for body, _ in mark.args[1] for name in rules_of(body)}
    assert wanted <= seen


# Packing

WIDTHS = {PackType.I8: 8, PackType.I16: 16}


@given(st.sampled_from(list(PackType)), st.integers(0, 2**32 - 1))
def test_a_packed_field_holds_the_low_bits(zt: PackType, i: int) -> None:
    N = WIDTHS[zt]
    field = packfield(zt, i)
    assert field == i % 2**N
    assert unpackfield(zt, False, field) == field
    signed = field - 2**N if field >= 2 ** (N - 1) else field
    assert unpackfield(zt, True, field) == signed % 2**32


@pytest.mark.parametrize("zt", [I32, I64, F32, F64, V128, EXTERNREF])
def test_other_fields_hold_their_values(zt: Any) -> None:
    val = object()
    assert unpackfield(zt, None, packfield(zt, val)) is val


PACKED = """(module
 (type $s (struct (field i32) (field (mut i8)) (field (mut i16))))
 (type $a8 (array (mut i8))) (type $a16 (array (mut i16)))
 (func (export "i8") (param i32) (result i32 i32) (local (ref null $s))
   (local.set 1 (struct.new $s (i32.const -1) (local.get 0) (i32.const -1)))
   (struct.get_s $s 1 (local.get 1)) (struct.get_u $s 1 (local.get 1)))
 (func (export "i16") (param i32) (result i32 i32) (local (ref null $s))
   (local.set 1 (struct.new_default $s))
   (struct.set $s 2 (local.get 1) (local.get 0))
   (struct.get_s $s 2 (local.get 1)) (struct.get_u $s 2 (local.get 1)))
 (func (export "new8") (param i32) (result i32 i32) (local (ref null $a8))
   (local.set 1 (array.new $a8 (local.get 0) (i32.const 2)))
   (array.get_s $a8 (local.get 1) (i32.const 1)) (array.get_u $a8 (local.get 1) (i32.const 1)))
 (func (export "fixed16") (param i32) (result i32 i32) (local (ref null $a16))
   (local.set 1 (array.new_fixed $a16 2 (i32.const -1) (local.get 0)))
   (array.get_s $a16 (local.get 1) (i32.const 1)) (array.get_u $a16 (local.get 1) (i32.const 1)))
 (func (export "set8") (param i32) (result i32 i32) (local (ref null $a8))
   (local.set 1 (array.new_default $a8 (i32.const 2)))
   (array.set $a8 (local.get 1) (i32.const 0) (local.get 0))
   (array.get_s $a8 (local.get 1) (i32.const 0)) (array.get_u $a8 (local.get 1) (i32.const 0)))
 (func (export "fill16") (param i32) (result i32 i32) (local (ref null $a16))
   (local.set 1 (array.new_default $a16 (i32.const 2)))
   (array.fill $a16 (local.get 1) (i32.const 0) (local.get 0) (i32.const 2))
   (array.get_s $a16 (local.get 1) (i32.const 1)) (array.get_u $a16 (local.get 1) (i32.const 1)))
 (func (export "i31") (param i32) (result i32 i32)
   (i31.get_s (ref.i31 (local.get 0))) (i31.get_u (ref.i31 (local.get 0)))))"""


@pytest.mark.parametrize(
    ("name", "N"), [("i8", 8), ("i16", 16), ("new8", 8), ("fixed16", 16), ("set8", 8), ("fill16", 16), ("i31", 31)]
)
@pytest.mark.parametrize("observed", [False, True])
def test_packed_numbers_come_out_signed_and_unsigned(name: str, N: int, observed: bool) -> None:
    call = exports_of(PACKED, new_store(observed=observed))[name]
    for i in (0, 1, -1, 0x7F, 0x80, -0x80, 0x7FFF, 0x8000, 2**30, 2**31 - 1, -(2**31)):
        low = i % 2**N
        assert call(i) == (low - 2**N if low >= 2 ** (N - 1) else low, low)


@given(st.binary(min_size=0, max_size=64))
def test_fields_are_stored_little_endian(data: bytes) -> None:
    whole = data[: len(data) // 16 * 16]
    for zt, code in ((PackType.I8, "B"), (PackType.I16, "H"), (I32, "I"), (I64, "Q")):
        assert list(fields_of(zt, whole)) == list(struct.unpack(f"<{len(whole) * 8 // zsize(zt)}{code}", whole))
    for zt, N, code in ((F32, 32, "I"), (F64, 64, "Q")):
        bits = list(struct.unpack(f"<{len(whole) * 8 // N}{code}", whole))
        assert [fbits(N, z) for z in fields_of(zt, whole)] == bits
    vectors = b"".join(v.to_bytes(16, "little") for v in fields_of(V128, whole))
    assert vectors == whole


def test_references_are_not_made_of_bytes() -> None:
    with pytest.raises(TypeError, match="has no width"):
        zsize(EXTERNREF)


# Sequences of operations, observed and unobserved, against lists of Python

LISTS = """(module
 (type $a (array (mut i16))) (type $f (array (mut funcref)))
 (global $x (export "x") (mut (ref null $a)) (ref.null $a))
 (global $y (export "y") (mut (ref null $a)) (ref.null $a))
 (global $z (export "z") (mut (ref null $f)) (ref.null $f))
 (data $d "abcdefghijk") (elem $e func 0 0 0 0)
 (func $at (param i32) (result (ref null $a))
   (if (result (ref null $a)) (local.get 0) (then (global.get $y)) (else (global.get $x))))
 (func $put (param i32 (ref null $a))
   (if (local.get 0) (then (global.set $y (local.get 1))) (else (global.set $x (local.get 1)))))
 (func (export "new") (param i32 i32 i32)
   (call $put (local.get 0) (array.new $a (local.get 1) (local.get 2))))
 (func (export "new_default") (param i32 i32) (call $put (local.get 0) (array.new_default $a (local.get 1))))
 (func (export "new_data") (param i32 i32 i32)
   (call $put (local.get 0) (array.new_data $a $d (local.get 1) (local.get 2))))
 (func (export "set") (param i32 i32 i32)
   (array.set $a (call $at (local.get 0)) (local.get 1) (local.get 2)))
 (func (export "fill") (param i32 i32 i32 i32)
   (array.fill $a (call $at (local.get 0)) (local.get 1) (local.get 2) (local.get 3)))
 (func (export "copy") (param i32 i32 i32 i32 i32)
   (array.copy $a $a (call $at (local.get 0)) (local.get 1) (call $at (local.get 2)) (local.get 3) (local.get 4)))
 (func (export "init_data") (param i32 i32 i32 i32)
   (array.init_data $a $d (call $at (local.get 0)) (local.get 1) (local.get 2) (local.get 3)))
 (func (export "new_elem") (param i32 i32) (global.set $z (array.new_elem $f $e (local.get 0) (local.get 1))))
 (func (export "init_elem") (param i32 i32 i32)
   (array.init_elem $f $e (global.get $z) (local.get 0) (local.get 1) (local.get 2)))
 (func (export "drop") (data.drop $d) (elem.drop $e)))"""

NULL_TRAP, BOUNDS_TRAP = TrapKind.NULL_ARRAY_REFERENCE.value, TrapKind.ARRAY_OUT_OF_BOUNDS.value
DATA_TRAP, ELEM_TRAP = TrapKind.MEMORY_OUT_OF_BOUNDS.value, TrapKind.TABLE_OUT_OF_BOUNDS.value


class Lists:
    """The same operations on Python lists; each gives the text of its trap, or nothing."""

    def __init__(self) -> None:
        self.arrays: list[list[int] | None] = [None, None]
        self.funcs: list[bool] | None = None
        self.data, self.elem = b"abcdefghijk", [True] * 4

    def _numbers(self, i: int, n: int) -> list[int]:
        return [self.data[i + 2 * k] + 256 * self.data[i + 2 * k + 1] for k in range(n)]

    def new(self, k: int, val: int, n: int) -> None:
        self.arrays[k] = [val % 65536] * n

    def new_default(self, k: int, n: int) -> None:
        self.arrays[k] = [0] * n

    def new_data(self, k: int, i: int, n: int) -> str | None:
        if i + 2 * n > len(self.data):
            return DATA_TRAP
        self.arrays[k] = self._numbers(i, n)
        return None

    def set(self, k: int, i: int, val: int) -> str | None:
        found = self.arrays[k]
        if found is None:
            return NULL_TRAP
        if i >= len(found):
            return BOUNDS_TRAP
        found[i] = val % 65536
        return None

    def fill(self, k: int, i: int, val: int, n: int) -> str | None:
        found = self.arrays[k]
        if found is None:
            return NULL_TRAP
        if i + n > len(found):
            return BOUNDS_TRAP
        found[i : i + n] = [val % 65536] * n
        return None

    def copy(self, k1: int, i1: int, k2: int, i2: int, n: int) -> str | None:
        to, of = self.arrays[k1], self.arrays[k2]
        if to is None or of is None:
            return NULL_TRAP
        if i1 + n > len(to) or i2 + n > len(of):
            return BOUNDS_TRAP
        to[i1 : i1 + n] = list(of[i2 : i2 + n])
        return None

    def init_data(self, k: int, i: int, j: int, n: int) -> str | None:
        found = self.arrays[k]
        if found is None:
            return NULL_TRAP
        if i + n > len(found):
            return BOUNDS_TRAP
        if j + 2 * n > len(self.data):
            return DATA_TRAP
        found[i : i + n] = self._numbers(j, n)
        return None

    def new_elem(self, i: int, n: int) -> str | None:
        if i + n > len(self.elem):
            return ELEM_TRAP
        self.funcs = self.elem[i : i + n]
        return None

    def init_elem(self, i: int, j: int, n: int) -> str | None:
        if self.funcs is None:
            return NULL_TRAP
        if i + n > len(self.funcs):
            return BOUNDS_TRAP
        if j + n > len(self.elem):
            return ELEM_TRAP
        self.funcs[i : i + n] = self.elem[j : j + n]
        return None

    def drop(self) -> None:
        self.data, self.elem = b"", []

    @property
    def state(self) -> list[Any]:
        return [*self.arrays, self.funcs]


WHICH, INDEX, COUNT, VALUE = st.integers(0, 1), st.integers(0, 7), st.integers(0, 6), st.integers(0, 2**32 - 1)
OPERATIONS = st.one_of(
    st.tuples(st.just("new"), WHICH, VALUE, COUNT),
    st.tuples(st.just("new_default"), WHICH, COUNT),
    st.tuples(st.just("new_data"), WHICH, INDEX, COUNT),
    st.tuples(st.just("set"), WHICH, INDEX, VALUE),
    st.tuples(st.just("fill"), WHICH, INDEX, VALUE, COUNT),
    st.tuples(st.just("copy"), WHICH, INDEX, WHICH, INDEX, COUNT),
    st.tuples(st.just("init_data"), WHICH, INDEX, INDEX, COUNT),
    st.tuples(st.just("new_elem"), INDEX, COUNT),
    st.tuples(st.just("init_elem"), INDEX, INDEX, COUNT),
    st.tuples(st.just("drop")),
)
START = [("new_data", 0, 0, 5), ("new", 1, 0x12345, 4), ("new_elem", 0, 3)]


def state_of(exports: Any) -> list[Any]:
    found: list[Any] = []
    for name in ("x", "y"):
        array = exports[name].value
        found.append(None if array is None else list(array.fields))
    funcs = exports["z"].value
    return [*found, None if funcs is None else [ref is not None for ref in funcs.fields]]


@given(st.booleans(), st.lists(OPERATIONS, min_size=1, max_size=12))
def test_arrays_behave_as_lists_observed_and_unobserved(started: bool, operations: list[tuple[Any, ...]]) -> None:
    model = Lists()
    machines = [exports_of(LISTS, new_store(observed=observed)) for observed in (False, True)]
    for name, *args in (START if started else []) + operations:
        trapped = getattr(model, name)(*args)
        for exports in machines:
            if trapped is None:
                exports[name](*args)
            else:
                assert trap_of(exports[name], *args) == trapped
            assert state_of(exports) == model.state


# References and casts

VALUES = {
    "null": "(ref.null none)",
    "i31": "(ref.i31 (i32.const 5))",
    "struct": "(struct.new_default $s)",
    "sub": "(struct.new_default $sub)",
    "empty": "(struct.new_default $empty)",
    "array": "(array.new_default $a (i32.const 1))",
    "host": "(any.convert_extern (local.get 0))",
}
MATCHES = {
    "any": {"i31", "struct", "sub", "empty", "array", "host"},
    "eq": {"i31", "struct", "sub", "empty", "array"},
    "i31": {"i31"},
    "struct": {"struct", "sub", "empty"},
    "array": {"array"},
    "none": set(),
    "$s": {"struct", "sub"},
    "$sub": {"sub"},
    "$empty": {"empty"},
    "$a": {"array"},
}


@pytest.mark.parametrize("heaptype", MATCHES)
def test_casts_and_tests_ask_for_the_type(heaptype: str) -> None:
    for null in ("", "null "):
        funcs = "".join(
            f'(func (export "test {name}") (param externref) (result i32) (ref.test (ref {null}{heaptype}) {val}))'
            f'(func (export "cast {name}") (param externref) (drop (ref.cast (ref {null}{heaptype}) {val})))'
            for name, val in VALUES.items()
        )
        exports = exports_of(f"(module {TYPES} {funcs})")
        for name in VALUES:
            matches = bool(null) if name == "null" else name in MATCHES[heaptype]
            assert exports[f"test {name}"]("object") == matches
            if matches:
                exports[f"cast {name}"]("object")
            else:
                assert trap_of(exports[f"cast {name}"], "object") == "cast failure"


def test_types_of_two_modules_are_the_same_if_they_are_equal() -> None:
    store = new_store()
    new = '(module (type $p (struct (field i32))) (func (export "f") (result anyref) (struct.new $p (i32.const 7))))'
    made = exports_of(new, store)["f"]()
    test = """(module (type $q (struct (field i32))) (type $r (struct (field i64)))
      (func (export "q") (param anyref) (result i32) (ref.test (ref $q) (local.get 0)))
      (func (export "r") (param anyref) (result i32) (ref.test (ref $r) (local.get 0))))"""
    exports = exports_of(test, store)
    assert (exports["q"](made), exports["r"](made)) == (1, 0)
