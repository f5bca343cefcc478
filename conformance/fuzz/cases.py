"""Cases: what is done in case `index` of a campaign follows from its seed, that number and the corpus, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random

from conformance.fuzz.corpus import Corpus
from conformance.fuzz.determinism import without_forgotten
from conformance.fuzz.framing import CODE_SECTION, LAST_SECTION, PREAMBLE, Section, join, join_bodies, uleb
from conformance.fuzz.mutation import mutate, mutate_once
from conformance.tools import wasm_tools

MAX_NOISE = 200
MAX_SEED_BYTES = 6000


class CaseKind(Enum):
    """How a module comes about."""

    MUTATED = "a module of the corpus, mutated"
    NOISE = "random bytes, bare or as contents of sections and function bodies"
    GENERATED = "a valid module made by wasm-tools smith, which is also run"
    MUTATED_GENERATED = "a module made by wasm-tools smith, mutated"


WEIGHTS = {
    CaseKind.MUTATED: 65, CaseKind.NOISE: 10, CaseKind.GENERATED: 15, CaseKind.MUTATED_GENERATED: 10,
}  # fmt: skip
"""How often each kind comes."""

RUN = {CaseKind.MUTATED: 0.5, CaseKind.NOISE: 1.0, CaseKind.GENERATED: 1.0, CaseKind.MUTATED_GENERATED: 0.5}
"""How probably a valid module of each kind is also run, which takes most of the time."""

ON = (
    "bulk-memory", "exceptions", "gc", "memory64", "multi-value", "reference-types", "saturating-float-to-int",
    "sign-extension-ops", "simd", "tail-call", "extended-const",
)  # fmt: skip
OFF = ("compact-imports", "custom-descriptors", "custom-page-sizes", "shared-everything-threads", "threads",
       "wide-arithmetic")  # fmt: skip
"""Proposals that are part of WebAssembly 3.0, and that are not."""

SIZES = {
    "fuel": 100, "max-memory32-bytes": 8 * 65536, "max-memory64-bytes": 8 * 65536, "max-table-elements": 200,
    "max-imports": 8, "max-instructions": 150, "max-memories": 3, "max-tables": 4, "min-funcs": 1,
}  # fmt: skip
SMITH = [
    *(f"--{name}-enabled=true" for name in ON),
    *(f"--{name}-enabled=false" for name in OFF),
    *(f"--{name}={size}" for name, size in SIZES.items()),
    *("--ensure-termination", "--export-everything=true", "--memory-max-size-required=true"),
    *("--table-max-size-required=true", "--generate-custom-sections=true"),
]
INSTRUCTIONS = {
    "numeric": 0.8, "vector": 0.35, "reference": 0.8, "parametric": 0.8, "variable": 0.8, "table": 0.8, "memory": 0.8,
    "control": 0.8, "aggregate": 0.8,
}  # fmt: skip
"""Parts of the chapter on instructions, as wasm-tools smith names them, and how probably a module may use each: fewer
at a time make each more frequent, and the payloads of NaNs in vectors are not always determined."""

DETERMINISTIC = ("--canonicalize-nans=true", "--relaxed-simd-enabled=false")
"""What makes all engines give the same results, bit by bit."""

AVAILABLE = """(module
  (import "m" "f" (func)) (import "m" "i" (func (param i32) (result i32)))
  (import "m" "many" (func (param i64 f32 f64) (result f64 i64 f32)))
  (import "m" "r" (func (param funcref externref) (result externref)))
  (import "m" "a" (func (param anyref exnref) (result eqref structref)))
  (import "m" "v" (func (param v128) (result v128)))
  (import "m" "g" (global i32)) (import "m" "n" (global (mut i64))) (import "m" "x" (global externref))
  (import "m" "memory" (memory 1 2)) (import "m" "memory64" (memory i64 1 2))
  (import "m" "table" (table 5 20 funcref)) (import "m" "t64" (table i64 3 9 externref)))"""
"""What a module that is run may import: of each of these there is a value, in every engine."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its number, how it came about, the bytes that may be a module, and whether it is run if it is one."""

    index: int
    kind: CaseKind
    wasm: bytes
    run: bool


def random_of(seed: int, index: int) -> Random:
    """The source of all choices in case `index`."""
    return Random(f"{seed}:{index}")  # noqa: S311 (a case must be repeatable, not secret)


def make_case(seed: int, index: int, corpus: Corpus, scratch: Path) -> Case:
    """Case `index` of the campaign `seed`; wasm-tools writes to the folder `scratch`.

    Raises ToolMissingError, ToolFailedError.
    """
    rng = random_of(seed, index)
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if kind is CaseKind.MUTATED:
        wasm = mutate(rng, corpus)
    elif kind is CaseKind.NOISE:
        wasm = noise(rng)
    elif kind is CaseKind.GENERATED:
        options = (*DETERMINISTIC, f"--available-imports={available_imports(scratch)}")
        wasm = without_forgotten(generate(rng, scratch, options))
    else:
        wasm = mutate_once(rng, generate(rng, scratch), corpus.pick(rng))
    return Case(index, kind, wasm, rng.random() < RUN[kind])


def noise(rng: Random) -> bytes:
    """Random bytes behind the preamble, as contents of sections in their order, or as a function body."""
    form = rng.randrange(3)
    data = rng.randbytes(rng.randrange(MAX_NOISE))
    if form == 0:
        return PREAMBLE + data
    if form == 1:
        ids = sorted(rng.sample(range(LAST_SECTION + 1), rng.randint(1, 4)))
        return join([Section(id_, uleb(rng.randrange(4)) + rng.randbytes(rng.randrange(MAX_NOISE))) for id_ in ids])
    types = Section(1, b"\x01\x60\x01\x7f\x01\x7f")
    return join([types, Section(3, b"\x01\x00"), Section(CODE_SECTION, join_bodies([b"\x00" + data + b"\x0b"]))])


def available_imports(scratch: Path) -> Path:
    """The file with the module AVAILABLE.  Raises ToolMissingError, ToolFailedError."""
    target = scratch / "available.wasm"
    if not target.exists():
        wasm_tools(["parse", "-o", target], AVAILABLE.encode())
    return target


def generate(rng: Random, scratch: Path, options: Sequence[str] = ()) -> bytes:
    """A valid module of WebAssembly 3.0 by wasm-tools smith; the empty module if it can make none of its random bytes.

    Raises ToolMissingError, ToolFailedError.
    """
    target = scratch / "smith.wasm"
    target.unlink(missing_ok=True)
    kinds = [kind for kind, probability in INSTRUCTIONS.items() if rng.random() < probability] or list(INSTRUCTIONS)
    options = [*SMITH, *options, f"--allowed-instructions={','.join(kinds)}"]
    code, _ = wasm_tools(["smith", "-o", target, *options], rng.randbytes(rng.randint(100, MAX_SEED_BYTES)))
    return target.read_bytes() if code == 0 and target.exists() else PREAMBLE
