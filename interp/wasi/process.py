"""The state of one WASI guest, which every WASI function works on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from interp.errors import Exhaustion, ExhaustionKind
from interp.wasi.abi import Errno
from interp.wasi.descriptors import DescriptorTable
from interp.wasi.errors import WasiError
from interp.wasi.memory import GuestMemory
from interp.wasi.params import WasiParams

SystemCall = Callable[..., None]
"""A WASI function: the process, then its arguments as iN (0 <= i < 2**N). It returns on success, and fails by
WasiError or OSError. Where the snapshots differ it takes the keyword `snapshot`."""


@dataclass(slots=True)
class Process:
    """A guest: what it was given, its memory, its descriptors, and the time by which its call must end.

    `deadline` is an instant of `time.monotonic`, None for no end.
    """

    params: WasiParams
    descriptors: DescriptorTable
    memory: GuestMemory = field(default_factory=GuestMemory)
    deadline: float | None = None

    def check_deadline(self) -> None:
        """Raise Exhaustion(DEADLINE) if the time is over."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise Exhaustion(ExhaustionKind.DEADLINE)

    def path(self, address: int, length: int) -> bytes:
        """A path argument: UTF-8 without NUL, at most `max_path_bytes` long."""
        if length > self.params.limits.max_path_bytes:
            raise WasiError(Errno.NAMETOOLONG)
        path = self.memory.read(address, length)
        if b"\0" in path:
            raise WasiError(Errno.INVAL)
        try:
            path.decode()
        except UnicodeDecodeError as error:
            raise WasiError(Errno.ILSEQ) from error
        return path
