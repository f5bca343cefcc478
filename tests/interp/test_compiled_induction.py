"""Loops with pointers that are stepped along with a counter, against the reference machine: the compiled engine counts
some of them by the index of what they read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from compiled_support import exports_of, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.binary.modules import decode
from interp.compiled.units import Options, source_of
from interp.engine import PAGE, Limits
from interp.validation.modules import validate
from tests_support import parse

FUEL = 300

LOADS = {1: "i32.load8_u", 2: "i32.load16_s", 4: "i32.load", 8: "i64.load"}
STORES = {1: "i32.store8", 2: "i32.store16", 4: "i32.store", 8: "i64.store32"}


def load(width: int, address: str, offset: int) -> str:
    """A number as an i32."""
    text = f"({LOADS[width]} offset={offset} {address})"
    return f"(i32.wrap_i64 {text})" if width == 8 else text


def store(width: int, address: str, offset: int) -> str:
    """A write of the mixture."""
    value = "(i64.extend_i32_u (local.get $h))" if width == 8 else "(local.get $h)"
    return f"({STORES[width]} offset={offset} {address} {value})"


def mixed(text: str) -> str:
    """Let the result depend on an i32."""
    return f"(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) {text}))"


@dataclass(frozen=True)
class Pointer:
    """A local that a loop steps: its name, where it starts, and by what it is stepped."""

    name: str
    start: str
    step: int

    def stepped(self) -> str:
        """Its step."""
        return f"(local.set ${self.name} (i32.add (local.get ${self.name}) (i32.const {self.step})))"

    def stepped_by_way(self) -> str:
        """The same by way of another local."""
        name = self.name
        added = f"(i32.add (local.get ${name}) (i32.const {self.step}))"
        return f"(local.set $w {added}) (local.set ${name} (local.get $w))"


@st.composite
def uses(draw: st.DrawFn, names: list[str]) -> str:
    """A statement that uses one of the locals."""
    name = draw(st.sampled_from(names))
    width, offset = draw(st.sampled_from([1, 2, 4, 4, 8])), draw(st.sampled_from([0, 0, 1, 4, 8, 16, 65520]))
    address = f"(local.get ${name})"
    more = draw(st.sampled_from([0, 0, 8, 64, -4, -16, 3]))
    if more:
        address = f"(i32.add {address} (i32.const {more}))"
    kind = draw(st.sampled_from(["load", "load", "store", "value", "sum"]))
    if kind == "load":
        return mixed(load(width, address, offset))
    if kind == "store":
        return store(width, address, offset)
    if kind == "sum":
        return mixed(load(width, f"(i32.add (local.get $p) {address})", offset))
    return mixed(f"(local.get ${name})")


STARTS = (
    *("(i32.const 0)", "(i32.const 64)", "(i32.const 4294967232)", "(i32.const 3)", "(local.get $p)", "(local.get $n)"),
    *("(i32.add (local.get $p) (i32.const 8))", "(i32.shl (local.get $n) (i32.const 2))"),
)


@st.composite
def loops(draw: st.DrawFn) -> str:
    """A module with a function f(n, p) of one loop."""
    starts = st.sampled_from(STARTS)
    steps = st.sampled_from([1, 2, 4, 8, 16, 12, -1, -4, -8, 3])
    counter = Pointer("i", draw(starts), draw(st.sampled_from([1, 1, -1, -1, 2, 4, 4, 8, -2, -4])))
    pointers = [Pointer(name, draw(starts), draw(steps)) for name in ("q", "r")]
    names = draw(st.sampled_from([["q", "r"], ["q", "r", "i"], ["i"], ["q"]]))
    before = [draw(uses(names)) for _ in range(draw(st.integers(1, 3)))]
    stepping = [draw(st.sampled_from([p.stepped(), p.stepped_by_way()])) for p in pointers]
    after, amid = [[draw(uses(names)) for _ in range(draw(st.integers(0, 1)))] for _ in range(2)]
    i, n = "(local.get $i)", draw(st.sampled_from(["(local.get $n)", "(i32.const 0)", "(i32.const 96)"]))
    ends = [f"(i32.ne {i} {n})", f"(i32.lt_u {i} {n})", f"(i32.lt_s {i} {n})", f"(i32.ne {n} {i})", i]
    tail = draw(st.permutations([*stepping, counter.stepped(), *amid]))
    last = [mixed(f"(local.get ${name})") for name in draw(st.sets(st.sampled_from(["i", "q", "r"])))]
    body = " ".join([*before, *tail, *after, f"(br_if $l {draw(st.sampled_from(ends))})"])
    guard = draw(st.sampled_from(["", f"(br_if $b (i32.eqz {n}))", f"(br_if $b (i32.gt_u {n} (i32.const 4096)))"]))
    inits = " ".join([f"(local.set ${p.name} {p.start})" for p in (counter, *pointers)])
    return (
        '(module (memory (export "memory") 1) (func (export "f") (param $n i32) (param $p i32) (result i32)'
        f" (local $i i32) (local $q i32) (local $r i32) (local $h i32) (local $w i32)"
        f" (block $b {inits} {guard} (loop $l {body})) {' '.join(last)} (local.get $h)))"
    )


def effect(exports: Any, n: int, p: int) -> tuple[Any, bytes]:
    """What a call gives, and what it leaves in a memory of some numbers."""
    memory = exports["memory"]
    memory.write(0, bytes(range(256)) * (PAGE // 256))
    return outcome(exports["f"], n, p), memory.read(0, PAGE)


def check(text: str) -> None:
    """Calls with many bounds and pointers do the same as on the reference machine, limited and not."""
    reference, ours = (exports_of(name, text, Limits(fuel=FUEL)) for name in ("reference", "compiled"))
    free = exports_of("compiled", text)
    for n in (0, 1, 2, 5, 8, 64, 96, 4096, 2**31, 2**32 - 1):
        for p in (0, 4, 8, 6, PAGE - 16, PAGE, 2**32 - 8):
            wanted = effect(reference, n, p)
            assert effect(ours, n, p) == wanted, (n, p)
            if "fuel" not in str(wanted[0]).lower():
                assert effect(free, n, p) == wanted, (n, p)


@settings(max_examples=120, deadline=None)
@given(loops())
def test_loops_do_what_the_reference_machine_does(text: str) -> None:
    check(text)


SUM = """(module (memory (export "memory") 1) (func (export "f") (param $n i32) (param $p i32) (result i32)
  (local $i i32) (local $q i32) (local $h i32)
  (block $b (br_if $b (i32.gt_u (local.get $n) (i32.const 4096))) (br_if $b (i32.eqz (local.get $n)))
  (local.set $q START)
  (loop $l
    (local.set $h (i32.add (local.get $h) (i32.load offset=8 (local.get $q))))
    (local.set $q (i32.add (local.get $q) (i32.const 4)))
    (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
  (local.get $h)))"""


@pytest.mark.parametrize(
    ("start", "read"), [("(i32.const 64)", "w0_72I"), ("(i32.shl (local.get $n) (i32.const 2))", "w0_8I")]
)
def test_a_sum_neither_steps_nor_divides(start: str, read: str) -> None:
    text = SUM.replace("START", start)
    check(text)
    source = source_of(validate(decode(parse(text))), 0, Options()).text
    assert f"{read}[" in source
    assert ">> 2" not in source.partition(" in range")[2]
    assert "+ 4" not in source.partition(" in range")[2]


GROWING = """(module (memory (export "memory") 1 3)
  (func (export "f") (param $n i32) (param $p i32) (result i32)
    (if (local.get $n) (then (drop (memory.grow (local.get $n)))))
    (i32.store offset=65540 (local.get $p) (i32.const 7))
    (i32.add (i32.load offset=65540 (local.get $p)) (i32.load8_u offset=131072 (local.get $p)))))"""


def test_views_that_begin_later_follow_the_growth_of_a_memory() -> None:
    reference, ours = (exports_of(name, GROWING) for name in ("reference", "compiled"))
    calls = [(0, 0), (0, 4), (1, 0), (0, 65528), (0, 65532), (1, 0), (0, 65532), (0, 65535), (0, 4), (0, 2**32 - 4)]
    answers = [(outcome(reference["f"], *call), outcome(ours["f"], *call)) for call in calls]
    assert all(wanted == got for wanted, got in answers), answers
    assert {type(wanted).__name__ for wanted, _ in answers} == {"tuple", "TrapKind"}


BEHIND = """(module (memory (export "memory") 1) (func (export "f") (param $n i32) (param $p i32) (result i32)
  (local $i i32) (local $q i32) (local $h i32)
  (local.set $i (i32.const START)) (local.set $q (i32.const 256))
  (loop $l
    (local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load offset=OFFSET (local.get $i))))
    (local.set $q (i32.add (local.get $q) (i32.const 8)))
    (local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load16_u (local.get $q))))
    (local.set $i (i32.add (local.get $i) (i32.const STEP)))
    (local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load offset=OFFSET (local.get $i))))
    (i32.store (local.get $i) (local.get $h))
    (local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load16_u offset=2 (local.get $q))))
    (br_if $l (i32.ne (local.get $i) (i32.const END))))
  (local.get $h)))"""


@pytest.mark.parametrize(("start", "step", "end"), [(64, 4, 96), (0, 8, 4096), (96, -4, 64), (4294967232, 4, 0)])
@pytest.mark.parametrize("offset", [0, 4, 64])
def test_what_is_stepped_is_used_behind_its_step(start: int, step: int, end: int, offset: int) -> None:
    text = BEHIND.replace("START", str(start)).replace("STEP", str(step)).replace("END", str(end))
    check(text.replace("OFFSET", str(offset)))
