"""The features of WebAssembly that the suite tests, and which script belongs to which: what proposals.toml says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

FILE = Path(__file__).with_name("proposals.toml")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A feature: its name, a title for people, the version of the specification that it came with ("" for none yet),
    the patterns of its scripts, and scripts of other features in which it is tested too."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    title: str
    version: str = ""
    files: tuple[str, ...] = ()
    within: tuple[str, ...] = ()

    def has(self, file: str) -> bool:
        """Whether a script, named relative to the suite's folder, came with this feature."""
        return any(pattern.count("/") == file.count("/") and fnmatchcase(file, pattern) for pattern in self.files)


PROPOSALS = TypeAdapter(tuple[Proposal, ...])
OTHER = Proposal("other", "Scripts outside of the suite")
"""What every other script belongs to."""


@cache
def proposals() -> tuple[Proposal, ...]:
    """All features, in the order in which they are shown."""
    return (*PROPOSALS.validate_python(tomllib.loads(FILE.read_text(encoding="utf-8"))["proposal"]), OTHER)


def proposal_of(file: str) -> Proposal:
    """The feature that a script belongs to, by its name in reports."""
    return next((proposal for proposal in proposals() if proposal.has(file)), OTHER)
