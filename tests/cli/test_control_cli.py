"""`wascc ps` and `wascc logs` against real hosts, and the control socket against clients that mean no good."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from up_support import WASCC, Running, free_port, hosts, up, wascc

from host.control import places, protocol
from host.control.places import short_address
from host.control.server import MAX_CLIENTS

COUNTER = Path(__file__).parents[2] / "examples" / "counter"
ACTOR = "MDBA6ZDM6ASG6LLFZRX32MKO7IAUVGRKZZ77FOSUYAXIJUGLH3N5DNCH"
SECRET = "geheim-4711"
MANIFEST = f"""
labels: {{zone: home}}
actors: [{COUNTER}/counter.wasm]
capabilities:
  - path: "wascc:http_server"
  - path: keyvalue_memory
bindings:
  - {{actor: {ACTOR}, capability: "wascc:keyvalue", values: {{PASSWORD: "{SECRET}"}}}}
  - {{actor: {ACTOR}, capability: "wascc:http_server", values: {{PORT: "PORT"}}}}
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    return os.environ | {"XDG_RUNTIME_DIR": str(runtime), "COLUMNS": "200"}


@pytest.fixture
def folder(environment: dict[str, str]) -> Path:
    return Path(environment["XDG_RUNTIME_DIR"], "wascc")


@contextmanager
def running(folder: Path, environment: dict[str, str], *options: str) -> Iterator[Running]:
    port = free_port()
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(MANIFEST.replace('"PORT"', f'"{port}"'))
    with up(folder, environment, port, *options) as host:
        yield host


def test_no_host(environment: dict[str, str]) -> None:
    for command in (("ps",), ("ps", "--json"), ("logs",), ("logs", "--follow"), ("logs", "--set-level", "debug")):
        done = wascc(environment, *command)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: no host is running\n")


def test_a_host_and_its_end(tmp_path: Path, environment: dict[str, str], folder: Path) -> None:
    with running(tmp_path / "a", environment) as host:
        (status,) = hosts(environment)
        for _ in range(3):
            assert host.get().status_code == 200
        (status,) = hosts(environment)
        assert status["pid"] == host.process.pid
        assert status["manifest"] == str(host.manifest)
        assert re.fullmatch(r"N[A-Z2-7]{55}", status["host"])
        assert status["labels"]["zone"] == "home"
        assert 0 < status["uptime_seconds"] < 60
        (actor,) = status["actors"]
        assert (actor["key"], actor["name"], actor["state"]) == (ACTOR, "Counter", "ready")
        assert (actor["calls"], actor["failures"], actor["instances"]["made"]) == (3, 0, 1)
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", actor["module"])
        assert {each["id"] for each in status["capabilities"]} == {
            "wascc:extras", "wascc:http_server", "wascc:keyvalue"
        }  # fmt: skip
        assert {"actor": ACTOR, "capability": "wascc:keyvalue", "binding": "default"} in status["bindings"]
        table = wascc(environment, "ps").stdout
        for expected in (status["host"], "Counter", ACTOR, "ready", "wascc:keyvalue", actor["module"][7:19]):
            assert expected in table
        assert SECRET not in table + json.dumps(status) + wascc(environment, "logs", "--json").stdout
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (path,) = folder.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        host.stop()
        assert list(folder.iterdir()) == []
    assert wascc(environment, "ps").returncode == 1


