"""Guests and hosts that call each other without end, from any depth of Python's own stack."""

import sys

import pytest
from wasmtime import wat2wasm

from interp import Exhaustion, Limits, load_engine
from interp.engine import Instance
from interp.errors import ExhaustionKind
from interp.syntax.types import FuncType

GUEST = wat2wasm('(module (import "h" "f" (func $f)) (func (export "g") (call $f)))')


def recursive_instance() -> Instance:
    engine = load_engine("reference")
    store = engine.store(Limits())
    instances: list[Instance] = []

    def host() -> None:
        instances[0].exports["g"]()  # type: ignore[operator]

    instances.append(store.instantiate(engine.compile(GUEST), [store.func_alloc(FuncType((), ()), host)]))
    return instances[0]


@pytest.mark.parametrize("remaining", [20, 60, 200, 500])
def test_recursion_through_the_host_is_exhaustion(remaining: int) -> None:
    instance = recursive_instance()

    def deeper(frames: int) -> None:
        if frames > 0:
            return deeper(frames - 1)
        with pytest.raises(Exhaustion) as caught:
            instance.exports["g"]()  # type: ignore[operator]
        assert caught.value.what is ExhaustionKind.CALL_STACK
        return None

    used = len(list(iter_frames()))
    deeper(sys.getrecursionlimit() - used - remaining)
    for _ in range(2):
        with pytest.raises(Exhaustion):
            instance.exports["g"]()  # type: ignore[operator]


def iter_frames() -> list[object]:
    frame = sys._getframe()
    found: list[object] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found
