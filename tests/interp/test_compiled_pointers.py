"""Pointers of every alignment: results, traps, fuel, nested calls and backtraces, with views of memory and without."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest
from compiled_support import exports_of, outcome
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from interp.engine import PAGE, Limits
from interp.errors import ExecutionError

START = bytes((11 * k * k + 5 * k + (k >> 7)) & 0xFF for k in range(PAGE))
MIX = "(local.set $h (i64.add (i64.mul (local.get $h) (i64.const 31)) {}))"
ADDRESSES = (0, 4, 8, 16, 64, 1, 2, 3, 6, 12, 65532, 65528, 65530, 65536, -4, -8, -1)

TEXT = """(module (type $t (func (param i32 i32) (result i64))) (memory (export "memory") 1)
  (table funcref (elem $sum $copy $recursive)) (elem declare func $sum)
  (func $sum (export "sum") (type $t) (local $h i64)
    (loop (local.set $h (i64.add (local.get $h) (i64.extend_i32_s (i32.load (local.get 0)))))
      (local.set $h (i64.xor (local.get $h) (i64.load offset=8 (local.get 0))))
      (local.set 0 (i32.add (local.get 0) (i32.const 8)))
      (br_if 0 (i32.lt_u (local.get 0) (i32.and (local.get 1) (i32.const 127)))))
    (local.get $h))
  (func $copy (export "copy") (type $t)
    (i32.store (local.get 0) (i32.load (local.get 1)))
    (i32.store offset=4 (local.get 0) (i32.load offset=4 (local.get 1)))
    (f64.store offset=8 (local.get 0) (f64.load offset=8 (local.get 1)))
    (i32.store16 offset=16 (local.get 0) (i32.load16_u offset=16 (local.get 1))) (i64.load (local.get 0)))
  (func $recursive (export "recursive") (type $t)
    (if (i32.eqz (local.get 1)) (then (return (i64.load (local.get 0)))))
    (i32.store (local.get 0) (local.get 1)) (i32.store offset=4 (local.get 0) (i32.load offset=8 (local.get 0)))
    (i64.add (i64.load (local.get 0))
      (call $recursive (i32.add (local.get 0) (i32.const 6)) (i32.shr_u (local.get 1) (i32.const 1)))))
  (func $tail (export "tail") (type $t)
    (if (i32.eqz (local.get 1)) (then (return (i64.load (local.get 0)))))
    (i32.store (local.get 0) (local.get 1)) (i32.store offset=4 (local.get 0) (i32.load offset=8 (local.get 0)))
    (return_call $tail (i32.add (local.get 0) (i32.const 5)) (i32.shr_u (local.get 1) (i32.const 1))))
  (func (export "calls") (type $t)
    (i64.add (call $sum (local.get 0) (local.get 1)) (i64.add (call $copy (local.get 1) (local.get 0))
      (call $sum (i32.add (local.get 0) (i32.const 1)) (local.get 1)))))
  (func (export "indirect") (type $t)
    (i64.add (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0))
      (call_ref $t (local.get 1) (local.get 0) (ref.func $sum))))
  (func (export "tail of another") (type $t) (return_call $copy (local.get 0) (local.get 1)))
  (func (export "tail, indirect") (type $t) (return_call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 2)))
  (func (export "changed") (type $t) (local $h i64)
    (local.set 0 (i32.add (local.get 0) (i32.const 2)))
    (local.set $h (i64.add (i64.load (local.get 0)) (i64.load (local.get 1))))
    (local.set 1 (i32.xor (local.get 1) (i32.const 2)))
    (i32.store (local.get 1) (i32.load (local.get 0)))
    (i32.store offset=8 (local.get 1) (i32.load offset=4 (local.get 0)))
    (local.get $h))
  (func (export "sums") (type $t) (local $h i64)
    (loop
      (local.set $h (i64.add (local.get $h)
        (i64.load32_u (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 2))))))
      (i32.store (i32.add (i32.mul (local.get 1) (i32.const 12)) (local.get 0)) (local.get 1))
      (br_if 0 (i32.gt_s (local.tee 1 (i32.sub (local.get 1) (i32.const 1))) (i32.const 0))))
    (local.get $h)))"""
NAMES = (
    "sum",
    "copy",
    "recursive",
    "tail",
    "calls",
    "indirect",
    "tail of another",
    "tail, indirect",
    "changed",
    "sums",
)


def result(exports: Any, name: str, args: tuple[int, ...]) -> tuple[Any, bytes, Any]:
    """What a call gives, what it leaves in memory, and where it ended."""
    memory, where = exports["memory"], None
    memory.write(0, START)
    found = outcome(exports[name], *args)
    if not isinstance(found, tuple):
        memory.write(0, START)
        with pytest.raises(ExecutionError) as caught:
            exports[name](*args)
        where = [(frame.name, frame.function) for frame in caught.value.backtrace if frame.offset is not None]
    return found, memory.read(0, PAGE), where


LIMITS = {
    "none": Limits(),
    "fuel": Limits(fuel=40),
    "time": Limits(fuel=10, deadline_seconds=1000),
    "depth": Limits(max_call_depth=4),
    "all": Limits(fuel=7, max_call_depth=3),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("views", [True, False], ids=["views", "none"])
def test_pointers_of_every_alignment(name: str, limits: Limits, views: bool) -> None:
    reference, ours = exports_of("reference", TEXT, limits), exports_of("compiled", TEXT, limits, views=views)
    seconds = (0, 1, 2, 5, 40) if name in ("recursive", "tail", "tail, indirect", "sums") else ADDRESSES
    for args in product(ADDRESSES, seconds):
        assert result(ours, name, args) == result(reference, name, args), args


def test_fuel_is_the_same() -> None:
    for fuel in range(12):
        reference, ours = (exports_of(engine, TEXT, Limits(fuel=fuel)) for engine in ("reference", "compiled"))
        for name, args in product(("sum", "recursive", "calls", "tail"), ((0, 16), (1, 16), (2, 3), (3, 17))):
            assert result(ours, name, args) == result(reference, name, args), (fuel, name, args)


# ---- Functions of any kind.

WIDTHS = ("i32.load", "i32.load", "i64.load", "f64.load", "i32.load16_s", "i64.load32_u", "i32.load8_u")
POINTERS = ("$p", "$p", "$q", "$r")


class Body:
    """Makes up a function with many accesses by its parameters, and by what is computed of them."""

    def __init__(self, random: Random) -> None:
        self.pick = random.choice
        self.below = random.randrange

    def address(self) -> str:
        base = f"(local.get {self.pick(POINTERS)})"
        kind = self.below(6)
        if kind == 0:
            return f"(i32.add {base} (i32.shl (local.get $i) (i32.const {self.pick((1, 2, 3))})))"
        if kind == 1:
            return f"(i32.{self.pick(('add', 'sub'))} {base} (i32.const {self.pick((4, 8, 2, 1))}))"
        return base

    def access(self) -> str:
        offset = self.pick((0, 0, 4, 8, 16, 2, 6, 1))
        width = self.pick(WIDTHS)
        if self.below(2):
            stored = {"i3": "(i32.wrap_i64 (local.get $h))", "i6": "(local.get $h)", "f6": "(f64.const 1.5)"}
            name = width.replace("load", "store").removesuffix("_s").removesuffix("_u")
            return f"({name} offset={offset} {self.address()} {stored[width[:2]]})"
        read = f"({width} offset={offset} {self.address()})"
        extended = {"i3": f"(i64.extend_i32_u {read})", "i6": read, "f6": f"(i64.reinterpret_f64 {read})"}
        return MIX.format(extended[width[:2]])

    def statement(self, depth: int) -> str:
        kind = self.below(12)
        if kind == 0:
            return f"(local.set $r {self.address()})"
        if kind == 1:
            return f"(local.set {self.pick(POINTERS)} (i32.add (local.get $p) (i32.const {self.pick((4, 8, 16, 2))})))"
        if kind == 2 and depth:
            arms = [" ".join([self.statement(depth - 1) for _ in range(2)]) for _ in range(2)]
            return f"(if (i32.and (local.get $i) (i32.const 1)) (then {arms[0]}) (else {arms[1]}))"
        if kind == 3 and depth:
            body = " ".join([self.statement(0) for _ in range(3)])
            step = f"(local.set $p (i32.add (local.get $p) (i32.const {self.pick((4, 8, 12, 2))})))"
            turn = "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4)))"
            return f"(local.set $i (i32.const 0)) (loop {body} {step if self.below(2) else ''} {turn})"
        if kind == 4:
            return f"(local.set $h (i64.add (local.get $h) (call $g (local.get $q) {self.address()})))"
        return self.access()


def module_of(random: Random) -> str:
    """A module with some such functions, which call one of them."""
    functions = []
    for k in range(8):
        body = Body(random)
        code = " ".join([body.statement(2) for _ in range(random.randrange(3, 9))])
        if k == 0:
            code = code.replace("call $g", "call $none")
        functions.append(
            f'(func {"$g" if k == 0 else ""} (export "{k}") (param $p i32) (param $q i32) (result i64)'
            f" (local $r i32) (local $i i32) (local $h i64) {code} (local.get $h))"
        )
    none = "(func $none (param i32 i32) (result i64) (i64.const 3))"
    return f'(module (memory (export "memory") 1) {none} {" ".join(functions)})'


@settings(max_examples=8, deadline=None, phases=(Phase.generate,))
@given(st.integers(0, 2**32))
def test_functions_with_pointers(seed: int) -> None:
    random = Random(seed)  # noqa: S311 — any choice will do
    text = module_of(random)
    reference = exports_of("reference", text)
    ours = [exports_of("compiled", text, limits) for limits in (Limits(), Limits(fuel=500, max_call_depth=50))]
    for k, _ in product(range(8), range(8)):
        args = (random.choice(ADDRESSES), random.choice(ADDRESSES))
        wanted = result(reference, str(k), args)
        for exports in ours:
            assert result(exports, str(k), args) == wanted, (k, args)


WORDS = """(module (memory (export "memory") 1)
  (func (export "load") (param i32) (result i64) (i64.load offset=OFFSET align=4 BASE))
  (func (export "signed") (param i32) (result i32) (i64.lt_s (i64.load offset=OFFSET align=4 BASE) (i64.const 5)))
  (func (export "store") (param i32 i64) (i64.store offset=OFFSET align=4 BASE (local.get 1)))
  (func (export "zero") (param i32) (i64.store offset=OFFSET align=4 BASE (i64.const -4294967290)))
  (func (export "loop") (param i32) (result i64) (local i64) (local i32)
    (loop $l
      (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 3)) (i64.load offset=OFFSET align=4 BASE)))
      (i64.store offset=OFFSET align=4 BASE (local.get 1))
      (local.set 0 (i32.add (local.get 0) (i32.const 4)))
      (br_if $l (i32.ne (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 3))))
    (local.get 1)))"""


@pytest.mark.parametrize("offset", [0, 4, 8, 12, 2])
@pytest.mark.parametrize(
    "base", ["(local.get 0)", "(i32.shl (local.get 0) (i32.const 2))", "(i32.and (local.get 0) (i32.const -4))"]
)
def test_numbers_of_64_bits_that_lie_at_words(base: str, offset: int) -> None:
    text = WORDS.replace("OFFSET", str(offset)).replace("BASE", base)
    reference, ours = (exports_of(name, text) for name in ("reference", "compiled"))
    places = [*range(16), 16380, 16381, 16382, 16383, *range(PAGE - 24, PAGE + 2), 2**32 - 4, 2**32 - 1, 2**30 + 1]
    for place in places:
        for name, more in (
            ("load", ()),
            ("signed", ()),
            ("store", (0x8000_0001_8000_0002,)),
            ("zero", ()),
            ("loop", ()),
        ):
            answers = []
            for exports in (reference, ours):
                exports["memory"].write(0, bytes(range(1, 255)) * (PAGE // 254))
                answers.append((outcome(exports[name], place, *more), exports["memory"].read(0, PAGE)))
            assert answers[0] == answers[1], (name, place)
