"""Types (specification 2.3), all of them: what a module is typed with, and what its imports and exports are.

Number types and vector types are enumerations, reference types are `RefType(null, heaptype)`. Composite types are
defined inside recursive types; a `DefType` is one sub type of a closed recursive type. Equal defined types are the same
object (`roll` sees to that), so they are compared in one step however they are nested. The binary form `0x60 …` that
all modules before garbage collection use is the abbreviation of a recursive type with one final sub type
(`functype_deftype`).  Spec: syntax/types
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import cast
from weakref import WeakValueDictionary

from interp.syntax.word import Word


class NumType(Word):
    """numtype ::= i32 | i64 | f32 | f64.  Spec: syntax/types#number-types"""

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"

    def __str__(self) -> str:
        return self.value


class VecType(Word):
    """vectype ::= v128.  Spec: syntax/types#vector-types"""

    V128 = "v128"

    def __str__(self) -> str:
        return self.value


class AbsHeapType(Word):
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


class Bot(Word):
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
class RecIdx:
    """rec.i: a heap type that refers to sub type `index` of the recursive type it stands in, once that is closed.

    Spec: valid/conventions#rolling-and-unrolling
    """

    index: int

    def __str__(self) -> str:
        return f"rec.{self.index}"


NULL_ABBREVIATIONS = {"none": "nullref", "nofunc": "nullfuncref", "noexn": "nullexnref", "noextern": "nullexternref"}


@dataclass(frozen=True, slots=True)
class RefType:
    """reftype ::= ref null? heaptype.  Spec: syntax/types#reference-types"""

    null: bool
    heaptype: AbsHeapType | TypeIdx | RecIdx | DefType

    def __str__(self) -> str:
        heaptype = self.heaptype
        if self.null and isinstance(heaptype, AbsHeapType):
            return NULL_ABBREVIATIONS.get(heaptype.value, f"{heaptype}ref")
        return f"(ref {'null ' if self.null else ''}{heaptype})"


ValType = NumType | VecType | RefType | Bot
"""valtype ::= numtype | vectype | reftype | bot.  Spec: syntax/types#value-types"""

I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64
V128 = VecType.V128
BOT = Bot.BOT
FUNCREF = RefType(True, AbsHeapType.FUNC)
EXTERNREF = RefType(True, AbsHeapType.EXTERN)
EXNREF = RefType(True, AbsHeapType.EXN)
EQREF = RefType(True, AbsHeapType.EQ)


def is_defaultable(t: ValType) -> bool:
    """Whether default_t is defined: for all but references that cannot be null.  Spec: exec/runtime#default-values"""
    return not isinstance(t, RefType) or t.null


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


class PackType(Word):
    """packtype ::= i8 | i16.  Spec: syntax/types#aggregate-types"""

    I8 = "i8"
    I16 = "i16"

    def __str__(self) -> str:
        return self.value


StorageType = NumType | VecType | RefType | Bot | PackType
"""storagetype ::= valtype | packtype.  Spec: syntax/types#aggregate-types"""


def unpack(storagetype: StorageType) -> ValType:
    """unpack(storagetype): the type of a field on the operand stack.  Spec: valid/conventions#unpacking"""
    return NumType.I32 if isinstance(storagetype, PackType) else storagetype


@dataclass(frozen=True, slots=True)
class FieldType:
    """fieldtype ::= mut? storagetype.  Spec: syntax/types#aggregate-types"""

    mut: bool
    storagetype: StorageType

    def __str__(self) -> str:
        return f"(mut {self.storagetype})" if self.mut else str(self.storagetype)


@dataclass(frozen=True, slots=True)
class StructType:
    """structtype ::= fieldtype*.  Spec: syntax/types#aggregate-types"""

    fields: tuple[FieldType, ...]

    def __str__(self) -> str:
        return " ".join(f"(field {fieldtype})" for fieldtype in self.fields)


@dataclass(frozen=True, slots=True)
class ArrayType:
    """arraytype ::= fieldtype.  Spec: syntax/types#aggregate-types"""

    field: FieldType

    def __str__(self) -> str:
        return str(self.field)


