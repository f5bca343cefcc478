"""Which modules can behave in one way only: engines may choose the payloads of NaNs and what relaxed instructions do.

Spec: exec/numerics#nan-propagation, exec/relops
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.fuzz.framing import CODE_SECTION, Section, join, join_bodies, read_uleb, split
from interp.binary.modules import decode
from interp.errors import Malformed
from interp.syntax.instructions import OPS, Expr, Instr, Op
from interp.syntax.types import F32, F64, V128, ValType

KEEPS_NAN = ("abs", "neg", "copysign", "pmin", "pmax", "convert", "reinterpret")
"""Beginnings of the names of operators on floats that determine the bits of a NaN, or give none."""

VARYING = frozenset(
    op
    for op in OPS
    if "relaxed" in op.mnemonic
    or (
        op.kind in ("unop", "binop", "cvtop", "vunop", "vbinop", "vcvtop")
        and op.mnemonic.startswith("f")
        and not op.mnemonic.partition(".")[2].startswith(KEEPS_NAN)
    )
)
"""Instructions whose results an engine may choose."""

FORGOTTEN = frozenset(op for op in VARYING if op.kind in ("cvtop", "vcvtop") and "relaxed" not in op.mnemonic)
"""Those of them, promotions and demotions, that wasm-tools smith forgets when it makes all NaNs canonical."""

ZEROS: dict[ValType, bytes] = {F32: b"\x43" + bytes(4), F64: b"\x44" + bytes(8), V128: b"\xfd\x0c" + bytes(16)}
"""Type -> a constant of it, in binary form."""

DROP = b"\x1a"


def instructions(expr: Expr) -> Iterator[Instr]:
    """All instructions of an expression, those in blocks too."""
    todo = [expr]
    while todo:
        for instr in todo.pop():
            yield instr
            todo.extend(instr.bodies)


def is_deterministic(wasm: bytes) -> bool:
    """Whether the functions of a module have no instruction whose result an engine may choose."""
    return not any(instr.op in VARYING for func in decode(wasm).funcs for instr in instructions(func.body))


def without_forgotten(wasm: bytes) -> bytes:
    """A module with a zero where an instruction of FORGOTTEN stood; as it is where it cannot be decoded."""
    try:
        funcs = decode(wasm).funcs
    except Malformed:  # what is wrong then will be seen when the module is checked
        return wasm
    bodies: list[bytes] = []
    for func in funcs:
        body = wasm[func.offset : func.offset + func.size]
        places = {instr.offset - func.offset: instr.op for instr in instructions(func.body) if instr.op in FORGOTTEN}
        for at in sorted(places, reverse=True):
            body = body[:at] + replacement(places[at]) + body[end_of_opcode(body, at) :]
        bodies.append(body)
    return join(
        [
            Section(CODE_SECTION, join_bodies(bodies)) if section.id == CODE_SECTION else section
            for section in split(wasm)
        ]
    )


def replacement(op: Op) -> bytes:
    """Instructions of the type of a unary operator that give zero."""
    if op.type is None:
        raise TypeError(f"{op.mnemonic} has no type")
    return DROP + ZEROS[op.type.results[0]]


def end_of_opcode(body: bytes, at: int) -> int:
    """The offset behind the opcode that starts at `at`."""
    return read_uleb(body, at + 1)[1] if body[at] >= 0xFB else at + 1
