"""What tests of several packages need."""

import io
import logging
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import run

import pytest

from conformance.tools import wasm_tools_path
from host.cli.main import run as run_command_line


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until the condition holds; False if it does not within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@cache
def parse(wat: str) -> bytes:
    """The binary module of a text module, which need not be valid."""
    done = run([str(wasm_tools_path()), "parse", "-"], input=wat.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.decode())
    return done.stdout


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    returncode: int


def wascc(*args: str | Path) -> Done:
    """Run `wascc` in this process: as the console script does, but without starting Python anew each time."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])
        for name in ("wascc", "wapc"):
            patch.setattr(logging.getLogger(name), "level", logging.NOTSET)
        patch.setattr(sys, "argv", ["wascc", *map(str, args)])
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        try:
            run_command_line()
        except SystemExit as exit_:
            code = exit_.code
    for name in ("wascc", "wapc"):
        # Setting a level again also forgets which levels were found to be enabled.
        logging.getLogger(name).setLevel(logging.getLogger(name).level)
    texts = [stream.buffer.getvalue().decode() for stream in (stdout, stderr)]  # type: ignore[attr-defined]
    return Done(texts[0], texts[1], code if isinstance(code, int) else int(code is not None))
