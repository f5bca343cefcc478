"""README and docs: what they show is what happens, and what they link to exists."""

import contextlib
import io
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)")
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def python_examples() -> list[tuple[str, str, str]]:
    """Page, code, and the text block that follows it as its output."""
    found = []
    for page in PAGES:
        sequence = blocks(page)
        for (kind, code), (next_kind, output) in pairwise([*sequence, ("", "")]):
            if kind == "python" and next_kind == "text":
                found.append((page.name, code, output))
    return found


def console_examples() -> list[tuple[str, str]]:
    return [(page.name, code) for page in PAGES for kind, code in blocks(page) if kind == "console"]


@pytest.mark.parametrize(("page", "code", "output"), python_examples())
def test_python_examples_print_what_is_shown(
    page: str, code: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, page, "exec"), {"__name__": "example"})  # noqa: S102
    assert printed.getvalue() == output


@pytest.mark.parametrize(("page", "code"), console_examples())
def test_console_examples_print_what_is_shown(page: str, code: str) -> None:
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=os.environ | {"PATH": PATH},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout + done.stderr == expected, f"{page}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(BLOCK.sub("", page.read_text())):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
