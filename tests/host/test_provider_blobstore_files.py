"""The blob store on the file system: nothing escapes the root, and nothing is lost or half there."""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from blob_support import Store, file_store, refused
from host_support import eventually

from host.codec.blobstore import Blob
from host.providers.base import ProviderError
from host.providers.blobstore import uploads
from host.providers.blobstore.files import UPLOADS_FOLDER

CONTENT = b"the quick brown fox"
AREA = UPLOADS_FOLDER.decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root with a secret, in which nothing may change."""
    made = tmp_path / "outside"
    made.mkdir()
    (made / "secret").write_text("secret")
    return made


@pytest.fixture
def store(root: Path, outside: Path) -> Iterator[Store]:
    made = file_store(root)
    made.create()
    yield made
    made.provider.stop()
    assert [each.name for each in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert sorted(each.name for each in outside.parent.iterdir()) == ["outside", "root"]


HOSTILE = [
    "..", ".", "../outside/secret", "/etc/passwd", "a/../../outside/secret", "..\\..\\outside", "secret\0.txt",
    "../root/things/x", AREA, f"{AREA}/x", "//", "~root", "$HOME", "a\nb", "\x1b[2J", "%2e%2e%2f",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_ids_do_not_lead_out_of_the_root(store: Store, root: Path, name: str) -> None:
    store.create(name)
    for container in ("things", name):
        store.upload(name, CONTENT, container=container)
        assert store.list(container) == {name: len(CONTENT)}
        assert store.info(name, container) == Blob(name, container, len(CONTENT))
        assert store.content(name, container) == CONTENT
    folders = sorted(each for each in root.iterdir() if each.name != AREA)
    assert len(folders) == 2
    assert all([each.is_file() for each in folder.iterdir()] == [True] for folder in folders)
    assert list((root / AREA).iterdir()) == []
    store.remove(name, name)
    store.remove_container(name)


def test_links_are_not_followed(store: Store, root: Path, outside: Path) -> None:
    things = root / "things"
    (root / "linked").symlink_to(outside)
    (things / "secret").symlink_to(outside / "secret")
    (things / "dangling").symlink_to(outside / "nothing")
    (things / "loop").symlink_to(things / "loop")
    assert store.list() == {}
    for blob_id in ("secret", "dangling", "loop"):
        assert store.info(blob_id).id == "none"
        assert refused(lambda blob_id=blob_id: store.download(blob_id)).startswith("there is no blob")
        store.upload(blob_id, CONTENT)
        assert store.content(blob_id) == CONTENT
        assert not (things / blob_id).is_symlink()
    for call in (
        lambda: store.list("linked"),
        lambda: store.start("a", 1, container="linked"),
        lambda: store.remove_container("linked"),
    ):
        assert refused(call) == "there is no container 'linked'"
    assert store.info("secret", "linked").id == "none"
    store.remove("secret", "linked")
    assert refused(lambda: store.create("linked")) == "the container 'linked' cannot be made: Not a directory"


def test_a_container_that_becomes_a_link_during_an_upload(store: Store, root: Path, outside: Path) -> None:
    store.upload("a", CONTENT, numbers=[0, 1, 2, 3])
    (root / "things").rename(root / "away")
    (root / "things").symlink_to(outside)
    assert refused(lambda: store.send("a", CONTENT, 4)) == "there is no container 'things'"
    (root / "things").unlink()
    (root / "away").rename(root / "things")
    # All chunks are there: the upload is finished as soon as that is possible.
    store.start("a", len(CONTENT))
    assert store.content("a") == CONTENT


@pytest.mark.usefixtures("eager_switching")
def test_a_container_that_is_swapped_all_the_time(store: Store, root: Path, outside: Path) -> None:
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            (root / "things").rename(root / "away")
            (root / "things").symlink_to(outside)
            (root / "things").unlink()
            (root / "away").rename(root / "things")
            time.sleep(0.001)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        stored = 0
        for number in range(400):
            with suppress(ProviderError):
                store.upload(f"{number}", b"data")
                stored += 1
            with suppress(ProviderError):
                assert "secret" not in store.list()
            assert store.info("secret").id == "none"
            with suppress(ProviderError):
                store.remove("secret")
    finally:
        ended.set()
        swapping.join()
    assert stored > 0
    assert set(store.list().values()) == {4}


def test_what_is_no_regular_file_is_no_blob(store: Store, root: Path) -> None:
    os.mkfifo(root / "things" / "fifo")
    (root / "things" / "folder").mkdir()
    assert store.list() == {}
    for blob_id in ("fifo", "folder"):
        assert store.info(blob_id).id == "none"
        refused(lambda blob_id=blob_id: store.download(blob_id))
    assert refused(lambda: store.upload("folder", b"1")).startswith("the blob 'folder' in 'things' cannot be stored: ")
    (root / "file").write_text("")
    assert refused(lambda: store.list("file")) == "there is no container 'file'"
    assert refused(lambda: store.create("file")) == "the container 'file' cannot be made: Not a directory"


def test_files_that_are_there_already(store: Store, root: Path) -> None:
    things = root / "things"
    for name in (b"photo.jpg", "übersicht".encode(), b"%zz", b".hidden", b"\xff\xfe", b"%41"):
        Path(os.fsdecode(os.fsencode(things) + b"/" + name)).write_bytes(b"123")
    assert store.list() == {"photo.jpg": 3, "übersicht": 3}
    assert refused(store.remove_container) == "the container 'things' is not empty"


def test_only_the_owner_may_read(root: Path) -> None:
    before = os.umask(0)
    try:
        store = file_store(root)
        store.create()
        store.upload("a", CONTENT)
        store.upload("b", CONTENT, numbers=[1])
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in root.rglob("*")}
    assert {modes[name] for name in ("things", AREA)} == {0o700}
    assert {mode for name, mode in modes.items() if name not in ("things", AREA)} == {0o600}
    assert len(modes) == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "ROOT must name an existing folder"),
        ("{tmp}/nothing", "ROOT '{tmp}/nothing' cannot be used: No such file or directory"),
        ("{tmp}/file", "ROOT '{tmp}/file' cannot be used: Not a directory"),
        ("{tmp}/a\0b", r"ROOT '{tmp}/a\x00b' is no path: embedded null byte"),
        ("{tmp}/linked", "ROOT '{tmp}/linked' cannot be used: Not a directory"),
    ],
)
def test_roots_that_are_refused(tmp_path: Path, value: str, text: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / AREA).symlink_to(tmp_path)
    assert refused(lambda: file_store(Path(), ROOT=value.format(tmp=tmp_path))) == text.format(tmp=tmp_path)


def test_a_root_that_must_be_named() -> None:
    from host.providers.blobstore import FileBlobStoreProvider

    assert refused(lambda: Store(FileBlobStoreProvider(), {})) == "ROOT must name an existing folder"


def test_a_root_of_others() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        script = f"import os, sys\nif os.geteuid() == 0: os.seteuid(65534)\nos.mkdir({folder + '/x'!r})"
        if subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0:
            pytest.skip("this system lets everybody write everywhere")
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            assert refused(lambda: file_store(Path(folder))) == f"ROOT '{folder}' cannot be used: Permission denied"
        finally:
            os.seteuid(user)


def test_a_file_system_that_does_not_tell_cases_apart(root: Path) -> None:
    (root / AREA.upper()).mkdir()
    text = f"ROOT '{root}' cannot be used: its file system takes upper and lower case for the same"
    assert refused(lambda: file_store(root)) == text


def test_roots_are_apart_or_shared(tmp_path: Path, root: Path) -> None:
    (tmp_path / "other").mkdir()
    store = file_store(root)
    store.bind("MB", ROOT=str(tmp_path / "other"))
    store.bind("MC")
    store.create()
    store.upload("a", CONTENT)
    assert store.content("a", actor="MC") == CONTENT
    assert refused(lambda: store.list(actor="MB")) == "there is no container 'things'"
    store.bind("MC", ROOT=str(tmp_path / "other"))
    assert store.info("a", actor="MC").id == "none"


def test_descriptors_are_closed(root: Path) -> None:
    def opened() -> int:
        gc.collect()
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    store = file_store(root)
    store.create()
    before = opened()
    for actor in ("MB", "MC", "MB"):
        store.bind(actor)
        store.upload("a", CONTENT, actor=actor)
        store.download("a", actor=actor)
        refused(lambda actor=actor: store.download("a", actor=actor, first=9))
        store.list(actor=actor)
    store.unbind("MB")
    store.unbind("MC")
    assert eventually(lambda: opened() <= before)
    store.provider.stop()
    assert eventually(lambda: opened() <= before - 2)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mounted)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        store = file_store(mounted)
        store.create()
        (mounted / "ballast").write_bytes(bytes(100_000))
        content = os.urandom(2**18 - 2**16)
        store.start("a", len(content), 2**16)
        store.send("a", content, 0, 2**16)
        store.send("a", content, 2, 2**16)
        text = "the chunk cannot be kept: No space left on device"
        assert refused(lambda: store.send("a", content, 1, 2**16)) == text
        assert store.info("a").id == "none"
        (mounted / "ballast").unlink()
        for number in store.missing("a").missing:
            store.send("a", content, number, 2**16)
        assert store.content("a") == content
        store.provider.stop()
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_a_file_that_may_not_grow(store: Store, root: Path) -> None:
    store.start("a", len(CONTENT))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        reason = os.strerror(errno.EFBIG)
        assert refused(lambda: store.send("a", CONTENT, 2)) == f"the chunk cannot be kept: {reason}"
        assert refused(lambda: store.start("b", 9)) == f"the upload cannot begin: {reason}"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list((root / AREA).iterdir())) == 2
    for number in store.missing("a").missing:
        store.send("a", CONTENT, number)
    assert store.content("a") == CONTENT


UPLOADING = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from blob_support import file_store
store = file_store(Path({root!r}))
content = bytes(range(256)) * 4096
store.start("a", len(content), 1024)
for number in range({first}, 1023):
    store.send("a", content, number * 7 % 1024, 1024)
    print(number, flush=True)
"""


