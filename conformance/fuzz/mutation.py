"""Mutations: a module of the corpus with some of its bytes, numbers, sections or function bodies changed.

A mutation of bytes works on a whole module, on the contents of one section or on one function body; the sizes around
what it changed are then made right again, so that the change is read as deep inside as it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from conformance.fuzz.code import edit_instruction
from conformance.fuzz.corpus import Corpus
from conformance.fuzz.framing import (
    CODE_SECTION,
    CUSTOM_SECTION,
    LAST_SECTION,
    PREAMBLE,
    Section,
    join,
    join_bodies,
    read_uleb,
    split,
    split_bodies,
    uleb,
)

MAX_MUTATIONS = 4
MAX_INSERTED = 24
MAX_COPIES = 8
HUGE = (2**32 - 1, 2**32, 2**31, 2**31 - 1, 2**16, 2**64 - 1, 2**63, 50_000, 1_000_000, 2**28)
"""Values that a count, a size, an index or a constant may be replaced by."""

BYTES = (0x00, 0x01, 0x02, 0x05, 0x0B, 0x40, 0x60, 0x63, 0x64, 0x6E, 0x70, 0x7B, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFF)
"""Bytes with a meaning: codes of types, `else` and `end`, prefixes, and the ends of the range."""

VALTYPES = (0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x78, 0x77, *range(0x69, 0x75), 0x63, 0x64)
"""Codes of value types, packed types, heap types, and what references with a heap type begin with."""

SMALL = 16
"""Numbers below this are taken for indices."""

ByteMutation = Callable[[Random, bytes, bytes], bytes]
"""What is changed, and another module to take bytes from -> what it became."""

SectionMutation = Callable[[Random, list[Section], list[Section]], bytes]
"""The sections that are changed (at least one), and those of another module -> the module they became."""


def flip_bit(rng: Random, data: bytes, other: bytes) -> bytes:
    """One bit becomes its opposite."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def replace_byte(rng: Random, data: bytes, other: bytes) -> bytes:
    """One byte becomes one with a meaning, or any."""
    at = rng.randrange(len(data))
    byte = rng.choice(BYTES) if rng.random() < 0.5 else rng.randrange(256)
    return data[:at] + bytes([byte]) + data[at + 1 :]


def insert(rng: Random, data: bytes, other: bytes) -> bytes:
    """Some bytes come in."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, MAX_INSERTED)) + data[at:]


def delete(rng: Random, data: bytes, other: bytes) -> bytes:
    """Some bytes go away."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, MAX_INSERTED) :]


def repeat(rng: Random, data: bytes, other: bytes) -> bytes:
    """Some bytes come several times."""
    at = rng.randrange(len(data))
    chunk = data[at : at + rng.randint(1, MAX_INSERTED)]
    return data[:at] + chunk * rng.randint(2, MAX_COPIES) + data[at + len(chunk) :]


def truncate(rng: Random, data: bytes, other: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data))]


