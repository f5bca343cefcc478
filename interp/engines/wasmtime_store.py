"""Store of the engine `wasmtime`: allocation, instantiation, and the limits of running calls."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from interp.engine import PAGE, Limits
from interp.engines.wasmtime_errors import failure, link_error, thrown
from interp.engines.wasmtime_externs import Extern, Func, Global, Memory, Table, Tag, Written, raise_error
from interp.engines.wasmtime_host import THREAD, HostFunction, call_host, take_pending
from interp.engines.wasmtime_library import NULL, C, ffi, lib, take_error
from interp.engines.wasmtime_stack import native_stack
from interp.engines.wasmtime_ticker import ticks
from interp.engines.wasmtime_types import (
    FUNC_EXTERN,
    GLOBAL_EXTERN,
    MEMORY_EXTERN,
    TABLE_EXTERN,
    TAG_EXTERN,
    new_functype,
    new_globaltype,
    new_memtype,
    new_tagtype,
    table_module,
)
from interp.engines.wasmtime_values import EXNREF_KIND, ExnReference, codec
from interp.errors import BacktraceFrame, Exhaustion, ExhaustionKind, Invalid, Unlinkable
from interp.execution.meter import MAX_REENTRY, nest
from interp.syntax.types import FuncType, GlobalType, MemType, TableType, TagType

if TYPE_CHECKING:
    from interp.engines.wasmtime import Engine, Module

IN_USE = "the store is in use by another thread"
MAX_SIZE = (1 << 63) - 1
BYTES_PER_FIELD = 32
"""Bytes of Wasmtime's heap that take what counts as one field elsewhere: the most is a structure without fields."""

HEADROOM = 12
"""Python frames that must be free when WebAssembly is entered: `call_host`, its error handler and the making of an
error have to be able to run."""


class Instance:
    """A module instance in a store."""

    def __init__(self, exports: Mapping[str, Any]) -> None:
        self._exports = MappingProxyType(dict(exports))

    @property
    def exports(self) -> Mapping[str, Any]:
        """Name -> extern, in the order of the module."""
        return self._exports


