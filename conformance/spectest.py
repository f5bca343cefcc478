"""The host module `spectest` that the scripts of the test suite import.

Each export is one row of `EXPORTS`, allocated when a module asks for it, so that an engine without some kind of type
fails only where a script needs that type.

Source: WebAssembly/spec interpreter/README.md, "Spectest host module"; interpreter/host/spectest.ml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from interp.engine import Extern, Store
from interp.execution.values import round_f32
from interp.syntax.types import (
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    AddrType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    TableType,
)

NAME = "spectest"
INTEGER = 666
FLOAT = 666.6


def _ignore(*_: object) -> None:
    """What all the print functions do: the suite does not look at what they print."""


def _print(*params: NumType) -> Callable[[Store], Extern]:
    return lambda store: store.func_alloc(FuncType(params, ()), _ignore)


def _global(numtype: NumType, value: float) -> Callable[[Store], Extern]:
    return lambda store: store.global_alloc(GlobalType(False, numtype), value)


def _table(addrtype: AddrType) -> Callable[[Store], Extern]:
    return lambda store: store.table_alloc(TableType(addrtype, Limits(10, 20), FUNCREF), None)


EXPORTS: dict[str, Callable[[Store], Extern]] = {
    "print": _print(),
    "print_i32": _print(I32),
    "print_i64": _print(I64),
    "print_f32": _print(F32),
    "print_f64": _print(F64),
    "print_i32_f32": _print(I32, F32),
    "print_f64_f64": _print(F64, F64),
    "global_i32": _global(I32, INTEGER),
    "global_i64": _global(I64, INTEGER),
    "global_f32": _global(F32, round_f32(FLOAT)),
    "global_f64": _global(F64, FLOAT),
    "table": _table(AddrType.I32),
    "table64": _table(AddrType.I64),
    "memory": lambda store: store.mem_alloc(MemType(AddrType.I32, Limits(1, 2))),
}


class Spectest(Mapping[str, Extern]):
    """The exports of `spectest` in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._externs: dict[str, Extern] = {}

    def __getitem__(self, name: str) -> Extern:
        if name not in self._externs:
            self._externs[name] = EXPORTS[name](self._store)
        return self._externs[name]

    def __contains__(self, name: object) -> bool:
        return name in EXPORTS

    def __iter__(self) -> Iterator[str]:
        return iter(EXPORTS)

    def __len__(self) -> int:
        return len(EXPORTS)
