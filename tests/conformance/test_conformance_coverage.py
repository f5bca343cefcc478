"""Rule coverage: the rules that there are, those that scripts apply, and those that they do not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from conformance.coverage import (
    CONTEXT_RULES,
    Applied,
    coverage_of,
    instructions,
    reduction_rules,
    unreached,
    validation_rules,
)
from conformance.record import RuleRecord
from conformance.runner import RunOptions, ScriptRun
from conformance.script import load_script
from interp.binary.modules import decode
from interp.engine import load_engine
from interp.reference.machine import RULE_NAMES
from tests_support import parse

ROOT = Path(__file__).parents[2]
SUPERSEDED = {"Instr_ok/load", "Instr_ok/store"}
"""Commented out in the specification's sources: the rules -val and -pack have taken their place."""


def specified(*relations: str) -> set[str]:
    with (ROOT / "tests" / "data" / "spectec-rules.csv").open() as file:
        return {f"{row['relation']}/{row['rule']}" for row in csv.DictReader(file) if row["relation"] in relations}


def test_the_machine_has_all_reduction_rules_but_those_of_contexts() -> None:
    specified_rules = specified("Step", "Step_pure", "Step_read")
    assert len(specified_rules) == 216
    assert set(reduction_rules()) == specified_rules - CONTEXT_RULES
    assert specified_rules >= CONTEXT_RULES
    assert {rule for rule in reduction_rules() if rule not in RULE_NAMES} <= {
        rule.rule for rule in unreached().values() if not rule.reachable
    }


def test_the_validator_has_all_typing_rules_of_instructions() -> None:
    assert len(specified("Instr_ok")) == 112
    assert set(validation_rules()) == specified("Instr_ok") - SUPERSEDED


@pytest.mark.parametrize("rule", unreached())
def test_a_rule_that_the_suite_does_not_reach_has_a_test(rule: str) -> None:
    known = unreached()[rule]
    assert rule in {*reduction_rules(), *validation_rules()}
    path, _, name = known.test.partition("::")
    text = (ROOT / path).read_text()
    assert f"def {name}(" in text
    assert (f'"{rule}"' in text) is known.reachable
    assert known.reason


def test_every_instruction_of_a_module_is_found() -> None:
    text = """
    (module
      (table 1 funcref (ref.null func))
      (memory 1)
      (global i32 (i32.const 1))
      (elem (i32.const 0) func 0)
      (elem funcref (item ref.func 0))
      (data (i32.const 0) "")
      (func (if (i32.const 1) (then (loop nop)) (else (block unreachable))) (try_table (drop (i32.const 1)))))
    """
    found = sorted(instr.op.mnemonic for instr in instructions(decode(parse(text))))
    assert found == sorted(
        [
            *["i32.const"] * 5,
            *["ref.func"] * 2,
            "ref.null",
            "if",
            "loop",
            "nop",
            "block",
            "unreachable",
            "try_table",
            "drop",
        ]
    )


def test_a_script_tells_what_it_applied_and_where_first(tmp_path: Path) -> None:
    path = tmp_path / "a.wast"
    path.write_text(
        '(module (func (export "f") (param i32) (if (local.get 0) (then nop))))\n'
        '(assert_return (invoke "f" (i32.const 0)))\n'
        '(assert_return (invoke "f" (i32.const 1)))\n'
        '(assert_invalid (module (func unreachable (i32.const 1))) "type mismatch")\n'
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 1) (i32.const 3))) (start 0))\n"
    )
    run = ScriptRun(load_engine("reference"), load_script(path), RunOptions(coverage=True))
    assert all(result.reason == "" for result in run.results())
    reduction, validation = run.applied().reduction, run.applied().validation
    assert reduction["Step_pure/if-false"] == (1, 2)
    assert reduction["Step_pure/if-true"] == (1, 3)
    assert reduction["Step_pure/nop"] == (1, 3)
    assert reduction["Step_read/local.get"] == (2, 2)
    assert reduction["Step_read/memory.fill-succ"] == (3, 5)
    assert reduction["Step_read/memory.fill-zero"] == (1, 5)
    assert validation["Instr_ok/nop"] == (1, 1)
    assert validation["Instr_ok/memory.fill"] == (1, 5)
    assert "Instr_ok/unreachable" not in validation


def test_nothing_is_counted_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wast"
    path.write_text("(module (func nop) (start 0))")
    run = ScriptRun(load_engine("reference"), load_script(path), RunOptions())
    assert [result.reason for result in run.results()] == [""]
    assert run.applied() == Applied()


def test_files_are_added_up_and_the_first_one_named() -> None:
    one = Applied({"Step_pure/nop": (2, 7)}, {"Instr_ok/nop": (1, 3)})
    two = Applied({"Step_pure/nop": (3, 1), "Step_pure/drop": (1, 4)})
    coverage = coverage_of([("a.wast", one), ("b.wast", two)])
    reduction = {rule.rule: rule for rule in coverage.reduction}
    assert reduction["Step_pure/nop"] == RuleRecord("Step_pure/nop", 5, "a.wast:7")
    assert reduction["Step_pure/drop"] == RuleRecord("Step_pure/drop", 1, "b.wast:4")
    assert reduction["Step_pure/unreachable"] == RuleRecord("Step_pure/unreachable", 0, None)
    never = unreached()["Step_pure/unop-trap"]
    assert reduction[never.rule] == RuleRecord(never.rule, 0, None, never.reason, never.test, reachable=False)
    assert [rule for rule in coverage.validation if rule.count] == [RuleRecord("Instr_ok/nop", 1, "a.wast:3")]
    assert list(reduction) == reduction_rules()
