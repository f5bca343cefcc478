"""Which scripts are run: from paths, the suite's folder, a pattern, and the list of those that must pass (smoke)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

SMOKE_FILE = Path(__file__).with_name("smoke.toml")
PATTERN = "*.wast"
MAX_NAMES = 5
"""Names that an error lists."""


class SelectionError(ValueError):
    """There is nothing to run, or a path does not exist."""


@dataclass(frozen=True, slots=True)
class Smoke:
    """The scripts of the suite that must pass completely within `features` on every engine, for every change."""

    features: str
    files: tuple[str, ...]


@cache
def smoke() -> Smoke:
    """The list in smoke.toml."""
    data = tomllib.loads(SMOKE_FILE.read_text(encoding="utf-8"))
    return Smoke(data["features"], tuple(data["files"]))


def select(
    paths: Sequence[Path], suite: Path | None, pattern: str = "*", only: Iterable[str] | None = None
) -> dict[Path, str]:
    """The scripts to run, in order, and their names for reports: relative to the suite's folder where they are in it.

    `paths` are scripts or folders of scripts, empty for the whole folder `suite`; `pattern` is a shell pattern and
    `only` a list of names, both to restrict them by name. Raises SelectionError.
    """
    sources = list(paths) or ([] if suite is None else [suite])
    if not sources:
        raise SelectionError("no scripts: name some, or give the suite's folder with --suite or WASM_TESTSUITE")
    names = {script.absolute(): _name(script, suite) for path in sources for script in _scripts(path)}
    if only is not None:
        wanted = set(only)
        missing = sorted(wanted - set(names.values()))
        if missing:
            more = f" and {len(missing) - MAX_NAMES} more" if len(missing) > MAX_NAMES else ""
            raise SelectionError(f"the suite has no {', '.join(missing[:MAX_NAMES])}{more}")
        names = {script: name for script, name in names.items() if name in wanted}
    chosen = {script: name for script, name in names.items() if fnmatch(name, pattern)}
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
