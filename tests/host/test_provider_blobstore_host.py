"""The blob store in a host: an actor uploads by host calls, and gets what it downloads by ReceiveChunk."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from blob_support import s3, s3_values
from host_support import Identities, eventually, script

from host import Actor, Host, HostError
from host.codec import decode, encode
from host.codec.blobstore import CAPABILITY, Blob, Container, FileChunk, StreamRequest
from host.plugins import find_provider

__all__ = ["s3"]

CHUNK = 20_000


@pytest.fixture(params=["wascc:blobstore", "blobstore", "blobstore_s3"])
def values(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> dict[str, str]:
    """The values of a binding to the provider that the host has got."""
    host.add_capability(find_provider(request.param))
    if request.param == "blobstore_s3":
        return s3_values(request.getfixturevalue("s3"))
    return {"ROOT": str(tmp_path)}


def ask(host: Host, actor: Actor, *calls: tuple[str, bytes]) -> bytes:
    payload = script(*((CAPABILITY, operation, message) for operation, message in calls))
    return host.call_actor(actor.public_key, "host", payload)


def received(host: Host, actor: Actor) -> list[FileChunk]:
    kept = host.call_actor(actor.public_key, "got", b"")
    found = []
    while kept:
        (length,) = struct.unpack_from("<I", kept)
        found.append(decode(FileChunk, kept[4 : 4 + length]))
        kept = kept[4 + length :]
    return found


def uploading(content: bytes, size: int = CHUNK) -> list[tuple[str, bytes]]:
    first = FileChunk(0, "things", "a", len(content), size)
    chunks = [
        FileChunk(number, "things", "a", len(content), size, None, content[number * size : (number + 1) * size])
        for number in reversed(range(-(-len(content) // size)))
    ]
    return [("StartUpload", encode(first)), *(("UploadChunk", encode(chunk)) for chunk in chunks)]


def test_an_actor_uploads_and_downloads(host: Host, identities: Identities, values: dict[str, str]) -> None:
    actor, other = identities.actor(CAPABILITY), identities.actor(CAPABILITY)
    for each in (actor, other):
        host.add_actor(each)
    host.set_binding(actor.public_key, CAPABILITY, values=values)
    content = os.urandom(5 * CHUNK + 1)
    ask(host, actor, ("CreateContainer", encode(Container("things"))))
    for call in uploading(content):
        ask(host, actor, call)
    info = ask(host, actor, ("GetObjectInfo", encode(Blob("a", "things", 0))))
    assert decode(Blob, info) == Blob("a", "things", len(content))

    got: list[FileChunk] = []

    def is_complete() -> bool:
        got.extend(received(host, actor))
        return len(got) == 6

    assert ask(host, actor, ("StartDownload", encode(StreamRequest("a", "things", CHUNK, "mine")))) == b""
    assert eventually(is_complete)
    assert [chunk.sequence_no for chunk in got] == list(range(6))
    assert b"".join(chunk.chunk_bytes for chunk in got) == content
    assert {(chunk.id, chunk.container, chunk.context) for chunk in got} == {("a", "things", "mine")}
    with pytest.raises(HostError, match="Attempted bus call"):
        ask(host, other, ("GetObjectInfo", encode(Blob("a", "things", 0))))


def test_an_upload_outlasts_the_host(make_host: Callable[..., Host], identities: Identities, tmp_path: Path) -> None:
    actor, content = identities.actor(CAPABILITY), b"the quick brown fox"
    calls = [("CreateContainer", encode(Container("things"))), *uploading(content, 4)]
    for part in (calls[:4], calls[4:]):
        host = make_host()
        host.add_capability(find_provider("blobstore"))
        host.add_actor(actor)
        host.set_binding(actor.public_key, CAPABILITY, values={"ROOT": str(tmp_path)})
        assert not (tmp_path / "things" / "a").exists()
        ask(host, actor, *part)
        host.shutdown()
    assert (tmp_path / "things" / "a").read_bytes() == content


def test_a_refused_operation_is_an_error_of_the_actor(
    host: Host, identities: Identities, values: dict[str, str]
) -> None:
    actor = identities.actor(CAPABILITY)
    host.add_actor(actor)
    host.set_binding(actor.public_key, CAPABILITY, values=values)
    with pytest.raises(HostError, match="there is no blob 'a' in 'things'"):
        ask(host, actor, ("StartDownload", encode(StreamRequest("a", "things", 4))))
    with pytest.raises(HostError, match=r"UploadChunk: .*FileChunk"):
        ask(host, actor, ("UploadChunk", b"\x93\0"))
