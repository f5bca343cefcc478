"""Runtime structure (specification 4.2): the store and the instances in it.

An instance stands for its own address: `addr` is its index in its list of the store, for people to read. A reference
is None (null), a `FuncInst`, `StructInst`, `ArrayInst`, `ExnInst` or `I31`, or any other Python object (a host
reference). Which of `any` and `extern` it is a reference of is known from its type, so converting between them changes
nothing. Values follow `interp.execution.values`.

Spec: exec/runtime
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from interp.engine import PAGE, Reference
from interp.errors import Exhaustion, ExhaustionKind, Trap, TrapKind
from interp.execution.meter import Meter
from interp.execution.places import Watcher
from interp.syntax.modules import Func, Module
from interp.syntax.types import (
    AbsHeapType,
    AddrType,
    DefType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    TableType,
    TagType,
    as_functype,
)
from interp.validation.types import MAX_PAGES, MAX_TABLE


@dataclass(slots=True, eq=False)
class FuncInst:
    """funcinst: a function of a module, or of the host (`host` is then its callable, and `code` None). `prepared` is
    what an engine made of the code to run it faster, `tail` what it calls in its place at the end of a function.

    Spec: exec/runtime#function-instances
    """

    addr: int
    type: FuncType
    deftype: DefType
    module: ModuleInst | None = None
    code: Func | None = None
    funcidx: int = -1
    host: Callable[..., Any] | None = None
    prepared: Any = None
    tail: Any = None


@dataclass(slots=True, eq=False)
class TableInst:
    """tableinst: the type, whose minimum is not kept up to date, and the elements. Whoever overwrites elements calls
    `changed`, for an engine that keeps `calls` made of them.

    Spec: exec/runtime#table-instances
    """

    addr: int
    type: TableType
    refs: list[Any]
    limit: int
    calls: Any = None

    def changed(self, start: int, stop: int) -> None:
        """Elements start to stop were overwritten or appended."""
        if self.calls is not None:
            self.calls.changed(start, stop)

    def grow(self, n: int, ref: Any) -> bool:
        """Append n times ref; False if a limit forbids it.  Spec: exec/modules#growing-tables"""
        size = len(self.refs) + n
        maximum = self.type.limits.max
        if size > self.limit or (maximum is not None and size > maximum):
            return False
        try:
            self.refs.extend([ref] * n)
        except (MemoryError, OverflowError):
            return False
        self.changed(size - n, size)
        return True

    def read(self, i: int) -> Any:
        """refs[i]; Trap(TABLE_OUT_OF_BOUNDS)"""
        if not 0 <= i < len(self.refs):
            raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
        return self.refs[i]

    def current_type(self) -> TableType:
        """The type with the size that the table has now."""
        limits = Limits(len(self.refs), self.type.limits.max)
        return TableType(self.type.addrtype, limits, self.type.reftype)


@dataclass(slots=True, eq=False)
class MemInst:
    """meminst: the type and the bytes, whose number is a multiple of the page size; and the `views` that an engine has
    of them, which must be given up before their number changes.

    Spec: exec/runtime#memory-instances
    """

    addr: int
    type: MemType
    bytes: bytearray
    limit: int
    views: Any = None

    @property
    def size(self) -> int:
        """Pages of 64 KiB."""
        return len(self.bytes) // PAGE

    def grow(self, n: int) -> bool:
        """Append n pages of zeros; False if a limit forbids it.  Spec: exec/modules#growing-memories"""
        size = self.size + n
        maximum = self.type.limits.max
        if size > self.limit or (maximum is not None and size > maximum):
            return False
        if self.views is not None:
            self.views.release()
        try:
            self.bytes.extend(bytes(n * PAGE))
        except (MemoryError, OverflowError):
            return False
        finally:
            if self.views is not None:
                self.views.renew()
        return True

    def check(self, addr: int, n: int) -> None:
        """Trap(MEMORY_OUT_OF_BOUNDS) unless [addr, addr + n) lies in the memory."""
        if addr < 0 or n < 0 or addr + n > len(self.bytes):
            raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)

    def current_type(self) -> MemType:
        """The type with the size that the memory has now."""
        return MemType(self.type.addrtype, Limits(self.size, self.type.limits.max))


@dataclass(slots=True, eq=False)
class GlobalInst:
    """globalinst.  Spec: exec/runtime#global-instances"""

    addr: int
    type: GlobalType
    value: Any


@dataclass(slots=True, eq=False)
class ElemInst:
    """eleminst: references to copy; none after elem.drop.  Spec: exec/runtime#element-instances"""

    refs: tuple[Any, ...]


@dataclass(slots=True, eq=False)
class DataInst:
    """datainst: bytes to copy; none after data.drop.  Spec: exec/runtime#data-instances"""

    bytes: bytes


@dataclass(slots=True, eq=False)
class TagInst:
    """taginst.  Spec: exec/runtime#tag-instances"""

    addr: int
    type: TagType


class HeapObject(Reference):
    """Base of what is allocated while code runs: `fields` are counted against the limit as long as the object lives.

    Structures, arrays and exceptions are reclaimed by Python when nothing refers to them any more. `addr` numbers those
    of one kind as they were allocated, `space` is where the meter counts that kind.
    """

    __slots__ = ("addr", "fields", "meter")

    space: ClassVar[int]

    def __init__(self, meter: Meter, fields: list[Any]) -> None:
        """Raises Exhaustion(HEAP)."""
        self.meter = meter
        self.fields = fields
        self.addr = meter.addresses[self.space]
        meter.addresses[self.space] += 1
        meter.allocate(len(fields) + 1)

    def __del__(self) -> None:
        self.meter.heap -= len(self.fields) + 1


