"""`wascc up` with bad input: one clear line, a non-zero exit, nothing left behind, nothing lost."""

import base64
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests_support import parse, wascc
from wascap import ActorMetadata, Claims, KeyPair, KeyType, embed, encode, module_hash, sign

ACCOUNT = KeyPair.generate(KeyType.ACCOUNT)
MODULE = KeyPair.generate(KeyType.MODULE)
ACTOR = MODULE.public_key
WASCC = Path(sys.executable).parent / "wascc"
SERVER, STORE = "wascc:http_server", "wascc:keyvalue"

GUEST = (
    '(module (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))'
)
TRAPPING = GUEST[:-1] + '(func $broken (export "_start") unreachable))'
LOOPING = GUEST.replace("(i32.const 1)", "(loop (br 0)) (i32.const 1)")
ENDLESS = GUEST[:-1] + '(func $spin (export "_start") (loop (br 0))))'
CLAIMS = Claims(
    issuer=ACCOUNT.public_key, subject=ACTOR, metadata=ActorMetadata(name="Test", capabilities=(SERVER, STORE))
)


def signed(wat: str = GUEST, **changes: int) -> bytes:
    return sign(parse(wat), replace(CLAIMS, **changes), ACCOUNT)  # type: ignore[arg-type]


def forged() -> bytes:
    """A module whose token was changed after it was signed, with the right hash."""
    wasm = parse(GUEST)
    metadata = replace(CLAIMS.metadata, module_hash=module_hash(wasm))
    header, body, signature = encode(replace(CLAIMS, metadata=metadata), ACCOUNT).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims["wascap"]["caps"].append("wascc:messaging")
    changed = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).rstrip(b"=").decode()
    return embed(wasm, f"{header}.{changed}.{signature}")


def changed() -> bytes:
    wasm = signed()
    return wasm.replace(b"__guest_call", b"__guest_cell", 1)


def manifest(
    folder: Path, *, capability: str = SERVER, actor: str = ACTOR, values: str = "", path: str = "a.wasm"
) -> str:
    return f"""actors: [{path}]
capabilities:
  - path: "{SERVER}"
  - path: "{STORE}"
bindings:
  - actor: {actor}
    capability: "{capability}"
    values: {{{values}}}
"""


def up(folder: Path, *options: str) -> str:
    """The error: one line, or one for each problem of a manifest."""
    threads = set(threading.enumerate())
    done = wascc("up", folder / "m.yaml", "--log-level", "error", *options)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    left = [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
    assert left == []
    return done.stderr


@pytest.mark.parametrize(
    ("wasm", "message"),
    [
        (lambda: parse(GUEST), "No embedded JWT in actor module"),
        (forged, "signature"),
        (changed, "hash"),
        (lambda: signed(expires=1_600_000_000), "Expired token"),
        (lambda: signed(not_before=4_000_000_000), "Module cannot be used before in"),
        (lambda: b"", "magic"),
        (lambda: b"no module", "magic"),
        (lambda: signed()[:-30], ""),
        (lambda: signed("(module (func (result i32)))"), "type mismatch"),
        (lambda: signed("(module)"), "__guest_call"),
        (lambda: signed(GUEST.replace("(module", '(module (import "env" "magic" (func))')), "env.magic"),
        (lambda: signed(TRAPPING), "unreachable in broken (function 1) at byte 0x"),
    ],
    ids=[
        "unsigned", "forged", "changed", "expired", "not-yet", "empty", "text", "truncated", "invalid", "no-guest-call",
        "unknown-import", "trap",
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_bad_actors(tmp_path: Path, wasm: Callable[[], bytes], message: str, engine: str) -> None:
    (tmp_path / "a.wasm").write_bytes(wasm())
    (tmp_path / "m.yaml").write_text(manifest(tmp_path))
    error = up(tmp_path, "--engine", engine)
    if message == "magic":
        assert "wasm" in error.lower()
    else:
        assert message in error


@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_an_actor_that_never_starts(tmp_path: Path, engine: str) -> None:
    (tmp_path / "a.wasm").write_bytes(signed(ENDLESS))
    (tmp_path / "m.yaml").write_text(manifest(tmp_path))
    assert "deadline exceeded" in up(tmp_path, "--engine", engine, "--deadline", "0.3")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            lambda folder: manifest(folder, capability="wascc:messaging"),
            ["not authorized to use capability wascc:messaging"],
        ),
        (lambda folder: manifest(folder, actor="M" + "A" * 55), ["non-existent actor"]),
        (lambda folder: manifest(folder, path="b.wasm"), ["b.wasm"]),
        (lambda folder: manifest(folder, values='PORT: "high"'), ["PORT"]),
        (lambda folder: manifest(folder, values="PORT: 8081"), ["m.yaml", "line 8", "values"]),
        (lambda folder: manifest(folder).replace("capability:", "capabilty:"), ["m.yaml", "line 7", "capabilty"]),
        (lambda folder: manifest(folder).replace(f'"{STORE}"', '"acme:thing"'), ["acme:thing"]),
        (lambda folder: manifest(folder).replace(f'"{STORE}"', '"./none.py"'), ["none.py"]),
        (lambda folder: "actors: [a.wasm]\n", ["m.yaml", "capabilities", "bindings"]),
        (lambda folder: "", ["m.yaml"]),
        (lambda folder: "[1, 2]", ["m.yaml"]),
        (lambda folder: "a: [", ["m.yaml", "line"]),
    ],
)
def test_bad_manifests(tmp_path: Path, text: Callable[[Path], str], messages: list[str]) -> None:
    (tmp_path / "a.wasm").write_bytes(signed())
    (tmp_path / "m.yaml").write_text(text(tmp_path))
    error = up(tmp_path)
    for message in messages:
        assert message in error


