"""What the operations of the blob store mean, on the file system and on S3."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgpack
import pytest
from blob_support import Store, file_store, refused, s3, s3_values
from host_support import eventually
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.codec import encode
from host.codec.blobstore import Blob, FileChunk
from host.errors import ActorBusy
from host.providers import answers, patience
from host.providers.base import ProviderError
from host.providers.blobstore import S3BlobStoreProvider

__all__ = ["s3"]

MakeStore = Callable[..., Store]


@pytest.fixture(params=["files", "s3"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Stores that keep their data in one place; values are those of the binding."""
    made: list[Store] = []
    common = s3_values(request.getfixturevalue("s3"), tmp_path) if request.param == "s3" else {}

    def make(**values: str) -> Store:
        if request.param == "files":
            made.append(file_store(tmp_path, **values))
        else:
            made.append(Store(S3BlobStoreProvider(), common | values))
        return made[-1]

    yield make
    for store in made:
        store.provider.stop()


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """A store with the container `things`."""
    made = make_store()
    made.create()
    return made


CONTENT = b"the quick brown fox"


def test_containers(store: Store) -> None:
    store.create()
    assert store.list() == {}
    store.upload("a", b"12345")
    assert refused(store.remove_container) == "the container 'things' is not empty"
    store.remove("a")
    store.remove_container()
    for call in (store.remove_container, store.list, lambda: store.start("a", 1)):
        assert refused(call) == "there is no container 'things'"
    assert store.info("a") == Blob("none", "none", 0)
    store.remove("a")
    store.create()
    assert store.list() == {}


