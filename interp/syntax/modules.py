"""Modules (specification 2.5): what the decoder makes of the bytes, and what validation and execution read.

Index spaces start with the imports, as in the specification; `Module.funcs`, `.tables` … hold only what the module
itself defines. Spec: syntax/modules
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import (
    GlobalType,
    MemType,
    RecType,
    RefType,
    TableType,
    TypeIdx,
    ValType,
)


@dataclass(frozen=True, slots=True)
class Type:
    """type ::= rectype.  Spec: syntax/modules#types"""

    rectype: RecType
    offset: int


@dataclass(frozen=True, slots=True)
class Import:
    """import ::= name name externtype; a function's or tag's type is a type index.  Spec: syntax/modules#imports"""

    module: str
    name: str
    desc: TypeIdx | TableType | MemType | GlobalType | TagIdx
    offset: int


@dataclass(frozen=True, slots=True)
class TagIdx:
    """The type of an imported tag, by its type index.  Spec: syntax/modules#tags"""

    typeidx: int


@dataclass(frozen=True, slots=True)
class Tag:
    """tag ::= typeidx.  Spec: syntax/modules#tags"""

    typeidx: int
    offset: int


class Code(Protocol):
    """The code of a function in binary form, from which its body is read when somebody asks for it.

    A token is the bytes of one instruction without what a block holds; `else` and `end` are tokens too.
    Spec: binary/modules#code-section
    """

    def read(self) -> Expr:
        """The body, the same one every time, in any thread.  Raises Rejected if it was not known to be good."""

    def tokens(self) -> list[bytes] | None:
        """The tokens of the body to its last `end`, if it is well-formed; None if this is known only by reading it."""

    def instr(self, token: bytes) -> Instr:
        """The instruction that a token stands for, at offset 0, a block with nothing inside.  Raises ValueError for
        `else` and `end`, which are none."""


class Func:
    """func ::= typeidx local* expr; `offset` and `size` (bytes) place its code in the module.

    The body is given as it is, or as code that it is read from. Nothing changes after that; functions are the same only
    if they are one object, as it is with instructions.  Spec: syntax/modules#functions
    """

    __slots__ = ("_body", "code", "locals", "offset", "size", "typeidx")

    def __init__(
        self,
        typeidx: int,
        locals: tuple[ValType, ...],  # noqa: A002 — the specification's word
        body: Expr | Code,
        offset: int,
        size: int,
    ) -> None:
        self.typeidx = typeidx
        self.locals = locals
        self.offset = offset
        self.size = size
        self._body = body
        self.code = None if isinstance(body, tuple) else body

    @property
    def body(self) -> Expr:
        """The instructions.  Raises Rejected (Malformed, Invalid) if nobody has checked the code before."""
        body = self._body
        if not isinstance(body, tuple):
            body = self._body = body.read()
        return body

    def __repr__(self) -> str:
        return f"<Func of type {self.typeidx} at byte {self.offset:#x}>"


@dataclass(frozen=True, slots=True)
class Table:
    """table ::= tabletype expr?; without an expression the elements start as null.  Spec: syntax/modules#tables"""

    type: TableType
    init: Expr | None
    offset: int


@dataclass(frozen=True, slots=True)
class Mem:
    """mem ::= memtype.  Spec: syntax/modules#memories"""

    type: MemType
    offset: int


@dataclass(frozen=True, slots=True)
class Global:
    """global ::= globaltype expr.  Spec: syntax/modules#globals"""

    type: GlobalType
    init: Expr
    offset: int


@dataclass(frozen=True, slots=True)
class Passive:
    """A segment that is copied only by table.init or memory.init."""


@dataclass(frozen=True, slots=True)
class Declarative:
    """An element segment that only declares functions to be referenced."""


@dataclass(frozen=True, slots=True)
class Active:
    """A segment that is copied at instantiation to `offset` of table or memory `index`."""

    index: int
    offset: Expr


@dataclass(frozen=True, slots=True)
class Elem:
    """elem ::= reftype expr* elemmode.  Spec: syntax/modules#element-segments"""

    type: RefType
    init: tuple[Expr, ...]
    mode: Active | Passive | Declarative
    offset: int


@dataclass(frozen=True, slots=True)
class Data:
    """data ::= byte* datamode.  Spec: syntax/modules#data-segments"""

    init: bytes
    mode: Active | Passive
    offset: int


@dataclass(frozen=True, slots=True)
class Start:
    """start ::= funcidx.  Spec: syntax/modules#start-function"""

    funcidx: int
    offset: int


@dataclass(frozen=True, slots=True)
class Export:
    """export ::= name externidx; `kind` is func, table, memory, global or tag.  Spec: syntax/modules#exports"""

    name: str
    kind: str
    index: int
    offset: int


@dataclass(frozen=True, slots=True)
class Custom:
    """A custom section: its name and its bytes.  Spec: binary/modules#custom-section"""

    name: str
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Module:
    """A whole module.  Spec: syntax/modules"""

    types: tuple[Type, ...] = ()
    imports: tuple[Import, ...] = ()
    funcs: tuple[Func, ...] = ()
    tables: tuple[Table, ...] = ()
    mems: tuple[Mem, ...] = ()
    tags: tuple[Tag, ...] = ()
    globals: tuple[Global, ...] = ()
    elems: tuple[Elem, ...] = ()
    datas: tuple[Data, ...] = ()
    start: Start | None = None
    exports: tuple[Export, ...] = ()
    customs: tuple[Custom, ...] = field(default=())

    def custom(self, name: str) -> bytes | None:
        """The bytes of the first custom section of that name, or None."""
        return next((custom.data for custom in self.customs if custom.name == name), None)
