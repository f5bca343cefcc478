"""What an embedder gives to a WASI guest: arguments, environment, directories, standard streams, and limits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Source(Protocol):
    """Where standard input comes from: a binary file object. None of `read` means that nothing is there yet."""

    def read(self, size: int, /) -> bytes | None: ...


class Sink(Protocol):
    """Where standard output goes: a binary file object. `write` returns how many bytes it took."""

    def write(self, data: bytes, /) -> int | None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WasiLimits:
    """What one guest may use; all sizes in bytes.

    `max_open_files` counts descriptors beyond the standard streams, preopened directories included. One read or write
    moves at most `max_transfer_bytes` (a short count, as POSIX allows) through at most `max_iovecs` buffers. No file
    is made longer than `max_file_bytes`. A directory with more than `max_directory_entries` cannot be listed.
    """

    max_open_files: int = 64
    max_iovecs: int = 1024
    max_transfer_bytes: int = 16 * 2**20
    max_file_bytes: int = 2**30
    max_path_bytes: int = 4096
    max_directory_entries: int = 65536
    max_subscriptions: int = 1024


@dataclass(frozen=True, slots=True)
class Preopen:
    """A directory of the host given to the guest; `read_only` refuses every change in it."""

    path: str | os.PathLike[str]
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class WasiParams:
    """The world of a WASI guest. The default has no arguments, no environment, no files, and discards output.

    `args` starts with the program name. `preopens` maps the name the guest sees to a directory of the host.
    `stdin` is read from, `stdout` and `stderr` are written to (binary file objects, which stay the caller's to close);
    None reads as empty or discards. Arguments and environment are left out of the repr, they may hold secrets.
    Raises ValueError for what cannot be handed to a guest (a NUL character, an environment name that is empty or has
    an `=`).
    """

    args: Sequence[str] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    preopens: Mapping[str, str | os.PathLike[str] | Preopen] = field(default_factory=dict)
    stdin: Source | None = None
    stdout: Sink | None = None
    stderr: Sink | None = None
    limits: WasiLimits = WasiLimits()

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "env", dict(self.env))
        object.__setattr__(self, "preopens", dict(self.preopens))
        if any("\0" in text for text in (*self.args, *self.env.keys(), *self.env.values(), *self.preopens)):
            raise ValueError("WASI arguments, environment and directory names must not hold a NUL character")
        if any(not name or "=" in name for name in self.env):
            raise ValueError("a WASI environment name must not be empty and must not hold '='")

    def arguments(self) -> list[bytes]:
        """The arguments as the guest sees them, without the closing NUL."""
        return [encode(argument) for argument in self.args]

    def environment(self) -> list[bytes]:
        """The environment as `NAME=value` entries, without the closing NUL."""
        return [encode(f"{name}={value}") for name, value in self.env.items()]

    def directories(self) -> list[tuple[str, Preopen]]:
        """The preopened directories: the guest's name and the host's directory, in the order given."""
        return [
            (name, entry if isinstance(entry, Preopen) else Preopen(Path(entry)))
            for name, entry in self.preopens.items()
        ]


def encode(text: str) -> bytes:
    """Text for the guest as UTF-8; bytes that Python could not decode (`os.environ`) come out as they were."""
    return text.encode("utf-8", "surrogateescape")
