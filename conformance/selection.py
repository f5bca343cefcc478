"""Which scripts are run: from paths, the suite's folder, a pattern, and names to leave out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from pathlib import Path

from conformance.suite import PATTERN


class SelectionError(ValueError):
    """There is nothing to run, or a path does not exist."""


__all__ = ["PATTERN", "SelectionError", "select"]


def select(
    paths: Sequence[Path], suite: Path | None, pattern: str = "*", without: Collection[str] = ()
) -> dict[Path, str]:
    """The scripts to run, in order, and their names for reports: relative to the suite's folder where they are in it.

    `paths` are scripts or folders of scripts, empty for the whole folder `suite`; `pattern` is a shell pattern
    of names, and `without` are names that are left out. Raises SelectionError.
    """
    sources = list(paths) or ([] if suite is None else [suite])
    if not sources:
        raise SelectionError("no scripts: name some, give --suite or WASM_TESTSUITE the suite's folder, or --fetch it")
    names = {script.absolute(): _name(script, suite) for path in sources for script in _scripts(path)}
    chosen = {script: name for script, name in names.items() if fnmatch(name, pattern) and name not in without}
    if not chosen:
        raise SelectionError("no script matches")
    return chosen


def _scripts(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(PATTERN))
    if not path.is_file():
        raise SelectionError(f"{path}: no such file or folder")
    return [path]


def _name(script: Path, suite: Path | None) -> str:
    if suite is not None and script.absolute().is_relative_to(suite.absolute()):
        return script.absolute().relative_to(suite.absolute()).as_posix()
    return script.as_posix()
