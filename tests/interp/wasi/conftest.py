"""Fixtures of the WASI tests: guests on every engine, and directories to give them.

What is in `support` can be imported by the tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interp.engine import Engine
from interp.wasi import Wasi, WasiParams
from interp.wasi.abi import PREVIEW1, Snapshot

sys.path.insert(0, str(Path(__file__).parent / "support"))

from wasi_support import Guest, Start, compiled_forwarder


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start the forwarder with WASI parameters."""
    opened: list[Wasi] = []

    def start_guest(*, snapshot: Snapshot = PREVIEW1, attach: bool = True, **params: object) -> Guest:
        wasi = Wasi(WasiParams(**params))  # type: ignore[arg-type]
        opened.append(wasi)
        module, store = compiled_forwarder(engine, snapshot), engine.store()
        externs = wasi.imports(store, module)
        instance = store.instantiate(module, [externs[wanted.module, wanted.name] for wanted in module.imports])
        if attach:
            wasi.attach(instance.exports["memory"])  # type: ignore[arg-type]
        return Guest(wasi, instance, snapshot)

    yield start_guest
    for wasi in opened:
        wasi.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to preopen, with a secret beside it that a guest must never see."""
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def maze(root: Path) -> Path:
    """A tree with links of all kinds."""
    (root / "file").write_text("inside")
    (root / "directory" / "deep").mkdir(parents=True)
    (root / "directory" / "file").write_text("deeper inside")
    (root / "absolute_link").symlink_to(root.parent)
    (root / "up_link").symlink_to("..")
    (root / "directory" / "up_up_link").symlink_to("../../secret")
    (root / "chain1").symlink_to("chain2")
    (root / "chain2").symlink_to("directory/up_up_link")
    (root / "loop").symlink_to("loop")
    (root / "inside_link").symlink_to("directory")
    (root / "directory" / "deep" / "back_link").symlink_to("../../file")
    (root / "absolute_inside").symlink_to(root / "file")
    (root / "dangling").symlink_to("nothing")
    return root
