"""The modules that mutations start from: those of the test suite, else those written as text in this repository."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from conformance.script import AssertInvalid, AssertMalformed, ModuleCommand, ScriptError, load_script
from conformance.selection import PATTERN
from conformance.tools import ToolFailedError, wasm_tools

ROOT = Path(__file__).parents[2]
TEXT_FOLDERS = ("tests", "examples")
"""Where the repository has modules in the text format."""

KERNELS = "benchmarks/kernels/wasm"
"""Where it has binary ones."""

MAX_MODULE_BYTES = 8192
"""Greater modules are left out: what is slow about them is their size."""


OTHERS = 0.15
"""How probably a module that is picked is one of those that are not valid."""


class CorpusError(ValueError):
    """There is no module to start from."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Different modules in a fixed order: at least one that should be valid, and those that should not."""

    valid: tuple[bytes, ...]
    others: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.valid) + len(self.others)

    def pick(self, rng: Random) -> bytes:
        """One of the modules."""
        return rng.choice(self.others if self.others and rng.random() < OTHERS else self.valid)


def load_corpus(suite: Path | None) -> Corpus:
    """The modules of the `.wast` scripts in the folder `suite`, or of the repository for None.

    Scripts that wasm-tools cannot convert are left out. Raises CorpusError, ToolMissingError.
    """
    found: dict[bytes, bool] = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as scratch:
        for wasm, valid in _of_texts(Path(scratch)) if suite is None else _of_suite(suite, Path(scratch)):
            if len(wasm) <= MAX_MODULE_BYTES:
                found.setdefault(wasm, valid)
    modules = tuple([wasm for wasm, valid in found.items() if valid])
    if not modules:
        raise CorpusError(f"no modules in {ROOT if suite is None else suite}")
    return Corpus(modules, tuple([wasm for wasm, valid in found.items() if not valid]))


def _of_suite(suite: Path, scratch: Path) -> Iterator[tuple[bytes, bool]]:
    for path in sorted(suite.glob(PATTERN)):
        with suppress(ScriptError):
            script = load_script(path, scratch)
            for command in script.commands:
                binary = command.binary if isinstance(command, ModuleCommand) else None
                if binary is not None:
                    yield script.modules[Path(binary).name], not isinstance(command, AssertInvalid | AssertMalformed)


def _of_texts(scratch: Path) -> Iterator[tuple[bytes, bool]]:
    for path in sorted((ROOT / KERNELS).glob("*.wasm")):
        yield path.read_bytes(), True
    target = scratch / "module.wasm"
    for path in sorted(path for folder in TEXT_FOLDERS for path in (ROOT / folder).rglob("*.wat")):
        with suppress(ToolFailedError):
            if wasm_tools(["parse", path, "-o", target])[0] == 0:
                yield target.read_bytes(), True
