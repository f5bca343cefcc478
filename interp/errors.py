"""Everything that can go wrong with a module, as exceptions: one class per phase of the specification.

Decoding and validation reject a module (`Malformed`, `Invalid`), instantiation finds it `Unlinkable`, execution
ends in a `Trap`, in `Exhaustion` of a resource, or in an `UncaughtException`. All engines raise these and no others;
whatever a host function raises passes through them unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class WasmError(Exception):
    """Base of every error that an engine raises."""


class Rejected(WasmError):
    """The bytes are not a valid module. `feature` names the feature that is not selected and without which this cannot
    be told, or is "" (a name of `interp.syntax.features`)."""

    feature = ""


class Malformed(Rejected):
    """The bytes do not match the grammar of the binary format.

    `offset` is the byte offset in the module at which reading failed.
    Spec: binary/conventions
    """

    def __init__(self, message: str, offset: int, feature: str = "") -> None:
        super().__init__(f"{message} (at byte {offset:#x})")
        self.message = message
        self.offset = offset
        self.feature = feature


class Invalid(Rejected):
    """The module is well-formed but does not validate.

    `rule` is the specification's typing rule whose premise failed (`Instr_ok/br`), `function` the function index it
    failed in or None, `offset` the byte offset in the module or None where the engine does not tell.
    Spec: valid/conventions
    """

    def __init__(
        self,
        message: str,
        rule: str = "",
        function: int | None = None,
        offset: int | None = None,
        feature: str = "",
    ) -> None:
        where = [f"function {function}"] if function is not None else []
        where += [f"byte {offset:#x}"] if offset is not None else []
        detail = "".join([f" [{rule}]" if rule else "", f" (in {', '.join(where)})" if where else ""])
        super().__init__(message + detail)
        self.message = message
        self.rule = rule
        self.function = function
        self.offset = offset
        self.feature = feature


class Unlinkable(WasmError):
    """The externs given to instantiate do not match the module's imports.  Spec: exec/modules#instantiation"""


class TrapKind(Enum):
    """Why execution trapped. The values are the texts of the specification's test suite."""

    UNREACHABLE = "unreachable"
    INTEGER_DIVIDE_BY_ZERO = "integer divide by zero"
    INTEGER_OVERFLOW = "integer overflow"
    INVALID_CONVERSION = "invalid conversion to integer"
    MEMORY_OUT_OF_BOUNDS = "out of bounds memory access"
    TABLE_OUT_OF_BOUNDS = "out of bounds table access"
    UNDEFINED_ELEMENT = "undefined element"
    UNINITIALIZED_ELEMENT = "uninitialized element"
    INDIRECT_CALL_TYPE_MISMATCH = "indirect call type mismatch"
    NULL_REFERENCE = "null reference"
    NULL_FUNCTION_REFERENCE = "null function reference"
    NULL_STRUCTURE_REFERENCE = "null structure reference"
    NULL_ARRAY_REFERENCE = "null array reference"
    NULL_I31_REFERENCE = "null i31 reference"
    NULL_EXCEPTION_REFERENCE = "null exception reference"
    ARRAY_OUT_OF_BOUNDS = "out of bounds array access"
    CAST_FAILURE = "cast failure"


def printable(name: str) -> str:
    """A name that a module gave, without anything that could act on a terminal."""
    return name if name.isprintable() else ascii(name)


def escaped(text: str) -> str:
    """A text in one line, whatever a module wrote into it: what is not printable is shown as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True, slots=True)
class BacktraceFrame:
    """One wasm function that was active: its index in its module, its name from the name section (or None), and the
    byte offset in the module of the instruction it was at (or None where the engine does not tell).

    Names come from the module, so what is not printable in them is shown escaped."""

    function: int
    name: str | None
    offset: int | None

    def __str__(self) -> str:
        named = f"{printable(self.name)} (function {self.function})" if self.name else f"function {self.function}"
        return f"{named} at byte {self.offset:#x}" if self.offset is not None else named


class ExecutionError(WasmError):
    """Base of what ends a running computation; `backtrace` holds the active wasm functions, innermost first."""

    def __init__(self, message: str, backtrace: tuple[BacktraceFrame, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.backtrace = backtrace

    def __str__(self) -> str:
        return f"{self.message} in {self.backtrace[0]}" if self.backtrace else self.message


class Trap(ExecutionError):
    """Execution trapped: `kind` says why.  Spec: intro/overview#trap"""

    def __init__(self, kind: TrapKind, backtrace: tuple[BacktraceFrame, ...] = ()) -> None:
        super().__init__(kind.value, backtrace)
        self.kind = kind


class ExhaustionKind(Enum):
    """Which resource ran out; the values are the texts shown."""

    CALL_STACK = "call stack exhausted"
    FUEL = "fuel exhausted"
    DEADLINE = "deadline exceeded"
    MEMORY = "memory limit exceeded"
    TABLE = "table limit exceeded"
    HEAP = "heap limit exceeded"


class Exhaustion(ExecutionError):
    """A resource limit of the embedder was reached: `what` says which.  Spec: appendix/implementation"""

    def __init__(self, what: ExhaustionKind, backtrace: tuple[BacktraceFrame, ...] = ()) -> None:
        super().__init__(what.value, backtrace)
        self.what = what


class UncaughtException(ExecutionError):
    """An exception that the module threw was caught by no handler; `exception` is a reference to it, where the engine
    gives one.  Spec: exec/instructions#throw"""

    def __init__(
        self,
        message: str = "unhandled exception",
        backtrace: tuple[BacktraceFrame, ...] = (),
        exception: object = None,
    ) -> None:
        super().__init__(message, backtrace)
        self.exception = exception
