"""Build the counter actor from its source and sign it, or check that the signed module is what the source gives.

    python examples/counter/build.py            compile, sign, write counter.wasm
    python examples/counter/build.py --check    compile and compare; exit code 1 if anything is not as it should be

The same source gives the same bytes on every machine. Only the token, which holds an id and the time of signing,
differs from one signing to the next; so a module that is up to date is left as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from wascap import ActorMetadata, Claims, KeyPair, WascapError, inspect, module_hash, sign

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "src"
KEYS = HERE / "keys"
SIGNED_MODULE = HERE / "counter.wasm"

STACK_BYTES = 16 * 1024
MEMORY_BYTES = 8 * 1024 * 1024
COMPILE_SECONDS = 600

METADATA = ActorMetadata(
    name="Counter",
    tags=("example", "counter"),
    capabilities=("wascc:http_server", "wascc:keyvalue"),
    revision=1,
    version="1.0.0",
)


class BuildError(Exception):
    """The actor cannot be built, or what is there is not what should be; the message is for people."""


def compile_actor(source: Path = SOURCE, optimize: str = "fast") -> bytes:
    """The module, not signed, that `source` (a folder with counter.zig) gives.

    `optimize` is a mode of the Zig compiler: "fast" executes the fewest instructions, "safe" adds checks that trap.
    Raises BuildError.
    """
    with tempfile.TemporaryDirectory() as folder:
        # The linker writes the name of its output into the module, so that name must always be the same.
        object_file, module = Path(folder) / "counter.o", Path(folder) / SIGNED_MODULE.name
        # Only WebAssembly 1.0, so that every engine runs it. Debug symbols are what the linker takes names from.
        _zig(
            source,
            *("build-obj", "counter.zig", "-target", "wasm32-freestanding", "-mcpu=mvp", "-O", optimize),
            *("-fno-strip", "-fno-compiler-rt", f"-femit-bin={object_file}"),
            *("--cache-dir", folder, "--global-cache-dir", folder),
        )
        # Of all that names machines or paths nothing stays, of custom sections only the one with function names.
        # With the stack first in memory, a stack that grows too large traps instead of overwriting data.
        _zig(
            source,
            *("wasm-ld", str(object_file), "-o", str(module), "--no-entry", "--export=__guest_call"),
            *("--strip-all", "--keep-section=name", "--compress-relocations"),
            *("--stack-first", "-z", f"stack-size={STACK_BYTES}", f"--max-memory={MEMORY_BYTES}"),
        )
        return module.read_bytes()


def _zig(folder: Path, *arguments: str) -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError("the Zig compiler is missing: pip install 'wascc[examples]'")
    command = [sys.executable, "-m", "ziglang", *arguments]
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=COMPILE_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise BuildError(f"zig {arguments[0]} failed:\n{error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"zig {arguments[0]} failed: {error}") from error


def sign_actor(unsigned: bytes) -> bytes:
    """The module with a new token of the demo identities inside. Raises WascapError."""
    return sign(unsigned, _claims(), _key("account"))


def _claims() -> Claims[ActorMetadata]:
    return Claims(issuer=_key("account").public_key, subject=_key("module").public_key, metadata=METADATA)


def _key(kind: str) -> KeyPair:
    return KeyPair.from_file(KEYS / f"counter_{kind}.nk")


def check(unsigned: bytes, signed: bytes) -> None:
    """Check that `signed` is `unsigned` with a good token of the demo identities. Raises BuildError | WascapError."""
    inspection = inspect(signed)
    if inspection is None:
        raise BuildError("it is not signed")
    if inspection.problems:
        raise inspection.problems[0]
    if inspection.module_hash != module_hash(unsigned):
        raise BuildError("it is not what its source gives")
    actual = inspection.token.claims
    metadata = replace(METADATA, module_hash=inspection.module_hash)
    if actual != replace(_claims(), id=actual.id, issued_at=actual.issued_at, metadata=metadata):
        raise BuildError("its claims are not those that this script signs")


def main() -> int:
    """The command line: exit code 0 if the signed module is now what it should be, 1 if not."""
    parser = argparse.ArgumentParser(description="Build and sign the counter actor.")
    parser.add_argument("--check", action="store_true", help="change nothing: compare counter.wasm with its source")
    check_only = parser.parse_args().check
    try:
        unsigned = compile_actor()
        try:
            check(unsigned, _read(SIGNED_MODULE))
            outcome = f"{SIGNED_MODULE.name} is what its source gives, and its token is good"
        except (BuildError, WascapError) as error:
            if check_only:
                raise BuildError(f"{SIGNED_MODULE}: {error}; build.py without --check makes it anew") from error
            SIGNED_MODULE.write_bytes(sign_actor(unsigned))
            outcome = f"{SIGNED_MODULE.name} is built and signed"
    except (BuildError, WascapError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{outcome}\n")
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BuildError("there is no such file") from error


if __name__ == "__main__":
    sys.exit(main())
