"""pywasm, another interpreter of WebAssembly in pure Python: a peer that the reference machine is compared with.

It is no engine of this project. Only kernels run on it, whose results are checked.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from benchmarks.errors import BenchmarkError
from benchmarks.kernels import RUN

DISTRIBUTION = "pywasm"
VERSION = "2.2.3"
"""The one version that is measured, so that reports can be compared; `pyproject.toml` pins the same."""

PEER = f"{DISTRIBUTION} {VERSION}"
INSTALL = f"pip install {DISTRIBUTION}=={VERSION}"


class PeerMissingError(BenchmarkError):
    """pywasm is not installed, or is another version; the message says how to install it."""


def check_peer() -> None:
    """Raises PeerMissingError if pywasm cannot be measured."""
    try:
        import_module(DISTRIBUTION)
        found = version(DISTRIBUTION)
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        raise PeerMissingError(f"it is not installed: {INSTALL}") from error
    except Exception as error:  # whatever it may raise on a Python that it does not know
        raise PeerMissingError(f"it cannot be imported here: {type(error).__name__}: {error}") from error
    if found != VERSION:
        raise PeerMissingError(f"{found} is installed instead: {INSTALL}")


def load_on_peer(wasm: bytes) -> Callable[[int], object]:
    """The function `run` of a kernel; it raises BenchmarkError if pywasm fails. `check_peer` comes first."""
    core = import_module(f"{DISTRIBUTION}.core")
    runtime = core.Runtime()
    instance = runtime.instance(core.ModuleDesc.from_reader(io.BytesIO(wasm)))

    def run(n: int) -> object:
        try:
            (result,) = runtime.invocate(instance, RUN, [n])
        except Exception as error:  # it has no exceptions of its own
            raise BenchmarkError(f"{PEER}: {type(error).__name__}: {error}") from error
        return result

    return run
