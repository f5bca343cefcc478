"""The specification's own scripts, on each engine, where WASM_TESTSUITE names their folder."""

import json
import os
from pathlib import Path

import pytest

from conformance.schedule import slow
from conformance.suite import pinned
from interp import ENGINES
from tests_support import wascc

SUITE = os.environ.get("WASM_TESTSUITE")


@pytest.mark.skipif(SUITE is None, reason="WASM_TESTSUITE does not name the folder of the specification's test suite")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_the_smoke_scripts_pass_as_expected(engine: str, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    done = wascc("conformance", "--smoke", "--engine", engine, "--output", output)
    report = json.loads(output.read_text())
    unexpected = [(file["file"], file["unexpected"]) for file in report["files"] if file["unexpected"]]
    assert unexpected == []
    assert done.returncode == 0, done.stderr
    assert len(report["files"]) == pinned().scripts - len(slow())
    assert report["totals"]["executed"] > 50_000
    assert report["totals"]["skipped"] == 0
    if engine == "reference":
        assert report["totals"]["failed"] == 0
