"""One module on one engine: instantiate, call, look at what can be seen of its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.fuzz.execution import UnsuppliedError, supply
from conformance.lockstep.choices import Choices
from conformance.lockstep.engines import is_exact
from conformance.lockstep.host import Host, HostCall, HostFailureError, argument
from conformance.lockstep.values import Shown, show
from conformance.runner import describe
from interp.engine import Engine, Extern, Func, Global, Limits, Memory, Module, Store, Table
from interp.engines.embedding import PureStore
from interp.errors import ExecutionError, Exhaustion, Rejected, Trap, UncaughtException, Unlinkable
from interp.syntax.types import EXNREF, ExportType, FuncType, RefType, ValType
from interp.validation.modules import ValidModule

ShowValue = Callable[[ValType, Any], Shown]
"""How values of an instance are shown."""

MAX_FRAMES = 12
"""Functions of a backtrace that are compared."""

MAX_ELEMENTS = 50
"""Elements of each table that are looked at."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an export: its name, the seed that its arguments follow from, and whether the second instance of the
    module is meant."""

    name: str
    seed: str
    twin: bool = False

    def arguments(self, types: Sequence[ValType], exports: Mapping[str, Extern]) -> list[Any]:
        """The arguments, the same for every engine."""
        c = Choices.seeded(self.seed)
        return [argument(c, t, exports) for t in types]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How something ended: `kind` is values, trap, exhaustion, exception, host exception, refused, unsupplied, or
    error (which no engine may end with). `backtrace` is where a trap or exception came from, None where engines need
    not agree."""

    kind: str
    detail: str = ""
    values: tuple[Shown, ...] = ()
    backtrace: tuple[str, ...] | None = None

    def __str__(self) -> str:
        values = ", ".join(map(str, self.values)) or "no values"
        if self.kind == "values":
            return values
        where = f" in {' in '.join(self.backtrace)}" if self.backtrace else ""
        return f"{self.kind}: {self.detail}{f' ({values})' if self.values else ''}{where}"

    def equals(self, other: Outcome) -> bool:
        """Whether two engines ended in the same way."""
        same = (self.kind, self.detail, len(self.values)) == (other.kind, other.detail, len(other.values))
        same = same and (None in (self.backtrace, other.backtrace) or self.backtrace == other.backtrace)
        pairs = zip(self.values, other.values, strict=False)
        return same and self.kind != "error" and all(left.equals(right) for left, right in pairs)


@dataclass(frozen=True, slots=True)
class State:
    """What can be seen of an instance: its memories, and its globals and tables as they are shown."""

    memories: dict[str, bytes]
    others: dict[str, tuple[Shown, ...]]


def callable_exports(exports: Sequence[ExportType]) -> list[str]:
    """The exported functions that can be called with arguments made here."""
    return [
        export.name
        for export in exports
        if isinstance(export.type, FuncType) and all(t.null for t in export.type.params if isinstance(t, RefType))
    ]


@dataclass(frozen=True, slots=True)
class Binary:
    """A module as an engine runs it, and the types of the functions it exports: an engine may not tell them exactly."""

    wasm: bytes
    signatures: Mapping[str, FuncType]

    @classmethod
    def of(cls, valid: ValidModule, wasm: bytes) -> Binary:
        """The module in its own binary form, or in another one with the same exports."""
        return cls(wasm, {each.name: each.type for each in valid.exports if isinstance(each.type, FuncType)})


