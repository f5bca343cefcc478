"""Loops: what counts up or down to a bound, from starts that wrap around too, and bodies of all kinds, against the
reference machine. The compiled engine counts some loops by Python's range and knows bounds of what they step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from random import Random
from typing import Any

import pytest
from compiled_support import exports_of, outcome
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from interp.engine import PAGE, Limits
from interp.errors import ExhaustionKind

FUEL = 60
"""Enough for a loop that ends soon; the others are compared by where their fuel ends."""

HEAD = "(param $v T) (param $b T) (param $s T) (result i64) (local $h i64) (local $w T) (local $u T)"
MIX = "(local.set $h (i64.add (i64.mul (local.get $h) (i64.const 31)) {extended}))"


def mix(t: str, text: str) -> str:
    """Let the result depend on a value."""
    return MIX.format(extended=text if t == "i64" else f"(i64.extend_i32_u {text})")


def check(functions: dict[str, str], calls: Iterable[tuple[Any, ...]]) -> None:
    """Each call, with an empty memory: with fuel; and if it ends, without any limits too, which makes other code."""
    text = f'(module (memory (export "memory") 1) {" ".join(functions.values())})'
    reference, ours = (exports_of(name, text, Limits(fuel=FUEL)) for name in ("reference", "compiled"))
    free = exports_of("compiled", text)
    for call in calls:
        wanted = effect(reference, call)
        assert effect(ours, call) == wanted, (functions[call[0]], call)
        if wanted[0] is not ExhaustionKind.FUEL:
            assert effect(free, call) == wanted, (functions[call[0]], call)


def effect(exports: Any, call: tuple[Any, ...]) -> tuple[Any, bytes]:
    """What a call gives, and what it leaves in a memory of zeros."""
    memory = exports["memory"]
    memory.write(0, bytes(PAGE))
    return outcome(exports[call[0]], *call[1:]), memory.read(0, PAGE)


# ---- Loops that count, one by one.

ENDS = {
    "v != b": "(T.ne (local.get $v) (local.get $b))",
    "b != v": "(T.ne (local.get $b) (local.get $v))",
    "not v == b": "(i32.eqz (T.eq (local.get $v) (local.get $b)))",
    "v": "(T.ne (local.get $v) (T.const 0))",
    "v != 7": "(T.ne (local.get $v) (T.const 7))",
    "v + w != 40": "(T.ne (T.add (local.get $v) (local.get $b)) (T.const 40))",
    "v <u b": "(T.lt_u (local.get $v) (local.get $b))",
    "b >u v": "(T.gt_u (local.get $b) (local.get $v))",
    "v <=u b": "(T.le_u (local.get $v) (local.get $b))",
    "v >u b": "(T.gt_u (local.get $v) (local.get $b))",
    "v <s b": "(T.lt_s (local.get $v) (local.get $b))",
    "v >=s b": "(T.ge_s (local.get $v) (local.get $b))",
    "v <s 20": "(T.lt_s (local.get $v) (T.const 20))",
    "v >s 0": "(T.gt_s (local.get $v) (T.const 0))",
}
"""What must hold for another turn."""

STEPS = {
    "v + 1": "(T.add (local.get $v) (T.const 1))",
    "v - 1": "(T.sub (local.get $v) (T.const 1))",
    "v + 4": "(T.add (local.get $v) (T.const 4))",
    "v - 4": "(T.add (local.get $v) (T.const -4))",
    "v + 3": "(T.add (local.get $v) (T.const 3))",
    "v + s": "(T.add (local.get $v) (local.get $s))",
}

SHAPES = {
    "do": "(loop {body} (local.set $v {step}) (br_if 0 {again}))",
    "while": "(block (loop (br_if 1 (i32.eqz {again})) {body} (local.set $v {step}) (br 0)))",
    "if and do": "(if {again} (then (loop {body} (local.set $v {step}) (br_if 0 {again}))))",
    "masked": "(local.set $v (T.and (local.get $v) (T.const -4))) (local.set $b (T.and (local.get $b) (T.const -4)))"
    " (loop {body} (local.set $v {step}) (br_if 0 {again}))",
    "rest behind": "(loop (local.set $v {step}) {body} (br_if 0 {again}) " + MIX.format(extended="(i64.const 5)") + ")",
}

BODIES = {
    "seen": "{mix}",
    "stores": "{mix} (i32.store8 {address} (i32.const 7)) (local.set $u (T.add (local.get $u) (T.const 4)))",
}


def counting(name: str, t: str, step: str) -> str:
    """One loop as a function."""
    end, shape, body = name.split("; ")
    address = "(local.get $v)" if t == "i32" else "(i32.wrap_i64 (local.get $v))"
    inner = BODIES[body].format(mix=mix(t, "(local.get $v)"), address=address)
    text = SHAPES[shape].format(body=inner, step=STEPS[step], again=ENDS[end])
    last = mix(t, "(local.get $v)") + mix(t, "(local.get $u)")
    return f'(func (export "{name}") {HEAD} {text} {last} (local.get $h))'.replace("T.", f"{t}.").replace(" T", f" {t}")


@pytest.mark.parametrize("t", ["i32", "i64"])
@pytest.mark.parametrize("step", STEPS)
def test_loops_that_count(t: str, step: str) -> None:
    names = list(map("; ".join, product(ENDS, SHAPES, BODIES)))
    top = 1 << int(t[1:])
    pairs = [(0, 12), (12, 0), (5, 5), (top - 9, 3), (3, top - 9), (top // 2 - 8, top // 2 + 4)]
    steps = (0,) if step != "v + s" else (2, 0, top - 2)
    calls = [(name, *pair, s) for name, pair, s in product(names, pairs[: 5 if len(steps) == 1 else 2], steps)]
    check({name: counting(name, t, step) for name in names}, calls)


BOUNDS = """
  (func (export "negative") (param $v i32) (param $b i32) (result i32) (local $n i32) (local $w i32)
    (block (loop (local.set $n (i32.add (local.get $n) (i32.const 7))) (br_if 1 (i32.eq (local.get $n) (i32.const 56)))
      (local.set $w (i32.add (local.get $w) (i32.const 1))) (br_if 0 (i32.gt_s (i32.const -4) (local.get $w)))))
    (i32.add (local.get $n) (local.get $w)))
  (func (export "zero") (param $v i32) (param $b i32) (result i32) (local $n i32)
    (block (loop (br_if 1 (i32.eq (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 8)))
      (br_if 0 (local.tee $v (i32.add (local.get $v) (i32.const 1))))))
    (i32.store (local.get $v) (i32.const 1)) (local.get $v))
  (func (export "signed") (param $v i32) (param $b i32) (result i32) (local $n i32)
    (block (loop (br_if 1 (i32.eq (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 8)))
      (i32.store8 (i32.and (local.get $v) (i32.const 0xffff)) (local.get $n))
      (local.set $v (i32.add (local.get $v) (i32.const 1))) (br_if 0 (i32.lt_s (local.get $v) (local.get $b)))))
    (local.get $v))
  (func (export "masked") (param $v i32) (param $b i32) (result i32) (local $n i32)
    (local.set $v (i32.and (local.get $v) (i32.const 0xffff)))
    (block (loop (br_if 1 (i32.eq (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 8)))
      (i32.store8 (local.get $v) (local.get $n))
      (local.set $v (i32.sub (local.get $v) (i32.const 1))) (br_if 0 (i32.ge_s (local.get $v) (local.get $b)))))
    (local.get $v))"""


def test_bounds_at_the_ends_of_the_range() -> None:
    numbers = (0, 1, 2, 5, 65535, 2**31 - 1, -(2**31), -1, -2, -5)
    names = ("negative", "zero", "signed", "masked")
    check({name: BOUNDS if name == "zero" else "" for name in names}, list(product(names, numbers, numbers)))


# ---- Loops of any kind.

NAMES = ("v", "b", "s", "w", "u")
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 100, -1, -4, 65530, 65536, 2**31 - 1, -(2**31))
STEPPED = ("(i32.const 1)", "(i32.const -1)", "(i32.const 4)", "(i32.const 3)", "(local.get $s)")
RELATIONS = ("eq", "ne", "lt_u", "lt_s", "gt_u", "gt_s", "le_u", "le_s", "ge_u", "ge_s")


class Bodies:
    """Makes up code with loops; each loop steps a local, and most end after some turns whatever happens."""

    def __init__(self, random: Random) -> None:
        self.pick = random.choice
        self.below = random.randrange
        self.loops = 0

    def get(self) -> str:
        return f"(local.get ${self.pick(NAMES)})"

    def operand(self) -> str:
        return self.get() if self.below(3) else f"(i32.const {self.pick(NUMBERS)})"

    def value(self) -> str:
        op = self.pick(("add", "sub", "and", "shl", "shr_u", "mul", "xor", "rotl"))
        return f"(i32.{op} {self.get()} {self.operand()})" if self.below(2) else self.operand()

    def condition(self, name: str = "") -> str:
        left = f"(local.get ${name})" if name else self.value()
        text = f"(i32.{self.pick(RELATIONS)} {left} {self.operand()})"
        if self.below(4) == 0:
            text = f"(i32.{self.pick(RELATIONS)} {self.operand()} {left})"
        return f"(i32.eqz {text})" if self.below(4) == 0 else text

    def step(self, name: str) -> str:
        amount = self.pick(STEPPED)
        return f"(local.set ${name} (i32.{self.pick(('add', 'add', 'sub'))} (local.get ${name}) {amount}))"

    def loop(self, depth: int) -> str:
        """A loop whose label is `$l`, with the turns counted by a local of its own."""
        self.loops += 1
        cap, name, n = f"$c{self.loops}", self.pick("vwu"), self.loops
        start = f"(local.set ${name} {self.operand()})" if self.below(2) else ""
        parts = [self.statement(depth - 1, n) for _ in range(1 + self.below(3))]
        limit = f"(br_if $o{n} (i32.eq (local.tee {cap} (i32.add (local.get {cap}) (i32.const 1))) (i32.const 8)))"
        body = " ".join([*parts, *([limit] if self.below(4) else [])])
        step, again = self.step(name), self.condition(name)
        shape = self.below(4)
        if shape == 0:
            inside = f"(br_if $o{n} {again}) {body} {step} (br $l{n})"
        elif shape == 1:
            inside = f"{step} {body} (br_if $l{n} {again})"
        elif shape == 2:
            inside = f"(if {again} (then {body} {step} (br $l{n})))"
        else:
            inside = f"{body} {step} (br_if $l{n} {again})"
        return f"(local.set {cap} (i32.const 0)) {start} (block $o{n} (loop $l{n} {inside}))"

    def statement(self, depth: int, loop: int) -> str:
        """One statement inside of the loop of this number; a loop only where depth is left."""
        if depth > 0 and self.below(5) == 0:
            return self.loop(depth)
        kinds = (self.seen, self.seen, self.store, self.load, self.stepped, self.set, self.branch, self.if_)
        return self.pick(kinds)(loop)

    def seen(self, _: int) -> str:
        return mix("i32", self.value())

    def store(self, _: int) -> str:
        return f"(i32.store{self.pick(('8', '16', ''))} {self.get()} {self.operand()})"

    def load(self, _: int) -> str:
        return mix("i32", f"(i32.load{self.pick(('8_u', '16_s', ''))} (i32.and {self.get()} (i32.const 0xffff)))")

    def stepped(self, _: int) -> str:
        return self.step(self.pick("wuwubv"))

    def set(self, _: int) -> str:
        return f"(local.set ${self.pick('wuwubv')} {self.value()})"

    def branch(self, loop: int) -> str:
        return f"(br_if ${self.pick('loo')}{loop} {self.condition()})"

    def if_(self, loop: int) -> str:
        then, otherwise = (self.statement(0, loop) for _ in range(2))
        return f"(if {self.condition()} (then {then}) (else {otherwise}))"


def made_up(name: str, random: Random) -> str:
    """A function with a loop or two, with more loops in them perhaps."""
    bodies = Bodies(random)
    code = " ".join([bodies.loop(2) for _ in range(random.randrange(1, 3))])
    caps = " ".join([f"(local $c{n} i32)" for n in range(1, bodies.loops + 1)])
    last = " ".join([mix("i32", f"(local.get ${each})") for each in NAMES])
    return f'(func (export "{name}") {HEAD.replace(" T", " i32")} {caps} {code} {last} (local.get $h))'


@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@given(st.integers(0, 2**32))
def test_loops_of_any_kind(seed: int) -> None:
    random = Random(seed)  # noqa: S311 — any choice will do
    functions = {str(k): made_up(str(k), random) for k in range(12)}
    check(functions, [(name, *random.choices(NUMBERS, k=3)) for name in functions for _ in range(10)])
