"""What the numbers of a report depend on: the machine, the system, Python, and the packages that do the work."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("wascc", "ppci", "msgpack", "pynacl", "pydantic", "uvicorn", "h11", "httpx"),
    *("wasmtime", "cffi", "pwasm", "pywasm", "pywasm3"),
)
"""The packages whose versions matter, as the registry names them."""

UNKNOWN = "unknown"
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The machine that measured. `memory_bytes` and `load_average` (1, 5, 15 minutes, when the run began) are None
    where the system does not tell; `usable_cores` are those that this process may run on; `date` is UTC."""

    date: str
    cpu: str
    architecture: str
    cores: int
    usable_cores: int
    memory_bytes: int | None
    system: str
    python: str
    packages: Mapping[str, str]
    load_average: tuple[float, float, float] | None

    @property
    def busy(self) -> bool:
        """Whether other programs took more than a quarter of the machine in the last minute, which spoils numbers."""
        return self.load_average is not None and self.load_average[0] > self.usable_cores / 4

    def line(self) -> str:
        """All but the packages on one line."""
        memory = UNKNOWN if self.memory_bytes is None else f"{self.memory_bytes / GIB:.0f} GiB"
        load = UNKNOWN if self.load_average is None else " ".join(f"{value:.2f}" for value in self.load_average)
        return (
            f"{self.cpu}, {self.usable_cores} of {self.cores} cores, {memory} memory, {self.system}, {self.python}, "
            f"load average {load}, {self.date}"
        )

    def packages_line(self) -> str:
        """The packages and their versions on one line."""
        return ", ".join(f"{name} {number}" for name, number in self.packages.items())


def take_fingerprint() -> Fingerprint:
    """The fingerprint of this machine, now."""
    return Fingerprint(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=_cpu_model(),
        architecture=platform.machine() or UNKNOWN,
        cores=os.cpu_count() or 1,
        usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=_memory_bytes(),
        system=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_package_versions(),
        load_average=os.getloadavg() if hasattr(os, "getloadavg") else None,
    )


def _cpu_model() -> str:
    if sys.platform == "darwin":
        return _output_of("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string") or _processor()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _processor()
    found = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return found[1].strip() if found else _processor()


def _processor() -> str:
    return platform.processor() or platform.machine() or UNKNOWN


def _output_of(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _package_versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