def on_a_terminal(environment: dict[str, str], columns: int) -> str:
    """What `wascc ps` shows on a terminal of so many columns."""
    ours, theirs = os.openpty()
    size = {"COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen([WASCC, "ps"], env=environment | size, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # what Linux says when the other end is closed
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_narrow_terminal(tmp_path: Path, environment: dict[str, str]) -> None:
    with running(tmp_path / "a", environment) as host:
        hosts(environment)
        narrow = on_a_terminal(environment, 100)
        assert ACTOR[:12] in narrow
        assert ACTOR[:13] not in narrow
        assert ACTOR in on_a_terminal(environment, 200)
        host.stop()


def test_several_hosts_and_one_that_was_killed(tmp_path: Path, environment: dict[str, str], folder: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(running(tmp_path / name, environment)) for name in "ab")
        one, two = hosts(environment, 2)
        assert [one["pid"], two["pid"]] == [first.process.pid, second.process.pid]
        done = wascc(environment, "logs")
        assert done.returncode == 1
        assert done.stderr.startswith("error: 2 hosts are running, choose one with --host: N")
        assert done.stderr.count("\n") == 1
        for name in (two["host"], two["host"][:20], str(two["pid"]), two["manifest"]):
            assert two["host"] in wascc(environment, "logs", "--host", name).stdout
            assert json.loads(wascc(environment, "ps", "--json", "--host", name).stdout)[0]["pid"] == two["pid"]
        assert "no running host is called Nope" in wascc(environment, "logs", "--host", "Nope").stderr
        first.process.kill()
        first.process.wait()
        assert [each["pid"] for each in hosts(environment)] == [second.process.pid]
        assert len(list(folder.iterdir())) == 1, "the dead one's socket is gone"


def test_logs_with_filters(tmp_path: Path, environment: dict[str, str]) -> None:
    with running(tmp_path / "a", environment) as host:
        hosts(environment)
        everything = wascc(environment, "logs").stdout.splitlines()
        assert any("Host ID is N" in line for line in everything)
        form = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO   |WARNING)\] "
        assert all(re.match(form, line) for line in everything)
        assert wascc(environment, "logs", "--lines", "2").stdout.splitlines() == everything[-2:]
        assert wascc(environment, "logs", "-n", "0").stdout == ""
        parsed = [json.loads(line) for line in wascc(environment, "logs", "--json").stdout.splitlines()]
        shown = [f"[{each['time']} {each['level']:7}] {each['message']}" for each in parsed]
        assert shown == everything
        about = [line for line in everything if ACTOR in line and " now runs " not in line]
        assert any("Attempting to bind actor" in line for line in about)
        assert any("listens on" in line for line in about)
        for name in ("Counter", ACTOR, ACTOR[:5]):
            of_actor = wascc(environment, "logs", "--actor", name).stdout.splitlines()
            assert [line for line in of_actor if " now runs " not in line] == about
        assert "no actor of this host is called Mxyz" in wascc(environment, "logs", "--actor", "Mxyz").stderr
        quiet = wascc(environment, "logs", "--level", "error")
        assert (quiet.returncode, quiet.stdout) == (0, "")
        assert wascc(environment, "logs", "--level", "loud").returncode == 2
        host.stop()


