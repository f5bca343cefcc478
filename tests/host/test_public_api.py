"""What programs import from `host` is whole, and `docs/host.md` names all that a host can do and every error."""

import inspect
import re
from pathlib import Path

import pytest

import host
from host import Host, HostBuilder, HostError, errors

PAGE = (Path(__file__).parents[2] / "docs" / "host.md").read_text()
ERRORS = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls) and issubclass(cls, HostError)}


def public(cls: type) -> list[str]:
    return [name for name in vars(cls) if not name.startswith("_")]


@pytest.mark.parametrize("name", [name for cls in (Host, HostBuilder) for name in public(cls)])
def test_the_page_names_what_a_host_and_its_builder_can_do(name: str) -> None:
    assert re.search(rf"`{name}[`(]", PAGE), f"docs/host.md does not say what {name} does"


def test_the_page_has_every_error_with_its_prefix() -> None:
    rows = re.findall(r"^\| (.*) \| (none|`.+`) \|$", PAGE.partition("## Errors")[2].partition("## ")[0], re.MULTILINE)
    documented = {name: "" if prefix == "none" else prefix[1:-1] for row, prefix in rows for name in _names(row)}
    assert documented.pop("ManifestError") == host.ManifestError.prefix
    assert documented == {name: cls.prefix for name, cls in ERRORS.items() if cls is not HostError}


def _names(row: str) -> list[str]:
    return re.findall(r"`(\w+)`", row)


def test_every_error_of_the_host_can_be_imported() -> None:
    assert set(ERRORS) <= set(dir(host))
