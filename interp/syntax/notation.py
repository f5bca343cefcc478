"""Instructions and modules in the words of the text format, for people to read.

Spec: text/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from interp.execution.numerics_vector import ilanes
from interp.execution.values import fbits, signed_
from interp.syntax.instructions import BLOCKS, BlockType, Catch, Expr, Imm, Instr, MemArg
from interp.syntax.shapes import I32X4
from interp.syntax.types import RefType, TypeIdx


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


def show_integer(N: int, i: int) -> str:
    """An iN as a signed number."""
    return str(signed_(N, i))


def show_vector(v: int) -> str:
    """A v128 as its four lanes of 32 bits: `i32x4 0x… 0x… 0x… 0x…`."""
    return f"{I32X4} {' '.join(f'{c:#010x}' for c in ilanes(I32X4.N, v))}"


def show_list(values: Iterable[object]) -> str:
    """Values with spaces between them."""
    return " ".join(map(str, values))


SHOWN: dict[Imm, Callable[[Any], str]] = {
    Imm.I32: partial(show_integer, 32),
    Imm.I64: partial(show_integer, 64),
    Imm.F32: partial(show_float, 32),
    Imm.F64: partial(show_float, 64),
    Imm.V128: show_vector,
    Imm.VALTYPE_LIST: lambda types: f"(result {show_list(types)})",
    Imm.LABELIDX_LIST: show_list,
    Imm.LANEIDX_16: show_list,
    Imm.MEMIDX: lambda x: str(x) if x else "",
}
"""How an immediate is written, if not as it is."""


def show_immediate(kind: Imm, value: Any, natural: int) -> str:
    """One immediate as the text format writes it; what it leaves out as default is left out.

    `natural` is the alignment that a memory access has by itself, as exponent of 2.
    """
    if isinstance(value, MemArg):
        parts = [f"{value.memidx}"] if value.memidx else []
        parts += [f"offset={value.offset}"] if value.offset else []
        parts += [f"align={1 << value.align}"] if value.align != natural else []
        return " ".join(parts)
    return SHOWN.get(kind, str)(value)


def show_catch(catch: Catch) -> str:
    """A catch clause: `(catch x l)`, `(catch_all l)`."""
    tag = "" if catch.tagidx is None else f"{catch.tagidx} "
    return f"({catch.keyword} {tag}{catch.labelidx})"


SEGMENT_LAST = frozenset({"memory.init", "table.init"})
INDIRECT = frozenset({"call_indirect", "return_call_indirect"})


def show_instr(instr: Instr) -> str:
    """An instruction with its immediates, without the instructions inside it."""
    op = instr.op
    mnemonic = op.mnemonic.partition(" ")[0]
    values = instr.immediates[: len(op.immediates)]
    if Imm.BLOCKTYPE in op.immediates:
        catches = map(show_catch, values[1] if Imm.CATCH_LIST in op.immediates else ())
        return " ".join([mnemonic + show_blocktype(values[0]), *catches])
    if op.kind in INDIRECT:
        y, x = values
        return f"{mnemonic} {f'{x} ' if x else ''}(type {y})"
    if op.kind in ("ref.test", "ref.cast"):
        return f"{mnemonic} {RefType(op.params[0], values[0])}"
    if Imm.CASTOP in op.immediates:
        (null1, null2), l, ht1, ht2 = values  # noqa: E741 — the specification's letter
        return f"{mnemonic} {l} {RefType(null1, ht1)} {RefType(null2, ht2)}"
    natural = (op.params[1] // 8).bit_length() - 1 if Imm.MEMARG in op.immediates else 0
    shown = [show_immediate(kind, value, natural) for kind, value in zip(op.immediates, values, strict=True)]
    if op.kind in SEGMENT_LAST:
        shown.reverse()
    if op.kind == "memory.copy" and any(values):
        shown = list(map(str, values))
    return " ".join([mnemonic, *filter(None, shown)])


def listing(expr: Expr, end: int) -> Iterator[tuple[int, int, str]]:
    """(offset, depth of nesting, text) of every instruction of an expression, `else` and `end` included; `end` is the
    offset of the `end` that closes the expression. Offsets are in bytes.

    The `end` of a block is the byte before what follows it. An `else` with nothing behind it is left out.
    """
    pending: list[tuple[Expr, int, int, Expr]] = [(expr, 0, end, ())]
    while pending:
        instrs, index, close, otherwise = pending.pop()
        depth = len(pending)
        if index < len(instrs):
            instr = instrs[index]
            pending.append((instrs, index + 1, close, otherwise))
            yield instr.offset, depth, show_instr(instr)
            if instr.op in BLOCKS:
                body, *other = instr.bodies
                after = instrs[index + 1].offset if index + 1 < len(instrs) else closing(close, otherwise)
                pending.append((body, 0, after - 1, other[0] if other else ()))
        elif otherwise:
            yield closing(close, otherwise), depth - 1, "else"
            pending.append((otherwise, 0, close, ()))
        elif pending:
            yield close, depth - 1, "end"


def closing(end: int, otherwise: Expr) -> int:
    """Where a sequence of instructions stops: at the `else` before `otherwise`, or at its `end`."""
    return otherwise[0].offset - 1 if otherwise else end
