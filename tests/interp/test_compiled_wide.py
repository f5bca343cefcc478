"""Counters that inner loops step and only code outside reads: in between they may leave the range of their type."""

from __future__ import annotations

from itertools import product

import pytest
from compiled_support import exports_of, outcome

from interp.binary.modules import decode
from interp.compiled.python_lines import Options
from interp.compiled.python_wide import WIDE
from interp.compiled.units import source_of
from interp.validation.modules import validate
from tests_support import parse

USES = {
    "result": "(local.get $c)",
    "less, signed": "{truth}({t}.lt_s (local.get $c) ({t}.const 5)){end}",
    "less, unsigned": "{truth}({t}.lt_u (local.get $c) ({t}.const 5)){end}",
    "zero": "{truth}({t}.eqz (local.get $c)){end}",
    "equal": "{truth}({t}.eq (local.get $c) (local.get $d)){end}",
    "sum": "({t}.add (local.get $c) (local.get $d))",
    "product": "({t}.mul (local.get $c) (local.get $c))",
    "quotient": "({t}.div_u (local.get $c) ({t}.const 7))",
    "rotation": "({t}.rotl (local.get $c) ({t}.const 5))",
    "shift right": "({t}.shr_s (local.get $c) ({t}.const 3))",
    "shift left": "({t}.shl (local.get $c) (local.get $c))",
    "mask": "({t}.and (local.get $c) ({t}.const 0xff))",
    "choice": "(select (local.get $c) (local.get $d) ({t}.eqz ({t}.and (local.get $c) ({t}.const 1))))",
    "copy": "(local.set $d (local.get $c)) (local.get $d)",
    "step": "({t}.add (local.get $c) ({t}.const 1))",
    "condition": "(if (result {t}) ({t}.lt_u (local.get $c) (local.get $d)) (then (local.get $c)) "
    "(else (local.get $d)))",
    "memory": "({t}.store (i32.const 8) (local.get $c)) ({t}.load (i32.const 8))",
}
STEPS = (1, 3, 0x3FFF_FFFF)
STARTS = (0, 5, 0x7FFF_FFF0, 0xFFFF_FFF0, 0xFFFF_FFFF_FFFF_FFF0)


def text(t: str, use: str, start: int, step: int) -> str:
    """A module with a function that steps a counter `n` times in each of two turns of an outer loop."""
    start &= (1 << int(t[1:])) - 1
    truth, end = ("(i64.extend_i32_u ", ")") if t == "i64" else ("", "")
    use = use.format(t=t, truth=truth, end=end)
    return f"""(module (memory 1)
      (func (export "f") (param $n i32) (result {t}) (local $c {t}) (local $d {t}) (local $i i32) (local $k i32)
        (local $sum {t})
        (local.set $d ({t}.const 12))
        (loop $outer
          (local.set $c ({t}.const {start}))
          (local.set $i (local.get $n))
          (loop $inner
            (local.set $c ({t}.add (local.get $c) ({t}.const {step})))
            (local.set $i (i32.shr_u (local.get $i) (i32.const 1)))
            (br_if $inner (local.get $i)))
          (local.set $sum ({t}.xor (local.get $sum) (block (result {t}) {use})))
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $outer (i32.lt_u (local.get $k) (i32.and (local.get $n) (i32.const 3)))))
        (local.get $sum)))"""


@pytest.mark.parametrize("t", ["i32", "i64"])
@pytest.mark.parametrize("use", USES)
def test_what_is_read_is_in_range(use: str, t: str) -> None:
    for start, step in product(STARTS, STEPS):
        module = text(t, USES[use], start, step)
        reference, ours = exports_of("reference", module)["f"], exports_of("compiled", module)["f"]
        for n in (1, 2, 3, 0x1FFFF, 0xFFFF_FFFF):
            assert outcome(ours, n) == outcome(reference, n), (start, step, n)


def test_the_step_has_no_test() -> None:
    source = source_of(validate(decode(parse(text("i32", USES["sum"], 0, 1)))), 0, Options()).text
    lines = [line.strip() for line in source.splitlines()]
    step = next(number for number, line in enumerate(lines) if line.startswith("l1") and line.endswith(" + 1"))
    assert not lines[step + 1].startswith("if l1")


def test_a_counter_may_leave_the_range_for_as_long_as_anybody_waits() -> None:
    assert WIDE >> 30 >= 1 << 32
