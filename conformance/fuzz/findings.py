"""Findings: what a case showed that must not be, with all that is needed to see it again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from interp.errors import escaped


class Symptom(Enum):
    """What is wrong; the values are the words of reports and of file names."""

    EXCEPTION = "exception"
    SLOW = "slow"
    MEMORY = "memory"
    CRASH = "crash"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DIFFERENT = "different"

    @property
    def meaning(self) -> str:
        """One line for people."""
        return MEANINGS[self]


MEANINGS = {
    Symptom.EXCEPTION: "an exception that is neither Malformed nor Invalid",
    Symptom.SLOW: "took too long",
    Symptom.MEMORY: "took too much memory",
    Symptom.CRASH: "the process ended, or did not answer any more",
    Symptom.ACCEPTED: "valid here, refused by Wasmtime",
    Symptom.REFUSED: "refused here, valid for Wasmtime",
    Symptom.DIFFERENT: "runs differently here and in Wasmtime",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One symptom of one case. `case` names it: how it came about, seed and number, or its file."""

    symptom: Symptom
    case: str
    detail: str
    wasm: bytes

    def __str__(self) -> str:
        return escaped(f"{self.symptom.value}: case {self.case} ({len(self.wasm)} bytes): {self.detail}")

    def save(self, folder: Path) -> Path:
        """Write the module, and beside it what is wrong, to `folder`: the path of the module.  Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.symptom.value}-{self.case}.wasm"
        path.write_bytes(self.wasm)
        path.with_suffix(".txt").write_text(f"{self.symptom.meaning}\n{self.detail}\n", encoding="utf-8")
        return path
