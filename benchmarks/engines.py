"""The engines of a run, and the phases that each of them lets us time apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.report import Skipped
from benchmarks.results import Phase
from interp.binary.modules import decode
from interp.engine import Engine, EngineUnavailable, load_engine
from interp.engines.embedding import PureEngine
from interp.validation.modules import validate

if TYPE_CHECKING:
    import wasmtime

FrontEnd = tuple[tuple[Phase, Callable[[], object]], ...]


def load_engines(names: Iterable[str]) -> tuple[dict[str, Engine], tuple[Skipped, ...]]:
    """The engines that are there, by name, and those that are not with the reason."""
    found: dict[str, Engine] = {}
    skipped: list[Skipped] = []
    for name in dict.fromkeys(names):
        try:
            found[name] = load_engine(name)
        except EngineUnavailable as error:
            skipped.append(Skipped(f"engine {name}", str(error)))
    return found, tuple(skipped)


def front_end(engine: Engine, wasm: bytes) -> FrontEnd:
    """The parts of `engine.compile` that can be run on their own, in their order.

    Wasmtime decodes and validates in one pass, which is called VALIDATE here.
    """
    if isinstance(engine, PureEngine):
        module = decode(wasm)
        return (Phase.DECODE, lambda: decode(wasm)), (Phase.VALIDATE, lambda: validate(module))
    if engine.name == "wasmtime":
        return ((Phase.VALIDATE, lambda: _wasmtime_validate(wasm)),)
    return ()


def _wasmtime_validate(wasm: bytes) -> None:
    # The library's own Python package; the engine `wasmtime` never validates without compiling.
    import wasmtime  # noqa: PLC0415 (an extra)

    wasmtime.Module.validate(_wasmtime_engine(), wasm)


@cache
def _wasmtime_engine() -> wasmtime.Engine:
    import wasmtime  # noqa: PLC0415 (an extra)

    from interp.engines.wasmtime import FEATURES  # noqa: PLC0415 (an extra)

    config = wasmtime.Config()
    for feature, enabled in FEATURES.items():
        if hasattr(wasmtime.Config, f"wasm_{feature}"):
            setattr(config, f"wasm_{feature}", enabled)
    return wasmtime.Engine(config)
