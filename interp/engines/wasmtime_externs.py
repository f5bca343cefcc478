"""Func, Memory, Table, Global and Tag of the engine `wasmtime`.

Every operation takes the store's lock, so that a second thread gets a RuntimeError and not a moved memory under its
feet. Externs keep their store alive; nothing here can outlive what it points to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interp.engines.wasmtime_errors import failure, of_error
from interp.engines.wasmtime_library import NULL, C, ffi, lib, take_error
from interp.engines.wasmtime_types import (
    FUNC_EXTERN,
    GLOBAL_EXTERN,
    MEMORY_EXTERN,
    TABLE_EXTERN,
    TAG_EXTERN,
    functype_of,
)
from interp.engines.wasmtime_values import Codec, Signature, codec, signature
from interp.errors import Trap, TrapKind
from interp.syntax.types import FuncType, GlobalType, Limits, MemType, TableType, TagType

if TYPE_CHECKING:
    from interp.engines.wasmtime_store import Store

func_call = lib.wasmtime_func_call

SIZE_END = 1 << 64
"""Sizes and addresses of the C interface are below this."""


class Extern:
    """Common part: the store, and the C structure that names the instance in it."""

    __slots__ = ("__weakref__", "_type", "handle", "store")
    kind: int
    field: str

    def __init__(self, store: Store, handle: Any, externtype: Any) -> None:
        self.store = store
        self.handle = handle
        self._type = externtype

    def __repr__(self) -> str:
        return f"<wasmtime {type(self).__name__}: {self._type or 'not asked yet'}>"

    def put(self, cell: Any) -> None:
        """Write a wasmtime_extern_t."""
        cell.kind = self.kind
        setattr(cell.of, self.field, self.handle[0])


class CallBuffers:
    """Arguments, results and trap of one call: `writes` and `reads` pair each codec's function with its union."""

    __slots__ = ("args", "reads", "trap", "vals", "writes")

    def __init__(self, plan: Signature) -> None:
        self.args = ffi.new(C.VALS, len(plan.params))
        self.vals = ffi.new(C.VALS, len(plan.results))
        self.trap = ffi.new(C.TRAP_SLOT)
        self.writes = [(each.write, self.args[i].of) for i, each in enumerate(plan.params)]
        self.reads = [(each.read, self.vals[i].of) for i, each in enumerate(plan.results)]
        for i, each in enumerate(plan.params):
            self.args[i].kind = each.kind


def unroot(vals: Any, indexes: tuple[int, ...]) -> None:
    """Release references; the values become null."""
    for i in indexes:
        if vals[i].of.ref.store_id:
            lib.wasmtime_val_unroot(vals + i)
            vals[i].of.ref.store_id = 0


class Func(Extern):
    """func.  Spec: appendix/embedding#functions"""

    __slots__ = ("_plan", "_spare")
    kind, field = FUNC_EXTERN, "func"

    def __init__(self, store: Store, handle: Any, functype: FuncType | None = None) -> None:
        super().__init__(store, handle, functype)
        self._plan: Signature | None = None
        self._spare: CallBuffers | None = None

    @property
    def type(self) -> FuncType:
        """The function type."""
        if self._type is None:
            with self.store:
                pointer = lib.wasmtime_func_type(self.store.context, self.handle)
            self._type = functype_of(pointer)
            lib.wasm_functype_delete(pointer)
        functype: FuncType = self._type
        return functype

    def __call__(self, *args: Any) -> Any:
        """Call it: None, one value, or a tuple. Raises Trap | Exhaustion | UncaughtException, TypeError."""
        plan = self._plan
        if plan is None:
            plan = self._plan = signature(self.type)
        n = len(plan.params)
        if len(args) != n:
            raise TypeError(f"{n} arguments are needed, {len(args)} are given")
        store = self.store
        depth = store.enter()
        # One set of buffers is kept; a nested call, or one from a signal handler, finds it taken and makes its own.
        # It comes back only from a call that ended well, so nothing of another one can be left in it.
        buffers, self._spare = self._spare, None
        try:
            if buffers is None:
                buffers = CallBuffers(plan)
            for (write, union), arg in zip(buffers.writes, args, strict=False):
                write(store, union, arg)
            error = func_call(
                store.context, self.handle, buffers.args, n, buffers.vals, len(buffers.reads), buffers.trap
            )
            if error or buffers.trap[0]:
                raise failure(store, error, buffers.trap)
            if len(buffers.reads) == 1 and not plan.rooted_results:
                read, union = buffers.reads[0]
                result = read(store, union)
            else:
                result = self._results(plan, buffers)
            self._spare = buffers
            return result
        finally:
            if plan.rooted_params and buffers is not None:
                unroot(buffers.args, plan.rooted_params)
            store.leave(depth)

    def _results(self, plan: Signature, buffers: CallBuffers) -> Any:
        try:
            values = tuple([read(self.store, union) for read, union in buffers.reads])
        finally:
            unroot(buffers.vals, plan.rooted_results)
        if len(values) > 1:
            return values
        return values[0] if values else None


