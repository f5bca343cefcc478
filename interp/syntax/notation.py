"""Instructions and modules in the words of the text format, for people to read.

Spec: text/instructions
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interp.execution.values import fbits
from interp.syntax.instructions import BlockType, Expr, Imm, Instr, MemArg
from interp.syntax.types import TypeIdx


def show_float(N: int, z: float) -> str:
    """A float so that it can be read back bit by bit: nan:0x… with its payload, decimals otherwise."""
    if z != z:  # noqa: PLR0124 — only a NaN is unequal to itself
        bits = fbits(N, z)
        mantissa = 23 if N == 32 else 52
        sign = "-" if bits >> (N - 1) else ""
        return f"{sign}nan:{bits & ((1 << mantissa) - 1):#x}"
    return repr(z)


def show_blocktype(blocktype: BlockType) -> str:
    """` (result t)`, ` (type x)`, or nothing."""
    if blocktype is None:
        return ""
    if isinstance(blocktype, TypeIdx):
        return f" (type {blocktype})"
    return f" (result {blocktype})"


def show_immediate(kind: Imm, value: Any, natural: int) -> str:
    """One immediate as the text format writes it; what it leaves out as default is left out.

    `natural` is the alignment that a memory access has by itself, as exponent of 2.
    """
    if isinstance(value, MemArg):
        parts = [f"{value.memidx}"] if value.memidx else []
        parts += [f"offset={value.offset}"] if value.offset else []
        parts += [f"align={1 << value.align}"] if value.align != natural else []
        return " ".join(parts)
    if kind in (Imm.F32, Imm.F64):
        return show_float(32 if kind is Imm.F32 else 64, value)
    if kind in (Imm.I32, Imm.I64):
        N = 32 if kind is Imm.I32 else 64
        return str(value - (1 << N) if value >> (N - 1) else value)
    if kind is Imm.VALTYPE_LIST:
        return f"(result {' '.join(map(str, value))})"
    if kind is Imm.LABELIDX_LIST:
        return " ".join(map(str, value))
    return "" if kind is Imm.MEMIDX and value == 0 else str(value)


def show_instr(instr: Instr) -> str:
    """An instruction with its immediates, without the instructions inside it."""
    op = instr.op
    mnemonic = op.mnemonic.partition(" ")[0]
    if op.immediates == (Imm.BLOCKTYPE,):
        return mnemonic + show_blocktype(instr.immediates[0])
    natural = (op.params[1] // 8).bit_length() - 1 if op.kind in ("load", "store") else 0
    shown = [show_immediate(kind, value, natural) for kind, value in zip(op.immediates, instr.immediates, strict=True)]
    return " ".join([mnemonic, *filter(None, shown)])


def listing(expr: Expr) -> Iterator[tuple[int, int, str]]:
    """(offset, depth of nesting, text) of every instruction of an expression, `else` and `end` included.

    The offset of an `else` or `end` is that of the instruction that it belongs to.
    """
    pending: list[tuple[Iterator[Instr], Instr | None, Expr]] = [(iter(expr), None, ())]
    while pending:
        instrs, block, otherwise = pending[-1]
        instr = next(instrs, None)
        depth = len(pending) - 1
        if instr is not None:
            yield instr.offset, depth, show_instr(instr)
            if instr.op.immediates == (Imm.BLOCKTYPE,):
                _, body, *other = instr.immediates
                pending.append((iter(body), instr, other[0] if other else ()))
            continue
        pending.pop()
        if block is not None and otherwise:
            yield block.offset, depth - 1, "else"
            pending.append((iter(otherwise), block, ()))
        elif block is not None:
            yield block.offset, depth - 1, "end"
