"""Store of the engine `wasmtime`: allocation, instantiation, host functions, and the limits of running calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from interp.engine import PAGE, Limits
from interp.engines.wasmtime_errors import CALL_STACK_TRAP, failure, link_error
from interp.engines.wasmtime_externs import Extern, Func, Global, Memory, Table, Written, raise_error
from interp.engines.wasmtime_library import NULL, ffi, lib, take_error
from interp.engines.wasmtime_ticker import ticks
from interp.engines.wasmtime_types import (
    FUNC_EXTERN,
    GLOBAL_EXTERN,
    MEMORY_EXTERN,
    TABLE_EXTERN,
    new_functype,
    new_globaltype,
    new_memtype,
    table_module,
)
from interp.engines.wasmtime_values import EXNREF_KIND, codec, signature
from interp.errors import BacktraceFrame, Exhaustion, ExhaustionKind, Unlinkable
from interp.execution.meter import MAX_REENTRY
from interp.syntax.types import FuncType, GlobalType, MemType, TableType

if TYPE_CHECKING:
    from interp.engines.wasmtime import Engine, Module

MAX_SIZE = (1 << 63) - 1
SHORT_TRACEBACK = 100
"""Python frames within which a RecursionError is due to nested calls, and not to a host function's own recursion."""
