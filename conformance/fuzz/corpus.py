"""The modules that mutations start from: those of the test suite, else those written as text in this repository."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from conformance.script import ScriptError, load_script
from conformance.selection import PATTERN
from conformance.tools import ToolFailedError, wasm_tools

ROOT = Path(__file__).parents[2]
TEXT_FOLDERS = ("benchmarks/kernels", "tests", "examples")
"""Where the repository has modules in the text format."""

MAX_MODULE_BYTES = 8192
"""Greater modules are left out: what is slow about them is their size."""


class CorpusError(ValueError):
    """There is no module to start from."""


def load_corpus(suite: Path | None) -> tuple[bytes, ...]:
    """Different modules in a fixed order, from the `.wast` scripts in the folder `suite`, or the repository for None.

    Scripts that wasm-tools cannot convert are left out. Raises CorpusError, ToolMissingError.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as scratch:
        found = _of_texts(Path(scratch)) if suite is None else _of_suite(suite, Path(scratch))
        modules = tuple([wasm for wasm in dict.fromkeys(found) if len(wasm) <= MAX_MODULE_BYTES])
    if not modules:
        raise CorpusError(f"no modules in {ROOT if suite is None else suite}")
    return modules


def _of_suite(suite: Path, scratch: Path) -> Iterable[bytes]:
    for path in sorted(suite.glob(PATTERN)):
        with suppress(ScriptError):
            yield from [wasm for _, wasm in sorted(load_script(path, scratch).modules.items())]


def _of_texts(scratch: Path) -> Iterable[bytes]:
    target = scratch / "module.wasm"
    for path in sorted(path for folder in TEXT_FOLDERS for path in (ROOT / folder).rglob("*.wat")):
        with suppress(ToolFailedError):
            if wasm_tools(["parse", path, "-o", target])[0] == 0:
                yield target.read_bytes()
