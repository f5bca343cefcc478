"""The manifests that the documentation shows: valid by the published schema, and in the guides by all checks."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from host import Manifest
from host.explain import Explainer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text())
REQUIRED = ("actors", "capabilities", "bindings")
MODULES = {"relay.wasm", "counter.wasm"}


def shown() -> list[tuple[str, str]]:
    """Page and text of each block that is a manifest or some of its sections."""
    blocks = [(str(page.relative_to(ROOT)), text) for page in PAGES for text in BLOCK.findall(page.read_text())]
    return [(page, text) for page, text in blocks if yaml.safe_load(text).keys() <= SCHEMA["properties"].keys()]


def complete() -> list[tuple[str, str]]:
    """Those that are whole manifests, of the modules in examples."""
    return [(page, text) for page, text in shown() if modules(text) and MODULES.issuperset(modules(text))]


def modules(text: str) -> list[str]:
    actors: list[Any] = yaml.safe_load(text).get("actors", [])
    return [Path(each if isinstance(each, str) else each["path"]).name for each in actors]


@pytest.mark.parametrize(("page", "text"), shown())
def test_what_is_shown_has_the_form_of_a_manifest(page: str, text: str) -> None:
    jsonschema.validate({section: [] for section in REQUIRED} | yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(("page", "text"), complete())
def test_a_host_refuses_nothing_in_a_whole_one(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules(text):
        shutil.copy(ROOT / "examples" / Path(module).stem / module, tmp_path)
    for name in re.findall(r"\{env: (\w+)\}", text):
        monkeypatch.setenv(name, "a secret")
    if "./greetings.py" in text:
        guide = (ROOT / "docs" / "providers" / "writing.md").read_text()
        (provider, *_) = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
        (tmp_path / "greetings.py").write_text(provider)
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    explanation = Explainer(Manifest.from_file(path)).explanation
    assert [finding for finding in explanation.findings if not finding.allowed] == []


def test_every_guide_has_a_whole_manifest() -> None:
    guides = {f"docs/providers/{page.name}" for page in (ROOT / "docs" / "providers").glob("*.md")}
    # The extras are loaded by the host itself, and a portable provider is a module of one's own.
    others = {"docs/providers/extras.md", "docs/providers/portable.md"}
    assert guides - {page for page, _ in complete()} == others
