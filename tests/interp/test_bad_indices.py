"""Indices out of range: in every immediate of every instruction that has one, and wherever else a module has an index.

The instructions come from the instruction table; each stands in unreachable code, so that its operands do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from conformance.fuzz.framing import CODE_SECTION, Section, join, join_bodies, split, split_bodies, uleb
from interp.engine import load_engine
from interp.errors import Invalid, Rejected
from interp.syntax.instructions import OPS, Imm, Op
from tests_support import parse

ENGINES = ("reference", "wasmtime")

EVERYTHING = """(module
  (type $f (func)) (type $s (struct (field (mut i8)) (field (mut i32)))) (type $a (array (mut i32)))
  (type $b (array (mut i8))) (type $r (array (mut funcref)))
  (import "m" "f" (func (type $f)))
  (memory 1) (table 1 funcref) (global (mut i32) (i32.const 0)) (tag (type $f))
  (elem funcref (ref.null func)) (elem declare func 0)
  (data "abc")
  (func (type $f) (local i32) (data.drop 0)))"""
"""Something of each index space, and a data count section, which is needed where data segments are mentioned."""

SIZES = {
    Imm.LABELIDX: 2, Imm.LABELIDX_LIST: 2, Imm.FUNCIDX: 2, Imm.TYPEIDX: 5, Imm.TABLEIDX: 1, Imm.MEMIDX: 1,
    Imm.MEMARG: 1, Imm.GLOBALIDX: 1, Imm.LOCALIDX: 1, Imm.ELEMIDX: 2, Imm.DATAIDX: 1, Imm.TAGIDX: 1, Imm.FIELDIDX: 2,
    Imm.BLOCKTYPE: 5, Imm.HEAPTYPE: 5, Imm.VALTYPE_LIST: 5, Imm.CATCH_LIST: 1, Imm.LANEIDX: 16, Imm.LANEIDX_16: 32,
}  # fmt: skip
"""How many of each there are for the instruction; of lanes, the most there can be."""

SPACES = {
    Imm.LABELIDX: "unknown label", Imm.LABELIDX_LIST: "unknown label", Imm.FUNCIDX: "unknown function",
    Imm.TYPEIDX: "unknown type", Imm.TABLEIDX: "unknown table", Imm.MEMIDX: "unknown memory",
    Imm.MEMARG: "unknown memory", Imm.GLOBALIDX: "unknown global", Imm.LOCALIDX: "unknown local",
    Imm.ELEMIDX: "unknown elem segment", Imm.DATAIDX: "unknown data segment", Imm.TAGIDX: "unknown tag",
    Imm.FIELDIDX: "unknown field", Imm.BLOCKTYPE: "unknown type", Imm.HEAPTYPE: "unknown type",
    Imm.VALTYPE_LIST: "unknown type", Imm.CATCH_LIST: "unknown tag", Imm.LANEIDX: "invalid lane index",
    Imm.LANEIDX_16: "invalid lane index",
}  # fmt: skip

NO_INDEX = {Imm.U32, Imm.CASTOP, Imm.I32, Imm.I64, Imm.F32, Imm.F64, Imm.V128}
INDEXED = [op for op in OPS if any(imm in SIZES for imm in op.immediates)]


def good_index(op: Op, imm: Imm) -> int:
    """An index that is right for this immediate."""
    name = op.mnemonic
    if imm is Imm.FIELDIDX:
        return 0 if name.endswith(("_s", "_u")) else 1
    if imm is Imm.TYPEIDX and name.startswith("struct"):
        return 1
    if imm is Imm.TYPEIDX and name.startswith("array"):
        return 4 if "elem" in name else 3 if name.endswith(("_s", "_u")) else 2
    return 0


def sleb(index: int) -> bytes:
    """A type index as s33."""
    return uleb(index) if index < 64 else uleb(index, 5)


def encode(op: Op, imm: Imm, index: int | None) -> bytes:
    """The bytes of an immediate, with this index or a right one."""
    i = good_index(op, imm) if index is None else index
    if imm in NO_INDEX:
        size = {Imm.F32: 4, Imm.F64: 8, Imm.V128: 16}.get(imm, 1)
        return bytes(size)
    forms: dict[Imm, bytes] = {
        Imm.LABELIDX_LIST: b"\2\0" + uleb(i),
        Imm.MEMARG: b"\x40" + uleb(i) + b"\0",
        Imm.BLOCKTYPE: sleb(i),
        Imm.HEAPTYPE: sleb(i),
        Imm.VALTYPE_LIST: b"\1\x63" + sleb(i),
        Imm.CATCH_LIST: b"\1\0" + uleb(i) + b"\1",
    }
    if imm is Imm.LANEIDX_16:
        return bytes(15) + bytes([i])
    return bytes([i]) if imm is Imm.LANEIDX else forms.get(imm, uleb(i))


@cache
def everything() -> tuple[list[Section], list[bytes]]:
    sections = split(parse(EVERYTHING))
    return sections, split_bodies(next(section.contents for section in sections if section.id == CODE_SECTION))


def module(op: Op, position: int = -1, index: int = 0) -> bytes:
    """The instruction in unreachable code inside `block (result funcref)`, one of its immediates with this index."""
    opcode = bytes([op.opcode]) if isinstance(op.opcode, int) else bytes([op.opcode[0]]) + uleb(op.opcode[1])
    immediates = [encode(op, imm, index if k == position else None) for k, imm in enumerate(op.immediates)]
    end = b"\x0b" if Imm.BLOCKTYPE in op.immediates else b""
    body = b"\1\1\x7f" + b"\x02\x70\0" + opcode + b"".join(immediates) + end + b"\0\x0b\x1a\x0b"
    sections, bodies = everything()
    code = Section(CODE_SECTION, join_bodies([*bodies[:-1], body]))
    return join([code if section.id == CODE_SECTION else section for section in sections])


def bad_indices(imm: Imm) -> Iterator[int]:
    yield SIZES[imm]
    yield 255 if imm in (Imm.LANEIDX, Imm.LANEIDX_16) else 2**32 - 1


def ids(value: Any) -> str:
    return value.mnemonic if isinstance(value, Op) else str(value)


def test_every_immediate_is_known_here() -> None:
    assert set(SIZES) == set(SPACES)
    assert set(SIZES) | NO_INDEX == set(Imm)
    assert {imm for op in INDEXED for imm in op.immediates} >= set(SIZES)
    assert len(INDEXED) > 100


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("op", INDEXED, ids=ids)
def test_the_instruction_with_right_indices_is_valid(op: Op, engine_name: str) -> None:
    load_engine(engine_name).compile(module(op))


@pytest.mark.parametrize("op", INDEXED, ids=ids)
def test_an_index_out_of_range_is_invalid(op: Op) -> None:
    for position, imm in enumerate(op.immediates):
        for index in bad_indices(imm) if imm in SIZES else ():
            wasm = module(op, position, index)
            with pytest.raises(Invalid, match=SPACES[imm]) as caught:
                load_engine("reference").compile(wasm)
            assert caught.value.rule.startswith("Instr_ok/")
            assert caught.value.function == 1
            with pytest.raises(Rejected):
                load_engine("wasmtime").compile(wasm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('(export "e" (func 9))', "unknown function 9"),
        ('(export "e" (table 9))', "unknown table 9"),
        ('(export "e" (memory 9))', "unknown memory 9"),
        ('(export "e" (global 9))', "unknown global 9"),
        ('(export "e" (tag 9))', "unknown tag 9"),
        ("(start 9)", "unknown function 9"),
        ("(elem (table 9) (i32.const 0) func)", "unknown table 9"),
        ("(elem funcref (ref.func 9))", "unknown function 9"),
        ("(elem func 9)", "unknown function 9"),
        ("(elem (ref null 9))", "unknown type 9"),
        ('(data (memory 9) (i32.const 0) "")', "unknown memory 9"),
        ("(func (type 9))", "unknown type 9"),
        ("(func (local (ref null 9)))", "unknown type 9"),
        ('(import "m" "f" (func (type 9)))', "unknown type 9"),
        ('(import "m" "t" (tag (type 9)))', "unknown type 9"),
        ('(import "m" "g" (global (ref null 9)))', "unknown type 9"),
        ('(import "m" "t" (table 1 (ref null 9)))', "unknown type 9"),
        ("(tag (type 9))", "unknown type 9"),
        ("(table 1 (ref null 9))", "unknown type 9"),
        ("(global (ref null 9) (ref.null 9))", "unknown type 9"),
        ("(type (func (param (ref 9))))", "unknown type 9"),
        ("(type (func (result (ref null 9))))", "unknown type 9"),
        ("(type (struct (field (ref 9))))", "unknown type 9"),
        ("(type (array (ref 9)))", "unknown type 9"),
        ("(type (sub 9 (func)))", "unknown type 9"),
        ("(rec (type (func (param (ref 2)))) (type (func)))", "unknown type 2"),
        ("(global i32 (global.get 9))", "unknown global 9"),
        ("(global i32 (global.get 0))", "unknown global 0"),
        ("(global funcref (ref.func 9))", "unknown function 9"),
        ("(global anyref (struct.new 9))", "unknown type 9"),
        ("(global anyref (array.new_default 9 (i32.const 1)))", "unknown type 9"),
        ("(table 1 funcref (ref.func 9))", "unknown function 9"),
        ("(memory 1) (data (offset (global.get 9)))", "unknown global 9"),
    ],
)
def test_an_index_elsewhere_is_invalid(text: str, message: str) -> None:
    wasm = parse(f"(module {text})")
    with pytest.raises(Invalid, match=message):
        load_engine("reference").compile(wasm)
    with pytest.raises(Rejected):
        load_engine("wasmtime").compile(wasm)
