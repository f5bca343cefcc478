"""Running one module on two engines: the same results, traps, memories, tables and globals must come of it.

Imports are given values of their types that are the same for both: zeros and null references, host functions that
return them. Where one engine runs out of a resource the comparison ends, for each counts its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any

from interp.engine import Engine, Extern, Func, Global, Limits, Memory, Store, Table
from interp.errors import Exhaustion, Trap, UncaughtException, Unlinkable
from interp.execution.values import fbits
from interp.syntax.types import (
    ExternType,
    FuncType,
    GlobalType,
    MemType,
    NumType,
    RefType,
    TableType,
    TagType,
    ValType,
    VecType,
)

LIMITS = Limits(deadline_seconds=20.0, max_memory_pages=64, max_table_elements=10_000, max_call_depth=500)
FUEL = 2_000
"""Calls and loops of a computation on the engine that runs it first: what runs on may run for ever."""

MAX_CALLS = 24
MAX_ELEMENTS = 50
"""Calls of exported functions, and elements of each table that are looked at."""

NUMBERS = (0, 1, 2, 7, 31, 2**7, 2**15, 2**16, 2**31 - 1, -1, -2, -(2**7), -(2**31))
Event = tuple[str, Any]
"""Where something was observed, and what."""

EXHAUSTED, UNSUPPLIED = "exhausted", "unsupplied"
INCONCLUSIVE = (EXHAUSTED, UNSUPPLIED)
"""Outcomes that say nothing: each engine counts in its own way, and not every one takes, or tells, every type."""


class UnsuppliedError(Exception):
    """An import, or a parameter, is of a type that has no value here."""


def zero(t: ValType) -> Any:
    """The default value of a type, as Python code gives it.  Raises UnsuppliedError."""
    if isinstance(t, NumType):
        return 0 if t.value[0] == "i" else 0.0
    if isinstance(t, VecType):
        return 0
    if isinstance(t, RefType) and t.null:
        return None
    raise UnsuppliedError(str(t))


def some(rng: Random, t: ValType) -> Any:
    """A value of a type, as Python code gives it.  Raises UnsuppliedError."""
    if isinstance(t, NumType) and t.value[0] == "i":
        return rng.choice(NUMBERS) if rng.random() < 0.7 else rng.getrandbits(int(t.value[1:]))
    if isinstance(t, NumType):
        return rng.choice((0.0, -0.0, 1.5, -2.5, 2.0**31, float("inf"), float(rng.randrange(1000))))
    if isinstance(t, VecType):
        return rng.getrandbits(128)
    return zero(t)


def supply(store: Store, externtype: ExternType) -> Extern:
    """What an import is given.  Raises UnsuppliedError, Exhaustion."""
    if isinstance(externtype, FuncType):
        results = tuple(zero(t) for t in externtype.results)
        returned = results if len(results) > 1 else results[0] if results else None
        return store.func_alloc(externtype, lambda *_: returned)
    if isinstance(externtype, GlobalType):
        return store.global_alloc(externtype, zero(externtype.valtype))
    if isinstance(externtype, MemType):
        return store.mem_alloc(externtype)
    if isinstance(externtype, TableType):
        return store.table_alloc(externtype, zero(externtype.reftype))
    raise UnsuppliedError(str(externtype))


def shown(t: ValType, value: Any) -> Any:
    """A value so that it can be compared: floats by their bits, of references only whether they are null."""
    if isinstance(t, NumType) and t.value[0] == "f":
        return f"{t} {fbits(int(t.value[1:]), value):#x}"
    if isinstance(t, NumType | VecType):
        return value
    return "null" if value is None else "reference"


def outcome(error: Exception) -> str:
    """How a computation ended otherwise than with values."""
    if isinstance(error, Exhaustion):
        return EXHAUSTED
    return f"trap: {error.kind.value}" if isinstance(error, Trap) else type(error).__name__


def call(func: Func, args: list[Any]) -> Any:
    """The results of a call, or how it ended."""
    try:
        results = func(*args)
    except (Trap, Exhaustion, UncaughtException) as error:
        return outcome(error)
    types = func.type.results
    values = (results,) if len(types) == 1 else results or ()
    return [shown(t, value) for t, value in zip(types, values, strict=True)]


def state(extern: Extern) -> Any:
    """What can be seen of a global, a memory or a table."""
    if isinstance(extern, Global):
        return shown(extern.type.valtype, extern.value)
    if isinstance(extern, Memory):
        return extern.size, sha256(extern.read(0, extern.size * 65536)).hexdigest()
    if isinstance(extern, Table):
        reftype = extern.type.reftype
        return extern.size, [shown(reftype, extern.get(i)) for i in range(min(extern.size, MAX_ELEMENTS))]
    return None


def observe(engine: Engine, wasm: bytes, limits: Limits = LIMITS) -> Iterator[Event]:
    """Instantiate a valid module, call what it exports with values that follow from its bytes, look at its state."""
    module, store = engine.compile(wasm), engine.store(limits)
    try:
        instance = store.instantiate(module, [supply(store, imported.type) for imported in module.imports])
    except (Unlinkable, UnsuppliedError):
        yield "instantiate", UNSUPPLIED
        return
    except (Trap, Exhaustion, UncaughtException) as error:
        yield "instantiate", outcome(error)
        return
    yield "exports", sorted(export.name for export in module.exports if not isinstance(export.type, TagType))
    rng = Random(sha256(wasm).digest())  # noqa: S311 (a case must be repeatable, not secret)
    funcs = [(name, extern) for name, extern in sorted(instance.exports.items()) if isinstance(extern, Func)]
    for name, func in rng.choices(funcs, k=MAX_CALLS) if funcs else ():
        try:
            args = [some(rng, t) for t in func.type.params]
        except UnsuppliedError:
            continue
        yield f"call {name!a}{tuple(args)}", call(func, args)
    for name, extern in sorted(instance.exports.items()):
        if not isinstance(extern, Func):
            yield f"state of {name!a}", state(extern)


def compare(ours: Engine, theirs: Engine, wasm: bytes) -> str:
    """What differs when the two engines run a module that is valid for both; nothing if nothing does, or if one of them
    cannot be given what the module imports. What `ours` runs without end, `theirs` does not run."""
    events = observe(theirs, wasm)
    for left in observe(ours, wasm, replace(LIMITS, fuel=FUEL)):
        if left[1] in INCONCLUSIVE:
            return ""
        right = next(events, None)
        if left == right:
            continue
        return "" if right is not None and right[1] in INCONCLUSIVE else f"{ours.name}: {left}; {theirs.name}: {right}"
    return ""
