"""The command in odd surroundings: pipes and devices for files, no home, closed streams, other encodings."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host.control import places
from host.control.client import running_hosts
from host.errors import ManifestValueError
from host.manifest.fields import FromFile, resolved
from tests_support import wascc
from wascap.cli import shared
from wascap.cli.shared import read_module, write_whole
from wascap.errors import FileError

WASCC = Path(sys.executable).parent / "wascc"
COUNTER = Path(__file__).parents[2] / "examples" / "counter" / "counter.wasm"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def opened_for_writing(pipe: Path, seconds: float = 20) -> int:
    """The pipe's other end, once somebody reads it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_manifest_that_nobody_writes_can_be_given_up(pipe: Path) -> None:
    process = subprocess.Popen([WASCC, "up", pipe], stderr=subprocess.PIPE, text=True)
    try:
        writing = opened_for_writing(pipe)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    os.close(writing)
    assert process.returncode == 130
    assert errors == "interrupted\n"


def test_a_secret_in_a_pipe_or_a_device_is_refused(pipe: Path) -> None:
    for path in (pipe, Path("/dev/zero")):
        outcome: list[str] = []

        def look(path: Path = path, outcome: list[str] = outcome) -> None:
            with pytest.raises(ManifestValueError) as refused:
                resolved({"KEY": FromFile(file=str(path))}, None)
            outcome.append(str(refused.value))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(10)
        assert outcome == [f"the value KEY comes from the file {path}, which cannot be read: it is no regular file"]


def test_a_device_is_read_to_the_limit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MAX_MODULE_BYTES", 1000)
    with pytest.raises(FileError, match="/dev/zero is larger than 1000 bytes"):
        read_module(Path("/dev/zero"))


def test_what_is_no_file_is_written_to_and_not_replaced(pipe: Path, tmp_path: Path) -> None:
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reading.start()
    write_whole(pipe, b"data")
    reading.join(10)
    assert read == [b"data"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    for data in (b"new", b"newer"):
        write_whole(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(FileError):
        write_whole(loop / "file", b"")


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "WASCC_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    done = wascc("keys", "list")
    assert done.returncode == 1
    assert done.stderr == (
        "error: I/O error: this user has no home directory; WASCC_KEYS may name the folder of keys\n"
    )
    with pytest.raises(places.NoPlaceError, match="this user has no home directory"):
        places.made_folder()
    assert running_hosts() == []


def test_closed_streams() -> None:
    script = f"exec {WASCC} call {COUNTER} HealthRequest -"
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"{script} {closed}"], capture_output=True, input=b"", check=False)
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_an_encoding_without_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(COUNTER.read_bytes())
    manifest = tmp_path / "mänifest.yaml"
    manifest.write_text("actors: [module.wasm]\ncapabilities: []\nbindings: []\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([WASCC, "explain", manifest], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"yes" in done.stdout
