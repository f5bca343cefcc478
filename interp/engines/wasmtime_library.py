"""The part of Wasmtime's C interface that the adapter uses, bound with cffi to the library in the `wasmtime` package.

Why not that package's own Python classes: they lose a KeyboardInterrupt that arrives while WebAssembly runs (ctypes
prints it and lets the host function return 0), go through Python floats for f32, and take tens of microseconds for a
call. cffi hands every exception of a callback to a handler and calls in about one microsecond.

The C interface is not stable between major versions, so only the version that was tested is accepted.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cffi  # type: ignore[import-untyped]

from interp.engine import EngineUnavailable

MAJOR_VERSION = 50

DECLARATIONS = """
typedef ... wasm_config_t;
typedef ... wasm_engine_t;
typedef ... wasm_trap_t;
typedef ... wasm_frame_t;
typedef ... wasm_valtype_t;
typedef ... wasm_functype_t;
typedef ... wasm_globaltype_t;
typedef ... wasm_tabletype_t;
typedef ... wasm_memorytype_t;
typedef ... wasm_tagtype_t;
typedef ... wasm_externtype_t;
typedef ... wasm_importtype_t;
typedef ... wasm_exporttype_t;
typedef ... wasmtime_error_t;
typedef ... wasmtime_module_t;
typedef ... wasmtime_store_t;
typedef ... wasmtime_context_t;
typedef ... wasmtime_caller_t;

typedef struct { size_t size; uint8_t *data; } wasm_byte_vec_t;
typedef struct { size_t size; wasm_frame_t **data; } wasm_frame_vec_t;
typedef struct { size_t size; wasm_valtype_t **data; } wasm_valtype_vec_t;
typedef struct { size_t size; wasm_importtype_t **data; } wasm_importtype_vec_t;
typedef struct { size_t size; wasm_exporttype_t **data; } wasm_exporttype_vec_t;
typedef struct { uint32_t min; uint32_t max; } wasm_limits_t;

typedef struct { uint8_t kind; void *concrete; } wasmtime_heaptype_t;
typedef struct { bool nullable; wasmtime_heaptype_t heaptype; } wasmtime_reftype_t;
typedef struct { uint8_t kind; wasmtime_reftype_t reftype; } wasmtime_valtype_t;

typedef struct { uint64_t store_id; void *funcref; } wasmtime_func_t;
typedef struct { struct { uint64_t store_id; uint32_t instance; } owner; uint32_t index; } wasmtime_table_t;
typedef struct { struct { uint64_t store_id; uint32_t instance; } owner; uint32_t index; } wasmtime_memory_t;
typedef struct { uint64_t store_id; uint32_t a, b, c; } wasmtime_global_t;
typedef struct { struct { uint64_t store_id; uint32_t instance; } owner; uint32_t index; } wasmtime_tag_t;
typedef struct { uint64_t store_id; size_t index; } wasmtime_instance_t;
typedef struct { uint64_t store_id; uint32_t a, b; void *c; } wasmtime_ref_t;

typedef union {
  wasmtime_func_t func; wasmtime_global_t global; wasmtime_table_t table; wasmtime_memory_t memory; wasmtime_tag_t tag;
} wasmtime_extern_union_t;
typedef struct { uint8_t kind; wasmtime_extern_union_t of; } wasmtime_extern_t;

typedef union {
  int32_t i32; uint32_t u32; int64_t i64; uint64_t u64; float f32; double f64; uint8_t v128[16];
  wasmtime_func_t funcref; wasmtime_ref_t ref;
} wasmtime_valunion_t;
typedef struct { uint8_t kind; wasmtime_valunion_t of; } wasmtime_val_t;

