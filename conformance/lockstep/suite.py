"""The test suite in lock step: every command of a script on all engines, what came of it compared bit by bit.

The runner of the suite does the commands (`conformance.runner`); here what each action gave is kept, and after each
action the state of the current module is looked at. What the script expects does not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import script as s
from conformance.lockstep.canonical import canonicalise, has_relaxed
from conformance.lockstep.compare import differing_state
from conformance.lockstep.encode import encode
from conformance.lockstep.engines import is_exact
from conformance.lockstep.run import Outcome, State, attempt, state_of
from conformance.lockstep.values import Shown, show
from conformance.runner import CommandResult, RunOptions, ScriptRun
from interp.binary.modules import decode
from interp.engine import Engine, Extern
from interp.errors import Rejected
from interp.syntax.types import ValType
from interp.validation.modules import validate

MAX_PAGES = 16
"""Greater memories are not looked at after each action."""

ACTING = (s.ActionCommand, s.AssertReturn, s.AssertTrap, s.AssertExhaustion, s.AssertException, s.Module,
          s.ModuleInstance, s.AssertUninstantiable)  # fmt: skip
"""Commands after which the state of the current module is looked at."""


class Side(ScriptRun):
    """A script on one engine. `acted` is what the actions of the last command gave."""

    def __init__(self, engine: Engine, script: s.Script, *, backtraces: bool) -> None:
        super().__init__(engine, script, RunOptions())
        self.engine = engine
        self._places = backtraces and is_exact(engine)
        self.acted: list[Outcome] = []

    @property
    def _exports(self) -> Mapping[str, Extern]:
        exports: Mapping[str, Extern] = getattr(self._instances.get(None), "exports", {})
        return exports

    def show(self, t: ValType, value: Any) -> Shown:
        """A value, of an instance that the script has."""
        return show(t, value, self._exports)

    def state(self) -> State:
        """What can be seen of the current module."""
        return state_of(self._exports, self.show, MAX_PAGES)

    def _results(self, action: s.Invoke | s.Get) -> list[tuple[Any, ValType]]:
        results: list[tuple[Any, ValType]] = []
        failure: list[BaseException] = []

        def act() -> tuple[Outcome, None]:
            try:
                results.extend(super(Side, self)._results(action))
            except BaseException as error:
                failure.append(error)
                raise
            return Outcome("values", "", tuple([self.show(t, value) for value, t in results])), None

        self.acted.append(attempt(act, self.show, self._places)[0])
        if failure:
            raise failure[0]
        return results

    def _wasm(self, command: s.ModuleCommand) -> bytes:
        wasm = super()._wasm(command)
        if is_exact(self.engine):
            return wasm
        try:
            return encode(canonicalise(validate(decode(wasm))))
        except Rejected:  # what is wrong with it is for the engine to say
            return wasm

    def do(self, command: s.Command) -> CommandResult:
        """Do a command."""
        self.acted = []
        return self.execute(command)


@dataclass(frozen=True, slots=True)
class ScriptDifference:
    """Where two engines differ in a script: the line of the command, what differs, and what each engine gave."""

    line: int
    engines: tuple[str, str]
    what: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.engines[0]} {self.left}; {self.engines[1]} {self.right}"


def is_free(script: s.Script) -> bool:
    """Whether a script has modules with instructions whose results an engine may choose."""
    for wasm in script.modules.values():
        try:
            if has_relaxed(decode(wasm)):
                return True
        except Rejected:
            continue
    return False


def script_difference(
    engines: Sequence[Engine], path: Path, scratch: Path, *, backtraces: bool = True
) -> ScriptDifference | None:
    """The first difference of engines in a script, the first engine being the one to compare with; `backtraces` is as
    in Lockstep.

    Raises ScriptError, ToolMissingError.
    """
    script = s.load_script(path, scratch)
    free = is_free(script)
    first, *others = [Side(engine, script, backtraces=backtraces) for engine in engines if is_exact(engine) or not free]
    for command in script.commands:
        mine = first.do(command)
        for other in others:
            theirs = other.do(command)
            found = _differing(command, (first, other), (mine, theirs))
            if found is not None:
                return ScriptDifference(command.line, (first.engine.name, other.engine.name), *found)
    return None


def _differing(
    command: s.Command, sides: tuple[Side, Side], results: tuple[CommandResult, CommandResult]
) -> tuple[str, str, str] | None:
    """What differs after a command: in what, and what each engine gave."""
    one, two = sides
    for left, right in zip(one.acted, two.acted, strict=False):
        if not left.equals(right) and not (left.kind == right.kind == "error" and left.detail == right.detail):
            return command.type, str(left), str(right)
    mine, theirs = results
    if mine.outcome is not theirs.outcome:
        return command.type, _told(mine), _told(theirs)
    return differing_state(one.state(), two.state()) if isinstance(command, ACTING) else None


def _told(result: CommandResult) -> str:
    """The outcome of a command, with the reason."""
    return f"{result.outcome.value} {result.reason}".strip()
