"""What is stepped through: a module made ready, the function to call, and where to stop.

Spec: exec/modules#instantiation
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from interp.arguments import parse_arguments
from interp.binary.names import function_names
from interp.cli import CommandError
from interp.engine import Limits
from interp.engines.embedding import PureEngine, PureModule, PureStore
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, ModuleInst
from interp.reference.operand_types import OperandTypes
from interp.reference.record import Describer
from interp.reference.stepper import Breakpoint, Stepper, rules_like
from interp.syntax.instructions import Expr
from interp.wasi import Wasi

START_FUEL = 10_000_000
"""Units of fuel for the start function where no limit is given: it runs before the first step is shown."""

KINDS = ("rule", "func")
"""What may be written before a name that is both, as in `rule:drop`."""

OFFSET = re.compile(r"0[xX][0-9a-fA-F]{1,8}\Z")


class SteppingError(CommandError):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Session:
    """A computation to be watched, and the instance it takes place in."""

    stepper: Stepper
    inst: ModuleInst

    def close_to(self, text: str) -> Breakpoint:
        """The breakpoint that a text means: a rule (with `*` and `?`), a function, or a byte offset `0x…`.

        Raises SteppingError.
        """
        kind, separator, name = text.partition(":")
        if not separator or kind not in KINDS:
            kind, name = "", text
        if not kind and OFFSET.match(text):
            return self.at_offset(text)
        rules = rules_like(name) if kind != "func" else frozenset()
        funcs = find_functions(self.inst, name) if kind != "rule" else ()
        if rules and funcs:
            raise SteppingError(f"{name!r} is a rule and a function; write rule:{name} or func:{name}")
        if not rules and not funcs:
            raise SteppingError(f"{name!r} is no rule, no function, and no byte offset 0x…")
        return Breakpoint(text, rules, funcs)

    def at_offset(self, text: str) -> Breakpoint:
        """The breakpoint at a byte offset. Raises SteppingError."""
        offset = int(text, 16)
        if not any(stands_at(func.body, offset) for func in self.inst.module.funcs):
            raise SteppingError(f"no instruction stands at byte {text}; wascc dump shows the offsets")
        return Breakpoint(text, offset=offset)


def stands_at(body: Expr, offset: int) -> bool:
    """Whether an instruction of a function, at any depth, stands at a byte offset."""
    pending = [body]
    while pending:
        for instr in pending.pop():
            if instr.offset == offset:
                return True
            pending.extend(instr.bodies)
    return False


def find_functions(inst: ModuleInst, name: str) -> tuple[FuncInst, ...]:
    """The functions of that export name, name of the name section, or index: the first kind of name that fits."""
    exported = inst.exports.get(name)
    if isinstance(exported, FuncInst):
        return (exported,)
    named = [index for index, given in function_names(inst.module).items() if given == name]
    indices = named or ([int(name)] if name.isdecimal() and len(name) < 10 else [])
    return tuple([inst.funcs[index] for index in indices if index < len(inst.funcs)])


def find_function(inst: ModuleInst, name: str) -> FuncInst:
    """The one function of that name. Raises SteppingError."""
    found = find_functions(inst, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise SteppingError(f"{len(found)} functions are called {name!r}; give an index")
    names = ", ".join(export for export, extern in inst.exports.items() if isinstance(extern, FuncInst)) or "none"
    raise SteppingError(f"there is no function {name!r}; exported are: {names}")


def open_session(
    engine: PureEngine, wasm: bytes, func: str, args: Sequence[str], limits: Limits, wasi: Wasi
) -> Session:
    """Instantiate a module, whose WASI imports are served, and make ready to step through one of its functions.

    Raises WasmError, SteppingError, ArgumentError.
    """
    module = engine.compile(wasm)
    store = engine.store(replace(limits, fuel=START_FUEL) if limits.fuel is None else limits)
    inst = link(store, module, wasi)
    store.inst.meter.limits = limits
    function = find_function(inst, func)
    given = parse_arguments(function.type.params, args)
    vals = [store.from_host(t, value) for t, value in zip(function.type.params, given, strict=True)]
    types = OperandTypes({inst: module.valid.context})
    return Session(Stepper(store.inst, function, vals, Describer(types)), inst)


def link(store: PureStore, module: PureModule, wasi: Wasi) -> ModuleInst:
    """An instance on the reference machine. Raises WasmError, SteppingError for imports other than of WASI."""
    served = wasi.imports(store, module)
    missing = [f"{i.module}.{i.name}" for i in module.imports if (i.module, i.name) not in served]
    if missing:
        raise SteppingError(f"the module imports what this command cannot give: {', '.join(missing[:5])}")
    externs = [store.unwrap(served[i.module, i.name]) for i in module.imports]
    with store:
        inst = instantiate(store.inst, module.valid, externs, store.runner)
    memory = inst.exports.get("memory")
    if memory in store.inst.mems:
        wasi.attach(store.wrap(memory))
    return inst
