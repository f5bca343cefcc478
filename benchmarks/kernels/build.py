"""Build the kernels and programs from their C sources, or check that the modules are what the sources give.

    python -m benchmarks.kernels.build            compile all, write what has changed
    python -m benchmarks.kernels.build --check    change nothing; exit code 1 if a module is not what its source gives

The same source gives the same bytes on every machine. The compiler is Zig's, which the extra `examples` brings.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.kernels import KERNELS, PROGRAMS, Kernel
from interp.syntax.features import BULK_MEMORY, SIMD

SOURCE = Path(__file__).parent / "src"
STACK_BYTES = 64 * 1024
COMPILE_SECONDS = 600
COMPILER = "ziglang"
COMPILER_MISSING = "the Zig compiler is missing: pip install 'wascc[examples]'"

FLAGS = {BULK_MEMORY: "-mbulk-memory", SIMD: "-msimd128"}
"""Feature -> what makes the compiler use it."""

C_FLAGS = (
    *("--target=wasm32-freestanding", "-std=c17", "-g0", "-ffreestanding", "-nostdlib"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"),
    # The same operations as in Python, in the same order, and nothing checked that the source does not check.
    *("-fno-math-errno", "-ffp-contract=off", "-fno-sanitize=all", "-fno-stack-protector"),
)


LINK_FLAGS = (
    *("--no-entry", "--strip-all", "--keep-section=name", "--compress-relocations"),
    # With the stack first in memory, a stack that grows too large traps instead of overwriting data.
    *("--stack-first", "-z", f"stack-size={STACK_BYTES}"),
)


class BuildError(BenchmarkError):
    """A module cannot be built, or what is there is not what should be."""


def sources(name: str) -> list[Path]:
    """The C files of a kernel: `src/<name>.c`, or all in the folder `src/<name>`."""
    folder = SOURCE / name
    return sorted(folder.glob("*.c")) if folder.is_dir() else [SOURCE / f"{name}.c"]


def build(kernel: Kernel) -> bytes:
    """The module that a kernel's source gives: of version 1.0 and the features that the kernel needs, without debug
    information, with the names of functions. Raises BuildError."""
    flags = ["-mcpu=mvp", *(FLAGS[feature] for feature in sorted(kernel.features))]
    return link(f"{kernel.name}.wasm", sources(kernel.name), [*flags, "-O2"])


def link(name: str, files: Sequence[Path], flags: Sequence[str]) -> bytes:
    """The module called `name` that C files give together. Raises BuildError."""
    with tempfile.TemporaryDirectory() as folder:
        objects = [Path(folder) / f"{file.stem}.o" for file in files]

        def compile_file(file: Path, target: Path) -> None:
            _zig(folder, "cc", *C_FLAGS, *flags, "-c", str(file), "-o", str(target))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_file, files, objects))
        module = Path(folder) / name  # which the linker writes into the module
        _zig(folder, "wasm-ld", *map(str, objects), "-o", str(module), *LINK_FLAGS)
        return module.read_bytes()


def _zig(cache: str, *arguments: str) -> None:
    if importlib.util.find_spec(COMPILER) is None:
        raise BuildError(COMPILER_MISSING)
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [sys.executable, "-m", COMPILER, *arguments],
            env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
            check=True,
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise BuildError(f"zig {arguments[0]} failed:\n{error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"zig {arguments[0]} failed: {error}") from error


def check(kernel: Kernel) -> None:
    """Raises BuildError unless the module of a kernel is what its source gives."""
    if not kernel.path.exists():
        raise BuildError(f"{kernel.path}: there is no such file")
    if kernel.path.read_bytes() != build(kernel):
        raise BuildError(f"{kernel.path} is not what its source gives")


def main() -> int:
    """The command line: exit code 0 if the modules are now what they should be, 1 if not."""
    parser = argparse.ArgumentParser(description="Build the kernels and programs from C.")
    parser.add_argument("--check", action="store_true", help="change nothing: compare the modules with their sources")
    check_only = parser.parse_args().check
    kernels, written = (*KERNELS, *PROGRAMS), 0
    try:
        for kernel in kernels:
            if check_only:
                check(kernel)
                continue
            wasm = build(kernel)
            if not kernel.path.exists() or kernel.path.read_bytes() != wasm:
                kernel.path.parent.mkdir(exist_ok=True)
                kernel.path.write_bytes(wasm)
                written += 1
                print(f"{kernel.path.name}: {len(wasm)} bytes")
    except (BuildError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    print(
        f"{len(KERNELS) + len(PROGRAMS)} modules are what their sources give"
        + (f", {written} of them anew" if written else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
