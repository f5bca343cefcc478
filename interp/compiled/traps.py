"""What Python's exceptions in generated code mean, and where they happened.

Generated code tests neither indices nor divisors nor nulls: it lets Python raise IndexError, ZeroDivisionError or
AttributeError, and what that stands for is known from the instruction that the line was made of. Only the innermost
frame counts, so that exceptions of host functions pass through unchanged.

Spec: intro/overview#trap
"""

from __future__ import annotations

from types import TracebackType

from interp.binary.names import function_names
from interp.errors import BacktraceFrame, Trap, TrapKind
from interp.execution.runtime import ExnInst, ModuleInst
from interp.syntax.instructions import Expr, Instr

MAX_BACKTRACE = 64
"""Functions named in the backtrace of a trap."""

UNIT = "__unit__"
"""The name by which generated code is known: in its globals it stands for the linked instance."""

INDEX_ERRORS = {
    "call_indirect": TrapKind.UNDEFINED_ELEMENT,
    "array.get": TrapKind.ARRAY_OUT_OF_BOUNDS,
    "array.set": TrapKind.ARRAY_OUT_OF_BOUNDS,
}
"""What an index beyond the end means, by the kind of instruction; for all others it is an address."""

NULLS = {
    "call_ref": TrapKind.NULL_FUNCTION_REFERENCE,
    "struct.get": TrapKind.NULL_STRUCTURE_REFERENCE,
    "struct.set": TrapKind.NULL_STRUCTURE_REFERENCE,
    "array.get": TrapKind.NULL_ARRAY_REFERENCE,
    "array.set": TrapKind.NULL_ARRAY_REFERENCE,
    "array.len": TrapKind.NULL_ARRAY_REFERENCE,
    "i31.get": TrapKind.NULL_I31_REFERENCE,
}
"""What it means that null has no such attribute, by the kind of instruction."""

ACCESSES = frozenset({"load", "store", "vload", "vstore", "vload_lane", "vstore_lane"})


class Thrown(Exception):
    """An exception of the module on its way to a handler.  Spec: exec/instructions#throw-ref"""

    def __init__(self, exn: ExnInst) -> None:
        super().__init__(exn)
        self.exn = exn


def frames(traceback: TracebackType | None) -> list[TracebackType]:
    """The frames of generated code in a traceback, the innermost first."""
    found: list[TracebackType] = []
    while traceback is not None:
        if UNIT in traceback.tb_frame.f_globals and traceback.tb_frame.f_code.co_filename.startswith("<wasm "):
            found.append(traceback)
        traceback = traceback.tb_next
    return found[::-1]


def innermost(traceback: TracebackType | None) -> TracebackType | None:
    """The innermost frame of all, if it is one of generated code."""
    last = traceback
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last if last is not None and UNIT in last.tb_frame.f_globals else None


ENGINE = __name__.rpartition(".")[0]


def of_engine(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame is one of generated code, or of the engine that calls it."""
    last = traceback
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    names = last.tb_frame.f_globals
    file = last.tb_frame.f_code.co_filename
    return UNIT in names or str(names.get("__name__", "")).startswith(ENGINE) or file == "<wasm call>"


def position(frame: TracebackType) -> tuple[ModuleInst, int, int | None]:
    """The instance, the function index, and the byte offset of the instruction that a frame was at."""
    unit = frame.tb_frame.f_globals[UNIT]
    code = frame.tb_frame.f_code
    funcidx = int(code.co_name[1:])
    offsets = unit.offsets(code)
    line = frame.tb_lineno - code.co_firstlineno
    offset = offsets[line] if 0 <= line < len(offsets) else -1
    return unit.moduleinst, funcidx, offset if offset >= 0 else None


def backtrace(traceback: TracebackType | None) -> tuple[BacktraceFrame, ...]:
    """The active functions, innermost first."""
    found = []
    for frame in frames(traceback)[:MAX_BACKTRACE]:
        moduleinst, funcidx, offset = position(frame)
        if moduleinst.names is None:
            moduleinst.names = function_names(moduleinst.module)
        found.append(BacktraceFrame(funcidx, moduleinst.names.get(funcidx), offset))
    return tuple(found)


def trap_of(error: Exception) -> Trap | None:
    """The trap that an exception of Python stands for, or None."""
    frame = innermost(error.__traceback__)
    if frame is None:
        return None
    if isinstance(error, ZeroDivisionError):
        kind: TrapKind | None = TrapKind.INTEGER_DIVIDE_BY_ZERO
    else:
        moduleinst, funcidx, offset = position(frame)
        instr = instruction_at(moduleinst, funcidx, offset)
        if instr is None:
            return None
        if isinstance(error, IndexError):
            kind = INDEX_ERRORS.get(instr.op.kind)
            if kind is None and instr.op.kind in ACCESSES:
                kind = TrapKind.MEMORY_OUT_OF_BOUNDS
        else:
            kind = NULLS.get(instr.op.kind)
    return None if kind is None else Trap(kind, backtrace(error.__traceback__))


def instruction_at(moduleinst: ModuleInst, funcidx: int, offset: int | None) -> Instr | None:
    """The instruction of a function at a byte offset."""
    code = moduleinst.funcs[funcidx].code
    if code is None or offset is None:
        return None
    waiting: list[Expr] = [code.body]
    while waiting:
        for instr in waiting.pop():
            if instr.offset == offset:
                return instr
            waiting += instr.bodies
    return None
