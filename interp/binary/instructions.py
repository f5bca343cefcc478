"""Instructions of the binary format (specification 5.4), read by the rows of the instruction table.

Blocks are nested by a stack of open blocks, not by recursion, so that any depth of nesting is read.

Spec: binary/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.binary.reader import LONG, VALTYPE_CODES, StrictReader
from interp.execution.values import inv_signed_
from interp.syntax import features as f
from interp.syntax.instructions import (
    BLOCKS,
    BY_OPCODE,
    CATCHES,
    ELSE,
    END,
    PREFIXES,
    BlockType,
    Catch,
    Expr,
    Imm,
    Instr,
    MemArg,
    Op,
)
from interp.syntax.types import TypeIdx

EMPTY_BLOCKTYPE = 0x40
MEMIDX_FLAG = 0x40
"""Bit of a memory argument's flags that says that a memory index follows; below it stands the alignment."""


INDICES = frozenset({
    Imm.LABELIDX, Imm.FUNCIDX, Imm.TYPEIDX, Imm.TABLEIDX, Imm.GLOBALIDX, Imm.LOCALIDX, Imm.ELEMIDX, Imm.TAGIDX,
})  # fmt: skip
"""Immediates that are nothing but an index."""
MAX_CATCHES = 10_000
"""Catch clauses of one block.  Spec: appendix/implementation#syntactic-limits"""

