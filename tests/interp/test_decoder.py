"""The decoder: strict, with the offset of what is wrong, in bounded time and memory."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import wat2wasm

from interp.binary.modules import decode
from interp.binary.names import Names, function_names, names_of
from interp.errors import Malformed, Rejected
from interp.syntax.modules import Custom, Module
from interp.validation.modules import validate
from tests_support import parse

HEADER = b"\0asm\1\0\0\0"
EVERYTHING = wat2wasm("""
(module
  (type $t (func (param i32 i64) (result f32)))
  (import "m" "f" (func (param f64)))
  (import "m" "g" (global i32))
  (table 3 7 funcref) (table 2 externref)
  (memory 1 2)
  (global (mut f32) (f32.const nan:0x200000))
  (export "x" (func 1)) (export "mem" (memory 0))
  (elem (i32.const 0) func 1 1) (elem declare func 2) (elem externref (ref.null extern))
  (data (i32.const 8) "abc") (data "passive")
  (func $start)
  (func $named (param i32) (result i32) (local i64 i64 f32)
    (block $b (loop (br_table $b 1 0 (local.get 0))))
    (if (result i32) (i32.load8_u offset=3 (i32.const -1))
      (then (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 1))
      (else (call_indirect (type $t) (i32.const 1) (i64.const -1) (i32.const 0)) (i32.trunc_sat_f32_s))))
  (start $start))