wasm_config_t *wasm_config_new(void);
void wasmtime_config_consume_fuel_set(wasm_config_t *, bool);
void wasmtime_config_epoch_interruption_set(wasm_config_t *, bool);
void wasmtime_config_max_wasm_stack_set(wasm_config_t *, size_t);
void wasmtime_config_async_stack_size_set(wasm_config_t *, size_t);
void wasmtime_config_wasm_threads_set(wasm_config_t *, bool);
void wasmtime_config_shared_memory_set(wasm_config_t *, bool);
void wasmtime_config_wasm_tail_call_set(wasm_config_t *, bool);
void wasmtime_config_wasm_reference_types_set(wasm_config_t *, bool);
void wasmtime_config_wasm_function_references_set(wasm_config_t *, bool);
void wasmtime_config_wasm_gc_set(wasm_config_t *, bool);
void wasmtime_config_wasm_simd_set(wasm_config_t *, bool);
void wasmtime_config_wasm_relaxed_simd_set(wasm_config_t *, bool);
void wasmtime_config_wasm_bulk_memory_set(wasm_config_t *, bool);
void wasmtime_config_wasm_multi_value_set(wasm_config_t *, bool);
void wasmtime_config_wasm_multi_memory_set(wasm_config_t *, bool);
void wasmtime_config_wasm_memory64_set(wasm_config_t *, bool);
void wasmtime_config_wasm_exceptions_set(wasm_config_t *, bool);
void wasmtime_config_wasm_wide_arithmetic_set(wasm_config_t *, bool);
void wasmtime_config_wasm_custom_page_sizes_set(wasm_config_t *, bool);
void wasmtime_config_wasm_compact_imports_set(wasm_config_t *, bool);
void wasmtime_config_wasm_stack_switching_set(wasm_config_t *, bool);
void wasmtime_config_wasm_component_model_set(wasm_config_t *, bool);

wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *);
void wasm_engine_delete(wasm_engine_t *);
void wasmtime_engine_increment_epoch(wasm_engine_t *);

void wasm_byte_vec_delete(wasm_byte_vec_t *);
void wasmtime_error_message(const wasmtime_error_t *, wasm_byte_vec_t *);
void wasmtime_error_wasm_trace(const wasmtime_error_t *, wasm_frame_vec_t *);
void wasmtime_error_delete(wasmtime_error_t *);

wasm_trap_t *wasmtime_trap_new_code(uint8_t);
bool wasmtime_trap_code(const wasm_trap_t *, uint8_t *);
void wasm_trap_message(const wasm_trap_t *, wasm_byte_vec_t *);
void wasm_trap_trace(const wasm_trap_t *, wasm_frame_vec_t *);
void wasm_trap_delete(wasm_trap_t *);
void wasm_frame_vec_delete(wasm_frame_vec_t *);
uint32_t wasm_frame_func_index(const wasm_frame_t *);
size_t wasm_frame_func_offset(const wasm_frame_t *);
size_t wasm_frame_module_offset(const wasm_frame_t *);
const wasm_byte_vec_t *wasmtime_frame_func_name(const wasm_frame_t *);

wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
wasmtime_error_t *wasmtime_module_validate(wasm_engine_t *, const uint8_t *, size_t);
wasmtime_error_t *wasmtime_module_serialize(wasmtime_module_t *, wasm_byte_vec_t *);
wasmtime_error_t *wasmtime_module_deserialize(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
void wasmtime_module_imports(const wasmtime_module_t *, wasm_importtype_vec_t *);
void wasmtime_module_exports(const wasmtime_module_t *, wasm_exporttype_vec_t *);
void wasmtime_module_delete(wasmtime_module_t *);
void wasm_importtype_vec_delete(wasm_importtype_vec_t *);
void wasm_exporttype_vec_delete(wasm_exporttype_vec_t *);
const wasm_byte_vec_t *wasm_importtype_module(const wasm_importtype_t *);
const wasm_byte_vec_t *wasm_importtype_name(const wasm_importtype_t *);
const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *);
const wasm_byte_vec_t *wasm_exporttype_name(const wasm_exporttype_t *);
const wasm_externtype_t *wasm_exporttype_type(const wasm_exporttype_t *);

