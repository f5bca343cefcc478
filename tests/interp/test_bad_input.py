"""Input that is cut off, out of range, or no module at all: the right error, from every part that reads it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.fuzz.framing import LAST_SECTION, PREAMBLE, Section, join, uleb
from interp.binary.modules import decode
from interp.binary.names import function_names
from interp.engine import Engine, load_engine
from interp.errors import Invalid, Malformed, Rejected, Trap, TrapKind
from interp.validation.modules import validate
from tests_support import parse

MODULES = {
    "numbers": """
      (module $numbers
        (import "m" "f" (func (param i64) (result f32)))
        (memory 1 2) (global $g (mut f64) (f64.const nan))
        (export "memory" (memory 0)) (start 1)
        (data (i32.const 3) "abc") (data "passive")
        (func $first (local i32 i32 i64)
          (if (i32.load8_s offset=300 (i32.const -7))
            (then (loop (br_if 0 (i32.const 1))))
            (else (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1))))
          (drop (i64.trunc_sat_f64_u (global.get $g)))))""",
    "references": """
      (module $references
        (type $s (sub (struct (field $x (mut i16)))))
        (rec
          (type $t (sub final $s (struct (field (mut i16)) (field (ref null $u)))))
          (type $u (array (mut (ref null $t)))))
        (tag $e (param i32))
        (table 3 10 (ref null $u)) (table i64 1 funcref)
        (elem (i32.const 1) (ref null $u) (array.new_default $u (i32.const 2))) (elem declare func $f)
        (global (ref $s) (struct.new $s (i32.const 9)))
        (func $f (export "f") (param (ref null $s)) (result i32) (local (ref $s))
          (block $l (result i32)
            (try_table (catch $e $l)
              (throw $e (struct.get_s $s $x (br_on_null 1 (i32.const 5) (local.get 0)))))
            (i32.const 2))))""",
    "vectors": """
      (module $vectors
        (memory $m i64 1) (memory $n 2)
        (func $v (export "v") (param v128) (result v128)
          (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31
            (v128.load16_lane $m offset=5000000000 3 (i64.const 1) (local.get 0)) (v128.const i32x4 1 2 3 4))
          (memory.copy $n $m (i32.const 1) (i64.const 2) (i32.const 3)))
        (func (param i32) (br_table 0 0 0 (local.get 0)))
        (func (result i32) (return_call 2)))""",
}


@pytest.mark.parametrize("name", MODULES)
def test_every_prefix_of_a_module_is_malformed_or_lacks_sections(name: str) -> None:
    wasm = parse(MODULES[name])
    whole = validate(decode(wasm))
    assert function_names(whole.module)
    for size in range(len(wasm)):
        try:
            module = decode(wasm[:size])
        except Malformed:
            continue
        assert len(module.customs) < len(whole.module.customs) or module.funcs == (), size
        with contextlib.suppress(Invalid):
            validate(module)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("byte", [0x00, 0x01, 0x40, 0x7F, 0x80, 0xFF])
def test_a_module_with_any_byte_replaced_is_rejected_or_valid(name: str, byte: int) -> None:
    wasm = parse(MODULES[name])
    for index in range(len(wasm)):
        with contextlib.suppress(Malformed, Invalid):
            validate(decode(wasm[:index] + bytes([byte]) + wasm[index + 1 :]))


def section_of(kind: int) -> st.SearchStrategy[Section]:
    """A section that begins as if it had a few elements."""
    payload = st.builds(
        lambda count, data: uleb(count) + data, st.integers(0, 5) | st.just(2**32 - 1), st.binary(max_size=60)
    )
    return payload.map(lambda contents: Section(kind, contents))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, LAST_SECTION).flatmap(section_of), max_size=5))
@example([Section(1, b"\1\x4e\0")])
@example([Section(1, b"\1\x60\0\0"), Section(13, b"\1\0\0")])
def test_sections_of_any_contents_are_rejected_or_valid(sections: list[Section]) -> None:
    with contextlib.suppress(Malformed, Invalid):
        validate(decode(join(sections)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_a_function_of_any_bytes_is_rejected_or_valid(body: bytes) -> None:
    code = uleb(1) + uleb(len(body)) + body
    with contextlib.suppress(Malformed, Invalid):
        validate(decode(join([Section(1, b"\1\x60\0\0"), Section(3, b"\1\0"), Section(10, code)])))


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"a\xc3("]
)
@pytest.mark.parametrize(
    "place",
    [
        lambda name: Section(2, b"\1" + name + b"\1a\2\0\0"),
        lambda name: Section(2, b"\1\1a" + name + b"\2\0\0"),
        lambda name: Section(7, b"\1" + name + b"\2\0"),
        lambda name: Section(0, name),
    ],
    ids=["import-module", "import-name", "export", "custom"],
)
def test_a_name_that_is_no_utf_8_is_malformed(bad: bytes, place: Callable[[bytes], Section]) -> None:
    wasm = join([place(uleb(len(bad)) + bad)])
    with pytest.raises(Malformed, match="malformed UTF-8 encoding"):
        decode(wasm)
    with pytest.raises(Malformed):
        load_engine("wasmtime").compile(wasm)


@pytest.mark.parametrize(
    "sections",
    [
        [Section(kind, b"\1" + uleb(2**32 - 1, 5))] if kind != 8 else [Section(8, uleb(2**32 - 1))]
        for kind in range(1, LAST_SECTION + 1)
    ],
)
def test_the_greatest_number_as_the_first_of_a_section_is_rejected(sections: list[Section]) -> None:
    with pytest.raises(Rejected):
        validate(decode(join(sections)))
    with pytest.raises(Rejected):
        load_engine("wasmtime").compile(join(sections))


@pytest.mark.parametrize("kind", range(LAST_SECTION + 1))
def test_a_section_that_says_it_is_huge_is_malformed(kind: int) -> None:
    for size in (1, 2**31, 2**32 - 1):
        with pytest.raises(Malformed, match="length out of bounds"):
            decode(PREAMBLE + bytes([kind]) + uleb(size))
    with pytest.raises(Malformed, match="integer too large"):
        decode(PREAMBLE + bytes([kind]) + uleb(2**32))


MEMORY_INSTRUCTION = b"\x41\0\x28"
"""i32.const 0, i32.load"""


def load_with(memarg: bytes, memory: bytes = b"\1\0\1") -> bytes:
    """A module whose function [] -> [] loads with this memory argument."""
    body = b"\0" + (b"\x42\0\x28" if memory[1] & 4 else MEMORY_INSTRUCTION) + memarg + b"\x1a\x0b"
    sections = [
        Section(1, b"\1\x60\0\0"),
        Section(3, b"\1\0"),
        Section(5, memory),
        Section(10, b"\1" + uleb(len(body)) + body),
    ]
    return join(sections)


MEMORY64 = b"\1\4\1"


@pytest.mark.parametrize(
    ("wasm", "error"),
    [
        (load_with(uleb(2) + uleb(2**32 - 1)), None),
        (load_with(uleb(3) + uleb(0)), "alignment must not be larger than natural"),
        (load_with(uleb(31) + uleb(0)), "alignment must not be larger than natural"),
        (load_with(uleb(32) + uleb(0)), "alignment must not be larger than natural"),
        (load_with(uleb(63) + uleb(0)), "alignment must not be larger than natural"),
        (load_with(uleb(64 + 2) + uleb(0) + uleb(0)), None),
        (load_with(uleb(64 + 2) + uleb(1) + uleb(0)), "unknown memory 1"),
        (load_with(uleb(64 + 63) + uleb(0) + uleb(0)), "alignment must not be larger than natural"),
        (load_with(uleb(128) + uleb(0)), "malformed memop flags"),
        (load_with(uleb(2**32 - 1) + uleb(0)), "malformed memop flags"),
        (load_with(uleb(2**32) + uleb(0)), "integer too large"),
        (load_with(uleb(2) + uleb(2**32)), "offset out of range"),
        (load_with(uleb(2) + uleb(2**64 - 1)), "offset out of range"),
        (load_with(uleb(2) + uleb(2**64 - 1), MEMORY64), None),
        (load_with(uleb(2) + uleb(2**64), MEMORY64), "integer too large"),
        (load_with(uleb(2) + uleb(0, 10), MEMORY64), None),
        (load_with(uleb(2) + uleb(0, 11), MEMORY64), "integer representation too long"),
    ],
)
def test_extremes_of_alignment_and_offset(wasm: bytes, error: str | None) -> None:
    if error is None:
        validate(decode(wasm))
        load_engine("wasmtime").compile(wasm)
        return
    with pytest.raises(Rejected, match=error):
        validate(decode(wasm))
    with pytest.raises(Rejected):
        load_engine("wasmtime").compile(wasm)


ACCESSES = """(module (memory {addrtype} 1)
  (func (export "load") (param {at}) (result i64) (i64.load offset={offset} (local.get 0)))
  (func (export "store") (param {at}) (i32.store8 offset={offset} (local.get 0) (i32.const 1)))
  (func (export "vector") (param {at}) (result v128) (v128.load offset={offset} (local.get 0)))
  (func (export "fill") (param {at}) (memory.fill (local.get 0) (i32.const 0) ({at}.const 1)))
  (func (export "copy") (param {at}) (memory.copy (local.get 0) ({at}.const 0) (local.get 0))))"""


@pytest.mark.parametrize("engine_name", ["reference", "wasmtime"])
@pytest.mark.parametrize(("at", "offset"), [("i32", 2**32 - 1), ("i32", 65536), ("i64", 2**64 - 1), ("i64", 2**63)])
def test_addresses_do_not_wrap_around(at: str, offset: int, engine_name: str) -> None:
    engine: Engine = load_engine(engine_name)
    text = ACCESSES.format(addrtype=at if at == "i64" else "", at=at, offset=offset)
    exports: Any = engine.store().instantiate(engine.compile(parse(text)), []).exports
    N = int(at[1:])
    for addr in (0, 1, 65536, 2 ** (N - 1), 2**N - offset % 2**N, 2**N - 8, 2**N - 1):
        for name in ("load", "store", "vector", "fill", "copy"):
            if name in ("fill", "copy") and addr % 2**N < 65536:
                continue
            with pytest.raises(Trap) as trap:
                exports[name](addr % 2**N)
            assert trap.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS


@pytest.mark.parametrize("wasm", [None, 3, "text", [0, 97], object()])
def test_what_is_no_bytes_is_a_type_error(wasm: Any) -> None:
    for name in ("reference", "wasmtime"):
        with pytest.raises(TypeError):
            load_engine(name).compile(wasm)


def test_bytes_may_be_of_any_kind() -> None:
    wasm = parse("(module)")
    for given_ in (wasm, bytearray(wasm), memoryview(wasm), memoryview(bytes(8) + wasm)[8:]):
        for name in ("reference", "wasmtime"):
            load_engine(name).compile(given_)  # type: ignore[arg-type]


NAMES = (
    b"\1\x06\1\0\3abc",
    b"\1\xff\xff\xff\xff\x0f",
    b"\2\1",
    b"\1\5\xff\xff\xff\xff\x0f",
    b"\1\3\1\0\xff",
    b"\0\0\1",
    b"\xff" * 9,
)


@pytest.mark.parametrize("names", NAMES)
def test_a_bad_name_section_is_no_error(names: bytes) -> None:
    wasm = join(
        [Section(1, b"\1\x60\0\0"), Section(3, b"\1\0"), Section(10, b"\1\3\0\0\x0b"), Section(0, b"\4name" + names)]
    )
    valid = validate(decode(wasm))
    assert set(function_names(valid.module).values()) <= {"abc"}
    load_engine("wasmtime").compile(wasm)
