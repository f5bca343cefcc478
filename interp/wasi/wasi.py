"""A WASI guest for any embedder: its imports as functions of a store, and everything it holds open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from interp.engine import Func, Memory, Module, Store
from interp.errors import Unlinkable
from interp.syntax.types import I64, FuncType
from interp.wasi import directories, environment, files
from interp.wasi.abi import FUNCTION_TYPES, SNAPSHOTS, Errno, Snapshot, errno_of
from interp.wasi.descriptors import DescriptorTable, Directory, InputStream, OutputStream
from interp.wasi.errors import WasiError
from interp.wasi.params import Preopen, WasiParams, encode
from interp.wasi.paths import SUPPORTED, open_preopen
from interp.wasi.process import Process, SystemCall

_CALLS: dict[str, SystemCall] = {
    call.__name__: call for chapter in (environment, files, directories) for call in chapter.CALLS
}
_VERSIONED_CALLS: dict[str, SystemCall] = {
    call.__name__: call for chapter in (environment, files, directories) for call in chapter.VERSIONED_CALLS
}


class Wasi:
    """The WASI side of one instance: make it, link `imports`, `attach` the instance's memory, call, `close`.

    `params` says what the guest gets. Raises OSError where a preopened directory cannot be opened, also on a system
    that has no way to confine paths.
    """

    def __init__(self, params: WasiParams | None = None) -> None:
        self.params = params or WasiParams()
        self._process = Process(self.params, DescriptorTable(self.params.limits))
        try:
            self._open_descriptors()
        except BaseException:
            self.close()
            raise

    def _open_descriptors(self) -> None:
        table = self._process.descriptors
        table.add(InputStream(self.params.stdin))
        table.add(OutputStream(self.params.stdout))
        table.add(OutputStream(self.params.stderr))
        for name, preopen in self.params.directories():
            table.add(_preopened(name, preopen))

    @property
    def deadline(self) -> float | None:
        """The instant of `time.monotonic` by which the running call must end, or None.

        The embedder sets it before each call into the guest, so that waiting ends in time with Exhaustion(DEADLINE).
        """
        return self._process.deadline

    @deadline.setter
    def deadline(self, instant: float | None) -> None:
        self._process.deadline = instant

    def imports(self, store: Store, module: Module) -> dict[tuple[str, str], Func]:
        """The functions of `store` for the imports of `module` that WASI knows, by module and name.

        Functions of WASI that are not supported answer NOSYS. Raises Unlinkable for an import of another type.
        """
        externs: dict[tuple[str, str], Func] = {}
        for wanted in module.imports:
            snapshot = SNAPSHOTS.get(wanted.module)
            if snapshot is None or wanted.name not in FUNCTION_TYPES or wanted.name in snapshot.missing:
                continue
            functype = FUNCTION_TYPES[wanted.name]
            if wanted.type != functype:
                shown = f"{wanted.module}.{wanted.name}"
                raise Unlinkable(f"import {shown} has type {wanted.type}, but it is {functype}")
            function = _host_function(self._process, wanted.name, functype, snapshot)
            externs[wanted.module, wanted.name] = store.func_alloc(functype, function)
        return externs

    def attach(self, memory: Memory) -> None:
        """Use the memory of the instance. Functions called before (by a start function) answer FAULT."""
        self._process.memory.attach(memory)

    def close(self) -> None:
        """Close all files and directories of the guest; the standard streams stay open."""
        self._process.descriptors.close_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _preopened(name: str, preopen: Preopen) -> Directory:
    if not SUPPORTED:
        raise OSError("preopened directories need an operating system with openat and its relatives")
    return Directory(open_preopen(preopen.path), read_only=preopen.read_only, name=encode(name))


def _host_function(process: Process, name: str, functype: FuncType, snapshot: Snapshot) -> Callable[..., Any]:
    """The WASI function `name` as a host function: arguments become unsigned, failures become error numbers."""
    masks = tuple(2**64 - 1 if param is I64 else 2**32 - 1 for param in functype.params)
    if name in _VERSIONED_CALLS:
        call: SystemCall = partial(_VERSIONED_CALLS[name], process, snapshot=snapshot)
    elif name in _CALLS:
        call = partial(_CALLS[name], process)
    else:
        call = _unsupported

    def host_function(*args: int) -> int | None:
        errno = _attempt(call, [arg & mask for arg, mask in zip(args, masks, strict=True)])
        return errno if functype.results else None

    return host_function


def _attempt(call: SystemCall, args: list[int]) -> int:
    try:
        call(*args)
    except WasiError as error:
        return int(error.errno)
    except OSError as error:
        return int(errno_of(error))
    except (ValueError, OverflowError):  # a closed stream of the embedder, an offset beyond the host's off_t
        return int(Errno.INVAL)
    except MemoryError:
        return int(Errno.NOMEM)
    return int(Errno.SUCCESS)


def _unsupported(*_args: int) -> None:
    raise WasiError(Errno.NOSYS)
