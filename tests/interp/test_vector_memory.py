"""Loads and stores of vectors: every row on both engines against bytes, out of bounds at every distance, the names of
the rules, and constants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_definitions import number

from interp.binary.modules import decode
from interp.engine import PAGE, Limits, load_engine
from interp.errors import Trap, TrapKind
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import Store
from interp.reference.call import CALL_REF
from interp.reference.configuration import Frame
from interp.reference.machine import FINISHED, NO_MODULE, Machine, step
from interp.syntax.instructions import Op
from interp.syntax.vector_instructions import VECTOR
from interp.validation.modules import validate
from tests_support import parse

ROWS = {op.mnemonic: op for op in VECTOR if op.kind in ("vload", "vload_lane", "vstore", "vstore_lane")}
ENGINES = ("reference", "wasmtime")
OFFSET = 5
vectors = st.integers(0, (1 << 128) - 1)


def lanes_of(op: Op) -> list[str]:
    """The lane indices of a row as they are written, one empty one if it has none."""
    return [f" {j}" for j in range(128 // op.params[1])] if op.kind.endswith("_lane") else [""]


def module_text() -> str:
    """A module that exports every row, once for each lane index."""
    functions = []
    for name, op in ROWS.items():
        value = "" if op.kind == "vload" else " v128"
        result = "(result v128)" if op.kind.startswith("vload") else ""
        operand = "(local.get 1)" if value else ""
        functions += [
            f'(func (export "{name}{lane}") (param i32{value}) {result}'
            f" ({name} offset={OFFSET}{lane} (local.get 0) {operand}))"
            for lane in lanes_of(op)
        ]
    return f'(module (memory (export "memory") 1 1) {" ".join(functions)})'


@cache
def exports_of(engine_name: str) -> Any:
    engine = load_engine(engine_name)
    return engine.store().instantiate(engine.compile(parse(module_text())), []).exports


def pieces(data: bytes, width: int) -> Iterator[int]:
    """Bytes as integers of `width` bits."""
    for start in range(0, len(data), width // 8):
        yield int.from_bytes(data[start : start + width // 8], "little")


def loaded(op: Op, data: bytes, v: int, lane: str) -> int:
    """What a load must give: `data` are the bytes that it reads, `v` the vector that it puts a lane into."""
    width = op.params[1]
    if lane:
        place = int(lane) * width // 8
        old = v.to_bytes(16, "little")
        return int.from_bytes(old[:place] + data + old[place + len(data) :], "little")
    variant = op.params[2]
    if variant == "splat":
        return int.from_bytes(data * (128 // width), "little")
    if variant != "pack":
        return int.from_bytes(data + bytes(16 - len(data)), "little")
    M = int(op.mnemonic.removeprefix("v128.load").partition("x")[0])
    wide = [number(M, i, op.mnemonic[-1]) % (1 << 2 * M) for i in pieces(data, M)]
    return int.from_bytes(b"".join(i.to_bytes(M // 4, "little") for i in wide), "little")


def stored(op: Op, v: int, lane: str) -> bytes:
    """The bytes that a store must write."""
    n = op.params[1] // 8
    place = int(lane or 0) * n
    return v.to_bytes(16, "little")[place : place + n]


def test_every_row_is_there() -> None:
    kinds = [op.kind for op in ROWS.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"vload": 13, "vstore": 1, "vload_lane": 4, "vstore_lane": 4}


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", sorted(ROWS))
def test_all_bytes_arrive(name: str, engine_name: str) -> None:
    op, exports = ROWS[name], exports_of(engine_name)
    memory, n = exports["memory"], ROWS[name].params[1] // 8

    @settings(max_examples=8, deadline=None)
    @given(vectors, vectors, st.integers(0, 40), st.sampled_from(lanes_of(op)))
    def run(content: int, v: int, i: int, lane: str) -> None:
        before = content.to_bytes(16, "little") * 4
        memory.write(0, before)
        ea = i + OFFSET
        if op.kind.startswith("vload"):
            operands = (i, v) if lane else (i,)
            assert exports[name + lane](*operands) == loaded(op, before[ea : ea + n], v, lane)
            assert memory.read(0, 64) == before
        else:
            assert exports[name + lane](i, v) is None
            assert memory.read(0, 64) == before[:ea] + stored(op, v, lane) + before[ea + n :]

    run()


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_last_byte_must_be_inside(name: str, engine_name: str) -> None:
    op, exports = ROWS[name], exports_of(engine_name)
    last = PAGE - op.params[1] // 8 - OFFSET
    rest = () if op.kind == "vload" else (3,)
    key = name + lanes_of(op)[-1]
    exports[key](last, *rest)
    before = exports["memory"].read(0, PAGE)
    for i in (last + 1, last + 2, PAGE - OFFSET, PAGE, 2**31, 2**32 - 1):
        with pytest.raises(Trap) as caught:
            exports[key](i, *rest)
        assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert exports["memory"].read(0, PAGE) == before


def applied_rules(wat: str, *args: Any) -> list[str]:
    """The names of the rules that the exported function f of a module takes, without those of the call."""
    store = Store(Meter(Limits()))
    machine = Machine(store)
    inst = instantiate(store, validate(decode(parse(wat))), (), machine)
    config = machine.start(Frame([], NO_MODULE), (CALL_REF,), (*args, inst.exports["f"]), observed=True)
    return list(iter(lambda: step(config), FINISHED))[1:]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_rules_have_their_names(name: str) -> None:
    op = ROWS[name]
    relation = "Step_read" if op.kind.startswith("vload") else "Step"
    rule = f"{relation}/{op.kind}"
    if op.kind == "vload" and op.params[2] != "val":
        rule += f"-{op.params[2]}"
    value = "" if op.kind == "vload" else "(v128.const i64x2 0 0)"
    body = f"({name}{lanes_of(op)[0]} (local.get 0) {value})"
    body = f"(drop {body})" if op.kind.startswith("vload") else body
    wat = f'(module (memory 1) (func (export "f") (param i32) {body}))'
    for i, ending in ((0, "val"), (PAGE, "oob")):
        names = [each for each in applied_rules(wat, i) if "local.get" not in each]
        assert names[0] == f"{rule}-{ending}"


@pytest.mark.parametrize("engine_name", ENGINES)
def test_addresses_of_64_bits(engine_name: str) -> None:
    engine = load_engine(engine_name)
    wat = """(module (memory i64 1)
      (func (export "f") (param i64 v128) (result v128)
        (v128.store offset=3 (local.get 0) (local.get 1))
        (v128.load32_lane offset=7 3 (local.get 0) (v128.load16_splat offset=3 (local.get 0)))))"""
    f: Any = engine.store().instantiate(engine.compile(parse(wat)), []).exports["f"]
    assert f(9, 0x0F0E0D0C_0B0A0908_07060504_03020100) == 0x07060504_01000100_01000100_01000100
    for i in (2**64 - 1, 2**32, PAGE):
        with pytest.raises(Trap):
            f(i, 0)


@given(vectors)
@settings(max_examples=10, deadline=None)
def test_constants_globals_and_locals_keep_all_bits(v: int) -> None:
    lanes = " ".join(str(v >> k & 0xFFFFFFFF) for k in range(0, 128, 32))
    wasm = parse(f"""(module
      (global $g (export "g") (mut v128) (v128.const i32x4 {lanes}))
      (func (export "default") (result v128) (local v128) (local.get 0))
      (func (export "f") (param v128) (result v128 v128) (local v128)
        (local.set 1 (v128.const i32x4 {lanes}))
        (global.set $g (local.get 0))
        (select (local.get 0) (local.get 1) (i32.const 0)) (global.get $g)))""")
    for engine_name in ENGINES:
        engine = load_engine(engine_name)
        exports: Any = engine.store().instantiate(engine.compile(wasm), []).exports
        assert exports["g"].value == v
        assert exports["f"](v ^ 1) == (v, v ^ 1)
        assert exports["g"].value == v ^ 1
        exports["g"].value = 7
        assert exports["g"].value == 7
        assert exports["default"]() == 0