class Store:
    """store, and what it may use.

    `depth` counts calls into it that are active, `deadline` is when they must end (in time.monotonic's seconds),
    `objects` holds what its externrefs stand for.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits
        self.config = engine.config(limits)
        self.c_engine = engine.configured(self.config)
        self.depth = 0
        self.deadline: float | None = None
        self._ticking = False
        self._stack_budget = max(native_stack() * 3 // 4, self.config.stack)
        self._metered = limits.fuel is not None or limits.deadline_seconds is not None
        self._max_depth = min(MAX_REENTRY, limits.max_call_depth)
        self._lock = threading.RLock()
        self.give = self._lock.release
        """Ends what `take` began."""
        self._handles: list[Any] = []
        self._modules: dict[Module, None] = {}
        self._funcs: WeakValueDictionary[int, Func] = WeakValueDictionary()
        self._others: dict[tuple[int, ...], Extern] = {}
        self.objects: dict[int, Any] = {}
        self._ids = count(1)
        self._forget = ffi.callback(C.FINALIZER, self.objects.__delitem__)
        self._pointer = lib.wasmtime_store_new(self.c_engine, NULL, NULL)
        self.context = lib.wasmtime_store_context(self._pointer)
        self._taker: Any = None
        self._taken: ExnReference | None = None
        self._memory_pages: float = 0
        self._limit()

    def __del__(self, delete: Callable[[Any], None] = lib.wasmtime_store_delete) -> None:
        pointer = getattr(self, "_pointer", None)
        if pointer is not None:
            delete(pointer)

    def _limit(self) -> None:
        # Wasmtime has one limit for the bytes of every memory and of the heap of references.
        limits, pages = self.limits, self._memory_pages
        size = limits.max_memory_pages * PAGE
        if pages <= limits.max_memory_pages:
            size = max(int(pages) * PAGE, limits.max_heap_fields * BYTES_PER_FIELD, PAGE)
        elements = min(limits.max_table_elements, MAX_SIZE)
        lib.wasmtime_store_limiter(self._pointer, min(size, MAX_SIZE), elements, -1, -1, -1)

    def expect_memory(self, pages: float) -> None:
        """A memory will be there that may grow to so many pages."""
        if pages > self._memory_pages:
            self._memory_pages = pages
            self._limit()

    def take(self) -> Any:
        """The context, for this thread alone until `give`.  Raises RuntimeError if another thread uses the store."""
        if not self._lock.acquire(False):
            raise RuntimeError(IN_USE)
        return self.context

    __enter__ = take

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def enter(self) -> int:
        """WebAssembly is about to run: how many calls were active before, for `leave`.

        Raises RuntimeError if another thread uses the store, Exhaustion(CALL_STACK).
        """
        try:
            nest(HEADROOM)
        except RecursionError as error:
            raise Exhaustion(ExhaustionKind.CALL_STACK) from error
        if not self._lock.acquire(False):
            raise RuntimeError(IN_USE)
        depth = self.depth
        if depth or self._metered or THREAD.position:
            try:
                self._budget(depth)
            except BaseException:
                self._lock.release()
                raise
        if not depth:
            THREAD.raised = None
        self.depth = depth + 1
        return depth

    def leave(self, depth: int) -> None:
        """Undo `enter`."""
        self.depth = depth
        if self._ticking and not depth:
            self._stop_clock()
        self._lock.release()

    def _budget(self, depth: int) -> None:
        # In a store that is active already, Wasmtime itself sees to the stack.
        used = THREAD.top - THREAD.position if THREAD.position and not depth else 0
        if depth >= self._max_depth or used + self.config.stack > self._stack_budget:
            raise Exhaustion(ExhaustionKind.CALL_STACK)
        if not depth:
            self._refill()

    def _stop_clock(self) -> None:
        self._ticking = False
        self.deadline = None
        self.engine.ticker.end()

    def _refill(self) -> None:
        if self.limits.fuel is not None:
            raise_error(lib.wasmtime_context_set_fuel(self.context, self.limits.fuel))
        seconds = self.limits.deadline_seconds
        if seconds is not None:
            if not self._ticking:
                self.engine.ticker.begin()
                self._ticking = True
            self.deadline = monotonic() + seconds
            lib.wasmtime_context_set_epoch_deadline(self.context, ticks(seconds))

    def func_alloc(self, functype: FuncType, function: Callable[..., Any], /) -> Func:
        """A host function.  Raises TypeError, ValueError.  Spec: appendix/embedding#functions"""
        if not callable(function):
            raise TypeError(f"a callable is needed, not {type(function).__name__}")
        with self as context:
            handle = ffi.new_handle(HostFunction(self, functype, function))
            c_type, made = new_functype(self.c_engine, functype), ffi.new(C.FUNC)
            lib.wasmtime_func_new(context, c_type, call_host, handle, NULL, made)
            lib.wasm_functype_delete(c_type)
            self._handles.append(handle)
            return self.func_of(made[0], functype)

    def mem_alloc(self, memtype: MemType, /) -> Memory:
        """A memory of zeros.  Raises Exhaustion, Invalid.  Spec: appendix/embedding#memories"""
        with self as context:
            c_type, made = new_memtype(memtype), ffi.new(C.MEMORY)
            self.expect_memory(math.inf if memtype.limits.max is None else memtype.limits.max)
            error = lib.wasmtime_memory_new(context, c_type, made)
            lib.wasm_memorytype_delete(c_type)
            raise_error(error)
            memory: Memory = self._other(Memory, made[0], memtype, made.owner.instance, made.index)
            return memory

    def table_alloc(self, tabletype: TableType, ref: Any, /) -> Table:
        """A table of `ref`.  Raises Exhaustion, Invalid, TypeError, ValueError.  Spec: appendix/embedding#tables"""
        with self:
            limits = tabletype.limits
            if limits.max is not None and limits.min > limits.max:
                raise Invalid(f"the minimum of {limits} is greater than the maximum")
            module = self.engine.compile(table_module(tabletype))
            table: Table = self.instantiate(module, ()).exports["t"]
            if table.grow(limits.min, ref) is None:
                raise Exhaustion(ExhaustionKind.TABLE)
            return table

    def global_alloc(self, globaltype: GlobalType, value: Any, /) -> Global:
        """A global.  Raises TypeError.  Spec: appendix/embedding#globals"""
        how = codec(globaltype.valtype)
        with self as context, Written(self, how, value) as val:
            c_type, made = new_globaltype(self.c_engine, globaltype), ffi.new(C.GLOBAL)
            error = lib.wasmtime_global_new(context, c_type, val, made)
            lib.wasm_globaltype_delete(c_type)
            raise_error(error)
            global_: Global = self._other(Global, made[0], globaltype, made.a, made.b, made.c)
            return global_

    def tag_alloc(self, tagtype: TagType, /) -> Tag:
        """A tag.  Raises Invalid, ValueError.  Spec: appendix/embedding#tags"""
        with self as context:
            c_type, made = new_tagtype(self.c_engine, tagtype), ffi.new(C.TAG)
            error = lib.wasmtime_tag_new(context, c_type, made)
            lib.wasm_tagtype_delete(c_type)
            raise_error(error)
            tag: Tag = self._other(Tag, made[0], tagtype, made.owner.instance, made.index)
            return tag

    def instantiate(self, module: Module, externs: Sequence[Any], /) -> Instance:
        """Raises Unlinkable | Trap | Exhaustion.  Spec: appendix/embedding#module-instances"""
        cells = self._link(module, externs)
        compiled = module.compiled(self.config)
        instance, trap = ffi.new(C.INSTANCE), ffi.new(C.TRAP_SLOT)
        depth = self.enter()
        try:
            self._modules[module] = None
            self.expect_memory(module.memory_pages)
            error = lib.wasmtime_instance_new(self.context, compiled, cells, len(externs), instance, trap)
            if trap[0] or self.has_raised():
                raise failure(self, error, trap)
            if error:
                raise thrown(self, error) or link_error(take_error(error), module.imports)
            return Instance(self._exports(module, instance))
        finally:
            self.leave(depth)

    def _link(self, module: Module, externs: Sequence[Any]) -> Any:
        """The externs as an array for Wasmtime, which checks their types. Raises Unlinkable, TypeError, ValueError."""
        cells = ffi.new(C.EXTERNS, len(externs))
        for i, extern in enumerate(externs):
            if not isinstance(extern, Extern):
                raise TypeError(f"not an extern of this engine: {extern!r}")
            if extern.store is not self:
                raise ValueError("the extern belongs to another store")
            extern.put(cells[i])
        needed, given = len(module.imports), len(externs)
        if given < needed:
            missing = module.imports[given]
            detail = f"{needed} imports are needed, {given} are given"
            raise Unlinkable(f"unknown import {missing.module!a} {missing.name!a}: {detail}")
        if given > needed:
            raise Unlinkable(f"{needed} imports are needed, {given} are given")
        return cells

    def _exports(self, module: Module, instance: Any) -> dict[str, Extern]:
        name, size, cell = ffi.new(C.TEXT_SLOT), ffi.new(C.SIZE), ffi.new(C.EXTERN)
        found = {}
        for i, exported in enumerate(module.exports):
            lib.wasmtime_instance_export_nth(self.context, instance, i, name, size, cell)
            found[exported.name] = self._extern(cell, exported.type)
        return found

    def _extern(self, cell: Any, externtype: Any) -> Any:
        of = cell.of
        if cell.kind == FUNC_EXTERN:
            return self.func_of(of.func, externtype)
        if cell.kind == GLOBAL_EXTERN:
            value = getattr(of, "global")
            return self._other(Global, value, externtype, value.a, value.b, value.c)
        made = {TABLE_EXTERN: Table, MEMORY_EXTERN: Memory, TAG_EXTERN: Tag}[cell.kind]
        value = getattr(of, made.field)
        return self._other(made, value, externtype, value.owner.instance, value.index)

    def _other(self, made: Any, value: Any, externtype: Any, *key: int) -> Any:
        """The one extern that stands for a table, memory, global or tag."""
        extern = self._others.get((made.kind, *key))
        if extern is None:
            handle = ffi.new(HANDLES[made.kind], value)
            extern = self._others[made.kind, *key] = made(self, handle, externtype)
        return extern

    def func_of(self, value: Any, functype: FuncType | None = None) -> Func:
        """The one Func that stands for a wasmtime_func_t."""
        key = int(ffi.cast(C.ADDRESS, value.funcref))
        func = self._funcs.get(key)
        if func is None:
            func = self._funcs[key] = Func(self, ffi.new(C.FUNC, value), functype)
        return func

    def own_func(self, value: Any) -> Any:
        """The wasmtime_func_t of a Func of this store. Raises TypeError, ValueError."""
        if not isinstance(value, Func):
            raise TypeError(f"funcref is needed, not {type(value).__name__}")
        if value.store is not self:
            raise ValueError("the function belongs to another store")
        return value.handle

    def root_object(self, value: Any, ref: Any) -> None:
        """Write an externref that stands for a Python object. Raises Exhaustion(HEAP)."""
        number = next(self._ids)
        self.objects[number] = value
        if not lib.wasmtime_externref_new(self.context, number, self._forget, ref):
            self.objects.pop(number, None)
            raise Exhaustion(ExhaustionKind.HEAP)

    def host_number(self, ref: Any) -> int:
        """Which of `objects` an externref stands for; 0 if it is none of the host's."""
        return int(lib.wasmtime_externref_data(self.context, ref))

    def has_raised(self) -> bool:
        """Whether a host function raised something that has not been passed on yet."""
        return THREAD.raised is not None

    def take_raised(self) -> BaseException | None:
        """What a host function raised, once."""
        raised, THREAD.raised = THREAD.raised, None
        return raised

    def check_deadline(self) -> None:
        """Raises Exhaustion(DEADLINE) if the time is over."""
        if self.deadline is not None and monotonic() > self.deadline:
            raise Exhaustion(ExhaustionKind.DEADLINE)

    def throw(self, exception: ExnReference) -> Any:
        """The trap that a host function returns to throw an exception.  Spec: exec/instructions#exec-throw-ref"""
        return lib.wasmtime_context_set_exception(self.context, ffi.addressof(exception.val.of, "ref"))

    def take_exception(self) -> ExnReference | None:
        """The exception of WebAssembly that nothing caught, once.

        Wasmtime makes a root of it that lasts until the innermost active host function returns, or for ever if there is
        none; so it is taken by a host function.
        """
        if not lib.wasmtime_context_has_exception(self.context):
            return None
        if self._taker is None:
            handle, made = ffi.new_handle(self), ffi.new(C.FUNC)
            c_type = new_functype(self.c_engine, FuncType((), ()))
            lib.wasmtime_func_new(self.context, c_type, take_pending, handle, NULL, made)
            lib.wasm_functype_delete(c_type)
            self._handles.append(handle)
            self._taker = made
        trap = ffi.new(C.TRAP_SLOT)
        error = lib.wasmtime_func_call(self.context, self._taker, NULL, 0, NULL, 0, trap)
        if error or trap[0]:
            raise failure(self, error, trap)
        taken, self._taken = self._taken, None
        return taken

    def take_pending(self) -> None:
        """Keep the pending exception for `take_exception`."""
        val = ffi.new(C.VAL)
        val.kind = EXNREF_KIND
        ref = ffi.addressof(val.of, "ref")
        if lib.wasmtime_context_take_exception(self.context, ref):
            try:
                self._taken = ExnReference(self, EXNREF_KIND, ref)
            finally:
                lib.wasmtime_val_unroot(val)

    def opcode_at(self, frame: BacktraceFrame, start: int) -> int:
        """The opcode (0xFB00 + second byte for that prefix) at which a function, whose body starts at `start`, is."""
        for module in self._modules:
            if frame.offset is not None and module.bodies.get(frame.function) == start:
                first, second = module.wasm[frame.offset], module.wasm[frame.offset + 1]
                return 0xFB00 + second if first == 0xFB else first
        return -1


HANDLES = {GLOBAL_EXTERN: C.GLOBAL, TABLE_EXTERN: C.TABLE, MEMORY_EXTERN: C.MEMORY, TAG_EXTERN: C.TAG}
