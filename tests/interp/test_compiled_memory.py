"""Loads and stores: every one with addresses of many forms (aligned as far as is known or not, with offsets, beyond the
end), against a model of the memory that is compared as a whole after each call; and sequences of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from mmap import mmap
from random import Random
from typing import Any

import pytest
from compiled_support import FLOATS, WIDTH, assert_same, compiled, exports_of, from_bits, outcome, store_of, to_bits
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from interp.engine import Limits
from interp.errors import TrapKind
from interp.execution.values import ibytes
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import I32, AddrType, FuncType, GlobalType, MemType
from interp.syntax.types import Limits as Size

ROWS = {op.mnemonic: op for op in OPS if op.kind in ("load", "store", "vload", "vstore", "vload_lane", "vstore_lane")}
SIZE = 65536
START = bytes((7 * k * k + 13 * k + (k >> 8)) & 0xFF for k in range(SIZE))

ADDRESSES: dict[str, tuple[str, Callable[[int], int]]] = {
    "x": ("(local.get 0)", lambda x: x),
    "x - 4": ("(i32.sub (local.get 0) (i32.const 4))", lambda x: x - 4),
    "x + 0xfffffff0": ("(i32.add (local.get 0) (i32.const 0xfffffff0))", lambda x: x - 16),
    "x + 3": ("(i32.add (local.get 0) (i32.const 3))", lambda x: x + 3),
    "x << 2": ("(i32.shl (local.get 0) (i32.const 2))", lambda x: x << 2),
    "x << 4": ("(i32.shl (local.get 0) (i32.const 4))", lambda x: x << 4),
    "(x << 3) + 4": ("(i32.add (i32.shl (local.get 0) (i32.const 3)) (i32.const 4))", lambda x: (x << 3) + 4),
    "(x << 3) - 8": ("(i32.sub (i32.shl (local.get 0) (i32.const 3)) (i32.const 8))", lambda x: (x << 3) - 8),
    "x * 8": ("(i32.mul (local.get 0) (i32.const 8))", lambda x: x * 8),
    "x & -8": ("(i32.and (local.get 0) (i32.const -8))", lambda x: x & -8),
    "x & 0xfffc": ("(i32.and (local.get 0) (i32.const 0xfffc))", lambda x: x & 0xFFFC),
    "x >> 1": ("(i32.shr_u (local.get 0) (i32.const 1))", lambda x: x >> 1),
    "(x >> 20) << 3": ("(i32.shl (i32.shr_u (local.get 0) (i32.const 20)) (i32.const 3))", lambda x: x >> 20 << 3),
    "x & -4, a local": ("(local.tee 2 (i32.and (local.get 0) (i32.const -4)))", lambda x: x & -4),
    "64": ("(i32.const 64)", lambda _: 64),
    "65535": ("(i32.const 65535)", lambda _: 65535),
    "-1": ("(i32.const -1)", lambda _: -1),
}
"""Forms of addresses, of the parameter x."""

OFFSETS = (0, 1, 4, 8, 65528, 0xFFFFFFFF)


def is_store(op: Op) -> bool:
    return "store" in op.kind


def lane_of(op: Op) -> tuple[int, ...]:
    """A lane, for those that have one."""
    return (128 // op.params[1] - 1,) if op.kind.endswith("_lane") else ()


def function(op: Op, form: str, offset: int) -> str:
    """The access as an exported function; the second parameter is what it takes beside the address."""
    text, _ = ADDRESSES[form]
    t = op.params[0]
    takes = "(local.get 1)" if is_store(op) or lane_of(op) else ""
    result = "" if is_store(op) else f"(result {t})"
    lane = "".join(map(str, lane_of(op)))
    body = f"({op.mnemonic} offset={offset} {lane} {text} {takes})"
    return f'(func (export "{op.mnemonic} {form} {offset}") (param i32 {t}) {result} (local i32) {body})'


def load(op: Op, raw: int, value: Any) -> int:
    """The bits that a load gives of what stands in memory; `value` is what a lane is replaced in."""
    t, width = op.params[:2]
    if op.kind == "load":
        signed = not isinstance(op.params[2], bool) or not op.params[2] or raw < 1 << width - 1
        return raw if signed else raw - (1 << width) + (1 << WIDTH[t])
    if op.sem is None:
        return raw
    found: int = op.sem(op.params[2], *lane_of(op), value, raw) if lane_of(op) else op.sem(*op.params[3:], raw)
    return found


def stored(op: Op, value: Any) -> bytes:
    """The bytes that a store writes."""
    t, width = op.params[:2]
    bits = op.sem(op.params[2], *lane_of(op), value) if op.sem is not None else to_bits(t, value)
    return ibytes(width, bits % (1 << width))


class Model:
    """The instance, and what its memory must be."""

    def __init__(self, exports: Any) -> None:
        self.exports = exports
        self.memory = exports["memory"]
        self.bytes = bytearray(START)
        self.memory.write(0, START)

    def check(self, op: Op, form: str, offset: int, x: int, value: Any) -> None:
        """A call does what the model says, and nothing else."""
        address = ADDRESSES[form][1](x) % (1 << 32) + offset
        n = op.params[1] // 8
        wanted: Any = TrapKind.MEMORY_OUT_OF_BOUNDS
        if address + n <= SIZE:
            if is_store(op):
                self.bytes[address : address + n] = stored(op, value)
                wanted = ()
            else:
                wanted = (load(op, int.from_bytes(self.bytes[address : address + n], "little"), value),)
        where = (op.mnemonic, form, offset, hex(x), value)
        assert outcome(self.exports[f"{op.mnemonic} {form} {offset}"], x, value) == wanted, where
        assert self.memory.read(0, SIZE) == self.bytes, where


@cache
def text() -> str:
    """All accesses."""
    functions = [function(op, form, offset) for op in ROWS.values() for form in ADDRESSES for offset in OFFSETS]
    return f'(module (memory (export "memory") 1) {" ".join(functions)})'


@cache
def model(views: bool) -> Model:
    """One instance for all accesses, by views of memory or without."""
    return Model(exports_of("compiled", text(), views=views))


def places(random: Random) -> Iterator[int]:
    """Values of x: with every alignment, about the end, about 0, and anything."""
    yield from (
        random.randrange(2000),
        8 * random.randrange(1000),
        65536 - random.randrange(20),
        8192 - random.randrange(3),
    )
    yield random.choice((random.getrandbits(32), random.randrange(20), (1 << 32) - random.randrange(1, 40)))


def values(op: Op, random: Random) -> Any:
    """A value of the type of an access; a NaN with bits of its own sometimes."""
    t = op.params[0]
    bits = random.getrandbits(WIDTH[t])
    if t in FLOATS and random.random() < 0.4:
        bits = random.choice((0x7FA00001, 0xFFC00003, 0x7FC00000)) << (WIDTH[t] - 32)
    return from_bits(t, bits)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_each_access(name: str) -> None:
    run(name, model(True), 5)


@pytest.mark.parametrize("name", sorted(ROWS)[::3])
def test_each_access_where_views_are_of_no_use(name: str) -> None:
    """As on a big-endian host."""
    run(name, model(False), 2)


def run(name: str, model: Model, n: int) -> None:
    """Some calls of all functions of a row."""
    op, random = ROWS[name], Random(name)  # noqa: S311 — any choice will do
    for form in ADDRESSES:
        for offset in OFFSETS:
            for x in list(places(random))[-n:]:
                model.check(op, form, offset, x, values(op, random))


# ---- Sequences: what is computed of an address once is used again, as long as it holds.

INTEGER_LOADS = [op for op in ROWS.values() if op.kind == "load" and op.params[0] is I32]
INTEGER_STORES = [op for op in ROWS.values() if op.kind == "store" and op.params[0] is I32]
FORMS = ("{}", "{}", "{}", "(i32.add {} (i32.const 8))", "(i32.and {} (i32.const -4))", "(i32.shl {} (i32.const 2))")


@st.composite
def sequences(draw: st.DrawFn) -> str:
    """Accesses by a few locals that are changed between them; the result mixes all that was read."""
    lines = []
    for _ in range(draw(st.integers(3, 14))):
        base = f"(local.get {draw(st.sampled_from([0, 0, 1]))})"
        address = draw(st.sampled_from(FORMS)).format(base)
        offset = draw(st.sampled_from([0, 0, 4, 8, 2, 1, 65000]))
        kind = draw(st.integers(0, 9))
        target = draw(st.sampled_from([0, 1, 2, 2, 2]))
        if kind < 5:
            read = f"({draw(st.sampled_from(INTEGER_LOADS)).mnemonic} offset={offset} {address})"
            if target == 2:
                lines.append(f"(local.set 2 (i32.add (i32.mul (local.get 2) (i32.const 31)) {read}))")
            else:
                lines.append(f"(local.set {target} (i32.and {read} (i32.const 0xfff)))")
        elif kind < 8:
            value = draw(st.sampled_from(["(local.get 2)", "(local.get 1)", "(i32.const -2)", "(i32.const 77)"]))
            lines.append(f"({draw(st.sampled_from(INTEGER_STORES)).mnemonic} offset={offset} {address} {value})")
        elif kind == 8:
            step = draw(st.sampled_from([4, 1, -4, 8]))
            lines.append(f"(local.set {target} (i32.add (local.get {target}) (i32.const {step})))")
        else:
            lines.append(f"(if (i32.and (local.get 2) (i32.const 1)) (then {lines[-1] if lines else ''}))")
    return f"(param i32 i32) (result i32) (local i32) {' '.join(lines)} (local.get 2)"


BASES = st.sampled_from([0, 4, 16, 7, 30, 65532, 65530, 65536, -4, -1])


@settings(max_examples=8, deadline=None, phases=(Phase.generate,))
@given(st.lists(sequences(), min_size=10, max_size=10), st.lists(st.tuples(BASES, BASES), min_size=5, max_size=5))
def test_sequences(bodies: list[str], operands: list[tuple[int, int]]) -> None:
    data = "".join(f"\\{b:02x}" for b in START[:512])
    functions = " ".join(f'(func (export "{k}") {body})' for k, body in enumerate(bodies))
    calls = [(str(k), *args) for k in range(len(bodies)) for args in operands]
    assert_same(f'(module (memory (export "memory") 1) (data (i32.const 0) "{data}") {functions})', calls)


# ---- Sizes: while they change, of several memories, of addresses of 64 bits.

GROWING = """(module (import "h" "grow" (func $grow (param i32))) (memory (export "memory") 1 40)
  (func (export "in-a-loop") (param i32) (result i32) (local i32 i32)
    (loop
      (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (local.get 1))
      (i64.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 12)) (i64.const 0x0102030405060708))
      (local.set 2 (i32.add (local.get 2) (memory.grow (i32.const 1))))
      (f64.store offset=8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 24)) (f64.const 1.5))
      (local.set 2 (i32.add (local.get 2)
        (i32.load16_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 2)))))
      (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
    (local.get 2))
  (func (export "by-the-host") (param i32) (result i32)
    (i32.store (i32.const 65532) (i32.const 7))
    (call $grow (local.get 0))
    (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 9))
    (i32.add (i32.load (i32.const 65532)) (i32.load (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)))))
  (func $inner (param i32) (result i32) (drop (memory.grow (i32.const 2))) (i32.load (local.get 0)))
  (func (export "by-a-callee") (param i32) (result i32)
    (i32.store (i32.const 0) (call $inner (i32.const 65532)))
    (i32.add (i32.load (i32.const 0)) (i32.load (local.get 0)))))"""


GROWING_CALLS = (
    ("by-the-host", 3), ("in-a-loop", 5), ("by-a-callee", 0), ("in-a-loop", 40), ("by-the-host", 1),
    ("by-a-callee", 30 << 16), ("by-a-callee", (30 << 16) - 4),
)  # fmt: skip


def test_growing_while_views_are_in_use() -> None:
    outcomes = []
    for name in ("reference", "compiled"):
        store = store_of(name, Limits(max_memory_pages=30))
        exports: dict[str, Any] = {}

        def grow(n: int, exports: Any = exports) -> None:
            exports["memory"].grow(n)
            exports["memory"].write(0, b"\1\2\3\4")

        host = store.func_alloc(FuncType((I32,), ()), grow)
        exports |= store.instantiate(compiled(name, GROWING), [host]).exports
        found: list[Any] = [outcome(exports[call], arg) for call, arg in GROWING_CALLS]
        found.append((exports["memory"].size, exports["memory"].read(0, exports["memory"].size << 16)))
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1][0] == 30


WIDE = """(module (memory $a 1) (memory $b (export "memory") i64 1) (memory $c 0)
  (func (export "copy") (param i64 i32) (result i64)
    (i64.store32 $b offset=8 (local.get 0) (i64.extend_i32_s (i32.load8_s $a (local.get 1))))
    (i32.store $a (local.get 1) (i32.wrap_i64 (i64.add (local.get 0) (i64.const 3))))
    (f64.store $b (i64.sub (local.get 0) (i64.const 16)) (f64.convert_i64_u (local.get 0)))
    (v128.store $b offset=0x1_0000_0000 (i64.shl (local.get 0) (i64.const 60)) (v128.const i64x2 1 2))
    (i64.load $b (i64.and (local.get 0) (i64.const -8))))
  (func (export "none") (param i32) (result i32) (i32.load8_u $c (local.get 0)))
  (func (export "grow") (param i64) (result i64) (memory.grow $b (local.get 0))))"""


def test_several_memories_and_addresses_of_64_bits() -> None:
    numbers = (0, 8, 16, 24, 27, 65520, 65528, 65536, 1 << 32, (1 << 32) + 16, 1 << 63, -8, -1, -16)
    calls: list[tuple[Any, ...]] = [("copy", x, y) for x in numbers for y in (0, 3, 65532, 65535, -1)]
    assert_same(WIDE, [*calls, ("none", 0), ("none", -1), ("grow", 2), ("grow", -1), ("grow", 1 << 50), *calls])


def test_all_of_4_gib() -> None:
    """Only a memory that begins with them has them, so that other code may know that addresses end earlier."""
    body = "(i32.add (i32.load (local.get 0)) (i32.load (i32.add (local.get 0) (i32.const 8))))"
    text = f'(module (import "m" "m" (memory 1)) (func (export "f") (param i32) (result i32) {body}))'
    store = store_of("compiled")
    memory = store.mem_alloc(MemType(AddrType.I32, Size(1, None)))
    try:
        # A bytearray of this size would be filled with zeros, which takes seconds.
        memory.inst.bytes, memory.inst.limit = mmap(-1, 1 << 32), 1 << 16
    except (OSError, OverflowError, ValueError):
        pytest.skip("there are no 4 GiB of address space")
    memory.inst.bytes[4] = 5
    exports: Any = store.instantiate(compiled("compiled", text), [memory]).exports
    assert [exports["f"](x) for x in (-4, -8, -12, 0)] == [5, 0, 0, 0]
    assert outcome(exports["f"], -3) == TrapKind.MEMORY_OUT_OF_BOUNDS


ALIASES = """(module (import "m" "a" (memory $a 1)) (import "m" "a" (memory $b 1))
  (import "m" "g" (global $g (mut i32))) (import "m" "g" (global $h (mut i32)))
  (func (export "memories") (param i32) (result i32) (local i32)
    (i32.load $a (local.get 0)) (i32.store $b (local.get 0) (i32.const 77))
    (local.set 1 (i32.add (i32.load $a (local.get 0)) (i32.const 1))) (local.get 1) i32.add)
  (func (export "growing") (param i32) (result i32)
    (i32.mul (i32.load $a (local.get 0)) (i32.const 3)) (i32.store $b (local.get 0) (i32.const 99))
    (drop (memory.grow $b (i32.const 1))) (i32.load $a (i32.const 70000)) i32.add (i32.load $b (local.get 0)) i32.add)
  (func (export "globals") (param i32) (result i32)
    (i32.add (global.get $g) (i32.const 1)) (global.set $h (i32.add (local.get 0) (i32.const 55)))
    (global.get $g) i32.sub))"""


def test_what_is_imported_twice() -> None:
    """The same memory and the same global under two indices."""
    outcomes = []
    for name in ("reference", "compiled"):
        store = store_of(name)
        memory = store.mem_alloc(MemType(AddrType.I32, Size(1, None)))
        global_ = store.global_alloc(GlobalType(True, I32), 7)
        imports = [memory, memory, global_, global_]
        exports: Any = store.instantiate(compiled(name, ALIASES), imports).exports
        outcomes.append([outcome(exports[call], x) for call in exports for x in (8, 8, 6)])
    assert outcomes[0] == outcomes[1]


OWNER = """(module (memory (export "m") 1) (func (export "g") (param i32) (result i32)
  (i32.store (i32.const 8) (i32.const 3)) (drop (memory.grow (local.get 0)))
  (i32.store (i32.const 65536) (i32.const 41)) (i32.load (i32.const 8))))"""
USER = """(module (import "m" "m" (memory 1)) (import "m" "g" (func $g (param i32) (result i32)))
  (func (export "f") (param i32) (result i32)
    (i32.load (local.get 0)) (call $g (i32.const 1)) (i32.load (i32.const 65536)) i32.add i32.add))"""


def test_a_memory_that_another_instance_grows() -> None:
    outcomes = []
    for name in ("reference", "compiled"):
        store = store_of(name, Limits(max_memory_pages=4))
        owner: Any = store.instantiate(compiled(name, OWNER), []).exports
        users: list[Any] = [store.instantiate(compiled(name, USER), [owner["m"], owner["g"]]).exports for _ in range(2)]
        outcomes.append([outcome(user["f"], 8) for _ in range(3) for user in users])
    assert outcomes[0] == outcomes[1] == [(44,), *[(47,)] * 5]
