"""The test suite itself: which state of it this project is tested with, and how to get that.

The state is pinned by its content, a digest of the scripts in the top folder (suite.toml). `fetch` clones the suite's
repository and takes the commit that has it.

Source: https://github.com/WebAssembly/testsuite
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("suite.toml")
PATTERN = "*.wast"
GIT_TIMEOUT_SECONDS = 900.0


class FetchError(RuntimeError):
    """The suite cannot be cloned, or its repository does not have the pinned state; the message is one line."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Where the suite is, and the digest of the state that is meant, of so many scripts."""

    repository: str
    digest: str
    scripts: int


def pinned() -> Pin:
    """The state that suite.toml names."""
    return Pin(**tomllib.loads(FILE.read_text(encoding="utf-8")))


def digest_of(scripts: Iterable[tuple[str, str]]) -> str:
    """The digest of scripts, given as the names of the files and the ids that git gives to their contents."""
    return hashlib.sha256("".join(f"{id_} {name}\n" for name, id_ in sorted(scripts)).encode()).hexdigest()


def digest(folder: Path) -> str:
    """The digest of the scripts in a folder.  Raises OSError."""
    return digest_of((path.name, _blob_id(path.read_bytes())) for path in folder.glob(PATTERN))


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def cache_folder() -> Path:
    """Where the suite is kept; XDG_CACHE_HOME moves it. Raises OSError where there is no place."""
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "wascc"
    except RuntimeError as error:
        raise OSError("this user has no home directory; XDG_CACHE_HOME may name a folder instead") from error


def fetch(pin: Pin, cache: Path) -> Path:
    """The folder of the pinned suite in `cache`, cloned if it is not there yet.  Raises FetchError."""
    folder = cache / f"testsuite-{pin.digest[:12]}"
    try:
        if digest(folder) == pin.digest:
            return folder
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="testsuite-", dir=cache) as scratch:
            clone = Path(scratch) / "clone"
            _git("clone", "--quiet", "--filter=blob:none", "--no-checkout", pin.repository, str(clone))
            _git("-C", str(clone), "checkout", "--quiet", "--detach", _commit(clone, pin))
            if digest(clone) != pin.digest:
                raise FetchError(f"{pin.repository}: what was checked out is not the pinned suite")
            shutil.rmtree(folder, ignore_errors=True)
            clone.rename(folder)
    except OSError as error:
        raise FetchError(f"{cache}: {error.strerror or error}") from error
    return folder


def _commit(clone: Path, pin: Pin) -> str:
    """The latest commit that has the pinned scripts."""
    for commit in _git("-C", str(clone), "rev-list", "HEAD").split():
        scripts = []
        for line in _git("-C", str(clone), "ls-tree", "-z", commit).split("\0"):
            about, _, name = line.partition("\t")
            if about.startswith("100") and Path(name).match(PATTERN):
                scripts.append((name, about.split()[2]))
        if len(scripts) == pin.scripts and digest_of(scripts) == pin.digest:
            return commit
    raise FetchError(f"{pin.repository}: no commit has the pinned suite")


def _git(*arguments: str) -> str:
    """Run git: what it printed.  Raises FetchError."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program, no shell)
            ["git", *arguments],  # noqa: S607 (as the person's PATH has it)
            capture_output=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise FetchError("the suite is fetched with git, which is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"git {arguments[0]} took longer than {GIT_TIMEOUT_SECONDS:g} s") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        raise FetchError(f"the suite cannot be fetched: {said or f'git ended with {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")
