"""Scripts of the suite, step by step: they pass, and every operand that a step shows has its type."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.runner import Outcome, RunOptions, ScriptRun
from conformance.script import load_script
from interp.engines.embedding import PureEngine
from interp.execution.runtime import FuncInst
from interp.reference.machine import Machine
from interp.reference.observe import Captured, Position
from interp.reference.record import Describer, StepRecord
from interp.reference.stands_for import is_own
from interp.reference.stepper import Stepper

SUITE = os.environ.get("WASM_TESTSUITE")

SCRIPTS = (
    "array_copy.wast", "array_init_elem.wast", "array_new_data.wast", "block.wast", "br.wast", "br_on_non_null.wast",
    "br_table.wast", "bulk.wast", "call_ref.wast", "extern.wast", "fac.wast", "float_literals.wast", "global.wast",
    "i31.wast", "if.wast", "instance.wast", "labels.wast", "left-to-right.wast", "loop.wast",
    "memory_redundancy.wast", "ref_cast.wast", "ref_eq.wast", "ref_test.wast", "return.wast", "select.wast",
    "simd_load_extend.wast", "simd_store8_lane.wast", "struct.wast", "switch.wast", "table_grow.wast", "throw.wast",
    "throw_ref.wast", "try_table.wast", "unreachable.wast",
)  # fmt: skip
"""Scripts that are short, and apply many rules between them."""

MAX_STEPS = 300


class CheckingDescriber(Describer):
    """Makes records and checks the types of operands, of each instruction that has one type, against that."""

    def record(self, index: int, fields: Sequence[Any]) -> StepRecord:
        step = Captured(*fields)
        record = super().record(index, fields)
        assert "(… " not in str(record), record
        assert not any("(… " in change.old + change.new for change in record.changes), record
        if step.opener is None:
            point = step.code[step.pc]
            wanted = point[2].op.type
            if wanted is not None and is_own(point):
                at = Position(step.ctx.kind, step.ctx.frame, step.code, step.pc, step.rest, carried=step.carried)
                types = self.types.operands(at, step.operands, step.height)
                assert types[len(types) - len(wanted.params) :] == list(wanted.params), record
        return record


class SteppingMachine(Machine):
    """Calls functions by stepping, at first with records, and goes back once."""

    def invoke(self, func: FuncInst, args: Sequence[Any]) -> list[Any]:
        """As any machine."""
        if self.store.meter.reentry or self.store.watcher is not None:
            return super().invoke(func, args)
        stepper = Stepper(self.store, func, args, CheckingDescriber())
        records = list(stepper.trace(MAX_STEPS))
        gone = stepper.back(7)
        assert list(stepper.trace(gone)) == records[len(records) - gone :]
        stepper.run(10**7)
        assert stepper.outcome is not None
        if stepper.outcome.error is not None:
            raise stepper.outcome.error
        return stepper.config.contexts[0].vals


@pytest.mark.skipif(SUITE is None, reason="WASM_TESTSUITE does not name the folder of the specification's test suite")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_passes_step_by_step(name: str) -> None:
    path = next(iter(sorted(Path(SUITE or "").rglob(name), key=lambda path: len(path.parts))), None)
    if path is None:
        pytest.skip(f"the suite has no {name}")
    run = ScriptRun(PureEngine("reference", SteppingMachine), load_script(path), RunOptions())
    failed = [result for result in run.results() if result.outcome is Outcome.FAILED]
    assert failed == []
