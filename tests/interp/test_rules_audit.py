"""The reduction rules of the specification one by one, each in a tiny module that applies it.

The cases in `rule_cases_*.py` are grouped as in the chapter and meant to be read: which rules a run consists of, and
what the rule at hand makes of the instruction and its operands.
"""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import rule_cases_aggregates
import rule_cases_control
import rule_cases_memories
import rule_cases_numeric
import rule_cases_references
import rule_cases_tables
from rule_cases import Case

from conformance.coverage import CONTEXT_RULES, unreached
from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import Trap, TrapKind, UncaughtException
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.places import Place
from interp.execution.runtime import ArrayInst, ExnInst, FuncInst, ModuleInst, Store, StructInst
from interp.reference.call import CALL_REF
from interp.reference.configuration import Config, Frame
from interp.reference.machine import FINISHED, NO_MODULE, Machine, step
from interp.reference.observe import ObservedConfig, Observer
from interp.reference.record import Describer, StepRecord
from interp.validation.modules import ValidModule, validate
from tests_support import parse

CASES: tuple[Case, ...] = (
    *rule_cases_control.CASES,
    *rule_cases_tables.CASES,
    *rule_cases_memories.CASES,
    *rule_cases_references.CASES,
    *rule_cases_aggregates.CASES,
    *rule_cases_numeric.CASES,
)
RULES = Path(__file__).parents[1] / "data" / "spectec-rules.csv"
MAX_STEPS = 100
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)


@cache
def full_names() -> dict[str, str]:
    """Name of a rule without its relation -> with it."""
    with RULES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["relation"] in ("Step", "Step_pure", "Step_read")]
    names = {row["rule"]: f"{row['relation']}/{row['rule']}" for row in rows}
    assert len(names) == len(rows)
    return names


@cache
def valid(case: Case) -> ValidModule:
    return validate(decode(parse(case.module)))


def start(case: Case) -> tuple[Machine, ModuleInst]:
    """A store with an instance of the module."""
    machine = Machine(Store(Meter(Limits())))
    return machine, instantiate(machine.store, valid(case), (), machine)


class Blind:
    """Sees nothing, since no step is taken back here."""

    def before(self, place: Place) -> None:
        pass


def records(case: Case) -> list[StepRecord]:
    """What the steps of a run did."""
    machine, inst = start(case)
    config = ObservedConfig(machine.store, Frame([], NO_MODULE), (CALL_REF,))
    config.vals.extend([*case.args, inst.exports["f"]])
    log: list[Any] = []
    assert not Observer(config, Blind()).capture(MAX_STEPS, log)
    describer = Describer()
    return [describer.record(index, fields) for index, fields in enumerate(log, 1)]


@each_case
def test_a_run_consists_of_these_rules(case: Case) -> None:
    machine, inst = start(case)
    config = machine.start(Frame([], NO_MODULE), (CALL_REF,), (*case.args, inst.exports["f"]), observed=True)
    names: list[str] = []
    while (name := step(config)) is not FINISHED:
        names.append(name)
    assert names == [full_names()[name] for name in case.run]
    assert case.rule in case.run


@each_case
def test_a_rule_reduces_like_this(case: Case) -> None:
    rule = full_names()[case.rule]
    first = next(record for record in records(case) if record.rule == rule)
    assert str(first) == case.reduction


def plain(value: Any) -> Any:
    """A value, so that those of two stores can be compared."""
    if isinstance(value, FuncInst):
        return "func", value.funcidx
    if isinstance(value, StructInst | ArrayInst | ExnInst):
        return value.heaptype, value.addr, list(map(plain, value.fields))
    return value


def outcome(config: Config, inst: ModuleInst) -> tuple[Any, ...]:
    """How a run ended, and what it left in the store."""
    end = config.ended
    return (
        end.kind if isinstance(end, Trap) else type(end),
        plain(end.exception) if isinstance(end, UncaughtException) else None,
        list(map(plain, config.vals)),
        [bytes(mem.bytes) for mem in inst.mems],
        [list(map(plain, table.refs)) for table in inst.tables],
        [plain(global_.value) for global_ in inst.globals],
        [len(elem.refs) for elem in inst.elems],
        [data.bytes for data in inst.datas],
    )