CompType = FuncType | StructType | ArrayType
"""comptype ::= func functype | struct structtype | array arraytype.  Spec: syntax/types#composite-types"""

COMPOSITE_KINDS: dict[type, str] = {FuncType: "func", StructType: "struct", ArrayType: "array"}


@dataclass(frozen=True, slots=True)
class SubType:
    """subtype ::= sub final? typeuse* comptype.  Spec: syntax/types#recursive-types"""

    final: bool
    supertypes: tuple[TypeIdx | RecIdx | DefType, ...]
    comptype: CompType

    def __str__(self) -> str:
        comptype = f"({COMPOSITE_KINDS[type(self.comptype)]} {self.comptype})"
        if self.final and not self.supertypes:
            return comptype
        return f"(sub {'final ' if self.final else ''}{''.join(f'{t} ' for t in self.supertypes)}{comptype})"


@dataclass(frozen=True, slots=True)
class RecType:
    """rectype ::= rec subtype*.  Spec: syntax/types#recursive-types"""

    subtypes: tuple[SubType, ...]


class DefType:
    """deftype ::= rectype.i, sub type `index` of the closed recursive type `rectype`, made by `roll` only.

    `subtype` is that sub type unrolled: what it refers to are defined types, which may be this one again. Equal types
    are one object.  Spec: valid/conventions#defined-types
    """

    __slots__ = ("__weakref__", "_group", "_supertypes", "index", "subtype")

    def __init__(self, group: _Group, index: int) -> None:
        self._group = group
        self.index = index
        self.subtype: SubType
        self._supertypes: frozenset[DefType] | None = None

    @property
    def supertypes(self) -> frozenset[DefType]:
        """All types above this one that were declared, directly or not, of a type that is known to be valid."""
        if self._supertypes is None:
            above = [t for t in self.subtype.supertypes if isinstance(t, DefType)]
            self._supertypes = frozenset(above).union(*(t.supertypes for t in above))
        return self._supertypes

    @property
    def rectype(self) -> RecType:
        """The recursive type, in which `rec.i` refers to its own sub types."""
        return self._group.rectype

    def expand(self) -> CompType:
        """expand(deftype): the composite type that this type stands for.  Spec: valid/conventions#expansion"""
        return self.subtype.comptype

    def __str__(self) -> str:
        # Types in it are shown by their kind, for they may be nested without end.
        shown = str(substitute_subtype(self._group.rectype.subtypes[self.index], _abbreviated))
        return shown if len(shown) <= MAX_SHOWN_TYPE else self.abbreviation

    @property
    def abbreviation(self) -> str:
        """Its kind only: `(func …)`."""
        return f"({COMPOSITE_KINDS[type(self.expand())]} …)"

    def __repr__(self) -> str:
        return f"<DefType {self}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (_deftype, (self._group.rectype, self.index))


@dataclass(frozen=True, slots=True)
class _Abbreviated(TypeIdx):
    """Stands for a defined type inside another one that is shown."""

    text: str

    def __str__(self) -> str:
        return self.text


def _abbreviated(use: TypeIdx | RecIdx | DefType) -> TypeIdx | RecIdx | DefType:
    return _Abbreviated(0, use.abbreviation) if isinstance(use, DefType) else use


MAX_SHOWN_TYPE = 60
"""Characters of a defined type inside another text; longer ones are shown by their kind."""


class _Group:
    """The defined types of one closed recursive type."""

    __slots__ = ("__weakref__", "deftypes", "rectype")

    def __init__(self, rectype: RecType) -> None:
        self.rectype = rectype
        self.deftypes = tuple([DefType(self, index) for index in range(len(rectype.subtypes))])
        for deftype, subtype in zip(self.deftypes, rectype.subtypes, strict=True):
            deftype.subtype = substitute_subtype(subtype, self.unroll)

    def unroll(self, use: TypeIdx | RecIdx | DefType) -> TypeIdx | RecIdx | DefType:
        """The defined type that `rec.i` stands for."""
        return self.deftypes[use.index] if isinstance(use, RecIdx) else use


