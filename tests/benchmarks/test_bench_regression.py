"""Operations to watch from one version to the next.

In a normal run each is carried out once, untimed. To measure them, and to compare with an earlier measurement:

    pytest tests/benchmarks/test_bench_regression.py --benchmark-only --benchmark-autosave
    pytest tests/benchmarks/test_bench_regression.py --benchmark-only --benchmark-compare
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.actor import HANDLE_REQUEST, HEALTH, Counters, check_health, counter_wasm
from benchmarks.bus import Rig
from benchmarks.execution import load_kernel
from benchmarks.interpreters import MACHINE
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.plan import MAIN
from host.codec import decode as decode_message
from host.codec import encode
from host.codec.http import Request
from host.codec.keyvalue import AddResponse
from interp.binary.modules import decode
from interp.engine import ENGINES, EngineUnavailable, load_engine
from interp.validation.modules import validate
from wapc import WapcHost

pytest.importorskip("pytest_benchmark", reason="the extra 'bench' is not installed")

Measure = Callable[..., Any]


@pytest.fixture
def measure(benchmark: Any, request: pytest.FixtureRequest) -> Measure:
    """`measure(function, *args)` gives what the function returns; it is timed if that was asked for."""
    if not request.config.getoption("benchmark_only"):
        benchmark.disabled = True
    run: Measure = benchmark
    return run


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    try:
        load_engine(name)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    return name


def test_decode(measure: Measure) -> None:
    assert measure(decode, counter_wasm()).exports


def test_validate(measure: Measure) -> None:
    assert measure(validate, decode(counter_wasm())).exports


def test_compile(measure: Measure, engine: str) -> None:
    assert measure(load_engine(engine).compile, counter_wasm()).exports


def test_load_actor(measure: Measure, engine: str) -> None:
    guest = measure(WapcHost, load_engine(engine), counter_wasm())
    assert guest.memory_size > 0


def test_handle_request(measure: Measure, engine: str) -> None:
    counters = Counters()
    guest = WapcHost(engine, counter_wasm(), counters)
    counters.check(measure(guest.call, *HANDLE_REQUEST))


def test_health_request(measure: Measure, engine: str) -> None:
    check_health(measure(WapcHost(engine, counter_wasm()).call, *HEALTH))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("name", [name for name in ENGINES if name in (MACHINE, MAIN)])
def test_run_a_kernel(measure: Measure, name: str, kernel: Kernel) -> None:
    run = load_kernel(load_engine(name), kernel.wasm())
    assert measure(run, kernel.short_argument) == kernel.expected(kernel.short_argument)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_load_a_kernel_and_run_it_once(
    measure: Measure, kernel: Kernel, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASCC_CACHE", "off")
    wasm, chosen = kernel.wasm(), load_engine(engine)

    def load_and_run() -> Any:
        return load_kernel(chosen, wasm)(kernel.short_argument)

    assert measure(load_and_run) == kernel.expected(kernel.short_argument)


def test_encode_and_decode_a_message(measure: Measure) -> None:
    request = Request("GET", "/counter1", "", {"accept": "*/*"}, b"body")
    assert measure(lambda: decode_message(Request, encode(request))) == request


@pytest.mark.parametrize("way", ["handler", "bus", "authorized_bus"])
def test_call_a_provider(measure: Measure, way: str) -> None:
    rig = Rig()
    assert decode_message(AddResponse, measure(getattr(rig, way))).value > 0
    rig.close()


@pytest.mark.parametrize("options", [{"signed": True}, {"verified": True}], ids=["signed", "verified"])
def test_call_a_provider_with_a_token(measure: Measure, options: dict[str, bool]) -> None:
    rig = Rig(**options)
    assert decode_message(AddResponse, measure(rig.bus)).value > 0
    rig.close()
