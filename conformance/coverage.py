"""Rule coverage: which rules of the specification a run applied, how often, and which command was the first.

A reduction rule counts each time the reference machine applies it, a typing rule of instructions each time an
instruction of a module that validates is typed by it. Rules that apply another rule inside of a context are not
counted: the machine has no step of its own for them.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from conformance.record import Coverage, RuleRecord
from interp.reference.machine import RULE_NAMES
from interp.syntax.instructions import OPS, Expr, Instr
from interp.syntax.modules import Active, Module
from interp.validation.instructions import rule_name

ENGINES = frozenset({"reference"})
"""The engines that apply reduction rules."""

CONTEXT_RULES = frozenset(
    {"Step/pure", "Step/read", "Step/ctxt-instrs", "Step/ctxt-label", "Step/ctxt-handler", "Step/ctxt-frame"}
)
"""Rules that let another one apply, unchanged or somewhere inside; in the machine's zipper that is no step."""

UNREACHED_FILE = Path(__file__).with_name("unreached.toml")

Firsts = Mapping[str, tuple[int, int]]
"""Rule -> how often it was applied, and the line of the first command that did."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The rules that one script applied."""

    reduction: Firsts = field(default_factory=dict)
    validation: Firsts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unreached:
    """A rule that no script of the suite applies: `reason` says why, `test` names the test of ours that applies it, as
    pytest does, or that shows why no module can (`reachable` is then false)."""

    rule: str
    reason: str
    test: str
    reachable: bool = True


@cache
def unreached() -> Mapping[str, Unreached]:
    """What unreached.toml lists, by the names of the rules."""
    rows = tomllib.loads(UNREACHED_FILE.read_text(encoding="utf-8")).get("rule", [])
    return {row["rule"]: Unreached(**row) for row in rows}


def reduction_rules() -> list[str]:
    """The names of all reduction rules that are steps of the machine."""
    return sorted(RULE_NAMES | {name for name in unreached() if name.startswith("Step")})


def validation_rules() -> list[str]:
    """The names of all typing rules of instructions."""
    named = {rule_name(Instr(op, (None,) * len(op.immediates), 0)) for op in OPS}
    return sorted(named | {name for name in unreached() if name.startswith("Instr_ok")})


def instructions(module: Module) -> Iterator[Instr]:
    """Every instruction of a module, those inside of blocks too, without recursion however deep they are nested."""
    waiting: list[Expr] = [func.body for func in module.funcs]
    waiting += [global_.init for global_ in module.globals]
    waiting += [table.init for table in module.tables if table.init is not None]
    modes: list[object] = [elem.mode for elem in module.elems]
    modes += [data.mode for data in module.datas]
    waiting += [mode.offset for mode in modes if isinstance(mode, Active)]
    waiting += [expr for elem in module.elems for expr in elem.init]
    while waiting:
        for instr in waiting.pop():
            yield instr
            waiting += instr.bodies


class _Counts:
    """How often rules were applied, and the line of the first command that did."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lines: dict[str, int] = {}

    def end(self, line: int) -> None:
        """The command on `line` has ended."""
        if len(self.counts) > len(self.lines):
            for rule in self.counts:
                self.lines.setdefault(rule, line)

    def firsts(self) -> dict[str, tuple[int, int]]:
        return {rule: (count, self.lines[rule]) for rule, count in self.counts.items() if rule in self.lines}


class Observer:
    """Watches the rules that one script applies on a pure engine with the reference machine."""

    def __init__(self, store: Any) -> None:
        """`store`: a PureStore."""
        self._reduction, self._validation = _Counts(), _Counts()
        machine: Any = store.runner
        machine.applied = self._reduction.counts

    def typed(self, module: Any) -> None:
        """A PureModule has been validated."""
        self._validation.counts.update(map(rule_name, instructions(module.valid.module)))

    def end(self, line: int) -> None:
        """The command on `line` has ended."""
        self._reduction.end(line)
        self._validation.end(line)

    def applied(self) -> Applied:
        """What was applied until now."""
        return Applied(self._reduction.firsts(), self._validation.firsts())


def coverage_of(files: Sequence[tuple[str, Applied]]) -> Coverage:
    """The coverage of all files together; `files` in the order in which the first of them counts."""
    return Coverage(
        tuple(_records(reduction_rules(), [(file, applied.reduction) for file, applied in files])),
        tuple(_records(validation_rules(), [(file, applied.validation) for file, applied in files])),
    )


def _records(rules: Iterable[str], files: Sequence[tuple[str, Firsts]]) -> Iterator[RuleRecord]:
    for rule in rules:
        found = [(file, *firsts[rule]) for file, firsts in files if rule in firsts]
        first = f"{found[0][0]}:{found[0][2]}" if found else None
        known = None if found else unreached().get(rule)
        count = sum(count for _, count, _ in found)
        if known is None:
            yield RuleRecord(rule, count, first)
        else:
            yield RuleRecord(rule, count, first, known.reason, known.test, known.reachable)
