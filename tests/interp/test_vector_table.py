"""The rows of vector instructions: opcodes against another assembler, notation, addresses in the specification, types,
and the reduction rules that no operator of today reaches."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import Invalid, Malformed, Trap, TrapKind
from interp.execution import numerics
from interp.execution.meter import Meter
from interp.execution.runtime import Store
from interp.reference.configuration import RULE_NAMES, RULES, Frame
from interp.reference.machine import FINISHED, NO_MODULE, Machine, step
from interp.syntax.features import RELAXED_SIMD, SIMD
from interp.syntax.instructions import BY_MNEMONIC, OPS, Imm, Instr, MemArg, Op
from interp.syntax.notation import show_instr
from interp.syntax.types import V128, FuncType
from interp.syntax.vector_instructions import PREFIX, RELAXED, VECTOR
from interp.validation.instructions import rule_name
from interp.validation.modules import validate
from tests_support import parse

IMMEDIATES = {
    Imm.MEMARG: "offset=3 align=1",
    Imm.LANEIDX: "1",
    Imm.LANEIDX_16: " ".join(str(2 * k) for k in range(16)),
    Imm.V128: "i32x4 0x00000001 0x80000000 0xffffffff 0x00000010",
}
MEMORY_KINDS = ("vload", "vload_lane", "vstore", "vstore_lane")


def written(op: Op) -> str:
    """An instruction of a row as the text format has it."""
    return " ".join([op.mnemonic, *(IMMEDIATES[imm] for imm in op.immediates)])


def assembled(texts: list[str]) -> list[Instr]:
    """Instructions, assembled by wasm-tools and decoded here."""
    module = decode(parse(f"(module (memory 1) (func {' '.join(texts)}))"))
    return list(module.funcs[0].body)


def test_every_opcode_is_that_of_the_assembler() -> None:
    """wasm-tools knows the mnemonics, the decoder knows the numbers: they must meet in the same row."""
    instrs = assembled([written(op) for op in VECTOR])
    assert [instr.op for instr in instrs] == list(VECTOR)
    assert [show_instr(instr) for instr in instrs] == [
        written(op).replace(" align=1", "" if op.kind in MEMORY_KINDS and op.params[1] == 8 else " align=1")
        for op in VECTOR
    ]


def test_numbers_and_features() -> None:
    assert {op.opcode[0] for op in VECTOR if isinstance(op.opcode, tuple)} == {PREFIX}
    numbers = [op.opcode[1] for op in VECTOR if isinstance(op.opcode, tuple)]
    assert len(numbers) == len(set(numbers)) == 236 + 20
    assert max(numbers[:236]) == 255
    assert min(numbers[236:]) == 256
    assert all(op.since == (RELAXED_SIMD if op in RELAXED else SIMD) for op in VECTOR)
    assert all(("relaxed" in op.mnemonic) == (op in RELAXED) for op in VECTOR)


def test_numbers_without_an_instruction_are_malformed() -> None:
    known = {op.opcode for op in VECTOR}
    for number in range(300):
        if (PREFIX, number) in known:
            continue
        leb = bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])
        body = bytes([0, PREFIX]) + leb + b"\x0b"
        code = bytes([1, len(body)]) + body
        wasm = b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + bytes([len(code)]) + code
        with pytest.raises(Malformed, match="illegal opcode"):
            decode(wasm)


@given(st.integers(0, 2**128 - 1), st.lists(st.integers(0, 31), min_size=16, max_size=16))
@settings(max_examples=20, deadline=None)
def test_constants_and_shuffles_can_be_read_back(v: int, lanes: list[int]) -> None:
    op, shuffle = BY_MNEMONIC["v128.const"], BY_MNEMONIC["i8x16.shuffle"]
    instrs = [Instr(op, (v,), 0), Instr(shuffle, (tuple(lanes),), 0)]
    found = assembled([show_instr(instr) for instr in instrs])
    assert [instr.immediates for instr in found] == [instr.immediates for instr in instrs]


@pytest.mark.parametrize(
    ("mnemonic", "immediates", "shown"),
    [
        ("v128.load", (MemArg(4, 0),), "v128.load"),
        ("v128.load", (MemArg(0, 7, 2),), "v128.load 2 offset=7 align=1"),
        ("v128.load8x8_u", (MemArg(3, 0),), "v128.load8x8_u"),
        ("v128.load16_splat", (MemArg(0, 0),), "v128.load16_splat align=1"),
        ("v128.load64_lane", (MemArg(3, 1), 1), "v128.load64_lane offset=1 1"),
        ("v128.store8_lane", (MemArg(0, 0, 1), 15), "v128.store8_lane 1 15"),
        ("v128.const", (1,), "v128.const i32x4 0x00000001 0x00000000 0x00000000 0x00000000"),
        ("f64x2.extract_lane", (0,), "f64x2.extract_lane 0"),
    ],
)
def test_notation(mnemonic: str, immediates: tuple[object, ...], shown: str) -> None:
    assert show_instr(Instr(BY_MNEMONIC[mnemonic], immediates, 0)) == shown


SECTIONS = {
    "vconst", "vvunop", "vvbinop", "vvternop", "vvtestop", "vunop", "vbinop", "vternop", "vtestop", "vrelop",
    "vshiftop", "vbitmask", "vswizzlop", "vshuffle", "vsplat", "vextract-lane", "vreplace-lane", "vextunop",
    "vextbinop", "vextternop", "vnarrow", "vcvtop", "vload-val", "vload-pack", "vload-splat", "vload-zero",
    "vload-lane", "vstore", "vstore-lane",
}  # fmt: skip
"""The sections on vectors in the chapter on the execution of instructions."""


def test_addresses_are_the_sections_of_the_chapter() -> None:
    assert {op.anchor for op in VECTOR} == {f"exec/instructions#exec-{section}" for section in SECTIONS}
    assert BY_MNEMONIC["f32x4.add"].anchor == "exec/instructions#exec-vbinop"
    assert BY_MNEMONIC["v128.load32_zero"].anchor == "exec/instructions#exec-vload-zero"


def test_rows_say_what_they_mean() -> None:
    for op in VECTOR:
        if op.sem is None:
            assert op.mnemonic in ("v128.const", "v128.store", "v128.load", "v128.load32_zero", "v128.load64_zero")
            continue
        documentation = op.sem.__doc__ or ""
        assert re.search(r"Spec: exec/(numerics#op|instructions#exec)-[a-z0-9-]+$", documentation), op
        signedness = re.search(r"_([su])(?:_zero)?$", op.mnemonic)
        if signedness and op.kind != "vload_lane":
            assert op.sem.__name__.endswith(signedness[0].removesuffix("_zero")), op


def test_every_numerics_function_is_what_some_row_means() -> None:
    assert {op.sem.__name__ for op in OPS if op.sem is not None} == set(numerics.__all__)


def test_typing_rules_have_the_names_of_the_specification() -> None:
    def name(mnemonic: str) -> str:
        return rule_name(Instr(BY_MNEMONIC[mnemonic], (), 0))

    assert name("v128.load") == "Instr_ok/vload-val"
    assert name("v128.load8x8_s") == "Instr_ok/vload-pack"
    assert name("v128.load64_splat") == "Instr_ok/vload-splat"
    assert name("v128.load32_zero") == "Instr_ok/vload-zero"
    assert name("v128.load32_lane") == "Instr_ok/vload_lane"
    assert name("i8x16.add") == "Instr_ok/vbinop"


def lane_counts() -> list[tuple[str, int]]:
    """Every row with a lane index, and how many lanes there are to choose from."""
    counts = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}
    found = []
    for op in VECTOR:
        if Imm.LANEIDX in op.immediates:
            shape, _, name = op.mnemonic.partition(".")
            width = re.search(r"(?:load|store)(\d+)_lane", name)
            found.append((op.mnemonic, 128 // int(width[1]) if width else counts[shape]))
    return found


def invalid(body: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        validate(decode(parse(f"(module (memory 1) (func {body}))")))
    return caught.value


@pytest.mark.parametrize(("mnemonic", "lanes"), lane_counts())
def test_lane_indices(mnemonic: str, lanes: int) -> None:
    validate(decode(parse(f"(module (memory 1) (func unreachable {mnemonic} {lanes - 1} unreachable))")))
    for index in {lanes, 255}:
        error = invalid(f"unreachable {mnemonic} {index} unreachable")
        assert error.message.startswith("invalid lane index")
        assert error.rule == rule_name(Instr(BY_MNEMONIC[mnemonic], (), 0))


def test_lane_indices_of_a_shuffle() -> None:
    for k in (0, 7, 15):
        indices = " ".join(["31"] * k + ["32"] + ["0"] * (15 - k))
        assert invalid(f"unreachable i8x16.shuffle {indices} unreachable").rule == "Instr_ok/vshuffle"


@pytest.mark.parametrize("op", [op for op in VECTOR if op.kind in MEMORY_KINDS], ids=lambda op: op.mnemonic)
def test_alignment(op: Op) -> None:
    lane = " 0" if op.kind.endswith("_lane") else ""
    n = op.params[1] // 8
    validate(decode(parse(f"(module (memory 1) (func unreachable {op.mnemonic} align={n}{lane} unreachable))")))
    error = invalid(f"unreachable {op.mnemonic} align={2 * n}{lane} unreachable")
    assert error.message == "alignment must not be larger than natural"
    error = invalid(f"unreachable {op.mnemonic} 1{lane} unreachable")
    assert error.message == "unknown memory 1"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("(drop (i8x16.add (v128.const i64x2 0 0) (i32.const 0)))", "Instr_ok/vbinop"),
        ("(drop (i8x16.shl (v128.const i64x2 0 0) (i64.const 0)))", "Instr_ok/vshiftop"),
        ("(drop (f64x2.splat (f32.const 0)))", "Instr_ok/vsplat"),
        ("(drop (i16x8.replace_lane 0 (v128.const i64x2 0 0) (f32.const 0)))", "Instr_ok/vreplace_lane"),
        ("(drop (f32x4.extract_lane 0 (i32.const 0)))", "Instr_ok/vextract_lane"),
        ("(drop (i64.eqz (f64x2.extract_lane 0 (v128.const i64x2 0 0))))", "Instr_ok/testop"),
        ("(drop (v128.load (i64.const 0)))", "Instr_ok/vload-val"),
        ("(drop (v128.load8_lane 0 (v128.const i64x2 0 0) (i32.const 0)))", "Instr_ok/vload_lane"),
        ("(v128.store (i32.const 0) (f64.const 0))", "Instr_ok/vstore"),
        ("(v128.store8_lane 0 (i32.const 0) (f64.const 0))", "Instr_ok/vstore_lane"),
        (
            "(drop (i8x16.shuffle 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 (i32.const 0) (v128.const i64x2 0 0)))",
            "Instr_ok/vshuffle",
        ),
    ],
)
def test_operands_have_types(body: str, rule: str) -> None:
    error = invalid(body)
    assert error.message.startswith("type mismatch")
    assert error.rule == rule


def undefined(*_: object) -> int:
    """An operator that is defined nowhere."""
    raise Trap(TrapKind.INTEGER_OVERFLOW)


@pytest.mark.parametrize(("kind", "arity"), [("vunop", 1), ("vbinop", 2), ("vternop", 3)])
def test_an_operator_that_is_not_defined_traps(kind: str, arity: int) -> None:
    """The specification has such rules, although no operator of today is partly defined."""
    op = Op("test.undefined", (PREFIX, 2**20), kind, (), FuncType((V128,) * arity, (V128,)), undefined, (128,), SIMD)
    machine = Machine(Store(Meter(Limits())))
    code = ((RULES[kind](op), None, Instr(op, (), 0)),)
    config = machine.start(Frame([], NO_MODULE), code, (9, *range(arity)), observed=True)
    assert step(config) == f"Step_pure/{kind}-trap"
    assert config.vals == [9]
    assert list(iter(lambda: step(config), FINISHED)) == ["Step_pure/trap-instrs"]
    assert config.vals == []
    with pytest.raises(Trap) as caught:
        machine.run(machine.start(Frame([], NO_MODULE), code, range(arity)))
    assert caught.value.kind is TrapKind.INTEGER_OVERFLOW


def test_every_rule_on_vectors_is_registered() -> None:
    with (Path(__file__).parents[1] / "data" / "spectec-rules.csv").open() as file:
        rules = [(row["relation"], row["rule"]) for row in csv.DictReader(file) if row["rule"].startswith("v")]
    steps = {f"{relation}/{rule}" for relation, rule in rules if relation.startswith("Step")}
    assert {name for name in RULE_NAMES if name.partition("/")[2].startswith("v")} == steps
    assert {name.partition("/")[2].partition("-")[0] for name in steps} == {op.kind for op in VECTOR} - {"vconst"}
    typing = {rule for relation, rule in rules if relation == "Instr_ok"}
    assert {rule_name(Instr(op, (), 0)).partition("/")[2] for op in VECTOR} == typing
