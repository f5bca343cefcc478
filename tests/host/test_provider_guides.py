"""The guides of the providers say what the providers say: which there are, and which values they know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

from host.providers.values import ChoiceValue, IntegerValue, TextValue

DOCS = Path(__file__).parents[2] / "docs"
PROVIDERS = {each.name: each for each in entry_points(group="wascc.providers") if each.value.startswith("host.")}
LISTED = re.compile(r"^\| `(\w+)` \| `([\w:]+)` \| \[[^]]+\]\(([\w/]+\.md)\) \| `([\w.]+)` \|$", re.MULTILINE)
HEADING = re.compile(r"^##+ (.*)$")
CODE = re.compile(r"`([^`]+)`")
ELSEWHERE = re.compile(r"\]\((\w+\.md)(?:#[\w-]+)?\)")


class Row(NamedTuple):
    default: str
    range: str


class Listed(NamedTuple):
    capability: str
    guide: Path
    class_path: str


def listed() -> dict[str, Listed]:
    found = LISTED.findall((DOCS / "providers.md").read_text())
    return {name: Listed(capability, DOCS / guide, path) for name, capability, guide, path in found}


def tables(guide: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows of the tables of values, each with the heading that it stands under."""
    heading, is_within = "", False
    for line in guide.read_text().splitlines():
        if match := HEADING.match(line):
            heading = match[1]
        if line.startswith("| value | default | range |"):
            is_within = True
        elif not line.startswith("|"):
            is_within = False
        elif is_within and not line.startswith("|---"):
            yield heading, [cell.strip() for cell in line.split("|")[1:-1]]


def rows(guide: Path, name: str) -> dict[str, Row]:
    """What a guide says of the values of an entry point: under its own headings, and under those of no entry point."""
    found: dict[str, Row] = {}
    for heading, cells in tables(guide):
        others = PROVIDERS.keys() & set(CODE.findall(heading))
        for value in CODE.findall(cells[0]) if not others or name in others else ():
            assert value not in found, f"{guide.name} has {value} of {name} twice"
            there = ELSEWHERE.search(cells[1])
            found[value] = Row(*cells[1:3]) if there is None else rows_of_page(guide.with_name(there[1]))[value]
    return found


def rows_of_page(guide: Path) -> dict[str, Row]:
    return {value: Row(*cells[1:3]) for _, cells in tables(guide) for value in CODE.findall(cells[0])}


def number(text: str) -> int:
    base, _, exponent = text.partition("^")
    return int(base) ** int(exponent or 1)


def check(value: str, row: Row) -> None:
    match value:
        case IntegerValue():
            assert row.default == (str(value.default) if value.low <= value.default <= value.high else ""), value
            low, _, high = row.range.removesuffix(" s").partition(" – ")
            assert (number(low), number(high)) == (value.low, value.high), value
        case ChoiceValue():
            assert CODE.findall(row.default) == [value.default] * bool(value.default), value
            assert tuple(CODE.findall(row.range)) == value.choices, value
        case TextValue():
            assert CODE.findall(row.default) == [value.default] * bool(value.default), value


def test_every_provider_is_listed() -> None:
    assert listed().keys() == PROVIDERS.keys()


@pytest.mark.parametrize("entry_point", PROVIDERS.values(), ids=PROVIDERS)
def test_the_list_says_what_a_provider_is(entry_point: EntryPoint) -> None:
    said, provider = listed()[entry_point.name], entry_point.load()
    module, _, name = said.class_path.rpartition(".")
    assert getattr(import_module(module), name) is provider
    assert said.capability == provider.capability


@pytest.mark.parametrize("entry_point", PROVIDERS.values(), ids=PROVIDERS)
def test_a_guide_has_every_value_with_its_default_and_range(entry_point: EntryPoint) -> None:
    known: frozenset[str] = entry_point.load().value_names
    said = rows(listed()[entry_point.name].guide, entry_point.name)
    assert said.keys() == known
    for value in known:
        check(value, said[value])
