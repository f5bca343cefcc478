"""How a WASI function ends other than by success."""

from __future__ import annotations

from interp.wasi.abi import Errno


class ProcExit(Exception):
    """The guest ended its process; `code` is its exit code, 0 <= code < 2**32.

    It unwinds the guest: the embedder catches it around the call. It is no fault when `code` is 0.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"guest exited with code {self.code}"


class WasiError(Exception):
    """A WASI function fails with `errno`. It stays inside the package: the guest gets the number."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno)
        self.errno = errno

    def __str__(self) -> str:
        return f"WASI error {self.errno.name.lower()}"
