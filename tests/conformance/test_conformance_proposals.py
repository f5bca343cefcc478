"""Which script belongs to which feature."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.expectations import Expectations
from conformance.proposals import OTHER, proposal_of, proposals
from conformance.report import FileReport, RunReport
from conformance.runner import CommandResult, Outcome
from interp.syntax.features import FEATURES, VERSIONS

SUITE = os.environ.get("WASM_TESTSUITE")
PASSED = CommandResult(1, "module", Outcome.PASSED, executed=True)


def test_the_features_are_those_of_the_instruction_table_and_a_few_without_instructions() -> None:
    names = [proposal.name for proposal in proposals()]
    assert len(names) == len(set(names))
    assert {"1.0", *FEATURES} <= set(names)
    for proposal in proposals():
        if proposal.name in FEATURES:
            assert (proposal.version == "2.0") is (proposal.name in VERSIONS["2.0"])
        assert proposal is OTHER or proposal.files or proposal.within
        assert proposal.title


def test_every_script_that_a_feature_is_tested_within_came_with_another_one() -> None:
    for proposal in proposals():
        for file in proposal.within:
            assert proposal_of(file) not in (proposal, OTHER)


@pytest.mark.skipif(SUITE is None, reason="WASM_TESTSUITE does not name the folder of the specification's test suite")
def test_every_script_of_the_suite_belongs_to_exactly_one() -> None:
    folder = Path(str(SUITE))
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.wast")]
    for file in files:
        assert [proposal.name for proposal in proposals() if proposal.has(file)] == [proposal_of(file).name], file
    for proposal in proposals():
        for pattern in proposal.files:
            assert any(type(proposal)("", "", files=(pattern,)).has(file) for file in files), pattern
        assert set(proposal.within) <= set(files)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("i32.wast", "1.0"),
        ("simd_memory-multi.wast", "multi-memory"),
        ("simd_select.wast", "simd"),
        ("memory_copy64.wast", "memory64"),
        ("memory_copy.wast", "bulk-memory"),
        ("return_call_ref.wast", "function-references"),
        ("proposals/threads/memory.wast", "threads"),
        ("proposals/other/memory.wast", "other"),
        ("/somewhere/i32.wast", "other"),
        ("mine.wast", "other"),
    ],
)
def test_some_scripts(file: str, name: str) -> None:
    assert proposal_of(file).name == name


def test_counts_per_feature_add_up() -> None:
    failed = CommandResult(2, "assert_return", Outcome.FAILED, "wrong", executed=True)
    files = (
        FileReport("i32.wast", (PASSED, failed), "", 0.1),
        FileReport("i64.wast", (PASSED,), "", 0.1),
        FileReport("struct.wast", (PASSED,), "", 0.1),
    )
    record = RunReport("reference", None, True, None, files, Expectations()).record()
    found = {p.name: (p.files, p.totals.passed, p.totals.failed, list(p.kinds)) for p in record.proposals}
    assert found == {
        "1.0": (2, 2, 1, ["assert_return", "module"]),
        "sign-extension": (0, 0, 0, []),
        "gc": (1, 1, 0, ["module"]),
    }
    assert (record.totals.passed, record.totals.failed, record.kinds["module"].passed) == (3, 1, 3)
