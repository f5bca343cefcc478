"""What an embedder or a guest could do to the state of a store, and cannot."""

import array

import pytest

from interp.engine import Limits, load_engine
from interp.errors import Exhaustion, ExhaustionKind, Invalid, Malformed, Trap, TrapKind
from interp.execution.runtime import I31
from interp.syntax.types import AddrType, MemType
from interp.syntax.types import Limits as Bounds
from tests_support import parse

REFERENCE = load_engine("reference")


def test_a_write_counts_bytes_not_elements() -> None:
    memory = REFERENCE.store().mem_alloc(MemType(AddrType.I32, Bounds(1, 1)))
    memory.write(0, array.array("I", [1, 2, 3]))  # type: ignore[arg-type]
    assert memory.read(0, 12) == bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])
    with pytest.raises(Trap) as caught:
        memory.write(65535, memoryview(array.array("I", [7])))  # type: ignore[arg-type]
    assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert (memory.size, len(memory.read(0, 65536))) == (1, 65536)
    with pytest.raises(TypeError):
        memory.write(0, [1, 2, 3])  # type: ignore[arg-type]


def test_sizes_that_no_machine_has_are_exhaustion() -> None:
    wasm = parse(
        '(module (memory i64 1) (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))'
        ' (table i64 0 funcref) (func (export "table") (param i64) (result i64)'
        " (table.grow (ref.null func) (local.get 0))))"
    )
    store = REFERENCE.store(Limits(max_memory_pages=2**48, max_table_elements=2**62))
    instance = store.instantiate(REFERENCE.compile(wasm), [])
    assert instance.exports["grow"](0xFFFF_FFFF_FFFF) == -1
    assert instance.exports["table"](2**61) == -1
    with pytest.raises(Exhaustion) as caught:
        store.instantiate(REFERENCE.compile(parse("(module (memory i64 0x800000000000))")), [])
    assert caught.value.what is ExhaustionKind.MEMORY


def test_all_constant_expressions_share_one_fuel() -> None:
    calls = "(elem (ref null $a) " + "(item (array.new $a (i32.const 0) (i32.const 60000)))" * 2000 + ")"
    wasm = parse(f"(module (type $a (array i8)) {calls})")
    with pytest.raises(Exhaustion):
        REFERENCE.store(Limits(deadline_seconds=0.001)).instantiate(REFERENCE.compile(wasm), [])


def test_a_number_beyond_31_bits_is_no_i31() -> None:
    wasm = parse('(module (func (export "f") (param i31ref) (result i32) (i31.get_u (local.get 0))))')
    func = REFERENCE.store().instantiate(REFERENCE.compile(wasm), []).exports["f"]
    assert func(I31(5)) == 5
    for value in (2**31, -1, "x", True):
        with pytest.raises(TypeError):
            func(I31(value))  # type: ignore[arg-type]


def test_an_interrupted_call_leaves_the_store_usable() -> None:
    store = REFERENCE.store()
    interrupts = iter([True, False])

    def host() -> None:
        if next(interrupts):
            raise KeyboardInterrupt

    wasm = parse('(module (import "m" "h" (func $h)) (func (export "f") (call $h)))')
    instance = store.instantiate(
        REFERENCE.compile(wasm), [store.func_alloc(REFERENCE.compile(wasm).imports[0].type, host)]
    )
    with pytest.raises(KeyboardInterrupt):
        instance.exports["f"]()
    instance.exports["f"]()
    assert store.inst.meter.reentry == 0


@pytest.mark.parametrize("what", ["(memory 0)", "(table 0 funcref)"])
def test_memories_and_tables_are_not_without_number(what: str) -> None:
    REFERENCE.compile(parse(f"(module {what * 100})"))
    with pytest.raises(Invalid, match="too many"):
        REFERENCE.compile(parse(f"(module {what * 101})"))


def uleb(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14])


def test_catch_clauses_are_not_without_number() -> None:
    def catches(count: int) -> bytes:
        body = b"\0\x1f\x40" + uleb(count) + b"\2\0" * count + b"\x0b\x0b"
        code = b"\1" + uleb(len(body)) + body
        return b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + uleb(len(code)) + code

    REFERENCE.compile(catches(10_000))
    with pytest.raises(Malformed, match="too many catch clauses"):
        REFERENCE.compile(catches(10_001))