_groups: WeakValueDictionary[RecType, _Group] = WeakValueDictionary()
_groups_lock = Lock()


def roll(rectype: RecType) -> tuple[DefType, ...]:
    """The defined types of a recursive type that is closed but for `rec.i`.

    Spec: valid/conventions#rolling-and-unrolling
    """
    with _groups_lock:
        group = _groups.get(rectype)
        if group is None:
            group = _groups[rectype] = _Group(rectype)
    return group.deftypes


def _deftype(rectype: RecType, index: int) -> DefType:
    return roll(rectype)[index]


def functype_deftype(functype: FuncType) -> DefType:
    """The defined type that a plain function type abbreviates: (rec (sub final functype)).0"""
    return roll(RecType((SubType(True, (), functype),)))[0]


Substitution = Callable[["TypeIdx | RecIdx | DefType"], "TypeIdx | RecIdx | DefType"]


def substitute_valtype(t: StorageType, substitution: Substitution) -> StorageType:
    """t with every type use in it replaced.  Spec: valid/conventions#substitution"""
    if isinstance(t, RefType) and not isinstance(t.heaptype, AbsHeapType):
        return RefType(t.null, substitution(t.heaptype))
    return t


def substitute_comptype(comptype: CompType, substitution: Substitution) -> CompType:
    """comptype with every type use in it replaced.  Spec: valid/conventions#substitution"""

    def field(fieldtype: FieldType) -> FieldType:
        return FieldType(fieldtype.mut, substitute_valtype(fieldtype.storagetype, substitution))

    if isinstance(comptype, FuncType):
        params, results = (
            tuple([cast(ValType, substitute_valtype(t, substitution)) for t in types])
            for types in (comptype.params, comptype.results)
        )
        return FuncType(params, results)
    if isinstance(comptype, StructType):
        return StructType(tuple(map(field, comptype.fields)))
    return ArrayType(field(comptype.field))


def substitute_subtype(subtype: SubType, substitution: Substitution) -> SubType:
    """subtype with every type use in it replaced.  Spec: valid/conventions#substitution"""
    supertypes = tuple(map(substitution, subtype.supertypes))
    return SubType(subtype.final, supertypes, substitute_comptype(subtype.comptype, substitution))


def close_heaptype(heaptype: HeapType, types: Sequence[DefType]) -> AbsHeapType | DefType:
    """The closed heap type that an instruction means, in a valid module with these types.

    Raises TypeError for `rec.i`, which only stands in types.  Spec: valid/conventions#closure
    """
    if isinstance(heaptype, TypeIdx):
        return types[heaptype.index]
    if isinstance(heaptype, RecIdx):
        raise TypeError(f"{heaptype} outside of a recursive type")
    return heaptype


def as_functype(deftype: DefType) -> FuncType:
    """The function type that a type stands for.  Raises TypeError if it is none."""
    comptype = deftype.expand()
    if not isinstance(comptype, FuncType):
        raise TypeError(f"{deftype} is no function type")
    return comptype


HeapType = AbsHeapType | TypeIdx | RecIdx | DefType
"""heaptype ::= absheaptype | typeuse.  Spec: syntax/types#heap-types"""


class AddrType(Word):
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


@dataclass(frozen=True, slots=True)
class TagType:
    """tagtype: the defined type of a tag, a function type whose parameters are what an exception carries.

    Spec: syntax/types#tag-types
    """

    deftype: DefType

    @property
    def functype(self) -> FuncType:
        """The function type."""
        return as_functype(self.deftype)

    def __str__(self) -> str:
        return str(self.functype)


ExternType = FuncType | GlobalType | MemType | TableType | TagType

EXTERN_KINDS: dict[type, str] = {
    FuncType: "func",
    TableType: "table",
    MemType: "memory",
    GlobalType: "global",
    TagType: "tag",
}


def extern_kind(externtype: ExternType) -> str:
    """The keyword of an external type: func, table, memory, global, tag.  Spec: syntax/types#external-types"""
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
