"""`wascc up` as a process, for tests of what people do with it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from tests_support import (
    Done,
    free_port,  # noqa: F401 (tests take it from here)
)
from tests_support import wascc as run

WASCC = Path(sys.executable).parent / "wascc"


class Running:
    """A `wascc up`."""

    def __init__(self, process: subprocess.Popen[str], port: int, manifest: Path) -> None:
        self.process = process
        self.port = port
        self.manifest = manifest
        self.log: list[str] = []
        self._reading = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reading.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.log.append(line)

    def get(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/x", timeout=20)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 30
        while not any(text in line for line in list(self.log)):
            assert time.monotonic() < end, "".join(self.log)
            assert self.process.poll() is None, "".join(self.log)
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        assert self.process.wait(30) == 0, "".join(self.log)
        self._reading.join(10)
        assert "Traceback" not in "".join(self.log)


@contextmanager
def up(folder: Path, environment: dict[str, str], port: int, *options: str) -> Iterator[Running]:
    """A host that runs the manifest.yaml of a folder, in which an actor is served at this port."""
    command = [WASCC, "up", *options]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        host = Running(process, port, folder / "manifest.yaml")
        host.wait_for("Processed and applied")
        yield host
    finally:
        process.kill()
        process.wait()


def wascc(environment: dict[str, str], *arguments: str) -> Done:
    """Run another command of `wascc`, with this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        return run(*arguments)


def hosts(environment: dict[str, str], count: int = 1) -> list[dict[str, Any]]:
    """What `ps --json` says, once so many hosts are there."""
    end = time.monotonic() + 20
    while True:
        done = wascc(environment, "ps", "--json")
        found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
        if len(found) == count:
            return found
        assert time.monotonic() < end
        time.sleep(0.1)
