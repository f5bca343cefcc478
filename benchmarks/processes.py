"""The processes of the HTTP benchmark: hosts, a server to compare with, and the load generator; all end with us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType, TracebackType
from typing import IO, Self

from pydantic import TypeAdapter, ValidationError

from benchmarks.errors import BenchmarkError
from benchmarks.load_generator import HOST, Outcome, Task

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
ATTEMPTS = 3
"""How often a server is started anew on another port, where somebody else took its port in between."""

ROOT = Path(__file__).parents[1]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off SIGINT and SIGTERM, so that what is started inside is also taken note of. Short work only."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def host_command(manifest: Path, engine: str) -> list[str]:
    """The command of a host that runs this manifest on this engine."""
    program = "from host.cli import main; main()"
    return [sys.executable, "-c", program, "up", str(manifest), "--engine", engine, "--log-level", "warning"]


class Process:
    """A process with pipes on stdin and stdout, of which stderr is kept. `environment` is added to ours; what is None
    in it is taken away. Used as a context manager it is stopped."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str | None] | None = None
    ) -> None:
        self._errors: IO[bytes] = TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        wanted = {**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)}
        try:
            # In a session of its own, so that Ctrl-C reaches us alone and we can stop everything in order.
            self.popen = subprocess.Popen(  # noqa: S603 (our own Python, no shell)
                command,
                cwd=folder,
                env={name: value for name, value in wanted.items() if value is not None},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                text=True,
            )
        except OSError as error:
            self._errors.close()
            raise BenchmarkError(f"cannot start {command[0]}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.popen.poll() is not None

    def last_error(self) -> str:
        """The last line that it wrote to stderr."""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def finish(self) -> None:
        """Let it end by itself, since nothing more is asked. Raises BenchmarkError if it does not."""
        if self.popen.stdin is not None:
            with suppress(OSError):
                self.popen.stdin.close()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"a process did not end within {STOP_SECONDS:g} seconds") from error

    def stop(self) -> None:
        """Ask it to end, and end it if it does not within STOP_SECONDS."""
        self.popen.terminate()
        try:
            self.popen.wait(STOP_SECONDS)
        except BaseException:
            self.popen.kill()
            self.popen.wait()
            raise
        finally:
            for pipe in (self.popen.stdin, self.popen.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._errors.close()


class Generator(Process):
    """The load generator in a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__([sys.executable, "-m", "benchmarks.load_generator"], folder)

    def run(self, task: Task) -> Outcome:
        """Have it carry out a task. Raises BenchmarkError."""
        if self.popen.stdin is None or self.popen.stdout is None:
            raise BenchmarkError("the load generator has no pipes")
        try:
            self.popen.stdin.write(TypeAdapter(Task).dump_json(task).decode() + "\n")
            self.popen.stdin.flush()
            line = self.popen.stdout.readline()
        except OSError as error:
            raise BenchmarkError(f"the load generator ended: {self.last_error()}") from error
        if not line:
            raise BenchmarkError(f"the load generator ended: {self.last_error()}")
        try:
            return TypeAdapter(Outcome).validate_json(line)
        except ValidationError:
            raise BenchmarkError(f"no load on port {task.port}: {line.strip()[:300]}") from None


class Server:
    """A server of which `command_for(port)` is the command. It starts at once; `wait` until it listens on `port`.
    `environment` is as `Process` has it."""

    def __init__(
        self,
        command_for: Callable[[int], Sequence[str]],
        folder: Path,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        self._command_for = command_for
        self._folder = folder
        self._environment = environment
        self._start()

    def _start(self) -> None:
        self.port = free_port()
        self._start_here()

    def _start_here(self) -> None:
        self._process = Process(self._command_for(self.port), self._folder, self._environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.stop()

    def restart(self) -> None:
        """Kill it, and start it anew at the same port, which is awaited. Raises BenchmarkError."""
        self._process.popen.kill()
        self._process.stop()
        with uninterrupted():
            self._start_here()
        self.wait()

    def last_error(self) -> str:
        """The last line that it wrote to stderr."""
        return self._process.last_error()

    def terminate(self) -> None:
        """Ask it to end; leaving the context waits for that."""
        self._process.popen.terminate()

    def wait(self) -> None:
        """Wait until it accepts connections; where it ended instead, start it anew on another port.

        Raises BenchmarkError.
        """
        attempts = 1
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.ended:
                if attempts == ATTEMPTS:
                    raise BenchmarkError(f"a server did not start: {self.last_error()}")
                attempts += 1
                with uninterrupted():
                    self._process.stop()
                    self._start()
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            time.sleep(POLL_SECONDS)
        raise BenchmarkError(f"a server did not start within {START_SECONDS:g} seconds: {self.last_error()}")


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port: int = unused.getsockname()[1]
        return port
