"""The validation rules of the specification one by one: what each accepts, and what it refuses.

The cases in `typing_cases_*.py` are grouped as in the chapter and meant to be read.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest
import typing_cases_control
import typing_cases_data
from typing_cases import Fields, Linking, Subtyping, Typing
from typing_cases_modules import BOTTOM, COMPOSITE, LINKING, MODULES, SUBTYPING, TYPES

from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import Invalid, Unlinkable
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import Store
from interp.reference.machine import Machine
from interp.syntax.modules import Module
from interp.syntax.types import show_resulttype
from interp.validation.derivation import derive
from interp.validation.modules import validate
from tests_support import parse

TYPINGS: tuple[Typing, ...] = (*typing_cases_control.CASES, *typing_cases_data.CASES)
FIELDS: tuple[Fields, ...] = (*BOTTOM, *COMPOSITE, *TYPES, *MODULES)
RULES = Path(__file__).parents[1] / "data" / "spectec-rules.csv"
SUPERSEDED = {"Instr_ok/load", "Instr_ok/store"}
"""Commented out in the specification's sources: the rules -val and -pack have taken their place."""


def decoded(text: str) -> Module:
    return decode(parse(text))


def rule_of(case: Typing | Fields | Subtyping | Linking) -> str:
    return case.rule


@cache
def specified(*relations: str) -> frozenset[str]:
    """The rules of these relations."""
    with RULES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["relation"] in relations]
    return frozenset(f"{row['relation']}/{row['rule']}" for row in rows)


@pytest.mark.parametrize("case", TYPINGS, ids=rule_of)
def test_an_instruction_has_this_type(case: Typing) -> None:
    module = decoded(case.module(case.body))
    valid = validate(module)
    nodes = derive(valid.context, module.funcs[-1])
    node = next(node for node in nodes if node.rule == f"Instr_ok/{case.rule}")
    assert f"{show_resulttype(node.popped)} -> {show_resulttype(node.pushed)}" == case.type


@pytest.mark.parametrize("case", [case for case in TYPINGS if case.refused is not None], ids=rule_of)
def test_an_instruction_is_refused_by_its_rule(case: Typing) -> None:
    module = decoded(case.module(case.refused or ""))
    with pytest.raises(Invalid) as caught:
        validate(module)
    assert caught.value.rule == f"Instr_ok/{case.rule}"


@pytest.mark.parametrize("case", SUBTYPING, ids=rule_of)
def test_a_type_matches_one_and_not_another(case: Subtyping) -> None:
    validate(decoded(case.module(case.upper)))
    with pytest.raises(Invalid, match="type mismatch"):
        validate(decoded(case.module(case.not_upper)))


@pytest.mark.parametrize("case", FIELDS, ids=rule_of)
def test_fields_are_valid_or_refused(case: Fields) -> None:
    validate(decoded(f"(module {case.fields})"))
    if case.refused is not None:
        module = decoded(f"(module {case.refused})")
        with pytest.raises(Invalid):
            validate(module)


@pytest.mark.parametrize("case", LINKING, ids=rule_of)
def test_an_export_matches_one_import_and_not_another(case: Linking) -> None:
    kind = case.export[1:].partition(" ")[0].rstrip(")")
    exporter = validate(decoded(f'(module {case.export} (export "x" ({kind} 0)))'))
    machine = Machine(Store(Meter(Limits())))
    externs = (instantiate(machine.store, exporter, (), machine).exports["x"],)
    instantiate(machine.store, validate(decoded(f'(module (import "" "" {case.accepted}))')), externs, machine)
    with pytest.raises(Unlinkable, match="incompatible import type"):
        instantiate(machine.store, validate(decoded(f'(module (import "" "" {case.refused}))')), externs, machine)


def test_every_rule_of_instructions_has_a_case() -> None:
    assert len(specified("Instr_ok")) == 112
    assert {f"Instr_ok/{case.rule}" for case in TYPINGS} == specified("Instr_ok") - SUPERSEDED


MATCHING = (
    "Numtype_sub", "Vectype_sub", "Heaptype_sub", "Reftype_sub", "Valtype_sub", "Resulttype_sub", "Packtype_sub",
    "Storagetype_sub", "Fieldtype_sub", "Comptype_sub", "Deftype_sub", "Limits_sub", "Tagtype_sub", "Globaltype_sub",
    "Memtype_sub", "Tabletype_sub", "Externtype_sub",
)  # fmt: skip
VALIDITY = (
    "Blocktype_ok", "Catch_ok", "Memarg_ok", "Limits_ok", "Tagtype_ok", "Globaltype_ok", "Memtype_ok", "Tabletype_ok",
    "Externtype_ok", "Comptype_ok", "Subtype_ok", "Rectype_ok", "Local_ok", "Global_ok", "Mem_ok", "Tag_ok", "Table_ok",
    "Func_ok", "Data_ok", "Datamode_ok", "Elem_ok", "Elemmode_ok", "Start_ok", "Import_ok", "Export_ok", "Externidx_ok",
    "Module_ok",
)  # fmt: skip


def test_every_rule_of_matching_and_of_modules_has_a_case() -> None:
    cases = {case.rule for case in SUBTYPING} | {case.rule for case in LINKING} | {case.rule for case in FIELDS}
    assert specified(*MATCHING, *VALIDITY) <= cases
    with RULES.open() as file:
        assert cases <= {f"{row['relation']}/{row['rule']}" for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    "types",
    [
        "(rec (type $0 (sub $1 (struct))) (type $1 (sub $0 (struct))))",
        "(rec (type $0 (sub (struct (field (ref $2))))) (type $1 (sub $0 (struct (field (ref $3)))))"
        " (type $2 (sub (struct))) (type $3 (sub $3 (struct))))",
    ],
)
def test_supertypes_in_a_circle_are_refused(types: str) -> None:
    with pytest.raises(Invalid, match="must come before"):
        validate(decoded(f"(module {types})"))