SHORT: dict[Imm, tuple[tuple[int], ...]] = {
    **dict.fromkeys(INDICES, tuple([(x,) for x in range(LONG)])),
    Imm.I32: tuple([(inv_signed_(32, x if x < LONG // 2 else x - LONG),) for x in range(LONG)]),
    Imm.I64: tuple([(inv_signed_(64, x if x < LONG // 2 else x - LONG),) for x in range(LONG)]),
}
"""Immediates that are integers, and what each encoding of one byte stands for.  Spec: binary/values#integers"""

Row = tuple[Op, tuple[Callable[[], Any], ...], tuple[tuple[int], ...]]
"""A row of the table, the readers of its immediates, and, if it has one byte of opcode and one immediate that is an
integer, what the encodings of one byte stand for."""

OpenBlock = tuple[Op, int, tuple[Any, ...], list[Instr], Expr | None]
"""An open block: its row, offset and immediates, the instructions around it, and `then` while `else` is read."""


class InstrReader(StrictReader):
    """Adds expressions to the values and types."""

    def __init__(self, data: bytes, features: frozenset[str] = f.VERSION_3) -> None:
        super().__init__(data, features)
        self.uses_data_count = False
        self.offset_bits = 64 if f.MEMORY64 in self.features else 32
        self._immediates: dict[Imm, Callable[[], Any]] = {
            Imm.BLOCKTYPE: self.read_blocktype,
            Imm.LABELIDX: self.read_uint,
            Imm.LABELIDX_LIST: lambda: self.read_vec(self.read_uint),
            Imm.FUNCIDX: self.read_uint,
            Imm.TYPEIDX: self.read_uint,
            Imm.TABLEIDX: self.read_tableidx,
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
            Imm.V128: lambda: int.from_bytes(self.read_exactly(16), "little"),
            Imm.TAGIDX: self.read_uint,
            Imm.FIELDIDX: self.read_uint,
            Imm.U32: self.read_uint,
            Imm.LANEIDX: self.read_byte,
            Imm.LANEIDX_16: lambda: tuple(self.read_exactly(16)),
            Imm.CATCH_LIST: self.read_catches,
            Imm.CASTOP: self.read_castop,
        }
        self._rows: list[Row | None] = [None] * 256

    def read_blocktype(self) -> BlockType:
        """blocktype: empty, a value type, or a type index as a positive s33.  Spec: binary/instructions#control"""
        byte = self.data[self.pos] if self.pos < self.end else self.read_byte()
        if byte == EMPTY_BLOCKTYPE:
            self.pos += 1
            return None
        if byte in VALTYPE_CODES:
            return self.read_valtype()
        start = self.pos
        index = self.read_int(33)
        if index < 0:
            raise self.malformed("malformed block type", start)
        self.need(f.MULTI_VALUE, "malformed block type", start)
        return TypeIdx(index)

    def read_reserved(self) -> int:
        """The byte that stood for an index 0 before there were several memories or tables."""
        if self.read_byte() != 0:
            raise self.malformed("zero byte expected", self.pos - 1)
        return 0

    def read_memidx(self) -> int:
        """memidx."""
        return self.read_uint() if f.MULTI_MEMORY in self.features else self.read_reserved()

    def read_tableidx(self) -> int:
        """tableidx."""
        return self.read_uint() if f.REFERENCE_TYPES in self.features else self.read_reserved()

    def read_catches(self) -> tuple[Catch, ...]:
        """The catch clauses of one block."""
        start = self.pos
        catches = self.read_vec(self.read_catch)
        if len(catches) > MAX_CATCHES:
            raise self.malformed("too many catch clauses", start)
        return catches

    def read_catch(self) -> Catch:
        """catch.  Spec: binary/instructions#control-instructions"""
        start = self.pos
        code = self.read_byte()
        if code >= len(CATCHES):
            raise self.malformed("malformed catch clause", start)
        keyword = CATCHES[code]
        tagidx = None if keyword.startswith("catch_all") else self.read_uint()
        return Catch(keyword, tagidx, self.read_uint())

    def read_castop(self) -> tuple[bool, bool]:
        """castop: whether the types before and after the cast may be null.  Spec: binary/instructions#control"""
        start = self.pos
        flags = self.read_byte()
        if flags > 3:
            raise self.malformed("malformed br_on_cast flags", start)
        return bool(flags & 1), bool(flags & 2)

    def read_dataidx(self) -> int:
        """dataidx; its use needs a data count section before the code.  Spec: binary/modules#data-count-section"""
        self.uses_data_count = True
        return self.read_uint()

    def read_memarg(self) -> MemArg:
        """memarg.  Spec: binary/instructions#memory-instructions"""
        start = self.pos
        flags = self.read_uint()
        memidx = 0
        if flags >= MEMIDX_FLAG:
            if flags >= 2 * MEMIDX_FLAG:
                raise self.malformed("malformed memop flags", start)
            self.need(f.MULTI_MEMORY, "malformed memop flags", start)
            memidx = self.read_uint()
        return MemArg(flags % MEMIDX_FLAG, self.read_uint(self.offset_bits), memidx)

    def read_row(self) -> Row:
        """The row of the next opcode, after a prefix by its number.  Malformed: illegal opcode"""
        start = self.pos
        opcode: int | tuple[int, int] = self.read_byte()
        if opcode in PREFIXES:
            opcode = (int(opcode), self.read_uint())
        op = BY_OPCODE.get(opcode)
        if op is None:
            code = f"{opcode:02x}" if isinstance(opcode, int) else f"{opcode[0]:02x} {opcode[1]:02x}"
            raise self.malformed(f"illegal opcode {code}", start)
        self.need(op.since, f"illegal opcode {op.mnemonic}", start)
        readers = tuple([self._immediates[imm] for imm in op.immediates])
        if not isinstance(opcode, int):
            return op, readers, ()
        row = self._rows[opcode] = op, readers, SHORT.get(op.immediates[0], ()) if len(readers) == 1 else ()
        return row

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
            op, readers, short = row
            if short and offset + 1 < self.end and data[offset + 1] < LONG:
                self.pos = offset + 2
                current.append(Instr(op, short[data[offset + 1]], offset))
            elif not readers:
                current.append(Instr(op, (), offset))
            elif op in BLOCKS:
                open_blocks.append((op, offset, tuple([reader() for reader in readers]), current, None))
                current = []
            else:
                current.append(Instr(op, tuple([reader() for reader in readers]), offset))


def expects_else(block: OpenBlock) -> bool:
    """Whether a block is an `if` in its first arm."""
    return block[0].kind == "if" and block[4] is None


def close_block(block: OpenBlock, body: Expr) -> list[Instr]:
    """The instructions around a block, with the block behind them."""
    op, offset, immediates, outer, then = block
    bodies: tuple[Expr, ...] = (body,)
    if op.kind == "if":
        bodies = (body, ()) if then is None else (then, body)
    outer.append(Instr(op, (*immediates, *bodies), offset))
    return outer
