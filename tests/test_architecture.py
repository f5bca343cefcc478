"""The rules of the house: which package may import which, how long a file may be, no fact twice."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from interp.syntax.instructions import BY_MNEMONIC, OPS

ROOT = Path(__file__).parents[1]
PACKAGES = ("interp", "wapc", "wascap", "host", "conformance", "benchmarks")
ENGINE_SEAM = {"interp", "interp.engine", "interp.errors", "interp.syntax.types", "interp.wasi"}
COMMAND_SEAM = {"interp.arguments", "interp.cli", "interp.dump"}
"""What `wascc` needs to know the errors of other layers' commands."""
CACHE_SEAM = {"interp.compiled.cache_folder"}
"""Where this program keeps what it can have again, and that only the user has written there."""
MAY_IMPORT: dict[str, set[str]] = {
    "interp": set(),
    "wascap": set(),
    "wapc": ENGINE_SEAM,
    "host": ENGINE_SEAM | COMMAND_SEAM | CACHE_SEAM | {"wapc", "wascap"},
}
MAX_LINES = 500


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_go_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package]
    for path in sources(package):
        for name in imports(path):
            top = name.partition(".")[0]
            if top in PACKAGES and top != package:
                assert name in allowed or top in allowed & {"wapc", "wascap"}, (
                    f"{path.relative_to(ROOT)} imports {name}"
                )


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_files_stay_small(package: str) -> None:
    for path in sources(package):
        lines = len(path.read_text().splitlines())
        assert lines <= MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines"


def test_no_assert_checks_input() -> None:
    for package in PACKAGES:
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text())):
                assert not isinstance(node, ast.Assert), f"{path.relative_to(ROOT)}:{node.lineno} asserts"


def test_each_opcode_and_mnemonic_is_in_the_table_once() -> None:
    assert max(Counter(op.mnemonic for op in OPS).values()) == 1
    assert max(Counter(op.opcode for op in OPS).values()) == 1


def test_no_numeric_mnemonic_is_written_outside_the_table() -> None:
    numeric = {name for name, op in BY_MNEMONIC.items() if op.sem is not None}
    for package in PACKAGES:
        for path in sources(package):
            if path.parent == ROOT / "interp/syntax":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert node.value not in numeric, f"{path.relative_to(ROOT)}:{node.lineno} writes {node.value}"


def test_every_source_file_says_what_it_holds() -> None:
    for package in PACKAGES:
        for path in sources(package):
            source = path.read_text()
            assert not source.strip() or ast.get_docstring(ast.parse(source)), f"{path.relative_to(ROOT)}: no docstring"