class StructInst(HeapObject):
    """structinst: its defined type and its fields, packed.  Spec: exec/runtime#aggregate-instances"""

    __slots__ = ("deftype",)
    heaptype = AbsHeapType.STRUCT
    space = 0

    def __init__(self, meter: Meter, deftype: DefType, fields: list[Any]) -> None:
        self.deftype = deftype
        super().__init__(meter, fields)


class ArrayInst(HeapObject):
    """arrayinst: its defined type and its elements, packed.  Spec: exec/runtime#aggregate-instances"""

    __slots__ = ("deftype",)
    heaptype = AbsHeapType.ARRAY
    space = 1

    def __init__(self, meter: Meter, deftype: DefType, fields: list[Any]) -> None:
        self.deftype = deftype
        super().__init__(meter, fields)


class ExnInst(HeapObject):
    """exninst: the tag of an exception and the values it carries.  Spec: exec/runtime#exception-instances"""

    __slots__ = ("tag",)
    heaptype = AbsHeapType.EXN
    space = 2

    def __init__(self, meter: Meter, tag: TagInst, fields: list[Any]) -> None:
        self.tag = tag
        super().__init__(meter, fields)


@dataclass(frozen=True, slots=True)
class I31(Reference):
    """ref.i31: a number of 31 bits as a reference, 0 <= value < 2**31.  Spec: syntax/values#values-ref"""

    value: int
    heaptype: ClassVar[AbsHeapType] = AbsHeapType.I31


ExternInst = FuncInst | TableInst | MemInst | GlobalInst | TagInst


@dataclass(slots=True, eq=False)
class ModuleInst:
    """moduleinst: what the index spaces of a module mean in the store.  Spec: exec/runtime#module-instances"""

    module: Module
    types: list[DefType] = field(default_factory=list)
    funcs: list[FuncInst] = field(default_factory=list)
    tables: list[TableInst] = field(default_factory=list)
    mems: list[MemInst] = field(default_factory=list)
    globals: list[GlobalInst] = field(default_factory=list)
    tags: list[TagInst] = field(default_factory=list)
    elems: list[ElemInst] = field(default_factory=list)
    datas: list[DataInst] = field(default_factory=list)
    exports: dict[str, ExternInst] = field(default_factory=dict)
    names: dict[int, str] | None = None
    prepared: Any = None
    """What an engine made of the instance."""


@dataclass(slots=True, eq=False)
class Store:
    """store: every instance that was allocated, and the meter of what running in it may still use. `watcher`, if there
    is one, is told of each place in it that is about to be overwritten; `adopt` of each host function that is
    allocated.

    Spec: exec/runtime#store
    """

    meter: Meter
    watcher: Watcher | None = field(default=None, kw_only=True)
    adopt: Callable[[FuncInst], None] | None = field(default=None, kw_only=True)
    funcs: list[FuncInst] = field(default_factory=list)
    tables: list[TableInst] = field(default_factory=list)
    mems: list[MemInst] = field(default_factory=list)
    globals: list[GlobalInst] = field(default_factory=list)
    tags: list[TagInst] = field(default_factory=list)

    def alloc_host_func(self, functype: FuncType, deftype: DefType, host: Callable[..., Any]) -> FuncInst:
        """Spec: exec/modules#host-functions"""
        func = FuncInst(len(self.funcs), functype, deftype, host=host)
        self.funcs.append(func)
        if self.adopt is not None:
            self.adopt(func)
        return func

    def alloc_func(self, moduleinst: ModuleInst, deftype: DefType, code: Func, funcidx: int) -> FuncInst:
        """Spec: exec/modules#functions"""
        func = FuncInst(len(self.funcs), as_functype(deftype), deftype, moduleinst, code, funcidx)
        self.funcs.append(func)
        return func

    def alloc_table(self, tabletype: TableType, ref: Any) -> TableInst:
        """Raises Exhaustion(TABLE).  Spec: exec/modules#tables"""
        limit = min(self.meter.limits.max_table_elements, MAX_TABLE[tabletype.addrtype])
        if tabletype.limits.min > limit:
            raise Exhaustion(ExhaustionKind.TABLE)
        try:
            table = TableInst(len(self.tables), tabletype, [ref] * tabletype.limits.min, limit)
        except (MemoryError, OverflowError) as error:
            raise Exhaustion(ExhaustionKind.TABLE) from error
        self.tables.append(table)
        return table

    def alloc_mem(self, memtype: MemType) -> MemInst:
        """Raises Exhaustion(MEMORY).  Spec: exec/modules#memories"""
        limit = min(self.meter.limits.max_memory_pages, MAX_PAGES[memtype.addrtype])
        if memtype.addrtype is AddrType.I32 and memtype.limits.min < limit:
            # Growing may fail for any reason. That all addresses lie a page below 2**32, unless a memory begins with
            # 4 GiB, saves the compiled engine many masks.
            limit = min(limit, MAX_PAGES[AddrType.I32] - 1)
        if memtype.limits.min > limit:
            raise Exhaustion(ExhaustionKind.MEMORY)
        try:
            mem = MemInst(len(self.mems), memtype, bytearray(memtype.limits.min * PAGE), limit)
        except (MemoryError, OverflowError) as error:
            raise Exhaustion(ExhaustionKind.MEMORY) from error
        self.mems.append(mem)
        return mem

    def alloc_global(self, globaltype: GlobalType, value: Any) -> GlobalInst:
        """Spec: exec/modules#globals"""
        global_ = GlobalInst(len(self.globals), globaltype, value)
        self.globals.append(global_)
        return global_

    def alloc_tag(self, tagtype: TagType) -> TagInst:
        """Spec: exec/modules#tags"""
        tag = TagInst(len(self.tags), tagtype)
        self.tags.append(tag)
        return tag
