"""Instructions per second of interpreters, all in Python: the reference machine, the same when its steps are recorded,
and a peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks.errors import BenchmarkError, check_output
from benchmarks.execution import load_kernel
from benchmarks.kernels import KERNELS, RUN, Kernel
from benchmarks.machine import count_instructions, describe_steps, load_recorded
from benchmarks.report import Skipped
from benchmarks.results import DESCRIPTION, Comparison, InterpretersResult, PaceResult, Series, series
from benchmarks.subjects.peers import Pywasm
from benchmarks.subjects.program import Program
from benchmarks.subjects.registry import PEERS, PeerMissingError
from benchmarks.timing import Effort, Progress, Timed, time_all
from interp.engine import load_engine

MACHINE = "reference"
"""The engine that executes the instructions of a program one by one."""

RECORDED = "steps recorded"
"""The same machine, when what each step does is taken down."""

PEER = PEERS["pywasm"].title
"""Another interpreter of WebAssembly in pure Python."""

RATIOS = ((MACHINE, PEER), (RECORDED, MACHINE))
"""Which speeds are divided by which."""

DESCRIBED = 100
"""Steps of each kernel that are described, at most; describing them takes much longer than to take them."""

Interpreter = Callable[[bytes], Callable[[int], object]]
"""Gives the function `run` of a kernel's binary module."""


def interpreters() -> tuple[dict[str, Interpreter], tuple[Skipped, ...]]:
    """The interpreters that are there, by name, and those that are not with the reason."""
    found: dict[str, Interpreter] = {
        MACHINE: partial(load_kernel, load_engine(MACHINE)),
        RECORDED: load_recorded,
    }
    try:
        PEERS["pywasm"].check()
    except PeerMissingError as error:
        return found, (Skipped(PEER, str(error)),)
    return {**found, PEER: load_on_peer}, ()


def load_on_peer(wasm: bytes) -> Callable[[int], object]:
    """The function `run` of a kernel on PEER; it raises BenchmarkError if that fails."""
    peer = Pywasm()
    function = peer.instantiate(peer.compile(Program("", wasm)), {}).function(RUN)

    def run(n: int) -> object:
        try:
            return function(n)
        except Exception as error:  # it has no exceptions of its own
            raise BenchmarkError(f"{PEER}: {type(error).__name__}: {error}") from error

    return run


def measure_interpreters(
    subjects: Mapping[str, Interpreter],
    effort: Effort,
    progress: Progress = lambda _: None,
    kernels: Sequence[Kernel] = KERNELS,
) -> InterpretersResult:
    """Seconds for a short run of each kernel on each interpreter, and the instructions that it executes.

    Raises BenchmarkError, WasmError.
    """
    counts: dict[str, int] = {}
    described: dict[str, int] = {}
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for kernel in kernels:
        wasm, argument = kernel.wasm(), kernel.short_argument
        counts[kernel.name] = count_instructions(wasm, argument)
        for name, load in subjects.items():
            calls[kernel.name, name] = call = partial(load(wasm), argument)
            check_output(f"kernel {kernel.name} on {name}", call(), kernel.expected(argument))
        calls[kernel.name, DESCRIPTION] = describe = describe_steps(wasm, argument, DESCRIBED)
        described[kernel.name] = describe()
    timed = time_all(calls, effort, progress)
    return InterpretersResult(
        tuple(
            PaceResult(
                kernel.name,
                kernel.short_argument,
                counts[kernel.name],
                Comparison(kernel.name, tuple(series(name, timed[kernel.name, name]) for name in subjects)),
                _each(timed[kernel.name, DESCRIPTION], described[kernel.name]),
            )
            for kernel in kernels
        ),
        tuple(pair for pair in RATIOS if set(pair) <= set(subjects)),
    )


def _each(timed: Timed, steps: int) -> Series:
    """Seconds for the description of one step, of so many that were described at once."""
    return Series(DESCRIPTION, tuple(sample / steps for sample in timed.samples), timed.loops * steps)
