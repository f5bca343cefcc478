"""Uploads in any order of operations, with hosts that come and go, against a model of them in dictionaries."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from blob_support import Store, file_store, refused
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

ACTORS = st.sampled_from(["MA", "MB"])
IDS = st.sampled_from(["a", "A", "../a"])


@dataclass
class Model:
    """An upload under way."""

    total: int
    size: int
    context: str | None
    chunks: dict[int, bytes] = field(default_factory=dict)

    @property
    def missing(self) -> list[int]:
        return [number for number in range(-(-self.total // self.size)) if number not in self.chunks]


IN_MEMORY = "/dev/shm"  # noqa: S108
"""Where files are in memory, on systems that have it: runs wait for a disk very often."""


class Uploading(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None))
        self.stores = [self.open(), self.open()]
        self.stores[0].create()
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[tuple[str, str], Model] = {}

    def open(self) -> Store:
        store = file_store(self.root)
        store.bind("MB")
        return store

    @rule(
        host=st.integers(0, 1),
        actor=ACTORS,
        blob_id=IDS,
        total=st.sampled_from([0, 5, 8]),
        size=st.sampled_from([2, 4]),
        context=st.sampled_from([None, "x"]),
    )
    def start(self, host: int, actor: str, blob_id: str, total: int, size: int, context: str | None) -> None:
        self.stores[host].start(blob_id, total, size, actor=actor, context=context)
        model = self.uploads.get((actor, blob_id))
        if model is None or (model.total, model.size, model.context) != (total, size, context):
            self.uploads[actor, blob_id] = Model(total, size, context)
        self.finish(actor, blob_id)

    @precondition(lambda self: self.uploads)
    @rule(host=st.integers(0, 1), data=st.data(), letter=st.sampled_from("pq"), complete=st.booleans())
    def send(self, host: int, data: st.DataObject, letter: str, complete: bool) -> None:
        actor, blob_id = data.draw(st.sampled_from(sorted(self.uploads)))
        model = self.uploads[actor, blob_id]
        content = letter.encode() * model.total
        any_chunk = st.integers(0, -(-model.total // model.size) - 1)
        for number in model.missing if complete else [data.draw(any_chunk)]:
            self.stores[host].send(blob_id, content, number, model.size, actor=actor)
            model.chunks[number] = content[number * model.size : (number + 1) * model.size]
        self.finish(actor, blob_id)

    def finish(self, actor: str, blob_id: str) -> None:
        model = self.uploads[actor, blob_id]
        if not model.missing:
            self.blobs[blob_id] = b"".join(model.chunks[number] for number in sorted(model.chunks))
            del self.uploads[actor, blob_id]

    @rule(host=st.integers(0, 1), actor=ACTORS, blob_id=IDS)
    def remove(self, host: int, actor: str, blob_id: str) -> None:
        self.stores[host].remove(blob_id, actor=actor)
        self.blobs.pop(blob_id, None)
        self.uploads.pop((actor, blob_id), None)

    @rule(host=st.integers(0, 1))
    def restart(self, host: int) -> None:
        self.stores[host].provider.stop()
        self.stores[host] = self.open()

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        for store in self.stores:
            assert store.list() == {blob_id: len(content) for blob_id, content in self.blobs.items()}
            for blob_id in ("a", "A", "../a"):
                for actor in ("MA", "MB"):
                    model = self.uploads.get((actor, blob_id))
                    if model is None:
                        assert "no upload" in refused(lambda a=actor, b=blob_id, s=store: s.missing(b, actor=a))
                    else:
                        assert list(store.missing(blob_id, actor=actor).missing) == model.missing
        for blob_id, content in self.blobs.items():
            assert self.stores[0].content(blob_id) == content

    def teardown(self) -> None:
        for store in self.stores:
            store.provider.stop()
        assert len(list((self.root / ".wascc-uploads").iterdir())) == 2 * len(self.uploads)
        shutil.rmtree(self.root)


TestUploading = Uploading.TestCase
TestUploading.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
