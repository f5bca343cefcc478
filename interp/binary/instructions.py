"""Instructions of the binary format (specification 5.4), read by the rows of the instruction table.

Blocks are nested by a stack of open blocks, not by recursion, so that any depth of nesting is read.

Spec: binary/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.binary.reader import VALTYPES, StrictReader
from interp.syntax.instructions import (
    BY_MNEMONIC,
    BY_OPCODE,
    ELSE,
    END,
    PREFIXES,
    BlockType,
    Expr,
    Imm,
    Instr,
    MemArg,
    Op,
)
from interp.syntax.types import TypeIdx

EMPTY_BLOCKTYPE = 0x40
MEMIDX_FLAG = 0x40
BLOCKS = frozenset(BY_MNEMONIC[mnemonic] for mnemonic in ("block", "loop", "if"))

INDICES = frozenset({Imm.LABELIDX, Imm.FUNCIDX, Imm.TYPEIDX, Imm.TABLEIDX, Imm.GLOBALIDX, Imm.LOCALIDX, Imm.ELEMIDX})
LATER_OPCODES = {
    0x08: "exceptions are", 0x0A: "exceptions are", 0x12: "tail calls are", 0x13: "tail calls are",
    0x14: "function references are", 0x15: "function references are", 0x1F: "exceptions are",
    0xD3: "garbage collection is", 0xD4: "function references are", 0xFB: "garbage collection is", 0xFD: "SIMD is",
}  # fmt: skip
"""First bytes of instructions that the table has no rows for yet, so that the error says what a module needs."""

LONG = 0x80
"""The first byte of an index from which on another byte follows."""

Row = tuple[Op, tuple[Callable[[], Any], ...], bool]
"""A row of the table, the readers of its immediates, and whether an index follows a single byte of opcode."""

OpenBlock = tuple[Op, int, BlockType, list[Instr], Expr | None]
"""An open block: its row, offset and block type, the instructions around it, and `then` while `else` is read."""


class InstrReader(StrictReader):
    """Adds expressions to the values and types."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.uses_data_count = False
        self._immediates: dict[Imm, Callable[[], Any]] = {
            Imm.BLOCKTYPE: self.read_blocktype,
            Imm.LABELIDX: self.read_uint,
            Imm.LABELIDX_LIST: lambda: self.read_vec(self.read_uint),
            Imm.FUNCIDX: self.read_uint,
            Imm.TYPEIDX: self.read_uint,
            Imm.TABLEIDX: self.read_uint,
            Imm.MEMIDX: self.read_memidx,
            Imm.GLOBALIDX: self.read_uint,
            Imm.LOCALIDX: self.read_uint,
            Imm.ELEMIDX: self.read_uint,
            Imm.DATAIDX: self.read_dataidx,
            Imm.VALTYPE_LIST: self.read_resulttype,
            Imm.HEAPTYPE: self.read_heaptype,
            Imm.MEMARG: self.read_memarg,
            Imm.I32: lambda: self.read_int(32) & 0xFFFFFFFF,
            Imm.I64: lambda: self.read_int(64) & 0xFFFFFFFFFFFFFFFF,
            Imm.F32: self.read_f32,
            Imm.F64: self.read_f64,
        }
        self._rows: list[Row | None] = [None] * 256
        for opcode, op in BY_OPCODE.items():
            if isinstance(opcode, int):
                self._rows[opcode] = self.row(op)

    def read_blocktype(self) -> BlockType:
        """blocktype: empty, a value type, or a type index as a positive s33.  Spec: binary/instructions#control"""
        byte = self.data[self.pos] if self.pos < self.end else self.read_byte()
        if byte == EMPTY_BLOCKTYPE:
            self.pos += 1
            return None
        if byte in VALTYPES:
            return self.read_valtype()
        start = self.pos
        index = self.read_int(33)
        if index < 0:
            raise self.malformed("malformed block type", start)
        return TypeIdx(index)

    def read_memidx(self) -> int:
        """memidx; a byte that must be zero until a module may have several memories."""
        if self.read_byte() != 0:
            raise self.malformed("zero byte expected", self.pos - 1)
        return 0

    def read_dataidx(self) -> int:
        """dataidx; its use needs a data count section before the code.  Spec: binary/modules#data-count-section"""
        self.uses_data_count = True
        return self.read_uint()

    def read_memarg(self) -> MemArg:
        """memarg.  Spec: binary/instructions#memory-instructions"""
        start = self.pos
        align = self.read_uint()
        if align >= MEMIDX_FLAG:
            raise self.malformed("malformed memop flags", start)
        return MemArg(align, self.read_uint())

    def row(self, op: Op) -> Row:
        """A row of the table, prepared for reading."""
        indexed = bool(op.immediates) and op.immediates[0] in INDICES and isinstance(op.opcode, int)
        return op, tuple([self._immediates[imm] for imm in op.immediates]), indexed

    def read_row(self) -> Row:
        """The row of the next opcode, after a prefix by its number.  Malformed: illegal opcode"""
        start = self.pos
        opcode: int | tuple[int, int] = self.read_byte()
        if opcode in PREFIXES:
            opcode = (int(opcode), self.read_uint())
        op = BY_OPCODE.get(opcode)
        if op is None:
            first, code = (opcode, opcode) if isinstance(opcode, int) else (opcode[0], opcode[0] << 8 | opcode[1])
            later = f", {LATER_OPCODES[first]} not supported yet" if first in LATER_OPCODES else ""
            raise self.malformed(f"illegal opcode {code:x}{later}", start)
        return self.row(op)

    def read_expression(self) -> Expr:
        """expr: instructions up to the `end` that closes it.  Spec: binary/instructions#expressions"""
        rows, data = self._rows, self.data
        current: list[Instr] = []
        open_blocks: list[OpenBlock] = []
        while True:
            offset = self.pos
            opcode = data[offset] if offset < self.end else self.read_byte()
            if opcode == END:
                self.pos = offset + 1
                if not open_blocks:
                    return tuple(current)
                current = close_block(open_blocks.pop(), tuple(current))
                continue
            if opcode == ELSE:
                self.pos = offset + 1
                if not open_blocks or not expects_else(open_blocks[-1]):
                    raise self.malformed("END opcode expected", offset)
                open_blocks.append((*open_blocks.pop()[:4], tuple(current)))
                current = []
                continue
            row = rows[opcode]
            if row is None:
                row = self.read_row()
            else:
                self.pos = offset + 1
            op, readers, indexed = row
            if op in BLOCKS:
                open_blocks.append((op, offset, self.read_blocktype(), current, None))
                current = []
            elif len(readers) == 1:
                byte = data[offset + 1] if indexed and offset + 1 < self.end else LONG
                if byte < LONG:
                    self.pos = offset + 2
                    current.append(Instr(op, (byte,), offset))
                else:
                    current.append(Instr(op, (readers[0](),), offset))
            else:
                current.append(Instr(op, tuple([reader() for reader in readers]), offset))


def expects_else(block: OpenBlock) -> bool:
    """Whether a block is an `if` in its first arm."""
    return block[0].kind == "if" and block[4] is None


def close_block(block: OpenBlock, body: Expr) -> list[Instr]:
    """The instructions around a block, with the block behind them."""
    op, offset, blocktype, outer, then = block
    bodies: tuple[Expr, ...] = (body,)
    if op.kind == "if":
        bodies = (body, ()) if then is None else (then, body)
    outer.append(Instr(op, (blocktype, *bodies), offset))
    return outer
