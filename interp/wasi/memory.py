"""The guest's memory as WASI functions see it: every address and length comes from the guest and is checked first."""

from __future__ import annotations

from struct import Struct

from interp.engine import PAGE, Memory
from interp.wasi.abi import IOVEC, U32, U64, Errno
from interp.wasi.errors import WasiError
from interp.wasi.params import WasiLimits

Iovec = tuple[int, int]
"""Address and length of a buffer, in bytes."""


class GuestMemory:
    """The memory attached to a WASI process; ranges outside of it are the guest's error FAULT.

    Addresses and lengths are 0 <= i < 2**32. Without a memory every range is a FAULT.
    """

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def attach(self, memory: Memory) -> None:
        """Use `memory` from now on."""
        self._memory = memory

    def check(self, address: int, length: int) -> Memory:
        """The memory, if it holds [address, address + length)."""
        if self._memory is None or address + length > self._memory.size * PAGE:
            raise WasiError(Errno.FAULT)
        return self._memory

    def read(self, address: int, length: int) -> bytes:
        """The bytes of a range."""
        return self.check(address, length).read(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Store bytes."""
        self.check(address, len(data)).write(address, data)

    def write_u32(self, address: int, value: int) -> None:
        """Store a number of 32 bits, 0 <= value < 2**32."""
        self.write(address, U32.pack(value))

    def write_u64(self, address: int, value: int) -> None:
        """Store a number of 64 bits, 0 <= value < 2**64."""
        self.write(address, U64.pack(value))

    def write_record(self, address: int, layout: Struct, *fields: int) -> None:
        """Store the fields of a record."""
        self.write(address, layout.pack(*fields))

    def iovecs(self, address: int, count: int, limits: WasiLimits) -> list[Iovec]:
        """The scatter/gather list at `address`, each buffer checked, cut to `max_transfer_bytes` in all.

        INVAL for more than `max_iovecs` entries.
        """
        if count > limits.max_iovecs:
            raise WasiError(Errno.INVAL)
        left = limits.max_transfer_bytes
        buffers = []
        for buffer, length in IOVEC.iter_unpack(self.read(address, count * IOVEC.size)):
            self.check(buffer, length)
            buffers.append((buffer, min(length, left)))
            left -= min(length, left)
        return buffers

    def gather(self, buffers: list[Iovec]) -> bytes:
        """The bytes of all buffers, in their order."""
        return b"".join(self.read(address, length) for address, length in buffers)

    def scatter(self, buffers: list[Iovec], data: bytes) -> None:
        """Store `data` (no longer than the buffers together) into the buffers, in their order."""
        start = 0
        for address, length in buffers:
            if start >= len(data):
                return
            self.write(address, data[start : start + length])
            start += length
