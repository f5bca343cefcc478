"""Reads of memory that stand where their values are used: they keep their order to all that writes, and a trap leads to
the very instruction.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from compiled_support import exports_of, outcome

from interp.binary.modules import decode
from interp.compiled.python_lines import Options
from interp.compiled.units import source_of
from interp.engine import PAGE
from interp.errors import Trap
from interp.validation.modules import validate
from tests_support import parse

END = PAGE - 4
VALUES = (0, 1, 4, 7, 100, END - 8, END - 4, END, END + 1, END + 4, PAGE, 1 << 31, (1 << 32) - 4)


def function(body: str, locals_: str = "") -> str:
    """A function of two addresses."""
    return f'(func (export "f") (param $a i32) (param $b i32) (result i64) {locals_} {body})'


A, B = "(i32.load (local.get $a))", "(i32.load (local.get $b))"
BODIES = {
    "sum": f"(i64.extend_i32_u (i32.add {A} {B}))",
    "copy": f"(i32.store (local.get $b) {A}) (i64.load (local.get $a))",
    "sum that is stored": f"(i32.store offset=8 (local.get $a) (i32.mul {A} {B})) (i64.load (local.get $a))",
    "step": f"(i32.store (local.get $b) (i32.add {A} (i32.const 1))) (i64.load32_s (local.get $b))",
    "step to the end": f"(i32.store (local.get $b) (i32.add {A} (i32.const 0x3fffffff))) (i64.load32_s (local.get $b))",
    "bytes": "(i32.store8 (local.get $b) (i32.load16_u (local.get $a))) (i64.load (local.get $b))",
    "floats": "(f64.store (local.get $b) (f64.load (local.get $a))) (i64.load (local.get $b))",
    "single floats": "(f32.store (local.get $b) (f32.load (local.get $a))) (i64.load32_u (local.get $b))",
    "single float at a long way": "(f32.store (i32.trunc_sat_f32_s (f32.neg (f32.convert_i64_s (i64.extend_i32_u "
    "(local.get $a))))) (f32.load (local.get $b))) (i64.load32_u (local.get $b))",
    "pointer to pointer": f"(i64.load (i32.load {A}))",
    "write between": f"{A} (i32.store (local.get $a) (i32.const 77)) {B} i32.sub i64.extend_i32_s",
    "call between": f"{A} (call $write (local.get $b)) {B} i32.sub i64.extend_i32_s",
    "growth between": f"{A} (drop (memory.grow (i32.const 0))) {B} i32.xor i64.extend_i32_s",
    "address changed": f"{A} (local.set $a (local.get $b)) {A} i32.sub i64.extend_i32_s",
    "condition": f"(if (result i64) (i32.lt_u {A} {B}) (then (i64.load (local.get $b))) (else (i64.const 5)))",
    "choice": f"(i64.extend_i32_u (select {A} {B} (i32.and (local.get $a) (i32.const 4))))",
    "used twice": f"(local.set $c {A}) (i64.extend_i32_u (i32.add (i32.mul (local.get $c) (local.get $c)) {B}))",
}


def text(body: str) -> str:
    """A module with one such function, and a memory with numbers in it."""
    data = "".join(f"\\{(11 * k * k + 5 * k) & 0xFF:02x}" for k in range(256))
    return f"""(module (memory 1) (data (i32.const 0) "{data}")
      (func $write (param i32) (i32.store (local.get 0) (i32.const 99)))
      {function(body, "(local $c i32)")})"""


def result(engine: str, text: str, args: tuple[int, ...], **options: bool) -> tuple[Any, Any]:
    """What a call gives in a new instance, and for a trap the byte offsets of the instructions that it went through."""
    found = outcome(exports_of(engine, text, **options)["f"], *args)
    where: Any = None
    if not isinstance(found, tuple):
        with pytest.raises(Trap) as caught:
            exports_of(engine, text, **options)["f"](*args)
        where = [(frame.function, frame.offset) for frame in caught.value.backtrace]
    return found, where


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("views", [True, False], ids=["views", "none"])
def test_results_and_places_of_traps(name: str, views: bool) -> None:
    module = text(BODIES[name])
    for args in product(VALUES, VALUES[::2]):
        assert result("compiled", module, args, views=views) == result("reference", module, args), args


def test_reads_stand_where_they_are_used() -> None:
    valid = validate(decode(parse(text(BODIES["sum that is stored"]))))
    source = source_of(valid, 1, Options())
    lines = dict(zip(source.text.splitlines(), source.offsets, strict=True))
    store, first, second, _ = (lines[line] for line in lines if "a0" in line)
    assert first < second < store


RANGES = {"within": (0x7FFF, PAGE), "beyond": (0x8000, PAGE), "of a larger memory": (0xFFFF, 2 * PAGE)}


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("operation", ["memory.copy", "memory.fill"])
def test_ranges_are_tested_unless_the_least_memory_has_them(name: str, operation: str) -> None:
    mask, size = RANGES[name]
    second = "(i32.and (local.get $b) (i32.const 0x7fff))" if operation == "memory.copy" else "(local.get $b)"
    module = f"""(module (memory {size // PAGE})
      (func (export "f") (param $a i32) (param $b i32) (result i64)
        ({operation} (i32.and (local.get $a) (i32.const {mask})) {second}
          (i32.and (local.get $b) (i32.const 0x8001)))
        (i64.load (i32.const 0))))"""
    for args in product((0, 1, 0x7FFF, 0x8000, 0xFFFF), (0, 1, 0x7FFF, 0x8000, 0x8001)):
        assert result("compiled", module, args) == result("reference", module, args), args
