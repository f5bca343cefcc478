"""What must hold of every case: decoding and validation end soon, in bounded memory, with a module or a rejection, and
as in Wasmtime; and a valid module runs as it does there.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from conformance.fuzz.determinism import is_deterministic
from conformance.fuzz.differences import WASMTIME_REFUSES, WE_REFUSE, known
from conformance.fuzz.execution import compare
from conformance.fuzz.findings import Finding, Symptom
from conformance.runner import describe
from interp.binary.modules import decode
from interp.engine import Engine, load_engine
from interp.errors import Invalid, Malformed, Rejected
from interp.validation.modules import validate

try:
    import resource
except ImportError:  # not on Windows, where only time is bounded
    resource = None  # type: ignore[assignment]

MEGABYTE = 1 << 20
STATM, STATUS = Path("/proc/self/statm"), Path("/proc/self/status")
PEAK = re.compile(rb"^VmHWM:\s*(\d+) kB", re.MULTILINE)
PAGE_BYTES = 4096 if resource is None else resource.getpagesize()
HANG_SECONDS = 30.0
"""After so much processor time, decoding and validation are ended."""

ADDRESS_SPACE = 1024 * MEGABYTE
"""Bytes of address space that decoding and validation may add before they get a MemoryError."""

REPEATS = 3
"""A case that was slow is slow if it is so each of so many times: the machine may have been busy."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What decoding and validation of one case may take: seconds, and bytes of memory."""

    seconds: float = 1.0
    bytes: int = 200 * MEGABYTE


class _EndlessError(BaseException):
    """Decoding and validation did not end in HANG_SECONDS; no handler of theirs may catch this."""


def memory_used() -> tuple[int, int]:
    """Bytes of address space and of memory of this process now; zeros where the system does not tell."""
    try:
        pages = STATM.read_bytes().split()
    except OSError:
        return 0, 0
    return int(pages[0]) * PAGE_BYTES, int(pages[1]) * PAGE_BYTES


def peak_memory() -> int:
    """The most bytes of memory that this process has had so far; 0 where the system does not tell. What getrusage
    tells is no use: a process that was started by a large one begins with the peak of that one."""
    try:
        found = PEAK.search(STATUS.read_bytes())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


@contextmanager
def bounded() -> Iterator[None]:
    """Inside the block, address space is limited, and so is time where the system has timers."""
    if resource is None or not STATM.exists():
        yield
        return

    def endless(*_: Any) -> None:
        raise _EndlessError

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = memory_used()[0] + ADDRESS_SPACE
    before = signal.signal(signal.SIGPROF, endless)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def accept(wasm: bytes) -> Rejected | None:
    """Decode and validate: None, or why not."""
    try:
        validate(decode(wasm))
    except (Malformed, Invalid) as error:
        return error
    return None


def timed(wasm: bytes) -> tuple[Rejected | None, float]:
    """Why a module is rejected, or None, and the seconds that took."""
    start = perf_counter()
    rejected = accept(wasm)
    return rejected, perf_counter() - start


class Checker:
    """Checks cases within `bounds`. `exhausted` says that this process has had so much memory, if only while something
    ran, that what a case takes would not be seen any more: it should end."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._ours: Engine = load_engine("reference")
        self._theirs: Engine = load_engine("wasmtime")
        self.exhausted = False

    def check(self, name: str, wasm: bytes, run: bool = True, canonical: bool = False) -> Iterator[Finding]:
        """All that is wrong with a case. If it is valid and `run` says so it is run, too, unless it may behave in more
        than one way; `canonical` says that it may not, for its NaNs were made canonical."""

        def finding(symptom: Symptom, detail: str) -> Finding:
            return Finding(symptom, name, detail, wasm)

        before, peak_before = memory_used()[1], peak_memory()
        try:
            with bounded():
                rejected, seconds = timed(wasm)
                for _ in range(REPEATS if seconds > self._bounds.seconds else 0):
                    seconds = min(seconds, timed(wasm)[1])
        except Exception as error:  # whatever it is, it is a finding
            yield finding(Symptom.EXCEPTION, describe(error))
            return
        except _EndlessError:
            yield finding(Symptom.SLOW, f"still running after {HANG_SECONDS:g} s")
            return
        finally:
            peak = peak_memory()
            high = before > 0 and peak - before > self._bounds.bytes
            self.exhausted = self.exhausted or high
        if seconds > self._bounds.seconds:
            yield finding(Symptom.SLOW, f"{seconds:.2f} s")
        if high and peak > peak_before:
            yield finding(Symptom.MEMORY, f"{(peak - before) / MEGABYTE:.0f} MB more than before")
        theirs = self._rejected_by_wasmtime(wasm)
        if rejected is not None and theirs is None and not known(str(rejected), WE_REFUSE):
            yield finding(Symptom.REFUSED, describe(rejected))
        if rejected is None and theirs is not None and not known(str(theirs), WASMTIME_REFUSES):
            yield finding(Symptom.ACCEPTED, describe(theirs))
        if rejected is None and theirs is None and run and (canonical or is_deterministic(wasm)):
            yield from self._compare_runs(finding, wasm)

    def _rejected_by_wasmtime(self, wasm: bytes) -> Rejected | None:
        try:
            self._theirs.compile(wasm)
        except Rejected as error:
            return error
        return None

    def _compare_runs(self, finding: Callable[[Symptom, str], Finding], wasm: bytes) -> Iterator[Finding]:
        try:
            difference = compare(self._ours, self._theirs, wasm)
        except Exception as error:  # whatever it is, it is a finding
            yield finding(Symptom.EXCEPTION, f"while it ran: {describe(error)}")
            return
        if difference:
            yield finding(Symptom.DIFFERENT, difference)
