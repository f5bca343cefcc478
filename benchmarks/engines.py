"""The engines of a run, and the phases that each of them lets us time apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.report import Skipped
from benchmarks.results import Phase
from interp.binary.modules import decode
from interp.engine import Engine, EngineUnavailable, load_engine
from interp.engines.embedding import PureEngine
from interp.validation.modules import validate

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
        return ((Phase.VALIDATE, _wasmtime_validation(wasm)),)
    return ()


def _wasmtime_validation(wasm: bytes) -> Callable[[], object]:
    """Decodes and validates only, which the engine `wasmtime` never does."""
    # Not at the top, since it is an extra.
    import wasmtime  # noqa: PLC0415

    from interp.engines.wasmtime import SWITCHES  # noqa: PLC0415

    config = wasmtime.Config()
    for switch in SWITCHES.values():
        if hasattr(wasmtime.Config, f"wasm_{switch}"):
            setattr(config, f"wasm_{switch}", True)
    return partial(wasmtime.Module.validate, wasmtime.Engine(config), wasm)