def test_the_host_is_killed_in_the_middle_of_an_upload(store: Store, root: Path) -> None:
    content = bytes(range(256)) * 4096
    acknowledged = -1
    for _ in range(3):
        script = UPLOADING.format(path=sys.path, root=str(root), first=acknowledged + 1)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(40):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        missing = store.missing("a").missing
        assert not set(missing) & {number * 7 % 1024 for number in range(acknowledged + 1)}
        assert store.list() == {}
    for number in missing:
        store.send("a", content, number, 1024)
    assert store.content("a") == content


def test_chunks_that_a_loss_of_power_took(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.upload("a", CONTENT, numbers=[0, 1, 4])
    (part,) = (root / AREA).glob("*.part")
    with part.open("r+b") as file:
        file.seek(5)
        file.write(b"\0")
    assert store.missing("a").missing == (2, 3)
    monkeypatch.setattr(uploads, "_running_system", lambda: b"another".ljust(36))
    assert store.missing("a").missing == (1, 2, 3)
    for number in (1, 2, 3):
        store.send("a", CONTENT, number)
    assert store.content("a") == CONTENT


@pytest.mark.parametrize("damage", [b"", b"waSCCup1", b"x" * 500, b"waSCCup1" + b" " * 36 + b"\2\0\0\0{}", None])
def test_damaged_uploads_begin_anew(store: Store, root: Path, damage: bytes | None) -> None:
    store.upload("a", CONTENT, numbers=[0])
    (found,) = (root / AREA).glob("*.map")
    found.write_bytes(found.read_bytes()[:-1] if damage is None else damage)
    assert refused(lambda: store.send("a", CONTENT, 1)).startswith("no upload of the blob")
    store.upload("a", CONTENT)
    assert store.content("a") == CONTENT
    assert list((root / AREA).iterdir()) == []


def test_what_belongs_to_no_upload_goes(store: Store, root: Path, outside: Path) -> None:
    store.upload("a", CONTENT, numbers=[0])
    for name in ("x.part", "x.new", "x.map", "x"):
        (root / AREA / name).write_text("")
    (root / AREA / "link").symlink_to(outside / "secret")
    store.start("b", 1)
    names = sorted(each.suffix for each in (root / AREA).iterdir())
    assert names == ["", ".map", ".map", ".part", ".part"]
    for part in (root / AREA).glob("*.part"):
        part.unlink()
        part.symlink_to(outside / "secret")
    for blob_id in ("a", "b"):
        assert "no upload" in refused(lambda blob_id=blob_id: store.missing(blob_id))


def test_a_map_cannot_name_files_elsewhere(store: Store, root: Path, outside: Path) -> None:
    store.upload("a", b"secret", numbers=[0])
    (found,) = (root / AREA).glob("*.map")
    (part,) = (root / AREA).glob("*.part")
    (outside / "x.part").write_bytes(b"secret")
    # 32 characters, as the names of parts have them.
    elsewhere = "../" * 2 + "outside/" + "." + "/" * 16 + "x"
    assert (root / AREA / f"{elsewhere}.part").exists()
    found.write_bytes(found.read_bytes().replace(part.stem.encode(), elsewhere.encode()))
    assert "no upload" in refused(lambda: store.send("a", b"secret", 1))
    store.start("b", 1)
    assert not found.exists()
    (outside / "x.part").unlink()


def test_a_host_that_ends_when_the_blob_is_stored(store: Store, root: Path) -> None:
    store.upload("a", CONTENT, numbers=[0, 1, 2, 3])
    (found,) = (root / AREA).glob("*.map")
    left = found.read_bytes()
    store.send("a", CONTENT, 4)
    found.write_bytes(left)
    store.send("a", CONTENT, 4)
    store.bind("MA", MAX_UPLOADS="1")
    store.start("b", 4)
    assert not found.exists()
    assert store.content("a") == CONTENT


def test_a_refused_beginning_leaves_the_upload_as_it_was(store: Store) -> None:
    store.upload("a", CONTENT, numbers=[0])
    store.bind("MA", MAX_BYTES="30")
    assert refused(lambda: store.start("a", 31)) == "31 bytes of blobs and uploads are over the limit of 30"
    assert store.missing("a").missing == (1, 2, 3, 4)
    store.start("a", 30)
    assert store.missing("a").total_bytes == 30


def test_a_blob_that_becomes_shorter(store: Store, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    store.upload("a", CONTENT)
    store.receivers.reaction = lambda chunk: os.truncate(root / "things" / "a", 6)
    store.download("a")
    assert eventually(lambda: bool(caplog.messages))
    (message,) = caplog.messages
    assert message.endswith("for MA ended: the blob 'a' in 'things' has become shorter while it was read")


def test_blobs_count_against_the_limit(root: Path) -> None:
    store = file_store(root, MAX_BYTES="30")
    store.create()
    store.upload("a", CONTENT)
    assert refused(lambda: store.start("a", 12)) == "31 bytes of blobs and uploads are over the limit of 30"
    store.upload("b", b"x" * 11)
    assert refused(lambda: store.start("c", 1)) == "31 bytes of blobs and uploads are over the limit of 30"
    store.remove("a")
    store.start("c", 19)


def test_containers_and_empty_blobs_count_too(root: Path) -> None:
    store = file_store(root, MAX_ENTRIES="4")
    store.create()
    store.create("others")
    store.upload("a", b"")
    store.start("b", 5)
    text = "one more is over the limit of 4 containers and blobs"
    for total in (0, 1):
        assert refused(lambda total=total: store.start("c", total)) == text
    store.create()
    store.upload("b", b"12345")
    assert refused(lambda: store.create("more")) == text
    store.remove("a")
    store.create("more")
    assert refused(lambda: store.upload("b", b"1")) == text


def test_two_hosts_at_one_upload(root: Path) -> None:
    stores = [file_store(root), file_store(root)]
    stores[0].create()
    content = os.urandom(64)
    for store in stores:
        store.start("a", len(content))
    for number in range(16):
        stores[number % 2].send("a", content, number)
    assert [store.content("a") for store in stores] == [content, content]