def test_following(tmp_path: Path, environment: dict[str, str]) -> None:
    with running(tmp_path / "a", environment) as host:
        hosts(environment)
        follower = subprocess.Popen(
            [WASCC, "logs", "--follow", "--json", "-n", "1"], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        impatient = subprocess.Popen(
            [WASCC, "logs", "-f"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert follower.stdout is not None
        assert impatient.stdout is not None
        follower.stdout.readline()
        assert impatient.stdout.readline()
        done = wascc(environment, "logs", "--set-level", "debug")
        assert (done.returncode, done.stdout) == (0, "the host logs from level debug on\n")
        assert json.loads(follower.stdout.readline())["message"] == "Log level set to debug"
        impatient.send_signal(signal.SIGINT)
        _, error = impatient.communicate(timeout=30)
        assert impatient.returncode != 0
        assert "Traceback" not in error
        host.stop(signal.SIGINT)
        rest, error = follower.communicate(timeout=30)
        assert follower.returncode == 0, error
        assert all(json.loads(line) for line in rest.splitlines())


@pytest.fixture
def address(tmp_path: Path, environment: dict[str, str], folder: Path) -> Iterator[str]:
    with running(tmp_path / "a", environment) as host:
        hosts(environment)
        (path,) = folder.iterdir()
        yield str(path)
        hosts(environment)
        host.stop()


def connect(connection: socket.socket, address: str) -> None:
    with short_address(Path(address)) as short:
        connection.connect(short)


def talk(address: str, sent: bytes) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connect(connection, address)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        received = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    return [json.loads(line) for line in received.splitlines()]


def test_what_the_socket_refuses(address: str) -> None:
    cases: dict[bytes, str] = {
        b"GET / HTTP/1.1\r\n\r\n": "a line is no JSON",
        b"[1]\n": "a line is no JSON object",
        b"\xff\n": "a line is no JSON",
        b"[" * 50_000 + b"\n": "a line is no JSON",
        b'{"request": "status"}\n': "the field wascc, the version of the protocol, is not 1",
        b'{"wascc": 2, "request": "status"}\n': "the field wascc, the version of the protocol, is not 1",
        b'{"wascc": 1}\n': "there is no such request; there are status, logs, set_level",
        b'{"wascc": 1, "request": ["status"]}\n': "there is no such request; there are status, logs, set_level",
        b'{"wascc": 1, "request": "__class__"}\n': "there is no such request; there are status, logs, set_level",
        b'{"wascc": 1, "request": "logs", "lines": -1}\n': "lines must be an integer from 0 to 2000",
        b'{"wascc": 1, "request": "logs", "lines": true}\n': "lines must be an integer from 0 to 2000",
        b'{"wascc": 1, "request": "logs", "level": "x"}\n': "level must be one of off, error,",
        b'{"wascc": 1, "request": "logs", "actor": 7}\n': "no actor of this host is called 7",
        b'{"wascc": 1, "request": "logs", "actor": "a\\u001b"}\n': "no actor of this host is called a\\x1b",
        b'{"wascc": 1, "request": "set_level"}\n': "level must be one of off, error,",
        b'{"wascc": 1, "request": "set_level", "level": {}}\n': "level must be one of off, error,",
        json.dumps({"wascc": 1, "request": "set_level", "level": "debug", "actor": ACTOR}).encode() + b"\n": (
            f"{ACTOR} is not bound to wascc:logging"
        ),
    }
    for sent, expected in cases.items():
        (reply,) = talk(address, sent)
        assert reply["error"].startswith(expected)
    long = talk(address, b"x" * (protocol.MAX_REQUEST_BYTES + protocol.MAX_REQUEST_BYTES))
    assert long == [] or "a line has more than 65536 bytes" in long[0]["error"]
    begin = time.monotonic()
    assert "too long" in talk(address, b'{"wascc": 1')[0]["error"]
    assert time.monotonic() - begin < 20


def test_clients_that_stay_do_not_keep_the_host(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CLIENTS + 4):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connect(connection, address)
            with suppress(BrokenPipeError):
                connection.sendall(b'{"wascc": 1, "request": "logs", "follow": true}\n')
        # The last ones were turned away.
        connection.settimeout(20)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_a_folder_of_somebody_else(tmp_path: Path, environment: dict[str, str]) -> None:
    """A host runs without a control socket rather than put it where others could be."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path(environment["XDG_RUNTIME_DIR"], "wascc").symlink_to(elsewhere)
    with running(tmp_path / "a", environment) as host:
        host.wait_for("No control socket, wascc ps and wascc logs do not find this host: ")
        assert host.get().status_code == 200
        assert list(elsewhere.iterdir()) == []
        assert wascc(environment, "ps").returncode == 1
        host.stop()


def test_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for unusable in ("", "relative", str(tmp_path / "missing")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", unusable)
        assert places.folder() == tmp_path / ".local/state/wascc/run"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert places.folder() == tmp_path / "state/wascc/run"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert places.folder() == tmp_path / "wascc"
    (tmp_path / "wascc").mkdir(mode=0o777)
    assert places.made_folder() == tmp_path / "wascc"
    assert stat.S_IMODE((tmp_path / "wascc").stat().st_mode) == 0o700


def test_a_folder_with_a_long_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 150)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    listening, path = places.listening_socket("7-N")
    with listening:
        (connection,) = places.connections()
        with connection, listening.accept()[0] as accepted:
            assert places.is_allowed(accepted)
    assert list(places.connections()) == []
    assert not path.exists(), "nobody listens to it any more"


def test_completion_knows_the_commands(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [WASCC],
        env=environment | {"_WASCC_COMPLETE": "complete_bash", "COMP_WORDS": "wascc ", "COMP_CWORD": "1"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert {"up", "ps", "logs"} <= set(done.stdout.split())
