"""Kernels on an engine in this process."""

from __future__ import annotations

from typing import cast

from benchmarks.kernels import RUN
from interp.engine import Engine, Func, Limits


def load_kernel(engine: Engine, wasm: bytes) -> Func:
    """The function of a kernel, which is not limited: limits would cost the JIT time and the interpreter none."""
    instance = engine.store(Limits()).instantiate(engine.compile(wasm), ())
    return cast(Func, instance.exports[RUN])
