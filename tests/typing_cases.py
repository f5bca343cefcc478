"""Cases of typing rules: what a rule accepts and with which type, and what it refuses.

Rules of instructions are named without the relation in front (`br_if` for `Instr_ok/br_if`), all others in full.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Typing:
    """A rule of instructions: the body of a function in which it types an instruction as `type` (with the operands as
    they are found), and a body that it refuses (None if it refuses nothing)."""

    rule: str
    body: str
    type: str
    refused: str | None
    fields: str = ""

    def module(self, body: str) -> str:
        """The module with the function, which is the last one."""
        return f"(module {self.fields} (func {body}))"


@dataclass(frozen=True)
class Subtyping:
    """A rule by which `lower` matches `upper`; `not_upper` is another type, which it does not match."""

    rule: str
    lower: str
    upper: str
    not_upper: str
    fields: str = ""

    def module(self, upper: str) -> str:
        """A module that is valid if `lower` matches that type."""
        return f"(module {self.fields} (func (param {self.lower}) (result {upper}) (local.get 0)))"


@dataclass(frozen=True)
class Fields:
    """A rule, fields of a module that are valid by it, and fields that it refuses (None if it refuses nothing)."""

    rule: str
    fields: str
    refused: str | None


@dataclass(frozen=True)
class Linking:
    """A rule of external types: what is exported as `x`, an import that it matches, and one that it does not match."""

    rule: str
    export: str
    accepted: str
    refused: str
