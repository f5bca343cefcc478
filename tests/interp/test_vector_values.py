"""Vectors at the boundary: as integers of 128 bits between Python and every engine, and as text on a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.arguments import MAX_DIGITS, ArgumentError, parse_arguments, parse_value, show_results, show_value
from interp.engine import Engine, Store
from interp.execution.numerics_vector import flanes, ilanes, inv_flanes, inv_ilanes
from interp.execution.values import F32NaN, fbits
from interp.syntax.shapes import SHAPES
from interp.syntax.types import I32, I64, V128, FuncType, GlobalType
from tests_support import parse, wascc

vectors = st.integers(0, 2**128 - 1)
NOT_VECTORS = [None, 1.0, True, "1", b"\0" * 16, (1, 2, 3, 4), -1, 2**128, 10**5000, -(10**5000)]

IDENTITY = """(module
  (global (export "g") (mut v128) (v128.const i64x2 1 2))
  (func (export "f") (param v128) (result v128) (local.get 0)))"""


@given(vectors)
@settings(max_examples=30, deadline=None)
def test_vectors_cross_the_boundary_unchanged(v: int) -> None:
    from interp.engine import load_engine

    for name in ("reference", "wasmtime"):
        engine = load_engine(name)
        exports: Any = engine.store().instantiate(engine.compile(parse(IDENTITY)), []).exports
        assert exports["f"](v) == v
        exports["g"].value = v
        assert exports["g"].value == v


@pytest.mark.parametrize("value", NOT_VECTORS, ids=lambda value: type(value).__name__)
def test_other_values_are_refused(engine: Engine, store: Store, value: Any) -> None:
    exports: Any = store.instantiate(engine.compile(parse(IDENTITY)), []).exports
    with pytest.raises(TypeError):
        exports["f"](value)
    with pytest.raises(TypeError):
        exports["g"].value = value
    with pytest.raises(TypeError):
        store.global_alloc(GlobalType(False, V128), value)
    assert exports["g"].value == 1 + (2 << 64)
    assert exports["f"](2**128 - 1) == 2**128 - 1


def test_host_functions_take_and_give_vectors(engine: Engine, store: Store) -> None:
    seen: list[tuple[int, int]] = []
    results: list[Any] = [(3, 2**128 - 5), (3, -1)]
    functype = FuncType((V128, I32), (I64, V128))
    host: Any = store.func_alloc(functype, lambda *args: seen.append(args) or results.pop(0))  # type: ignore[func-returns-value]
    wat = """(module (import "h" "f" (func $f (param v128 i32) (result i64 v128)))
      (func (export "f") (param v128) (result v128) (local v128)
        (call $f (local.get 0) (i32.const -1)) (local.set 1) (drop) (v128.not (local.get 1))))"""
    f: Any = store.instantiate(engine.compile(parse(wat)), [host]).exports["f"]
    assert f(2**127) == 4
    assert seen == [(2**127, -1)]
    with pytest.raises(TypeError):
        f(0)


@given(vectors)
def test_a_result_can_be_given_as_an_argument(v: int) -> None:
    text = show_value(V128, v)
    assert len(text) == 34
    assert parse_value(V128, text) == v
    assert parse_arguments((V128, I32), [text, "1"]) == [v, 1]
    assert show_results((V128,), v) == [text]


@given(st.sampled_from([sh for sh in SHAPES.values() if not sh.is_float]), st.data())
def test_lanes_of_integers(sh: Any, data: st.DataObject) -> None:
    half = 1 << (sh.N - 1)
    lanes = data.draw(st.lists(st.integers(-half, 2 * half - 1), min_size=sh.dim, max_size=sh.dim))
    written = ",".join(data.draw(st.sampled_from([str, hex]))(c) for c in lanes)
    v = parse_value(V128, f"{sh}:{written}")
    assert list(ilanes(sh.N, v)) == [c % (2 * half) for c in lanes]
    assert inv_ilanes(sh.N, ilanes(sh.N, v)) == v


@given(st.sampled_from([32, 64]), vectors)
def test_lanes_of_floats_keep_their_bits(N: int, v: int) -> None:
    lanes = flanes(N, v)
    assert [fbits(N, z) for z in lanes] == list(ilanes(N, v))
    assert inv_flanes(N, lanes) == v


@pytest.mark.parametrize(
    ("text", "v"),
    [
        ("0", 0),
        ("-1", 2**128 - 1),
        (str(2**128 - 1), 2**128 - 1),
        (str(-(2**127)), 2**127),
        ("0x0000_0001_0000_0000", 1 << 32),
        ("i8x16:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,0xff", 0xFF0F0E0D0C0B0A090807060504030201),
        ("i16x8:1,0,0,0,0,0,0,-1", 0xFFFF << 112 | 1),
        ("i32x4: 1, 2, 3, 4", 1 | 2 << 32 | 3 << 64 | 4 << 96),
        ("i64x2:-1,0", 2**64 - 1),
        ("f32x4:1,-0,inf,nan", 0x7FC00000_7F800000_80000000_3F800000),
        ("f32x4:nan:0x1,-nan:0x200000,1e39,0.1", 0x3DCCCCCD_7F800000_FFA00000_7F800001),
        ("f64x2:0x1p-1074,-nan:0x1", 0xFFF00000_00000001_00000000_00000001),
    ],
)
def test_texts_of_vectors(text: str, v: int) -> None:
    assert parse_value(V128, text) == v


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "1.5", "i32x4", "i32x4:", "i32x4:1,2", "i32x4:1,2,3,4,5", "i32x4:1,2,3,", "i32x4:1,2,3,4294967296",
        "i8x16:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,-129", "i128x1:1", "f64x2:1,x", "f64x2:0x1p99999,1",
        "f32x4:1,2,3,nan:0x0", "i64x2:1:2", "x:1", str(2**128), str(-(2**127) - 1), "9" * (MAX_DIGITS + 1),
        "0x" + "f" * 33,
    ],
)  # fmt: skip
def test_texts_that_are_no_vectors(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_value(V128, text)
    assert "is no v128 (an integer of 128 bits, or a shape and its lanes" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "vectors.wasm"
    file.write_bytes(
        parse("""(module (func (export "add") (param v128 v128) (result v128 f64)
          (i32x4.add (local.get 0) (local.get 1)) (f64x2.extract_lane 1 (local.get 0))))""")
    )
    for engine in ("reference", "wasmtime"):
        done = wascc("invoke", "--engine", engine, "--json", file, "add", "f64x2:0,1.5", "i32x4:1,2,0xffffffff,1")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == {"results": ["0x3ff80001ffffffff0000000200000001", "1.5"]}
    done = wascc("invoke", "--engine", "reference", file, "add", "i32x4:1,2,3", "0")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "is no v128" in done.stderr
    done = wascc("dump", file)
    assert "i32x4.add" in done.stdout
    assert "f64x2.extract_lane 1" in done.stdout


def test_a_signalling_lane_is_a_signalling_number() -> None:
    lane = flanes(32, 0x7FA00001)[0]
    assert isinstance(lane, F32NaN)
    assert lane.bits == 0x7FA00001
