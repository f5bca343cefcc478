"""WebAssembly in pure Python, in the chapters and words of the specification, behind one engine interface."""

from interp.engine import DEFAULT_ENGINE, ENGINES, Engine, EngineUnavailable, Limits, load_engine
from interp.errors import (
    Exhaustion,
    Invalid,
    Malformed,
    Rejected,
    Trap,
    TrapKind,
    UncaughtException,
    Unlinkable,
    WasmError,
)

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "Engine",
    "EngineUnavailable",
    "Exhaustion",
    "Invalid",
    "Limits",
    "Malformed",
    "Rejected",
    "Trap",
    "TrapKind",
    "UncaughtException",
    "Unlinkable",
    "WasmError",
    "load_engine",
]
