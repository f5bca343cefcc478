"""The embedder's view of WebAssembly: what every engine offers, modelled on the specification's Embedding appendix.

At this boundary i32 and i64 are accepted signed or unsigned and come back signed, f32 and f64 are floats (a NaN keeps
its payload), v128 is an int 0 <= v < 2**128, references are None, `Func`, `Reference`, or any other Python object (a
host reference). Host functions are called by the same rules with one positional argument per parameter and return
None, one value, or a tuple; whatever they raise, a KeyboardInterrupt too, passes through the engine unchanged. A store
is used by one thread at a time.

Spec: appendix/embedding
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol, runtime_checkable

from interp.syntax.features import feature_set
from interp.syntax.types import (
    AbsHeapType,
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    MemType,
    TableType,
    TagType,
)

PAGE = 65536
ENGINES = {"reference": "", "compiled": "", "wasmtime": "wasmtime"}
"""Name of each engine, and the extra of the distribution that brings what it needs ("" for none)."""

DEFAULT_ENGINE = "compiled"
DEFAULT_FEATURES = "3.0"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one store may use; None is no limit.

    `fuel` and `deadline_seconds` (wall clock, host functions included) hold anew for each outermost call into the
    store; `max_memory_pages` (64 KiB each) and `max_table_elements` for each memory and table; `max_heap_fields` for
    the fields and elements of all living structures, arrays and exceptions; `max_call_depth` for nested calls. A unit
    of fuel is one function entry or one taken backward branch on the pure engines, one instruction on a JIT, which
    also knows call depth only as stack space (see the engine).
    """

    fuel: int | None = None
    deadline_seconds: float | None = None
    max_memory_pages: int = 65536
    max_table_elements: int = 10_000_000
    max_heap_fields: int = 10_000_000
    max_call_depth: int = 10_000


class Reference:
    """A structure, array, exception or i31, as an engine gives it: opaque, but it can be passed back to its store."""

    __slots__ = ()

    heaptype: ClassVar[AbsHeapType]
    """struct, array, exn, or i31; any where the engine cannot tell."""


@runtime_checkable
class Func(Protocol):
    """func: callable from Python. Raises Trap | Exhaustion | UncaughtException, TypeError for wrong arguments."""

    @property
    def type(self) -> FuncType: ...
    def __call__(self, *args: Any) -> Any: ...


@runtime_checkable
class Memory(Protocol):
    """mem: bytes are read and written by address; both raise Trap(MEMORY_OUT_OF_BOUNDS). Sizes are in pages."""

    @property
    def type(self) -> MemType: ...
    @property
    def size(self) -> int: ...
    def read(self, addr: int, n: int) -> bytes: ...
    def write(self, addr: int, data: bytes) -> None: ...
    def grow(self, n: int) -> int | None:
        """Grow by n pages: the old size, or None if that is not possible."""


@runtime_checkable
class Table(Protocol):
    """table: elements are read and written by index (Trap(TABLE_OUT_OF_BOUNDS)). Sizes are in elements."""

    @property
    def type(self) -> TableType: ...
    @property
    def size(self) -> int: ...
    def get(self, i: int) -> Any: ...
    def set(self, i: int, ref: Any) -> None: ...
    def grow(self, n: int, ref: Any) -> int | None: ...


@runtime_checkable
class Global(Protocol):
    """global: `value` may be set where the type is mutable (TypeError otherwise)."""

    @property
    def type(self) -> GlobalType: ...

    value: Any


@runtime_checkable
class Tag(Protocol):
    """tag: what exceptions are told apart by."""

    @property
    def type(self) -> TagType: ...


Extern = Func | Memory | Table | Global | Tag


class Module(Protocol):
    """A decoded and validated module."""

    @property
    def imports(self) -> tuple[ImportType, ...]: ...
    @property
    def exports(self) -> tuple[ExportType, ...]: ...


class Instance(Protocol):
    """A module instance in a store."""

    @property
    def exports(self) -> Mapping[str, Extern]: ...


class Store(Protocol):
    """store: holds all instances, and may allocate externs for imports. Alloc raises Exhaustion over the limits."""

    def func_alloc(self, functype: FuncType, host: Callable[..., Any], /) -> Func: ...
    def mem_alloc(self, memtype: MemType, /) -> Memory: ...
    def table_alloc(self, tabletype: TableType, ref: Any, /) -> Table: ...
    def global_alloc(self, globaltype: GlobalType, value: Any, /) -> Global: ...
    def tag_alloc(self, tagtype: TagType, /) -> Tag: ...
    def instantiate(self, module: Any, externs: Sequence[Extern], /) -> Instance:
        """Link, allocate, initialise, start. Raises Unlinkable | Trap | Exhaustion."""


class Engine(Protocol):
    """One way to run WebAssembly."""

    @property
    def name(self) -> str: ...
    def compile(self, wasm: bytes) -> Module:
        """Decode and validate. Raises Malformed | Invalid."""

    def store(self, limits: Limits = ...) -> Store: ...


class EngineUnavailable(ImportError):
    """The engine is unknown, or the extra that it needs is not installed; the message says what to do."""


def load_engine(name: str, features: str = DEFAULT_FEATURES) -> Engine:
    """The engine called `name` (a key of ENGINES), imported only now; it takes modules that use no more than `features`
    (see `interp.syntax.features.feature_set`). Raises EngineUnavailable, UnknownFeatureError."""
    if name not in ENGINES:
        raise EngineUnavailable(f"no engine is called {name!r}; there are {', '.join(sorted(ENGINES))}")
    chosen = feature_set(features)
    try:
        engine: Engine = import_module(f"interp.engines.{name}").create(chosen)
    except ImportError as error:
        extra = ENGINES[name]
        if not extra or (error.name or "").partition(".")[0] != extra:
            raise
        raise EngineUnavailable(f"engine {name!r} needs an extra: pip install 'wascc[{extra}]'") from error
    return engine