""")


def section(section_id: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([section_id, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content


def code(body: bytes) -> bytes:
    """A module with one function [] -> [] of that body."""
    function = b"\0" + body
    entry = bytes([len(function) & 0x7F | 0x80, len(function) >> 7]) + function
    return HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + section(10, b"\1" + entry)


def test_everything_is_decoded() -> None:
    module = decode(EVERYTHING)
    assert [len(x) for x in (module.types, module.imports, module.tables, module.elems, module.datas)] == [
        4,
        2,
        2,
        3,
        2,
    ]
    assert [i.op.mnemonic for i in module.funcs[1].body] == ["block", "i32.const", "i32.load8_u", "if"]
    assert function_names(module) == {1: "start", 2: "named"}
    validate(module)


def test_offsets_point_at_the_instructions() -> None:
    module = decode(EVERYTHING)
    for instr in module.funcs[1].body:
        assert EVERYTHING[instr.offset] == instr.op.opcode


@pytest.mark.parametrize(
    ("wasm", "message"),
    [
        (b"", "unexpected end"),
        (b"\0as", "unexpected end"),
        (b"wasm\1\0\0\0", "magic header not detected"),
        (b"\0asm\2\0\0\0", "unknown binary version"),
        (b"\0asm\1\0", "unexpected end"),
        (HEADER + b"\x0e\0", "malformed section id"),
        (HEADER + b"\1", "unexpected end"),
        (HEADER + b"\1\x85\x80\x80\x80\x10", "integer too large"),
        (HEADER + b"\1\x80\x80\x80\x80\x80\0", "integer representation too long"),
        (HEADER + b"\1\xff\xff\xff\xff\x0f", "length out of bounds"),
        (HEADER + section(1, b"\0\0"), "section size mismatch"),
        (HEADER + section(3, b"\0") + section(1, b"\0"), "unexpected content after last section"),
        (HEADER + section(3, b"\1\0"), "inconsistent lengths"),
        (HEADER + section(1, b"\1\x61"), "malformed definition type"),
        (HEADER + section(1, b"\1\x60\1\x76\0"), "malformed value type"),
        (HEADER + section(2, b"\1\1\xff\0\0\0"), "malformed UTF-8 encoding"),
        (HEADER + section(2, b"\1\0\0\x09"), "malformed import kind"),
        (HEADER + section(4, b"\1\x70\x08\0"), "malformed limits flags"),
        (HEADER + section(5, b"\1\0"), "unexpected end"),
        (HEADER + section(6, b"\1\x7f\2\x41\0\x0b"), "malformed mutability"),
        (HEADER + section(9, b"\1\x08"), "malformed elements segment kind"),
        (HEADER + section(12, b"\1") + section(11, b"\0"), "data count and data section"),
        (code(b"\x06\x0b"), "illegal opcode 06"),
        (code(b"\xfc\x7f\x0b"), "illegal opcode fc 7f"),
        (code(b"\x05\x0b"), "END opcode expected"),
        (code(b"\x0b\x01"), "END opcode expected"),
        (code(b"\x02\x40\x0b"), "unexpected end"),
        (code(b"\x41\xff\xff\xff\xff\x5f\x1a\x0b"), "integer too large"),
        (code(b"\x41\x80\x80\x80\x80\x80\0\x1a\x0b"), "integer representation too long"),
        (code(b"\x41\0\xfb\x18\4\0\x70\x70\x0b"), "malformed br_on_cast flags"),
        (code(b"\x1f\x40\1\4\0\x0b\x0b"), "malformed catch clause"),
        (code(b"\x41\0\x28\x80\1\0\x1a\x0b"), "malformed memop flags"),
        (HEADER + section(13, b"\1\1\0"), "malformed tag attribute"),
        (code(b"\xfc\x09\0\x0b"), "data count section required"),
    ],
)
def test_what_is_malformed(wasm: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        decode(wasm)
    assert 0 <= caught.value.offset <= len(wasm)


@pytest.mark.parametrize(
    "wasm",
    [
        HEADER + section(1, b"\xff\xff\xff\xff\x0f"),
        HEADER + section(10, b"\1\x0c\1\xff\xff\xff\xff\x0f\x7f\x0b"),
        HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + section(10, b"\1\x08\1\xff\xff\xff\xff\x0f\x7f\x0b"),
        code(b"\x41\0\x0e\xff\xff\xff\xff\x0f"),
    ],
    ids=["types", "functions", "locals", "labels"],
)
def test_false_counts_cost_nothing(wasm: bytes) -> None:
    with pytest.raises(Malformed):
        decode(wasm)


def test_deep_nesting_needs_no_recursion() -> None:
    depth = 100_000
    body = b"\x02\x40" * depth + b"\x0b" * depth + b"\x0b"
    size = (len(body) + 1).to_bytes(4, "little")
    leb = bytes([int.from_bytes(size, "little") >> 7 * k & 0x7F | (0x80 if k < 3 else 0) for k in range(4)])
    wasm = HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + section(10, b"\1" + leb + b"\0" + body)
    validate(decode(wasm))


def test_padded_numbers_are_accepted() -> None:
    decode(code(b"\x41\x80\x80\x80\x80\0\x1a\x10\x80\x80\x80\x80\0\x0b"))


def test_custom_sections_may_stand_anywhere_and_be_anything() -> None:
    custom = section(0, b"\4name\1\xff\xff\xff")
    module = decode(HEADER + custom + section(1, b"\0") + custom + section(0, b"\0"))
    assert len(module.customs) == 3
    assert function_names(module) == {}


def test_names_before_a_fault_are_kept() -> None:
    data = b"\1\x06\2\0\1a\1\xff"
    assert function_names(Module(customs=(Custom("name", data, 0),))) == {0: "a"}


@given(st.binary(max_size=200))
def test_random_bytes_are_rejected_or_valid(data: bytes) -> None:
    with contextlib.suppress(Rejected):
        validate(decode(HEADER + data))


@given(st.integers(8, len(EVERYTHING) - 1), st.integers(0, 255))
def test_a_changed_byte_is_rejected_or_valid(index: int, byte: int) -> None:
    with contextlib.suppress(Rejected):
        validate(decode(EVERYTHING[:index] + bytes([byte]) + EVERYTHING[index + 1 :]))


@pytest.mark.parametrize("size", range(len(EVERYTHING)))
def test_a_truncated_module_is_rejected_or_lacks_whole_sections(size: int) -> None:
    try:
        module = decode(EVERYTHING[:size])
    except Malformed:
        return
    assert not module.customs
    assert not module.funcs or len(module.datas) == 2


def test_all_subsections_of_the_name_section_are_read() -> None:
    module = decode(
        parse(
            "(module $m (type $point (struct (field $x i32) (field $y i32))) (tag $oops)"
            " (func $f (param $a i32) (local $b i64)))"
        )
    )
    names = names_of(module)
    assert names.module == "m"
    assert names.funcs == {0: "f"}
    assert names.locals == {0: {0: "a", 1: "b"}}
    assert names.types[0] == "point"
    assert names.fields == {0: {0: "x", 1: "y"}}
    assert names.tags == {0: "oops"}
    assert names_of(decode(parse("(module)"))) == Names()
