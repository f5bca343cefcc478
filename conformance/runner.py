"""Runs the commands of one script on an engine, through the Embedding Protocols only.

There is one store per script. A command that needs a module that failed has failed as well; one that needs a module
that was skipped is skipped. Each kind of command is one row of `HANDLERS`.

Source: WebAssembly/spec interpreter/README.md, "Scripts"; interpreter/script/runner.ml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from conformance import script as s
from conformance.coverage import Applied, Observer
from conformance.features import FeatureFilter
from conformance.spectest import NAME as SPECTEST
from conformance.spectest import Spectest
from conformance.values import UnsupportedValueError, argument, check_supported, mismatch, results_of
from interp.engine import Engine, Extern, Func, Global, Instance, Limits
from interp.engine import Module as CompiledModule
from interp.errors import Exhaustion, Invalid, Malformed, Rejected, Trap, UncaughtException, Unlinkable, WasmError
from interp.syntax.types import ValType

MAX_REASON = 500
"""Characters of a reason that are kept."""

ANY_REJECTION: frozenset[str] = frozenset()
"""Engines that report malformed and invalid modules alike, so that only the rejection can be checked (none today)."""


class Outcome(Enum):
    """What became of a command. `text`: it is about the text format, which is not what is tested here."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The outcome of one command. `executed` says whether the engine was asked to do what the command says."""

    line: int
    kind: str
    outcome: Outcome
    reason: str = ""
    executed: bool = False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How scripts are run.

    `features`: skip modules that need more than this set (as `feature_set` takes it), by the judgement of wasm-tools or
    of the engine, which is run with this set; None runs all. `strict_phase`: whether a malformed module must be
    Malformed and an invalid one Invalid, or any rejection will do. `line`: report only the commands on this line, and
    run none after it. `coverage`: note which rules the engine applies, which only the reference machine can tell.
    """

    features: str | None = None
    strict_phase: bool = True
    line: int | None = None
    coverage: bool = False
    limits: Limits = field(default_factory=Limits)


class UnknownImportError(Unlinkable):
    """No module, or no export of it, has the name that is imported."""


class _VerdictError(Exception):
    """Ends a command with an outcome other than passed."""

    def __init__(self, outcome: Outcome, reason: str = "", executed: bool = False) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.executed = executed


def _failed(reason: str) -> _VerdictError:
    return _VerdictError(Outcome.FAILED, reason, executed=True)


@dataclass(frozen=True, slots=True)
class _Unavailable:
    """Stands for an instance that does not exist, because its module has failed or was skipped."""

    outcome: Outcome
    reason: str


def describe(error: BaseException) -> str:
    """The class and text of an exception in one line of bounded length, whatever the exception does."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a text that cannot be had must not hide the error
        text = "(no text)"
    return f"{type(error).__name__}: {text}"[:MAX_REASON]


