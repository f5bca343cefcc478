"""The records of programs that are started in new processes: raw samples, in the order of the rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.estimates import Estimate, settled
from benchmarks.results import Comparison, Series, break_even_of


@dataclass(frozen=True, slots=True)
class Start:
    """A subject starting a program, each time in a new process: seconds for compiling and instantiating the module, and
    for each of the first calls; bytes in memory before the module came, and at most, 0 where the system does not
    tell."""

    subject: str
    compile_seconds: tuple[float, ...]
    instantiate_seconds: tuple[float, ...]
    call_seconds: tuple[tuple[float, ...], ...]
    resident_bytes: tuple[int, ...]
    peak_bytes: tuple[int, ...]

    @property
    def load_seconds(self) -> tuple[float, ...]:
        """From the bytes of the module to an instance."""
        return tuple(a + b for a, b in zip(self.compile_seconds, self.instantiate_seconds, strict=True))

    @property
    def cold_seconds(self) -> tuple[float, ...]:
        """From the bytes of the module to the result of the first call, if there are calls."""
        return tuple(a + sum(calls[:1]) for a, calls in zip(self.load_seconds, self.call_seconds, strict=True))

    @property
    def first_seconds(self) -> tuple[float, ...]:
        """The first call; empty if nothing is called."""
        return tuple(calls[0] for calls in self.call_seconds if calls)

    @property
    def settled_seconds(self) -> tuple[float, ...]:
        """The median of the later half of the calls; empty where there was a round with only one."""
        if any(len(calls) < 2 for calls in self.call_seconds):
            return ()
        return tuple(map(settled, self.call_seconds))

    @property
    def growth_bytes(self) -> tuple[int, ...]:
        """What the program takes of memory at most; empty where the system does not tell."""
        pairs = zip(self.peak_bytes, self.resident_bytes, strict=True)
        return tuple(peak - resident for peak, resident in pairs if peak and resident)


Part = Callable[[Start], Sequence[float]]
"""One quantity of a start."""


@dataclass(frozen=True, slots=True)
class ProgramStart:
    """A program of `size` bytes, started by each subject that can. One that stands `apart` is in no mean."""

    program: str
    size: int
    starts: tuple[Start, ...]
    apart: bool = False

    def of(self, subject: str) -> Start | None:
        """The starts of one subject."""
        return next((each for each in self.starts if each.subject == subject), None)

    def comparison(self, part: Part) -> Comparison:
        """One quantity of the subjects that have it."""
        series = [(start.subject, tuple(map(float, part(start)))) for start in self.starts]
        return Comparison(self.program, tuple(Series(name, samples) for name, samples in series if samples))

    def break_even(self, fast: str, slow: str) -> Estimate | None:
        """After how many calls `fast` has made up for loading longer than `slow` (`break_even_of`)."""
        a, b = self.of(slow), self.of(fast)
        if a is None or b is None:
            return None
        return break_even_of(a.load_seconds, a.call_seconds, b.load_seconds, b.call_seconds)

    @property
    def called(self) -> bool:
        """Whether anything is called in it."""
        return any(calls for start in self.starts for calls in start.call_seconds)


@dataclass(frozen=True, slots=True)
class StartResult:
    """All programs, and `ready`, the seconds until each subject was imported and could be given a module.

    `ratios` names the pairs of subjects whose times are divided, the first by the second, and `break_even` those of
    which the first one loads longer and runs faster.
    """

    programs: tuple[ProgramStart, ...]
    ready: Comparison
    ratios: tuple[tuple[str, str], ...] = ()
    break_even: tuple[tuple[str, str], ...] = ()