class Run:
    """A module in a new store of an engine, as one instance or, if there are `twins`, as two that share nothing.
    `backtraces` says whether outcomes tell where they came from, where engines have to agree on that."""

    def __init__(
        self, engine: Engine, binary: Binary, limits: Limits, *, twins: bool = False, backtraces: bool = True
    ) -> None:
        self.engine = engine
        self.exports: Mapping[str, Extern] = {}
        self.host = Host(self.show, binary.signatures)
        self.twin: Run | None = Run(engine, binary, limits, backtraces=backtraces) if twins else None
        self._binary = binary
        self._limits = limits
        self._places = backtraces and is_exact(engine)
        self._store: Store | None = None
        self._module: Module | None = None

    def show(self, t: ValType, value: Any) -> Shown:
        """A value of this instance."""
        return show(t, value, self.exports)

    def instantiate(self) -> Outcome:
        """Compile and instantiate; the second instance after the first one, if that ended well."""
        outcome, instance = attempt(self._instantiate, self.show, self._places)
        if instance is not None:
            self.exports = self.host.exports = instance.exports
        if instance is not None and self.twin is not None:
            self.twin._store, self.twin._module = self._store, self._module
            return self.twin.instantiate()
        return outcome

    def _instantiate(self) -> tuple[Outcome, Any]:
        module, store = self._module, self._store
        if module is None or store is None:
            module, store = self.engine.compile(self._binary.wasm), self.engine.store(self._limits)
            self._store, self._module = store, module
        externs = [
            store.func_alloc(each.type, self.host.function(each.name, each.type))
            if isinstance(each.type, FuncType)
            else supply(store, each.type)
            for each in module.imports
        ]
        return Outcome("values"), store.instantiate(module, externs)

    def call(self, call: Call) -> Outcome:
        """Call an export."""
        if call.twin and self.twin is not None:
            return self.twin.call(replace(call, twin=False))
        return attempt(lambda: (self._call(call), None), self.show, self._places)[0]

    def _call(self, call: Call) -> Outcome:
        func = self.exports.get(call.name)
        if not isinstance(func, Func):
            return Outcome("no such function", call.name)
        signature = self._binary.signatures[call.name]
        types = signature.results
        results = func(*call.arguments(signature.params, self.exports))
        values = (results,) if len(types) == 1 else results or ()
        return Outcome("values", "", tuple([self.show(t, value) for t, value in zip(types, values, strict=True)]))

    def state(self) -> State:
        """What can be seen now."""
        mine = state_of(self.exports, self.show)
        if self.twin is None:
            return mine
        theirs = self.twin.state()
        return State(
            {**mine.memories, **{f"twin {name}": data for name, data in theirs.memories.items()}},
            {**mine.others, **{f"twin {name}": shown for name, shown in theirs.others.items()}},
        )

    def host_calls(self) -> list[HostCall]:
        """The calls of the host so far: those of the first instance, then those of the second one."""
        return self.host.calls + (self.twin.host.calls if self.twin is not None else [])

    def fuel_used(self) -> int:
        """The fuel that the last call took, as the reference machine counts it; 0 where that is not known."""
        if not isinstance(self._store, PureStore) or self._limits.fuel is None:
            return 0
        meter = self._store.inst.meter
        return self._limits.fuel - (meter.fuel or 0) - meter.budget


def state_of(exports: Mapping[str, Extern], show_value: ShowValue, max_pages: int | None = None) -> State:
    """What can be seen of the exports of an instance, without memories of more than `max_pages`."""
    memories: dict[str, bytes] = {}
    others: dict[str, tuple[Shown, ...]] = {}
    for name, extern in exports.items():
        if isinstance(extern, Memory):
            if max_pages is not None and extern.size > max_pages:
                continue
            memories[name] = extern.read(0, extern.size * 65536)
        elif isinstance(extern, Global):
            others[name] = (show_value(extern.type.valtype, extern.value),)
        elif isinstance(extern, Table):
            t, size = extern.type.reftype, extern.size
            shown = [show_value(t, extern.get(i)) for i in range(min(size, MAX_ELEMENTS))]
            others[name] = (Shown(f"{size} elements"), *shown)
    return State(memories, others)


def backtrace_of(error: ExecutionError, places: bool) -> tuple[str, ...] | None:
    """The functions that an error came through, and where in them; the innermost ones."""
    return tuple(map(str, error.backtrace[:MAX_FRAMES])) if places else None


def attempt(
    action: Callable[[], tuple[Outcome, Any]], show_value: ShowValue, places: bool = False
) -> tuple[Outcome, Any]:
    """Do something: how it ended, with its backtrace if `places` says so, and what it gave."""
    given: Any = None
    try:
        outcome, given = action()
    except Trap as error:
        outcome = Outcome("trap", error.kind.value, (), backtrace_of(error, places))
    except Exhaustion as error:
        outcome = Outcome("exhaustion", error.what.value)
    except UncaughtException as error:
        thrown = () if error.exception is None else (show_value(EXNREF, error.exception),)
        outcome = Outcome("exception", "", thrown, backtrace_of(error, places))
    except HostFailureError as error:
        outcome = Outcome("host exception", str(error))
    except Rejected as error:
        outcome = Outcome("refused", str(error))
    except (Unlinkable, UnsuppliedError) as error:
        outcome = Outcome("unsupplied", type(error).__name__)
    except Exception as error:  # whatever it is, no engine may raise it
        outcome = Outcome("error", describe(error))
    return outcome, given
