"""Fixtures of the engine kit: every engine, and modules written as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest
from wasmtime import wat2wasm

from interp.engine import ENGINES, Engine, EngineUnavailable, Store, load_engine

Exports = Any
Instantiate = Callable[..., Exports]


@cache
def wasm_of(text: str) -> bytes:
    """The binary form of a module."""
    return bytes(wat2wasm(text))


@pytest.fixture(scope="session")
def wasm() -> Callable[[str], bytes]:
    """Text format -> binary format."""
    return wasm_of


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn; one that cannot run here is skipped with the reason."""
    name = request.param
    if find_spec(f"interp.engines.{name}") is None:
        pytest.skip(f"engine {name!r} has no module yet")
    try:
        return load_engine(name)
    except EngineUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store without limits beyond the usual ones."""
    return engine.store()


@pytest.fixture
def instantiate(engine: Engine, store: Store) -> Instantiate:
    """text, externs, store -> exports of an instance."""

    def run(text: str, externs: Sequence[Any] = (), into: Store | None = None) -> Exports:
        return (into or store).instantiate(engine.compile(wasm_of(text)), externs).exports

    return run