def test_each_problem_of_a_manifest_has_a_line(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text('actors: [1]\ncapabilities: [{path: a, "b\\nerror: forged": c}]\nbindings: []\n')
    first, second = up(tmp_path).splitlines()
    assert first.startswith("error: ")
    assert "actors[0]" in first
    assert "capabilities[0].b\\nerror: forged" in second


def test_a_port_in_use(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(signed())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "m.yaml").write_text(manifest(tmp_path, values=f'PORT: "{port}"'))
        assert str(port) in up(tmp_path)
    socket.create_server(("127.0.0.1", port)).close()


def test_a_missing_manifest(tmp_path: Path) -> None:
    assert "m.yaml" in up(tmp_path)


@pytest.mark.parametrize("damage", ["folder", "text", "locked"])
def test_a_database_that_cannot_be_used(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.wasm").write_bytes(signed())
    path = tmp_path / "data.db"
    (tmp_path / "m.yaml").write_text(manifest(tmp_path, capability=STORE, values=f'PATH: "{path}", BUSY_TIMEOUT: "1"'))
    if damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("this is a text that somebody wants to keep\n" * 100)
    before = path.read_bytes() if path.is_file() else b""
    lock = sqlite3.connect(path) if damage == "locked" else None
    if lock is not None:
        lock.execute("BEGIN EXCLUSIVE")
    try:
        assert str(path) in up(tmp_path)
    finally:
        if lock is not None:
            lock.close()
    if damage == "text":
        assert path.read_bytes() == before


def test_a_provider_that_raises(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(signed())
    (tmp_path / "broken.py").write_text(
        "from host import Provider, ProviderError\n"
        "from host.providers.base import *\n"
        "class Broken(Provider):\n"
        "    def __init__(self):\n"
        "        raise RuntimeError('no luck')\n"
    )
    (tmp_path / "m.yaml").write_text(manifest(tmp_path).replace(f'"{STORE}"', '"./broken.py"'))
    assert "broken.py" in up(tmp_path)


@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_a_signal_ends_an_endless_start(tmp_path: Path, engine: str) -> None:
    (tmp_path / "a.wasm").write_bytes(signed(ENDLESS))
    (tmp_path / "m.yaml").write_text(manifest(tmp_path))
    command = [WASCC, "up", "--engine", engine, "m.yaml"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while "Actor claims loaded" not in (process.stderr.readline() if process.stderr else ""):
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "Traceback" not in log


@pytest.mark.parametrize("engine", ["reference", "wasmtime"])
def test_an_endless_call_does_not_keep_the_host_from_ending(tmp_path: Path, engine: str) -> None:
    (tmp_path / "a.wasm").write_bytes(signed(LOOPING))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "m.yaml").write_text(manifest(tmp_path, values=f'PORT: "{port}", SHUTDOWN_TIMEOUT: "1"'))
    command = [WASCC, "up", "--engine", engine, "--deadline", "300", "m.yaml"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while "Processed and applied" not in (process.stderr.readline() if process.stderr else ""):
        assert process.poll() is None
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert b" 503 " in client.recv(1000)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_logs_as_json(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(signed())
    (tmp_path / "m.yaml").write_text(manifest(tmp_path, path="none.wasm"))
    done = wascc("up", tmp_path / "m.yaml", "--log-format", "json")
    *lines, error = done.stderr.splitlines()
    assert error.startswith("error: ")
    parsed = [json.loads(line) for line in lines]
    assert all(line["time"].endswith("Z") and line["level"] == "INFO" for line in parsed)
    (host,) = {line["message"].split()[3] for line in parsed if line["message"].startswith("Host ID is ")}
    assert parsed[-1]["host"] == host