def splice(rng: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one, the end of another."""
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def transplant(rng: Random, data: bytes, other: bytes) -> bytes:
    """Some bytes of another come in."""
    at, start = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:at] + other[start : start + rng.randint(1, MAX_INSERTED)] + data[at:]


def inflate(rng: Random, data: bytes, other: bytes) -> bytes:
    """What might be a number becomes a huge one, or the same number with padding (too much of it, now and then)."""
    at = rng.randrange(len(data))
    value, end = read_uleb(data, at)
    number = uleb(rng.choice(HUGE)) if rng.random() < 0.7 else uleb(value, rng.choice((2, 5, 6, 10, 11)))
    return data[:at] + number + data[end:]


def nudge(rng: Random, data: bytes, other: bytes) -> bytes:
    """A small number becomes the next or the one before, as an index that is off by one."""
    places = [at for at, byte in enumerate(data) if byte < SMALL]
    if not places:
        return flip_bit(rng, data, other)
    at = rng.choice(places)
    return data[:at] + bytes([max(0, data[at] + rng.choice((-1, 1)))]) + data[at + 1 :]


def retype(rng: Random, data: bytes, other: bytes) -> bytes:
    """A type becomes another one."""
    places = [at for at, byte in enumerate(data) if byte in VALTYPES]
    if not places:
        return flip_bit(rng, data, other)
    at = rng.choice(places)
    return data[:at] + bytes([rng.choice(VALTYPES)]) + data[at + 1 :]


BYTE_MUTATIONS: dict[ByteMutation, int] = {
    flip_bit: 4, replace_byte: 4, insert: 1, delete: 1, repeat: 1, truncate: 1, splice: 1, transplant: 3, inflate: 2,
    nudge: 6, retype: 6,
}  # fmt: skip
"""How often each of them comes: those that change no length leave most of a module readable."""


def duplicate_section(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section comes again, behind itself or elsewhere."""
    at = rng.randrange(len(sections))
    to = at + 1 if rng.random() < 0.6 else rng.randrange(len(sections) + 1)
    return join([*sections[:to], sections[at], *sections[to:]])


def remove_section(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section is missing."""
    at = rng.randrange(len(sections))
    return join(sections[:at] + sections[at + 1 :])


def reorder_sections(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """The sections come in another order."""
    return join(rng.sample(sections, len(sections)))


def rename_section(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section has the id of another one, or of none."""
    at = rng.randrange(len(sections))
    sections[at] = Section(rng.randint(CUSTOM_SECTION, LAST_SECTION + 1), sections[at].contents)
    return join(sections)


def recount(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section says another number of elements than it has."""
    at = rng.randrange(len(sections))
    contents = sections[at].contents
    count, end = read_uleb(contents, 0)
    wrong = rng.choice((*HUGE, count + 1, max(count - 1, 0), 0))
    sections[at] = Section(sections[at].id, uleb(wrong) + contents[end:])
    return join(sections)


def resize(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section says another size than it has."""
    at = rng.randrange(len(sections))
    section = sections[at]
    wrong = rng.choice((*HUGE, len(section.contents) + 1, max(len(section.contents) - 1, 0), 0))
    before, after = join(sections[:at]), join(sections[at + 1 :])[len(PREAMBLE) :]
    return before + bytes([section.id]) + uleb(wrong) + section.contents + after


def exchange_section(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A section is that of another module, or comes in from there."""
    at = rng.randrange(len(sections))
    mine = sections[at].id
    same = [section for section in others if section.id == mine]
    if same:
        return join([*sections[:at], same[0], *sections[at + 1 :]])
    return join([*sections[:at], *others[:1], *sections[at:]])


def mutate_section(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """The contents of a section have mutated."""
    at = rng.randrange(len(sections))
    section = sections[at]
    same = b"".join([other.contents for other in others if other.id == section.id])
    sections[at] = Section(section.id, mutate_bytes(rng, section.contents, same))
    return join(sections)


def mutate_body(rng: Random, sections: list[Section], others: list[Section]) -> bytes:
    """A function body has mutated."""
    code = [index for index, section in enumerate(sections) if section.id == CODE_SECTION]
    bodies = split_bodies(sections[code[0]].contents) if code else []
    if not bodies:
        return mutate_section(rng, sections, others)
    at = rng.randrange(len(bodies))
    theirs = b"".join([other.contents for other in others if other.id == CODE_SECTION])
    bodies[at] = mutate_bytes(rng, bodies[at], theirs)
    sections[code[0]] = Section(CODE_SECTION, join_bodies(bodies))
    return join(sections)


SECTION_MUTATIONS: tuple[SectionMutation, ...] = (
    duplicate_section, remove_section, reorder_sections, rename_section, recount, resize, exchange_section,
)  # fmt: skip


def mutate_bytes(rng: Random, data: bytes, other: bytes) -> bytes:
    """One mutation of bytes."""
    if not data:
        return rng.randbytes(rng.randint(1, MAX_INSERTED))
    mutation = rng.choices(list(BYTE_MUTATIONS), list(BYTE_MUTATIONS.values()))[0]
    return mutation(rng, data, other)


def mutate_once(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """One mutation, most of the time of an instruction, a function body or a section: there is the most to go wrong."""
    sections = split(wasm)
    kind = rng.random()
    if not sections or kind < 0.05:
        return mutate_bytes(rng, wasm, other)
    if kind < 0.55:
        edited = edit_instruction(rng, wasm, other)
        if edited is not None:
            return edited
    if kind < 0.72:
        return mutate_body(rng, sections, split(other))
    if kind < 0.9:
        return mutate_section(rng, sections, split(other))
    return rng.choice(SECTION_MUTATIONS)(rng, sections, split(other))


def mutate(rng: Random, corpus: Corpus) -> bytes:
    """A module of the corpus after one to MAX_MUTATIONS mutations."""
    wasm = corpus.pick(rng)
    for _ in range(1 if rng.random() < 0.6 else rng.randint(2, MAX_MUTATIONS)):
        wasm = mutate_once(rng, wasm, corpus.pick(rng))
    return wasm
