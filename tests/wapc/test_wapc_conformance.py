"""The conformance kit on every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from interp.engine import Engine
from wapc.conformance_cases import CASES
from wapc.conformance_kit import Case, ConformanceFailure, run_case


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, engine: Engine, guest: Callable[[str], bytes]) -> None:
    run_case(case, engine, guest("puppet"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"result": b"other"}, "outcome"),
        ({"host_calls": (("b", "n", "o", b"other"),)}, "host calls"),
        ({"logs": ("a text",)}, "logs"),
        ({"calls": 1}, "calls of the instance"),
    ],
)
def test_the_kit_finds_differences(
    change: dict[str, object], what: str, engine: Engine, guest: Callable[[str], bytes]
) -> None:
    case = next(case for case in CASES if case.name == "host call answered")
    with pytest.raises(ConformanceFailure) as caught:
        run_case(replace(case, **change), engine, guest("puppet"))  # type: ignore[arg-type]
    assert caught.value.what == what


def test_the_kit_finds_another_error(engine: Engine, guest: Callable[[str], bytes]) -> None:
    case = next(case for case in CASES if case.name == "error and 0")
    with pytest.raises(ConformanceFailure, match="outcome must be"):
        run_case(replace(case, text="other"), engine, guest("puppet"))