def test_blobs_are_listed_told_of_and_removed(store: Store) -> None:
    store.upload("b", b"12345")
    store.upload("a", b"")
    store.create("others")
    store.upload("b", b"1", container="others")
    assert store.list() == {"a": 0, "b": 5}
    assert store.info("b") == Blob("b", "things", 5)
    assert store.info("c") == Blob("none", "none", 0)
    for _ in range(2):
        store.remove("b")
    assert store.list() == {"a": 0}
    assert store.content("b", "others") == b"1"


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 4, 4, 1, 0, 3]])
def test_chunks_in_any_order_and_twice(store: Store, numbers: list[int]) -> None:
    store.start("a", len(CONTENT))
    for number in numbers:
        assert store.info("a") == Blob("none", "none", 0)
        assert store.list() == {}
        store.send("a", CONTENT, number)
    assert store.content("a") == CONTENT
    # Another copy of a chunk may come when all is done, but no other chunk.
    store.send("a", CONTENT, numbers[0])
    text = "no upload of the blob 'a' in 'things' is under way"
    assert refused(lambda: store.send("a", CONTENT.upper(), 1)) == text
    assert store.content("a") == CONTENT


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_chunking_gives_the_blob(store: Store, data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=60))
    size = data.draw(st.integers(1, 70))
    chunks = -(-len(content) // size)
    twice = data.draw(st.lists(st.integers(0, chunks - 1), max_size=10)) if chunks else []
    numbers = data.draw(st.permutations([*range(chunks), *twice]))
    blob_id = uuid4().hex
    store.upload(blob_id, content, size, numbers)
    assert store.content(blob_id) == content
    first = data.draw(st.integers(0, max(chunks - 1, 0)))
    store.receivers.got.clear()
    store.download(blob_id, size, first=first)
    got = store.receivers.wait(max(chunks, 1) - first)
    assert [chunk.sequence_no for chunk in got] == list(range(first, max(chunks, 1)))
    assert b"".join(chunk.chunk_bytes for chunk in got) == content[first * size :]
    assert {(chunk.total_bytes, chunk.chunk_size) for chunk in got} == {(len(content), size)}


def test_an_upload_goes_on_where_it_stopped(store: Store) -> None:
    store.upload("a", CONTENT, numbers=[3, 0])
    store.start("a", len(CONTENT))
    store = store.restarted()
    info = store.missing("a")
    assert (info.total_bytes, info.chunk_size, info.missing) == (len(CONTENT), 4, (1, 2, 4))
    store.send("a", CONTENT, 4)
    store.start("a", len(CONTENT))
    for number in store.missing("a").missing:
        store.send("a", CONTENT, number)
    assert store.content("a") == CONTENT
    assert refused(lambda: store.missing("a")) == "no upload of the blob 'a' in 'things' is under way"


def test_missing_chunks_are_told_a_thousand_at_a_time(store: Store) -> None:
    store.start("a", 3000, 1)
    store.send("a", bytes(3000), 0, 1)
    assert store.missing("a").missing == tuple(range(1, 1001))


def test_other_sizes_or_another_context_begin_anew(store: Store) -> None:
    store.upload("a", CONTENT, numbers=[0, 1])
    store.start("a", len(CONTENT), 5)
    assert store.missing("a").missing == (0, 1, 2, 3)
    store.start("a", len(CONTENT), 5, context="v2")
    store.send("a", CONTENT, 0, 5, context="v2")
    store.start("a", len(CONTENT), 5, context="v2")
    info = store.missing("a")
    assert (info.missing, info.context) == ((1, 2, 3), "v2")
    text = "the chunk belongs to another upload of the blob 'a' in 'things' than the one under way, which is of 19 "
    for call in (
        lambda: store.send("a", CONTENT, 1, 4),
        lambda: store.send("a", CONTENT, 1, 5, context="v1"),
        lambda: store.send("a", CONTENT + b"!", 1, 5),
    ):
        assert refused(call).startswith(text)
    for number in (1, 2, 3):
        store.send("a", CONTENT, number, 5)
    assert store.content("a") == CONTENT


def test_a_chunk_that_came_with_other_bytes_is_replaced(store: Store) -> None:
    store.upload("a", b"xxxx" + CONTENT[4:], numbers=[0, 1, 2, 3])
    store.send("a", CONTENT, 0)
    store.send("a", CONTENT, 4)
    assert store.content("a") == CONTENT


def test_a_blob_is_replaced_when_the_upload_is_complete(store: Store) -> None:
    store.upload("a", b"old")
    store.upload("a", CONTENT, numbers=[0, 1, 2, 3])
    assert store.content("a") == b"old"
    store.send("a", CONTENT, 4)
    assert store.content("a") == CONTENT
    store.upload("a", b"")
    assert store.list() == {"a": 0}


def test_removing_a_blob_gives_its_upload_up(store: Store) -> None:
    store.upload("a", CONTENT, numbers=[0])
    store.remove("a")
    assert refused(lambda: store.send("a", CONTENT, 1)) == "no upload of the blob 'a' in 'things' is under way"


def test_actors_upload_the_same_blob_apart(store: Store) -> None:
    store.bind("MB")
    for actor, content in (("MA", CONTENT), ("MB", CONTENT.upper())):
        store.upload("a", content, numbers=[0, 1, 2, 3], actor=actor)
    store.send("a", CONTENT.upper(), 4, actor="MB")
    assert store.content("a") == CONTENT.upper()
    store.send("a", CONTENT, 4)
    assert store.content("a") == CONTENT
    assert store.info("a", actor="MB").byte_size == len(CONTENT)


@pytest.mark.usefixtures("eager_switching")
def test_threads_upload_one_blob_together(store: Store) -> None:
    content = bytes(range(256)) * 4
    store.bind("MB")
    for actor, data in (("MA", content), ("MB", content[::-1])):
        store.start("a", len(data), 32, actor=actor)
    failures: list[object] = []

    def send(actor: str, data: bytes, start: int) -> None:
        try:
            for number in range(32):
                store.send("a", data, (start + number) % 32, 32, actor=actor)
        except Exception as error:
            # Nothing but a chunk that came once more after the other actor's blob took the place.
            if "no upload" not in str(error):
                failures.append(error)

    work = [(actor, data, start) for actor, data in (("MA", content), ("MB", content[::-1])) for start in (0, 11, 22)]
    threads = [threading.Thread(target=send, args=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.content("a") in (content, content[::-1])
    for actor in ("MA", "MB"):
        assert "no upload" in refused(lambda actor=actor: store.missing("a", actor=actor))


@pytest.mark.parametrize(
    ("number", "total", "size", "data", "text"),
    [
        (5, 19, 4, b"", "there is no chunk 5: 5 in all"),
        (2**64 - 1, 19, 4, b"", "there is no chunk 18446744073709551615: 5 in all"),
        (1, 19, 4, b"abc", "chunk 1 has 3 bytes, not 4"),
        (1, 19, 4, b"abcde", "chunk 1 has 5 bytes, not 4"),
        (4, 19, 4, b"abcd", "chunk 4 has 4 bytes, not 3"),
        (0, 0, 4, b"a", "chunk 0 has 1 bytes, not 0"),
        (1, 0, 4, b"", "there is no chunk 1: 0 in all"),
        (0, 19, 2**64 - 1, b"abc", "chunk 0 has 3 bytes, not 19"),
        (0, 2**30 + 1, 4, b"", "totalBytes 1073741825 is over the limit of 1073741824 bytes for a blob"),
        (0, 2**30, 2**24 + 1, b"", "chunkSize 16777217 is over the limit of 16777216 bytes for a chunk"),
        (0, 2**30, 1023, b"", "1049602 chunks are too many, at most 1048576; choose a larger chunkSize"),
    ],
)
def test_sizes_that_do_not_agree(store: Store, number: int, total: int, size: int, data: bytes, text: str) -> None:
    store.start("a", 19)
    payload = encode(FileChunk(number, "things", "a", total, size, None, data))
    assert refused(lambda: store.provider.handle_call("MA", "UploadChunk", payload)) == text
    assert store.missing("a").missing == (0, 1, 2, 3, 4)


def test_limits_of_uploads(make_store: MakeStore) -> None:
    store = make_store(MAX_BLOB_BYTES="10", MAX_UPLOADS="2", MAX_BYTES="25")
    store.create()
    assert refused(lambda: store.start("a", 11)) == "totalBytes 11 is over the limit of 10 bytes for a blob"
    store.start("a", 10)
    store.start("b", 10)
    assert refused(lambda: store.start("c", 1)) == "2 uploads are under way already"
    store.start("b", 9)
    store.bind("MB")
    assert refused(lambda: store.start("c", 7, actor="MB")) == "26 bytes of blobs and uploads are over the limit of 25"
    store.start("c", 6, actor="MB")
    store.remove("a")
    store.start("d", 10)


def test_uploads_that_are_abandoned_go(make_store: MakeStore) -> None:
    store = make_store(UPLOAD_EXPIRES="1", MAX_UPLOADS="1")
    store.create()
    store.upload("a", CONTENT, numbers=[0])
    assert "under way" in refused(lambda: store.start("b", 1))

    def can_start() -> bool:
        try:
            store.start("b", 1)
        except Exception:
            return False
        return True

    assert eventually(can_start, 5)
    assert refused(lambda: store.send("a", CONTENT, 1)) == "no upload of the blob 'a' in 'things' is under way"


def test_a_download_comes_in_chunks(store: Store) -> None:
    store.upload("a", CONTENT)
    store.download("a")
    chunks = store.receivers.wait(5)
    assert chunks == [
        FileChunk(number, "things", "a", 19, 4, "seen again", CONTENT[number * 4 : number * 4 + 4])
        for number in range(5)
    ]
    store.download("a", 2**64 - 1)
    assert store.receivers.wait(6)[-1] == FileChunk(0, "things", "a", 19, 2**64 - 1, "seen again", CONTENT)
    store.download("a", 0)
    assert store.receivers.wait(7)[-1] == FileChunk(0, "things", "a", 19, 2**19, "seen again", CONTENT)
    store.download("a", 4, first=3)
    assert [chunk.sequence_no for chunk in store.receivers.wait(9)[-2:]] == [3, 4]


def test_an_empty_blob_is_one_chunk_without_bytes(store: Store) -> None:
    store.start("a", 0)
    assert store.list() == {"a": 0}
    store.send("a", b"", 0)
    store.download("a")
    assert store.receivers.wait(1) == [FileChunk(0, "things", "a", 0, 4, "seen again", b"")]


def test_what_cannot_be_downloaded(store: Store) -> None:
    assert refused(lambda: store.download("a")) == "there is no blob 'a' in 'things'"
    assert refused(lambda: store.download("a", container="nothing")) == "there is no blob 'a' in 'nothing'"
    store.upload("a", CONTENT)
    assert refused(lambda: store.download("a", first=5)) == "the blob 'a' in 'things' has no chunk 5: 5 in all"
    assert refused(lambda: store.download("a", first=2**64 - 1)).startswith("the blob 'a' in 'things' has no chunk")
    payload = encode(FileChunk(0, "things", "a", 1, 1, "x" * 16385))
    text = "the context has 16385 characters; at most 16384"
    assert refused(lambda: store.provider.handle_call("MA", "StartUpload", payload)) == text


def test_downloads_at_a_time(make_store: MakeStore) -> None:
    store = make_store(MAX_DOWNLOADS="2")
    store.create()
    store.upload("a", CONTENT)
    go = threading.Event()
    store.receivers.reaction = lambda chunk: (go.wait(20), None)[1]
    store.download("a")
    store.download("a")
    assert refused(lambda: store.download("a")) == "2 downloads are under way already"
    store.bind("MB", MAX_DOWNLOADS="1")
    store.download("a", actor="MB")
    store.bind("MA", MAX_DOWNLOADS="3")
    store.download("a")
    go.set()
    store.receivers.wait(20)


def test_a_download_stops_when_the_actor_fails(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def fail(chunk: FileChunk) -> None:
        if chunk.sequence_no == 1:
            raise RuntimeError("it\nfailed")

    store.receivers.reaction = fail
    store.upload("a", CONTENT)
    store.download("a")
    assert eventually(lambda: bool(caplog.messages))
    assert caplog.messages == [r"wascc:blobstore: the download of the blob 'a' in 'things' for MA ended: it\nfailed"]
    assert len(store.receivers.got) == 1


def test_a_chunk_waits_for_an_actor_that_is_busy(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = 4

    def refuse(chunk: FileChunk) -> None:
        nonlocal refusals
        if chunk.sequence_no == 2 and refusals > 0:
            refusals -= 1
            raise ActorBusy("too much to do")

    store.receivers.reaction = refuse
    store.upload("a", CONTENT)
    store.download("a")
    assert [chunk.sequence_no for chunk in store.receivers.wait(5)] == [0, 1, 2, 3, 4]
    assert caplog.messages == []
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)
    refusals = 100
    store.download("a")
    assert eventually(lambda: bool(caplog.messages))
    assert caplog.messages[0].endswith("for MA ended: waSCC Host Error: too much to do")


@given(
    operation=st.sampled_from([
        "CreateContainer", "RemoveContainer", "ListObjects", "RemoveObject", "GetObjectInfo", "StartUpload",
        "UploadChunk", "GetUploadInfo", "StartDownload",
    ]),
    texts=st.lists(st.text(max_size=20) | st.sampled_from(["things", "..", ".", "a"]), min_size=3, max_size=3),
    numbers=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), min_size=3, max_size=3),
    data=st.binary(max_size=10),
)  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_actor_sends_is_answered_or_refused(
    store: Store, operation: str, texts: list[str], numbers: list[int], data: bytes
) -> None:
    # Every message is a part of this one, as keys that are not asked for are passed over.
    message = dict(zip(("id", "container", "context"), texts, strict=True))
    message |= dict(zip(("sequenceNo", "totalBytes", "chunkSize"), numbers, strict=True))
    payload = msgpack.packb(message | {"byteSize": 0, "chunkBytes": data})
    with suppress(ProviderError):
        store.provider.handle_call("MA", operation, payload)


def test_a_download_stops_when_the_actor_is_unbound(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    before = threading.active_count()
    go, called = threading.Event(), threading.Event()
    store.receivers.reaction = lambda chunk: (called.set(), go.wait(20), None)[2]
    store.upload("a", CONTENT)
    store.download("a")
    assert called.wait(20)
    store.unbind("MA")
    go.set()
    assert eventually(lambda: threading.active_count() <= before)
    assert len(store.receivers.got) == 1
    assert caplog.messages == []
    assert refused(lambda: store.info("a")) == "MA is not bound to wascc:blobstore"
    store.bind("MA")
    assert store.content("a") == CONTENT


def test_a_download_is_of_one_state_of_the_blob(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    old, new = b"o" * 2**23, b"n" * 2**23
    store.upload("a", old, 2**20)

    def replace(chunk: FileChunk) -> None:
        if chunk.sequence_no == 0:
            store.upload("a", new, 2**20)

    store.receivers.reaction = replace
    store.download("a", 2**20)
    assert eventually(lambda: len(store.receivers.got) == 8 or bool(caplog.messages))
    assert all("it has changed meanwhile" in message for message in caplog.messages)
    assert {chunk.chunk_bytes for _, chunk in store.receivers.got} == {old[: 2**20]}
    assert store.content("a") == new


def test_a_list_that_is_too_long_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_PAYLOAD_BYTES", 300)
    for number in range(5):
        store.upload(f"{number}", b"")
    assert refused(store.list) == "the values are over the limit of 300 bytes or 1000000 values for an answer"


@pytest.mark.parametrize("blob_id", ["", "x" * 1025, "ü" * 600])
def test_what_is_no_id(store: Store, blob_id: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.start(blob_id, 1),
        lambda: store.info(blob_id),
        lambda: store.remove(blob_id),
        lambda: store.download(blob_id),
        lambda: store.create(blob_id),
        lambda: store.list(blob_id),
        lambda: store.remove_container(blob_id),
    ]
    for call in calls:
        refused(call)
    assert store.list() == {}


IDS = [
    "a b", "A", "a", "é", "e\u0301", "Å", "A\u030a", "\u212b", "%", "%2F", "a%2fb", "a/b", "a//b", "/a", "a\\b", "*?",
    "CON", "nul.txt", "😀", "a.", " a ", "-rf", "~", ".hidden", "...", "\u202egnp.exe", "%00", "a:b", "ﬁ", "K",
    "\u212a", "ı", "x" * 200,
]  # fmt: skip


def test_ids_are_kept_as_they_are(store: Store) -> None:
    for number, blob_id in enumerate(IDS):
        store.upload(blob_id, b"%d" % number)
    assert store.list() == {blob_id: len(str(number)) for number, blob_id in enumerate(IDS)}
    for number, blob_id in enumerate(IDS):
        assert store.content(blob_id) == b"%d" % number
        assert store.info(blob_id) == Blob(blob_id, "things", len(str(number)))
    for blob_id in IDS:
        store.remove(blob_id)
    assert store.list() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BLOB_BYTES", "-1"), ("MAX_BLOB_BYTES", "1099511627777"), ("MAX_BYTES", "x"), ("MAX_UPLOADS", "0"),
        ("MAX_UPLOADS", "1001"), ("UPLOAD_EXPIRES", "0"), ("MAX_DOWNLOADS", "65"), ("MAX_DOWNLOADS", ""),
    ],
)  # fmt: skip
def test_a_binding_that_is_refused_changes_nothing(store: Store, name: str, value: str) -> None:
    store.upload("a", CONTENT)
    assert refused(lambda: store.bind("MA", **{name: value})).startswith(f"{name} must be an integer from ")
    assert store.content("a") == CONTENT
    assert refused(lambda: store.bind("MB", **{name: value}))
    assert refused(lambda: store.info("a", actor="MB")) == "MB is not bound to wascc:blobstore"
