"""The engine `wasmtime`: the just-in-time compiler Wasmtime (extra `wascc[wasmtime]`) behind `interp.engine`.

The features of WebAssembly 3.0, or those that are asked for, are switched on, other proposals are off. What is
particular to this engine:

- A unit of fuel is about one instruction, and metering costs time, so modules are compiled anew for stores with fuel,
  and likewise for stores with a deadline. Compiled forms are kept with the module.
- `max_call_depth` is stack space (see `wasmtime_stack`). Nested calls from host functions are counted exactly.
- Only a deadline, not a KeyboardInterrupt, ends WebAssembly that runs on its own; the interrupt is raised at the next
  host function or when the call returns.
- A host function that blocks is not ended by a deadline, but what it returns to is.
- Backtraces hold the innermost 20 functions.
- Structures, arrays, exceptions and references to objects of the host live in a heap of the store, of which 64 KiB
  are the least. Wasmtime has one limit for its size and for the size of each memory: BYTES_PER_FIELD for each of
  `max_heap_fields`, or what a memory in the store may grow to, if that is more; never less than what the pure engines
  would allow, but no more than `max_memory_pages` once a memory has no maximum below that.
- Of the features, sign-extension, saturating-float-to-int, reference-types and extended-const are always there.
- A reference that comes out twice may be two Python objects.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from interp.engine import Limits
from interp.engines import wasmtime_sections as sections
from interp.engines.wasmtime_errors import rejection
from interp.engines.wasmtime_library import C, ffi, lib, take_bytes, take_error, text_of
from interp.engines.wasmtime_stack import stack_for
from interp.engines.wasmtime_store import Store
from interp.engines.wasmtime_ticker import Ticker
from interp.engines.wasmtime_types import functype_of, globaltype_of, memtype_of, tagtype_of, valtype_of
from interp.errors import Malformed
from interp.syntax import features as f
from interp.syntax.types import ExportType, ExternType, ImportType, RefType, TableType

MAGIC = b"\0asm"
VERSION = b"\1\0\0\0"

SWITCHES = {
    f.TAIL_CALL: "tail_call", f.FUNCTION_REFERENCES: "function_references",
    f.GC: "gc", f.SIMD: "simd", f.RELAXED_SIMD: "relaxed_simd", f.BULK_MEMORY: "bulk_memory",
    f.MULTI_VALUE: "multi_value", f.MULTI_MEMORY: "multi_memory", f.MEMORY64: "memory64", f.EXCEPTIONS: "exceptions",
}  # fmt: skip
"""Features that Wasmtime can do without; the others are always there (without reference types it aborts)."""

OTHER_PROPOSALS = (
    "threads", "wide_arithmetic", "custom_page_sizes", "compact_imports", "stack_switching", "component_model",
)  # fmt: skip
"""What WebAssembly 3.0 has not."""


@dataclass(frozen=True, slots=True)
class Config:
    """What code has to be compiled for, and the stack in bytes that it may use."""

    fuel: bool
    deadline: bool
    stack: int


class Module:
    """A decoded and validated module, compiled for a configuration when a store first needs it."""

    def __init__(self, engine: Engine, wasm: bytes) -> None:
        self.engine = engine
        self.wasm = wasm
        self._compiled: dict[Config, Any] = {}
        error = lib.wasmtime_module_validate(engine.configured(engine.expected), wasm, len(wasm))
        if error:
            rejected = rejection(take_error(error))
            # The compiler says more about the same fault: the function that it is in.
            self._compile(engine.expected)
            raise rejected

    def compiled(self, config: Config) -> Any:
        """The wasmtime_module_t for a configuration; code is shared between those that differ in the stack only."""
        found = self._compiled.get(config)
        if found is not None:
            return found
        for other, compiled in list(self._compiled.items()):
            if (other.fuel, other.deadline) == (config.fuel, config.deadline):
                found = self._copy(compiled, config)
                break
        else:
            found = self._compile(config)
        return self._compiled.setdefault(config, found)

    @property
    def any_compiled(self) -> Any:
        """The wasmtime_module_t of any configuration, to ask it about its types."""
        return self.compiled(next(iter(self._compiled), self.engine.expected))

    def _compile(self, config: Config) -> Any:
        made = ffi.new(C.MODULE_SLOT)
        error = lib.wasmtime_module_new(self.engine.configured(config), self.wasm, len(self.wasm), made)
        if error:
            raise rejection(take_error(error))
        return ffi.gc(made[0], lib.wasmtime_module_delete)

    def _copy(self, compiled: Any, config: Config) -> Any:
        serialized, made = ffi.new(C.BYTE_VEC), ffi.new(C.MODULE_SLOT)
        error = lib.wasmtime_module_serialize(compiled, serialized)
        if not error:
            data = take_bytes(serialized)
            error = lib.wasmtime_module_deserialize(self.engine.configured(config), data, len(data), made)
        if error:
            lib.wasmtime_error_delete(error)
            return self._compile(config)
        return ffi.gc(made[0], lib.wasmtime_module_delete)

    @cached_property
    def imports(self) -> tuple[ImportType, ...]:
        """What it needs."""
        vector, found = ffi.new(C.IMPORTTYPE_VEC), []
        lib.wasmtime_module_imports(self.any_compiled, vector)
        tables = iter(self._table_bounds)
        for i in range(vector.size):
            each = vector.data[i]
            module, name = text_of(lib.wasm_importtype_module(each)), text_of(lib.wasm_importtype_name(each))
            found.append(ImportType(module, name, _externtype(lib.wasm_importtype_type(each), tables)))
        lib.wasm_importtype_vec_delete(vector)
        return tuple(found)

    @cached_property
    def exports(self) -> tuple[ExportType, ...]:
        """What it offers."""
        vector, found = ffi.new(C.EXPORTTYPE_VEC), []
        lib.wasmtime_module_exports(self.any_compiled, vector)
        tables = (self._table_bounds[index] for index in sections.exported_tables(self.wasm).values())
        for i in range(vector.size):
            each = vector.data[i]
            name = text_of(lib.wasm_exporttype_name(each))
            found.append(ExportType(name, _externtype(lib.wasm_exporttype_type(each), tables)))
        lib.wasm_exporttype_vec_delete(vector)
        return tuple(found)

    @cached_property
    def memory_pages(self) -> float:
        """To how many pages one of the memories it defines may grow: the most of them, 0 if it defines none."""
        maxima = [limits.max for _, limits in sections.memory_bounds(self.wasm)]
        return max((math.inf if maximum is None else maximum for maximum in maxima), default=0)

    @cached_property
    def bodies(self) -> dict[int, int]:
        """Function index -> offset of the body."""
        return sections.bodies(self.wasm)

    @cached_property
    def _table_bounds(self) -> list[sections.Bounds]:
        return sections.table_bounds(self.wasm)


def _externtype(pointer: Any, tables: Any) -> ExternType:
    """The external type of a wasm_externtype_t; `tables` yields address type and limits of the next table."""
    functype = lib.wasm_externtype_as_functype_const(pointer)
    if functype:
        return functype_of(functype)
    globaltype = lib.wasm_externtype_as_globaltype_const(pointer)
    if globaltype:
        return globaltype_of(globaltype)
    memtype = lib.wasm_externtype_as_memorytype_const(pointer)
    if memtype:
        return memtype_of(memtype)
    tagtype = lib.wasm_externtype_as_tagtype_const(pointer)
    if tagtype:
        return tagtype_of(tagtype)
    reftype = valtype_of(lib.wasm_tabletype_element(lib.wasm_externtype_as_tabletype_const(pointer)))
    addrtype, limits = next(tables)
    return TableType(addrtype, limits, cast(RefType, reftype))


class Engine:
    """Wasmtime. Compiling is safe from any thread; a store is used by one thread at a time.

    `expected` is the configuration of the latest store: what a module is most likely to be needed for.
    """

    name = "wasmtime"

    def __init__(self, features: frozenset[str] = f.VERSION_3) -> None:
        self.features = features
        self.ticker = Ticker()
        self._configured: dict[Config, Any] = {}
        self._lock = threading.Lock()
        self.expected = self.config(Limits())

    def compile(self, wasm: bytes) -> Module:
        """Decode and validate; machine code is made later. Raises Malformed | Invalid.

        Spec: appendix/embedding#module-decode
        """
        wasm = bytes(memoryview(wasm))
        if wasm[:4] != MAGIC:
            raise Malformed("unexpected end" if MAGIC.startswith(wasm) else "magic header not detected", 0)
        if wasm[4:8] != VERSION:
            raise Malformed("unexpected end" if VERSION.startswith(wasm[4:8]) else "unknown binary version", 4)
        return Module(self, wasm)

    def store(self, limits: Limits = Limits()) -> Store:  # noqa: B008 — frozen
        """A new store.  Raises ValueError for limits that are no sizes or times.  Spec: appendix/embedding#store"""
        heap, calls = limits.max_heap_fields, limits.max_call_depth
        sizes = (limits.fuel or 0, limits.max_memory_pages, limits.max_table_elements, heap, calls)
        if min(sizes) < 0 or (limits.fuel or 0) >= 1 << 64:
            raise ValueError(f"limits are not in range: {limits}")
        if limits.deadline_seconds is not None and (math.isnan(limits.deadline_seconds) or limits.deadline_seconds < 0):
            raise ValueError(f"the deadline is not a time: {limits.deadline_seconds}")
        self.expected = self.config(limits)
        return Store(self, limits)

    def config(self, limits: Limits) -> Config:
        """What code for a store with these limits has to be compiled for."""
        return Config(limits.fuel is not None, limits.deadline_seconds is not None, stack_for(limits.max_call_depth))

    def configured(self, config: Config) -> Any:
        """The wasm_engine_t of a configuration, made once."""
        with self._lock:
            found = self._configured.get(config)
            if found is None:
                found = self._configured[config] = self._new(config)
            return found

    def _new(self, config: Config) -> Any:
        settings = lib.wasm_config_new()
        switches = {switch: feature in self.features for feature, switch in SWITCHES.items()}
        for switch, enabled in {**switches, **dict.fromkeys(OTHER_PROPOSALS, False)}.items():
            getattr(lib, f"wasmtime_config_wasm_{switch}_set")(settings, enabled)
        lib.wasmtime_config_shared_memory_set(settings, False)
        lib.wasmtime_config_consume_fuel_set(settings, config.fuel)
        lib.wasmtime_config_epoch_interruption_set(settings, config.deadline)
        lib.wasmtime_config_max_wasm_stack_set(settings, config.stack)
        # Never used, but Wasmtime aborts the process if it is smaller than the stack above.
        lib.wasmtime_config_async_stack_size_set(settings, 2 * config.stack)
        made = ffi.gc(lib.wasm_engine_new_with_config(settings), lib.wasm_engine_delete)
        if config.deadline:
            self.ticker.add(made)
        return made


def create(features: frozenset[str] = f.VERSION_3) -> Engine:
    """The engine.  Raises ModuleNotFoundError or EngineUnavailable if Wasmtime is not installed as needed."""
    return Engine(features)
