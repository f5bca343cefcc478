"""The pinned suite: recognised by its content, and fetched from a repository."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conformance import cli
from conformance.suite import FetchError, Pin, cache_folder, digest, fetch, pinned

SUITE = os.environ.get("WASM_TESTSUITE")
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with three states of a suite, the second of which is in `wanted`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    wanted = tmp_path / "wanted"
    wanted.mkdir()
    for text in ("(module)", "(module) (module)", "(module) ;; newest"):
        (folder / "a.wast").write_text(text)
        (folder / "b.wast").write_text("(module)")
        (folder / "README.md").write_text(text)
        (folder / "proposals").mkdir(exist_ok=True)
        (folder / "proposals" / "c.wast").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
    (wanted / "a.wast").write_text("(module) (module)")
    (wanted / "b.wast").write_text("(module)")
    return folder


def test_the_commit_with_the_pinned_scripts_is_fetched_once(repository: Path, tmp_path: Path) -> None:
    pin = Pin(str(repository), digest(tmp_path / "wanted"), 2)
    cache = tmp_path / "cache"
    folder = fetch(pin, cache)
    assert (folder / "a.wast").read_text() == "(module) (module)"
    assert digest(folder) == pin.digest
    assert [path.name for path in cache.iterdir()] == [folder.name]
    repository.rename(tmp_path / "gone")
    assert fetch(pin, cache) == folder
    (folder / "a.wast").write_text("changed")
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch(pin, cache)


def test_the_command_fetches_the_suite_if_no_folder_is_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = Pin(str(repository), digest(tmp_path / "wanted"), 2)
    monkeypatch.setattr(cli, "pinned", lambda: pin)
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WASM_TESTSUITE": ""}
    arguments = ["--fetch", "--jobs", "1", "--json"]
    result = CliRunner().invoke(cli.app, arguments, env=environment)
    assert result.exit_code == 0, result.stderr
    found = [(file["file"], file["totals"]["passed"]) for file in json.loads(result.stdout)["files"]]
    assert found == [("a.wast", 2), ("b.wast", 1)]
    elsewhere = CliRunner().invoke(cli.app, [*arguments, "--suite", str(repository)], env=environment)
    assert [file["totals"]["passed"] for file in json.loads(elsewhere.stdout)["files"]] == [1, 1]
    nothing = CliRunner().invoke(cli.app, arguments[1:], env=environment)
    assert (nothing.exit_code, "--fetch" in nothing.stderr) == (2, True)


def test_a_repository_without_the_pinned_scripts(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no commit has the pinned suite"):
        fetch(Pin(str(repository), "0" * 64, 2), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = Pin(str(tmp_path / "nowhere"), "0" * 64, 2)
    with pytest.raises(FetchError, match="cannot be fetched") as failed:
        fetch(pin, tmp_path / "cache")
    assert "\n" not in str(failed.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError):
        fetch(pin, tmp_path / "file")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="git, which is not installed"):
        fetch(pin, tmp_path / "cache")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/wascc")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "wascc"


def test_our_pin() -> None:
    assert pinned().repository == "https://github.com/WebAssembly/testsuite"
    assert len(pinned().digest) == 64
    assert pinned().scripts == 257


@pytest.mark.skipif(SUITE is None, reason="WASM_TESTSUITE does not name the folder of the specification's test suite")
def test_the_suite_is_the_pinned_one() -> None:
    assert digest(Path(str(SUITE))) == pinned().digest
