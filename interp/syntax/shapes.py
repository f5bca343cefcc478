"""Shapes of vectors: how the 128 bits of a v128 are divided into lanes.

Spec: syntax/instructions#vector-instructions
"""

from __future__ import annotations

from dataclasses import dataclass

from interp.syntax.types import NumType, PackType, ValType, unpack


@dataclass(frozen=True, slots=True)
class Shape:
    """shape ::= lanetype x dim. `N` is the width of a lane in bits, `dim` the number of lanes, lane 0 the lowest."""

    lanetype: NumType | PackType
    N: int
    dim: int

    def __str__(self) -> str:
        return f"{self.lanetype}x{self.dim}"

    @property
    def is_float(self) -> bool:
        """Whether the lanes are floats."""
        return self.lanetype in (NumType.F32, NumType.F64)

    @property
    def unpacked(self) -> ValType:
        """unpack(shape): the type of a lane on the operand stack.  Spec: syntax/instructions#aux-unpackshape"""
        return unpack(self.lanetype)


I8X16 = Shape(PackType.I8, 8, 16)
I16X8 = Shape(PackType.I16, 16, 8)
I32X4 = Shape(NumType.I32, 32, 4)
I64X2 = Shape(NumType.I64, 64, 2)
F32X4 = Shape(NumType.F32, 32, 4)
F64X2 = Shape(NumType.F64, 64, 2)

SHAPES: dict[str, Shape] = {str(sh): sh for sh in (I8X16, I16X8, I32X4, I64X2, F32X4, F64X2)}
"""The six shapes by name."""
