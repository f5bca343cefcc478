"""`wascc up --watch`: real files changed under a real process."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import msgpack
import pytest
from up_support import WASCC, Running, free_port, hosts, up, wascc

from tests_support import eventually, is_listening, parse
from wascap import ActorMetadata, Claims, KeyPair, KeyType, sign

ACCOUNT = KeyPair.generate(KeyType.ACCOUNT)
ACTOR, OTHER = (KeyPair.generate(KeyType.MODULE).public_key for _ in range(2))
SERVER = "wascc:http_server"
GUEST = """(module
  (import "wapc" "__guest_response" (func $respond (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{data}")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $respond (i32.const 0) (i32.const {size})) (i32.const 1)))"""


def module(text: str, key: str = ACTOR, revision: int = 1, capabilities: tuple[str, ...] = (SERVER,)) -> bytes:
    """A signed actor that answers every request with a text."""
    response = msgpack.packb({"statusCode": 200, "status": "OK", "header": {}, "body": text.encode()})
    data = "".join(f"\\{byte:02x}" for byte in response)
    metadata = ActorMetadata(name="Test", capabilities=capabilities, revision=revision)
    wasm = parse(GUEST.format(data=data, size=len(response)))
    return sign(wasm, Claims(issuer=ACCOUNT.public_key, subject=key, metadata=metadata), ACCOUNT)


def manifest(port: int, *others: tuple[str, str, int], paths: str = "a.wasm") -> str:
    """One actor at the port; more of them as (path, key, port)."""
    actors = ", ".join([paths, *(path for path, _, _ in others)])
    lines = [f"actors: [{actors}]", f'capabilities: [{{path: "{SERVER}"}}]', "bindings:"]
    for key, served_at in [(ACTOR, port), *((key, served_at) for _, key, served_at in others)]:
        lines.append(f'  - {{actor: {key}, capability: "{SERVER}", values: {{PORT: "{served_at}"}}}}')
    return "\n".join(lines) + "\n"


def put(path: Path, content: bytes | str) -> None:
    """Replace a file at once, as careful programs do."""
    early = path.with_name(f".{path.name}.new")
    early.write_bytes(content.encode() if isinstance(content, str) else content)
    early.rename(path)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def host(folder: Path, environment: dict[str, str]) -> Iterator[Running]:
    port = free_port()
    (folder / "a.wasm").write_bytes(module("v1"))
    (folder / "manifest.yaml").write_text(manifest(port))
    with up(folder, environment, port, "--watch") as host:
        host.wait_for("Watching manifest.yaml and the modules that it names")
        assert host.get().text == "v1"
        yield host
        assert host.process.poll() is None
        host.stop()


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def get(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/", timeout=20).text


def refused(host: Running) -> list[str]:
    return [line for line in host.log if "refused, what ran before runs on: " in line]


def free(port: int) -> bool:
    return not is_listening(port)


@pytest.mark.parametrize("how", ["at once", "in place", "in pieces"])
def test_a_new_module_serves_without_a_lost_request(host: Running, folder: Path, how: str) -> None:
    new, path = module("v2" * 5000, revision=2), folder / "a.wasm"
    seen: set[str] = set()
    failures: list[object] = []
    done = threading.Event()

    def talk() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{host.port}", timeout=20) as client:
            while not done.is_set():
                try:
                    response = client.get("/")
                    seen.add(response.text[:2])
                    if response.status_code != 200:
                        failures.append(response)
                except httpx.HTTPError as error:
                    failures.append(error)

    talking = [threading.Thread(target=talk) for _ in range(4)]
    for thread in talking:
        thread.start()
    try:
        if how == "at once":
            put(path, new)
        elif how == "in place":
            path.write_bytes(new)
        else:
            with path.open("wb", buffering=0) as slowly:
                for begin in range(0, len(new), 1500):
                    slowly.write(new[begin : begin + 1500])
                    time.sleep(0.1)
        host.wait_for(f"Actor {ACTOR} now runs sha256:{digest(new)}")
        assert eventually(lambda: host.get().text[:2] == "v2")
    finally:
        done.set()
        for thread in talking:
            thread.join()
    assert failures == []
    assert {"v2"} <= seen <= {"v1", "v2"}
    assert refused(host) == []


NOT_TO_BE_TAKEN: list[tuple[str, bytes | str, str]] = [
    ("a.wasm", b"no module", "actors[0] (a.wasm): "),
    ("a.wasm", b"", "actors[0] (a.wasm): "),
    ("a.wasm", module("v2")[:-20], "actors[0] (a.wasm): "),
    ("a.wasm", module("v0", revision=0), "revision"),
    ("a.wasm", module("v2", key=OTHER), f"actor {ACTOR} is bound, and not among the actors"),
    ("a.wasm", module("v2", capabilities=()), f"{ACTOR} is bound to {SERVER}, which the claims of its module do not"),
    ("manifest.yaml", "actors: [", "manifest.yaml, line "),
    ("manifest.yaml", "actors: []\nsecret: 4711", "secret is not a field that manifests have"),
    ("manifest.yaml", manifest(1).replace('"1"', '"low"'), "PORT must be an integer"),
    ("manifest.yaml", manifest(1).replace("a.wasm", "b.wasm"), "I/O error: actors[0] (b.wasm): no such file"),
    ("manifest.yaml", manifest(1).replace('path: "', 'path: "./none.py", binding_name: "'), "none.py"),
    ("manifest.yaml", manifest(1).replace("a.wasm", "a.wasm, a.wasm"), f"actor {ACTOR} is listed twice"),
]


def test_what_cannot_be_taken_is_refused_in_one_line(host: Running, folder: Path) -> None:
    for count, (name, content, reason) in enumerate(NOT_TO_BE_TAKEN, 1):
        before = (folder / name).read_bytes()
        put(folder / name, content)
        assert eventually(lambda count=count: len(refused(host)) == count)
        assert reason in refused(host)[-1]
        assert host.get().text == "v1"
        put(folder / name, before)
    put(folder / "a.wasm", b"no module")
    assert eventually(lambda: len(refused(host)) == len(NOT_TO_BE_TAKEN) + 1)
    time.sleep(1.5)
    assert len(refused(host)) == len(NOT_TO_BE_TAKEN) + 1, "it is said once"
    new = module("v2", revision=2)
    put(folder / "a.wasm", new)
    host.wait_for(f"now runs sha256:{digest(new)}")
    assert host.get().text == "v2"


def test_touching_changes_nothing(host: Running, folder: Path) -> None:
    lines = len(host.log)
    for name in ("a.wasm", "manifest.yaml"):
        content = (folder / name).read_bytes()
        put(folder / name, content)
        (folder / name).touch()
    (folder / "manifest.yaml").write_text(f"# a comment\n{(folder / 'manifest.yaml').read_text()}")
    time.sleep(2)
    assert [line for line in host.log[lines:] if "Actor claims loaded" not in line] == []


def test_changes_of_the_manifest_are_applied_as_a_difference(
    host: Running, folder: Path, environment: dict[str, str]
) -> None:
    second, third = free_port(), free_port()
    (folder / "b.wasm").write_bytes(module("other", OTHER))
    before = hosts(environment)[0]["actors"][0]["calls"]
    put(folder / "manifest.yaml", manifest(host.port, ("b.wasm", OTHER, second)))
    assert eventually(lambda: not free(second))
    assert (host.get().text, get(second)) == ("v1", "other")
    assert hosts(environment)[0]["actors"][0]["calls"] == before + 1, "the first actor went on as it was"
    put(folder / "manifest.yaml", manifest(host.port, ("b.wasm", OTHER, third)))
    assert eventually(lambda: free(second) and not free(third))
    assert (host.get().text, get(third)) == ("v1", "other")
    put(folder / "manifest.yaml", manifest(host.port))
    assert eventually(lambda: free(third))
    assert host.get().text == "v1"
    (status,) = hosts(environment)
    assert [actor["key"] for actor in status["actors"]] == [ACTOR]
    put(folder / "manifest.yaml", manifest(host.port).replace("a.wasm", "{path: a.wasm, instances: 3}"))
    assert eventually(lambda: [actor["instances"]["most"] for actor in hosts(environment)[0]["actors"]] == [3])
    assert eventually(lambda: not free(host.port))
    assert host.get().text == "v1"
    assert refused(host) == []


def test_a_change_that_fails_half_way_is_taken_back(host: Running, folder: Path, environment: dict[str, str]) -> None:
    second = free_port()
    (folder / "b.wasm").write_bytes(module("other", OTHER))
    new = module("v2", revision=2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        put(folder / "a.wasm", new)
        put(folder / "manifest.yaml", manifest(second, ("b.wasm", OTHER, port)))
        assert eventually(lambda: len(refused(host)) == 1)
        assert "Address already in use" in refused(host)[0]
        assert host.get().text == "v1"
        assert free(second)
        (status,) = hosts(environment)
        assert [actor["key"] for actor in status["actors"]] == [ACTOR]
        assert len(status["bindings"]) == 1
    (folder / "manifest.yaml").write_text(manifest(host.port, ("b.wasm", OTHER, port)))
    assert eventually(lambda: not free(port))
    assert (host.get().text, get(port)) == ("v2", "other")


def test_a_module_that_is_not_there_yet(host: Running, folder: Path) -> None:
    second = free_port()
    put(folder / "manifest.yaml", manifest(host.port, ("later/b.wasm", OTHER, second)))
    assert eventually(lambda: len(refused(host)) == 1)
    (folder / "later").mkdir()
    put(folder / "later" / "b.wasm", module("other", OTHER))
    assert eventually(lambda: not free(second))
    assert get(second) == "other"


def test_a_module_behind_a_link(host: Running, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for revision, name in ((2, "two"), (3, "three")):
        (elsewhere / name).write_bytes(module(f"v{revision}", revision=revision))
    (folder / "link").symlink_to(elsewhere / "two")
    (folder / "link").rename(folder / "a.wasm")
    assert eventually(lambda: host.get().text == "v2")
    (elsewhere / "two").write_bytes((elsewhere / "three").read_bytes())
    assert eventually(lambda: host.get().text == "v3")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_signals(folder: Path, environment: dict[str, str], number: signal.Signals) -> None:
    port = free_port()
    (folder / "a.wasm").write_bytes(module("v1"))
    (folder / "manifest.yaml").write_text(manifest(port))
    with up(folder, environment, port, "--watch") as host:
        host.wait_for("Watching")
        begin = time.monotonic()
        host.stop(number)
        assert time.monotonic() - begin < 10
    assert free(port)


def test_the_first_version_must_be_right(folder: Path, environment: dict[str, str]) -> None:
    (folder / "manifest.yaml").write_text(manifest(1))
    done = subprocess.run(
        [WASCC, "up", "--watch", "--log-level", "error"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: I/O error: actors[0] (a.wasm): no such file\n"


def test_without_the_library(folder: Path, environment: dict[str, str]) -> None:
    (folder / "a.wasm").write_bytes(module("v1"))
    (folder / "manifest.yaml").write_text(manifest(free_port()))
    (folder / "watchfiles.py").write_text("raise ImportError('no watchfiles')")
    done = subprocess.run(
        [WASCC, "up", "--watch", "--log-level", "error"],
        cwd=folder, env=environment | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'wascc[watch]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert wascc(environment, "ps").returncode == 1
