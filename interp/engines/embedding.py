"""The embedding of the pure engines: their stores and externs behind the Protocols of `interp.engine`.

Only the way to run code differs between pure engines; each gives a `Runner`. Values cross the boundary here: integers
are masked on the way in and signed on the way out, f32 rounded, references wrapped.

Spec: appendix/embedding
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from types import MappingProxyType
from typing import Any, Protocol

from interp.binary.modules import decode
from interp.engine import Extern, Limits
from interp.execution.meter import Meter
from interp.execution.modules import Executor, instantiate
from interp.execution.references import match_ref
from interp.execution.runtime import (
    I31,
    ExternInst,
    FuncInst,
    GlobalInst,
    HeapObject,
    MemInst,
    Store,
    TableInst,
    TagInst,
)
from interp.execution.values import number_from_host, signed_, vector_from_host
from interp.syntax.features import VERSION_3
from interp.syntax.types import (
    I32,
    I64,
    V128,
    AbsHeapType,
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    MemType,
    NumType,
    RefType,
    ResultType,
    TableType,
    TagType,
    ValType,
    functype_deftype,
)
from interp.validation.context import Context
from interp.validation.matching import match_heaptype
from interp.validation.modules import ValidModule, validate
from interp.validation.types import memtype_ok, tabletype_ok, tagtype_ok


class Runner(Executor, Protocol):
    """What a pure engine brings."""

    def invoke(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """Call a function with values; its results. Raises Trap | Exhaustion."""


class PureModule:
    """Module: decoded and validated."""

    def __init__(self, valid: ValidModule) -> None:
        self.valid = valid

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What it needs."""
        return self.valid.imports

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What it offers."""
        return self.valid.exports


class PureStore:
    """Store of a pure engine; one thread at a time may use it, another one gets a RuntimeError."""

    def __init__(self, limits: Limits, runner: Callable[[Store], Runner]) -> None:
        self.inst = Store(Meter(limits))
        self.runner = runner(self.inst)
        self._owner: int | None = None
        self._wrapped: dict[int, Any] = {}

    def func_alloc(self, functype: FuncType, host: Callable[..., Any], /) -> PureFunc:
        """A host function.  Spec: appendix/embedding#functions"""

        def call(*args: Any) -> Sequence[Any]:
            results = host(*map(self.to_host, functype.params, args))
            return self.results_from_host(functype.results, results)

        func: PureFunc = self.wrap(self.inst.alloc_host_func(functype, functype_deftype(functype), call))
        return func

    def mem_alloc(self, memtype: MemType, /) -> PureMemory:
        """A memory of zeros.  Raises Exhaustion, Invalid.  Spec: appendix/embedding#memories"""
        memtype_ok(memtype)
        mem: PureMemory = self.wrap(self.inst.alloc_mem(memtype))
        return mem

    def table_alloc(self, tabletype: TableType, ref: Any, /) -> PureTable:
        """A table of `ref`.  Raises Exhaustion, Invalid.  Spec: appendix/embedding#tables"""
        tabletype_ok(Context(), tabletype)
        table: PureTable = self.wrap(self.inst.alloc_table(tabletype, self.from_host(tabletype.reftype, ref)))
        return table

    def global_alloc(self, globaltype: GlobalType, value: Any, /) -> PureGlobal:
        """A global.  Spec: appendix/embedding#globals"""
        inst = self.inst.alloc_global(globaltype, self.from_host(globaltype.valtype, value))
        global_: PureGlobal = self.wrap(inst)
        return global_

    def tag_alloc(self, tagtype: TagType, /) -> PureTag:
        """A tag.  Raises Invalid.  Spec: appendix/embedding#tags"""
        tagtype_ok(tagtype)
        tag: PureTag = self.wrap(self.inst.alloc_tag(tagtype))
        return tag

    def instantiate(self, module: PureModule, externs: Sequence[Extern], /) -> PureInstance:
        """Raises Unlinkable | Trap | Exhaustion.  Spec: appendix/embedding#module-instances"""
        insts = [self.unwrap(extern) for extern in externs]
        meter = self.inst.meter
        reentry = meter.reentry
        with self:
            try:
                meter.enter()  # once, so that all expressions and the start function share fuel and time
                moduleinst = instantiate(self.inst, module.valid, insts, self.runner)
            finally:
                meter.reentry = reentry
        return PureInstance({name: self.wrap(inst) for name, inst in moduleinst.exports.items()})

    def __enter__(self) -> None:
        ident = get_ident()
        if self._owner not in (None, ident):
            raise RuntimeError("the store is in use by another thread")
        self._owner = ident

    def __exit__(self, *_: object) -> None:
        if self.inst.meter.reentry == 0:
            self._owner = None

    def invoke(self, inst: FuncInst, args: Sequence[Any]) -> Any:
        """Call a function from Python: None, one value, or a tuple."""
        functype = inst.type
        if len(args) != len(functype.params):
            raise TypeError(f"{len(functype.params)} arguments are needed, {len(args)} are given")
        vals = [self.from_host(t, arg) for t, arg in zip(functype.params, args, strict=True)]
        with self:
            results = self.runner.invoke(inst, vals)
        if not functype.results:
            return None
        if len(functype.results) == 1:
            return self.to_host(functype.results[0], results[-1])
        return tuple(map(self.to_host, functype.results, results))

    def wrap(self, inst: ExternInst) -> Any:
        """The extern that stands for an instance, always the same one."""
        extern = self._wrapped.get(id(inst))
        if extern is None:
            extern = self._wrapped[id(inst)] = WRAPPERS[type(inst)](self, inst)
        return extern

    def unwrap(self, extern: Any) -> ExternInst:
        """The instance that an extern of this store stands for."""
        if not isinstance(extern, PureExtern):
            raise TypeError(f"not an extern of this engine: {extern!r}")
        if extern.store is not self:
            raise ValueError("the extern belongs to another store")
        inst: ExternInst = extern.inst
        return inst

    def to_host(self, t: ValType, value: Any) -> Any:
        """A value as Python code gets it."""
        if isinstance(t, NumType):
            return signed_(32, value) if t is I32 else signed_(64, value) if t is I64 else value
        return self.wrap(value) if isinstance(value, FuncInst) else value

    def from_host(self, t: ValType, value: Any) -> Any:
        """A value as Python code gives it.  Raises TypeError, ValueError for a reference of another store."""
        if isinstance(t, NumType):
            return number_from_host(t, value)
        if t is V128:
            return vector_from_host(value)
        if not isinstance(t, RefType):
            raise TypeError(f"{t} values cannot come from Python")
        if value is None:
            if not t.null:
                raise TypeError(f"{t} cannot be null")
            return None
        if match_heaptype(t.heaptype, AbsHeapType.FUNC):
            ref = self.unwrap(value) if isinstance(value, PureFunc) else None
        else:
            if isinstance(value, HeapObject) and value.meter is not self.inst.meter:
                raise ValueError("the reference belongs to another store")
            ref = None if t.heaptype is AbsHeapType.ANY and isinstance(value, PureFunc) else value
        if isinstance(ref, I31) and not (type(ref.value) is int and 0 <= ref.value < 1 << 31):
            raise TypeError(f"{t} is needed, not a number beyond 31 bits")
        if ref is None or not match_ref(ref, t):
            raise TypeError(f"{t} is needed, not {type(value).__name__}")
        return ref

    def results_from_host(self, types: ResultType, results: Any) -> Sequence[Any]:
        """The results of a host function: None, one value, or as many as there are types.  Raises TypeError."""
        if not types:
            if results is not None:
                raise TypeError(f"the host function has no result, but returned {type(results).__name__}")
            return ()
        if len(types) == 1:
            return (self.from_host(types[0], results),)
        if not isinstance(results, tuple | list) or len(results) != len(types):
            raise TypeError(f"the host function must return {len(types)} values")
        return [self.from_host(t, result) for t, result in zip(types, results, strict=True)]


