"""Cases: the module of case `index` of a run follows from the seed, that number and the source, nothing else."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from conformance.fuzz.cases import available_imports, random_of
from conformance.fuzz.cases import generate as smith
from conformance.lockstep.choices import Choices
from conformance.lockstep.compare import Subject
from conformance.lockstep.encode import encode
from conformance.lockstep.grammar import generate


class Source(Enum):
    """Where modules come from."""

    GENERATED = "generated"
    SMITH = "smith"
    BOTH = "both"
    SUITE = "suite"


SMITH_SHARE = 4
"""Of both sources, one module in so many is one of wasm-tools smith."""

RELAXED_SHARE = 10
"""One in so many modules of wasm-tools smith may have relaxed instructions; these run on pure engines only."""


def source_of(source: Source, index: int) -> Source:
    """The source of one case."""
    if source is not Source.BOTH:
        return source
    return Source.SMITH if index % SMITH_SHARE == SMITH_SHARE - 1 else Source.GENERATED


def case_name(source: Source, seed: int, index: int) -> str:
    """What a case is called: its source, the seed, and its number."""
    return f"{source_of(source, index).value}-{seed}-{index}"


def make_case(source: Source, seed: int, index: int, scratch: Path) -> Subject:
    """Case `index` of a run; wasm-tools writes to the folder `scratch`.  Raises ToolMissingError, ToolFailedError."""
    name = case_name(source, seed, index)
    if source_of(source, index) is Source.GENERATED:
        return Subject(encode(generate(Choices.seeded(name))), name)
    rng = random_of(seed, index)
    relaxed = "true" if rng.randrange(RELAXED_SHARE) == 0 else "false"
    options = (f"--available-imports={available_imports(scratch)}", f"--relaxed-simd-enabled={relaxed}")
    return Subject(smith(rng, scratch, options), name)
