"""The engines that run in lock step, as they are loaded for it."""

from __future__ import annotations

import os

from interp.engine import ENGINES, Engine, EngineUnavailable, load_engine
from interp.engines.compiled import CACHE_VARIABLE
from interp.engines.embedding import PureEngine

DEFAULT_ENGINES = ("reference", "compiled", "wasmtime")


def load(name: str) -> Engine:
    """The engine called `name`, which keeps no code on disk: modules are made here once and never again.

    Raises EngineUnavailable.
    """
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = "off"
    try:
        return load_engine(name)
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before


def named(text: str) -> tuple[str, ...]:
    """The names in a list with commas of at least two engines, which can be loaded.  Raises EngineUnavailable."""
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    if len(names) < 2:
        raise EngineUnavailable(f"lock step needs two engines or more; there are {', '.join(ENGINES)}")
    for name in names:
        load(name)
    return names


def is_exact(engine: Engine) -> bool:
    """Whether an engine gives the same bits, the same fuel and the same backtraces as the reference machine."""
    return isinstance(engine, PureEngine)
