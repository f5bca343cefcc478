"""Metrics and traces of `wascc up`: the real process with a manifest, asked by real clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
from collector import collecting
from host_support import eventually
from servers import free_port, is_listening

from host import Actor

COUNTER = Path(__file__).parents[2] / "examples" / "counter" / "counter.wasm"
WASCC = Path(sys.executable).parent / "wascc"
KEY = Actor.from_file(COUNTER).public_key


def manifest(collector: str, metrics_port: int, port: int) -> str:
    return f"""
middleware:
  - name: tracing
    values: {{endpoint: "{collector}/v1/traces", export_interval: "3600", headers: {{env: COLLECTOR_HEADERS}}}}
  - name: prometheus
    values: {{metrics_server_addr: "127.0.0.1:{metrics_port}"}}
actors: [{COUNTER}]
capabilities:
  - path: "wascc:http_server"
  - path: keyvalue_memory
bindings:
  - actor: {KEY}
    capability: "wascc:keyvalue"
  - actor: {KEY}
    capability: "wascc:http_server"
    values: {{PORT: "{port}"}}
"""


def answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False


def test_up_with_metrics_and_traces(tmp_path: Path) -> None:
    metrics_port, port = free_port(), free_port()
    with collecting() as collector:
        (tmp_path / "manifest.yaml").write_text(manifest(collector.url, metrics_port, port))
        process = subprocess.Popen(
            [WASCC, "up"],
            cwd=tmp_path,
            env=os.environ | {"COLLECTOR_HEADERS": "authorization=secret-token"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert eventually(lambda: answers(f"http://127.0.0.1:{port}/first"), 60)
            for number in (1, 2, 3):
                assert httpx.get(f"http://127.0.0.1:{port}/counted").json() == {"counter": number}
            lines = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text.splitlines()
            assert f"wascc_{KEY}_HandleRequest_inv_count 4.0" in lines
            assert "wascc_wascc:keyvalue_default_Add_inv_count 4.0" in lines
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, log
        assert "Traceback" not in log
        assert "secret-token" not in log
        assert not is_listening(metrics_port)
        assert collector.requests[0]["authorization"] == "secret-token"
        names = collector.names()
    assert names.count("GET") == names.count("actor/HandleRequest") == names.count("wascc:keyvalue/Add") == 4