const wasm_functype_t *wasm_externtype_as_functype_const(const wasm_externtype_t *);
const wasm_globaltype_t *wasm_externtype_as_globaltype_const(const wasm_externtype_t *);
const wasm_tabletype_t *wasm_externtype_as_tabletype_const(const wasm_externtype_t *);
const wasm_memorytype_t *wasm_externtype_as_memorytype_const(const wasm_externtype_t *);
const wasm_tagtype_t *wasm_externtype_as_tagtype_const(const wasm_externtype_t *);

void wasmtime_valtype_new(const wasm_valtype_t *, wasmtime_valtype_t *);
void wasmtime_valtype_delete(wasmtime_valtype_t *);
wasm_valtype_t *wasmtime_valtype_to_wasm(const wasm_engine_t *, const wasmtime_valtype_t *);
void wasm_valtype_vec_new(wasm_valtype_vec_t *, size_t, wasm_valtype_t *const[]);
wasm_functype_t *wasm_functype_new(wasm_valtype_vec_t *, wasm_valtype_vec_t *);
void wasm_functype_delete(wasm_functype_t *);
const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *);
const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *);
wasm_globaltype_t *wasm_globaltype_new(wasm_valtype_t *, uint8_t);
void wasm_globaltype_delete(wasm_globaltype_t *);
const wasm_valtype_t *wasm_globaltype_content(const wasm_globaltype_t *);
uint8_t wasm_globaltype_mutability(const wasm_globaltype_t *);
wasm_tabletype_t *wasm_tabletype_new(wasm_valtype_t *, const wasm_limits_t *);
void wasm_tabletype_delete(wasm_tabletype_t *);
const wasm_valtype_t *wasm_tabletype_element(const wasm_tabletype_t *);
wasmtime_error_t *wasmtime_memorytype_new(uint64_t, bool, uint64_t, bool, bool, uint8_t, wasm_memorytype_t **);
void wasm_memorytype_delete(wasm_memorytype_t *);
uint64_t wasmtime_memorytype_minimum(const wasm_memorytype_t *);
bool wasmtime_memorytype_maximum(const wasm_memorytype_t *, uint64_t *);
bool wasmtime_memorytype_is64(const wasm_memorytype_t *);
wasm_tagtype_t *wasm_tagtype_new(wasm_functype_t *);
void wasm_tagtype_delete(wasm_tagtype_t *);
const wasm_functype_t *wasm_tagtype_functype(const wasm_tagtype_t *);

wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *, void *);
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
void wasmtime_store_limiter(wasmtime_store_t *, int64_t, int64_t, int64_t, int64_t, int64_t);
void wasmtime_store_delete(wasmtime_store_t *);
wasmtime_error_t *wasmtime_context_set_fuel(wasmtime_context_t *, uint64_t);
void wasmtime_context_set_epoch_deadline(wasmtime_context_t *, uint64_t);
wasm_trap_t *wasmtime_context_set_exception(wasmtime_context_t *, const wasmtime_ref_t *);
bool wasmtime_context_has_exception(wasmtime_context_t *);
bool wasmtime_context_take_exception(wasmtime_context_t *, wasmtime_ref_t *);

typedef wasm_trap_t *(*host_function_t)(
  void *, wasmtime_caller_t *, const wasmtime_val_t *, size_t, wasmtime_val_t *, size_t);
void wasmtime_func_new(
  wasmtime_context_t *, const wasm_functype_t *, host_function_t, void *, void *, wasmtime_func_t *);
wasm_functype_t *wasmtime_func_type(const wasmtime_context_t *, const wasmtime_func_t *);
wasmtime_error_t *wasmtime_func_call(
  wasmtime_context_t *, const wasmtime_func_t *, const wasmtime_val_t *, size_t, wasmtime_val_t *, size_t,
  wasm_trap_t **);