class ScriptRun:
    """The state of one run of a script: its store, its instances by name, and what is registered for import."""

    def __init__(self, engine: Engine, script: s.Script, options: RunOptions) -> None:
        self._engine = engine
        self._script = script
        self._options = options
        self._needs_beyond = FeatureFilter(script, options.features)
        self._store = engine.store(options.limits)
        self._observer = Observer(self._store) if options.coverage else None
        self._definitions: dict[str | None, CompiledModule | _Unavailable] = {}
        self._instances: dict[str | None, Instance | _Unavailable] = {}
        self._registered: dict[str, Mapping[str, Extern] | _Unavailable] = {SPECTEST: Spectest(self._store)}

    def results(self, begin: Callable[[s.Command], None] = lambda _: None) -> Iterator[CommandResult]:
        """Run the commands in order, giving the result of each that is reported; `begin` is told of each before."""
        line = self._options.line
        for command in self._script.commands:
            if line is not None and command.line > line:
                return
            begin(command)
            result = self.execute(command)
            if self._observer is not None:
                self._observer.end(command.line)
            if line in (None, command.line):
                yield result

    def applied(self) -> Applied:
        """The rules that were applied until now; none unless that is observed."""
        return Applied() if self._observer is None else self._observer.applied()

    def execute(self, command: s.Command) -> CommandResult:
        """Run one command. Only a KeyboardInterrupt is raised; everything else is a result."""
        outcome, reason, executed = Outcome.PASSED, "", True
        try:
            HANDLERS[type(command)](self, command)
        except KeyboardInterrupt:
            raise
        except _VerdictError as verdict:
            outcome, reason, executed = verdict.outcome, verdict.reason, verdict.executed
        except UnsupportedValueError as error:
            outcome, reason, executed = Outcome.SKIPPED, str(error), False
        except BaseException as error:
            outcome, reason = Outcome.FAILED, describe(error)
        if outcome in (Outcome.FAILED, Outcome.SKIPPED):
            self._mark_unavailable(command, outcome, reason)
        return CommandResult(command.line, command.type, outcome, reason[:MAX_REASON], executed)

    def _mark_unavailable(self, command: s.Command, outcome: Outcome, reason: str) -> None:
        """Remember that what `command` should have defined does not exist."""
        why = reason if outcome is Outcome.SKIPPED else f"its module at line {command.line} failed"
        unavailable = _Unavailable(outcome, why)
        match command:
            case s.Module():
                self._define(command.name, unavailable)
            case s.ModuleInstance():
                self._define(command.instance, unavailable)
            case s.ModuleDefinition():
                self._definitions[None] = self._definitions[command.name] = unavailable
            case s.Register():
                self._registered[command.as_] = unavailable

    def _define(self, name: str | None, instance: Instance | _Unavailable) -> None:
        """Make `instance` the current one, which has the name None here, and the one called `name`."""
        self._instances[None] = self._instances[name] = instance

    def _instance(self, name: str | None) -> Instance:
        instance: Instance = self._available(self._instances, name, "module")
        return instance

    @staticmethod
    def _available(mapping: Mapping[Any, Any], name: str | None, what: str) -> Any:
        found = mapping.get(name)
        if isinstance(found, _Unavailable):
            raise _VerdictError(found.outcome, found.reason)
        if found is None:
            raise _VerdictError(Outcome.FAILED, f"there is no {what} {name or 'yet'}")
        return found

    def _compile(self, command: s.ModuleCommand) -> CompiledModule:
        try:
            module = self._engine.compile(self._wasm(command))
        except Rejected as error:
            if error.feature and self._options.features is not None:
                raise _VerdictError(Outcome.SKIPPED, f"beyond {self._options.features}") from error
            raise
        if self._observer is not None:
            self._observer.typed(module)
        return module

    def _wasm(self, command: s.ModuleCommand) -> bytes:
        """The binary module of `command`, if it is within the features to run."""
        if self._needs_beyond(command):
            raise _VerdictError(Outcome.SKIPPED, f"beyond {self._options.features}")
        if command.binary is None:
            raise _VerdictError(Outcome.SKIPPED, "its module has the text form only")
        return self._script.modules[command.binary]

    def _instantiate(self, module: CompiledModule) -> Instance:
        return self._store.instantiate(module, [self._import(i.module, i.name) for i in module.imports])

    def _import(self, module: str, name: str) -> Extern:
        """The registered extern that an import names. Raises UnknownImportError."""
        exports = self._registered.get(module)
        if isinstance(exports, _Unavailable):
            raise _VerdictError(exports.outcome, exports.reason)
        if exports is None or name not in exports:
            raise UnknownImportError(f"unknown import {module!r} {name!r}")
        return exports[name]

    def _act(self, action: s.Invoke | s.Get) -> tuple[Any, ...]:
        """Do an action: its results."""
        return tuple([result for result, _ in self._results(action)])

    def _results(self, action: s.Invoke | s.Get) -> list[tuple[Any, ValType]]:
        """Do an action: its results, each with its type."""
        exports = self._instance(action.module).exports
        if action.field not in exports:
            raise _failed(f"the module has no export {action.field!r}")
        extern = exports[action.field]
        if isinstance(action, s.Get):
            if not isinstance(extern, Global):
                raise _failed(f"the export {action.field!r} is no global")
            return [(extern.value, extern.type.valtype)]
        if not isinstance(extern, Func):
            raise _failed(f"the export {action.field!r} is no function")
        arguments = [argument(value) for value in action.args]
        types = extern.type.results
        returned = extern(*arguments)
        results = results_of(returned, len(types))
        if results is None:
            raise _failed(f"a function with {len(types)} results returned {returned!r}")
        return list(zip(results, types, strict=True))

    def _expect(self, wanted: type[WasmError], text: str, attempt: Callable[[], Any]) -> WasmError:
        """The error of class `wanted` that `attempt` must end with; `text` says in the reasons what was expected."""
        try:
            got = attempt()
        except wanted as error:
            return error
        except (KeyboardInterrupt, _VerdictError, UnsupportedValueError):
            raise
        except BaseException as error:
            raise _failed(f"expected {wanted.__name__} ({text}), got {describe(error)}") from error
        shown = f"the results {', '.join(map(repr, got)) or 'none'}" if isinstance(got, tuple) else "no error"
        raise _failed(f"expected {wanted.__name__} ({text}), got {shown}")

    def module(self, command: s.Module) -> None:
        """Compile and instantiate; a text module counts as `text`, but its binary form serves the commands after it."""
        if command.is_text and command.binary is None:
            self._define(command.name, _Unavailable(Outcome.SKIPPED, "its module has the text form only"))
        else:
            self._define(command.name, self._instantiate(self._compile(command)))
        _refuse_text(command)

    def module_definition(self, command: s.ModuleDefinition) -> None:
        """Compile."""
        _refuse_text(command)
        self._definitions[None] = self._definitions[command.name] = self._compile(command)

    def module_instance(self, command: s.ModuleInstance) -> None:
        """Instantiate a definition."""
        definition: CompiledModule = self._available(self._definitions, command.module, "module definition")
        self._define(command.instance, self._instantiate(definition))

    def register(self, command: s.Register) -> None:
        """Make the exports of an instance importable."""
        self._registered[command.as_] = self._instance(command.name).exports

    def action(self, command: s.ActionCommand) -> None:
        """Do the action."""
        self._act(command.action)

    def assert_return(self, command: s.AssertReturn) -> None:
        """Compare the results, each by bits."""
        self._instance(command.action.module)
        check_supported(command.expected)
        results = self._results(command.action)
        if len(results) != len(command.expected):
            raise _failed(f"expected {len(command.expected)} results, got {len(results)}")
        differences = [mismatch(e, *r) for e, r in zip(command.expected, results, strict=True)]
        if any(differences):
            raise _failed(" and ".join(filter(None, differences)))

    def assert_trap(self, command: s.AssertTrap) -> None:
        """The action must trap for the expected reason."""
        trap = self._expect(Trap, command.text, lambda: self._act(command.action))
        _check_text(command.text, trap)

    def assert_exhaustion(self, command: s.AssertExhaustion) -> None:
        """The action must exhaust the expected resource."""
        exhaustion = self._expect(Exhaustion, command.text, lambda: self._act(command.action))
        _check_text(command.text, exhaustion)

    def assert_exception(self, command: s.AssertException) -> None:
        """The action must throw."""
        self._expect(UncaughtException, "an exception", lambda: self._act(command.action))

    def assert_invalid(self, command: s.AssertInvalid) -> None:
        """The module must be rejected by validation."""
        self._assert_rejected(command, Invalid, command.text)

    def assert_malformed(self, command: s.AssertMalformed) -> None:
        """The module must be rejected by decoding."""
        self._assert_rejected(command, Malformed, command.text)

    def _assert_rejected(self, command: s.ModuleCommand, phase: type[Rejected], text: str) -> None:
        _refuse_text(command)
        wanted = phase if self._options.strict_phase else Rejected
        self._expect(wanted, text, lambda: self._compile(command))

    def assert_unlinkable(self, command: s.AssertUnlinkable) -> None:
        """The module must be accepted, and its imports not satisfied."""
        _refuse_text(command)
        module = self._compile(command)
        error = self._expect(Unlinkable, command.text, lambda: self._instantiate(module))
        if isinstance(error, UnknownImportError) != command.text.startswith("unknown import"):
            raise _failed(f"expected {command.text!r}, got {describe(error)}")

    def assert_uninstantiable(self, command: s.AssertUninstantiable) -> None:
        """The module must be accepted, and its instantiation trap."""
        _refuse_text(command)
        module = self._compile(command)
        _check_text(command.text, self._expect(Trap, command.text, lambda: self._instantiate(module)))

    def assert_custom(self, command: s.AssertInvalidCustom | s.AssertMalformedCustom) -> None:
        """Engines ignore custom sections (Spec: binary/modules#custom-section), so there is nothing to ask them."""
        _refuse_text(command)
        raise _VerdictError(Outcome.SKIPPED, "the contents of custom sections are not checked")

    def unknown(self, command: s.UnknownCommand) -> None:
        """A kind of command that has no row."""
        raise _VerdictError(Outcome.SKIPPED, f"commands of kind {command.type} are not supported yet")


