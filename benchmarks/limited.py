"""What limits cost: kernels on one engine, with and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.kernels import KERNELS, Kernel
from benchmarks.report import Skipped
from benchmarks.results import KernelsResult
from benchmarks.steady import measure_kernels
from benchmarks.subjects.registry import Subject
from benchmarks.timing import Effort, Progress

UNLIMITED = "no limits"
ALL = "all limits"

FUEL = {"fuel": 2**62}
DEADLINE = {"deadline_seconds": 24 * 3600.0}
MEMORY = {"max_memory_pages": 1024}
DEPTH = {"max_call_depth": 5000}

LIMITS: Mapping[str, Mapping[str, Any]] = {
    UNLIMITED: {},
    "fuel": FUEL,
    "deadline": DEADLINE,
    "memory": MEMORY,
    "call depth": DEPTH,
    ALL: {**FUEL, **DEADLINE, **MEMORY, **DEPTH},
}
"""Limits that no kernel comes near, so that only looking after them costs time."""


def measure_limits(
    subject: Subject, effort: Effort, progress: Progress = lambda _: None, kernels: Sequence[Kernel] = KERNELS
) -> tuple[KernelsResult, tuple[Skipped, ...]]:
    """Seconds for one call of each kernel within each of LIMITS. Raises BenchmarkError."""
    variants = [subject.variant(name, limits=dict(limits)) for name, limits in LIMITS.items()]
    ratios = [(name, UNLIMITED) for name in LIMITS if name != UNLIMITED]
    return measure_kernels(variants, effort, progress, kernels, ratios)