wasmtime_error_t *wasmtime_instance_new(
  wasmtime_context_t *, const wasmtime_module_t *, const wasmtime_extern_t *, size_t, wasmtime_instance_t *,
  wasm_trap_t **);
bool wasmtime_instance_export_nth(
  wasmtime_context_t *, const wasmtime_instance_t *, size_t, char **, size_t *, wasmtime_extern_t *);

wasmtime_error_t *wasmtime_memory_new(wasmtime_context_t *, const wasm_memorytype_t *, wasmtime_memory_t *);
uint8_t *wasmtime_memory_data(const wasmtime_context_t *, const wasmtime_memory_t *);
size_t wasmtime_memory_data_size(const wasmtime_context_t *, const wasmtime_memory_t *);
uint64_t wasmtime_memory_size(const wasmtime_context_t *, const wasmtime_memory_t *);
wasmtime_error_t *wasmtime_memory_grow(wasmtime_context_t *, const wasmtime_memory_t *, uint64_t, uint64_t *);

wasmtime_error_t *wasmtime_table_new(
  wasmtime_context_t *, const wasm_tabletype_t *, const wasmtime_val_t *, wasmtime_table_t *);
bool wasmtime_table_get(wasmtime_context_t *, const wasmtime_table_t *, uint64_t, wasmtime_val_t *);
wasmtime_error_t *wasmtime_table_set(wasmtime_context_t *, const wasmtime_table_t *, uint64_t, const wasmtime_val_t *);
uint64_t wasmtime_table_size(const wasmtime_context_t *, const wasmtime_table_t *);
wasmtime_error_t *wasmtime_table_grow(
  wasmtime_context_t *, const wasmtime_table_t *, uint64_t, const wasmtime_val_t *, uint64_t *);

wasmtime_error_t *wasmtime_global_new(
  wasmtime_context_t *, const wasm_globaltype_t *, const wasmtime_val_t *, wasmtime_global_t *);
void wasmtime_global_get(wasmtime_context_t *, const wasmtime_global_t *, wasmtime_val_t *);
wasmtime_error_t *wasmtime_global_set(wasmtime_context_t *, const wasmtime_global_t *, const wasmtime_val_t *);

wasmtime_error_t *wasmtime_tag_new(wasmtime_context_t *, const wasm_tagtype_t *, wasmtime_tag_t *);

