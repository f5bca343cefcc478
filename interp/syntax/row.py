"""Rows of the instruction table and instructions made of them (specification 2.4).

Spec: syntax/instructions
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from interp.syntax.types import FuncType, TypeIdx, ValType


class Imm(Enum):
    """How an immediate is read, which also says what it is.  Spec: binary/instructions"""

    BLOCKTYPE = auto()
    LABELIDX = auto()
    LABELIDX_LIST = auto()
    FUNCIDX = auto()
    TYPEIDX = auto()
    TABLEIDX = auto()
    MEMIDX = auto()
    GLOBALIDX = auto()
    LOCALIDX = auto()
    ELEMIDX = auto()
    DATAIDX = auto()
    TAGIDX = auto()
    FIELDIDX = auto()
    LANEIDX = auto()
    LANEIDX_16 = auto()
    U32 = auto()
    CATCH_LIST = auto()
    CASTOP = auto()
    VALTYPE_LIST = auto()
    HEAPTYPE = auto()
    MEMARG = auto()
    I32 = auto()
    I64 = auto()
    F32 = auto()
    F64 = auto()
    V128 = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One row. `opcode` is the byte, or prefix byte and number; `params` are the leading arguments of `sem` (widths),
    or what else tells rows of one kind apart (loads and stores: value type, width in bits, signed); `since` names the
    version or the feature it came with."""

    mnemonic: str
    opcode: int | tuple[int, int]
    kind: str
    immediates: tuple[Imm, ...] = ()
    type: FuncType | None = None
    sem: Callable[..., Any] | None = None
    params: tuple[Any, ...] = ()
    since: str = "1.0"

    def __repr__(self) -> str:
        return f"<{self.mnemonic}>"

    @property
    def is_vector(self) -> bool:
        """Whether this is a vector instruction, or a load or store of one; their productions begin with a v."""
        return self.kind.startswith("v")

    @property
    def anchor(self) -> str:
        """Where the specification says what this instruction does: page and anchor, signedness left out. Operators on
        vectors have that of their rule, since most are an operator on numbers applied to every lane."""
        if self.sem is not None and not self.is_vector:
            name = self.sem.__name__.removesuffix("_u").removesuffix("_s").replace("_", "-")
            return f"exec/numerics#op-{name.replace('iextend', 'iextendn')}"
        kind = f"{self.kind}-val" if self.kind in ("load", "store") else self.kind
        if kind == "vload":
            kind = f"{kind}-{self.params[2]}"
        return f"exec/instructions#exec-{kind.replace('.', '-').replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class MemArg:
    """memarg: alignment as exponent of 2, offset in bytes, and the memory that is meant.

    Spec: syntax/instructions#memory-instructions
    """

    align: int
    offset: int
    memidx: int = 0


@dataclass(frozen=True, slots=True)
class Catch:
    """catch ::= catch x l | catch_ref x l | catch_all l | catch_all_ref l.  Spec: syntax/instructions#syntax-catch

    `keyword` is one of CATCHES; `tagidx` is None where all exceptions are caught.
    """

    keyword: str
    tagidx: int | None
    labelidx: int

    @property
    def takes_ref(self) -> bool:
        """Whether the branch takes the exception itself along."""
        return self.keyword.endswith("_ref")


CATCHES = ("catch", "catch_ref", "catch_all", "catch_all_ref")
"""The keywords of catch clauses in the order of their binary codes.  Spec: binary/instructions#control-instructions"""

BlockType = TypeIdx | ValType | None
"""blocktype ::= typeidx | valtype?  Spec: syntax/instructions#control-instructions"""


@dataclass(slots=True, eq=False)
class Instr:
    """One instruction: its row, its immediates in the order of the row, its byte offset in the module. It never
    changes; the class is not frozen only because one would take three times as long to make.

    What a block holds comes last: the immediates of `block` and `loop` are (blocktype, instr*), of `try_table`
    (blocktype, catch*, instr*), of `if` (blocktype, instr*, instr*).
    """

    op: Op
    immediates: tuple[Any, ...]
    offset: int

    @property
    def bodies(self) -> tuple[Expr, ...]:
        """The sequences of instructions inside a block; none for an instruction that is no block."""
        return self.immediates[len(self.op.immediates) :]


Expr = tuple[Instr, ...]
"""expr ::= instr* end.  Spec: syntax/instructions#expressions"""

END = 0x0B
ELSE = 0x05