class PureExtern:
    """Common part of the externs: the store and the instance; equal if they stand for the same instance."""

    __slots__ = ("inst", "store")

    def __init__(self, store: PureStore, inst: Any) -> None:
        self.store = store
        self.inst = inst

    def before(self, attribute: str, start: int | None = None, stop: int | None = None) -> None:
        """Tell who watches the store that this part of the instance is about to be overwritten."""
        watcher = self.store.inst.watcher
        if watcher is not None:
            watcher.before((self.inst, attribute, start, stop))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.inst.addr}: {self.type}>"

    @property
    def type(self) -> Any:
        """The type as it was declared."""
        return self.inst.type


class PureFunc(PureExtern):
    """Func."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        return self.store.invoke(self.inst, args)


class PureMemory(PureExtern):
    """Memory."""

    __slots__ = ()

    @property
    def type(self) -> MemType:
        """The type with the size it has now."""
        memtype: MemType = self.inst.current_type()
        return memtype

    @property
    def size(self) -> int:
        """Pages of 64 KiB."""
        size: int = self.inst.size
        return size

    def read(self, addr: int, n: int) -> bytes:
        """n bytes from address addr on.  Raises Trap(MEMORY_OUT_OF_BOUNDS)."""
        self.inst.check(addr, n)
        return bytes(self.inst.bytes[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        """Overwrite bytes from address addr on.  Raises Trap(MEMORY_OUT_OF_BOUNDS), TypeError for what is no bytes."""
        # What counts is the number of bytes, whatever the object says of its length.
        whole = bytes(memoryview(data))
        self.inst.check(addr, len(whole))
        self.before("bytes", addr, addr + len(whole))
        self.inst.bytes[addr : addr + len(whole)] = whole

    def grow(self, n: int) -> int | None:
        """Grow by n pages: the old size, or None."""
        size = self.size
        self.before("bytes", len(self.inst.bytes))
        return size if n >= 0 and self.inst.grow(n) else None


class PureTable(PureExtern):
    """Table."""

    __slots__ = ()

    @property
    def type(self) -> TableType:
        """The type with the size it has now."""
        tabletype: TableType = self.inst.current_type()
        return tabletype

    @property
    def size(self) -> int:
        """Elements."""
        return len(self.inst.refs)

    def get(self, i: int) -> Any:
        """Element i.  Raises Trap(TABLE_OUT_OF_BOUNDS)."""
        return self.store.to_host(self.inst.type.reftype, self.inst.read(i))

    def set(self, i: int, ref: Any) -> None:
        """Replace element i.  Raises Trap(TABLE_OUT_OF_BOUNDS), TypeError."""
        value = self.store.from_host(self.inst.type.reftype, ref)
        self.inst.read(i)
        self.before("refs", i, i + 1)
        self.inst.refs[i] = value
        self.inst.changed(i, i + 1)

    def grow(self, n: int, ref: Any) -> int | None:
        """Grow by n elements `ref`: the old size, or None."""
        value, size = self.store.from_host(self.inst.type.reftype, ref), self.size
        self.before("refs", size)
        return size if n >= 0 and self.inst.grow(n, value) else None


class PureGlobal(PureExtern):
    """Global."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """The value, which may be set if the type is mutable."""
        return self.store.to_host(self.inst.type.valtype, self.inst.value)

    @value.setter
    def value(self, value: Any) -> None:
        if not self.inst.type.mut:
            raise TypeError("the global is immutable")
        val = self.store.from_host(self.inst.type.valtype, value)
        self.before("value")
        self.inst.value = val


class PureTag(PureExtern):
    """Tag."""

    __slots__ = ()


WRAPPERS: dict[type, Callable[[PureStore, Any], PureExtern]] = {
    FuncInst: PureFunc,
    MemInst: PureMemory,
    TableInst: PureTable,
    GlobalInst: PureGlobal,
    TagInst: PureTag,
}


class PureInstance:
    """Instance."""

    def __init__(self, exports: Mapping[str, Any]) -> None:
        self._exports = MappingProxyType(dict(exports))

    @property
    def exports(self) -> Mapping[str, Any]:
        """Name -> extern, in the order of the module."""
        return self._exports


class PureEngine:
    """Engine that decodes and validates here and runs by its Runner."""

    def __init__(self, name: str, runner: Callable[[Store], Runner], features: frozenset[str] = VERSION_3) -> None:
        self.name = name
        self.features = features
        self._runner = runner

    def compile(self, wasm: bytes) -> PureModule:
        """Raises Malformed | Invalid.  Spec: appendix/embedding#module-decode"""
        return PureModule(validate(decode(wasm, self.features), self.features))

    def store(self, limits: Limits = Limits()) -> PureStore:  # noqa: B008 — frozen
        """A new store."""
        return PureStore(limits, self._runner)
