"""The page about middleware has every value that the two middlewares know, with its default and range."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from host.middleware.settings import NumberValue
from host.providers.values import ChoiceValue, IntegerValue

PAGE = (Path(__file__).parents[2] / "docs" / "middleware.md").read_text()
CODE = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("name", ["prometheus", "tracing"])
def test_the_page_has_every_value_with_its_default_and_range(name: str) -> None:
    settings = import_module(f"host.middleware.{name}.settings")
    section = PAGE.partition(f"\n## {name.title()}\n")[2].partition("\n## ")[0]
    table = section.partition("| value | default | range | meaning |\n")[2].partition("\n\n")[0]
    said = {}
    for row in table.splitlines()[1:]:
        names, default, allowed, _ = (cell.strip() for cell in row.split("|")[1:-1])
        said |= dict.fromkeys(CODE.findall(names), (default, allowed.removesuffix(" s")))
    assert said.keys() == settings.VALUES
    for value in settings.VALUES:
        default, allowed = said[value]
        match value:
            case NumberValue() | IntegerValue():
                assert default == f"{value.default:g}", value
                assert [float(each) for each in allowed.split(" – ")] == [value.low, value.high], value
            case ChoiceValue():
                assert CODE.findall(default) == [value.default], value
                assert tuple(CODE.findall(allowed)) == value.choices, value
            case _:
                assert default == (f"`{value.default}`" if getattr(value, "default", "") else "none"), value
