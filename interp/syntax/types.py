"""Types (specification 2.3), all of them: what a module is typed with, and what its imports and exports are.

Number types and vector types are enumerations, reference types are `RefType(null, heaptype)`. Function types, as every
composite type, are defined inside recursive types; a `DefType` selects one sub type of a recursive type. The binary
form `0x60 …` that all modules before garbage collection use is the abbreviation of a recursive type with one final
sub type (`functype_deftype`).

Spec: syntax/types
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class NumType(Enum):
    """numtype ::= i32 | i64 | f32 | f64.  Spec: syntax/types#number-types"""

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"

    def __str__(self) -> str:
        return self.value


class VecType(Enum):
    """vectype ::= v128.  Spec: syntax/types#vector-types"""

    V128 = "v128"

    def __str__(self) -> str:
        return self.value


class AbsHeapType(Enum):
    """absheaptype: the abstract heap types.  Spec: syntax/types#heap-types"""

    ANY = "any"
    EQ = "eq"
    I31 = "i31"
    STRUCT = "struct"
    ARRAY = "array"
    NONE = "none"
    FUNC = "func"
    NOFUNC = "nofunc"
    EXN = "exn"
    NOEXN = "noexn"
    EXTERN = "extern"
    NOEXTERN = "noextern"
    BOT = "bot"

    def __str__(self) -> str:
        return self.value


class Bot(Enum):
    """bot: the type of operands in unreachable code, below all value types.  Spec: valid/conventions#types"""

    BOT = "bot"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class TypeIdx:
    """A heap type that refers to type `index` of the module (before it is closed into a `DefType`)."""

    index: int

    def __str__(self) -> str:
        return str(self.index)


@dataclass(frozen=True, slots=True)
class RefType:
    """reftype ::= ref null? heaptype.  Spec: syntax/types#reference-types"""

    null: bool
    heaptype: AbsHeapType | TypeIdx | DefType

    def __str__(self) -> str:
        if self.null and isinstance(self.heaptype, AbsHeapType):
            return f"{self.heaptype}ref"
        return f"(ref {'null ' if self.null else ''}{self.heaptype})"


ValType = NumType | VecType | RefType | Bot

I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64
V128 = VecType.V128
BOT = Bot.BOT
FUNCREF = RefType(True, AbsHeapType.FUNC)
EXTERNREF = RefType(True, AbsHeapType.EXTERN)

ResultType = tuple[ValType, ...]


def show_resulttype(types: ResultType) -> str:
    """The notation of a result type: `[i32 i64]`."""
    return f"[{' '.join(map(str, types))}]"


@dataclass(frozen=True, slots=True)
class FuncType:
    """functype ::= resulttype -> resulttype.  Spec: syntax/types#function-types"""

    params: ResultType
    results: ResultType

    def __str__(self) -> str:
        return f"{show_resulttype(self.params)} -> {show_resulttype(self.results)}"


CompType = FuncType


@dataclass(frozen=True, slots=True)
class SubType:
    """subtype ::= sub final? typeuse* comptype.  Spec: syntax/types#recursive-types"""

    final: bool
    supertypes: tuple[TypeIdx | DefType, ...]
    comptype: CompType


@dataclass(frozen=True, slots=True)
class RecType:
    """rectype ::= rec subtype*.  Spec: syntax/types#recursive-types"""

    subtypes: tuple[SubType, ...]


@dataclass(frozen=True, slots=True)
class DefType:
    """deftype ::= rectype.i, a closed type: sub type `index` of `rectype`.  Spec: valid/conventions#defined-types"""

    rectype: RecType
    index: int

    def expand(self) -> CompType:
        """expand(deftype): the composite type that this type stands for.  Spec: valid/conventions#expansion"""
        return self.rectype.subtypes[self.index].comptype

    def __str__(self) -> str:
        return f"(func {self.expand()})"


def functype_deftype(functype: FuncType) -> DefType:
    """The defined type that a plain function type abbreviates: (rec (sub final functype)).0"""
    return DefType(RecType((SubType(True, (), functype),)), 0)


class AddrType(Enum):
    """addrtype ::= i32 | i64, the type of addresses of a memory or table.  Spec: syntax/types#address-types"""

    I32 = "i32"
    I64 = "i64"

    @property
    def numtype(self) -> NumType:
        """The number type of an address."""
        return NumType(self.value)


@dataclass(frozen=True, slots=True)
class Limits:
    """limits ::= [min .. max?], in pages of 64 KiB for memories and in elements for tables.

    Spec: syntax/types#limits
    """

    min: int
    max: int | None

    def __str__(self) -> str:
        return f"{self.min}" if self.max is None else f"{self.min} {self.max}"


@dataclass(frozen=True, slots=True)
class GlobalType:
    """globaltype ::= mut? valtype.  Spec: syntax/types#global-types"""

    mut: bool
    valtype: ValType

    def __str__(self) -> str:
        return f"(mut {self.valtype})" if self.mut else str(self.valtype)


@dataclass(frozen=True, slots=True)
class MemType:
    """memtype ::= addrtype limits page.  Spec: syntax/types#memory-types"""

    addrtype: AddrType
    limits: Limits

    def __str__(self) -> str:
        return str(self.limits) if self.addrtype is AddrType.I32 else f"i64 {self.limits}"


@dataclass(frozen=True, slots=True)
class TableType:
    """tabletype ::= addrtype limits reftype.  Spec: syntax/types#table-types"""

    addrtype: AddrType
    limits: Limits
    reftype: RefType

    def __str__(self) -> str:
        prefix = "" if self.addrtype is AddrType.I32 else "i64 "
        return f"{prefix}{self.limits} {self.reftype}"


ExternType = FuncType | GlobalType | MemType | TableType

EXTERN_KINDS: dict[type, str] = {FuncType: "func", TableType: "table", MemType: "memory", GlobalType: "global"}


def extern_kind(externtype: ExternType) -> str:
    """The keyword of an external type: func, table, memory, global.  Spec: syntax/types#external-types"""
    return EXTERN_KINDS[type(externtype)]


@dataclass(frozen=True, slots=True)
class ImportType:
    """An import of a module: the two names and the type asked for.  Spec: appendix/embedding#modules"""

    module: str
    name: str
    type: ExternType


@dataclass(frozen=True, slots=True)
class ExportType:
    """An export of a module: its name and its type.  Spec: appendix/embedding#modules"""

    name: str
    type: ExternType
