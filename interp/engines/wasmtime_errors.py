"""What Wasmtime reports, as the errors of `interp.errors`.

The texts of a rejected module come from the wasmparser library, which keeps close to the texts of the test suite, but
does not tell a malformed module from an invalid one: `MALFORMED` knows the texts of its binary reader. Instructions
and types of proposals outside of WebAssembly 3.0 have no place in the grammar, so they are malformed as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from interp.engines.wasmtime_library import NULL, C, ffi, lib, take_bytes, take_error, text_of
from interp.errors import (
    BacktraceFrame,
    Exhaustion,
    ExhaustionKind,
    Invalid,
    Malformed,
    Rejected,
    Trap,
    TrapKind,
    UncaughtException,
    Unlinkable,
    WasmError,
)

if TYPE_CHECKING:
    from interp.engines.wasmtime_store import Store
    from interp.syntax.types import ImportType

MALFORMED = re.compile(
    r"""^(?:
        unexpected\ (?:end|data|content|exact) | expected\ section | trailing\ (?:bytes|data)
      | magic\ header | unknown\ binary\ version
      | malformed\ | illegal\ opcode | unknown\ 0x\w+\ subopcode | zero\ byte\ expected
      | section\ (?:out\ of\ order|size\ mismatch)
      | invalid\ (?:leading\ byte|var_[iu]|boolean|u7|memory\ limits\ flags|table\ resizable|block\ type|custom\ page)
      | control\ frames\ remain | operators\ remaining | integer\ (?:too\ large|representation)
      | data\ count\ (?:is|and|section) | function\ and\ code\ section | function\ section\ (?:is|has)
      | too\ many\ locals | string\ size | size\ out\ of\ bounds
      | [^`]*(?:support\ is\ not\ enabled|must\ be\ enabled|exceptions\ .*enabled|required\ for\ exact)
    )""",
    re.VERBOSE,
)
PARSING = re.compile(r"failed to parse WebAssembly module\s+Caused by:(.*) \(at offset 0x([0-9a-f]+)\)\s*\Z", re.DOTALL)
COMPILING = re.compile(
    r"failed to compile: wasm\[0\]::function\[(\d+)\].*Invalid input WebAssembly code at offset (\d+):(.*)\Z", re.DOTALL
)
"""The two forms of errors about a module. What matters comes last, after names that the module chose."""

TRAP_KINDS = {
    1: TrapKind.MEMORY_OUT_OF_BOUNDS,
    3: TrapKind.TABLE_OUT_OF_BOUNDS,
    4: TrapKind.UNINITIALIZED_ELEMENT,
    5: TrapKind.INDIRECT_CALL_TYPE_MISMATCH,
    6: TrapKind.INTEGER_OVERFLOW,
    7: TrapKind.INTEGER_DIVIDE_BY_ZERO,
    8: TrapKind.INVALID_CONVERSION,
    9: TrapKind.UNREACHABLE,
    13: TrapKind.NULL_REFERENCE,
    14: TrapKind.ARRAY_OUT_OF_BOUNDS,
    16: TrapKind.CAST_FAILURE,
}
"""wasmtime_trap_code_t -> why execution trapped."""

EXHAUSTION_KINDS = {
    0: ExhaustionKind.CALL_STACK,
    10: ExhaustionKind.DEADLINE,
    11: ExhaustionKind.FUEL,
    15: ExhaustionKind.HEAP,
}
"""wasmtime_trap_code_t -> which resource ran out; 15 is an array too large for any heap."""

BY_INSTRUCTION = {
    (TrapKind.TABLE_OUT_OF_BOUNDS, 0x11): TrapKind.UNDEFINED_ELEMENT,
    (TrapKind.TABLE_OUT_OF_BOUNDS, 0x13): TrapKind.UNDEFINED_ELEMENT,
    (TrapKind.NULL_REFERENCE, 0x0A): TrapKind.NULL_EXCEPTION_REFERENCE,
    (TrapKind.NULL_REFERENCE, 0x14): TrapKind.NULL_FUNCTION_REFERENCE,
    (TrapKind.NULL_REFERENCE, 0x15): TrapKind.NULL_FUNCTION_REFERENCE,
    **{(TrapKind.NULL_REFERENCE, 0xFB00 + sub): TrapKind.NULL_STRUCTURE_REFERENCE for sub in range(2, 6)},
    **{(TrapKind.NULL_REFERENCE, 0xFB00 + sub): TrapKind.NULL_ARRAY_REFERENCE for sub in range(11, 20)},
    **{(TrapKind.NULL_REFERENCE, 0xFB00 + sub): TrapKind.NULL_I31_REFERENCE for sub in range(29, 31)},
}
"""The trap that one code of Wasmtime's means, by the opcode (or 0xFB00 + second byte) that it happened at."""

EXHAUSTION_TEXTS = (
    ("GC heap out of memory", ExhaustionKind.HEAP),
    ("exceeds memory limits", ExhaustionKind.MEMORY),
    ("exceeds table limits", ExhaustionKind.TABLE),
    ("table allocation size", ExhaustionKind.TABLE),
    ("resource limit exceeded", ExhaustionKind.MEMORY),
    ("mmap", ExhaustionKind.MEMORY),
    ("llocat", ExhaustionKind.MEMORY),
)
"""Part of an error's text -> which resource ran out."""

MISMATCH = "incompatible import type for `"
WRONG_TYPE = re.compile("type mismatch|incompatible value|value of type|expected .* arguments")
NO_OFFSET = (1 << 8 * ffi.sizeof("size_t")) - 1
CALL_STACK_TRAP = 0


def rejection(text: str) -> Rejected:
    """Malformed or Invalid, from the text of the error that compiling gave."""
    function, offset, message = None, None, text
    if found := PARSING.match(text):
        message, offset = found[1], int(found[2], 16)
    elif found := COMPILING.match(text):
        function, offset, message = int(found[1]), int(found[2]), found[3]
    message = " ".join(message.split())
    if MALFORMED.match(message):
        return Malformed(message, offset or 0)
    return Invalid(message, function=function, offset=offset)


def failure(store: Store, error: Any, trap_slot: Any) -> BaseException:
    """What to raise for an owned error, or for the owned trap in `trap_slot`, which is emptied."""
    trap, trap_slot[0] = trap_slot[0], NULL
    raised = store.take_raised()
    if raised is not None:
        if error != NULL:
            lib.wasmtime_error_delete(error)
        if trap != NULL:
            lib.wasm_trap_delete(trap)
        return raised
    return of_error(take_error(error)) if error != NULL else take_trap(store, trap)


def of_error(text: str) -> Exception:
    """What to raise for an error that is no trap."""
    cause = text.rpartition("Caused by:\n")[2].strip()
    for part, kind in EXHAUSTION_TEXTS:
        if part in cause:
            return Exhaustion(kind)
    return TypeError(cause) if WRONG_TYPE.search(cause) else WasmError(cause)


def link_error(text: str, imports: tuple[ImportType, ...]) -> Exception:
    """What to raise for an error of instantiation."""
    for wanted in imports:
        if text.startswith(f"{MISMATCH}{wanted.module}::{wanted.name}`"):
            cause = text.rpartition("Caused by:\n")[2].strip()
            return Unlinkable(f"incompatible import type for {wanted.module!a} {wanted.name!a}: {cause}")
    return of_error(text)


def thrown(store: Store, error: Any) -> UncaughtException | None:
    """What to raise if an error of instantiation, which is then freed, is an exception that nothing caught."""
    exception = store.take_exception()
    if exception is None:
        return None
    backtrace, _ = _backtrace(lib.wasmtime_error_wasm_trace, error)
    lib.wasmtime_error_delete(error)
    return UncaughtException(backtrace=backtrace, exception=exception)


def take_trap(store: Store, trap: Any) -> WasmError:
    """What to raise for an owned wasm_trap_t, which is freed."""
    code = ffi.new(C.UINT8)
    if not lib.wasmtime_trap_code(trap, code):
        code = None
    text = _message(trap)
    backtrace, starts = _backtrace(lib.wasm_trap_trace, trap)
    lib.wasm_trap_delete(trap)
    if code is None:
        exception = store.take_exception()
        return WasmError(text) if exception is None else UncaughtException(backtrace=backtrace, exception=exception)
    what = EXHAUSTION_KINDS.get(code[0])
    if what is not None:
        return Exhaustion(what, backtrace)
    kind = TRAP_KINDS.get(code[0])
    if kind is None:
        return WasmError(text)
    if backtrace and backtrace[0].offset is not None:
        kind = BY_INSTRUCTION.get((kind, store.opcode_at(backtrace[0], starts[0])), kind)
    return Trap(kind, backtrace)


def _message(trap: Any) -> str:
    """The text of a trap, its cause in the last lines."""
    vector = ffi.new(C.BYTE_VEC)
    lib.wasm_trap_message(trap, vector)
    return take_bytes(vector).decode("utf-8", "replace").rstrip("\0")


def _backtrace(trace: Any, failed: Any) -> tuple[tuple[BacktraceFrame, ...], list[int]]:
    """The functions active in a trap or error, which `trace` knows, innermost first (Wasmtime keeps the innermost 20),
    and where their bodies start."""
    vector = ffi.new(C.FRAME_VEC)
    trace(failed, vector)
    frames, starts = [], []
    for i in range(vector.size):
        frame = vector.data[i]
        name = lib.wasmtime_frame_func_name(frame)
        offset = lib.wasm_frame_module_offset(frame)
        starts.append(offset - lib.wasm_frame_func_offset(frame))
        known_name = text_of(name) if name != NULL else None
        known_offset = None if offset == NO_OFFSET else offset
        frames.append(BacktraceFrame(lib.wasm_frame_func_index(frame), known_name, known_offset))
    lib.wasm_frame_vec_delete(vector)
    return tuple(frames), starts
