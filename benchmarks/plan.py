"""What a run measures: which benchmarks, subjects and kernels, and how long each benchmark may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kernels import KERNELS, PROGRAMS, Kernel
from benchmarks.subjects.registry import HAND_WRITTEN, PEERS, Subject, cached_name, lazy_name
from benchmarks.summary import Name
from benchmarks.timing import Effort

ALL_KERNELS = (*KERNELS, *PROGRAMS)
"""What is timed: the small ones and the larger one."""

MAIN = "compiled"
"""The engine that ratios are about, where it takes part; otherwise it is the first engine of the run."""

JIT = "wasmtime"
"""The engine that compiles to machine code: loads longer, runs faster."""

STEADY_ONLY = ("ppci", "pywasm")
"""Peers that take part in the steady state only: they take so long that the others would get few rounds."""

PWASM, PWASM_COMPILE = "pwasm", "pwasm, mode compile"

DEFAULT_ROUNDS, QUICK_ROUNDS = 15, 3
DEFAULT_SECONDS, QUICK_SECONDS = 600.0, 20.0
QUICK_KERNELS = ("fib", "sha256", "bulk", "quicksort", "nbody", "dot")
"""The kernels of a first look: calls, i32, bulk copies, memory, f64 and SIMD."""

QUICK_WORK_SECONDS = 0.2
"""How long a long call is where everything is quick."""

SHARES: Mapping[Name, float] = {
    Name.LOAD: 0.03,
    Name.CALLS: 0.02,
    Name.BUS: 0.01,
    Name.KERNELS: 0.24,
    Name.START: 0.32,
    Name.LONG: 0.19,
    Name.LIMITS: 0.07,
    Name.INTERPRETERS: 0.03,
    Name.HTTP: 0.09,
}
"""Of the whole time. The same whichever benchmarks are chosen, so that a choice measures like the whole."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Names of benchmarks, engines, peers (of ALL_PEERS) and kernels; at most `rounds` each, about `seconds`
    for all of them; whether that is meant to be quick; a module file to load, and what to call in it (`program_of`)."""

    benchmarks: tuple[str, ...]
    engines: tuple[str, ...]
    peers: tuple[str, ...]
    kernels: tuple[str, ...]
    rounds: int
    seconds: float
    quick: bool = False
    module: Path | None = None
    call: str | None = None

    def effort(self, name: Name) -> Effort:
        """The effort of one benchmark."""
        return Effort(self.rounds, self.seconds * SHARES[name])

    def total_seconds(self) -> float:
        """About how long the benchmarks of this plan take: their time for measuring, and half as long again for what
        comes before."""
        return 1.5 * self.seconds * sum(SHARES[Name(name)] for name in self.benchmarks)

    def share(self, name: Name) -> float:
        """The part (0 to 1) that a benchmark has of the work of this plan."""
        return SHARES[name] / sum(SHARES[Name(each)] for each in self.benchmarks)

    def chosen_kernels(self) -> tuple[Kernel, ...]:
        """The kernels, in the order of ALL_KERNELS."""
        return tuple(kernel for kernel in ALL_KERNELS if kernel.name in self.kernels)


BY_HAND_OPTION = "python"
ALL_PEERS = (BY_HAND_OPTION, *PEERS)
"""What `--peers` takes: BY_HAND_OPTION for the kernels by hand in Python, and distributions."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """The subjects that are there: our engines, and what they are compared with."""

    engines: tuple[Subject, ...]
    peers: tuple[Subject, ...]
    by_hand: bool

    @property
    def main(self) -> Subject:
        """The engine that ratios are about."""
        return next((engine for engine in self.engines if engine.name == MAIN), self.engines[0])

    def steady(self) -> list[Subject]:
        """What kernels are timed on, the main engine first."""
        by_hand = [HAND_WRITTEN] if self.by_hand else []
        return [self.main, *by_hand, *self.peers, *self._other_engines()]

    def steady_ratios(self) -> list[tuple[str, str]]:
        """Which times are divided by which."""
        return [(self.main.name, each.name) for each in self.steady()[1:]]

    def starting(self) -> list[Subject]:
        """What programs are started on. pwasm is there twice: it can translate each function before its first call,
        which is faster where the first call has much to do, and slower where it has not."""
        peers: list[Subject] = []
        for peer in self.peers:
            if peer.name in STEADY_ONLY:
                continue
            peers += [peer, peer.variant(PWASM_COMPILE, mode="compile")] if peer.name == PWASM else [peer]
        return [self.main, *peers, *self._other_engines()]

    def start_ratios(self) -> list[tuple[str, str]]:
        """Which times are divided by which; subjects that were not measured may be among them."""
        main = self.main.name
        cached = cached_name(main)
        ratios = [(main, each.name) for each in self.starting()[1:]]
        return [*ratios, (cached, PWASM), (cached, cached_name(PWASM)), (cached, main), (lazy_name(main), PWASM)]

    def break_even(self) -> list[tuple[str, str]]:
        """Who loads longer and runs faster than whom."""
        main = self.main.name
        pairs = [(JIT, main), (JIT, PWASM), (main, PWASM), (main, "reference")]
        return [pair for pair in pairs if pair[0] != pair[1]]

    def _other_engines(self) -> list[Subject]:
        return [engine for engine in self.engines if engine.name != self.main.name]
