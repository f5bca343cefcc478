"""The published schema and reference are those of the models, say something of every field, and judge like them."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from host import Manifest, ManifestError
from host.manifest.schema import json_schema, json_schema_text, reference, with_reference
from wascap import KeyPair, KeyType

DOCS = Path(__file__).parents[2] / "docs"
ACCOUNT = KeyPair.generate(KeyType.ACCOUNT).public_key
MODULE = KeyPair.generate(KeyType.MODULE).public_key


def test_the_published_schema_is_that_of_the_program() -> None:
    published = (DOCS / "manifest.schema.json").read_text()
    assert published == json_schema_text(), "make reference writes it anew"


def test_the_published_reference_is_that_of_the_program() -> None:
    page = (DOCS / "manifest.md").read_text()
    assert page == with_reference(page), "make reference writes it anew"
    with pytest.raises(ValueError, match="missing"):
        with_reference("a page without marks")


def test_every_section_has_one_table() -> None:
    headings = [line for line in reference().splitlines() if line.startswith("#")]
    assert len(set(headings)) == len(headings) == 1 + len(json_schema()["$defs"])


def test_every_field_says_what_it_means() -> None:
    schema = json_schema()
    for name, section in [("manifest", schema), *schema["$defs"].items()]:
        for field, content in section.get("properties", {}).items():
            assert content.get("description", "").endswith("."), f"{name}.{field} needs a description, a sentence"
            assert f"| `{field}` |" in reference()


VALID: list[dict[str, Any]] = [
    {"actors": [], "capabilities": [], "bindings": []},
    {
        "labels": {"zone": "a"},
        "policy": {"require_signature": True, "issuers": [ACCOUNT], "pins": {MODULE: {"min_revision": 3}}},
        "actors": ["a.wasm"],
        "capabilities": [{"path": "wascc:keyvalue", "binding_name": "x"}],
        "bindings": [{"actor": MODULE, "capability": "c", "values": {"A": "1", "B": {"env": "X"}, "C": {"file": "f"}}}],
    },
]
INVALID: list[dict[str, Any]] = [
    {"actors": [], "capabilities": []},
    {"actors": "a.wasm", "capabilities": [], "bindings": []},
    {"actors": [1], "capabilities": [], "bindings": []},
    {"actors": [], "capabilities": [], "bindings": [], "polices": {}},
    {"actors": [], "capabilities": [], "bindings": [], "policy": {"pins": {MODULE: {"min_revision": "three"}}}},
    {"actors": [], "capabilities": [], "bindings": [], "policy": {"pins": {MODULE: {"min_revision": 2**31}}}},
    {"actors": [], "capabilities": [], "bindings": [{"actor": "a", "capability": "c", "values": {"A": {"env": ""}}}]},
    {"actors": [], "capabilities": [], "bindings": [{"actor": "a", "capability": "c", "values": {"A": 1}}]},
]


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize(("content", "valid"), [(c, True) for c in VALID] + [(c, False) for c in INVALID])
def test_the_schema_and_the_program_agree(content: dict[str, Any], valid: bool, form: str) -> None:
    jsonschema = pytest.importorskip(
        "jsonschema", reason="checking the schema needs jsonschema (pip install jsonschema)"
    )
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(content) is valid
    text = yaml.safe_dump(content) if form == "yaml" else json.dumps(content)
    if not valid:
        with pytest.raises(ManifestError):
            Manifest.from_text(text, form)
        return
    manifest = Manifest.from_text(text, form)
    assert Manifest.from_text(manifest.to_yaml()) == manifest
    assert Manifest.from_text(manifest.to_json(), "json") == manifest


def test_the_commands_print_both() -> None:
    from typer.testing import CliRunner

    app = import_module("host.cli.manifest").manifest
    assert CliRunner().invoke(app, ["schema"]).stdout == json_schema_text()
    assert CliRunner().invoke(app, ["reference"]).stdout == reference()
