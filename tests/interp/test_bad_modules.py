"""Modules that are made to take much time or memory are judged as they should be, in little of either."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bad_modules
import pytest
from bad_modules import MODULES, VALID

ROOT = Path(__file__).parents[2]

if sys.platform == "win32":
    pytest.skip("there is no resource module, so that nothing bounds a process", allow_module_level=True)


@pytest.fixture(scope="module")
def answer() -> Iterator[Callable[[str], dict[str, Any]]]:
    """Name of a module -> what comes of it in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, bad_modules.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    ask, told = process.stdin, process.stdout

    def judge(name: str) -> dict[str, Any]:
        ask.write(f"{name}\n")
        ask.flush()
        found: dict[str, Any] = json.loads(told.readline())
        return found

    yield judge
    ask.close()
    told.close()
    assert process.wait() == 0


@pytest.mark.parametrize("name", MODULES)
def test_a_bad_module_is_judged_in_bounded_time_and_memory(name: str, answer: Callable[[str], dict[str, Any]]) -> None:
    found = answer(name)
    assert found["died"] is None, found
    expected, _, text = MODULES[name][1].partition(": ")
    if expected == VALID:
        assert found["verdict"] == VALID
    else:
        assert found["verdict"].startswith(f"{expected}: ")
        assert text in found["verdict"]


def test_a_process_that_takes_too_much_ends_alone(answer: Callable[[str], dict[str, Any]]) -> None:
    assert "MemoryError" in answer(f"instructions_200_000 {20 << 20}")["verdict"]
    assert answer("a_subtype_of_itself")["died"] is None