@each_case
def test_a_run_that_nobody_observes_ends_alike(case: Case) -> None:
    outcomes = []
    for observed in (True, False):
        machine, inst = start(case)
        config = machine.start(Frame([], NO_MODULE), (CALL_REF,), (*case.args, inst.exports["f"]), observed=observed)
        while step(config) is not FINISHED:
            pass
        outcomes.append(outcome(config, inst))
    assert outcomes[0] == outcomes[1]


def test_every_rule_has_a_case_or_cannot_be_reached() -> None:
    cases = Counter(full_names()[case.rule] for case in CASES)
    unreachable = {name for name, known in unreached().items() if name.startswith("Step") and not known.reachable}
    assert len(full_names()) == 216
    assert set(cases) | unreachable == set(full_names().values()) - CONTEXT_RULES
    assert not set(cases) & unreachable


class Listing(Machine):
    """A machine that lists the rules it applies."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.names: list[str] = []

    def run(self, config: Config) -> list[Any]:
        config.observed = True
        while (name := step(config)) is not FINISHED:
            self.names.append(name)
        if config.ended is not None:
            raise config.ended
        return config.vals


INSTANTIATION = """
(module
  (start $f)
  (data (i32.const 0) "a")
  (elem declare func $f)
  (elem (i32.const 0) func $f)
  (memory 1)
  (table 1 funcref (ref.func $f))
  (type $a (array i32))
  (global (ref $a) (array.new_default $a (i32.const 1)))
  (func $f))
"""


def test_instantiation_evaluates_then_copies_elements_then_data_then_starts() -> None:
    machine = Listing(Store(Meter(Limits())))
    instantiate(machine.store, validate(decode(parse(INSTANTIATION))), (), machine)
    evaluated = "array.new_default array.new_fixed ref.func ref.func ref.func"
    elements = "elem.drop table.init-succ table.set-val table.init-zero elem.drop"
    data = "memory.init-succ store-pack-val memory.init-zero data.drop"
    started = "call call_ref-func label-vals frame-vals"
    expected = f"{evaluated} {elements} {data} {started}".split()
    assert machine.names == [full_names()[name] for name in expected]


OWNER = '(module (memory (export "m") 1) (table (export "t") 1 funcref) (global (export "g") (mut i32) (i32.const 0)))'
GUEST = """
(module
  (import "" "m" (memory 1))
  (import "" "t" (table 1 funcref))
  (import "" "g" (global $g (mut i32)))
  (elem (i32.const 0) func $f)
  (data (i32.const 0) "a")
  (data $late (i32.const 65536) "b")
  (data $last (i32.const 1) "c")
  (start $s)
  (func $s (global.set $g (i32.const 1)))
  (func $f
    (memory.init $last (i32.const 2) (i32.const 0) (i32.const 1))
    (memory.init $late (i32.const 3) (i32.const 0) (i32.const 1))
    (memory.init 0 (i32.const 4) (i32.const 0) (i32.const 1))))
"""


def test_what_remains_where_a_later_segment_traps() -> None:
    machine = Machine(Store(Meter(Limits())))
    owner = instantiate(machine.store, validate(decode(parse(OWNER))), (), machine)
    externs = tuple(owner.exports.values())
    with pytest.raises(Trap) as caught:
        instantiate(machine.store, validate(decode(parse(GUEST))), externs, machine)
    assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    mem, table, global_ = owner.mems[0], owner.tables[0], owner.globals[0]
    assert bytes(mem.bytes[:5]) == b"a\0\0\0\0"
    assert global_.value == 0
    with pytest.raises(Trap) as caught:
        machine.invoke(table.refs[0], ())
    assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert bytes(mem.bytes[:5]) == b"a\0cb\0"


@pytest.mark.parametrize(
    ("fields", "grow", "n"),
    [("(memory 1)", "memory.grow", 2**16), ("(table 1 funcref)", "table.grow 0 (ref.null func)", 2**32 - 1)],
)
def test_nothing_grows_beyond_its_addresses_whatever_the_limits(fields: str, grow: str, n: int) -> None:
    wat = f'(module {fields} (func (export "f") (param i32) (result i32) ({grow} (local.get 0))))'
    machine = Machine(Store(Meter(Limits(max_memory_pages=2**20, max_table_elements=2**40))))
    inst = instantiate(machine.store, validate(decode(parse(wat))), (), machine)
    assert machine.invoke(inst.funcs[0], (n,)) == [2**32 - 1]
    assert machine.invoke(inst.funcs[0], (1,)) == [1]