def _refuse_text(command: s.ModuleCommand) -> None:
    """End a command whose module is in the text format with the outcome `text`."""
    if command.is_text:
        raise _VerdictError(Outcome.TEXT)


def _check_text(expected: str, error: WasmError) -> None:
    """The suite's text may say more than the kind of error does: `uninitialized element 2`."""
    if not isinstance(error, Trap | Exhaustion) or not expected.startswith(error.message):
        raise _failed(f"expected {expected!r}, got {describe(error)}")


HANDLERS: dict[type[s.Command], Callable[[ScriptRun, Any], None]] = {
    s.Module: ScriptRun.module,
    s.ModuleDefinition: ScriptRun.module_definition,
    s.ModuleInstance: ScriptRun.module_instance,
    s.Register: ScriptRun.register,
    s.ActionCommand: ScriptRun.action,
    s.AssertReturn: ScriptRun.assert_return,
    s.AssertTrap: ScriptRun.assert_trap,
    s.AssertExhaustion: ScriptRun.assert_exhaustion,
    s.AssertException: ScriptRun.assert_exception,
    s.AssertInvalid: ScriptRun.assert_invalid,
    s.AssertMalformed: ScriptRun.assert_malformed,
    s.AssertUnlinkable: ScriptRun.assert_unlinkable,
    s.AssertUninstantiable: ScriptRun.assert_uninstantiable,
    s.AssertInvalidCustom: ScriptRun.assert_custom,
    s.AssertMalformedCustom: ScriptRun.assert_custom,
    s.UnknownCommand: ScriptRun.unknown,
}