class Memory(Extern):
    """mem.  Spec: appendix/embedding#memories"""

    __slots__ = ()
    kind, field = MEMORY_EXTERN, "memory"
    _type: MemType

    @property
    def type(self) -> MemType:
        """The type with the size it has now."""
        return MemType(self._type.addrtype, Limits(self.size, self._type.limits.max))

    @property
    def size(self) -> int:
        """Pages of 64 KiB."""
        with self.store:
            return int(lib.wasmtime_memory_size(self.store.context, self.handle))

    def read(self, addr: int, n: int) -> bytes:
        """n bytes from address addr on.  Raises Trap(MEMORY_OUT_OF_BOUNDS)."""
        store, handle = self.store, self.handle
        context = store.take()
        try:
            if addr < 0 or n < 0 or addr + n > lib.wasmtime_memory_data_size(context, handle):
                raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)
            data: bytes = ffi.buffer(lib.wasmtime_memory_data(context, handle) + addr, n)[:] if n else b""
            return data
        finally:
            store.give()

    def write(self, addr: int, data: bytes) -> None:
        """Overwrite bytes from address addr on.  Raises Trap(MEMORY_OUT_OF_BOUNDS)."""
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))
        store, handle, n = self.store, self.handle, len(data)
        context = store.take()
        try:
            if addr < 0 or addr + n > lib.wasmtime_memory_data_size(context, handle):
                raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)
            if n:
                ffi.memmove(lib.wasmtime_memory_data(context, handle) + addr, data, n)
        finally:
            store.give()

    def grow(self, n: int) -> int | None:
        """Grow by n pages: the old size, or None."""
        if not 0 <= n < SIZE_END:
            return None
        old = ffi.new(C.UINT64)
        with self.store as context:
            error = lib.wasmtime_memory_grow(context, self.handle, n, old)
        if error:
            lib.wasmtime_error_delete(error)
            return None
        return int(old[0])


class Table(Extern):
    """table.  Spec: appendix/embedding#tables"""

    __slots__ = ("_codec",)
    kind, field = TABLE_EXTERN, "table"
    _type: TableType

    def __init__(self, store: Store, handle: Any, tabletype: TableType) -> None:
        super().__init__(store, handle, tabletype)
        self._codec = codec(tabletype.reftype)

    @property
    def type(self) -> TableType:
        """The type with the size it has now."""
        return TableType(self._type.addrtype, Limits(self.size, self._type.limits.max), self._type.reftype)

    @property
    def size(self) -> int:
        """Elements."""
        with self.store:
            return int(lib.wasmtime_table_size(self.store.context, self.handle))

    def get(self, i: int) -> Any:
        """Element i.  Raises Trap(TABLE_OUT_OF_BOUNDS)."""
        with self.store as context:
            val = ffi.new(C.VAL)
            if not 0 <= i < SIZE_END or not lib.wasmtime_table_get(context, self.handle, i, val):
                raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
            return read_and_unroot(self.store, self._codec, val)

    def set(self, i: int, ref: Any) -> None:
        """Replace element i.  Raises Trap(TABLE_OUT_OF_BOUNDS), TypeError."""
        with self.store as context, Written(self.store, self._codec, ref) as val:
            if not 0 <= i < lib.wasmtime_table_size(context, self.handle):
                raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
            raise_error(lib.wasmtime_table_set(context, self.handle, i, val))

    def grow(self, n: int, ref: Any) -> int | None:
        """Grow by n elements `ref`: the old size, or None."""
        with self.store as context, Written(self.store, self._codec, ref) as val:
            old = ffi.new(C.UINT64)
            if not 0 <= n < SIZE_END:
                return None
            error = lib.wasmtime_table_grow(context, self.handle, n, val, old)
            if error:
                lib.wasmtime_error_delete(error)
                return None
            return int(old[0])


class Global(Extern):
    """global.  Spec: appendix/embedding#globals"""

    __slots__ = ("_codec",)
    kind, field = GLOBAL_EXTERN, "global"
    _type: GlobalType

    def __init__(self, store: Store, handle: Any, globaltype: GlobalType) -> None:
        super().__init__(store, handle, globaltype)
        self._codec = codec(globaltype.valtype)

    @property
    def type(self) -> GlobalType:
        """The global type."""
        return self._type

    @property
    def value(self) -> Any:
        """The value, which may be set if the type is mutable (TypeError otherwise)."""
        with self.store as context:
            val = ffi.new(C.VAL)
            lib.wasmtime_global_get(context, self.handle, val)
            return read_and_unroot(self.store, self._codec, val)

    @value.setter
    def value(self, value: Any) -> None:
        if not self._type.mut:
            raise TypeError("the global is immutable")
        with self.store as context, Written(self.store, self._codec, value) as val:
            raise_error(lib.wasmtime_global_set(context, self.handle, val))


class Tag(Extern):
    """tag.  Spec: appendix/embedding#tags"""

    __slots__ = ()
    kind, field = TAG_EXTERN, "tag"
    _type: TagType

    @property
    def type(self) -> TagType:
        """The tag type."""
        return self._type


class Written:
    """A value as a wasmtime_val_t for the time of a `with` block. Raises TypeError."""

    __slots__ = ("codec", "val")

    def __init__(self, store: Store, how: Codec, value: Any) -> None:
        self.codec = how
        self.val = ffi.new(C.VAL)
        self.val.kind = how.kind
        how.write(store, self.val.of, value)

    def __enter__(self) -> Any:
        return self.val

    def __exit__(self, *_: object) -> None:
        if self.codec.rooted:
            unroot(self.val, (0,))


def read_and_unroot(store: Store, how: Codec, val: Any) -> Any:
    """The Python value of an owned wasmtime_val_t."""
    try:
        return how.read(store, val.of)
    finally:
        if how.rooted:
            unroot(val, (0,))


def raise_error(error: Any) -> None:
    """Raise what an owned wasmtime_error_t means, if there is one."""
    if error != NULL:
        raise of_error(take_error(error))
