"""What the tests of the stepper share: programs to step through, and everything that can be seen of a computation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interp.engine import Limits
from interp.engines.embedding import PureEngine, PureStore
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, HeapObject, ModuleInst
from interp.reference.fill import fill
from interp.reference.machine import Machine
from interp.reference.record import StepRecord
from interp.reference.stepper import Stepper
from tests_support import parse

Host = Callable[..., Any]


@dataclass
class Watched:
    """A module instance whose functions are stepped through; `calls` counts the calls of its host functions."""

    store: PureStore
    inst: ModuleInst
    calls: list[str]

    def stepper(self, name: str, *args: Any) -> Stepper:
        func = self.inst.exports[name]
        assert isinstance(func, FuncInst)
        return Stepper(self.store.inst, func, args)

    def export(self, name: str) -> Any:
        return self.store.wrap(self.inst.exports[name])


def watched(wat: str, limits: Limits = Limits(), **hosts: Callable[["Watched"], Host]) -> Watched:  # noqa: B008
    """Instantiate a text module; each import is made by the host of its name, which gets what it is called from."""
    engine = PureEngine("reference", Machine)
    module = engine.compile(parse(wat))
    store = engine.store(limits)
    made = Watched(store, None, [])  # type: ignore[arg-type]

    def host(name: str) -> Host:
        function = hosts[name](made)

        def counted(*args: Any) -> Any:
            made.calls.append(name)
            return function(*args)

        return counted

    externs = [store.unwrap(store.func_alloc(i.type, host(i.name))) for i in module.imports]  # type: ignore[arg-type]
    made.inst = instantiate(store.inst, module.valid, externs, store.runner)
    return made


def term(val: Any) -> Any:
    """A value so that it can be compared: heap objects by their addresses, floats by their bits."""
    if isinstance(val, HeapObject):
        return type(val).__name__, val.addr, [term(field) for field in val.fields]
    return repr(val) if isinstance(val, float) else val


def snapshot(stepper: Stepper) -> dict[str, Any]:
    """Everything that can be seen of a computation and its store."""
    store = stepper.config.store
    return {
        "index": stepper.index,
        "mems": [bytes(mem.bytes) for mem in store.mems],
        "tables": [[term(ref) for ref in table.refs] for table in store.tables],
        "globals": [term(inst.value) for inst in store.globals],
        "configuration": fill(stepper.config, stepper.describer).to_json(),
        "counters": stepper.history.counters,
        "addresses": list(store.meter.addresses),
        "outcome": stepper.outcome and (stepper.outcome.ending, stepper.outcome.values),
        "backtrace": stepper.backtrace,
    }


def lines(records: list[StepRecord]) -> list[str]:
    """Rule and reduction of each record, without the relation's name."""
    return [f"{record.rule.partition('/')[2] or record.rule}: {record}" for record in records]


def steps_of(body: str, *args: Any, module: str = "", params: str = "", results: str = "") -> list[StepRecord]:
    """The records of a function body, without those of its call and its end."""
    made = watched(f'(module {module} (func (export "f") {params} {results} {body}))')
    records = list(made.stepper("f", *args).trace(1000))
    return records[1:-2]
