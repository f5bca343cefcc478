"""A big actor: about 2 MB of WebAssembly in some 800 functions, as compilers emit them.

Its C source is generated, since what matters is what a compiler makes of it; nothing of it is kept in the repository.
"""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.kernels.big_actor.generator import FUNCTIONS, sources
from benchmarks.kernels.build import C_FLAGS, COMPILER, COMPILER_MISSING, LINK_FLAGS, SOURCE, BuildError, link
from conformance.suite import cache_folder

FOLDER = Path(__file__).parent
WRITTEN = (FOLDER / "actor.h", FOLDER / "runtime.c", SOURCE / "kernel.h")
"""The files that are not generated."""

FLAGS = ("-mcpu=mvp", "-O1", "-w")


def big_actor() -> bytes:
    """The module, of version 1.0, without imports. Like a kernel it exports `run(n: i32)`, which is quick: it carries
    out one of its functions on some input, and gives a hash of what that did.

    It is built once, which takes about half a minute, and then kept in the user's cache folder. Raises BuildError.
    """
    path = kept_as()
    try:
        if path.exists():
            return path.read_bytes()
        wasm = build(all_sources(FUNCTIONS))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix="big-actor-", delete=False) as file:
            file.write(wasm)
        # Another process may do the same at the same time: a file that is there is a whole one.
        Path(file.name).replace(path)
    except OSError as error:
        raise BuildError(f"the big actor cannot be kept: {error}") from error
    return wasm


def kept_as() -> Path:
    """The file that is or will be the module, named by all that it follows from. Raises BuildError."""
    return cache_folder() / f"big-actor-{_key(all_sources(FUNCTIONS))}.wasm"


def all_sources(functions: int) -> dict[str, str]:
    """The C files of an actor of so many functions, by name."""
    return {path.name: path.read_text() for path in WRITTEN} | sources(functions)


def build(files: dict[str, str]) -> bytes:
    """The module that C files give. Raises BuildError."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        return link("big-actor.wasm", [Path(folder) / name for name in sorted(files) if name.endswith(".c")], FLAGS)


def _key(files: dict[str, str]) -> str:
    """The sources, the compiler and what it is told, as a digest."""
    try:
        compiler = version(COMPILER)
    except PackageNotFoundError as error:
        raise BuildError(COMPILER_MISSING) from error
    parts = [compiler, *C_FLAGS, *FLAGS, *LINK_FLAGS, *(text for name in sorted(files) for text in (name, files[name]))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