typedef void (*finalizer_t)(size_t);
bool wasmtime_externref_new(wasmtime_context_t *, size_t, finalizer_t, wasmtime_ref_t *);
size_t wasmtime_externref_data(wasmtime_context_t *, const wasmtime_ref_t *);
void wasmtime_externref_unroot(wasmtime_ref_t *);
uint32_t wasmtime_externref_to_raw(wasmtime_context_t *, const wasmtime_ref_t *);
void wasmtime_externref_from_raw(wasmtime_context_t *, uint32_t, wasmtime_ref_t *);
uint8_t wasmtime_anyref_is_i31(wasmtime_context_t *, const wasmtime_ref_t *);
uint8_t wasmtime_anyref_is_struct(wasmtime_context_t *, const wasmtime_ref_t *);
uint8_t wasmtime_anyref_is_array(wasmtime_context_t *, const wasmtime_ref_t *);
void wasmtime_anyref_unroot(wasmtime_ref_t *);
uint32_t wasmtime_anyref_to_raw(wasmtime_context_t *, const wasmtime_ref_t *);
void wasmtime_anyref_from_raw(wasmtime_context_t *, uint32_t, wasmtime_ref_t *);
void wasmtime_val_unroot(wasmtime_val_t *);
void wasmtime_val_clone(const wasmtime_val_t *, wasmtime_val_t *);
"""


def library_path() -> Path:
    """Where the installed `wasmtime` package keeps its shared library.

    Raises: ModuleNotFoundError without the package, EngineUnavailable for a version that was not tested.
    """
    spec = find_spec("wasmtime")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'wasmtime'", name="wasmtime")
    installed = version("wasmtime")
    if installed.partition(".")[0] != str(MAJOR_VERSION):
        needed = f"'wasmtime>={MAJOR_VERSION},<{MAJOR_VERSION + 1}'"
        raise EngineUnavailable(f"engine 'wasmtime' works with {needed}, but {installed} is installed")
    for folder in spec.submodule_search_locations:
        for path in sorted(Path(folder).glob("*/*wasmtime.*")):
            if path.suffix in {".so", ".dylib", ".dll"}:
                return path
    raise EngineUnavailable("the installed package wasmtime has no shared library for this platform")


ffi = cffi.FFI()
ffi.cdef(DECLARATIONS)
lib: Any = ffi.dlopen(str(library_path()))
NULL: Any = ffi.NULL

for _function in dir(lib):
    getattr(lib, _function)


class C:
    """C types. Like the functions above they are resolved once, at import: that takes time and stack of Python's."""

    FINALIZER = ffi.typeof("finalizer_t")
    HOST_FUNCTION = ffi.typeof("host_function_t")
    ADDRESS = ffi.typeof("uintptr_t")
    UINT64 = ffi.typeof("uint64_t *")
    UINT8 = ffi.typeof("uint8_t *")
    BYTE_VEC = ffi.typeof("wasm_byte_vec_t *")
    EXPORTTYPE_VEC = ffi.typeof("wasm_exporttype_vec_t *")
    FRAME_VEC = ffi.typeof("wasm_frame_vec_t *")
    IMPORTTYPE_VEC = ffi.typeof("wasm_importtype_vec_t *")
    MEMORYTYPE_SLOT = ffi.typeof("wasm_memorytype_t **")
    TRAP_SLOT = ffi.typeof("wasm_trap_t **")
    VALTYPES = ffi.typeof("wasm_valtype_t *[]")
    VALTYPE_VEC = ffi.typeof("wasm_valtype_vec_t *")
    EXTERN = ffi.typeof("wasmtime_extern_t *")
    EXTERNS = ffi.typeof("wasmtime_extern_t[]")
    FUNC = ffi.typeof("wasmtime_func_t *")
    GLOBAL = ffi.typeof("wasmtime_global_t *")
    MEMORY = ffi.typeof("wasmtime_memory_t *")
    TABLE = ffi.typeof("wasmtime_table_t *")
    TAG = ffi.typeof("wasmtime_tag_t *")
    MODULE_SLOT = ffi.typeof("wasmtime_module_t **")
    VAL = ffi.typeof("wasmtime_val_t *")
    VALS = ffi.typeof("wasmtime_val_t[]")
    VALTYPE = ffi.typeof("wasmtime_valtype_t *")
    REF = ffi.typeof("wasmtime_ref_t *")
    INSTANCE = ffi.typeof("wasmtime_instance_t *")
    TEXT_SLOT = ffi.typeof("char **")
    SIZE = ffi.typeof("size_t *")


def take_bytes(vector: Any) -> bytes:
    """The contents of an owned wasm_byte_vec_t, which is freed."""
    data = bytes(ffi.buffer(vector.data, vector.size)) if vector.size else b""
    lib.wasm_byte_vec_delete(vector)
    return data


def text_of(vector: Any) -> str:
    """The contents of a borrowed wasm_byte_vec_t that holds UTF-8."""
    return str(bytes(ffi.buffer(vector.data, vector.size)), "utf-8", "replace") if vector.size else ""


def take_error(error: Any) -> str:
    """The text of an owned wasmtime_error_t, which is freed."""
    vector = ffi.new(C.BYTE_VEC)
    lib.wasmtime_error_message(error, vector)
    lib.wasmtime_error_delete(error)
    return take_bytes(vector).decode("utf-8", "replace")
