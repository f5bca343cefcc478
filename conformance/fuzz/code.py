"""Mutations of single instructions, which leave a module readable; what comes of them is often valid.

An instruction becomes another one that is written alike, goes away, comes twice, or comes in from another module.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

from conformance.fuzz.determinism import end_of_opcode, instructions
from conformance.fuzz.framing import CODE_SECTION, Section, join, join_bodies, split, uleb
from interp.binary.instructions import InstrReader
from interp.binary.modules import decode
from interp.errors import Malformed
from interp.syntax.instructions import OPS, Imm, Op
from interp.syntax.modules import Func

_ALIKE: dict[tuple[Imm, ...], list[Op]] = defaultdict(list)
_SAME_TYPE: dict[Any, list[Op]] = defaultdict(list)
for _op in OPS:
    _ALIKE[_op.immediates].append(_op)
    _SAME_TYPE[_op.immediates, _op.type].append(_op)


def encoded(op: Op) -> bytes:
    """An opcode in binary form."""
    return bytes([op.opcode]) if isinstance(op.opcode, int) else bytes([op.opcode[0]]) + uleb(op.opcode[1])


def another(rng: Random, op: Op) -> Op:
    """An instruction with the same immediates, most of the time one of the same type."""
    if op.type is not None and rng.random() < 0.7:
        return rng.choice(_SAME_TYPE[op.immediates, op.type])
    return rng.choice(_ALIKE[op.immediates])


def pick(rng: Random, funcs: tuple[Func, ...]) -> tuple[int, int, Op] | None:
    """The index of a function, the offset of one of its instructions in the module, and its row; None without any."""
    places = [(index, func) for index, func in enumerate(funcs) if func.body]
    if not places:
        return None
    index, func = rng.choice(places)
    instr = rng.choice(list(instructions(func.body)))
    return index, instr.offset, instr.op


def end_of(wasm: bytes, at: int) -> int:
    """The offset behind the immediates of the instruction at `at`, which can be read.  Spec: binary/instructions"""
    reader = InstrReader(wasm)
    reader.pos = at
    _, readers, _ = reader.read_row()
    for read in readers:
        read()
    return int(reader.pos)


def edit_instruction(rng: Random, wasm: bytes, other: bytes) -> bytes | None:
    """A module with one instruction changed; None if it has none, or cannot be decoded."""
    try:
        funcs = decode(wasm).funcs
        found = pick(rng, funcs)
        foreign = pick(rng, decode(other).funcs) if rng.random() < 0.2 else None
    except Malformed:
        return None
    if found is None:
        return None
    index, at, op = found
    is_block = Imm.BLOCKTYPE in op.immediates
    start, end = at, at if is_block else end_of(wasm, at)
    if foreign is not None and Imm.BLOCKTYPE not in foreign[2].immediates:
        new, end = other[foreign[1] : end_of(other, foreign[1])], at
    elif is_block or rng.random() < 0.7:
        new = encoded(another(rng, op))
        end = at + end_of_opcode(wasm[at:], 0)
    else:
        new = wasm[start:end] * rng.choice((0, 2))
    return _with_body(wasm, funcs, index, wasm[funcs[index].offset : start] + new, end)


def _with_body(wasm: bytes, funcs: tuple[Func, ...], index: int, beginning: bytes, end: int) -> bytes:
    """The module with the body of one function being `beginning` and what was from offset `end` on."""
    bodies = [wasm[func.offset : func.offset + func.size] for func in funcs]
    bodies[index] = beginning + wasm[end : funcs[index].offset + funcs[index].size]
    code = Section(CODE_SECTION, join_bodies(bodies))
    return join([code if section.id == CODE_SECTION else section for section in split(wasm)])
