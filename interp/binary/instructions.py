"""Instructions of the binary format (specification 5.4), read by the rows of the instruction table.

Blocks are nested by a stack of open blocks, not by recursion, so that any depth of nesting is read.

Spec: binary/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.binary.reader import VALTYPES, StrictReader
from interp.syntax.instructions import BY_OPCODE, ELSE, END, PREFIXES, BlockType, Expr, Imm, Instr, MemArg, Op
from interp.syntax.types import TypeIdx

EMPTY_BLOCKTYPE = 0x40
MEMIDX_FLAG = 0x40
BLOCKS = frozenset({"block", "loop", "if"})


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

    def read_op(self) -> Op | int:
        """The row of the next opcode, or END or ELSE.  Malformed: illegal opcode"""
        start = self.pos
        opcode: int | tuple[int, int] = self.read_byte()
        if opcode in (END, ELSE):
            return int(opcode)
        if opcode in PREFIXES:
            opcode = (int(opcode), self.read_uint())
        try:
            return BY_OPCODE[opcode]
        except KeyError:
            code = opcode if isinstance(opcode, int) else opcode[0] << 8 | opcode[1]
            raise self.malformed(f"illegal opcode {code:x}", start) from None

    def read_expression(self) -> Expr:
        """expr: instructions up to the `end` that closes it.  Spec: binary/instructions#expressions"""
        immediates = self._immediates
        current: list[Instr] = []
        open_blocks: list[tuple[Op, int, BlockType, list[Instr], Expr | None]] = []
        while True:
            offset = self.pos
            op = self.read_op()
            if op is END:
                if not open_blocks:
                    return tuple(current)
                block, start, blocktype, outer, then = open_blocks.pop()
                body = tuple(current)
                bodies: tuple[Expr, ...] = (body,)
                if block.kind == "if":
                    bodies = (body, ()) if then is None else (then, body)
                current = outer
                current.append(Instr(block, (blocktype, *bodies), start))
            elif op is ELSE:
                if not open_blocks or open_blocks[-1][0].kind != "if" or open_blocks[-1][4] is not None:
                    raise self.malformed("END opcode expected", offset)
                block, start, blocktype, outer, _ = open_blocks.pop()
                open_blocks.append((block, start, blocktype, outer, tuple(current)))
                current = []
            elif isinstance(op, Op):
                if op.kind in BLOCKS:
                    open_blocks.append((op, offset, self.read_blocktype(), current, None))
                    current = []
                else:
                    current.append(Instr(op, tuple([immediates[imm]() for imm in op.immediates]), offset))
