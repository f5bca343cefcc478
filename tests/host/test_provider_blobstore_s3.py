"""The blob store on S3-compatible storage: values, secrets, errors of the server, large blobs."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from blob_support import SECRET, Store, refused, s3, s3_store, s3_values
from servers import ServerProcess, free_port, s3_server

from host.plugins import find_provider
from host.providers.blobstore import S3BlobStoreProvider
from host.providers.blobstore.s3 import S3Storage
from host.providers.blobstore.s3_settings import S3Settings

__all__ = ["s3"]


@pytest.fixture
def values() -> dict[str, str]:
    return {"ENDPOINT": f"http://127.0.0.1:{free_port()}", "AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("REGION", "us east", "REGION 'us east' is no region"),
        ("ENDPOINT", "storage", "ENDPOINT must be like https://storage.example.com, without a user, query or fragment"),
        ("ENDPOINT", f"http://me:{SECRET}@h", "ENDPOINT must be like https://storage.example.com, without a user,"),
        ("ENDPOINT", "http://[", "ENDPOINT must be like"),
        ("ENDPOINT", "ftp://h", "ENDPOINT must be like"),
        ("ENDPOINT", "http://h:99999", "ENDPOINT must be like"),
        ("BUCKET_PREFIX", "A", "BUCKET_PREFIX 'A' cannot begin the name of a bucket"),
        ("BUCKET_PREFIX", "../", "BUCKET_PREFIX '../' cannot begin the name of a bucket"),
        (
            "AWS_ACCESS_KEY",
            "",
            "AWS_ACCESS_KEY and AWS_SECRET_ACCESS_KEY must both be given, or neither, and AWS_TOKEN",
        ),
        ("AWS_SECRET_ACCESS_KEY", "", "AWS_ACCESS_KEY and AWS_SECRET_ACCESS_KEY must both be given, or neither"),
        ("TOKEN_VALID_FOR", "60", "TOKEN_VALID_FOR is for an AWS_TOKEN, and there is none"),
        ("TOKEN_VALID_FOR", "0", "TOKEN_VALID_FOR must be an integer from 1 to 2147483648, not '0'"),
        ("TIMEOUT", "0", "TIMEOUT must be an integer from 1 to 3600, not '0'"),
        ("UPLOADS", "/nothing/here", "UPLOADS '/nothing/here' cannot be used: No such file or directory"),
    ],
)
def test_values_that_are_refused(values: dict[str, str], name: str, value: str, text: str) -> None:
    assert refused(lambda: Store(S3BlobStoreProvider(), values | {name: value})).startswith(text)


def test_without_credentials(values: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    text = "no credentials: neither AWS_ACCESS_KEY and AWS_SECRET_ACCESS_KEY nor any in the environment"
    assert refused(lambda: Store(S3BlobStoreProvider(), {})) == text
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert refused(lambda: Store(S3BlobStoreProvider(), {})) == "no S3 client can be made: ProfileNotFound"
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    Store(S3BlobStoreProvider(), {}).provider.stop()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    monkeypatch.delitem(sys.modules, "host.providers.blobstore.s3")
    with pytest.raises(Exception, match=r"pip install 'wascc\[s3\]'"):
        find_provider("blobstore_s3")


def test_a_token_ends(values: dict[str, str]) -> None:
    now = [0.0]
    storage = S3Storage(S3Settings.of(values | {"AWS_TOKEN": SECRET, "TOKEN_VALID_FOR": "60"}), lambda: now[0])
    assert SECRET not in repr(S3Settings.of(values | {"AWS_TOKEN": SECRET}))
    now[0] = 60.0
    for call in (lambda: storage.create_container("abc"), lambda: storage.size("abc", "a")):
        assert refused(call) == "AWS_TOKEN is over: TOKEN_VALID_FOR has passed since it was bound"


@pytest.mark.parametrize("container", ["A", "ab", "a_b", "a..b", "-ab", "ab-", "x" * 64, "../x", "a/b", "ü"])
def test_names_that_no_bucket_can_have(values: dict[str, str], container: str) -> None:
    store = Store(S3BlobStoreProvider(), values)
    for call in (
        store.create,
        store.list,
        lambda name: store.info("a", name),
        lambda name: store.start("a", 1, 1, name),
    ):
        assert refused(lambda call=call: call(container)).endswith(f"'{container}' is no bucket name")


@pytest.mark.parametrize("blob_id", ["..", ".", "../x", "a/../b", "a/./b", "x/..", "a\0b", "a\nb", "\x7f"])
def test_keys_that_could_be_understood_as_paths(values: dict[str, str], blob_id: str) -> None:
    store = Store(S3BlobStoreProvider(), values)
    for call in (lambda: store.info(blob_id), lambda: store.start(blob_id, 1), lambda: store.remove(blob_id)):
        assert refused(call).endswith("has a control character or a part '.' or '..'")


def test_nobody_listens(values: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    store = Store(S3BlobStoreProvider(), values | {"TIMEOUT": "1"})
    assert refused(store.create) == "the container 'things' cannot be asked for: EndpointConnectionError"
    assert refused(lambda: store.info("a")) == "the blob 'a' in 'things' cannot be read: EndpointConnectionError"
    assert SECRET not in caplog.text


def test_large_blobs_travel_in_parts(s3: ServerProcess) -> None:
    store = s3_store(s3)
    store.create()
    content = os.urandom(2**21) * 10 + b"end"
    store.upload("a", content, 2**20)
    assert store.info("a").byte_size == len(content)
    client = store.provider._bound["MA"].place.storage._client
    bucket = store.values["BUCKET_PREFIX"] + "things"
    assert client.head_object(Bucket=bucket, Key="a")["ETag"].endswith('-3"')
    store.download("a", 3_000_000)
    chunks = store.receivers.wait(7)
    assert b"".join(chunk.chunk_bytes for chunk in chunks) == content


def test_the_server_is_away_when_the_last_chunk_comes(tmp_path: Path) -> None:
    content = b"the quick brown fox"
    with s3_server(tmp_path) as server:
        store = s3_store(server, tmp_path, TIMEOUT="2")
        store.create()
        store.upload("a", content, numbers=range(4))
        server.kill()
        text = "the blob 'a' in 'things' cannot be stored: EndpointConnectionError"
        assert refused(lambda: store.send("a", content, 4)) == text
        server.start()
        store.create()
        assert store.missing("a").missing == ()
        store.send("a", content, 4)
        assert store.content("a") == content


def test_buckets_of_another_prefix_are_not_seen(s3: ServerProcess) -> None:
    store = s3_store(s3)
    store.create()
    store.bind("MB", BUCKET_PREFIX="other-")
    assert refused(lambda: store.list(actor="MB")) == "there is no container 'things'"
    store.create(actor="MB")
    store.upload("a", b"1", actor="MB")
    assert store.list() == {}


def test_one_folder_for_uploads_to_several_places(s3: ServerProcess, tmp_path: Path) -> None:
    one, other = s3_store(s3, tmp_path), s3_store(s3, tmp_path)
    for store, content in ((one, b"12345678"), (other, b"abcdefgh")):
        store.create()
        store.upload("a", content, numbers=[0])
    for store, content in ((one, b"12345678"), (other, b"abcdefgh")):
        store.send("a", content, 1)
        assert store.content("a") == content


def test_a_temporary_folder_goes_with_the_binding(
    s3: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = s3_store(s3)
    store.create()
    store.upload("a", b"12345678", numbers=[0])
    assert len(list(tmp_path.iterdir())) == 1
    store.unbind("MA")
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_another_region(s3: ServerProcess) -> None:
    store = Store(S3BlobStoreProvider(), s3_values(s3) | {"REGION": "eu-west-1"})
    store.create()
    store.upload("a", b"1")
    assert store.list() == {"a": 1}
