"""The demo as a person runs it: the real process, the real port, the real database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from interp import ENGINES
from tests_support import free_port

COUNTER = Path(__file__).parents[2] / "examples" / "counter"
ACTOR = "MDBA6ZDM6ASG6LLFZRX32MKO7IAUVGRKZZ77FOSUYAXIJUGLH3N5DNCH"
WASCC = Path(sys.executable).parent / "wascc"
STARTUP_SECONDS = 30.0

MANIFEST = f"""
actors: [{COUNTER}/counter.wasm]
capabilities:
  - path: "wascc:http_server"
  - path: "wascc:keyvalue"
bindings:
  - actor: {ACTOR}
    capability: "wascc:keyvalue"
  - actor: {ACTOR}
    capability: "wascc:http_server"
    values: {{PORT: "${{PORT}}"}}
"""


@contextmanager
def running(folder: Path, engine: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[httpx.Client]:
    """`wascc up` in a folder; the client talks to its actor. The process must end well on the signal."""
    port = free_port()
    (folder / "manifest.yaml").write_text(MANIFEST)
    process = subprocess.Popen(
        [WASCC, "up", "--expand-env", "--engine", engine],
        cwd=folder,
        env=os.environ | {"PORT": str(port)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_up(process, client)
            yield client
        process.send_signal(stop)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
        assert "Traceback" not in log
    finally:
        process.kill()
        process.wait()


def wait_until_up(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        try:
            client.get("/", headers={"connection": "close"})
        except httpx.TransportError:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the host did not come up")


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_counter_counts_and_goes_on_after_a_restart(tmp_path: Path, engine: str, stop: signal.Signals) -> None:
    for expected in ([1, 2], [3]):
        with running(tmp_path, engine, stop) as client:
            for n in expected:
                response = client.get("/counter1")
                assert response.status_code == 200
                assert response.headers["content-type"] == "application/json"
                assert response.json() == {"counter": n}
    assert (tmp_path / "wascc-keyvalue.db").is_file()


def test_both_engines_count_in_one_store(tmp_path: Path) -> None:
    for n, engine in enumerate(sorted(ENGINES) * 2, 1):
        with running(tmp_path, engine) as client:
            assert client.get("/shared").json() == {"counter": n}


def test_the_committed_demo_manifest_is_this_one() -> None:
    text = (COUNTER / "manifest.yaml").read_text()
    assert ACTOR in text
    assert "8081" in text
